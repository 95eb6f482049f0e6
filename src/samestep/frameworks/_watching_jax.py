"""What JAX has that may differ from run to run: only the numbers that its keys are made of."""

from __future__ import annotations

import functools
from typing import Any, Callable, List


def hook(random: Any, tape: Any) -> List[Any]:
    """Note them."""
    for name in ("key", "PRNGKey"):
        if hasattr(random, name):
            setattr(random, name, _keyed(tape, "jax.random." + name, getattr(random, name)))
    return []


def _keyed(tape: Any, source: str, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def key(seed: Any, **named: Any) -> Any:
        return original(tape.take(source, lambda: seed, kind="seed") if isinstance(seed, int) else seed, **named)

    return key
