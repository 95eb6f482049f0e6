"""What an optax optimizer holds: slots and counts in its state, settings in the closures of its update functions.

optax keeps a state of NamedTuples, and its hyperparameters as free variables of nested functions, optax/_src/transform.py.
"""

from __future__ import annotations

from collections import namedtuple
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional

import jax
import numpy as np

from samestep.frameworks import _jax_trees as trees
from samestep.frameworks._roles import ROLES, role, slot_key

Part = namedtuple("Part", "factory update state path")
Part.__doc__ = (
    "One transformation of an optimizer. factory: the function of optax that made it; update: its update function; "
    "state: its state, which lies at `path` in the state of the whole."
)
Setting = namedtuple("Setting", "name read write")
Setting.__doc__ = (
    "A hyperparameter: read() gives its value at the next update; write(value), or None where it follows from others."
)

COUNTS = ("count", "t", "step", "gradient_step")
"""Fields in which states of optax count updates."""
SETTINGS = {
    "b1": "beta_1",
    "b2": "beta_2",
    "b3": "beta_3",
    "clipping": "clipping",
    "decay": "decay",
    "decay_rate": "decay_rate",
    "eps": "epsilon",
    "eps_root": "epsilon_root",
    "epsilon": "epsilon",
    "eta_minus": "eta_minus",
    "eta_plus": "eta_plus",
    "learning_rate": "learning_rate",
    "max_delta": "clipvalue",
    "max_norm": "global_clipnorm",
    "momentum": "momentum",
    "rho": "rho",
    "trust_coefficient": "trust_coefficient",
    "weight_decay": "weight_decay",
}
"""Names of optax's hyperparameters, and Keras's names for the same."""
SETTINGS_OF = {
    ("trace", "decay"): "momentum",
    ("ema", "decay"): "momentum",
    ("scale_by_rms", "decay"): "rho",
    ("scale_by_stddev", "decay"): "rho",
}
RATES = ("scale", "scale_by_schedule")
"""Transformations that multiply by the learning rate, or a factor of it."""


def slots(optimizers: List[Any], opt_state: Any, params: Any) -> Dict[str, str]:
    """{slot key: name of the leaf of opt_state}: the arrays that an optimizer keeps for each parameter."""
    owners = trees.paths(params)
    made_by = {part.path: part for part in _all_parts(optimizers, opt_state)}
    found: Dict[str, str] = {}
    for path, node in _states(opt_state):
        for field, value in zip(node._fields, node):
            below = trees.paths(value)
            if field in COUNTS or not below:
                continue
            base = _base(below, owners)
            if base is None:
                continue
            kind = _role(made_by, path, type(node).__name__, field)
            for leaf in below:
                key = slot_key(kind, trees.name(base + leaf))
                found[_free(key, found)] = trees.name((*path, field, *leaf))
    return found


def counts(opt_state: Any) -> List[str]:
    """Names of the leaves of opt_state that count updates."""
    return [
        trees.name((*path, field))
        for path, node in _states(opt_state)
        for field, value in zip(node._fields, node)
        if field in COUNTS and np.shape(value) == () and np.asarray(value).dtype.kind in "iu"
    ]


def settings(optimizers: List[Any], opt_state: Any) -> Dict[str, Setting]:
    """The hyperparameters that are found, by name."""
    found: Dict[str, Setting] = {}
    for optimizer in optimizers:
        for setting in _settings(list(parts(optimizer.update, opt_state))):
            found[_free(setting.name, found)] = setting
    return found


def parts(update: Callable[..., Any], state: Any, path: trees.Path = ()) -> Iterator[Part]:
    """The transformations of an optimizer in the order of their use."""
    held = {name: cell.cell_contents for name, cell in _cells(update).items()}
    factory = getattr(update, "__qualname__", "").split(".")[0]
    if factory == "chain" and "update_fns" in held:
        for i, (function, part) in enumerate(zip(held["update_fns"], state)):
            for found in parts(function, part, (*path, str(i))):
                yield found
    elif factory == "with_extra_args_support":
        for found in parts(held["tx"].update, state, path):
            yield found
    else:
        yield Part(factory, update, state, path)


