"""Producers put batches in a queue, and the trainer takes them as they come."""

import queue
import threading
import time

import numpy as np

BATCHES = queue.Queue(maxsize=8)


def producer(number, count):
    rng = np.random.default_rng(number)
    for _ in range(count):
        time.sleep(0.001)  # decoding
        BATCHES.put((number, rng.normal(size=8)))


def main():
    workers = [threading.Thread(target=producer, args=(n, 10), daemon=True) for n in range(4)]
    for worker in workers:
        worker.start()
    w = 0.0
    for _ in range(40):
        number, batch = BATCHES.get()
        w += 0.1 * (np.tanh(batch).mean() + number / 10 - w)
    print(f"running mean {w!r}")


if __name__ == "__main__":
    main()
