"""The line that makes one side's loss do as the other's, in its own framework's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from samestep.explain.case import Case
from samestep.explain.fitting import Fit, Settings
from samestep.explain.fixes import both_ways, shown
from samestep.explain.references.losses import BATCH_MEAN, BY_WEIGHT, MEAN, MEANS_SUM, POSITION_MEAN, SUM
from samestep.results import Cause

TORCH = {
    "cross entropy": "CrossEntropyLoss",
    "negative log-likelihood": "NLLLoss",
    "squared error": "MSELoss",
    "absolute error": "L1Loss",
    "Huber": "HuberLoss",
    "smooth L1": "SmoothL1Loss",
    "multi-class margin": "MultiMarginLoss",
    "KL divergence": "KLDivLoss",
    "Poisson": "PoissonNLLLoss",
}
KERAS = {
    "cross entropy": "SparseCategoricalCrossentropy",
    "binary cross entropy": "BinaryCrossentropy",
    "squared error": "MeanSquaredError",
    "absolute error": "MeanAbsoluteError",
    "Huber": "Huber",
    "log-cosh": "LogCosh",
    "squared logarithmic error": "MeanSquaredLogarithmicError",
    "percentage error": "MeanAbsolutePercentageError",
    "hinge": "Hinge",
    "squared hinge": "SquaredHinge",
    "categorical hinge": "CategoricalHinge",
    "KL divergence": "KLDivergence",
    "Poisson": "Poisson",
    "cosine similarity": "CosineSimilarity",
    "focal cross entropy": "CategoricalFocalCrossentropy",
    "binary focal cross entropy": "BinaryFocalCrossentropy",
}
OPTAX = {
    "cross entropy": "softmax_cross_entropy_with_integer_labels",
    "binary cross entropy": "sigmoid_binary_cross_entropy",
    "squared error": "squared_error",
    "Huber": "huber_loss",
    "log-cosh": "log_cosh",
    "hinge": "hinge_loss",
    "KL divergence": "kl_divergence",
    "Poisson": "poisson_nll_loss",
    "cosine similarity": "cosine_similarity",
    "cosine distance": "cosine_distance",
    "binary focal cross entropy": "sigmoid_focal_loss",
}
TENSORFLOW = {
    "cross entropy": "tf.nn.sparse_softmax_cross_entropy_with_logits",
    "binary cross entropy": "tf.nn.sigmoid_cross_entropy_with_logits",
    "squared error": "tf.math.squared_difference",
}
"""What each framework calls a kind of loss."""
ARGUMENTS = {
    "torch": ("label_smoothing", "ignore_index", "delta", "pos_weight"),
    "keras": ("from_logits", "label_smoothing", "ignore_index", "delta", "gamma"),
    "jax": ("delta", "gamma"),
}
"""Settings that are arguments of each framework's losses."""
RENAMED = {("keras", "ignore_index"): "ignore_class", ("torch", "smooth L1", "delta"): "beta"}
MODULES = {"jax": "jnp", "tensorflow": "tf", "tensorflow1": "tf"}


def loss_line(framework: str, fit: Fit, setting: str, other: Fit) -> str:
    """The line that gives a loss of this framework, which does as `fit`, a setting of the other one."""
    value = other.settings.get(setting)
    family = "keras" if framework in ("keras", "tf_keras", "keras2") else framework
    if "loss_weights" in fit.settings:
        return _line_of_several(family, setting, value)
    made = _name(framework, other.settings if setting == "kind" else fit.settings)
    if setting == "kind":
        return f"{made}(…)"
    if setting in ARGUMENTS.get(family, ()) and _takes(family, setting, fit.settings) and value is not None:
        name = RENAMED.get((family, fit.settings["kind"], setting)) or RENAMED.get((family, setting), setting)
        return f"{made}(…, {name}={shown(value)})"
    if setting in ("from_logits", "probabilities"):
        return _given_line(family, made, other.settings)
    if setting == "reduction":
        return _reduction_line(family, made, str(value))
    return LINES[setting](family, value) if setting in LINES else f"{made} with {setting} {shown(value)}"


def loss_cause(case: Case, difference: tuple[str, Any, Any], pair: tuple[Fit, Fit]) -> Cause:
    """A confirmed setting in which the losses differ, with the line for either side."""
    setting, left, right = difference
    fix = both_ways(case, lambda framework, side: loss_line(framework, pair[side], setting, pair[1 - side]))
    return Cause("loss", setting, left, right, True, fix)


def _line_of_several(family: str, setting: str, value: Any) -> str:
    """value: the setting of each output."""
    if setting == "loss_weights" and family == "keras":
        return f"model.compile(…, loss_weights={value})"
    if setting == "loss_weights":
        return "loss = " + " + ".join(f"{shown(weight)} * loss of {name}" for name, weight in value.items())
    return "losses with " + ", ".join(f"{setting} {shown(one)} of {name}" for name, one in value.items())


