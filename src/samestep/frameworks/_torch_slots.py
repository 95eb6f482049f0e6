"""The state of PyTorch's optimizers: slots, and counts that follow from the number of updates.

An optimizer makes its state for a parameter at that parameter's first update, and some do otherwise in that update than in
later ones (SGD's momentum starts as the gradient itself, whatever the dampening: torch/optim/sgd.py). So before it, slots are
shown as the optimizer would make them, and writing them so leaves them to be made by the optimizer.
"""

from __future__ import annotations

import copy
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import torch

from samestep.frameworks._roles import role_of, slot_key
from samestep.frameworks._torch_trees import flat, numbers_of, put_back, tensor_array

Arrays = Dict[str, np.ndarray]
Start = namedtuple("Start", "shape dtype fill")
"""A slot before the first update: an array of this shape and dtype, each element of which is fill."""
COUNTS = ("step", "mu_product", "eta", "mu")
"""Entries of an optimizer's state that follow from the number of updates; others are known by being 1 and 2 after so many."""
OWN = "the optimizer's own "
"""What stands before the name of a count that is an attribute of the optimizer."""
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
        self.first: Dict[str, Dict[str, Any]] = {}
        self.counts: Dict[str, List[str]] = {}
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
        """What the state holds beside slots, and for which parameters there is any; and counts of the optimizer's own."""
        found = {}
        for name in self.parameters:
            rest = {key: value for key, value in self._state(name).items() if key not in self.starts[name]}
            if self._state(name):
                found.update(flat(rest, "{}.{}".format(path, name)))
        return dict(found, **flat(numbers_of(self.optimizer), path + ".attributes"))

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
            put_back(state, where, arrays, parameter.device)
        vars(self.optimizer).update(put_back(numbers_of(self.optimizer), path + ".attributes", arrays))

    def follow(self, step: int) -> None:
        """Set what follows from the number of updates alone."""
        for name in self.parameters:
            self._follow(name, self._state(name), step)
            for key in (key[len(OWN) :] for key in self.counts[name] if key.startswith(OWN)):
                setattr(self.optimizer, key, step)

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
        for key in (key for key in self.counts[name] if key in state):
            old, value = state[key], _count_after(key, step, self.groups[name], state[key])
            state[key] = old.new_full((), value) if torch.is_tensor(old) else type(old)(value)

    def _starts(self, name: str) -> Dict[str, Start]:
        """The slots among the entries that the first updates make; the others are kept, and which of them count updates."""
        first, second = self._first_states(name)
        numbers = {key: (first[key], second[key]) for key in first if _is_count(first[key]) and key in second}
        self.counts[name] = [key for key, (one, two) in numbers.items() if key in COUNTS or (one, two) == (1, 2)]
        is_slot = {key: torch.is_tensor(v) and v.is_floating_point() for key, v in first.items()}
        slots = [key for key in first if is_slot[key] and key not in self.counts[name]]
        self.first[name] = {key: value for key, value in first.items() if key not in slots and not key.startswith(OWN)}
        return {
            key: Start(tuple(v.shape), np.dtype(str(v.dtype).split(".")[1]), self._first_value(key, self.groups[name]))
            for key, v in ((key, first[key]) for key in slots)
        }

    def _first_value(self, key: str, group: Dict[str, Any]) -> float:
        kinds = [cls.__name__ for cls in type(self.optimizer).__mro__]
        return next((STARTS[kind, key](group) for kind in kinds if (kind, key) in STARTS), 0.0)

    def _first_states(self, name: str) -> List[Dict[str, Any]]:
        """What the optimizer makes for a parameter in its first two updates: seen on a stand-in of zeros with gradients of zeros.

        Empty for an optimizer that needs a closure, or what else a stand-in has not.
        """
        stand_in = torch.nn.Parameter(torch.zeros_like(self.parameters[name]))
        for gradient in (torch.zeros_like(stand_in), torch.zeros_like(stand_in).to_sparse()):
            stand_in.grad = gradient
            try:
                twin = self._twin(name, stand_in)
                return [self._after_update(twin, stand_in) for _ in range(2)]
            except Exception:
                continue
        return [{}, {}]

    def _after_update(self, twin: Any, stand_in: Any) -> Dict[str, Any]:
        twin.step()
        state = {key: value for key, value in twin.state.get(stand_in, {}).items() if value is not None}
        state.update({OWN + key: value for key, value in numbers_of(twin).items()})
        return {
            key: value.clone() if _is_count(value) and torch.is_tensor(value) else value for key, value in state.items()
        }

    def _twin(self, name: str, stand_in: Any) -> Any:
        """An optimizer of the same kind and settings for the stand-in alone, which shares nothing with the real one."""
        twin = object.__new__(type(self.optimizer))
        memo = {id(parameter): stand_in if own == name else None for own, parameter in self.parameters.items()}
        hooks = [key for key in vars(self.optimizer) if key.endswith("_hooks")]
        left_out = ("state", "param_groups", "step", *hooks)
        vars(twin).update(copy.deepcopy({k: v for k, v in vars(self.optimizer).items() if k not in left_out}, memo))
        vars(twin).update({key: OrderedDict() for key in hooks})
        twin.state, twin.param_groups = defaultdict(dict), [dict(self.groups[name], params=[stand_in])]
        return twin


def fill(tensor: Any, array: np.ndarray) -> None:
    """Write an array into a tensor, which stays the same object."""
    with torch.no_grad():
        tensor.copy_(torch.from_numpy(np.array(array)))


def _is_count(value: Any) -> bool:
    """Whether it is a single number, as a count is; a slot of a parameter without axes is too."""
    return value.dim() == 0 if torch.is_tensor(value) else isinstance(value, (int, float))


def _names_below(where: str, arrays: Arrays) -> List[str]:
    below = [key[len(where) + 1 :].rsplit(":", 1)[0] for key in arrays if key.startswith(where + ".")]
    return [name for name in below if "." not in name]


def _count_after(key: str, step: int, group: Dict[str, Any], old: Any) -> float:
    """The value of a count after this many updates, in the order of operations of torch/optim/{nadam,asgd}.py."""
    if key == "mu_product":
        beta, decay = group["betas"][0], group["momentum_decay"]
        factors = [beta * (1.0 - 0.5 * (0.96 ** (t * decay))) for t in range(1, step + 1)]
        dtype = str(old.dtype).split(".")[1] if torch.is_tensor(old) else "float64"
        return float(np.cumprod(np.array([1.0, *factors], dtype))[-1])
    if key == "eta":
        rate = float(group["lr"])
        return rate / float((1 + group["lambd"] * rate * step) ** group["alpha"]) if step else rate
    return 1 / max(1.0, step - float(group["t0"])) if key == "mu" else step
