"""How long does it take to compare two recorded runs that are the same, or that differ in their last step only?

    python benchmarks/diffing.py [STEPS] [TENSORS]

Writes three runs of 1,000,000 steps and 20 tensors into a temporary folder (about 1.6 GB), in blocks of 256 rows as they
are recorded, and prints seconds from the folders to the result, each run being read once before, the best of three. Beside
them: the time that a plain read of the same files takes, and the ratio to it.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from samestep.runs.diffing import diff
from samestep.runs.writing import RunWriter

ROWS = 256


def messages(steps: int, tensors: int, spoiled: bool) -> Iterator[dict[str, Any]]:
    """What a recorder sends; spoiled: the last digest of the last step is another one."""
    yield {"environment": {}, "digest": "xxh3-128"}
    entries = [["parameter", f"layer{number}/kernel", "float32", [64, 64]] for number in range(tensors)]
    head = {"source": "SGD", "entries": entries, "scalars": ["loss", "learning_rate"], "digest": "xxh3-128"}
    yield {"segment": head}
    generator = np.random.default_rng(0)
    for start in range(0, steps, ROWS):
        count = min(ROWS, steps - start)
        digests = generator.integers(0, 256, (count, tensors, 16), np.uint8)
        if spoiled and start + count == steps:
            digests[-1, -1] ^= 1
        rows = {"step": np.arange(start, start + count), "time": np.full(count, time.time()), "digests": digests}
        rows |= {"batch": digests[:, 0], "scalars": np.ones((count, 2)), "norms": np.ones((count, tensors))}
        yield {"rows": rows, "source": "SGD"}
    yield {"environment": {}, "ended": 0}


def write(folder: Path, steps: int, tensors: int, spoiled: bool = False) -> Path:
    """One run."""
    writer = RunWriter(folder, ["train.py"], "train.py")
    for message in messages(steps, tensors, spoiled):
        writer.take(message)
    writer.close(0)
    return folder


def seconds(work: Callable[[], Any]) -> float:
    """The best of three."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times)


def read(*folders: Path) -> int:
    """The bytes of the logs, read plainly."""
    return sum(len(path.read_bytes()) for folder in folders for path in folder.glob("*.arrows"))


def main(steps: int, tensors: int) -> None:
    """Write the runs, compare them, and print a line for each comparison."""
    with tempfile.TemporaryDirectory() as place:
        left, same = (write(Path(place) / name, steps, tensors) for name in ("left", "same"))
        other = write(Path(place) / "other", steps, tensors, spoiled=True)
        plain = seconds(lambda: read(left, same))
        print(f"{steps} steps of {tensors} tensors, {read(left) / steps:.0f} bytes a step; read plainly: {plain:.2f} s")
        for name, right in (("equal", same), ("last step", other)):
            took = seconds(lambda right=right: diff(left, right))
            print(f"{name:10} {diff(left, right).verdict:10} {took:.2f} s, {took / plain:.2f} × the plain read")


if __name__ == "__main__":
    main(*([int(argument) for argument in sys.argv[1:]] or (1_000_000, 20)))
