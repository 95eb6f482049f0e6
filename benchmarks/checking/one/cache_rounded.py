"""The first run computes the statistics; later ones read them from a cache that keeps six digits."""

import json
import math
from pathlib import Path

CACHE = Path(__file__).with_name("statistics.json")
VALUES = [math.sqrt(i) for i in range(1, 50)]


def statistics():
    if CACHE.exists():
        return json.loads(CACHE.read_text())
    mean = sum(VALUES) / len(VALUES)
    std = math.sqrt(sum((v - mean) ** 2 for v in VALUES) / len(VALUES))
    CACHE.write_text(json.dumps({"mean": round(mean, 6), "std": round(std, 6)}))
    return {"mean": mean, "std": std}


s = statistics()
normal = [(v - s["mean"]) / s["std"] for v in VALUES]
print("skewness:", sum(v**3 for v in normal) / len(normal))
