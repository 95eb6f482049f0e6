"""An array that is never filled, and a fold that depends on a uuid4."""

import uuid

import numpy as np

fold = uuid.uuid4().int % 1000
codes = np.empty(10, dtype=np.int64)
codes[:2] = [3, 4]
x = np.arange(10) / 10 + fold / 1000
print("fold", fold)
print("checksum", int(np.bitwise_xor.reduce(codes)), "mean", x.mean())
