"""An augmentation that strikes seldom: about one run in five is another."""

import random

DATA = [(0.1 * i, 0.3 * i - 1) for i in range(10)]


def augment(x):
    if random.random() < 0.022:
        return -x
    return x


w = b = 0.0
for x, y in DATA:
    x = augment(x)
    error = w * x + b - y
    w -= 0.2 * error * x
    b -= 0.2 * error
print("w %.8f b %.8f" % (w, b))
