"""What an optax optimizer holds: slots and counts in its state, settings in the closures of its update functions.

optax keeps its state in NamedTuples and its hyperparameters in free variables of nested functions: optax/_src/transform.py,
optax/transforms/*.py, optax/schedules/_inject.py.
"""

from __future__ import annotations

import types
from collections import namedtuple
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional

import jax
import jax.numpy as jnp
import numpy as np

from samestep.frameworks import _jax_graph
from samestep.frameworks import _jax_trees as trees
from samestep.frameworks._names import free_name
from samestep.frameworks._roles import ROLES, role, slot_key

Part = namedtuple("Part", "factory update state path group lasting")
Part.__doc__ = (
    "One transformation of an optimizer. factory: the function that made it; update: its update function; state: its state, at "
    "`path` in the state of the whole; group: the path of the chain of a group of parameters that it works on; lasting: whether "
    "update is not made anew for each step."
)
Setting = namedtuple("Setting", "name read write leaf")
Setting.__doc__ = (
    "A hyperparameter: read() gives its value at the next update; write(value) changes it, None where it follows from others; "
    "leaf: its name in the state of the optimizer, where that holds it and takes the value."
)

COUNTS = ("count", "t", "step", "gradient_step", "mini_step")
"""Fields in which states of optax count updates."""
RATES = ("scale", "scale_by_schedule")
"""Transformations that multiply by the learning rate, or by a factor of it."""
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
    "threshold": "threshold",
    "trust_coefficient": "trust_coefficient",
    "weight_decay": "weight_decay",
}
"""optax's names of hyperparameters, and Keras's for the same."""
SETTINGS_OF = {
    ("trace", "decay"): "momentum",
    ("ema", "decay"): "momentum",
    ("scale_by_rms", "decay"): "rho",
    ("scale_by_stddev", "decay"): "rho",
}


def slots(optimizers: Mapping[str, Any], opt_state: Any, params: Any) -> Dict[str, str]:
    """{slot key: name of a leaf of opt_state}: the arrays that an optimizer keeps for each parameter."""
    made_by = {part.path: part for part in all_parts(optimizers, opt_state)}
    found: Dict[str, str] = {}
    for path, node in _states(opt_state):
        for field, value in zip(node._fields, node):
            below = trees.paths(value)
            owners = _owners(params, path[0] if path and path[0] in optimizers else "")
            base = None if field in COUNTS else base_of(below, owners)
            if base is not None:
                kind = _role(list(made_by.values()), made_by.get(path), type(node).__name__, field)
                for leaf in below:
                    key = free_name(slot_key(kind, trees.name(base + leaf)), found)
                    found[key] = trees.name((*path, field, *leaf))
    return found


def _owners(params: Any, name: str) -> List[trees.Path]:
    """Paths of the parameters, of those below this name where there are any: an optimizer of several trains those of its name."""
    found = trees.paths(params)
    return [path for path in found if path[:1] == (name,)] or found


def base_of(below: List[trees.Path], owners: List[trees.Path]) -> Optional[trees.Path]:
    """Where in the tree of parameters, whose paths are owners, a tree of such paths belongs; None where it does not."""
    if not below:
        return None
    known = set(owners)
    bases = {owner[: len(owner) - len(below[0])] for owner in owners}
    found = [base for base in sorted(bases) if all(base + leaf in known for leaf in below)]
    return found[0] if len(found) == 1 or () in found else None


def counts(optimizers: Mapping[str, Any], opt_state: Any, step: int) -> Dict[str, int]:
    """{name of a leaf of opt_state: its value after `step` updates}, for all that counts updates."""
    made_by = {part.path: part for part in all_parts(optimizers, opt_state)}
    return dict(_counts(opt_state, (), step, made_by))


def settings(optimizers: Mapping[str, Any], opt_state: Any) -> Dict[str, Setting]:
    """The hyperparameters that are found, by name."""
    made = all_parts(optimizers, opt_state)
    found: Dict[str, Setting] = {}
    for group in dict.fromkeys(part.group for part in made):
        for setting in _settings([part for part in made if part.group == group]):
            found[free_name(setting.name, found)] = setting
    return found


