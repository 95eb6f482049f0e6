"""From the name of data to checked arrays."""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.data import images
from samestep.errors import DataError, UsageError
from samestep.frameworks import _rows
from samestep.worker.loading import described, functions_of, run_file

Rows = NDArray[Any] | dict[str, NDArray[Any]]
"""An array, or several by name."""
Arrays = tuple[Rows, Rows]
"""x and y."""


@dataclass(frozen=True)
class Dataset:
    """Training rows: x (N, …) and y (N, …) of equal length, without NaN or infinity; dicts by name where they are several."""

    name: str
    x: Rows
    y: Rows

    @property
    def rows(self) -> int:
        """The number of rows, N."""
        return _rows.count(self.x)


@dataclass(frozen=True)
class Split:
    """Rows to train on and rows to evaluate on; held_out says in words which rows the latter are."""

    train: Dataset
    held: Dataset
    held_out: str


HELD_SHARE = 0.2
"""Of data without a test part, how much is held out: one row in five, drawn by default_rng(0) whatever the seed of a run."""


def load(source: str | tuple[Any, Any]) -> Dataset:
    """Load `digits`, `photos`, `sequence`, `mnist`, `cifar10`, `FILE.npz`, `FILE.py:function`, or take a pair of arrays (x, y).

    Raises UsageError for a name that is none of these and DataError for data that cannot be used.
    """
    if not isinstance(source, str):
        return _checked("arrays", *_as_pair("arrays", source))
    if source in LOADERS:
        return _checked(source, *LOADERS[source]())
    path, _, function = source.rpartition(":") if ":" in source else (source, "", "")
    if path.endswith(".py"):
        return _checked(source, *_from_function(Path(path), function or "data"))
    if path.endswith(".npz"):
        return _checked(source, *_from_file(Path(source)))
    if Path(source).exists():
        raise UsageError(f"{source}: data is read from a FILE.npz, or made by a FILE.py:function.")
    raise UsageError(f"no data is called {source!r}. Known: {', '.join(LOADERS)}, a FILE.npz, or FILE.py:function.")


def load_split(source: str | tuple[Any, ...]) -> Split:
    """Load what `load` loads, with rows to evaluate on: its test part, or a share of the rows held out.

    A file, or a dict that a function returns, may hold x_test and y_test, or x_val and y_val; arrays may be given as
    (x, y, x_test, y_test). The nine rows of `sequence` are both, since its experiment scores what was trained on.
    """
    if isinstance(source, tuple | list) and len(source) == 4:
        train, held = load((source[0], source[1])), _checked("arrays", *_as_pair("arrays", source[2:]))
        return Split(train, held, "x_test and y_test")
    train = load(source)
    if source == "sequence":
        return Split(train, train, "the rows that it was trained on")
    test = load_test(source) if isinstance(source, str) else None
    return Split(train, test, "the test part") if test is not None else _held_out(train)


def load_test(source: str) -> Dataset | None:
    """The rows that data keeps for evaluation, its test part or else its validation part; None where it has none."""
    rows = _test_part(source)
    return None if rows is None else _checked(f"{source}: test part", *rows)


def _held_out(whole: Dataset) -> Split:
    count = max(1, round(whole.rows * HELD_SHARE))
    if whole.rows < 2:
        raise DataError(f"{whole.name}: has {whole.rows} row; one to train on and one to evaluate on are needed.")
    order = np.random.default_rng(0).permutation(whole.rows)
    train, held = (
        Dataset(whole.name, _rows.take(whole.x, np.sort(chosen)), _rows.take(whole.y, np.sort(chosen)))
        for chosen in (order[count:], order[:count])
    )
    return Split(train, held, f"{count:,} of {whole.rows:,} rows, which were held out")


def _digits() -> Arrays:
    """scikit-learn's handwritten digits: x float32 (1797, 64) in 0–1, y int64 (1797,)."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.data / 16.0).astype(np.float32), digits.target.astype(np.int64)


def _sequence() -> Arrays:
    """Nine rows of one column: x 0.0, 0.1 … 0.8 and y = x + 0.1, the number that comes next; float32 (9, 1)."""
    x = np.arange(9)[:, None] / 10
    return x.astype(np.float32), (x + 0.1).astype(np.float32)


def _mnist() -> Arrays:
    """MNIST: x uint8 (60000, 28, 28), y (60000,), from SAMESTEP_DATA or Keras's cache."""
    return _from_file(_found("mnist"))


