"""What scikit-learn has that may differ from run to run: random_state=None, which is NumPy's global generator."""

from __future__ import annotations

import functools
from typing import Any, List

from samestep.watching import places

NONE = "scikit-learn random_state=None"


def hook(validation: Any, tape: Any) -> List[Any]:
    """Note the user's lines that lead to a draw from it."""
    original = validation.check_random_state

    @functools.wraps(original)
    def check_random_state(seed: Any) -> Any:
        if seed is None:
            tape.seen(NONE, "numpy.random", places.place(places.caller()), kind="unseeded use")
        return original(seed)

    validation.check_random_state = check_random_state
    return []
