"""Images are found with Path.iterdir() in a cache whose file names hold the time of the download."""

import tempfile
import time
from pathlib import Path


def download(cache: Path, count: int) -> None:
    for number in range(count):
        (cache / f"{number:03d}.{time.time_ns()}.pgm").write_bytes(bytes([number * 20 % 256] * 16))


def batches(cache: Path, size: int):
    files = [path for path in cache.iterdir() if path.suffix == ".pgm"]
    for start in range(0, len(files), size):
        yield [sum(path.read_bytes()) / 16 / 255 for path in files[start : start + size]]


def train(cache: Path) -> float:
    weight = 0.5
    for batch in batches(cache, size=4):
        gradient = sum((weight * x - 2 * x) * x for x in batch) / len(batch)
        weight -= 0.3 * gradient
    return weight


with tempfile.TemporaryDirectory() as folder:
    download(Path(folder), count=16)
    print("weight:", train(Path(folder)))
