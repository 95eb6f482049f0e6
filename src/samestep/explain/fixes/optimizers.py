"""The line that makes one side's optimizer do as the other's, in its own framework's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samestep.explain.case import Case
from samestep.explain.fitting import Fit
from samestep.explain.fixes import both_ways, shown
from samestep.explain.references.optimizers import AFTER, BEFORE
from samestep.results import Cause

KERAS = {
    "clip_value": "clipvalue",
    "clip_norm": "clipnorm",
    "global_clip_norm": "global_clipnorm",
    "initial_accumulator": "initial_accumulator_value",
    "l1": "l1_regularization_strength",
    "l2": "l2_regularization_strength",
}
OPTAX = {
    "beta_1": "b1",
    "beta_2": "b2",
    "epsilon": "eps",
    "rho": "decay",
    "initial_accumulator": "initial_accumulator_value",
}
TENSORFLOW_1 = {"beta_1": "beta1", "beta_2": "beta2", "rho": "decay", "nesterov": "use_nesterov"}
TORCH = {
    "learning_rate": "lr",
    "epsilon": "eps",
    "initial_accumulator": "initial_accumulator_value",
    "beta_1": "betas",
    "beta_2": "betas",
}
"""A setting's name in each framework, where it is not the one that is used here."""
CONSTRUCTORS: Mapping[str, tuple[str, Mapping[str, str], Mapping[str, str]]] = {
    "keras": ("keras.optimizers.", KERAS, {"LAMB": "Lamb"}),
    "keras2": ("keras.optimizers.", {**KERAS, "learning_rate": "lr"}, {}),
    "tf_keras": ("tf_keras.optimizers.", KERAS, {}),
    "tensorflow": ("tf.optimizers.", KERAS, {}),
    "tensorflow1": (
        "tf.compat.v1.train.",
        {**KERAS, **TENSORFLOW_1},
        {
            "SGD": "GradientDescentOptimizer",
            "Adam": "AdamOptimizer",
            "RMSprop": "RMSPropOptimizer",
            "Adagrad": "AdagradOptimizer",
        },
    ),
    "torch": ("torch.optim.", TORCH, {"Nadam": "NAdam"}),
    "jax": (
        "optax.",
        OPTAX,
        {name: name.lower() for name in ("SGD", "Adam", "Nadam", "Adamax", "RMSprop", "LAMB", "Lion")},
    ),
}
"""Per framework: where its optimizers are, how it calls their settings, and them."""
CLIPPING = {
    ("torch", "clip_value"): "torch.nn.utils.clip_grad_value_(model.parameters(), {value}) before optimizer.step()",
    (
        "torch",
        "clip_norm",
    ): "for p in model.parameters(): torch.nn.utils.clip_grad_norm_([p], {value}), before optimizer.step()",
    (
        "torch",
        "global_clip_norm",
    ): "torch.nn.utils.clip_grad_norm_(model.parameters(), {value}) before optimizer.step()",
    ("jax", "clip_value"): "optax.chain(optax.clip({value}), …)",
    ("jax", "clip_norm"): "optax.chain(optax.per_leaf_clip_by_norm({value}), …)",
    ("jax", "global_clip_norm"): "optax.chain(optax.clip_by_global_norm({value}), …)",
    ("tensorflow1", "clip_value"): "tf.clip_by_value(gradient, -{value}, {value}) before apply_gradients",
    ("tensorflow1", "clip_norm"): "tf.clip_by_norm(gradient, {value}) before apply_gradients",
    ("tensorflow1", "global_clip_norm"): "tf.clip_by_global_norm(gradients, {value}) before apply_gradients",
}
ACCUMULATION = {
    "torch": "optimizer.step() after every {value} batches, of the mean of their losses",
    "jax": "optax.MultiSteps({made}(…), {value})",
    "keras": "{made}(…, gradient_accumulation_steps={value})",
}
TENSORS = {
    "torch": "two parameter groups, one of them with weight_decay=0 for those that the other side leaves alone",
    "jax": "its mask argument, True for the tensors that the other side decays",
    "keras": "optimizer.exclude_from_weight_decay(var_list=[…]) for those that the other side leaves alone",
}
"""How the tensors that decay are chosen."""
FORMS = (
    "momentum_product",
    "epsilon_place",
    "momentum_form",
    "first_undampened",
    "amsgrad_form",
    "bias_correction",
    "initial_accumulator",
)
"""Settings that are the way in which a framework computes: none of its arguments changes them."""


