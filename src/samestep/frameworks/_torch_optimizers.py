"""What PyTorch's optimizers hold: slots, counts that follow from the number of updates, and settings.

An optimizer makes its state for a parameter at that parameter's first update, and some do otherwise in that update than in
later ones (SGD's momentum starts as the gradient itself, whatever the dampening: torch/optim/sgd.py). So before it, slots are
shown as the optimizer would make them, and writing them so leaves them to be made by the optimizer.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict, namedtuple
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple

import numpy as np
import torch

from samestep.frameworks._roles import role_of, slot_key
from samestep.frameworks._torch_trees import flat, put_back, tensor_array

Arrays = Dict[str, np.ndarray]
Start = namedtuple("Start", "shape dtype fill")
"""A slot before the first update: an array of this shape and dtype, each element of which is fill."""
COUNTS = ("step", "mu_product", "eta", "mu")
"""Entries of an optimizer's state that follow from the number of updates."""
STARTS: Dict[Tuple[str, str], Callable[[Dict[str, Any]], float]] = {
    ("Adagrad", "sum"): lambda group: group["initial_accumulator_value"],
    ("Rprop", "step_size"): lambda group: float(group["lr"]),
}
"""Slots that do not start from zero, by (class, entry): torch/optim/*.py, _init_group."""


