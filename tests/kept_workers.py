"""Workers that are used again for the next match, since importing the frameworks takes most of a short one.

What a program leaves behind in its process is set back before the next one is loaded. Tests of processes, of the
docs and of the command line start their own.
"""

from contextlib import suppress

import numpy as np

from samestep.errors import ProgramError
from samestep.worker.parent import Worker

SET_BACK = """
import keras
keras.utils.clear_session()
keras.config.set_floatx("float32")
"""


class Kept(Worker):
    """A worker that stays alive after a match that went well."""

    idle: list = []  # noqa: RUF012 - one list for all

    def __exit__(self, kind, *_):
        if kind is None:
            Kept.idle.append(self)
        else:
            self.close()  # an answer may still be on its way


class KeptWorkers:
    """Hands out kept workers in the place of new ones."""

    def __init__(self, folder):
        program = folder / "set_back.py"
        program.write_text(SET_BACK)
        self.source = {"label": "set back", "function": "build", "file": str(program), "module": None}

    def take(self, label, *, python=None, timeout=300.0):
        """What Worker(label, …) would be, sooner."""
        if python is not None:
            return Worker(label, python=python, timeout=timeout)
        worker = Kept.idle.pop() if Kept.idle else Kept(label, timeout=timeout)
        worker.label, worker.timeout = label, timeout
        with suppress(ProgramError):  # it has no build()
            worker.ask("load", source=self.source, seed=0, x=np.zeros((1, 1), np.float32), y=np.zeros(1))
        return worker

    def close(self):
        """End them all."""
        while Kept.idle:
            Kept.idle.pop().close()
