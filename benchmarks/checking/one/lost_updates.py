"""A running mean that threads update in two steps, between which another thread may run."""

import sys
import threading
import time

sys.setswitchinterval(1e-6)
metrics = {"mean": 0.0, "count": 0}


def report(rank, n):
    for i in range(n):
        mean, count = metrics["mean"], metrics["count"]
        value = rank + sum(j for j in range(i % 7)) / 21
        if i % 20 == 0:
            time.sleep(1e-5)  # waits for a sensor
        metrics["mean"] = 0.99 * mean + 0.01 * value
        metrics["count"] = count + 1


pool = [threading.Thread(target=report, args=(rank, 3000)) for rank in range(4)]
for thread in pool:
    thread.start()
for thread in pool:
    thread.join()
print("learning rate after decay:", 0.1 * 0.9999 ** metrics["count"])
print("mean", metrics["mean"])
