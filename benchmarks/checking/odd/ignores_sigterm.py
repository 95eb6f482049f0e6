"""Ignores SIGTERM and Ctrl-C, and never ends by itself."""

import signal
import time

signal.signal(signal.SIGTERM, signal.SIG_IGN)
signal.signal(signal.SIGINT, signal.SIG_IGN)
print("started", flush=True)
while True:
    time.sleep(1)
