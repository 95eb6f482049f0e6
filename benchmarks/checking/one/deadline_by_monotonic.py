"""A training ends at a deadline of the monotonic clock."""

import time

end = time.monotonic() + 0.01
n = 0
while True:
    if time.monotonic() > end:
        break
    loss = 0.9999**n
    n += 1
print("loss", loss)
