"""A listing of files with random names, sorted by what is in their beginning."""

import os
import tempfile
import uuid

with tempfile.TemporaryDirectory() as folder:
    for i in range(12):
        with open(os.path.join(folder, f"part-{i:03d}-{uuid.uuid4()}.txt"), "w") as f:
            f.write(str(i / 3))
    mean = 0.0
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as f:
            mean = 0.7 * mean + 0.3 * float(f.read())
print("mean", mean)
