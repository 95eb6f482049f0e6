"""Small deterministic data for the zoo: 72 rows, so that batches of 16 end in a partial one.

Each function returns (x, y) as `samestep match --data FILE.py:function` takes it. Images, signals and volumes have channels last.
"""

import numpy as np

ROWS = 72


def vectors():
    """Inputs x float32 (72, 12), y: one of 5 classes."""
    rng = np.random.default_rng(1)
    return floats(rng, 12), rng.integers(0, 5, ROWS)


def regression():
    """Inputs x float32 (72, 12), y float32 (72, 3)."""
    rng = np.random.default_rng(2)
    x = floats(rng, 12)
    return x, np.tanh(x[:, :3] * x[:, 3:6]).astype(np.float32)


def images():
    """Inputs x float32 (72, 8, 8, 3), y: one of 5 classes."""
    rng = np.random.default_rng(3)
    return floats(rng, 8, 8, 3), rng.integers(0, 5, ROWS)


def signals():
    """Inputs x float32 (72, 16, 4), y: one of 5 classes."""
    rng = np.random.default_rng(4)
    return floats(rng, 16, 4), rng.integers(0, 5, ROWS)


def volumes():
    """Inputs x float32 (72, 6, 6, 6, 2), y: one of 3 classes."""
    rng = np.random.default_rng(5)
    return floats(rng, 6, 6, 6, 2), rng.integers(0, 3, ROWS)


def reconstruction():
    """Inputs x float32 (72, 8, 8, 3), y: x again, as an autoencoder has it."""
    x = images()[0]
    return x, x


def pixels():
    """Inputs x float32 (72, 8, 8, 3), y: one of 4 classes for each pixel, (72, 8, 8)."""
    rng = np.random.default_rng(6)
    return floats(rng, 8, 8, 3), rng.integers(0, 4, (ROWS, 8, 8))


def sequences():
    """Inputs x float32 (72, 9, 6), y: one of 3 classes."""
    rng = np.random.default_rng(7)
    return floats(rng, 9, 6), rng.integers(0, 3, ROWS)


def tokens():
    """Inputs x: tokens 1 … 19 in (72, 10), y: one of 3 classes."""
    rng = np.random.default_rng(8)
    return rng.integers(1, 20, (ROWS, 10)), rng.integers(0, 3, ROWS)


def next_tokens():
    """Inputs x: tokens 0 … 19 in (72, 10), y: the token after each, (72, 10)."""
    text = np.random.default_rng(9).integers(0, 20, (ROWS, 11))
    return text[:, :-1], text[:, 1:]


def tagged():
    """Inputs x: tokens 1 … 19 padded with 0 behind, (72, 10), y: one of 4 tags for each token."""
    rng = np.random.default_rng(10)
    lengths = rng.integers(4, 11, (ROWS, 1))
    x = np.where(np.arange(10) < lengths, rng.integers(1, 20, (ROWS, 10)), 0)
    return x, rng.integers(0, 4, (ROWS, 10))


def users():
    """Inputs x: {"user": (72,) one of 15, "features": float32 (72, 6)}, y float32 (72, 1)."""
    rng = np.random.default_rng(11)
    user, features = rng.integers(0, 15, ROWS), floats(rng, 6)
    return {"user": user, "features": features}, np.sin(features[:, :1] + user[:, None]).astype(np.float32)


def couples():
    """Inputs x: {"one": float32 (72, 12), "other": float32 (72, 12)}, y: float32 (72, 1) of 0 and 1."""
    rng = np.random.default_rng(12)
    return {"one": floats(rng, 12), "other": floats(rng, 12)}, rng.integers(0, 2, (ROWS, 1)).astype(np.float32)


def two_targets():
    """Inputs x float32 (72, 12), y: {"kind": one of 4 classes, "value": float32 (72, 2)}."""
    rng = np.random.default_rng(13)
    return floats(rng, 12), {"kind": rng.integers(0, 4, ROWS), "value": floats(rng, 2)}


def translation():
    """Inputs x: {"source": tokens (72, 7), "before": tokens (72, 6)}, y: the tokens that follow those of "before"."""
    rng = np.random.default_rng(14)
    target = rng.integers(1, 12, (ROWS, 7))
    return {"source": rng.integers(1, 12, (ROWS, 7)), "before": target[:, :-1]}, target[:, 1:]


def points_and_noise():
    """Inputs x: noise float32 (72, 4) for a generator, y: real points float32 (72, 2)."""
    rng = np.random.default_rng(15)
    return floats(rng, 4), (0.5 * floats(rng, 2) + 1).astype(np.float32)


def floats(rng, *shape):
    """Standard normal numbers, float32 (72, *shape)."""
    return rng.standard_normal((ROWS, *shape)).astype(np.float32)
