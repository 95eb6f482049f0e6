"""Workers that have imported their frameworks before they are asked for, since that takes most of a short match.

Each is a process of its own that no program has been loaded in.
"""

from contextlib import suppress

import numpy as np

from samestep.errors import ProgramError
from samestep.worker.parent import Worker

WARMING = "import keras\nimport tensorflow\n"
READY = 2


class WarmWorkers:
    """A pool that starts a worker for each one that is taken, while the match is under way."""

    def __init__(self, folder):
        program = folder / "warming.py"
        program.write_text(WARMING)
        self.source = {"label": "warming", "function": "build", "file": str(program), "module": None}
        self.ready = [self.started() for _ in range(READY)]

    def started(self):
        """A worker that is importing; what it answers, that there is no build(), is still to come."""
        worker = Worker("warming")
        worker.send("load", source=self.source, seed=0, x=np.zeros((1, 1), np.float32), y=np.zeros(1))
        return worker

    def take(self, label, *, python=None, timeout=300.0):
        """What Worker(label, …) would be, sooner."""
        if python is not None:
            return Worker(label, python=python, timeout=timeout)
        self.ready.append(self.started())
        worker = self.ready.pop(0)
        with suppress(ProgramError):
            worker.receive()
        worker.label, worker.timeout = label, timeout
        return worker

    def close(self):
        """End those that were not taken."""
        for worker in self.ready:
            worker.close()
