"""Python imports this when it starts in a process that a watched script has started: it is watched then as well."""

import importlib.machinery
import importlib.util
import json
import os
import sys
from typing import Any, Tuple


def _own() -> Tuple[Any, str]:
    """Take the next free number of a child, by making a file that nobody has made."""
    with open(os.environ["SAMESTEP_WATCH"], encoding="utf-8") as file:
        options = json.load(file)
    number = 0
    while True:
        try:
            os.close(os.open(os.path.join(options["folder"], "child-{}".format(number)), os.O_CREAT | os.O_EXCL))
            return options, "c{}".format(number)
        except FileExistsError:
            number += 1


def _watch() -> None:
    import atexit

    package = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    spec = importlib.util.spec_from_file_location(
        "samestep", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["samestep"] = module
    spec.loader.exec_module(module)
    from samestep.watching import places
    from samestep.watching.install import watch
    from samestep.watching.tape import Tape

    options, label = _own()
    places.HOME[:] = options["home"]
    atexit.register(watch(Tape(options["folder"], options["played"], options["switches"], label), options["edits"]))


def _next() -> None:
    """Run the sitecustomize that would have been found without this one."""
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)


if "SAMESTEP_WATCH" in os.environ:
    try:
        _watch()
    except Exception as error:  # the process is to run nevertheless
        sys.stderr.write("samestep: a process that the script started cannot be watched: {!r}\n".format(error))
_next()
