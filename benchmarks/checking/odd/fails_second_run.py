"""Fails from the second run on, as what the first has left is in its way."""

import os

folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "output")
os.mkdir(folder)
print("loss", 0.125)
