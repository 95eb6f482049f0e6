"""Kills itself with SIGKILL after it has printed a result."""

import os
import random
import signal

print("loss", random.random(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
