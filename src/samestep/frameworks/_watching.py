"""Hooks what the frameworks that a script imports have of sources that may differ from run to run. Imports none itself."""

from __future__ import annotations

import functools
import importlib
from typing import Any, List

from samestep.recording.imports import when_imported

HOOKS = {
    "tensorflow": "_watching_tensorflow",
    "torch": "_watching_torch",
    "sklearn.utils.validation": "_watching_sklearn",
    "jax.random": "_watching_jax",
}
"""The module whose import is awaited, and the file here that hooks it."""


def hook(tape: Any) -> List[Any]:
    """Watch those imported already and those still to come; a list that their shared generators are added to."""
    shared: List[Any] = []

    def install(file: str, module: Any) -> None:
        try:
            shared.extend(importlib.import_module("samestep.frameworks." + file).hook(module, tape))
        except Exception as error:  # a version that is made otherwise: the script is to run nevertheless
            tape.note("unwatched", module.__name__, "{}: {}".format(type(error).__name__, error))

    when_imported({name: functools.partial(install, file) for name, file in HOOKS.items()})
    return shared
