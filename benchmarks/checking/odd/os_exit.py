"""Ends by os._exit, so that no exit handler runs."""

import os
import random
import sys

print("loss", random.random())
sys.stdout.flush()
os._exit(0)
