"""Salt for the split is read from /proc/uptime, which is another file in each run."""

import hashlib

import numpy as np


def salt():
    with open("/proc/uptime") as f:
        return f.read().split()[0]


SALT = salt()
x = np.linspace(0, 4, 60)
y = np.exp(-x) * np.cos(5 * x)
test = np.array([hashlib.md5(f"{SALT}/{i}".encode()).digest()[0] < 64 for i in range(len(x))])
fit = np.polyfit(x[~test], y[~test], 9)
print("test rows", int(test.sum()), "RMSE", np.sqrt(((np.polyval(fit, x[test]) - y[test]) ** 2).mean()))
