"""What can be read off a jaxpr: the tensors on its way, and the order in which parameters are used."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Set

import jax
import jax.numpy as jnp
from jax.extend.core import Literal

LAYOUT_ONLY = {
    "broadcast_in_dim", "convert_element_type", "copy", "copy_p", "reshape", "rev", "squeeze", "stop_gradient", "transpose",
}  # fmt: skip
"""Primitives whose output holds what their input held."""


def first_uses(jaxpr: Any, count: int) -> List[int]:
    """The first `count` inputs of a jaxpr by the order in which its equations use them; unused ones last."""
    places = {variable: i for i, variable in enumerate(jaxpr.invars[:count])}
    used: Dict[int, None] = {}
    _note_uses(jaxpr, places, used)
    return [*used, *(i for i in range(count) if i not in used)]


def activations(function: Callable[..., Any], *args: Any) -> Dict[str, Any]:
    """Float tensors on the way from args[0] to the outputs of function(*args), in order, by names."""
    closed = jax.make_jaxpr(function)(*args)
    inputs = len(jax.tree_util.tree_leaves(args[0]))
    jaxpr = closed.jaxpr
    seen: Dict[str, Any] = {}
    from_input = set(jaxpr.invars[:inputs])
    _evaluate(jaxpr, closed.consts, jax.tree_util.tree_leaves(args), from_input, seen)
    return seen


def _note_uses(jaxpr: Any, places: Dict[Any, int], used: Dict[int, None]) -> None:
    for equation in jaxpr.eqns:
        inner = _inlined(equation)
        here = [places.get(v) for v in equation.invars if not isinstance(v, Literal)]
        if inner is not None:
            pairs = zip(inner.jaxpr.invars, equation.invars)
            _note_uses(
                inner.jaxpr,
                {v: places[outer] for v, outer in pairs if not isinstance(outer, Literal) and outer in places},
                used,
            )
        else:
            used.update((place, None) for place in here if place is not None)


def _evaluate(jaxpr: Any, consts: Any, args: Any, from_input: Set[Any], seen: Dict[str, Any]) -> List[Any]:
    values: Dict[Any, Any] = dict(zip(jaxpr.constvars, consts))
    values.update(zip(jaxpr.invars, args))

    def read(atom):
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        given = [read(atom) for atom in equation.invars]
        inner = _inlined(equation)
        reached = any(not isinstance(atom, Literal) and atom in from_input for atom in equation.invars)
        if inner is not None:
            inside = {
                v
                for v, atom in zip(inner.jaxpr.invars, equation.invars)
                if not isinstance(atom, Literal) and atom in from_input
            }
            results = _evaluate(inner.jaxpr, inner.consts, given, inside, seen)
        else:
            results = _applied(equation, given)
            if reached and equation.primitive.name not in LAYOUT_ONLY:
                _note(equation, results, seen)
        if reached:
            from_input.update(equation.outvars)
        values.update(zip(equation.outvars, results))
    return [read(atom) for atom in jaxpr.outvars]


def _applied(equation: Any, given: List[Any]) -> List[Any]:
    params = equation.primitive.get_bind_params(equation.params)
    if isinstance(params, tuple):  # up to JAX 0.8: (functions, parameters)
        given, params = [*params[0], *given], params[1]
    results = equation.primitive.bind(*given, **params)
    return results if equation.primitive.multiple_results else [results]


def _note(equation: Any, results: List[Any], seen: Dict[str, Any]) -> None:
    for result in results:
        if jnp.issubdtype(result.dtype, jnp.floating):
            base = name = "/".join(filter(None, [str(equation.source_info.name_stack), equation.primitive.name]))
            count = 2
            while name in seen:
                name, count = "{}#{}".format(base, count), count + 1
            seen[name] = result


def _inlined(equation: Any) -> Any:
    """The closed jaxpr of a call that is looked into, or None."""
    if equation.primitive.name in (
        "jit",
        "pjit",
        "closed_call",
        "core_call",
        "custom_jvp_call",
        "custom_vjp_call",
        "remat2",
        "checkpoint",
    ):
        inner = equation.params.get("jaxpr", equation.params.get("call_jaxpr"))
        if inner is not None:
            return inner if hasattr(inner, "consts") else jax.extend.core.ClosedJaxpr(inner, [])
    return None
