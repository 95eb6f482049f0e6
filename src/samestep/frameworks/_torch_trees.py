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


def put_back(value: Any, path: str, arrays: Arrays, device: Any = None) -> Any:
    """The value with what `flat` saw of it put back; lists, dicts and schedulers are changed in place.

    arrays may hold others too, under other paths. device: of tensors that there are none of now.
    """
    kinds = dict(key.rsplit(":", 1) for key in arrays if key.startswith(path) and ":" in key)
    return _Builder(kinds, arrays, device).built(value, path)


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


class _Builder:
    """Builds a value from its old one and arrays; kinds: {path: kind}."""

    def __init__(self, kinds: Dict[str, str], arrays: Arrays, device: Any) -> None:
        self.kinds, self.arrays, self.device = kinds, arrays, device

    def built(self, old: Any, path: str) -> Any:
        if path not in self.kinds:
            return old
        kind = self.kinds[path]
        array = self.arrays["{}:{}".format(path, kind)]
        if kind == "none":
            return None
        if kind in NUMBERS:
            return NUMBERS[kind](array)
        if kind == "tensor":
            return _tensor(array, old, self.device)
        return self._entries(old, path) if kind == "dict" else self._items(old, path, kind, int(array))

    def _entries(self, old: Any, path: str) -> Any:
        entries = old if isinstance(old, dict) else vars(old)
        for name, item in _entries(old).items():
            entries[name] = self.built(item, "{}.{}".format(path, name))
        return old

    def _items(self, old: Any, path: str, kind: str, size: int) -> Any:
        before = list(old) if isinstance(old, (list, tuple)) else []
        before += [None] * (size - len(before))
        items = [self.built(before[i], "{}.{}".format(path, i)) for i in range(size)]
        if kind == "list" and isinstance(old, list):
            old[:] = items
            return old
        return items if kind == "list" else tuple(items)


def _tensor(array: np.ndarray, old: Any, device: Any) -> Any:
    if torch.is_tensor(old):
        return torch.tensor(array, dtype=old.dtype, device=old.device)
    return torch.tensor(array, device=device)
