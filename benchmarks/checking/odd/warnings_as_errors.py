"""Turns warnings into errors and inspects functions that an observer may have replaced."""

import inspect
import os
import random
import time
import warnings

import numpy as np

warnings.simplefilter("error")
print(inspect.isbuiltin(time.time), inspect.ismethod(random.random) or inspect.isbuiltin(random.random))
print(isinstance(np.random.default_rng(0), np.random.Generator), isinstance(random.Random(0), random.Random))
print(callable(os.listdir), sorted(os.listdir(os.path.dirname(os.path.abspath(__file__)) or "."))[:0])


class Mine(random.Random):
    def random(self):
        return 0.5


print(Mine().uniform(0, 2), np.random.RandomState(3).rand())