def _cifar10() -> Arrays:
    """CIFAR-10: x uint8 (50000, 32, 32, 3), y (50000,), from SAMESTEP_DATA or Keras's cache."""
    path = _found("cifar10")
    return _from_file(path) if path.suffix == ".npz" else _cifar10_batches(path.parent, images.TRAINING)


def _cifar10_batches(folder: Path, names: tuple[str, ...]) -> Arrays:
    try:
        return images.cifar10_batches(folder, names)
    except (ValueError, OSError) as error:
        raise DataError(f"{folder}: cannot be read as CIFAR-10 ({error}). Let Keras fetch it anew.") from error


def _found(name: str) -> Path:
    """The first of its files in SAMESTEP_DATA or Keras's cache."""
    patterns = FILES[name]
    folders = [Path(os.environ["SAMESTEP_DATA"])] if "SAMESTEP_DATA" in os.environ else []
    folders.append(Path(os.environ.get("KERAS_HOME", Path.home() / ".keras")) / "datasets")
    for folder in folders:
        paths = (
            [folder] if folder.suffix == ".npz" else [p for pattern in patterns for p in sorted(folder.glob(pattern))]
        )
        for path in paths:
            if path.exists():
                return path
    looked = " and ".join(str(folder) for folder in folders)
    raise DataError(
        f"{patterns[0]} is not here: looked in {looked}.\n"
        "samestep downloads nothing. Fetch it once with\n"
        f'  python -c "import keras; keras.datasets.{name}.load_data()"\n'
        "or point to a copy: SAMESTEP_DATA=FOLDER, or --data FILE.npz. Offline, --data digits and --data photos need no file."
    )


FILES = {
    "mnist": ["mnist.npz"],
    "cifar10": ["cifar10.npz", "cifar10_jpeg.npz", "cifar-10-batches-py*/**/data_batch_1"],
}
"""Where data is looked for, in this order."""
LOADERS: dict[str, Callable[[], Arrays]] = {
    "digits": _digits,
    "photos": images.photos,
    "sequence": _sequence,
    "mnist": _mnist,
    "cifar10": _cifar10,
}


def _test_part(source: str) -> Arrays | None:
    if source in FILES:
        found = _found(source)
        return _test_of_file(found) if found.suffix == ".npz" else _cifar10_batches(found.parent, images.TEST)
    path, _, function = source.rpartition(":") if ":" in source else (source, "", "")
    if path.endswith(".py"):
        made = _called(Path(path), function or "data")
        return _named_test(source, made) if isinstance(made, dict) else None
    return _test_of_file(Path(source)) if source.endswith(".npz") else None


def _test_of_file(path: Path) -> Arrays | None:
    held = _arrays_of(path, lambda name: not name.endswith("_train"))
    return _unpacked(path, held, "test") if "jpg_test" in held else _named_test(path.name, held)


def _named_test(name: str, arrays: dict[str, Any]) -> Arrays | None:
    for suffix in ("_test", "_val"):
        x, y = (_several(letter, suffix, arrays) for letter in ("x", "y"))
        if x is not None and y is not None:
            return _as_pair(name, (x, y))
    return None


def _from_file(path: Path) -> Arrays:
    held = _arrays_of(path, lambda name: not name.endswith(("_test", "_val")))
    return _unpacked(path, held, "train") if "jpg_train" in held else _pick(path.name, held)


def _unpacked(path: Path, held: dict[str, Any], split: str) -> Arrays:
    with _readable(path):
        return images.packed_jpegs(held, split)


