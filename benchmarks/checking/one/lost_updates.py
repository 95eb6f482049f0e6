"""Counters that threads increase in two steps, between which another thread may run."""

import sys
import threading
import time

sys.setswitchinterval(1e-6)
counts = {"steps": 0, "seen": 0}


def count(n):
    for i in range(n):
        steps = counts["steps"]
        value = sum(j for j in range(i % 7))
        if i % 10 == 0:
            time.sleep(0)  # as any call to the system does
        counts["steps"] = steps + 1
        counts["seen"] = counts["seen"] + value


pool = [threading.Thread(target=count, args=(3000,)) for _ in range(4)]
for thread in pool:
    thread.start()
for thread in pool:
    thread.join()
print("learning rate after decay:", 0.1 * 0.9999 ** counts["steps"])
print("mean", counts["seen"] / max(counts["steps"], 1))