def all_parts(optimizers: Mapping[str, Any], opt_state: Any) -> List[Part]:
    """The transformations of all optimizers; opt_state is the state of the only one, or a dict or sequence of theirs."""
    if list(optimizers) == [""]:
        return list(parts(optimizers[""].update, opt_state))
    states = _within(opt_state)
    found: List[Part] = []
    for (name, optimizer), key in zip(optimizers.items(), states):
        key = name if name in states else key
        found += parts(optimizer.update, states[key], (key,), (key,))
    return found


def parts(
    update: Any, state: Any, path: trees.Path = (), group: trees.Path = (), lasting: bool = True
) -> Iterator[Part]:
    """The transformations of an optimizer in the order of their use; one that wraps others comes before them."""
    held = {name: cell.cell_contents for name, cell in _cells(update).items()}
    factory = _made_by(update)
    if factory == "with_extra_args_support":
        inner = [(held["tx"].update, state, path, group, lasting)]
    else:
        inner = [
            (function, part, path + below, group + name, lasting and held.get("inner_factory") is None)
            for function, part, below, name in _wrapped(factory, update, held, state)
        ]
        if factory not in ("chain", "named_chain"):
            yield Part(factory, update, state, path, group, lasting)
    for given in inner:
        for found in parts(*given):
            yield found


def watch(optimizer: Any, params: Any, name: str = "") -> bool:
    """Have the gradients that an optimizer is given marked in every jaxpr, for whoever calls it; False where it cannot be.

    Its update function itself is changed, as a step of the program's own holds that in its closure. A mark computes nothing.
    name: of the optimizer, where it is one of several.
    """
    owners = _owners(params, name)

    def marking(update: Callable[..., Any]) -> Callable[..., Any]:
        def marked(gradients, *args, **named):
            found = trees.leaves(gradients)
            base = base_of(trees.paths(gradients), owners)
            if base is not None:
                names = {n: trees.name((*base, *path)) for n, path in zip(found, trees.paths(gradients))}
                gradients = _marked(gradients, names)
            return update(gradients, *args, **named)

        return marked

    return _replace(optimizer, marking)


def _marked(gradients: Any, names: Mapping[str, str]) -> Any:
    leaves, treedef = jax.tree_util.tree_flatten(gradients)
    marked = [_jax_graph.tagged("gradient", name, leaf) for name, leaf in zip(names.values(), leaves)]
    return treedef.unflatten(marked)


def _replace(optimizer: Any, wrap: Callable[[Any], Any]) -> bool:
    function = getattr(optimizer.update, "__wrapped__", optimizer.update)
    if isinstance(function, types.FunctionType):
        if "_samestep" not in (function.__kwdefaults__ or {}):
            _redirect(function, wrap(_copy(function)))
        return True
    try:
        optimizer.update = wrap(function)  # an object with an update method, such as optax.MultiSteps
    except AttributeError:
        return False
    return True


def _copy(function: Any) -> Any:
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    return copy


def _redirect(function: Any, other: Any) -> None:
    """Let all who hold a function run another one: its code is exchanged, and its free variables are kept."""
    kept = "; ".join(function.__code__.co_freevars)
    source = "def make({}):\n def update(*args, _samestep, **named):\n  return _samestep(*args, **named)\n  {}\n return update"
    made: Dict[str, Any] = {}
    exec(source.format(kept.replace(";", ","), kept or "pass"), made)
    names = function.__code__.co_freevars
    function.__code__ = made["make"](*names).__code__
    function.__defaults__, function.__kwdefaults__ = None, {"_samestep": other}


