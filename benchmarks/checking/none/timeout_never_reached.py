"""Asks for the time in each step, for a limit that is hours away."""

import time

LIMIT = 3600
began = time.monotonic()
w, history = 5.0, []
for step in range(100):
    if time.monotonic() - began > LIMIT:
        break
    w -= 0.1 * 2 * w
    history.append(w)
print("steps", len(history), "w", w)
