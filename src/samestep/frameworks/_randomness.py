"""One stream of random numbers for every framework: the n-th draw of a step is the same on both sides of a match."""

from __future__ import annotations

from typing import Any


def begin(step: Any) -> None:
    """A forward pass in training mode begins after `step` updates: its next random draw is its first."""
