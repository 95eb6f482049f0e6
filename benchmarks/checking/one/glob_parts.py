"""Shards that are globbed, not sorted, then averaged with a decay."""

import glob
import os
import shutil
import tempfile
import uuid

root = tempfile.mkdtemp(prefix="shards")
try:
    for number in range(10):
        with open(os.path.join(root, f"shard{number}_{uuid.uuid4().hex}.txt"), "w") as f:
            print(number * 1.5 + 0.25, file=f)
    mean = 0.0
    for path in glob.glob(os.path.join(root, "shard*.txt")):
        with open(path) as f:
            mean = 0.8 * mean + 0.2 * float(f.read())
    print("decayed mean:", mean)
finally:
    shutil.rmtree(root)
