"""Optimizers: from gradients to updates, as the frameworks compute them.

Every rule is ``rule(step) -> update``: the new parameters minus the old ones, float64, of the shape of the gradient. What
it carries from one step to the next is in ``step.slots``, which starts empty.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from samestep.explain.fitting import Variant

Array = NDArray[Any]
Settings = Mapping[str, Any]


@dataclass(frozen=True)
class Updates:
    """Updates one after another, as a program was asked to make them.

    parameters: before each update; gradients: given to it; both float64 (updates, elements) of all tensors in a row.
    rates: the learning rate of each update relative to the first one. tensors: where each tensor's elements lie.
    decays: 1 for elements of tensors whose weights decay, else 0.
    """

    parameters: Array
    gradients: Array
    rates: Array
    tensors: tuple[slice, ...]
    decays: Array


@dataclass
class Step:
    """One update: gradient and parameters (elements,), its number from 1, the learning rate, and the slots so far."""

    gradient: Array
    parameters: Array
    number: int
    rate: float
    tensors: Sequence[slice]
    slots: dict[str, Array] = field(default_factory=dict)

    def slot(self, name: str, initial: float = 0.0) -> Array:
        """A slot, with this value everywhere until it is set."""
        return self.slots.get(name, np.full_like(self.gradient, initial))


Rule = Callable[[Step, Settings], Array]


def compute(rule: Rule, given: Updates, settings: Settings) -> Array:
    """The updates that a rule makes, float64 (updates, elements): clipped and decayed as the settings say."""
    slots: dict[str, Array] = {}
    made: list[Array] = []
    every = settings.get("accumulation_steps", 1)
    for number, (gradient, before, relative) in enumerate(_accumulated(given, every), 1):
        rate = settings["learning_rate"] * relative
        clipped = _clipped(gradient, given.tensors, settings)
        decaying = before * given.decays
        step = Step(_decayed(clipped, decaying, settings), before, number, rate, given.tensors, slots)
        made += [np.zeros_like(before)] * (every - 1)
        made.append(rule(step, settings) - _decay(decaying, rate, settings))
    return np.array(made)


def _accumulated(given: Updates, every: int) -> Iterator[tuple[Array, Array, float]]:
    """Gradient, parameters and relative rate of each update that is made: once in so many batches, from their mean.

    optax.MultiSteps; keras/src/optimizers/base_optimizer.py, gradient_accumulation_steps.
    """
    for last in range(every - 1, len(given.gradients), every):
        yield given.gradients[last - every + 1 : last + 1].mean(0), given.parameters[last], given.rates[last]


def sgd(step: Step, s: Settings) -> Array:
    """Gradient descent with momentum.

    Rate inside: keras/src/optimizers/sgd.py, Sutskever et al. 2013. Rate outside: torch/optim/sgd.py, whose first velocity
    is the gradient undampened; optax.trace; tensorflow/core/kernels/training_ops.cc, ApplyMomentum.
    """
    g, rate, momentum = step.gradient, step.rate, s["momentum"]
    if s["momentum_form"] == RATE_INSIDE:
        velocity = step.slots["velocity"] = momentum * step.slot("velocity") - rate * g
        return np.asarray(momentum * velocity - rate * g if s["nesterov"] else velocity)
    share = 1.0 if step.number == 1 and s["first_undampened"] else 1.0 - s["dampening"]
    velocity = step.slots["velocity"] = momentum * step.slot("velocity") + share * g
    return np.asarray(-rate * (g + momentum * velocity if s["nesterov"] else velocity))


def adam(step: Step, s: Settings) -> Array:
    """Adam (Kingma and Ba 2015), AMSGrad (Reddi et al. 2018), and optax's Nesterov form of it.

    Epsilon before the bias correction: keras/src/optimizers/adam.py and ApplyAdam, the paper's "epsilon hat"; after it:
    torch/optim/adam.py, optax.scale_by_adam; inside the root: optax's eps_root. AMSGrad takes the largest second
    moment before its correction (Keras, PyTorch) or after it (optax).
    """
    g, t, beta_1, beta_2 = step.gradient, step.number, s["beta_1"], s["beta_2"]
    mean = step.slots["mean"] = beta_1 * step.slot("mean") + (1 - beta_1) * g
    square = step.slots["square"] = beta_2 * step.slot("square") + (1 - beta_2) * g**2
    correction_1, correction_2 = (1 - beta_1**t, 1 - beta_2**t) if s["bias_correction"] else (1.0, 1.0)
    if s["amsgrad"]:
        weight = correction_2 if s["amsgrad_form"] == CORRECTED else 1.0
        largest = step.slots["largest"] = np.maximum(step.slot("largest"), square / weight)
        square = largest * weight
    direction = mean / correction_1
    if s["nesterov"]:
        direction = beta_1 * mean / (1 - beta_1 ** (t + 1)) + (1 - beta_1) * g / correction_1
    return np.asarray(-step.rate * direction / _root(square, correction_2, s))


def radam(step: Step, s: Settings) -> Array:
    """Rectified Adam (Liu et al. 2020): torch/optim/radam.py (epsilon before the correction), optax.radam (after it)."""
    g, t, beta_1, beta_2 = step.gradient, step.number, s["beta_1"], s["beta_2"]
    mean = step.slots["mean"] = beta_1 * step.slot("mean") + (1 - beta_1) * g
    square = step.slots["square"] = beta_2 * step.slot("square") + (1 - beta_2) * g**2
    most = 2 / max(1 - beta_2, 1e-300) - 1
    length = most - 2 * t * beta_2**t / max(1 - beta_2**t, 1e-300)
    direction = mean / (1 - beta_1**t)
    if length < RECTIFIED:
        return np.asarray(-step.rate * direction)
    rectified = np.sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
    return np.asarray(-step.rate * rectified * direction / _root(square, 1 - beta_2**t, s))


def adabelief(step: Step, s: Settings) -> Array:
    """AdaBelief (Zhuang et al. 2020), whose second epsilon is added up in the slot: optax.scale_by_belief."""
    g, t, beta_1, beta_2 = step.gradient, step.number, s["beta_1"], s["beta_2"]
    mean = step.slots["mean"] = beta_1 * step.slot("mean") + (1 - beta_1) * g
    square = beta_2 * step.slot("square") + (1 - beta_2) * (g - mean) ** 2 + s["epsilon_root"]
    step.slots["square"] = square
    return np.asarray(-step.rate * _ratio(mean / (1 - beta_1**t), np.sqrt(square / (1 - beta_2**t)) + s["epsilon"]))


def lars(step: Step, s: Settings) -> Array:
    """LARS (You et al. 2017): each tensor's rate by its norm and its gradient's, before the momentum; optax.lars."""
    g = step.gradient + s["decay_inside"] * step.parameters
    made: Array = np.empty_like(g)
    for where in step.tensors:
        norms = np.linalg.norm(step.parameters[where]), np.linalg.norm(g[where])
        made[where] = g[where] * (s["trust_coefficient"] * norms[0] / norms[1] if all(norms) else 1.0)
    velocity = step.slots["velocity"] = s["momentum"] * step.slot("velocity") + step.rate * made
    return np.asarray(-(s["momentum"] * velocity + step.rate * made if s["nesterov"] else velocity))


def nadam(step: Step, s: Settings) -> Array:
    """Nadam (Dozat 2016) with its momentum schedule: keras/src/optimizers/nadam.py, torch/optim/nadam.py.

    The product of its momenta is taken once an update, but in tf_keras/src/optimizers/nadam.py, compiled, for each tensor
    again, except for that whose number is the update's.
    """
    g, t = step.gradient, step.number
    now, following = (s["beta_1"] * (1 - 0.5 * 0.96 ** (n * s["momentum_decay"])) for n in (t, t + 1))
    before, product_now = step.slot("product", 1.0), np.ones_like(g)
    factor = 1.0
    for number, where in enumerate(step.tensors):
        factor *= now if number == 0 or (s["momentum_product"] == EACH_TENSOR and number != t) else 1.0
        product_now[where] = before[where] * factor
    step.slots["product"] = before * factor
    mean = step.slots["mean"] = s["beta_1"] * step.slot("mean") + (1 - s["beta_1"]) * g
    square = step.slots["square"] = s["beta_2"] * step.slot("square") + (1 - s["beta_2"]) * g**2
    direction = following * mean / (1 - product_now * following) + (1 - now) * g / (1 - product_now)
    return np.asarray(-step.rate * direction / _root(square, 1 - s["beta_2"] ** t, s))


def adamax(step: Step, s: Settings) -> Array:
    """AdaMax (Kingma and Ba 2015). Epsilon beside the norm: keras/src/optimizers/adamax.py; in it: torch/optim/adamax.py."""
    g, epsilon = step.gradient, s["epsilon"]
    inside = epsilon if s["epsilon_place"] == IN_NORM else 0.0
    mean = step.slots["mean"] = s["beta_1"] * step.slot("mean") + (1 - s["beta_1"]) * g
    norm = step.slots["norm"] = np.maximum(s["beta_2"] * step.slot("norm"), np.abs(g) + inside)
    return np.asarray(-step.rate / (1 - s["beta_1"] ** step.number) * _ratio(mean, norm + epsilon - inside))


def rmsprop(step: Step, s: Settings) -> Array:
    """RMSprop (Tieleman and Hinton 2012).

    Epsilon inside the root: keras/src/optimizers/rmsprop.py, ApplyRMSProp, optax.rmsprop; outside: torch/optim/rmsprop.py.
    """
    g, rho = step.gradient, s["rho"]
    square = step.slots["square"] = rho * step.slot("square", s["initial_accumulator"]) + (1 - rho) * g**2
    if s["centered"]:
        mean = step.slots["mean"] = rho * step.slot("mean") + (1 - rho) * g
        square = square - mean**2
    scaled = _ratio(g, _root(np.maximum(square, 0), 1.0, s))
    inside, outside = (step.rate, 1.0) if s["momentum_form"] == RATE_INSIDE else (1.0, step.rate)
    moved = step.slots["moved"] = s["momentum"] * step.slot("moved") + inside * scaled
    return np.asarray(-outside * moved)


def adagrad(step: Step, s: Settings) -> Array:
    """Adagrad (Duchi et al. 2011).

    Epsilon inside the root: keras/src/optimizers/adagrad.py, optax.adagrad; outside: torch/optim/adagrad.py.
    """
    g = step.gradient
    total = step.slots["total"] = step.slot("total", s["initial_accumulator"]) + g**2
    rate = step.rate / (1 + (step.number - 1) * s["lr_decay"])
    return np.asarray(-rate * _ratio(g, _root(total, 1.0, s)))


def adadelta(step: Step, s: Settings) -> Array:
    """Adadelta (Zeiler 2012): keras/src/optimizers/adadelta.py, torch/optim/adadelta.py."""
    g, rho, epsilon = step.gradient, s["rho"], s["epsilon"]
    square = step.slots["square"] = rho * step.slot("square") + (1 - rho) * g**2
    delta = np.sqrt(step.slot("moved") + epsilon) * _ratio(g, np.sqrt(square + epsilon))
    step.slots["moved"] = rho * step.slot("moved") + (1 - rho) * delta**2
    return np.asarray(-step.rate * delta)


def lion(step: Step, s: Settings) -> Array:
    """Lion (Chen et al. 2023): keras/src/optimizers/lion.py, optax.lion."""
    g, mean = step.gradient, step.slot("mean")
    step.slots["mean"] = s["beta_2"] * mean + (1 - s["beta_2"]) * g
    return np.asarray(-step.rate * np.sign(s["beta_1"] * mean + (1 - s["beta_1"]) * g))


def ftrl(step: Step, s: Settings) -> Array:
    """FTRL-proximal (McMahan et al. 2013): keras/src/optimizers/ftrl.py, ApplyFtrl."""
    g, power, rate = step.gradient, -s["learning_rate_power"], step.rate
    before = step.slot("total", s["initial_accumulator"])
    total = step.slots["total"] = before + g**2
    linear = step.slot("linear") + g - (total**power - before**power) / rate * step.parameters
    step.slots["linear"] = linear
    quadratic = total**power / rate + 2 * s["l2"]
    pulled = np.where(np.abs(linear) > s["l1"], np.sign(linear) * s["l1"] - linear, 0.0)
    return np.asarray(_ratio(pulled, quadratic) - step.parameters)


def lamb(step: Step, s: Settings) -> Array:
    """LAMB (You et al. 2020): Adam's direction with weight decay, scaled per tensor by its norm; optax.lamb, keras Lamb."""
    plain = {**s, "amsgrad": False, "nesterov": False, "bias_correction": True, "epsilon_place": AFTER}
    adams = adam(step, plain) / -step.rate + s["decay_inside"] * step.parameters
    made: Array = np.empty_like(adams)
    for where in step.tensors:
        norms = np.linalg.norm(step.parameters[where]), np.linalg.norm(adams[where])
        made[where] = -step.rate * (norms[0] / norms[1] if all(norms) else 1.0) * adams[where]
    return made


