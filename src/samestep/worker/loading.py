"""From the name of a program (a file or a built-in module) to the object its build function returns.

Runs inside the user's interpreter: Python 3.7, standard library and NumPy only.
"""

from __future__ import annotations

import importlib
import importlib.machinery
import importlib.util
import inspect
import os
import random
import sys
import traceback
from types import ModuleType, TracebackType
from typing import Any, Callable

import numpy as np

from samestep.errors import FrameworkMissing, ProgramError, SamestepError
from samestep.frameworks import FRAMEWORKS, _rows, adapter_for, compute_in, seed_frameworks

Array = Any
"""A NumPy array; numpy.typing is younger than some NumPy that this runs with."""
Rows = Any
"""An array of rows, or a dict {name: array} of several; see frameworks/_rows.py."""


def load(source: dict[str, Any], seed: int, x: Rows, y: Rows, double: bool = False) -> tuple[Any, Any, Rows, Rows]:
    """Run the program file, its prepare(x, y) and its build(); returns (adapter, program, x, y).

    double: whether it should compute in float64, as far as it leaves the precision to its framework and its parameters.
    """
    module, build = run_program(source, seed)
    x, y = prepared(module, source["label"], x, y)
    seed_all(seed)
    if double:
        compute_in("float64")
    with explained(source["label"], "{}()".format(source["function"])):
        built = call(build, seed, x)
        adapter = adapter_for(built)
        if double and hasattr(built, "widen"):
            built.widen()
        rows = fit_dtype(_rows.take(x, slice(2)), np.float64 if double else np.float32, True)
        return adapter, adapter.load(built, rows), x, y


def run_program(source: dict[str, Any], seed: int) -> tuple[ModuleType, Callable[..., Any]]:
    """Run the program's file or module; returns it and its build function."""
    _seed_generators(seed)
    module = _run(source)
    return module, _find(module, source)


def seed_all(seed: int) -> None:
    """Seed Python's and NumPy's generators, and those of the frameworks that the program has imported."""
    _seed_generators(seed)
    seed_frameworks(seed)


def seed_loaded(seed: int) -> None:
    """As seed_all does, but TensorFlow is not imported only to be seeded, as Keras's own way does whatever its backend is.

    For programs from which TensorFlow draws nothing.
    """
    keras = sys.modules.get("keras")
    if keras is None or "tensorflow" in sys.modules or keras.config.backend() != "jax":
        seed_all(seed)
        return
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    importlib.import_module("samestep.frameworks._vectorised_keras").seed_all(seed)


def call(build: Callable[..., Any], seed: int, x: Rows) -> Any:
    """What build returns, given those of seed and input_shape that it names; input_shape is the shape of one row of x."""
    return build(**wanted(build, seed=seed, input_shape=_rows.each(lambda array: tuple(array.shape[1:]), x)))


def fit_dtype(rows: Rows, dtype: Any, is_input: bool) -> Rows:
    """Floats in the parameters' precision; images of bytes as floats; labels and tokens as int64."""
    return _rows.each(lambda array: _fit_dtype(array, dtype, is_input), rows)


def _fit_dtype(array: Array, dtype: Any, is_input: bool) -> Array:
    if array.dtype.kind == "f" or (is_input and array.dtype == np.uint8):
        return array.astype(dtype, copy=False)
    return array.astype(np.int64) if array.dtype.kind in "biu" else array


class explained:
    """Turns whatever user code raises into a ProgramError that ends with the user's own lines."""

    def __init__(self, label: str, doing: str) -> None:
        self.label, self.doing = label, doing

    def __enter__(self) -> explained:
        return self

    def __exit__(self, kind: Any, error: BaseException | None, trace: TracebackType | None) -> None:
        if error is None:
            return
        if isinstance(error, SamestepError):
            if str(error).startswith(self.label + ":"):
                return
            raise type(error)("{}: {}".format(self.label, error)) from error
        if isinstance(error, ImportError) and missing_framework(error):
            raise FrameworkMissing(_missing_message(self.label, error)) from error
        message = "{}: {} raised {}".format(self.label, self.doing, described(error))
        raise ProgramError(message) from error


def described(error: BaseException) -> str:
    """The error's own words, then the lines of the user's files that led to it."""
    *place, last = traceback.format_exception_only(type(error), error)
    return "\n".join([last.strip(), *user_lines(error.__traceback__), *(line.rstrip() for line in place)])


def user_lines(trace: TracebackType | None) -> list[str]:
    """The user's own entries of a traceback, the last four, and the innermost one, which may be a library's."""
    frames = [frame for frame in traceback.extract_tb(trace) if not _is_ours(frame)]
    shown = [frame for frame in frames if not _is_library(frame)][-4:]
    shown += [frame for frame in frames[-1:] if frame not in shown]
    return "".join(traceback.format_list(shown)).splitlines()


def missing_framework(error: ImportError) -> Any:
    """The framework that a ModuleNotFoundError is about, or None."""
    root = (getattr(error, "name", None) or "").split(".")[0]
    # the first of each package
    packages = {framework.package: framework for framework in reversed(FRAMEWORKS) if framework.extra}
    return packages.get(root)


