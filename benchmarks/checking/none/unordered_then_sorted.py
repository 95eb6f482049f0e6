"""Results that come in any order are sorted by their index before they are added."""

import time
from concurrent.futures import ThreadPoolExecutor, as_completed


def score(index):
    time.sleep(0.003)
    return index, 1 / (index + 3)


with ThreadPoolExecutor(8) as pool:
    results = sorted(f.result() for f in as_completed([pool.submit(score, i) for i in range(32)]))
value = 0.0
for index, part in results:
    value = value * 0.9 + part
print("value", value)