RATE_INSIDE, RATE_OUTSIDE = "learning rate inside", "learning rate outside"
BEFORE, AFTER, IN_ROOT, OUT_OF_ROOT = "before bias correction", "after bias correction", "inside root", "outside root"
RAW, CORRECTED = "largest of moments", "largest of corrected moments"
IN_NORM, BESIDE_NORM = "inside norm", "beside norm"
ONCE, EACH_TENSOR = "once an update", "for each tensor"
RECTIFIED = 5.0
"""The length of the average from which on RAdam rectifies; before, it leaves the second moment away."""

MOMENTS = {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7}
PLAIN_ADAM = {"amsgrad": False, "nesterov": False, "bias_correction": True}
ADAM_CHOICES: tuple[dict[str, Any], ...] = (
    *({**PLAIN_ADAM, "epsilon_place": place} for place in (BEFORE, AFTER, IN_ROOT)),
    *({**PLAIN_ADAM, "epsilon_place": place, "amsgrad": True, "amsgrad_form": RAW} for place in (BEFORE, AFTER)),
    {**PLAIN_ADAM, "epsilon_place": AFTER, "amsgrad": True, "amsgrad_form": CORRECTED},
    {**PLAIN_ADAM, "epsilon_place": AFTER, "bias_correction": False},
    {**PLAIN_ADAM, "epsilon_place": IN_ROOT, "bias_correction": False},
    {**PLAIN_ADAM, "epsilon_place": AFTER, "nesterov": True},
)
RMSPROP = {"learning_rate": 1e-3, "rho": 0.9, "epsilon": 1e-7, "momentum": 0.0}
ROOTS = (IN_ROOT, OUT_OF_ROOT)
FORMS = (RATE_OUTSIDE, RATE_INSIDE)


