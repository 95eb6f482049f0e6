"""One form for all the ways in which JAX programs hold a model: trained parameters, other state and a pure function of both."""

from __future__ import annotations

import contextlib
import inspect
import sys
from collections import namedtuple
from typing import Any, Callable, Dict, Iterator, List, Tuple

import jax

from samestep.errors import ProgramError
from samestep.frameworks import _jax_trees as trees

Model = namedtuple("Model", "kind params state call own modules")
Model.__doc__ = (
    "kind: function, linen, nnx or equinox; params: the tree of what is trained; state: that of what else a pass may change; "
    "call(params, state, x, training, key, see=None): (outputs, state after it), where see(path, outputs) may exchange a "
    "module's; own(step, params, state, opt_state, x, y, key): what a step of the program's own makes of them, and its loss; "
    "modules(x): [(path, module)] of all layers."
)
See = Callable[[str, Any], Any]


def model_of(apply: Any, params: Any, state: Any, optimizer: Any) -> Model:
    """The model for what a Program was given.

    Raises ProgramError if that is neither a function with its parameters nor a module of Flax or Equinox.
    """
    if _is_a(apply, "flax.linen", "Module"):
        return _linen(apply, params)
    if _is_a(apply, "flax.nnx", "Module"):
        return _nnx(apply, optimizer)
    if params is None and _is_a(apply, "equinox", "Module"):
        return _function(_each_row(apply, state), apply, state)
    if not callable(apply) or params is None:
        raise ProgramError(
            "Program was given {} {} and {}.\nIt takes apply(params, x) with its params, a Flax linen module with its variables, "
            "or a Flax nnx or Equinox module alone.".format(
                "a", type(apply).__name__, "no parameters" if params is None else "parameters"
            )
        )
    return _function(apply, params, state)


def optax_of(optimizer: Any) -> Any:
    """The optax transformation of an optimizer, which may be an nnx.Optimizer around it."""
    return optimizer.tx if _is_a(optimizer, "flax.nnx", "Optimizer") else optimizer


def first_state(optimizer: Any, model: Model) -> Any:
    """The state in which an optimizer begins; that of several in a dict, each for the parameters of its name."""
    if _is_a(optimizer, "flax.nnx", "Optimizer"):
        return sys.modules["flax.nnx"].as_pure(optimizer.opt_state)
    if not isinstance(optimizer, dict):
        return None if optimizer is None else optimizer.init(model.params)
    if not isinstance(model.params, dict) or set(optimizer) - set(model.params):
        raise ProgramError(
            "the optimizers are called {}, and the parameters {}.\nGive opt_state=, a dict with the state of each optimizer, "
            "or name the optimizers as the parameters that each of them trains.".format(
                ", ".join(optimizer),
                ", ".join(model.params) if isinstance(model.params, dict) else "are in no dict",
            )
        )
    return {name: one.init(model.params[name]) for name, one in optimizer.items()}


def _is_a(value: Any, module: str, name: str) -> bool:
    """Whether a value is of a class of a library; one that is not loaded has made nothing."""
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name, ()))


# --- functions of parameters, Equinox modules among them ---


def _function(apply: Callable[..., Any], params: Any, state: Any) -> Model:
    trained, rest = trees.split(params)

    def call(params, state, x, training, key, see=None):
        given = _in_mode(trees.join(params, rest), training)
        extras = _extras(apply, training, key)
        with _seen(_equinox_modules(given) if see else [], see):
            if state is None:
                return apply(given, x, **extras), None
            outputs, after = apply(given, state, x, **extras)
            return outputs, after

    def own(step, params, state, opt_state, x, y, key):
        given = [trees.join(params, rest), *([] if state is None else [state]), opt_state]
        params, *state, opt_state, loss = _returned(step(*given, x, y, **_extras(step, True, key)), len(given))
        return trees.split(params)[0], state[0] if state else None, opt_state, loss

    kind = "equinox" if _is_a(params, "equinox", "Module") else "function"
    return Model(kind, trained, state, call, own, lambda x: _equinox_modules(params))


