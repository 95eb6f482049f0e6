"""What can be read off a jaxpr: the tensors on its way, and the order in which its inputs are used."""

from __future__ import annotations

import os
import re
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import jax
import jax.numpy as jnp
from jax.ad_checkpoint import checkpoint_name
from jax.extend.core import ClosedJaxpr, Literal
from jax.extend.source_info_util import summarize

from samestep.frameworks._names import free_name

REARRANGING = {
    "broadcast_in_dim", "convert_element_type", "copy", "reshape", "rev", "slice", "squeeze", "stop_gradient", "transpose",
}  # fmt: skip
"""Primitives whose output holds what their input held."""
CALLS = {
    "checkpoint", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "custom_vjp_call_jaxpr", "jit", "pjit",
    "remat2",
}  # fmt: skip
"""Primitives that call a function once, which can be looked into."""
LIBRARIES = re.compile(r"[/\\](equinox|flax|haiku|optax)[/\\]")
"""Where the layers of libraries are written: a layer shows its output, not what it is computed from."""
TAG = "samestep:"


def tagged(kind: str, name: str, tree: Any) -> Any:
    """The tree with a mark in the jaxpr on each of its float arrays, which computes nothing."""

    def mark(leaf):
        return checkpoint_name(leaf, TAG + kind + ":" + name) if jnp.issubdtype(leaf.dtype, jnp.floating) else leaf

    return jax.tree_util.tree_map(lambda leaf: mark(leaf) if isinstance(leaf, jax.Array) else leaf, tree)


def order_of_use(function: Callable[..., Any], first: Any, *others: Any) -> List[int]:
    """The leaves of the first argument, by their numbers, in the order in which function(first, *others) uses them."""
    jaxpr = jax.make_jaxpr(function)(first, *others).jaxpr
    count = len(jax.tree_util.tree_leaves(first))
    used = dict.fromkeys(_uses(jaxpr, {variable: i for i, variable in enumerate(jaxpr.invars[:count])}))
    return [*used, *(i for i in range(count) if i not in used)]


def activations(function: Callable[[Any], Any], x: Any) -> Tuple[Dict[str, Any], List[Any]]:
    """(float tensors on the way from x to the outputs of function(x), in the order of their making; the outputs).

    Their names are those of modules, by the marks of kind "module"; else the function that computes them and the
    operation. Repeated names get #2, #3, …
    """
    closed = jax.make_jaxpr(function)(x)
    notes = _Activations()
    outputs = _evaluate(closed, jax.tree_util.tree_leaves(x), [True] * len(closed.jaxpr.invars), notes)
    return notes.seen, outputs


def marked(function: Callable[..., Any], *args: Any) -> Tuple[Any, Dict[str, List[Any]]]:
    """(the first output of function(*args), {name: values} of the marks of kind "gradient" on its way)."""
    closed = jax.make_jaxpr(function)(*args)
    notes = _Marks()
    leaves = jax.tree_util.tree_leaves(args)
    outputs = _evaluate(closed, leaves, [True] * len(leaves), notes)
    return outputs[0], notes.seen


class _Marks:
    """Notes the values that carry a mark of kind "gradient"."""

    def __init__(self) -> None:
        self.seen: Dict[str, List[Any]] = {}

    def looks_into(self, equation: Any) -> bool:
        return True

    def note(self, equation: Any, given: Sequence[Any], results: Sequence[Any]) -> None:
        name = _mark(equation, "gradient")
        if name is not None:
            self.seen.setdefault(name, []).append(results[0])


class _Activations:
    """Notes float tensors under names."""

    def __init__(self) -> None:
        self.seen: Dict[str, Any] = {}
        self.names: Dict[int, str] = {}  # of what is seen, by identity
        self.modules: Dict[int, Any] = {}

    def looks_into(self, equation: Any) -> bool:
        """A function of JAX itself, such as relu, is one operation."""
        return not _source(equation).startswith(os.path.dirname(jax.__file__) + os.sep)

    def note(self, equation: Any, given: Sequence[Any], results: Sequence[Any]) -> None:
        module = _mark(equation, "module")
        if module is not None:
            self._rename(given[0], module)
        elif equation.primitive.name not in REARRANGING | {"name"} and not LIBRARIES.search(_place(equation)):
            for result in results:
                if jnp.issubdtype(result.dtype, jnp.floating):
                    self._add(result, _operation(equation))

    def _rename(self, value: Any, module: str) -> None:
        """Show a module's output under the module's name; the output of a module that hands on another's is that one's."""
        if id(value) not in self.modules:
            self.seen.pop(self.names.get(id(value), ""), None)
            self.modules[id(value)] = value
            self._add(value, module)

    def _add(self, value: Any, name: str) -> None:
        free = free_name(name, self.seen)
        self.seen[free] = value
        self.names[id(value)] = free


