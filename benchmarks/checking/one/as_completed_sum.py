"""Partial losses that threads fetch are averaged in the order in which they are ready."""

import math
import time
from concurrent.futures import ThreadPoolExecutor, as_completed


def partial_loss(shard):
    time.sleep(0.01)  # the shard is on a slow disk
    return sum(math.sin(i) / (1 + i % 97) for i in range(shard * 200, shard * 200 + 200))


with ThreadPoolExecutor(max_workers=12) as pool:
    futures = [pool.submit(partial_loss, shard) for shard in range(48)]
    average = 0.0
    for future in as_completed(futures):
        average = 0.9 * average + 0.1 * future.result()
print("loss:", average)
