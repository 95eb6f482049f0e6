"""Threads fill places of their own, and the places are added in their order."""

import random
import threading

places = [0.0] * 8


def work(rank):
    rng = random.Random(rank)
    places[rank] = sum(rng.random() for _ in range(2000))


threads = [threading.Thread(target=work, args=(rank,)) for rank in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("sum", sum(places))
