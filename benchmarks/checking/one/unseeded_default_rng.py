"""Linear regression whose first weights come from an unseeded default_rng()."""

import numpy as np

x = np.linspace(-1, 1, 40).reshape(20, 2)
y = x @ np.array([2.0, -1.0]) + 0.5


def train(steps=30, lr=0.1):
    rng = np.random.default_rng()
    w = rng.normal(size=2)
    b = 0.0
    for _ in range(steps):
        error = x @ w + b - y
        w -= lr * x.T @ error / len(x)
        b -= lr * error.mean()
    return ((x @ w + b - y) ** 2).mean()


print("final loss:", train())
