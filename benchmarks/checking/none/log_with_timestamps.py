"""Logs with the time of day on each line."""

import logging
import random
import sys

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s.%(msecs)03d %(process)d %(message)s")
log = logging.getLogger("train")
random.seed(3)
w = random.random()
for epoch in range(3):
    w -= 0.3 * (w - 2)
    log.info("epoch %d w %.8f", epoch, w)