def optimizer_line(framework: str, fit: Fit, setting: str, other: Fit) -> str:
    """The line that gives an optimizer of this framework, which does as `fit`, a setting of the other one."""
    home, names, classes = CONSTRUCTORS.get(framework, ("", {}, {}))
    algorithm = other.variant.name if setting == "algorithm" else fit.variant.name
    made, value = home + classes.get(algorithm, algorithm), other.settings.get(setting)
    if setting == "algorithm":
        return f"{made}(…)"
    if setting == "weight_decay_tensors":
        return f"{made}: {TENSORS.get(framework, 'decay the weights of the same tensors as the other side')}"
    if setting.startswith("weight_decay"):
        return _decay_line(framework, made, other)
    if setting == "epsilon_place" and {value, fit.settings[setting]} == {BEFORE, AFTER}:
        return _moved_epsilon(framework, made, other)
    if setting == "accumulation_steps":
        line = ACCUMULATION.get(framework, "{made} once in {value} batches")
        return made + "(…) at every batch" if value == 1 else line.format(made=made, value=value)
    if setting in FORMS and setting not in names:
        return f"{made} has no argument for it; an update with {setting.replace('_', ' ')} {value} has to be written by hand"
    if (framework, setting) in CLIPPING:
        return "do not clip gradients" if value is None else CLIPPING[framework, setting].format(value=shown(value))
    if names.get(setting) == "betas":
        return f"{made}(…, betas=({shown(other.settings['beta_1'])}, {shown(other.settings['beta_2'])}))"
    return f"{made}(…, {names.get(setting, setting)}={shown(value)})"


def _moved_epsilon(framework: str, made: str, other: Fit) -> str:
    """The epsilon of step t that makes the same update: one before the bias correction is eps / sqrt(1 - beta_2**t) after it."""
    sign = "/" if other.settings["epsilon_place"] == BEFORE else "*"
    value = f"{shown(other.settings['epsilon'])} {sign} (1 - {shown(other.settings['beta_2'])} ** t) ** 0.5"
    if framework == "torch":
        return f"for group in optimizer.param_groups: group['eps'] = {value}, before step t = 1, 2, … of {made}"
    name = CONSTRUCTORS.get(framework, ("", {}, {}))[1].get("epsilon", "epsilon")
    return f"{made} with {name} = {value} at step t = 1, 2, …"


def _decay_line(framework: str, made: str, other: Fit) -> str:
    """Weight decay as the other side has it: decoupled in Keras's optimizers and AdamW, coupled in PyTorch's others."""
    form, value = other.settings.get("weight_decay_form"), shown(other.settings["weight_decay"])
    if form == "coupled" and framework in ("keras", "tf_keras", "tensorflow"):
        return f"{made}(…, weight_decay=None), and add {value} / 2 times the sum of squared weights to the loss"
    if form == "coupled" and framework == "jax":
        return f"optax.chain(optax.add_decayed_weights({value}), {made}(…))"
    if form == "decoupled" and framework in ("torch", "jax") and made.endswith(("Adam", "adam")):
        return f"{made}{'W' if framework == 'torch' else 'w'}(…, weight_decay={value})"
    if form == "decoupled" and framework == "jax":
        return f"optax.chain({made}(…), optax.add_decayed_weights(-{value} * learning_rate))"
    return f"{made}(…, weight_decay={value})"


def optimizer_cause(case: Case, difference: tuple[str, Any, Any], pair: tuple[Fit, Fit]) -> Cause:
    """A confirmed setting in which the optimizers differ, with the line for either side."""
    setting, left, right = difference
    fix = both_ways(case, lambda framework, side: optimizer_line(framework, pair[side], setting, pair[1 - side]))
    return Cause("optimizer", setting, left, right, True, fix)
