"""A sampler with a random.Random of its own that nobody seeds."""

import random


class Bootstrap:
    """Draws rows with replacement."""

    def __init__(self, rows, seed=None):
        self.rows = rows
        self.rng = random.Random(seed)

    def __iter__(self):
        while True:
            yield [self.rng.choice(self.rows) for _ in self.rows]


scores = [0.71, 0.64, 0.69, 0.80, 0.75, 0.58, 0.66]
samples = iter(Bootstrap(scores))
means = sorted(sum(next(samples)) / len(scores) for _ in range(100))
print(f"accuracy {sum(scores) / len(scores):.3f} [{means[2]:.4f}, {means[97]:.4f}]")
