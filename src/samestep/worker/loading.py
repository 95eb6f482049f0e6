"""From the name of a program (a file or a built-in module) to the object its build function returns.

Runs inside the user's interpreter: Python 3.7, standard library and NumPy only.
"""

import importlib
import importlib.util
import inspect
import os
import random
import sys
import traceback

import numpy as np

from samestep.errors import FrameworkMissing, ProgramError
from samestep.frameworks import FRAMEWORKS, adapter_for, seed_frameworks


def load(source, seed, x, y):
    """Run the program file, its prepare(x, y) and its build(); returns (adapter, program, x, y)."""
    _seed_generators(seed)
    module = _run_file(source)
    build = _find(module, source)
    x, y = _prepared(module, source["label"], x, y)
    _seed_generators(seed)
    seed_frameworks(seed)
    with explained(source["label"], "{}()".format(source["function"])):
        built = build(**_wanted(build, seed=seed, input_shape=tuple(x.shape[1:])))
        adapter = adapter_for(built)
        return adapter, adapter.load(built, fit_dtype(x[:2], np.float32, True)), x, y


def fit_dtype(array, dtype, is_input):
    """Floats in the parameters' precision; images of bytes as floats; labels and tokens as int64."""
    if array.dtype.kind == "f" or (is_input and array.dtype == np.uint8):
        return array.astype(dtype, copy=False)
    return array.astype(np.int64) if array.dtype.kind in "biu" else array


def _seed_generators(seed):
    random.seed(seed)
    np.random.seed(seed % 2**32)


def _prepared(module, label, x, y):
    prepare = getattr(module, "prepare", None)
    if prepare is not None:
        with explained(label, "prepare(x, y) on x {} {}".format(x.shape, x.dtype)):
            x, y = prepare(x, y)
    return np.asarray(x), np.asarray(y)


class explained:
    """Turns whatever user code raises into a ProgramError that ends with the user's own lines."""

    def __init__(self, label, doing):
        self.label, self.doing = label, doing

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error is None or isinstance(error, ProgramError):
            return False
        if isinstance(error, ImportError) and missing_framework(error):
            raise FrameworkMissing(_missing_message(self.label, error)) from error
        last = traceback.format_exception_only(kind, error)[-1].strip()
        raise ProgramError("{}: {} raised {}\n{}".format(self.label, self.doing, last, _user_frames(trace))) from error


def missing_framework(error):
    """The framework that a ModuleNotFoundError is about, or None."""
    root = (getattr(error, "name", None) or "").split(".")[0]
    packages = {framework.package: framework for framework in FRAMEWORKS}
    return packages.get(root)


def _missing_message(label, error):
    framework = missing_framework(error)
    return "{}: needs {}, which {} does not have.\nInstall it there: pip install 'samestep[{}]'".format(
        label, framework.package, sys.executable, framework.extra
    )


def _user_frames(trace):
    """The traceback below samestep's own frames, at most the last six entries."""
    own = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    inner = [os.path.join(own, folder) for folder in ("worker", "frameworks")]
    frames = traceback.extract_tb(trace)
    kept = [f for f in frames if not f.filename.startswith(tuple(inner)) and "importlib" not in f.filename]
    return "".join(traceback.format_list((kept or frames)[-6:])).rstrip()


def _run_file(source):
    with explained(source["label"], "loading it"):
        if source.get("module"):
            return importlib.import_module(source["module"])
        path = source["file"]
        sys.path.insert(0, os.path.dirname(os.path.abspath(path)))
        sys.argv = [path]
        name = "samestep_program_" + os.path.splitext(os.path.basename(path))[0]
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        return module


def _find(module, source):
    build = getattr(module, source["function"], None)
    if callable(build):
        return build
    own = sorted(
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value) and value.__module__ == module.__name__
    )
    raise ProgramError(
        "{}: no function {}().\nsamestep calls it to get the program (a compiled Keras model or a Program). "
        "The file defines: {}. Add one, or name another: FILE.py:NAME".format(
            source["label"], source["function"], ", ".join(own) or "no functions"
        )
    )


def _wanted(build, **offered):
    """Those of the offered arguments that build names: it may take none, seed, input_shape or both."""
    try:
        names = inspect.signature(build).parameters
    except (TypeError, ValueError):
        return {}
    return {name: value for name, value in offered.items() if name in names}
