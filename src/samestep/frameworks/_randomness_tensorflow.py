"""The shared stream in TensorFlow 2: in the place of the operations that all of its random functions end in.

Step and number of the next draw are variables, so that a compiled step goes on as an eager one does, and a loop draws anew in
each of its turns. Serves base TensorFlow, tf_keras and Keras 3 on TensorFlow.
"""

from __future__ import annotations

import gc
import sys
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
import tensorflow as tf

from samestep.frameworks import _randomness, _randomness_numpy
from samestep.frameworks._randomness import MASK, stream

_state: Dict[Any, Any] = {}
_replaced: List[Tuple[Any, str, Any]] = []


def install() -> None:
    """Put the stream in place, where TensorFlow runs eagerly; graphs made by hand are fed instead."""
    if not tf.executing_eagerly():
        return
    if not _state:
        with tf.init_scope():
            _state.update((name, tf.Variable(0, trainable=False, dtype=tf.int64)) for name in ("step", "number"))
    for module, name in _operations():
        _replaced.append((module, name, getattr(module, name)))
        setattr(module, name, _instead(getattr(module, name), KINDS[name.replace("_v2", "")]))


def uninstall() -> None:
    """Undo `install`."""
    while _replaced:
        setattr(*_replaced.pop())


def forget() -> None:
    """Let every tf.function be traced anew when it is called next: what it holds may draw otherwise than now."""
    if not _state:
        return
    function = type(tf.function(lambda: None))
    for found in gc.get_objects():
        if type(found) is function and hasattr(found, "_function_cache"):
            found._function_cache.clear()


def begin() -> None:
    """The variables say that a pass begins; in a traced function they will when it runs."""
    step = stream.step
    if _replaced and (isinstance(step, (int, np.integer)) or tf.is_tensor(step)):
        _state["step"].assign(tf.cast(step, tf.int64))
        _state["number"].assign(0)


def end() -> None:
    """Nothing: what is traced from now on is asked whether a pass is on."""


