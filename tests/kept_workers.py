"""Workers that are used again for the next match, since importing the frameworks takes most of a short one.

What a program leaves behind in its process is set back before the next one is loaded. Tests of processes, of the
docs and of the command line start their own.
"""

from contextlib import suppress

import numpy as np

from samestep.errors import ProgramError
from samestep.worker.parent import Worker

SET_BACK = """
import sys
import keras
from samestep.frameworks import compute_in
sys.modules.pop("right", None)  # the program beside a mutant of the zoo, which another pair has too
compute_in("float32")
keras.utils.clear_session()  # takes back the policy too, so that it follows floatx
if "tf_keras" in sys.modules:
    sys.modules["tf_keras"].mixed_precision.set_global_policy(None)
"""


class Kept(Worker):
    """A worker that stays alive after a match that went well."""

    idle: dict = {}  # noqa: RUF012 - one for all: a list for each environment

    def __exit__(self, kind, *_):
        if kind is None and self._process.poll() is None:
            Kept.idle.setdefault(str(self._variables), []).append(self)
        else:
            self.close()  # an answer may still be on its way


class KeptWorkers:
    """Hands out kept workers in the place of new ones."""

    def __init__(self, folder):
        program = folder / "set_back.py"
        program.write_text(SET_BACK)
        self.source = {"label": "set back", "function": "build", "file": str(program), "module": None}

    def take(self, label, *, python=None, timeout=300.0, environment=None):
        """What Worker(label, …) would be, sooner."""
        if python is not None:
            return Worker(label, python=python, timeout=timeout, environment=environment)
        idle = Kept.idle.get(str(dict(environment or {})))
        worker = idle.pop() if idle else Kept(label, timeout=timeout, environment=environment)
        worker.label, worker.timeout = label, timeout
        with suppress(ProgramError):  # it has no build()
            worker.ask("load", source=self.source, seed=0, x=np.zeros((1, 1), np.float32), y=np.zeros(1))
        return worker

    def close(self):
        """End them all."""
        for idle in Kept.idle.values():
            while idle:
                idle.pop().close()
