"""Rows of data: an array, or a dict {name: array} of several inputs or targets; and metrics of rows. NumPy only."""

from __future__ import annotations

from typing import Any, Callable, Dict, List

Rows = Any
"""An array of shape (N, …), or a dict {name: array} of such."""


def count(rows: Rows) -> int:
    """The number of rows, N."""
    return len(next(iter(rows.values()))) if isinstance(rows, dict) else len(rows)


def take(rows: Rows, where: Any) -> Rows:
    """Those of the rows that `where` picks: a slice, indices or a mask."""
    return each(lambda array: array[where], rows)


def each(function: Callable[[Any], Any], rows: Rows) -> Rows:
    """The function's value for the array, or for each array of the dict."""
    return {name: function(array) for name, array in rows.items()} if isinstance(rows, dict) else function(rows)


def with_validation(trained: Dict[str, float], held: Dict[str, float]) -> Dict[str, float]:
    """{metric: value} of a training, and of held rows with val_ before their names."""
    return dict(trained, **{"val_" + name: value for name, value in held.items()})


def arrays(rows: Rows) -> List[Any]:
    """The arrays of the rows, in order."""
    return list(rows.values()) if isinstance(rows, dict) else [rows]


def named(letter: str, rows: Rows) -> Dict[str, Any]:
    """The arrays by the names that they have in a data file: x, or x_NAME for each of several."""
    if not isinstance(rows, dict):
        return {letter: rows}
    return {"{}_{}".format(letter, name): array for name, array in rows.items()}
