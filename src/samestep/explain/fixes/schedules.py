"""The line that makes one side's learning rate go as the other's."""

from __future__ import annotations

from typing import Any

from samestep.explain.case import Case
from samestep.explain.fixes import both_ways, shown
from samestep.results import Cause

HOMES = {
    "keras": "keras.optimizers.schedules",
    "tf_keras": "tf_keras.optimizers.schedules",
    "tensorflow": "tf.optimizers.schedules",
    "tensorflow1": "tf.compat.v1.train",
    "keras2": "keras.callbacks.LearningRateScheduler",
    "torch": "torch.optim.lr_scheduler",
    "jax": "optax",
}
KINDS = {
    "keras": {
        "exponential": "ExponentialDecay",
        "inverse_time": "InverseTimeDecay",
        "polynomial": "PolynomialDecay",
        "cosine": "CosineDecay",
        "piecewise": "PiecewiseConstantDecay",
    },
    "torch": {
        "exponential": "StepLR",
        "polynomial": "PolynomialLR",
        "cosine": "CosineAnnealingLR",
        "piecewise": "MultiStepLR",
    },
    "jax": {
        "exponential": "exponential_decay",
        "polynomial": "polynomial_schedule",
        "cosine": "cosine_decay_schedule",
        "piecewise": "piecewise_constant_schedule",
    },
}
"""What each framework calls a kind of schedule; TensorFlow's names are Keras's."""
NAMES = {
    "torch": {"learning_rate": "lr of the optimizer", "decay_rate": "gamma", "decay_steps": "step_size"},
    "jax": {"learning_rate": "init_value", "decay_steps": "transition_steps", "end_rate": "end_value"},
    "keras": {"learning_rate": "initial_learning_rate", "end_rate": "end_learning_rate"},
}


NAME_OF_RATE = {"torch": "lr", "keras2": "lr"}


def schedule_line(framework: str, setting: str, value: Any, other: Any) -> str:
    """What to write in this framework for a setting of the schedule to be as on the other side."""
    home = HOMES.get(framework, "the schedule")
    if setting == "offset":
        return _moved_line(framework, value - other)
    if setting == "unit":
        return _unit_line(framework, value)
    if setting == "kind":
        kinds = KINDS.get(framework, KINDS["keras"])
        return "a constant learning rate" if value == "constant" else f"{home}.{kinds.get(value, value)}(…)"
    name = NAMES.get(framework, NAMES["keras"]).get(setting, setting)
    return f"{home}: {name}={shown(value) if value is not None else 'none'}"


def _moved_line(framework: str, more: int) -> str:
    """A schedule that is ahead by so many updates more than now."""
    if framework == "torch" and more == -1:
        return "scheduler.step() after optimizer.step(), not before it"
    if framework == "torch":
        return (
            f"step the scheduler {abs(more)} {'more times before' if more > 0 else 'times less often before'} training"
        )
    return f"schedule(step {'+' if more > 0 else '-'} {abs(more)}) in the place of schedule(step)"


def _unit_line(framework: str, unit: str) -> str:
    if framework == "torch":
        return "scheduler.step() once an epoch" if unit == "epoch" else "scheduler.step() after every optimizer.step()"
    if unit == "epoch":
        return "count the schedule's steps in epochs: decay steps times the updates of an epoch, with staircase=True"
    return "count the schedule's steps in updates"


def schedule_cause(case: Case, setting: str, left: Any, right: Any) -> Cause:
    """A confirmed setting in which the schedules differ, with the line for either side."""
    values = (left, right)
    fix = both_ways(case, lambda framework, side: schedule_line(framework, setting, values[1 - side], values[side]))
    return Cause("schedule", setting, left, right, True, fix)


def rate_cause(case: Case, setting: str, left: Any, right: Any) -> Cause:
    """A learning rate that does not change, and is the optimizer's."""

    def line(framework: str, side: int) -> str:
        return f"the optimizer's {NAME_OF_RATE.get(framework, 'learning_rate')}={shown((right, left)[side])}"

    return Cause("optimizer", setting, left, right, True, both_ways(case, line))