def _returned(results: Any, count: int) -> List[Any]:
    wanted = "(params, opt_state, loss)" if count == 2 else "(params, state, opt_state, loss)"
    if not isinstance(results, (tuple, list)) or len(results) != count + 1:
        raise ProgramError(
            "step returned {}.\nIt should return {}.".format(
                "{} values".format(len(results))
                if isinstance(results, (tuple, list))
                else "a " + type(results).__name__,
                wanted,
            )
        )
    return list(results)


def _each_row(module: Any, state: Any) -> Callable[..., Any]:
    """An Equinox module, which takes one row, as a function of all rows; with a state, in the axis called "batch"."""
    takes_key = "key" in _parameters(type(module).__call__)

    def apply(module, x, key):
        rows = len(jax.tree_util.tree_leaves(x)[0])
        keys = {"key": jax.random.split(key, rows)} if takes_key else {}
        return jax.vmap(lambda x, extras: module(x, **extras))(x, keys)

    def apply_with_state(module, state, x, key):
        rows = len(jax.tree_util.tree_leaves(x)[0])
        keys = {"key": jax.random.split(key, rows)} if takes_key else {}
        each = jax.vmap(
            lambda x, state, extras: module(x, state, **extras),
            in_axes=(0, None, 0),
            out_axes=(0, None),
            axis_name="batch",
        )
        return each(x, state, keys)

    return apply if state is None else apply_with_state


def _in_mode(params: Any, training: bool) -> Any:
    """An Equinox module in the mode that is asked for; other parameters as they are."""
    if _is_a(params, "equinox", "Module"):
        return sys.modules["equinox"].nn.inference_mode(params, value=not training)
    return params


def _equinox_modules(tree: Any) -> List[Tuple[str, Any]]:
    """(path, module) of the Equinox modules in a tree, itself left out."""
    found: List[Tuple[str, Any]] = []
    if "equinox" in sys.modules:
        _add_equinox_modules(tree, (), found)
    return found


def _add_equinox_modules(tree: Any, path: trees.Path, found: List[Tuple[str, Any]]) -> None:
    def is_module(value):
        return value is not tree and _is_a(value, "equinox", "Module")

    for below, value in jax.tree_util.tree_flatten_with_path(tree, is_leaf=is_module)[0]:
        if is_module(value):
            here = path + trees.path_of(below)
            found.append((trees.name(here), value))
            _add_equinox_modules(value, here, found)


# --- Flax linen ---


def _linen(module: Any, variables: Any) -> Model:
    if not hasattr(variables, "items") or "params" not in variables:
        raise ProgramError(
            "Program(module, variables) of a Flax linen module takes what module.init returned, {'params': …}."
        )
    others = {name: collection for name, collection in variables.items() if name != "params"} or None

    def call(params, state, x, training, key, see=None):
        options = _extras(type(module).__call__, training, key)
        if training:
            options["rngs"] = {"dropout": key, "params": key}
        if training and state:
            options["mutable"] = list(state)
        with _intercepted(see):
            results = module.apply(dict(state or {}, params=params), x, **options)
        return results if training and state else (results, state)

    def own(step, params, state, opt_state, x, y, key):
        given = [params, *([] if state is None else [state]), opt_state]
        params, *state, opt_state, loss = _returned(step(*given, x, y, **_extras(step, True, key)), len(given))
        return params, state[0] if state else None, opt_state, loss

    def modules(x):
        found: Dict[str, Any] = {}
        with _intercepted(lambda path, outputs: outputs, found):
            jax.eval_shape(lambda x: call(variables["params"], others, x, False, None)[0], x)
        return list(found.items())

    return Model("linen", variables["params"], others, call, own, modules)


@contextlib.contextmanager
def _intercepted(see: Any, modules: Any = None) -> Iterator[None]:
    """For the time of the block, linen modules that are called are noted, and their outputs exchanged by see."""
    if see is None:
        yield
        return

    def intercept(run, args, named, context):
        outputs = run(*args, **named)
        path = "/".join(context.module.path)
        if modules is not None and path:
            modules[path] = context.module
        return see(path, outputs) if path and context.method_name == "__call__" else outputs

    with sys.modules["flax.linen"].intercept_methods(intercept):
        yield


# --- Flax nnx ---


