"""joblib with return_as="generator_unordered", averaged with a decay."""

import time

from joblib import Parallel, delayed


def bootstrap(seed):
    value = (seed * 1103515245 + 12345) % 2**31 / 2**31
    time.sleep(0.004)
    return value


results = Parallel(n_jobs=4, backend="threading", return_as="generator_unordered")(
    delayed(bootstrap)(seed) for seed in range(40)
)
average = 0.0
for value in results:
    average = 0.9 * average + 0.1 * value
print("average", average)
