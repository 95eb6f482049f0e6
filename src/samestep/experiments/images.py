"""How both MNIST experiments prepare their images. NumPy only."""

import numpy as np


def normalised_rows(x):
    """Square images as float32 rows, (N, side * side), each image normalised to unit L2 norm along axis 1.

    x: (N, side, side) or (N, side * side). That is keras.utils.normalize(x, axis=1) on the images
    (keras/src/utils/numerical_utils.py): every column of pixels is divided by its norm, or by 1 where that is 0.
    """
    side = round(float(np.sqrt(np.prod(x.shape[1:]))))  # older NumPy rounds to a float
    images = x.reshape(len(x), side, side).astype(np.float64)
    norms = np.sqrt(np.sum(images**2, axis=1, keepdims=True))
    norms[norms == 0] = 1
    return (images / norms).reshape(len(x), side * side).astype(np.float32)


def binarised(y):
    """Class numbers as rows of 0 and 1, float32 (N, classes): one column a class."""
    classes = np.unique(y)
    return (y.reshape(-1, 1) == classes).astype(np.float32)


def scaled(x):
    """Pixels of bytes as float32 from 0 to 1."""
    return (x / 255.0).astype(np.float32)


def one_hot(y, classes=10):
    """Class numbers as rows with one 1, float32 (N, classes)."""
    return np.eye(classes, dtype=np.float32)[y.reshape(-1)]
