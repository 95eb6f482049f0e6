"""The shared stream in JAX: in the place of what the functions of jax.random end in. Keys are passed on and not looked at.

Numbers are made by a primitive, so that a draw within vmap is known for what it is, one draw for the whole batch, wherever
its keys differ. The step is asked for when a compiled function runs, since a step of the program's own may not know it.
Serves JAX programs and Keras 3 on JAX.
"""

from __future__ import annotations

import inspect
import sys
from typing import Any, Callable, Dict, Tuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Primitive
from jax.extend.random import threefry_2x32 as threefry
from jax.interpreters import batching, mlir

from samestep.frameworks import _randomness, _randomness_numpy
from samestep.frameworks._randomness import MASK, stream

_globals = jax.random.uniform.__globals__
"""Where the functions of jax.random look up what they end in: jax/_src/random.py, and jax/_src/random/core.py from 0.10 on."""
_replaced: Dict[str, Any] = {}


def install() -> None:
    """Put the stream in place."""
    for name, function in ENDS.items():
        _replaced[name] = _globals[name]
        _globals[name] = _instead(_globals[name], function)
    for name in PLAIN:  # compiled, they would repeat a draw that is traced once
        _replaced[name] = _globals[name]
        _globals[name] = _instead(_replaced[name], _replaced[name].__wrapped__)


def uninstall() -> None:
    """Undo `install`."""
    _globals.update(_replaced)
    _replaced.clear()


def forget() -> None:
    """Let every compiled function be traced anew when it is called next."""
    jax.clear_caches()


def begin() -> None:
    """Nothing: draws are numbered as they are traced."""


def end() -> None:
    """Nothing: what is traced from now on is asked whether a pass is on."""


