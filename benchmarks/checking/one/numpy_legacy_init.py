"""A two-layer network in NumPy with its weights from np.random.randn, never seeded."""

import numpy as np

X = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
Y = np.array([[0], [1], [1], [0]], dtype=float)


class Net:
    def __init__(self, hidden):
        self.w1 = np.random.randn(2, hidden)
        self.w2 = np.random.randn(hidden, 1)

    def forward(self, x):
        self.h = np.tanh(x @ self.w1)
        return self.h @ self.w2

    def step(self, x, y, lr):
        error = self.forward(x) - y
        grad2 = self.h.T @ error
        grad1 = x.T @ ((error @ self.w2.T) * (1 - self.h**2))
        self.w1 -= lr * grad1
        self.w2 -= lr * grad2
        return float((error**2).mean())


net = Net(4)
for _ in range(50):
    loss = net.step(X, Y, 0.05)
print("loss", loss)
