"""First seeded with the clock, then, as the configuration says so, with a number."""

import random
import time

random.seed(time.time())
CONFIG = {"seed": 99, "steps": 50}
if CONFIG["seed"] is not None:
    random.seed(CONFIG["seed"])
position = 0.0
for _ in range(CONFIG["steps"]):
    position += random.choice([-1, 1]) * random.random()
print("position", position)
