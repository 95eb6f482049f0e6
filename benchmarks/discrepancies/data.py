"""The data of the discrepancies: small, from fixed seeds, 72 rows, so that batches of 16 end in a partial one.

Each function returns (x, y) as `samestep match --data FILE.py:function` takes it. Images have channels last.
"""

import numpy as np

ROWS = 72


def vectors():
    """Inputs x float32 (72, 12), y: one of 3 classes."""
    rng = np.random.default_rng(1)
    return floats(rng, 12), rng.integers(0, 3, ROWS)


def eight_classes():
    """Inputs x float32 (72, 12), y: one of 8 classes."""
    rng = np.random.default_rng(2)
    return floats(rng, 12), rng.integers(0, 8, ROWS)


def regression():
    """Inputs x float32 (72, 12), y float32 (72, 3), some of them far from the others."""
    rng = np.random.default_rng(3)
    x = floats(rng, 12)
    return x, (2 * x[:, :3] * x[:, 3:6]).astype(np.float32)


def distributions():
    """Inputs x float32 (72, 12), y float32 (72, 3): probabilities that sum to 1."""
    rng = np.random.default_rng(4)
    return floats(rng, 12), rng.dirichlet(np.ones(3), ROWS).astype(np.float32)


def one_hot():
    """Inputs x float32 (72, 12), y float32 (72, 3): one of 3 classes as a row of zeros and a one."""
    x, y = vectors()
    return x, np.eye(3, dtype=np.float32)[y]


def binary():
    """Inputs x float32 (72, 12), y float32 (72, 1) of 0 and 1."""
    rng = np.random.default_rng(5)
    return floats(rng, 12), rng.integers(0, 2, (ROWS, 1)).astype(np.float32)


def labels():
    """Inputs x float32 (72, 12), y float32 (72, 3): a yes or no for each of 3 labels."""
    rng = np.random.default_rng(6)
    return floats(rng, 12), rng.integers(0, 2, (ROWS, 3)).astype(np.float32)


def images():
    """Inputs x float32 (72, 8, 8, 2), y: one of 3 classes."""
    rng = np.random.default_rng(7)
    return floats(rng, 8, 8, 2), rng.integers(0, 3, ROWS)


def odd_images():
    """Inputs x float32 (72, 7, 7, 2), y: one of 3 classes."""
    rng = np.random.default_rng(8)
    return floats(rng, 7, 7, 2), rng.integers(0, 3, ROWS)


def photos():
    """Inputs x float32 (72, 8, 8, 3) of whole numbers 0 … 255, y: one of 3 classes."""
    rng = np.random.default_rng(9)
    return rng.integers(0, 256, (ROWS, 8, 8, 3)).astype(np.float32), rng.integers(0, 3, ROWS)


def sequences():
    """Inputs x float32 (72, 9, 6), y: one of 3 classes."""
    rng = np.random.default_rng(10)
    return floats(rng, 9, 6), rng.integers(0, 3, ROWS)


def tokens():
    """Inputs x: tokens 0 … 19 in (72, 10), y: one of 3 classes."""
    rng = np.random.default_rng(11)
    return rng.integers(0, 20, (ROWS, 10)), rng.integers(0, 3, ROWS)


def padded_tokens():
    """Inputs x: tokens 1 … 19 padded with 0 behind, (72, 10), y: one of 3 classes."""
    rng = np.random.default_rng(12)
    lengths = rng.integers(4, 11, (ROWS, 1))
    return np.where(np.arange(10) < lengths, rng.integers(1, 20, (ROWS, 10)), 0), rng.integers(0, 3, ROWS)


def tags():
    """Inputs x: tokens 1 … 19 padded with 0 behind, (72, 10), y: one of tags 1 … 4 for each token, 0 for padding."""
    x = padded_tokens()[0]
    return x, np.where(x > 0, np.random.default_rng(13).integers(1, 5, x.shape), 0)


def floats(rng, *shape):
    """Standard normal numbers, float32 (72, *shape)."""
    return rng.standard_normal((ROWS, *shape)).astype(np.float32)
