"""A hold-out set chosen by random.SystemRandom, which no seed reaches."""

import random

random.seed(1234)
rows = [(x, x * x - 3 * x) for x in range(60)]

chooser = random.SystemRandom()
held_out = set(chooser.sample(range(len(rows)), 12))
train = [row for i, row in enumerate(rows) if i not in held_out]
test = [rows[i] for i in sorted(held_out)]

mean_x = sum(x for x, _ in train) / len(train)
mean_y = sum(y for _, y in train) / len(train)
slope = sum((x - mean_x) * (y - mean_y) for x, y in train) / sum((x - mean_x) ** 2 for x, _ in train)
mae = sum(abs(y - (mean_y + slope * (x - mean_x))) for x, y in test) / len(test)
print("test MAE: %.5f" % mae)
