"""Pytrees as flat dicts of named arrays, and back."""

from __future__ import annotations

from typing import Any, Dict, List, Mapping, Tuple

import jax
import jax.numpy as jnp
import numpy as np

from samestep.errors import ProgramError

Tree = Any
"""A pytree of arrays."""
Path = Tuple[str, ...]
"""Where a leaf lies in a tree: keys, indices and attributes, as text."""


def paths(tree: Tree) -> List[Path]:
    """The path of each leaf, in the order of the leaves."""
    return [path_of(path) for path, _ in jax.tree_util.tree_flatten_with_path(tree)[0]]


def path_of(keys: Any) -> Path:
    """A path of JAX's own keys as text."""
    return tuple(map(_key, keys))


def name(path: Path) -> str:
    """A path as the name of a leaf: joined by "/"; a tree that is a leaf itself is "value"."""
    return "/".join(path) or "value"


def names(tree: Tree) -> List[str]:
    """The name of each leaf, in the order of the leaves."""
    return [name(path) for path in paths(tree)]


def leaves(tree: Tree) -> Dict[str, Any]:
    """The leaves of a tree by their names."""
    return dict(zip(names(tree), jax.tree_util.tree_leaves(tree)))


def with_leaves(tree: Tree, values: Mapping[str, Any]) -> Tree:
    """The tree with other values of some leaves, each of the shape and dtype that it had."""
    found, treedef = jax.tree_util.tree_flatten(tree)
    return treedef.unflatten([_like(values[n], leaf) if n in values else leaf for n, leaf in zip(names(tree), found)])


def widened(tree: Tree) -> Tree:
    """The tree with its floats in float64, which JAX has to be allowed."""
    return jax.tree_util.tree_map(lambda leaf: jnp.asarray(leaf, jnp.float64) if is_float(leaf) else leaf, tree)


def split(tree: Tree) -> Tuple[Tree, Tree]:
    """(the tree of what is trained, the tree of all else), with None where the other one has the leaf.

    A tree of floats is trained whole, as jax.grad would take it; of one with other leaves, as an Equinox module has, the
    float arrays of JAX are, as by eqx.is_inexact_array.
    """
    found, treedef = jax.tree_util.tree_flatten(tree)
    if all(isinstance(leaf, float) or is_float(leaf) for leaf in found):
        return treedef.unflatten(map(jnp.asarray, found)), treedef.unflatten([None] * len(found))
    trained = [isinstance(leaf, jax.Array) and is_float(leaf) for leaf in found]
    return (
        treedef.unflatten([leaf if mine else None for leaf, mine in zip(found, trained)]),
        treedef.unflatten([None if mine else leaf for leaf, mine in zip(found, trained)]),
    )


def join(trained: Tree, rest: Tree) -> Tree:
    """The tree that `split` took apart."""
    return jax.tree_util.tree_map(
        lambda one, other: other if one is None else one, trained, rest, is_leaf=lambda leaf: leaf is None
    )


def array(leaf: Any) -> np.ndarray:
    """A leaf as an array of its own: a random key as its data, a precision that NumPy lacks as float32."""
    value = np.array(jax.random.key_data(leaf) if is_key(leaf) else leaf)
    return value.astype(np.float32) if value.dtype.kind == "V" or value.dtype.name == "bfloat16" else value


def is_key(leaf: Any) -> bool:
    """Whether this is a typed key of random numbers, as jax.random.key makes."""
    return hasattr(leaf, "dtype") and jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def is_float(leaf: Any) -> bool:
    """Whether a leaf is an array of real or complex numbers of limited precision."""
    return hasattr(leaf, "dtype") and not is_key(leaf) and jnp.issubdtype(leaf.dtype, jnp.inexact)


def is_generator(leaf: Any) -> bool:
    """Whether a leaf is a key of random numbers, or what counts draws from one: arrays of uint32, as JAX has them for both."""
    return is_key(leaf) or (hasattr(leaf, "dtype") and leaf.dtype == np.uint32)


def entry(name: str, leaf: Any) -> Dict[str, Any]:
    """How a leaf is described: its name, shape and dtype."""
    value = jax.eval_shape(jax.random.key_data, leaf) if is_key(leaf) else leaf
    return {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}


def _like(value: Any, leaf: Any) -> Any:
    if is_key(leaf):
        return jax.random.wrap_key_data(jnp.array(value), impl=jax.random.key_impl(leaf))
    if np.shape(value) != np.shape(leaf):
        raise ProgramError(
            "an array of shape {} was given for one of shape {}.".format(np.shape(value), np.shape(leaf))
        )
    return jnp.array(value, leaf.dtype)


def _key(key: Any) -> str:
    for attribute in ("key", "idx", "name"):
        if hasattr(key, attribute):
            return str(getattr(key, attribute))
    return str(key)
