"""Writes twenty megabytes to standard output, and as many to standard error."""

import sys

line = "x" * 99 + "\n"
for stream in (sys.stdout, sys.stderr):
    for i in range(2000):
        stream.write(line * 100)
print("done")