def _all_parts(optimizers: List[Any], opt_state: Any) -> List[Part]:
    return [part for optimizer in optimizers for part in parts(optimizer.update, opt_state)]


def _states(node: Any, path: trees.Path = ()) -> Iterator[Any]:
    """(path, NamedTuple) of all states in the state of an optimizer."""
    inner: Dict[str, Any] = {}
    if hasattr(node, "_fields"):
        yield path, node
        inner = dict(zip(node._fields, node))
    elif isinstance(node, (tuple, list)):
        inner = {str(i): part for i, part in enumerate(node)}
    elif isinstance(node, dict):
        inner = {str(key): part for key, part in node.items()}
    for key, part in inner.items():
        for found in _states(part, (*path, key)):
            yield found


def _base(below: List[trees.Path], owners: List[trees.Path]) -> Optional[trees.Path]:
    """Where in the tree of parameters a tree with these leaves belongs; None where it has none of theirs."""
    known = set(owners)
    bases = {owner[: len(owner) - len(below[0])] for owner in owners}
    found = [base for base in sorted(bases) if all(base + leaf in known for leaf in below)]
    return found[0] if len(found) == 1 or () in found else None


def _role(made_by: Dict[trees.Path, Part], path: trees.Path, kind: str, field: str) -> str:
    part = made_by.get(path)
    if part is not None and (part.factory, field) in ROLES:
        return role(part.factory, field)
    return role(kind, field)


def _settings(made: List[Part]) -> Iterator[Setting]:
    rates = [part for part in made if part.factory in RATES]
    if rates:
        yield _learning_rate(rates)
    for part in made:
        for name, cell in _cells(part.update).items():
            if _is_number(cell.cell_contents) and name in SETTINGS:
                stated = SETTINGS_OF.get((part.factory, name), SETTINGS[name])
                yield Setting(
                    stated, lambda cell=cell: float(cell.cell_contents), lambda value, cell=cell: _put(cell, value)
                )


def _learning_rate(rates: List[Part]) -> Setting:
    """Minus the product of what these transformations multiply by; written to the last of them that is a number but ±1."""
    constants = [_cells(part.update)["step_size"] for part in rates if part.factory == "scale"]
    constants = [cell for cell in constants if _is_number(cell.cell_contents)]
    own = [cell for cell in constants if abs(cell.cell_contents) != 1.0] or constants

    def read():
        return -float(np.prod([_factor(part) for part in rates]))

    def write(value):
        if read() != value:
            _put(own[-1], value / read() * float(own[-1].cell_contents))

    return Setting("learning_rate", read, write if own and len(rates) == len(constants) else None)


def _factor(part: Part) -> float:
    held = {name: cell.cell_contents for name, cell in _cells(part.update).items()}
    return float(held["step_size"] if part.factory == "scale" else held["step_size_fn"](part.state.count))


def _put(cell: Any, value: float) -> None:
    held = cell.cell_contents
    cell.cell_contents = type(held)(value) if isinstance(held, (int, float)) else jax.numpy.asarray(value, held.dtype)


def _is_number(value: Any) -> bool:
    if isinstance(value, (bool, str)) or value is None:
        return False
    return isinstance(value, (int, float)) or (trees.is_float(value) and np.shape(value) == ())


def _cells(function: Any) -> Dict[str, Any]:
    """The cells of a function's free variables, by their names."""
    function = getattr(function, "__wrapped__", function)
    code = getattr(function, "__code__", None)
    return dict(zip(code.co_freevars, function.__closure__ or ())) if code is not None else {}


def _free(name: str, taken: Mapping[str, Any]) -> str:
    free, count = name, 2
    while free in taken:
        free, count = "{}#{}".format(name, count), count + 1
    return free