def _evaluate(closed: Any, args: Sequence[Any], from_input: Sequence[bool], notes: Any) -> List[Any]:
    """The outputs of a jaxpr; notes sees each equation that depends on an input, those of called functions too."""
    jaxpr = closed.jaxpr
    values: Dict[Any, Any] = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*closed.consts, *args]))
    reached = {variable for variable, yes in zip(jaxpr.invars, from_input) if yes}

    def read(atom: Any) -> Any:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for equation in jaxpr.eqns:
        given = [read(atom) for atom in equation.invars]
        depends = [not isinstance(atom, Literal) and atom in reached for atom in equation.invars]
        inner = _called(equation) if notes.looks_into(equation) else None
        results = _applied(equation, given) if inner is None else _evaluate(inner, given, depends, notes)
        if any(depends):
            reached.update(equation.outvars)
            if inner is None:
                notes.note(equation, given, results)
        values.update(zip(equation.outvars, results))
    return [read(atom) for atom in jaxpr.outvars]


def _applied(equation: Any, given: Sequence[Any]) -> List[Any]:
    if equation.primitive.name == "name":
        return list(given)
    params = equation.primitive.get_bind_params(equation.params)
    if isinstance(params, tuple):  # up to JAX 0.8: (functions, parameters)
        given, params = [*params[0], *given], params[1]
    results = equation.primitive.bind(*given, **params)
    return list(results) if equation.primitive.multiple_results else [results]


def _uses(jaxpr: Any, places: Dict[Any, int]) -> Iterator[int]:
    """The places of a jaxpr's inputs as its equations use them, those of inner jaxprs in their order too."""
    for equation in jaxpr.eqns:
        atoms: List[Optional[int]] = [
            None if isinstance(atom, Literal) else places.get(atom) for atom in equation.invars
        ]
        for inner, skipped in _inner_jaxprs(equation):
            inside = {v: place for v, place in zip(inner.invars, atoms[skipped:]) if place is not None}
            for place in _uses(inner, inside):
                yield place
        for used in atoms:
            if used is not None:
                yield used


def _inner_jaxprs(equation: Any) -> Iterator[Tuple[Any, int]]:
    """(jaxpr, number of the equation's first inputs that it is not given) of what an equation runs."""
    params = equation.params
    if equation.primitive.name == "cond":
        for branch in params["branches"]:
            yield branch.jaxpr, 1
    elif equation.primitive.name == "while":
        yield params["body_jaxpr"].jaxpr, params["cond_nconsts"]
    else:
        inner = params.get("jaxpr", params.get("call_jaxpr", params.get("fun_jaxpr")))
        inner = getattr(inner, "jaxpr", inner)
        if hasattr(inner, "eqns") and len(inner.invars) == len(equation.invars):
            yield inner, 0


def _called(equation: Any) -> Optional[Any]:
    """The closed jaxpr of the function that an equation calls, or None."""
    if equation.primitive.name not in CALLS:
        return None
    params = equation.params
    inner = params.get("jaxpr", params.get("call_jaxpr", params.get("fun_jaxpr")))
    return inner if inner is None or hasattr(inner, "consts") else ClosedJaxpr(inner, [])


def _mark(equation: Any, kind: str) -> Optional[str]:
    start = TAG + kind + ":"
    name = equation.params.get("name") if equation.primitive.name == "name" else None
    return name[len(start) :] if name is not None and name.startswith(start) else None


def _source(equation: Any) -> str:
    """The file of the function that an equation calls, "" where it is not known."""
    inner = _called(equation)
    info = getattr(getattr(inner, "jaxpr", None), "debug_info", None)
    return str(getattr(info, "func_src_info", "") or "").partition(" at ")[2]


def _place(equation: Any) -> str:
    """The file, line and function of the user's, or of a library of layers, that made an equation."""
    return str(summarize(equation.source_info))


def _operation(equation: Any) -> str:
    """The function that makes an operation, and the operation: forward/dot_general."""
    function = re.search(r"\((.*)\)$", _place(equation))
    inner = _called(equation)
    info = getattr(getattr(inner, "jaxpr", None), "debug_info", None)
    called = str(getattr(info, "func_src_info", "") or "").partition(" at ")[0]
    within = function.group(1).split(".<locals>.")[-1] if function else ""
    return "/".join(part for part in (within, called.strip("_") or equation.primitive.name) if part)
