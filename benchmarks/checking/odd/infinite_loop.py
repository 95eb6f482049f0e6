"""Never ends by itself: only --budget does."""

import time

step = 0
while True:
    step += 1
    if step % 100 == 0:
        print("step", step, flush=True)
    time.sleep(0.01)
