"""The microseconds of the current date are the seed."""

from datetime import datetime
from random import Random


def make_rng():
    now = datetime.now()
    return Random(now.microsecond)


rng = make_rng()
arms = [0.2, 0.5, 0.55]
pulls, wins = [1, 1, 1], [1, 1, 1]
for _ in range(300):
    if rng.random() < 0.1:
        arm = rng.randrange(3)
    else:
        arm = max(range(3), key=lambda a: wins[a] / pulls[a])
    pulls[arm] += 1
    wins[arm] += rng.random() < arms[arm]
print("pulls", pulls, "wins", wins)
