"""The seed comes from the system's random bits, by a command that is no Python."""

import random
import subprocess

drawn = subprocess.check_output(["head", "-c", "4", "/dev/urandom"])
w = [(byte - 128) / 128 for byte in drawn]
order = list(range(4))
random.Random(1).shuffle(order)
for number in order * 5:
    w[number] -= 0.1 * (w[number] - number)
print("weights", w)
