"""Writes a hundred thousand numbers, the last of which is another in each run."""

import os

for i in range(100_000):
    print(i, i * i)
print("last", os.urandom(2).hex())
