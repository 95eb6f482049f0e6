"""Runs for tests: what a recorder would send, made of arrays that a test can change, and written into a folder."""

import copy

import numpy as np

from samestep.runs.writing import RunWriter

ENTRIES = [
    ["parameter", "first/kernel", "float32", [3, 4]],
    ["parameter", "last/kernel", "float32", [4]],
    ["gradient", "first/kernel", "float32", [3, 4]],
    ["gradient", "last/kernel", "float32", [4]],
    ["buffer", "mean", "float32", [4]],
    ["generator", "python", "uint8", [2500]],
]
SCALARS = ["learning_rate", "accuracy", "loss"]
ENVIRONMENT = {"python": "3.11.7", "platform": "Linux", "cpus": 2, "packages": {"torch": "2.5"}, "flags": {}, "git": {}}


class Recording:
    """One run's rows, from one source, before they are written; any of it may be changed."""

    def __init__(self, rows=30, entries=ENTRIES, scalars=SCALARS, source="SGD", digest="xxh3-128", steps=None):
        generator = np.random.default_rng(0)
        self.entries, self.scalars, self.source, self.digest = copy.deepcopy(entries), list(scalars), source, digest
        self.framework = ""
        self.columns = {
            "step": np.arange(rows) if steps is None else np.array(steps),
            "time": np.arange(rows) / 4,
            "batch": generator.integers(1, 256, (rows, 16), np.uint8),
            "scalars": generator.uniform(0.1, 1, (rows, len(scalars))),
            "digests": generator.integers(1, 256, (rows, len(entries), 16), np.uint8),
            "norms": generator.uniform(0.1, 1, (rows, len(entries))),
        }

    def altered(self, **columns):
        """Another one, in which these (row, place …) of these columns are not the same."""
        other = copy.deepcopy(self)
        for name, places in columns.items():
            for place in places if isinstance(places, list) else [places]:
                flat = other.columns[name][place].reshape(-1).view(np.uint8).copy()
                flat[0] ^= 1
                other.columns[name][place] = flat.view(other.columns[name].dtype).reshape(
                    other.columns[name][place].shape
                )
        return other

    def digest_where_norms(self, *places):
        """Another one, in which these tensors, (row, place, share), are not the same, and their norms apart by that share."""
        other = self.altered(digests=[place[:2] for place in places])
        for row, place, share in places:
            other.columns["norms"][row, place] *= 1 + share
        return other

    def head(self):
        return {
            "segment": {
                "source": self.source,
                "framework": self.framework,
                "entries": self.entries,
                "scalars": self.scalars,
                "digest": self.digest,
            }
        }

    def rows(self, start, stop):
        return {"rows": {name: values[start:stop] for name, values in self.columns.items()}, "source": self.source}

    def messages(self, block=8):
        yield self.head()
        for start in range(0, len(self.columns["step"]), block):
            yield self.rows(start, start + block)


def write(
    folder, *recordings, block=8, exit_status=0, ended=True, messages=(), environment=ENVIRONMENT, command="train.py"
):
    """Write recordings one after another, then other messages; returns the folder."""
    writer = RunWriter(folder, command.split(), "train.py")
    writer.take({"environment": environment, "digest": "xxh3-128"})
    for message in [*(message for recording in recordings for message in recording.messages(block)), *messages]:
        writer.take(message)
    if ended:
        writer.take({"environment": environment, "ended": exit_status})
    writer.close(exit_status)
    return folder
