"""Puts another object in the place of sys.stdout and closes the one that was there."""

import io
import random
import sys

real, sys.stdout = sys.stdout, io.StringIO()
print("hidden", random.random())
hidden = sys.stdout.getvalue()
sys.stdout = real
print("loss", 0.25, "hidden characters", len(hidden) > 10)
sys.stdout.close()