def _nnx(module: Any, optimizer: Any) -> Model:
    nnx = sys.modules["flax.nnx"]
    wrt = getattr(optimizer, "wrt", nnx.Param)
    graphs = {}
    for training in (False, True):  # the module stays in training mode, as it is when a loop begins
        (module.train if training else module.eval)()
        graphs[training], params, state = nnx.split(module, wrt, ...)

    def arrays(module):
        nnx.pop(module, nnx.Intermediate)
        _, params, state = nnx.split(module, wrt, ...)
        return nnx.as_pure(params), nnx.as_pure(state)

    def call(params, state, x, training, key, see=None):
        merged = nnx.merge(graphs[training], params, state)
        with _seen(_nnx_modules(merged) if see else [], see):
            outputs = merged(x, **_extras(type(module).__call__, training, key, nnx.Rngs(key)))
        return outputs, arrays(merged)[1]

    def own(step, params, state, opt_state, x, y, key):
        if not _is_a(optimizer, "flax.nnx", "Optimizer"):
            raise ProgramError("a step(model, optimizer, x, y) of an nnx program needs optimizer=nnx.Optimizer(…).")
        graph, held = nnx.split(optimizer)
        model, copy = nnx.merge(graphs[True], params, state), nnx.merge(graph, nnx.as_pure(held))
        nnx.update(copy.opt_state, nnx.state(opt_state))
        loss = step(model, copy, x, y, **_extras(step, True, key, nnx.Rngs(key) if key is not None else None))
        return (*arrays(model), nnx.as_pure(copy.opt_state), loss)

    return Model("nnx", nnx.as_pure(params), nnx.as_pure(state), call, own, lambda x: _nnx_modules(module))


def _nnx_modules(module: Any) -> List[Tuple[str, Any]]:
    found = sys.modules["flax.nnx"].iter_modules(module)
    return [("/".join(map(str, path)), inner) for path, inner in found if path]


# --- all of them ---


@contextlib.contextmanager
def _seen(modules: List[Tuple[str, Any]], see: Any) -> Iterator[None]:
    """For the time of the block, see(path, outputs) exchanges the outputs of these modules where they are called."""
    paths = {id(module): path for path, module in reversed(modules)}
    classes = {type(module) for _, module in modules if callable(module)}
    originals = {cls: (cls.__call__, "__call__" in vars(cls), vars(cls).get("__call__")) for cls in classes}
    for cls, (original, _, _) in originals.items():
        cls.__call__ = _calling(original, paths, see)
    try:
        yield
    finally:
        for cls, (_, own, held) in originals.items():
            if own:
                cls.__call__ = held
            else:
                del cls.__call__


def _calling(original: Any, paths: Dict[int, str], see: Any) -> Any:
    def call(module, *args, **named):
        path = paths.pop(id(module), None)  # not again where a class calls its parent's
        try:
            outputs = original(module, *args, **named)
        finally:
            if path is not None:
                paths[id(module)] = path
        return outputs if path is None else _shown(path, outputs, see)

    return call


def _shown(path: str, outputs: Any, see: Any) -> Any:
    """What see makes of a module's outputs; the state that a module of Equinox returns beside them is none of them."""
    if isinstance(outputs, tuple) and outputs and _is_a(outputs[-1], "equinox.nn", "State"):
        return (*see(path, outputs[:-1]), outputs[-1])
    return see(path, outputs)


def takes_key(function: Any) -> bool:
    """Whether a function names an argument for a random key."""
    return not {"rng", "key", "rngs"}.isdisjoint(_parameters(function))


def _extras(function: Any, training: bool, key: Any, rngs: Any = None) -> Dict[str, Any]:
    """Those of the arguments that tell the mode, or give a random key, that the function names."""
    offered: Dict[str, Any] = dict.fromkeys(("training", "train", "is_training"), training)
    offered.update(dict.fromkeys(("deterministic", "use_running_average", "inference"), not training))
    if takes_key(function):
        offered.update(rng=key, key=key, rngs={"dropout": key} if rngs is None else rngs)
    return {name: value for name, value in offered.items() if name in _parameters(function)}


def _parameters(function: Any) -> Any:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
