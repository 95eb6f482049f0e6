"""Changes to a temporary directory, which is gone at the end, and draws a number there."""

import os
import random
import tempfile

with tempfile.TemporaryDirectory() as folder:
    os.chdir(folder)
    with open("numbers.txt", "w") as f:
        f.write(str(random.random()))
    with open("numbers.txt") as f:
        print("number", float(f.read()))
    os.chdir("/")
