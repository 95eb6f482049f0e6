"""A daemon thread still runs, and draws, when the script ends."""

import random
import threading
import time

random.seed(2)


def spin(rng):
    while True:
        rng.random()
        time.sleep(0.001)


threading.Thread(target=spin, args=(random.Random(1),), daemon=True).start()
print("loss", random.random())
