"""What a Keras 3 optimizer holds, for the adapters whose programs may use one. Imports no framework."""

from __future__ import annotations

import contextlib
from typing import Any, Dict, Iterator, List, Mapping, Tuple

import numpy as np

from samestep.errors import ProgramError
from samestep.frameworks._roles import role, slot_key

Pairs = List[Tuple[Any, Any]]


def slots(optimizer: Any, parameters: Mapping[str, Any]) -> Dict[str, Any]:
    """{slot key: optimizer variable}; parameters: {name: variable}, in any order.

    A kind of slot is a list attribute with one of the optimizer's own variables for each variable that it was
    built for, or None where that needs no slot (keras/src/optimizers/base_optimizer.py, add_optimizer_variables).
    """
    own = {id(variable) for variable in optimizer.variables}
    names = {id(handle): name for name, v in parameters.items() for handle in (v, getattr(v, "_value", v))}
    built_for = [names.get(id(variable)) for variable in optimizer._trainable_variables]
    found: Dict[str, Any] = {}
    for attribute, entries in vars(optimizer).items():
        if attribute in NOT_SLOTS or not isinstance(entries, (list, tuple)) or len(entries) != len(built_for):
            continue
        kind = role(type(optimizer).__name__, attribute.strip("_"))
        found.update((slot_key(kind, n), v) for n, v in zip(built_for, entries) if n is not None and id(v) in own)
    return found


NOT_SLOTS = ("_variables", "_trainable_variables")


def counter(optimizer: Any) -> Any:
    """The variable that counts updates; with accumulated gradients, the batches that were given."""
    return optimizer._iterations


def follow(optimizer: Any, step: int) -> None:
    """Set what follows from the number of updates alone: Nadam's product of its momentum schedule.

    keras/src/optimizers/nadam.py: the product over t = 1 … step of beta_1 (1 - 0.96**t / 2).
    """
    product = getattr(optimizer, "_u_product", None)
    if product is not None:
        factors = optimizer.beta_1 * (1 - 0.5 * 0.96 ** np.arange(1, step + 1, dtype=np.float64))
        product.assign(np.prod(factors))


def array(value: Any) -> np.ndarray:
    """A variable, tensor or number as an array of its own; NumPy 2 warns of TensorFlow's way to make one."""
    if hasattr(value, "detach"):  # PyTorch's, which may be on another device and in a precision that NumPy lacks
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return np.array(value.numpy() if hasattr(value, "numpy") else value)


@contextlib.contextmanager
def noting(optimizer: Any, updating: bool = False) -> Iterator[Pairs]:
    """For the time of the block the optimizer notes the (gradient, variable) pairs that it is given, and nothing else.

    updating: it updates as well.
    """
    given: Pairs = []

    def apply(grads: Any, trainable_variables: Any = None) -> None:
        grads = list(grads)
        given.extend(zip(grads, optimizer._trainable_variables if trainable_variables is None else trainable_variables))
        if updating:
            original(grads, trainable_variables)

    def apply_gradients(grads_and_vars: Any, *args: Any, **kwargs: Any) -> None:
        pairs = list(grads_and_vars)
        given.extend(pairs)
        if updating:
            original(pairs, *args, **kwargs)

    # Keras's apply_gradients and stateless_apply end in apply: keras/src/optimizers/base_optimizer.py
    name, note = ("apply", apply) if is_keras_optimizer(optimizer) else ("apply_gradients", apply_gradients)
    original = getattr(optimizer, name)
    setattr(optimizer, name, note)
    try:
        yield given
    finally:
        delattr(optimizer, name)


def given_by_name(given: Pairs, parameters: Mapping[str, Any], whose: str) -> Dict[str, Any]:
    """{parameter: gradient, or None}, in the order of the parameters; whose: the step that gave them, for the error.

    Raises ProgramError unless each parameter came exactly once.
    """
    names = {id(handle): name for name, v in parameters.items() for handle in (v, getattr(v, "_value", v))}
    gradients = {names.get(id(variable), "?"): gradient for gradient, variable in given}
    if len(given) != len(parameters) or set(gradients) != set(parameters):
        raise ProgramError(
            "{} gave its optimizer {} gradients, and the program has {} trainable variables.\nObserved is a step that gives the "
            "optimizer each of them once, in one call or in several.".format(whose, len(given), len(parameters))
        )
    return {name: gradients[name] for name in parameters}


def settings(optimizer: Any, dtype: str) -> Dict[str, Dict[str, Any]]:
    """{name: {"value", "dtype"}} of the numeric settings; dtype is that of the update's arithmetic."""
    config = {name: value for name, value in optimizer.get_config().items() if isinstance(value, float)}
    config["learning_rate"] = float(array(optimizer.learning_rate))
    return {name: {"value": value, "dtype": dtype} for name, value in sorted(config.items())}


def set_settings(optimizer: Any, values: Mapping[str, float]) -> None:
    """Give settings other values; a learning-rate schedule is left alone."""
    for name, value in values.items():
        if name != "learning_rate":
            setattr(optimizer, name, value)
        elif not callable(optimizer._learning_rate):
            optimizer.learning_rate = value


def constants(optimizer: Any) -> str:
    """The settings that a compiled step holds as constants: all but the learning rate, which it reads."""
    return str({name: entry["value"] for name, entry in settings(optimizer, "").items() if name != "learning_rate"})


def is_keras_optimizer(optimizer: Any) -> bool:
    """Whether this is an optimizer of Keras 3, as tf.optimizers are too."""
    return any(cls.__module__.split(".")[0] == "keras" for cls in type(optimizer).__mro__)