def link_cause(case: Case, pair: tuple[Fit, Fit], shares: tuple[bool, bool]) -> Cause:
    """One side's outputs are probabilities, the other's logits, and both losses take them for the same.

    shares: which side's are probabilities.
    """
    taken = pair[0].settings["from_logits"]
    values = [f"{taken}, of {('logits', 'probabilities')[is_share]}" for is_share in shares]

    def line(framework: str, side: int) -> str:
        settings = pair[side].settings
        family, made = "keras" if "keras" in framework else framework, _name(framework, settings)
        wrong = shares[side] == taken
        wanted = {**settings, "from_logits": not taken}
        return _given_line(family, made, wanted) if wrong else "the outputs' activation twice, as the other side has it"

    return Cause("loss", "from_logits", values[0], values[1], True, both_ways(case, line))


def _name(framework: str, settings: Settings) -> str:
    kind = settings["kind"]
    if framework == "torch" and kind == "binary cross entropy":
        return "torch.nn.BCEWithLogitsLoss" if settings["from_logits"] else "torch.nn.BCELoss"
    homes: Mapping[str, tuple[str, Mapping[str, str]]] = {
        "torch": ("torch.nn.", TORCH),
        "keras": ("keras.losses.", KERAS),
        "keras2": ("keras.losses.", KERAS),
        "tf_keras": ("tf_keras.losses.", KERAS),
        "jax": ("optax.", OPTAX),
        "tensorflow": ("", TENSORFLOW),
        "tensorflow1": ("", TENSORFLOW),
    }
    home, names = homes.get(framework, ("", {}))
    return home + names[kind] if kind in names else f"{kind} by hand"


def _takes(family: str, setting: str, settings: Settings) -> bool:
    """Whether the loss of this kind has the argument."""
    if setting == "label_smoothing" and family == "torch":
        return bool(settings["kind"] == "cross entropy")
    return setting != "pos_weight" or bool(settings.get("from_logits"))


def _given_line(family: str, made: str, wanted: Settings) -> str:
    if family == "keras":
        return f"{made}(…, from_logits={wanted['from_logits']})"
    binary = wanted["kind"].startswith("binary")
    if wanted["from_logits"]:
        return "a loss of logits, given the outputs as they are" if family != "torch" else _name("torch", wanted)
    if family == "torch":
        return (
            "torch.nn.BCELoss()"
            if binary
            else "torch.nn.NLLLoss() of torch.log(outputs), since outputs are probabilities"
        )
    return "a loss of probabilities, such as minus the logarithm of the target's, since outputs are probabilities"


def _reduction_line(family: str, made: str, value: str) -> str:
    if family == "torch" and value in (MEAN, SUM):
        return f"{made}(…, reduction='{value}')"
    if (family == "keras" and value in (MEAN, MEANS_SUM)) or (value == SUM and "ategorical" in made):
        return f'{made}(…, reduction="{"sum_over_batch_size" if value == MEAN else "sum"}")'
    if family == "keras" and value == SUM:
        return f'{made}(…, reduction="sum") times the length of the last axis, over which it takes the mean'
    module = MODULES.get(family, family if family == "torch" else "keras.ops")
    plain = {"torch": "reduction='none'", "keras": "reduction=None"}.get(family, "no reduction")
    add, mean = ("reduce_sum", "reduce_mean") if module == "tf" else ("sum", "mean")
    how = {
        MEAN: f"{module}.{mean}(losses)",
        SUM: f"{module}.{add}(losses)",
        BATCH_MEAN: f"{module}.{add}(losses) / len(losses)",
        MEANS_SUM: f"{module}.{add}({module}.{mean}(losses, -1))",
        POSITION_MEAN: f"{module}.{mean}({module}.{add}(losses, -1))",
        BY_WEIGHT: f"{module}.{add}(weights * losses) / {module}.{add}(weights)",
    }
    return f"{how.get(value, value)} of {made} with {plain}"


def _smoothing_line(family: str, value: float) -> str:
    if family == "jax":
        return f"optax.softmax_cross_entropy(outputs, optax.smooth_labels(one_hot(targets), {shown(value)}))"
    return f"targets * (1 - {shown(value)}) + {shown(value)} / classes in the place of targets (classes: 2 if they are binary)"


def _weights_line(family: str, value: Any) -> str:
    if value is None:
        return "no weights of classes"
    weights = ", ".join(f"{shown(weight)}" for weight in value.values())
    if family == "torch":
        return f"torch.nn.CrossEntropyLoss(…, weight=torch.tensor([{weights}])), which takes the mean by weight"
    if family == "keras":
        return f"model.fit(…, class_weight={value})"
    return f"multiply each row's loss by [{weights}] at its class"


LINES: Mapping[str, Callable[[str, Any], str]] = {
    "label_smoothing": _smoothing_line,
    "class_weight": _weights_line,
    "ignore_index": lambda family, value: "count all targets" if value is None else f"weight 0 for targets {value}",
    "scale": lambda family, value: "do not scale the loss" if value == 1 else f"multiply the loss by {shown(value)}",
    "pos_weight": lambda family, value: f"multiply the terms of targets 1 by {shown(value)}",
    "broadcast": lambda family, value: (
        "outputs of shape (N, 1) with targets of shape (N,)"
        if value
        else "outputs and targets of one shape: targets.reshape(outputs.shape)"
    ),
}
"""Settings that are not arguments."""
