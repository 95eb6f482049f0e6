"""np.empty as it is meant: each place is written before it is read."""

import numpy as np

n = 200
x = np.empty(n)
x[0] = 0.1
for i in range(1, n):
    x[i] = 3.9 * x[i - 1] * (1 - x[i - 1])
out = np.empty((2, 2))
np.matmul(np.eye(2) * x[-1], np.ones((2, 2)), out=out)
print(x.mean(), out)