class Slots:
    """The state that one optimizer holds for its parameters, {name: parameter} of those that it trains."""

    def __init__(self, optimizer: Any, parameters: Dict[str, Any]) -> None:
        names = {id(parameter): name for name, parameter in parameters.items()}
        self.optimizer = optimizer
        self.parameters: Dict[str, Any] = {}
        self.groups: Dict[str, Dict[str, Any]] = {}
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                if id(parameter) in names:
                    self.parameters[names[id(parameter)]] = parameter
                    self.groups[names[id(parameter)]] = group
        self.made_at_once = {name for name in self.parameters if self._state(name)}  # as by Adagrad
        self.first = {name: self._first_state(name) for name in self.parameters}
        self.starts = {name: self._starts(name) for name in self.parameters}

    def entries(self) -> List[Dict[str, Any]]:
        """Name, shape and dtype of each slot."""
        return [
            {"name": self._key(slot, name), "shape": list(start.shape), "dtype": str(start.dtype)}
            for name, starts in self.starts.items()
            for slot, start in starts.items()
        ]

    def read(self) -> Arrays:
        """All slots; those that are not made yet as the optimizer will make them."""
        found = {}
        for name, starts in self.starts.items():
            state = self._state(name)
            for slot, start in starts.items():
                held = state.get(slot)
                array = np.full(start.shape, start.fill, start.dtype) if held is None else tensor_array(held)
                found[self._key(slot, name)] = array
        return found

    def write(self, slots: Arrays, step: int, with_rest: bool) -> None:
        """Write slots; those of a parameter that no update has reached are left to the optimizer if they are as it makes them.

        with_rest: `write_rest` has just told which parameters those are; else no update has been done at step 0.
        """
        for name, starts in self.starts.items():
            given = {slot: slots[self._key(slot, name)] for slot in starts if self._key(slot, name) in slots}
            unreached = not self._state(name) if with_rest else step == 0 and name not in self.made_at_once
            if unreached and all(np.all(array == starts[slot].fill) for slot, array in given.items()):
                self.optimizer.state.pop(self.parameters[name], None)
            elif given:
                state = self._made(name, step)
                for slot, array in given.items():
                    fill(state[slot], array)

    def read_rest(self, path: str) -> Arrays:
        """What the state holds beside slots, and for which parameters there is any."""
        found = {}
        for name in self.parameters:
            rest = {key: value for key, value in self._state(name).items() if key not in self.starts[name]}
            if self._state(name):
                found.update(flat(rest, "{}.{}".format(path, name)))
        return found

    def write_rest(self, path: str, arrays: Arrays) -> None:
        """Put back what `read_rest` saw."""
        for name, parameter in self.parameters.items():
            where = "{}.{}".format(path, name)
            if where + ":dict" not in arrays:
                self.optimizer.state.pop(parameter, None)
                continue
            state = self._made(name, 0)
            names = _names_below(where, arrays)
            state.update({key: state.get(key) for key in names})
            put_back(state, where, arrays)

    def follow(self, step: int) -> None:
        """Set what follows from the number of updates alone."""
        for name in self.parameters:
            self._follow(name, self._state(name), step)

    def updates(self) -> int:
        """The number of updates that its state tells of; 0 where it tells nothing."""
        counts = [self._state(name).get("step", 0) for name in self.parameters]
        return max((int(count) for count in counts), default=0)

    def _key(self, slot: str, name: str) -> str:
        return slot_key(role_of(self.optimizer, slot), name)

    def _state(self, name: str) -> Dict[str, Any]:
        state: Dict[str, Any] = self.optimizer.state.get(self.parameters[name], {})
        return state

    def _made(self, name: str, step: int) -> Dict[str, Any]:
        """The state for a parameter, made as before its first update where there is none."""
        parameter = self.parameters[name]
        state: Dict[str, Any] = self.optimizer.state[parameter]
        if not state:
            state.update(
                {key: value.clone() if torch.is_tensor(value) else value for key, value in self.first[name].items()}
            )
            self._follow(name, state, step)
        for slot, start in self.starts[name].items():
            if state.get(slot) is None:
                same = tuple(start.shape) == tuple(parameter.shape)
                dtype = getattr(torch, str(start.dtype))
                state[slot] = (
                    torch.full_like(parameter, start.fill, dtype=dtype, requires_grad=False)
                    if same
                    else torch.full(start.shape, start.fill, dtype=dtype, device=parameter.device)
                )
        return state

    def _follow(self, name: str, state: Dict[str, Any], step: int) -> None:
        for key in (key for key in COUNTS if key in state):
            old, value = state[key], _count_after(key, step, self.groups[name], state[key])
            state[key] = old.new_full((), value) if torch.is_tensor(old) else type(old)(value)

    def _starts(self, name: str) -> Dict[str, Start]:
        """The slots among the entries that the first update made, which are dropped to spare their memory."""
        starts = {}
        for key, value in list(self.first[name].items()):
            if torch.is_tensor(value) and key not in COUNTS and value.is_floating_point():
                dtype = np.dtype(str(value.dtype).split(".")[1])
                starts[key] = Start(tuple(value.shape), dtype, self._first_value(key, self.groups[name]))
                del self.first[name][key]
        return starts

    def _first_value(self, key: str, group: Dict[str, Any]) -> float:
        kinds = [cls.__name__ for cls in type(self.optimizer).__mro__]
        return next((STARTS[kind, key](group) for kind in kinds if (kind, key) in STARTS), 0.0)

    def _first_state(self, name: str) -> Dict[str, Any]:
        """What the optimizer makes for a parameter at its first update: seen on a stand-in of zeros with a gradient of zeros."""
        stand_in = torch.nn.Parameter(torch.zeros_like(self.parameters[name]))
        twin = object.__new__(type(self.optimizer))
        vars(twin).update({key: value for key, value in vars(self.optimizer).items() if key != "step"})
        twin.state, twin.param_groups = defaultdict(dict), [dict(self.groups[name], params=[stand_in])]
        twin._optimizer_step_pre_hooks = twin._optimizer_step_post_hooks = OrderedDict()
        for gradient in (torch.zeros_like(stand_in), torch.zeros_like(stand_in).to_sparse()):
            stand_in.grad = gradient
            try:
                twin.step()
            except Exception:  # one that needs a closure or another form of gradient shows no slots
                continue
            return {key: value for key, value in twin.state.get(stand_in, {}).items() if value is not None}
        return {}


def fill(tensor: Any, array: np.ndarray) -> None:
    """Write an array into a tensor, which stays the same object."""
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.array(array)))


def _names_below(where: str, arrays: Arrays) -> List[str]:
    below = [key[len(where) + 1 :].rsplit(":", 1)[0] for key in arrays if key.startswith(where + ".")]
    return [name for name in below if "." not in name]


def _count_after(key: str, step: int, group: Dict[str, Any], old: Any) -> float:
    """The value of a count after this many updates, in the order of operations of torch/optim/{nadam,asgd}.py."""
    if key == "step":
        return step
    if key == "mu_product":
        beta, decay = group["betas"][0], group["momentum_decay"]
        factors = [beta * (1.0 - 0.5 * (0.96 ** (t * decay))) for t in range(1, step + 1)]
        dtype = str(old.dtype).split(".")[1] if torch.is_tensor(old) else "float64"
        return float(np.cumprod(np.array([1.0, *factors], dtype))[-1])
    if key == "eta":
        rate = float(group["lr"])
        return rate / float((1 + group["lambd"] * rate * step) ** group["alpha"]) if step else rate
    return 1 / max(1.0, step - float(group["t0"]))


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