def words(draw: Any, step: Any) -> Any:
    """The random words of a draw, uint32, in the shape and order of axes in which this side has it; step: uint32."""
    count = int(np.prod(draw.shape, dtype=np.int64))
    blocks = jnp.arange((count + 1) // 2, dtype=jnp.uint32)
    counter = jnp.concatenate([blocks, jnp.full_like(blocks, draw.number)])
    pairs = threefry(jnp.stack([jnp.uint32(stream.word), jnp.uint32(step)]), counter)
    flat = pairs.reshape(2, -1).T.reshape(-1)[:count]
    flat = ~flat if draw.flipped else flat
    return flat.reshape(draw.shape).transpose(draw.axes)


def uniform(words: Any, dtype: Any = np.float32) -> Any:
    """Numbers between 0 and 1 from random words."""
    bits = _randomness.bits_of(jnp.dtype(dtype).name)
    return ((words >> (31 - bits)) | 1).astype(dtype) * jnp.asarray(2.0 ** -(bits + 1), dtype)


def normal(words: Any, dtype: Any = np.float32, kind: str = "normal") -> Any:
    """Standard normal numbers from random words; kind "truncated_normal": within two standard deviations."""
    return jnp.asarray(_randomness_numpy.quantiles(kind).astype(dtype))[words >> 13]


def _made(key: Any, step: Any, *, number: int, shape: Tuple[int, ...], plan: Any) -> Any:
    """What the primitive computes; the key only tells whether it is one draw for a batch or one for each of its rows."""
    return words(_randomness.placed(plan, number, shape), step).reshape(shape)


def _batched(args: Any, dims: Any, *, number: int, shape: Tuple[int, ...], plan: Any) -> Any:
    size = next(arg.shape[dim] for arg, dim in zip(args, dims) if dim is not None)
    shape = (size, *shape)
    if stream.noted is not None:
        [entry for entry in stream.noted if "loop" not in entry][number]["shape"] = list(shape)
    key, step = (jnp.take(arg, 0, dim) if dim is not None else arg for arg, dim in zip(args, dims))
    return draw_p.bind(key, step, number=number, shape=shape, plan=plan), 0


draw_p = Primitive("samestep_draw")
draw_p.def_impl(_made)
draw_p.def_abstract_eval(lambda key, step, *, number, shape, plan: jax.core.ShapedArray(shape, np.uint32))
batching.primitive_batchers[draw_p] = _batched
mlir.register_lowering(draw_p, mlir.lower_fun(_made, multiple_results=False))


class _Plan(Tuple[Any, ...]):
    """A plan as a parameter of the primitive, which has to be hashable; there is one at a time."""

    __hash__ = object.__hash__
    __eq__ = object.__eq__


def _drawn(kind: str, key: Any, shape: Tuple[int, ...]) -> Any:
    _randomness.note(kind, shape)
    stream.number += 1
    key = jax.random.key_data(key)
    return draw_p.bind(key, _step(), number=stream.number - 1, shape=tuple(shape), plan=_Plan(stream.plan))


def _step() -> Any:
    """The step of the pass, asked for at run time where this is traced; a tracer is taken as it is."""
    if not isinstance(stream.step, (int, np.integer)):
        return jnp.asarray(stream.step).astype(np.uint32)
    if not isinstance(jnp.zeros(()), jax.core.Tracer):
        return jnp.uint32(stream.step & MASK)
    return jax.pure_callback(lambda: np.uint32(int(stream.step) & MASK), jax.ShapeDtypeStruct((), np.uint32))


def _uniform(key: Any, shape: Any, dtype: Any, minval: Any, maxval: Any, **_: Any) -> Any:
    low, high = jnp.asarray(minval, dtype), jnp.asarray(maxval, dtype)
    return uniform(_drawn("uniform", key, shape), dtype) * (high - low) + low


def _normal_real(key: Any, shape: Any, dtype: Any, **_: Any) -> Any:
    return normal(_drawn("normal", key, shape), dtype)


def _truncated_normal(key: Any, lower: Any, upper: Any, shape: Any, dtype: Any, **_: Any) -> Any:
    shape = np.broadcast_shapes(np.shape(lower), np.shape(upper)) if shape is None else shape
    words = _drawn("truncated_normal", key, shape)
    if (lower, upper) == (-2, 2):
        return normal(words, dtype, "truncated_normal")
    low, high = (jax.lax.erf(jnp.asarray(bound, dtype) / np.sqrt(2).astype(dtype)) for bound in (lower, upper))
    return jax.lax.erf_inv(uniform(words, dtype) * (high - low) + low) * np.asarray(np.sqrt(2), dtype)


def _bernoulli(key: Any, p: Any, shape: Any, **_: Any) -> Any:
    words = _drawn("bernoulli", key, np.shape(p) if shape is None else shape)
    return uniform(words, jnp.result_type(p)) >= 1 - p


def _exponential(key: Any, shape: Any, dtype: Any, **_: Any) -> Any:
    return -jnp.log(uniform(_drawn("exponential", key, shape), dtype))


def _gumbel(key: Any, shape: Any, dtype: Any, **_: Any) -> Any:
    return -jnp.log(-jnp.log(uniform(_drawn("exponential", key, shape), dtype)))


ENDS: Dict[str, Callable[..., Any]] = {
    "_uniform": _uniform,
    "_normal_real": _normal_real,
    "_truncated_normal": _truncated_normal,
    "_bernoulli": _bernoulli,
    "_exponential": _exponential,
    "_gumbel": _gumbel,
}
PLAIN = ("_normal", "_laplace", "_logistic")
SAMPLERS = {
    "uniform", "normal", "truncated_normal", "bernoulli", "exponential", "gumbel", "categorical", "laplace", "logistic",
}  # fmt: skip
"""Functions of jax.random whose draws are shared. Others, as gamma, reject and draw again, in loops."""
LOOPS = ("scan", "while_loop", "fori_loop", "map")


def _instead(original: Callable[..., Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the arguments of the original, that draws from the stream while a pass is on."""
    signature = inspect.signature(original)

    def drawing(*args: Any, **kwargs: Any) -> Any:
        if not stream.passing or not _is_shared():
            return original(*args, **kwargs)
        given = signature.bind(*args, **kwargs).arguments
        if _in_loop():
            _randomness.note(original.__name__.strip("_"), given.get("shape") or (), loop=True)
            return original(*args, **kwargs)
        return function(**given)

    drawing.__wrapped__ = original  # type: ignore[attr-defined]
    return drawing


def _frames() -> Any:
    frame = sys._getframe(2)
    while frame is not None:
        yield frame
        frame = frame.f_back  # type: ignore[assignment]


def _is_shared() -> bool:
    """Whether a function of jax.random that is shared has been called by the program, not by another one of them."""
    names = {frame.f_code.co_name.strip("_") for frame in _frames() if frame.f_globals is _globals}
    return names <= SAMPLERS | {"normal_real", "maybe_auto_axes"}


def _in_loop() -> bool:
    """Whether this is traced once for all turns of a loop."""
    loops = [frame.f_code for frame in _frames() if frame.f_code.co_filename.endswith("control_flow/loops.py")]
    return any(code.co_name in LOOPS for code in loops)
