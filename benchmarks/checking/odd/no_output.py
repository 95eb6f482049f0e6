"""Draws without a seed and prints nothing."""

import random

total = sum(random.random() for _ in range(10))
