"""Nested Python state, such as a scheduler's attributes, as a flat dict of arrays, and put back from one."""

from __future__ import annotations

from typing import Any, Dict, Iterator, Tuple

import numpy as np
import torch

Arrays = Dict[str, np.ndarray]
NUMBERS = {"bool": bool, "int": int, "float": float}


def flat(value: Any, path: str) -> Arrays:
    """Arrays by path and kind: numbers, None and tensors in dicts, lists, tuples and schedulers; all else is passed over."""
    return {"{}:{}".format(where, kind): array for where, kind, array in _leaves(value, path)}


def put_back(value: Any, path: str, arrays: Arrays) -> Any:
    """The value with what `flat` saw of it put back; lists, dicts and schedulers are changed in place.

    arrays may hold others too, under other paths.
    """
    kinds = dict(key.rsplit(":", 1) for key in arrays if key.startswith(path) and ":" in key)
    return _built(value, path, kinds, arrays)


def tensor_array(tensor: Any) -> np.ndarray:
    """A copy of a tensor as an array; half precision that NumPy lacks as float32."""
    tensor = tensor.detach()
    tensor = tensor.to_dense() if tensor.layout != torch.strided else tensor
    tensor = tensor.float() if tensor.dtype == torch.bfloat16 else tensor
    return np.array(tensor.cpu().numpy())


def as_array(value: Any) -> np.ndarray:
    """A tensor or a number as an array of its own."""
    return tensor_array(value) if torch.is_tensor(value) else np.array(value)


def numbers_of(holder: Any) -> Dict[str, Any]:
    """The public attributes of an object that are numbers: it may count by them."""
    return {n: v for n, v in vars(holder).items() if type(v).__name__ in NUMBERS and n != "training" and n[0] != "_"}


def is_scheduler(value: Any) -> bool:
    """Whether this is a learning-rate scheduler: it steps, and it has an optimizer."""
    return hasattr(value, "step") and hasattr(value, "optimizer")


def _leaves(value: Any, path: str) -> Iterator[Tuple[str, str, np.ndarray]]:
    if value is None:
        yield path, "none", np.zeros(0)
    elif type(value).__name__ in NUMBERS:
        yield path, type(value).__name__, np.array(value)
    elif torch.is_tensor(value):
        yield path, "tensor", tensor_array(value)
    elif isinstance(value, (list, tuple)):
        yield path, "list" if isinstance(value, list) else "tuple", np.array(len(value))
        for number, item in enumerate(value):
            yield from _leaves(item, "{}.{}".format(path, number))
    elif isinstance(value, dict) or is_scheduler(value):
        yield path, "dict", np.array(len(_entries(value)))
        for name, item in _entries(value).items():
            yield from _leaves(item, "{}.{}".format(path, name))


def _entries(value: Any) -> Dict[Any, Any]:
    entries = value if isinstance(value, dict) else vars(value)
    return {name: item for name, item in entries.items() if name not in ("optimizer", "params")}


def _built(old: Any, path: str, kinds: Dict[str, str], arrays: Arrays) -> Any:
    if path not in kinds:
        return old
    kind = kinds[path]
    array = arrays["{}:{}".format(path, kind)]
    if kind == "none":
        return None
    if kind in NUMBERS:
        return NUMBERS[kind](array)
    if kind == "tensor":
        like = old if torch.is_tensor(old) else None
        return torch.tensor(array, dtype=getattr(like, "dtype", None), device=getattr(like, "device", None))
    if kind == "dict":
        return _built_entries(old, path, kinds, arrays)
    return _built_items(old, path, kind, int(array), kinds, arrays)


def _built_entries(old: Any, path: str, kinds: Dict[str, str], arrays: Arrays) -> Any:
    entries = old if isinstance(old, dict) else vars(old)
    for name, item in _entries(old).items():
        entries[name] = _built(item, "{}.{}".format(path, name), kinds, arrays)
    return old


def _built_items(old: Any, path: str, kind: str, size: int, kinds: Dict[str, str], arrays: Arrays) -> Any:
    before = list(old) if isinstance(old, (list, tuple)) else []
    before += [None] * (size - len(before))
    items = [_built(before[i], "{}.{}".format(path, i), kinds, arrays) for i in range(size)]
    if kind == "tuple":
        return tuple(items)
    if isinstance(old, list):
        old[:] = items
        return old
    return items
