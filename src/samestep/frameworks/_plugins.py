"""Adapters of other packages, found by their entry points in the group ``samestep.frameworks``: NAME = MODULE.

One is asked about an object that is no Program, and that no adapter of samestep's own knows: where it defines
``adopts(built)`` and that says yes, it is the object's adapter. A Program needs no entry point, its class says where its
adapter is. Python 3.7 has no entry points that the standard library could read, and so no plugins.
"""

import importlib

from samestep.errors import ProgramError
from samestep.frameworks import FRAMEWORKS, lacking

GROUP = "samestep.frameworks"


def adopting(built):
    """(the plugins that adopt what a build function returned, a sentence for each plugin that could not be asked).

    Raises ProgramError where two plugins have one name: which of them is meant cannot be told.
    """
    adapters, problems = [], []
    for name, module in installed().items():
        try:
            adapter = importlib.import_module(module)
            if lacking(adapter):
                problems.append("The plugin {!r} is no adapter: {} lacks {}.".format(name, module, lacking(adapter)))
            elif hasattr(adapter, "adopts") and adapter.adopts(built):
                adapters.append(adapter)
        except (Exception, SystemExit) as error:  # a plugin may do anything; it must not hide what else there is
            words = "{}: {}".format(type(error).__name__, error)
            problems.append("The plugin {!r} could not be asked, {} raised {}".format(name, module, words))
    return adapters, problems


def installed():
    """{name: module} of the plugins that this interpreter has; raises ProgramError where two have one name."""
    known = {framework.name: "samestep.frameworks." + framework.module for framework in FRAMEWORKS}
    found = {}
    for name, module in sorted({(point.name, point.value) for point in _entry_points()}):
        other = known.get(name) or found.get(name)
        if other:
            raise ProgramError(
                "two adapters are called {!r}: {} and {}.\nUninstall the package of one of them, or have it renamed: its "
                "entry point in the group {}.".format(name, other, module, GROUP)
            )
        found[name] = module
    return found


def _entry_points():
    try:
        import importlib.metadata as metadata
    except ImportError:  # Python 3.7
        return ()
    found = metadata.entry_points()
    return found.select(group=GROUP) if hasattr(found, "select") else found.get(GROUP, ())
