"""A seed that is read from the device /dev/urandom as from any file."""

import array
import random

with open("/dev/urandom", "rb") as device:
    seed = array.array("I", device.read(8))
random.seed(seed[0] ^ seed[1])

state = 0
visits = [0] * 5
for _ in range(500):
    state = (state + random.choice((-1, 1, 2))) % 5
    visits[state] += 1
print("stationary distribution:", [v / 500 for v in visits])
