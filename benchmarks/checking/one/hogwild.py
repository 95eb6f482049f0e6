"""Threads update shared weights without a lock, as in Hogwild."""

import threading
import time

weights = [0.0] * 4
ROWS = [([1.0, i / 240, (i % 3) / 3, (i % 5) / 5], i / 100) for i in range(240)]


def work(rows):
    for x, y in rows:
        seen = list(weights)
        error = sum(w * v for w, v in zip(seen, x)) - y
        time.sleep(0.0005)  # the gradient takes its time
        for i in range(4):
            weights[i] = seen[i] - 0.05 * error * x[i]


threads = [threading.Thread(target=work, args=(ROWS[k::12],)) for k in range(12)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("weights", weights)