def _is_ours(frame: traceback.FrameSummary) -> bool:
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    folders = tuple(os.path.join(own, folder) + os.sep for folder in ("data", "frameworks", "worker"))
    return frame.filename.startswith(folders) or frame.filename.startswith("<frozen importlib")


def _is_library(frame: traceback.FrameSummary) -> bool:
    name = frame.filename
    return "-packages" + os.sep in name or name.startswith((os.path.dirname(os.__file__) + os.sep, "<"))


def _missing_message(label: str, error: ImportError) -> str:
    framework = missing_framework(error)
    modern = sys.version_info >= (3, 11)  # samestep itself can be installed there
    wanted = "'samestep[{}]'".format(framework.extra) if modern else framework.package
    return "{}: needs {}, which {} does not have.\nInstall it there: {} -m pip install {}".format(
        label, framework.package, sys.executable, sys.executable, wanted
    )


def _seed_generators(seed: int) -> None:
    random.seed(seed)
    np.random.seed(seed % 2**32)


def prepared(module: ModuleType, label: str, x: Rows, y: Rows) -> tuple[Rows, Rows]:
    """The rows as the program's prepare(x, y), if it has one, makes them.

    Raises ProgramError where nothing could train on those.
    """
    prepare = getattr(module, "prepare", None)
    if prepare is None:
        return x, y
    with explained(label, "prepare(x, y) on x {}".format(_rows.each(lambda a: "{} {}".format(a.shape, a.dtype), x))):
        made = prepare(x, y)
        if not isinstance(made, (tuple, list)) or len(made) != 2:
            raise ProgramError(
                "{}: prepare(x, y) should return (x, y), it returned {}.".format(label, type(made).__name__)
            )
        x, y = (_rows.each(np.asarray, part) for part in made)
    wrong = _unusable(x, y)
    if wrong:
        raise ProgramError("{}: what prepare(x, y) returned cannot be trained on: {}".format(label, wrong))
    return x, y


def _unusable(x: Rows, y: Rows) -> str:
    """Why no program can train on these rows, or nothing."""
    arrays = [(letter, array) for letter, rows in (("x", x), ("y", y)) for array in _rows.arrays(rows)]
    for letter, array in arrays:
        if letter == "x" and (array.ndim == 0 or array.size == 0):
            return "x is empty, its shape is {}.".format(array.shape)
        if array.shape[:1] != arrays[0][1].shape[:1]:
            return "x has {} rows and {} has shape {}. Both need one entry a row.".format(
                len(arrays[0][1]), letter, array.shape
            )
        if array.dtype.kind not in "biuf":
            return "{} has dtype {}. Numbers are needed.".format(letter, array.dtype)
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            return "{} holds NaN or infinite values.".format(letter)
    return ""


def _run(source: dict[str, Any]) -> ModuleType:
    with explained(source["label"], "loading it"):
        if source.get("module"):
            return importlib.import_module(source["module"])
        path = source["file"]
        sys.meta_path.insert(0, _FrameworksFirst(os.path.dirname(path)))
        sys.path.insert(0, os.path.dirname(path))
        sys.argv = [path]
        return run_file(path, "samestep_program_" + os.path.splitext(os.path.basename(path))[0])


def run_file(path: str, name: str) -> ModuleType:
    """Run a file of the user's as the module `name`, always from its source.

    Python's own cache of compiled files takes one for fresh that was edited within the second to the same length.
    """
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    exec(code, vars(module))
    return module


class _FrameworksFirst:
    """Lets a program file be called keras.py: a framework's name means the framework, not a file beside the program."""

    def __init__(self, folder: str) -> None:
        self.folder = folder
        self.names = {framework.package for framework in FRAMEWORKS}

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """The framework as it is found without the program's folder; None for any other module."""
        if name not in self.names:
            return None
        elsewhere = [entry for entry in sys.path if os.path.abspath(entry or ".") != self.folder]
        return importlib.machinery.PathFinder.find_spec(name, elsewhere)


def _find(module: ModuleType, source: dict[str, Any]) -> Any:
    build = getattr(module, source["function"], None)
    if callable(build):
        return build
    raise ProgramError(
        "{}: no function {}().\nsamestep calls it to get the program (a compiled Keras model or a Program). "
        "The file defines: {}. Add one, or name another: FILE.py:NAME".format(
            source["label"], source["function"], functions_of(module)
        )
    )


def functions_of(module: ModuleType) -> str:
    """The names of the functions that a module defines itself, for a message."""
    own = [n for n, value in vars(module).items() if inspect.isfunction(value) and value.__module__ == module.__name__]
    return ", ".join(sorted(own)) or "no functions"


def wanted(build: Callable[..., Any], **offered: Any) -> dict[str, Any]:
    """Those of the offered arguments that build names: it may take none, seed, input_shape or both."""
    try:
        names = inspect.signature(build).parameters
    except (TypeError, ValueError):
        return {}
    return {name: value for name, value in offered.items() if name in names}
