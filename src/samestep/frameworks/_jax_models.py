"""One form for all the ways in which JAX programs hold a model: parameters, other state and a pure function of both."""

from __future__ import annotations

import inspect
import sys
from collections import namedtuple
from typing import Any, Callable, Dict

import jax

from samestep.errors import ProgramError
from samestep.frameworks import _jax_trees as trees

Model = namedtuple("Model", "params state call given")
Model.__doc__ = (
    "params: the tree of what is trained; state: the tree of what else a pass may change; "
    "call(params, state, x, training, key): (outputs, state after it); given(params): what a step of the program's own takes."
)


def model_of(apply: Any, params: Any, state: Any) -> Model:
    """The model for what a Program was given.

    Raises ProgramError if that is neither a function with its parameters nor a module of Flax or Equinox.
    """
    if _is_a(apply, "flax.linen", "Module"):
        return _linen(apply, params)
    if _is_a(apply, "flax.nnx", "Module"):
        return _nnx(apply)
    if _is_a(apply, "equinox", "Module") and params is None:
        return _equinox(apply, state)
    if not callable(apply) or params is None:
        raise ProgramError(
            "Program was given {} and {} parameters.\nIt takes apply(params, x) with its params, a Flax linen module with its "
            "variables, or a Flax nnx or Equinox module.".format(
                type(apply).__name__, "no" if params is None else "their"
            )
        )
    return _function(apply, params, state)


def _is_a(value: Any, module: str, name: str) -> bool:
    return module in sys.modules and isinstance(value, getattr(sys.modules[module], name))


def _function(apply: Callable[..., Any], params: Any, state: Any) -> Model:
    trained, rest = trees.split(params)

    def call(params, state, x, training, key):
        given = _mode(trees.join(params, rest), training)
        if state is None:
            return apply(given, x, **_extras(apply, training, key)), None
        return apply(given, state, x, **_extras(apply, training, key))

    return Model(trained, state, call, lambda params: trees.join(params, rest))


def _linen(module: Any, variables: Any) -> Model:
    if (not isinstance(variables, dict) and not hasattr(variables, "items")) or "params" not in variables:
        raise ProgramError(
            'Program(module, variables) of a Flax linen module takes what module.init returned: {"params": …, …}.'
        )
    others = {name: collection for name, collection in variables.items() if name != "params"}

    def call(params, state, x, training, key):
        options = _extras(type(module).__call__, training, None)
        if training:
            options["rngs"] = {"dropout": key, "params": key}
        if not (training and state):
            return module.apply(dict(state or {}, params=params), x, **options), state
        return module.apply(dict(state, params=params), x, mutable=list(state), **options)

    return Model(variables["params"], others or None, call, lambda params: params)


def _nnx(module: Any) -> Model:
    raise ProgramError("not yet")


def _equinox(module: Any, state: Any) -> Model:
    def call(module, *args, **options):
        if state is None:
            return jax.vmap(lambda x: module(x, **options))(*args)
        return jax.vmap(module, in_axes=(None, 0), out_axes=(0, None), axis_name="batch")(*args, **options)

    return _function(call, module, state)


def _mode(params: Any, training: bool) -> Any:
    """An Equinox module in the mode that is asked for; other parameters as they are."""
    if _is_a(params, "equinox", "Module"):
        return sys.modules["equinox"].nn.inference_mode(params, value=not training)
    return params


def _extras(function: Any, training: bool, key: Any) -> Dict[str, Any]:
    """Those of the arguments that say the mode, or give a random key, that the function names."""
    try:
        named = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}
    offered: Dict[str, Any] = dict.fromkeys(("training", "train", "is_training"), training)
    offered.update(dict.fromkeys(("deterministic", "use_running_average", "inference"), not training))
    if key is not None:
        offered.update(rng=key, key=key, rngs={"dropout": key})
    return {name: value for name, value in offered.items() if name in named}