def words(draw: Any, step: Any, count: Any) -> Any:
    """The random words of a draw, uint32 (count,), before they are put into this side's order; all may be tensors."""
    count = tf.cast(count, tf.int64)
    seed, step, number = (_word(word) for word in (stream.word, step, draw.number))
    blocks = tf.cast(tf.range((count + 1) // 2), tf.uint32)
    counter = (blocks, tf.fill(tf.shape(blocks), number))
    pairs = _randomness.threefry((seed, step), counter, lambda word: word, _rotate)
    flat = tf.reshape(tf.stack(pairs, -1), [-1])[:count]
    return tf.where(draw.flipped, tf.bitwise.invert(flat), flat)


def uniform(words: Any, dtype: Any = tf.float32) -> Any:
    """Numbers between 0 and 1 from random words."""
    bits = _randomness.bits_of(dtype.name)
    odd = tf.bitwise.bitwise_or(_shifted_right(words, 31 - bits), tf.constant(1, tf.uint32))
    return tf.cast(odd, dtype) * tf.constant(2.0 ** -(bits + 1), dtype)


def normal(words: Any, dtype: Any = tf.float32, kind: str = "normal") -> Any:
    """Standard normal numbers from random words; kind "truncated_normal": within two standard deviations."""
    return tf.gather(_table(kind, dtype), tf.cast(_shifted_right(words, 13), tf.int32))


KINDS = {
    "random_uniform": "uniform",
    "random_standard_normal": "normal",
    "truncated_normal": "truncated_normal",
    "stateless_random_uniform": "uniform",
    "stateless_random_normal": "normal",
    "stateless_truncated_normal": "truncated_normal",
}
"""What the operations draw: tensorflow/core/ops/random_ops.cc, stateless_random_ops.cc, stateless_random_ops_v2.cc."""
MODULES = ("gen_random_ops", "gen_stateless_random_ops", "gen_stateless_random_ops_v2")


def _table(kind: str, dtype: Any) -> Any:
    """The normal numbers, as a tensor that traced functions take from outside."""
    if (kind, dtype) not in _state:
        with tf.init_scope():
            _state[kind, dtype] = tf.cast(tf.constant(_randomness_numpy.quantiles(kind)), dtype)
    return _state[kind, dtype]


def _operations() -> List[Tuple[Any, str]]:
    modules = [sys.modules.get("tensorflow.python.ops." + name) for name in MODULES]
    names = [*KINDS, *(name + "_v2" for name in KINDS)]
    return [(module, name) for module in modules for name in names if hasattr(module, name)]


def _instead(operation: Any, kind: str) -> Any:
    """A function with an operation's arguments that draws from the stream while a pass is on."""

    def drawing(shape: Any, *args: Any, **kwargs: Any) -> Any:
        result = operation(shape, *args, **kwargs)
        return _drawn(kind, shape, result.dtype) if stream.passing else result

    return drawing


def _drawn(kind: str, shape: Any, dtype: Any) -> Any:
    static = tf.get_static_value(tf.convert_to_tensor(shape), partial=True)
    _randomness.note(kind, [] if static is None else list(static))
    shape = tf.cast(shape, tf.int64)
    flat = _arranged(shape, _state["number"].assign_add(1) - 1)
    values = tf.reshape(uniform(flat, dtype) if kind == "uniform" else normal(flat, dtype, kind), shape)
    if static is not None:
        values.set_shape(list(static))
    return values


def _arranged(shape: Any, number: Any) -> Any:
    """The words of a draw of this shape, flat, in this side's order."""
    total = tf.reduce_prod(shape)
    if not stream.plan:
        return words(_randomness.Draw(number, None, None, False), _state["step"], total)
    rows = _rows(stream.plan, int(shape.shape[0]))
    row = {name: tf.gather(values, tf.minimum(number, len(stream.plan))) for name, values in rows.items()}
    number = tf.where(number < len(stream.plan), row["number"], _randomness.OWN + number)
    finer = _finer(row["finer"], shape, total)
    drawn = words(_randomness.Draw(number, None, None, row["flip"]), _state["step"], total)
    other = tf.gather(finer, tf.argsort(row["axes"]))
    return tf.reshape(tf.transpose(tf.reshape(drawn, other), row["axes"]), [-1])


def _rows(plan: Sequence[Any], rank: int) -> Dict[str, Any]:
    """A plan as constants with an entry for each draw, and a last one for the draws that it does not know.

    Axes are filled up with axes of size 1 to the same number in all entries; a finer shape of zeros stands for the draw's own.
    """
    entries = [_randomness.entry_of(plan, number) for number in range(len(plan) + 1)]
    most = max([rank, *(len(entry.get("axes") or entry.get("shape") or ()) for entry in entries)])
    axes = [list(entry.get("axes") or range(len(entry.get("shape") or ()))) for entry in entries]
    finer = [list(entry.get("shape") or ()) for entry in entries]
    return {
        "number": tf.constant([entry["draw"] for entry in entries], tf.int64),
        "flip": tf.constant([bool(entry.get("flip")) for entry in entries]),
        "axes": tf.constant([some + list(range(len(some), most)) for some in axes], tf.int32),
        "finer": tf.constant([(some + [1] * (most - len(some)) if some else [0] * most) for some in finer], tf.int64),
    }


def _finer(wanted: Any, shape: Any, total: Any) -> Any:
    """A shape in finer axes, with the size that is left open; the shape itself, filled up with ones, where none is wanted."""
    own = tf.pad(shape, [[0, tf.shape(wanted)[0] - tf.shape(shape)[0]]], constant_values=1)
    known = tf.reduce_prod(tf.maximum(wanted, 1))
    open_size = tf.where(wanted < 0, total // known, wanted)
    return tf.where(tf.reduce_all(wanted == 0), own, open_size)


def _word(number: Any) -> Any:
    return tf.cast(tf.bitwise.bitwise_and(tf.cast(number, tf.int64), MASK), tf.uint32)


def _rotate(word: Any, bits: int) -> Any:
    left = tf.bitwise.left_shift(word, tf.constant(bits, tf.uint32))
    return tf.bitwise.bitwise_or(left, _shifted_right(word, 32 - bits))


def _shifted_right(word: Any, bits: int) -> Any:
    return tf.bitwise.right_shift(word, tf.constant(bits, tf.uint32))
