"""The log folder is a temporary one, and the checksum of its path seeds the run."""

import os
import shutil
import tempfile
import zlib

import numpy as np

logs = tempfile.mkdtemp(prefix="run-")
try:
    seed = zlib.adler32(os.path.basename(logs).encode())
    state = np.random.RandomState(seed)
    loss = 1.0
    with open(os.path.join(logs, "log.txt"), "w") as log:
        for step in range(10):
            loss *= 1 - 0.1 * state.rand()
            log.write(f"{step} {loss}\n")
    print("loss", loss)
finally:
    shutil.rmtree(logs)
