"""Asks how it is run: __name__, __file__, sys.argv[0], sys.path[0], pickles a class of __main__."""

import os
import pickle
import sys


class Config:
    def __init__(self, rate):
        self.rate = rate


copy = pickle.loads(pickle.dumps(Config(0.1)))
print(__name__, os.path.basename(__file__), os.path.basename(sys.argv[0]))
print(os.path.samefile(sys.path[0], os.path.dirname(os.path.abspath(__file__))))
print(type(copy).__module__, copy.rate, sys.modules["__main__"].Config is Config)