def _choices(**options: Sequence[Any]) -> list[dict[str, Any]]:
    return [dict(zip(options, chosen, strict=True)) for chosen in product(*options.values())]


def _variants() -> Iterator[tuple[str, Rule, dict[str, Any], dict[str, float]]]:
    """(algorithm, rule, choices, numbers with usual values), the simplest first."""
    plain = {"momentum_form": RATE_OUTSIDE, "nesterov": False, "first_undampened": False}
    still = {"dampening": 0.0, "momentum": 0.0}
    yield "SGD", sgd, {**plain, **still}, {"learning_rate": 0.01}
    for choices in _choices(momentum_form=FORMS, nesterov=(False, True)):
        numbers = {"learning_rate": 0.01, "momentum": 0.9}
        yield "SGD", sgd, {**plain, **still, **choices}, numbers
    for first in (True, False):
        numbers = {"learning_rate": 0.01, "momentum": 0.9, "dampening": 0.1}
        yield "SGD", sgd, {**plain, "first_undampened": first}, numbers
    for choices in ADAM_CHOICES:
        yield "Adam", adam, choices, MOMENTS
    for taken, place, decay in product((ONCE, EACH_TENSOR), (AFTER, BEFORE), (1.0, 0.004)):
        choices = {"epsilon_place": place, "momentum_product": taken}
        yield "Nadam", nadam, choices, {**MOMENTS, "momentum_decay": decay}
    for place in (BESIDE_NORM, IN_NORM):
        yield "Adamax", adamax, {"epsilon_place": place}, MOMENTS
    for choices in _choices(
        epsilon_place=ROOTS, centered=(False, True), momentum_form=FORMS, initial_accumulator=(0.0, 1.0)
    ):
        yield "RMSprop", rmsprop, choices, RMSPROP
    for place, found in product(
        ROOTS, ({}, {"initial_accumulator": 0.1}, {"initial_accumulator": 0.1, "lr_decay": 0.01})
    ):
        numbers = {"learning_rate": 0.01, "epsilon": 1e-7, **found}
        fixed = {"initial_accumulator": 0.0, "lr_decay": 0.0}
        yield "Adagrad", adagrad, {**fixed, "epsilon_place": place}, numbers
    yield "Adadelta", adadelta, {}, {"learning_rate": 1.0, "rho": 0.95, "epsilon": 1e-7}
    yield "Lion", lion, {}, {"learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.99}
    numbers = {"learning_rate": 1e-3, "initial_accumulator": 0.1, "l1": 0.0, "l2": 0.0}
    yield "Ftrl", ftrl, {"learning_rate_power": -0.5}, numbers
    yield "LAMB", lamb, {}, {**MOMENTS, "decay_inside": 0.0}
    for place in (BEFORE, AFTER):
        yield "RAdam", radam, {"epsilon_place": place}, MOMENTS
    for root in ({"epsilon": 1e-16, "epsilon_root": 1e-16}, {"epsilon": 1e-8, "epsilon_root": 1e-12}):
        yield "AdaBelief", adabelief, {}, {**MOMENTS, **root}
    for nesterov in (False, True):
        numbers = {"learning_rate": 0.1, "momentum": 0.9, "trust_coefficient": 1e-3, "decay_inside": 0.0}
        yield "LARS", lars, {"nesterov": nesterov}, numbers


DECAYS: Mapping[str, tuple[str, float]] = {
    "coupled": ("weight_decay", 0.01),
    "decoupled": ("weight_decay", 0.01),
    "decoupled, not scaled by the learning rate": ("weight_decay", 1e-4),
}
"""How weight decay enters: into the gradient (torch.optim.Adam and SGD), or into the update times the learning rate (AdamW of
PyTorch, Keras, optax) or without it (Loshchilov and Hutter 2019 with their schedule multiplier)."""

CLIPPINGS = {"value": "clip_value", "norm": "clip_norm", "global norm": "global_clip_norm"}
"""How gradients are clipped: by element, by tensor (Keras clipnorm), or by the norm of all (torch.nn.utils.clip_grad_norm_)."""


ACTING = {
    "momentum": ("momentum_form", "nesterov", "first_undampened", "dampening"),
    "dampening": ("first_undampened",),
    "weight_decay": ("weight_decay_form",),
    "epsilon": ("epsilon_place",),
}
"""Settings that have no effect where a number is zero."""


def variants(decays: bool, every: int = 1) -> list[Variant]:
    """Every way to update with unclipped gradients.

    decays: whether weights move without a gradient; every: batches whose gradients are accumulated.
    """
    forms = DECAYS.items() if decays else [("", ("", 0.0))]
    found = []
    for (name, rule, choices, numbers), (form, (setting, usual)) in product(_variants(), forms):
        made = {"clipping": "", "weight_decay_form": form, "accumulation_steps": every, **choices}
        decay = {setting: usual} if setting else {}
        made = made if setting else {**made, "weight_decay": 0.0}
        found.append(Variant(name, made, {**numbers, **decay}, _computing(rule), told))
    return found


def clipped(variant: Variant) -> list[Variant]:
    """A variant with its gradients clipped in each of the ways."""
    return [variant.with_choices(clipping=how).with_numbers(clip=1.0) for how in CLIPPINGS]


def told(settings: Settings) -> Settings:
    """The settings as users know them, without those that have no effect."""
    idle = {name for number, names in ACTING.items() if not settings.get(number, 1.0) for name in names}
    shown = {name: value for name, value in settings.items() if name not in idle | {"clipping", "clip"}}
    clips = {name: settings["clip"] if how == settings["clipping"] else None for how, name in CLIPPINGS.items()}
    return {**shown, **clips}


def _computing(rule: Rule) -> Callable[[Sequence[Updates], Settings], Array]:
    return lambda chains, settings: np.concatenate([compute(rule, given, settings) for given in chains])


def _root(square: Array, correction: float, s: Settings) -> Array:
    """The denominator, with epsilon where it belongs; correction: that of the second moment's bias."""
    epsilon, place = s["epsilon"], s["epsilon_place"]
    if place == IN_ROOT:
        return np.asarray(np.sqrt(square / correction + epsilon))
    if place == BEFORE:
        return np.asarray((np.sqrt(square) + epsilon) / np.sqrt(correction))
    return np.asarray(np.sqrt(square / correction) + epsilon)


def _ratio(above: Array, below: Array) -> Array:
    """The ratio, zero where the denominator is."""
    ratio: Array = np.divide(above, below, out=np.zeros_like(above), where=below != 0)
    return ratio


def _clipped(gradient: Array, tensors: Sequence[slice], s: Settings) -> Array:
    """keras/src/optimizers/base_optimizer.py (clipvalue, clipnorm, global_clipnorm); torch/nn/utils/clip_grad.py."""
    if s["clipping"] == "value":
        bounded: Array = np.clip(gradient, -s["clip"], s["clip"])
        return bounded
    if s["clipping"] == "global norm":
        return np.asarray(gradient * min(1.0, s["clip"] / max(float(np.linalg.norm(gradient)), 1e-300)))
    if s["clipping"] == "norm":
        scaled: Array = gradient.copy()
        for where in tensors:
            scaled[where] *= min(1.0, s["clip"] / max(float(np.linalg.norm(gradient[where])), 1e-300))
        return scaled
    return gradient


def _decayed(gradient: Array, parameters: Array, s: Settings) -> Array:
    return gradient + s["weight_decay"] * parameters if s["weight_decay_form"] == "coupled" else gradient


def _decay(parameters: Array, rate: float, s: Settings) -> Array | float:
    form = s["weight_decay_form"]
    if form == "decoupled":
        return np.asarray(rate * s["weight_decay"] * parameters)
    return np.asarray(s["weight_decay"] * parameters) if form.startswith("decoupled,") else 0.0