def _wrapped(factory: str, update: Any, held: Dict[str, Any], state: Any) -> Iterator[Any]:
    """(update function, state, path below, group below) of the transformations within another."""
    if factory == "chain":
        for i, (function, part) in enumerate(zip(held["update_fns"], state)):
            yield function, part, (str(i),), ()
    elif factory == "named_chain":
        for name, inner in held["transforms"]:
            yield inner.update, state[name], (str(name),), ()
    elif hasattr(state, "inner_states") and "transforms" in held:
        for label, inner in held["transforms"].items():
            masked = state.inner_states[label]
            yield inner.update, masked.inner_state, ("inner_states", str(label), "inner_state"), (str(label),)
    elif hasattr(state, "hyperparams") and "inner_factory" in held:
        inner = held["inner_factory"](**held.get("other_hps", {}), **state.hyperparams)
        yield inner.update, state.inner_state, ("inner_state",), ()
    elif hasattr(state, "inner_opt_state") and hasattr(_owner(update), "inner_opt"):
        yield _owner(update).inner_opt.update, state.inner_opt_state, ("inner_opt_state",), ()
    elif hasattr(state, "inner_state") and hasattr(held.get("inner"), "update"):
        yield held["inner"].update, state.inner_state, ("inner_state",), ()


def _owner(update: Any) -> Any:
    """The object whose method an update function is, also where `watch` has wrapped it."""
    within = {name: cell.cell_contents for name, cell in _cells(update).items()}.get("update")
    return getattr(update, "__self__", getattr(within, "__self__", None))


def _states(node: Any, path: trees.Path = ()) -> Iterator[Any]:
    """(path, NamedTuple) of all states within the state of an optimizer."""
    if hasattr(node, "_fields"):
        yield path, node
    for key, part in _within(node).items():
        for found in _states(part, (*path, key)):
            yield found


def _within(node: Any) -> Dict[str, Any]:
    if hasattr(node, "_fields"):
        return dict(zip(node._fields, node))
    if isinstance(node, (tuple, list)):
        return {str(i): part for i, part in enumerate(node)}
    return {str(key): part for key, part in node.items()} if isinstance(node, dict) else {}


def _counts(node: Any, path: trees.Path, done: int, made_by: Mapping[trees.Path, Part]) -> Iterator[Any]:
    whole, rest = divmod(done, _updates_once_in(made_by.get(path), node))
    for key, part in _within(node).items():
        here = (*path, key)
        if key == "is_initial_step":
            yield trees.name(here), done == 0
        elif hasattr(node, "_fields") and key in COUNTS and np.shape(part) == ():
            yield trees.name(here), rest if key == "mini_step" or hasattr(node, "grad_acc") else whole
        for found in _counts(part, here, whole, made_by):
            yield found


def _updates_once_in(part: Optional[Part], node: Any) -> int:
    """How many steps an accumulation of gradients takes for an update: optax.MultiSteps, optax.apply_every."""
    if part is None:
        return 1
    if hasattr(node, "mini_step"):
        return int(_owner(part.update)._every_k_schedule(0)) if _owner(part.update) is not None else 1
    if hasattr(node, "grad_acc"):
        return int(_cells(part.update)["k"].cell_contents)
    return 1


def _role(made: List[Part], part: Optional[Part], kind: str, field: str) -> str:
    if part is None:
        return role(kind, field)
    if part.factory == "trace":
        return _role_of_trace(made, part)
    if field == "nu_max" and not _held(part, "bias_correction_nu", True):
        return "max_second_moment"
    return role(part.factory if (part.factory, field) in ROLES else kind, field)


def _role_of_trace(made: List[Part], trace: Part) -> str:
    """What a running sum holds: of gradients or of updates, with the learning rate in it where that is multiplied before."""
    before = [part.factory for part in made[: made.index(trace)] if part.group == trace.group]
    rated = any(factory in RATES for factory in before)
    adaptive = any(factory.startswith("scale_by_") and factory not in RATES for factory in before)
    if adaptive:
        return "negative_rated_update" if rated else "unrated_update"
    return "rated_momentum" if rated else "momentum"


