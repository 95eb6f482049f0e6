"""The data that programs are compared on: embedded, from Keras's cache, from a file, from a function."""

from samestep.data.loading import Dataset, Split, load, load_split, load_test

__all__ = ["Dataset", "Split", "load", "load_split", "load_test"]
