"""The data that programs are compared on: embedded, from Keras's cache, from a file, from a function."""

from samestep.data.loading import Dataset, load, load_test

__all__ = ["Dataset", "load", "load_test"]
