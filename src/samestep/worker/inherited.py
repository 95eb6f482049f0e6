"""The environment that a process started from here finds: this one's, without what frameworks wrote into it."""

from __future__ import annotations

import os
import sys


def environment() -> dict[str, str]:
    """This process's variables, as they are without the frameworks that were imported here.

    TensorFlow 2 sets TF2_BEHAVIOR when it is imported; a child with TensorFlow 1 would then run eagerly.
    """
    inherited = dict(os.environ)
    if "tensorflow" in sys.modules:
        inherited.pop("TF2_BEHAVIOR", None)
    return inherited
