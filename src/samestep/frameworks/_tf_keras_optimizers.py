"""What an optimizer of Keras 2 on TensorFlow 2 holds: the new ones, and those of `optimizers.legacy` (OptimizerV2).

Sources: tf_keras/src/optimizers/*.py and tf_keras/src/optimizers/legacy/*.py. Imports no framework.
"""

from __future__ import annotations

from typing import Any, Dict, List, Mapping

import numpy as np

from samestep.frameworks._keras_optimizers import array
from samestep.frameworks._roles import role_of, slot_key

NOT_SLOTS = ("_variables",)


def is_legacy(optimizer: Any) -> bool:
    """Whether it is an OptimizerV2, whose slots are made by name and whose settings may be variables."""
    return hasattr(optimizer, "get_slot_names")


def build(optimizer: Any, variables: List[Any]) -> None:
    """Make the slots, as the first update would."""
    if is_legacy(optimizer):
        optimizer._create_all_weights(variables)
    else:
        optimizer.build(variables)


def variables(optimizer: Any) -> List[Any]:
    """All variables of the optimizer, with the learning rate and other settings that are variables."""
    held = list(optimizer.weights if is_legacy(optimizer) else optimizer.variables)
    settings = optimizer._hyper.values() if is_legacy(optimizer) else vars(optimizer).values()
    found = {id(v): v for v in [*held, *settings] if hasattr(v, "assign") and hasattr(v, "numpy")}
    return list(found.values())


def slots(optimizer: Any, parameters: Mapping[str, Any]) -> Dict[str, Any]:
    """{slot key: variable}; parameters: {name: variable}."""
    return (_legacy_slots if is_legacy(optimizer) else _slots)(optimizer, parameters)


def _legacy_slots(optimizer: Any, parameters: Mapping[str, Any]) -> Dict[str, Any]:
    return {
        slot_key(role_of(optimizer, slot), name): optimizer.get_slot(variable, slot)
        for slot in optimizer.get_slot_names()
        for name, variable in parameters.items()
    }


def _slots(optimizer: Any, parameters: Mapping[str, Any]) -> Dict[str, Any]:
    """A kind of slot is a list attribute with one of the optimizer's own variables for each variable it was built for.

    SGD makes one without momentum too, that nothing is read from.
    """
    own = {id(variable) for variable in optimizer.variables}
    idle = {"momentums"} if getattr(optimizer, "momentum", None) == 0 else set()
    places = {name: optimizer._index_dict[optimizer._var_key(v)] for name, v in parameters.items()}
    found: Dict[str, Any] = {}
    for attribute, entries in vars(optimizer).items():
        lists = isinstance(entries, (list, tuple)) and len(entries) == len(places)
        if not lists or attribute in NOT_SLOTS or attribute.strip("_") in idle:
            continue
        kind = role_of(optimizer, attribute.strip("_"))
        found.update((slot_key(kind, n), entries[i]) for n, i in places.items() if id(entries[i]) in own)
    return found


def follow(optimizer: Any, step: int) -> None:
    """Set what follows from the number of updates alone: Nadam's product of its momentum schedule.

    optimizers/nadam.py: over t = 1 … step of beta_1 (1 - 0.96**t / 2); legacy/nadam.py: 0.96**(decay t).
    """
    product = getattr(optimizer, "_m_cache" if is_legacy(optimizer) else "_u_product", None)
    if product is not None:
        decay = optimizer._initial_decay if is_legacy(optimizer) else 1.0
        powers = 0.96 ** (decay * np.arange(1, step + 1, dtype=np.float64))
        product.assign(np.prod(float(array(optimizer.beta_1)) * (1 - 0.5 * powers)))


def differs_compiled(optimizer: Any) -> bool:
    """Whether a compiled update is another than an eager one: so is that of the new Nadam.

    It decides in Python, at the time of tracing, for which weights its product has been taken in this step:
    optimizers/nadam.py, update_step. Compiled, it is taken again for most of them.
    """
    return hasattr(optimizer, "_u_product_counter")


def prepare(optimizer: Any, eager: bool) -> None:
    """Let an eager step go by the updates done, and a step that is traced now be as a new optimizer's is."""
    if differs_compiled(optimizer):
        optimizer._u_product_counter = 1 + (int(array(optimizer.iterations)) if eager else 0)


def learning_rate(optimizer: Any) -> float:
    """The learning rate of the next update, from a schedule or decayed where the optimizer does so."""
    if is_legacy(optimizer):
        if hasattr(optimizer, "_m_cache"):  # legacy/nadam.py takes its decay for the momentum
            return float(array(optimizer._get_hyper("learning_rate")))
        return float(array(optimizer._decayed_lr("float32")))
    rate = optimizer._learning_rate
    return float(array(rate(optimizer.iterations) if callable(rate) else rate))


def settings(optimizer: Any, dtype: str) -> Dict[str, Dict[str, Any]]:
    """{name: {"value", "dtype"}} of the numeric settings; dtype is that of the update's arithmetic."""
    found = {n: float(v) for n, v in optimizer.get_config().items() if isinstance(v, (float, np.floating))}
    found.pop("decay", None)  # a part of the learning rate, or of Nadam's momentum
    found["learning_rate"] = learning_rate(optimizer)
    return {name: {"value": value, "dtype": dtype} for name, value in sorted(found.items())}


def set_settings(optimizer: Any, values: Mapping[str, float]) -> None:
    """Give settings other values; a learning-rate schedule is left alone."""
    for name, value in values.items():
        if name != "learning_rate":
            setattr(optimizer, name, value)
        elif not is_scheduled(optimizer):
            optimizer.learning_rate = value


def is_scheduled(optimizer: Any) -> bool:
    """Whether the learning rate follows from the number of updates, by a schedule or by a decay."""
    if is_legacy(optimizer):
        decays = optimizer._initial_decay > 0 and not hasattr(optimizer, "_m_cache")
        return decays or callable(getattr(optimizer._hyper["learning_rate"], "get_config", None))
    return callable(optimizer._learning_rate)


def constants(optimizer: Any) -> str:
    """The settings that a compiled step holds as constants: all but the learning rate and other variables, which it reads."""
    read = ("learning_rate", *(optimizer._hyper if is_legacy(optimizer) else ()))
    return str({name: entry["value"] for name, entry in settings(optimizer, "").items() if name not in read})
