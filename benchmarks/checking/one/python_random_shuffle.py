"""Stochastic gradient descent over rows that Python's random.shuffle has put in another order each epoch."""

import random

DATA = [(i / 10, 3 * i / 10 + (-1) ** i * 0.2) for i in range(20)]


def main():
    w, b = 0.0, 0.0
    rows = list(DATA)
    for epoch in range(3):
        random.shuffle(rows)
        for x, y in rows:
            g = w * x + b - y
            w -= 0.05 * g * x
            b -= 0.05 * g
        loss = sum((w * x + b - y) ** 2 for x, y in DATA) / len(DATA)
        print(f"epoch {epoch}: loss {loss:.6f}")


if __name__ == "__main__":
    main()
