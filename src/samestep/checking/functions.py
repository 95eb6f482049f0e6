"""A script that calls a function, so that a function is checked as a script is."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from samestep.errors import UsageError

CALL = """import hashlib, importlib.util, os, sys
sys.path.insert(0, os.path.dirname({path!r}))
spec = importlib.util.spec_from_file_location({module!r}, {path!r})
module = importlib.util.module_from_spec(spec)
sys.modules[{module!r}] = module
spec.loader.exec_module(module)


def told(value):
    if isinstance(value, dict):
        return "{{" + ", ".join(repr(key) + ": " + told(value[key]) for key in value) + "}}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(told(item) for item in value) + "]"
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if hasattr(value, "__array__"):
        import numpy
        array = numpy.asarray(value)
        return "array {{}} {{}}".format(array.dtype, hashlib.sha256(numpy.ascontiguousarray(array)).hexdigest())
    return repr(value)


print("result", told(module.{name}()))
"""


def script_for(function: Callable[[], Any], folder: Path) -> Path:
    """Write a script that calls the function in its own module and prints what it returns.

    Raises UsageError for what another process cannot find: a lambda, a method, a function within a function, of a notebook.
    """
    name, path = getattr(function, "__qualname__", ""), inspect.getsourcefile(function) if callable(function) else None
    if not name.isidentifier() or path is None or not Path(path).is_file():
        raise UsageError(
            f"check runs a function in processes of its own, where {name or function!r} cannot be found. "
            "Give it a function that is defined at the top of a file, or the path of a script."
        )
    script = folder / f"call_{name}.py"
    module = Path(path).stem
    script.write_text(CALL.format(path=str(Path(path).resolve()), module=module, name=name))
    return script