def _arrays_of(path: Path, wanted: Callable[[str], bool]) -> dict[str, Any]:
    """The arrays of an .npz file whose names are wanted."""
    _check_is_file(path)
    with _readable(path):
        if not zipfile.is_zipfile(path):
            raise ValueError("it is empty" if path.stat().st_size == 0 else "it is no zip archive")
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:  # np.load leaves a broken file open
            return {name: arrays[name] for name in arrays.files if wanted(name)}


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Whatever goes wrong in reading the file is told as one clear error."""
    try:
        yield
    except (
        ValueError,
        KeyError,
        OSError,
        EOFError,
        RuntimeError,
        MemoryError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise DataError(
            f"{path}: cannot be read as an .npz file of plain arrays ({error or type(error).__name__}).\n"
            "Write one with numpy.savez(FILE, x=…, y=…)."
        ) from error


def _from_function(path: Path, function: str) -> Arrays:
    """The training rows of what a user's function returns: (x, y) or {"x": …, "y": …}."""
    made, name = _called(path, function), f"{path}:{function}"
    return _pick(name, made) if isinstance(made, dict) else _as_pair(name, made)


def _called(path: Path, function: str) -> Any:
    """Run the user's file and call its function."""
    _check_is_file(path)
    name = f"{path}:{function}"
    try:
        module = run_file(str(path.resolve()), f"samestep_data_{path.stem}")
        if not hasattr(module, function):
            raise DataError(f"{path}: no function {function}(). The file defines: {functions_of(module)}.")
        return getattr(module, function)()
    except DataError:
        raise
    except (Exception, SystemExit) as error:
        raise DataError(f"{name} raised {described(error)}") from error


def _as_pair(name: str, made: Any) -> Arrays:
    if not isinstance(made, (tuple, list)) or len(made) != 2:
        raise DataError(f"{name} should return (x, y), it returned {type(made).__name__}.")
    return _as_arrays(f"{name}: x", made[0]), _as_arrays(f"{name}: y", made[1])


def _as_arrays(name: str, rows: Any) -> Rows:
    if isinstance(rows, dict):
        return {str(key): _as_array(f"{name}_{key}", value) for key, value in rows.items()}
    return _as_array(name, rows)


def _as_array(name: str, rows: Any) -> NDArray[Any]:
    try:
        return np.asarray(rows)
    except ValueError as error:
        raise DataError(f"{name} is no array: {error}") from error


def _check_is_file(path: Path) -> None:
    if path.is_dir():
        raise DataError(f"{path}: is a folder, a file is expected.")
    if not path.exists():
        raise DataError(f"{path}: there is no such file.")


def _pick(name: str, arrays: dict[str, Any]) -> Arrays:
    for suffix in ("_train", ""):
        x, y = (_several(letter, suffix, arrays) for letter in ("x", "y"))
        if x is not None and y is not None:
            return _as_pair(name, (x, y))
    held = ", ".join(sorted(arrays)) or "no arrays"
    raise DataError(
        f"{name}: should hold arrays x and y (or x_train and y_train; x_NAME, … for several inputs); it holds {held}."
    )


def _several(letter: str, suffix: str, arrays: dict[str, Any]) -> Any:
    """The array of this name; or those whose names begin with it, by the rest of their names; or None."""
    if letter + suffix in arrays:
        return arrays[letter + suffix]
    start = f"{letter}{suffix}_"
    return {name[len(start) :]: array for name, array in arrays.items() if name.startswith(start)} or None


def _checked(name: str, x: Rows, y: Rows) -> Dataset:
    entries = [*_rows.named("x", x).items(), *_rows.named("y", y).items()]
    first = entries[0][1] if entries else np.zeros(0)
    if first.ndim == 0 or any(array.size == 0 for label, array in entries if label.startswith("x")) or not first.size:
        raise DataError(f"{name}: x is empty, its shape is {first.shape}. At least one row is needed.")
    for label, array in entries:
        _check_array(name, label, array, len(first))
    return Dataset(name, x, y)


def _check_array(name: str, label: str, array: NDArray[Any], rows: int) -> None:
    if array.shape[:1] != (rows,):
        raise DataError(f"{name}: x has {rows} rows and {label} has shape {array.shape}. Both need one entry a row.")
    if array.dtype.kind not in "biuf":
        raise DataError(f"{name}: {label} has dtype {array.dtype}. Numbers are needed.")
    bad = ~np.isfinite(array) if array.dtype.kind == "f" else np.zeros(0, bool)
    if bad.any():
        place = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"{name}: {label} holds {int(bad.sum())} values that are NaN or infinite, the first at {label}{list(place)}.\n"
            "No two programs can be compared on them. Remove those rows, or fill them in the file or in prepare(x, y)."
        )