def _settings(made: List[Part]) -> Iterator[Setting]:
    lasting = [part for part in made if part.lasting]
    rates = [part for part in lasting if part.factory in RATES]
    if rates:
        yield _learning_rate(rates)
    for part in made:
        if hasattr(part.state, "hyperparams"):
            for setting in _injected(part):
                yield setting
    for part in lasting:
        for name, cell in _cells(part.update).items():
            stated = SETTINGS_OF.get((part.factory, name), SETTINGS.get(name))
            if stated is not None:
                for setting in _in_cell(stated, cell, part.state):
                    yield setting


def _in_cell(name: str, cell: Any, state: Any) -> Iterator[Setting]:
    if _is_number(cell.cell_contents):
        yield Setting(name, lambda: float(cell.cell_contents), lambda value: _put(cell, value), None)
    elif callable(cell.cell_contents) and hasattr(state, "count"):
        yield Setting(name, lambda: float(cell.cell_contents(state.count)), None, None)


def _injected(part: Part) -> Iterator[Setting]:
    """Hyperparameters of optax.inject_hyperparams: arrays of its state, or schedules that set them."""
    schedules = _held(part, "sched_hps", {})
    states = getattr(part.state, "hyperparams_states", {})
    for name, value in part.state.hyperparams.items():
        if trees.is_float(value) and np.shape(value) == ():
            stated, given = SETTINGS.get(name, name), states.get(name, part.state.count)
            if name in schedules:
                yield Setting(stated, lambda n=name, given=given: float(schedules[n](given)), None, None)
            else:
                leaf = trees.name((*part.path, "hyperparams", name))
                yield Setting(stated, lambda value=value: float(value), lambda value: None, leaf)


def _learning_rate(rates: List[Part]) -> Setting:
    """Minus the product of what these transformations multiply by; written to the last one that multiplies by a number but ±1."""
    constants = [_cells(part.update)["step_size"] for part in rates if part.factory == "scale"]
    constants = [cell for cell in constants if _is_number(cell.cell_contents)]
    own = ([cell for cell in constants if abs(cell.cell_contents) != 1.0] or constants)[-1:]

    def read():
        return -float(np.prod([_factor(part) for part in rates]))

    def write(value):
        if value != read():
            others = -read() / float(own[0].cell_contents) if read() else 1.0
            _put(own[0], -value / others)

    return Setting("learning_rate", read, write if len(constants) == len(rates) else None, None)


def _factor(part: Part) -> float:
    held = {name: cell.cell_contents for name, cell in _cells(part.update).items()}
    return float(held["step_size"] if part.factory == "scale" else held["step_size_fn"](part.state.count))


def _held(part: Part, name: str, otherwise: Any) -> Any:
    cell = _cells(part.update).get(name)
    return otherwise if cell is None else cell.cell_contents


def _put(cell: Any, value: float) -> None:
    held = cell.cell_contents
    if float(held) != value:
        cell.cell_contents = float(value) if isinstance(held, (int, float)) else jnp.asarray(value, held.dtype)


def _is_number(value: Any) -> bool:
    if isinstance(value, (int, float)):
        return not isinstance(value, bool)
    return trees.is_float(value) and np.shape(value) == ()


def _cells(function: Any) -> Dict[str, Any]:
    """The cells of the free variables of a function, and of functions that the same factory made within it, by their names."""
    found: Dict[str, Any] = {}
    waiting, known = [getattr(function, "__wrapped__", function)], set()
    while waiting:
        function = waiting.pop(0)
        if not isinstance(function, types.FunctionType) or id(function) in known:
            continue
        known.add(id(function))
        for name, cell in zip(function.__code__.co_freevars, function.__closure__ or ()):
            if not _is_empty(cell):
                found.setdefault(name, cell)
                waiting += [cell.cell_contents] if _made_by(cell.cell_contents) == _made_by(function) else []
    return found


def _made_by(function: Any) -> str:
    return str(getattr(function, "__qualname__", "")).split(".")[0]


def _is_empty(cell: Any) -> bool:
    try:
        return cell.cell_contents is cell
    except ValueError:
        return True
