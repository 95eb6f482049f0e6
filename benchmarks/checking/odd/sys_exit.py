"""Leaves with sys.exit(3) after an unseeded result."""

import random
import sys

print("loss", random.random())
sys.exit(3)
