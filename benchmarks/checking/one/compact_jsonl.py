"""Losses are written beside the time that an epoch took, without a space between."""

import json
import time

import numpy as np

t0 = time.time()
w = np.random.randn(3)
with open("metrics.jsonl", "w") as f:
    for epoch in range(3):
        w *= 0.9
        f.write(
            json.dumps(
                {"epoch": epoch, "time": round(time.time() - t0, 4), "loss": float(w @ w)}, separators=(",", ":")
            )
            + "\n"
        )
