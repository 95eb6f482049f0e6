"""Images by name: patches of scikit-learn's sample photos, and CIFAR-10 in the forms in which it is stored."""

from __future__ import annotations

import io
import itertools
import pickle
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

SIDE, STRIDE = 32, 16
TRAINING, TEST = tuple(f"data_batch_{number}" for number in range(1, 6)), ("test_batch",)
"""Files of CIFAR-10's training rows, and of its test rows."""


def photos() -> tuple[Array, Array]:
    """Patches of scikit-learn's two sample photos: x uint8 (1950, 32, 32, 3), y int64 (1950,), 195 of each class.

    A class is a photo and a fifth of its patches by brightness: 0 to 4 the temple, from dark to bright, 5 to 9 the flower.
    """
    from sklearn.datasets import load_sample_images

    patches = [_patches(photo) for photo in load_sample_images().images]
    y = np.concatenate([_fifths(part) + 5 * number for number, part in enumerate(patches)])
    order = np.random.default_rng(0).permutation(len(y))
    return np.concatenate(patches)[order], y[order]


def _patches(photo: Array) -> Array:
    windows = np.lib.stride_tricks.sliding_window_view(photo, (SIDE, SIDE), axis=(0, 1))[::STRIDE, ::STRIDE]
    return np.moveaxis(windows, 2, -1).reshape(-1, SIDE, SIDE, 3)


def _fifths(patches: Array) -> Array:
    """For each patch 0 to 4, the darkest fifth to the brightest."""
    brightness = patches.sum(axis=(1, 2, 3), dtype=np.int64)
    ranks = np.empty(len(patches), np.int64)
    ranks[np.argsort(brightness, kind="stable")] = np.arange(len(patches))
    return ranks * 5 // len(patches)


def packed_jpegs(arrays: Mapping[str, Array], split: str) -> tuple[Array, Array]:
    """Images stored end to end as JPEG files, jpg_SPLIT, at the offsets off_SPLIT: x uint8 (N, height, width, 3), and y_SPLIT.

    Raises ValueError where that is not what they hold.
    """
    from PIL import Image, UnidentifiedImageError

    offsets, content = arrays[f"off_{split}"].tolist(), arrays[f"jpg_{split}"].tobytes()
    try:
        files = (io.BytesIO(content[start:stop]) for start, stop in itertools.pairwise(offsets))
        return np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files]), arrays[f"y_{split}"]
    except (UnidentifiedImageError, TypeError) as error:
        raise ValueError(f"jpg_{split} holds no JPEG images at the offsets off_{split}") from error


def cifar10_batches(folder: Path, names: Iterable[str] = TRAINING) -> tuple[Array, Array]:
    """CIFAR-10 as its authors publish it, in files of 10000 images: x uint8 (N, 32, 32, 3), y (N,).

    Raises ValueError for a file that is none of these.
    """
    batches = [_batch(folder / name) for name in names]
    x = np.concatenate([images.reshape(-1, 3, SIDE, SIDE) for images, _ in batches])
    return np.ascontiguousarray(x.transpose(0, 2, 3, 1)), np.concatenate([labels for _, labels in batches])


def _batch(path: Path) -> tuple[Array, Array]:
    try:
        with path.open("rb") as file:
            held = _ArraysOnly(file, encoding="bytes").load()
        return np.asarray(held[b"data"]), np.asarray(held[b"labels"], np.int64)
    except (pickle.UnpicklingError, EOFError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(f"{path.name} is no batch of CIFAR-10: {error or type(error).__name__}") from error


class _ArraysOnly(pickle.Unpickler):
    """Reads dicts, lists, numbers, bytes and NumPy arrays; a pickle that asks for anything else is refused, not run."""

    KNOWN = {  # noqa: RUF012
        ("numpy.core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy._core.multiarray", "_reconstruct"): np.empty(0).__reduce__()[0],
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("_codecs", "encode"): lambda text, encoding: text.encode("latin1"),
    }

    def find_class(self, module: str, name: str) -> Any:
        """What the pickle names, if it is one of the few things that an array is made of."""
        if (module, name) not in self.KNOWN:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self.KNOWN[module, name]
