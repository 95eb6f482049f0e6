"""The numeric settings of PyTorch's optimizers, under the names that Keras has for them where it has the same."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch

NAMES = {
    "lr": ("learning_rate",),
    "betas": ("beta_1", "beta_2"),
    "eps": ("epsilon",),
    "etas": ("eta_minus", "eta_plus"),
    "step_sizes": ("step_size_min", "step_size_max"),
}
"""Settings under the names that Keras has for them; a tuple's elements each."""
OTHERS = ("initial_accumulator_value", "max_iter", "max_eval", "history_size", "ns_steps")
"""Numbers that an update does not compute with."""


def settings(optimizer: Any, group: Dict[str, Any]) -> Dict[str, Tuple[str, Optional[int]]]:
    """{name: (key of the group, place in its tuple or None)} of a group's numeric settings."""
    found: Dict[str, Tuple[str, Optional[int]]] = {}
    for key in (key for key in optimizer.defaults if key not in OTHERS):
        value: Any = group.get(key)
        places: List[Optional[int]] = list(range(len(value))) if isinstance(value, tuple) else [None]
        for name, place in zip(_names(optimizer, key, len(places)), places):
            if _is_number(value if place is None else value[place]):
                found[name] = (key, place)
    return found


def _names(optimizer: Any, key: str, count: int) -> List[str]:
    if key == "alpha" and isinstance(optimizer, torch.optim.RMSprop):
        return ["rho"]
    names = list(NAMES.get(key, (key,)))
    return names if len(names) == count else ["{}_{}".format(names[0], i + 1) for i in range(count)]


def setting(group: Dict[str, Any], where: Tuple[str, Optional[int]]) -> float:
    """The value of a group's setting."""
    value = group[where[0]]
    return float(value if where[1] is None else value[where[1]])


def set_setting(group: Dict[str, Any], where: Tuple[str, Optional[int]], value: float) -> None:
    """Give a group's setting another value; one that has it is left as it is."""
    key, place = where
    if setting(group, where) == value:
        return
    if torch.is_tensor(group[key]):
        group[key].fill_(value)
    elif place is None:
        group[key] = value
    else:
        group[key] = (*group[key][:place], value, *group[key][place + 1 :])


def _is_number(value: Any) -> bool:
    if torch.is_tensor(value):
        return bool(value.numel() == 1)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


class Ratios:
    """Writes settings in several parameter groups: in the first as given, in the others by the same ratio."""

    def __init__(self, groups: Sequence[Dict[str, Any]]) -> None:
        self.groups = groups
        self.known: Dict[str, Tuple[List[float], List[float]]] = {}  # name: (untouched values, those written last)

    def write(self, name: str, where: Tuple[str, Optional[int]], value: float) -> None:
        """Ratios are to the values that were there before anything was written, so that these can be restored exactly."""
        groups = [group for group in self.groups if where[0] in group]
        now = [setting(group, where) for group in groups]
        base, written = self.known.get(name, (now, now))
        base = base if now == written else now
        for group, before in zip(groups, base):
            set_setting(group, where, _in_ratio(before, base[0], value))
        self.known[name] = (base, [setting(group, where) for group in groups])


def _in_ratio(before: float, first: float, value: float) -> float:
    if before == first:
        return value
    return before * (value / first) if first and value != first else before
