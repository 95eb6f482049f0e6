"""What a Keras 3 optimizer holds, for the adapters whose programs may use one. Imports no framework."""

import numpy as np

from samestep.frameworks._roles import role, slot_key


def slots(optimizer, names):
    """{slot key: optimizer variable}; names: the parameters' names in the order of the optimizer's variables.

    A kind of slot is a list attribute with one of the optimizer's own variables for each parameter
    (keras/src/optimizers/base_optimizer.py, add_optimizer_variables).
    """
    own = {id(variable) for variable in optimizer.variables}
    found = {}
    for attribute, entries in vars(optimizer).items():
        if not isinstance(entries, (list, tuple)) or len(entries) != len(names):
            continue
        for name, variable in zip(names, entries):
            if id(variable) in own:
                kind = role(type(optimizer).__name__, attribute.strip("_"))
                found[slot_key(kind, name)] = variable
    return {key: v for key, v in found.items() if not key.startswith("variables|")}


def settings(optimizer, dtype):
    """{name: {"value", "dtype"}} of the numeric settings; dtype is that of the update's arithmetic."""
    config = {name: value for name, value in optimizer.get_config().items() if isinstance(value, float)}
    config["learning_rate"] = float(np.asarray(optimizer.learning_rate))
    return {name: {"value": value, "dtype": dtype} for name, value in sorted(config.items())}


def set_settings(optimizer, values):
    """Give settings other values; a learning-rate schedule is left alone."""
    for name, value in values.items():
        if name != "learning_rate":
            setattr(optimizer, name, value)
        elif not callable(optimizer._learning_rate):
            optimizer.learning_rate = value


def is_keras_optimizer(optimizer):
    """Whether this is an optimizer of Keras 3, as tf.optimizers are too."""
    return any(cls.__module__.split(".")[0] == "keras" for cls in type(optimizer).__mro__)
