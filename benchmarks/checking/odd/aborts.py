"""Ends with SIGABRT, the same in each run."""

import os

print("loss 1.0", flush=True)
os.abort()
