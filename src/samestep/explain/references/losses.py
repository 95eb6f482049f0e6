"""Losses: from outputs and targets to one number, as the frameworks compute it.

A kind is ``terms(outputs, targets, settings)``: one term for each element, or for each position where classes
compete; float64. What the terms come to is the reduction's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_expit, log_softmax, logsumexp

from samestep.explain.fitting import Variant

Array = NDArray[Any]
Settings = Mapping[str, Any]

NEAR = 1e-3
"""Relative size of what may be left unexplained where numbers are only read off roughly."""
EPSILON = 1e-7
"""Where Keras keeps probabilities and logarithms away from zero: keras.config.epsilon()."""


@dataclass(frozen=True)
class Losses:
    """Losses that a program said for batches, one after another.

    outputs, targets: of all rows of all batches. starts: the first row of each batch. seen: the losses. states: the number of
    the state of the parameters in which each was seen, since what a loss adds for its parameters is the same within one.
    """

    outputs: Array
    targets: Array
    starts: Array
    seen: Array
    states: Array

    @cached_property
    def sizes(self) -> Array:
        """The rows of each batch."""
        return np.diff(self.starts, append=len(self.outputs))

    @cached_property
    def labels(self) -> Array | None:
        """The class numbers that targets are, as numbers, as a column of them, or one-hot; None if they are none."""
        return _labels(self.targets)

    @cached_property
    def elements(self) -> tuple[Array, Array] | None:
        """Outputs and targets of one shape; None where they do not go together."""
        if self.targets.size == self.outputs.size:
            return self.outputs, self.targets.reshape(self.outputs.shape)
        return self.classes(-1)

    @cached_property
    def every_pair(self) -> tuple[Array, Array]:
        """Each output of a batch with each of its targets, as a column and a row are broadcast."""
        rows = np.split(np.arange(len(self.outputs)), self.starts[1:])
        pairs = np.concatenate([np.stack(np.meshgrid(r, r, indexing="ij"), -1).reshape(-1, 2) for r in rows])
        return self.outputs.reshape(-1)[pairs[:, 0]], self.targets.reshape(-1)[pairs[:, 1]]

    def classes(self, axis: int) -> tuple[Array, Array] | None:
        """Outputs and targets with classes along the last axis."""
        outputs = np.moveaxis(self.outputs, axis, -1)
        if self.targets.shape == self.outputs.shape:
            return outputs, np.moveaxis(self.targets, axis, -1)
        return _with_classes(outputs, self.targets)


Terms = Callable[[Array, Array, Settings], Array]


def cross_entropy(outputs: Array, targets: Array, s: Settings) -> Array:
    """Cross entropy of classes along the last axis: torch.nn.CrossEntropyLoss, tf.nn.softmax_cross_entropy_with_logits,
    optax.softmax_cross_entropy; of probabilities keras/src/backend/*/nn.py, categorical_crossentropy.
    """
    return np.asarray(-np.sum(targets * _log_probabilities(outputs, s), axis=-1))


def focal_cross_entropy(outputs: Array, targets: Array, s: Settings) -> Array:
    """Lin et al. 2017; keras/src/losses/losses.py, categorical_focal_crossentropy without its alpha."""
    logs = _log_probabilities(outputs, s)
    return np.asarray(-np.sum((1 - np.exp(logs)) ** s["gamma"] * targets * logs, axis=-1))


def log_likelihood(outputs: Array, targets: Array, s: Settings) -> Array:
    """Minus the output of the target's class, a logarithm of a probability if all is well: torch.nn.NLLLoss."""
    return np.asarray(-np.sum(targets * outputs, axis=-1))


def binary_cross_entropy(outputs: Array, targets: Array, s: Settings) -> Array:
    """torch.nn.BCELoss and BCEWithLogitsLoss with pos_weight; tf.nn.weighted_cross_entropy_with_logits;
    keras/src/backend/*/nn.py, binary_crossentropy.
    """
    of_one, of_zero = _binary_logs(outputs, s)
    return np.asarray(-(s["pos_weight"] * targets * of_one + (1 - targets) * of_zero))


def binary_focal_cross_entropy(outputs: Array, targets: Array, s: Settings) -> Array:
    """Lin et al. 2017; torchvision.ops.sigmoid_focal_loss and keras binary_focal_crossentropy without alpha."""
    of_one, of_zero = _binary_logs(outputs, s)
    hit = targets * np.exp(of_one) + (1 - targets) * np.exp(of_zero)
    return np.asarray(-((1 - hit) ** s["gamma"]) * (targets * of_one + (1 - targets) * of_zero))


def squared_error(outputs: Array, targets: Array, s: Settings) -> Array:
    """torch.nn.MSELoss; keras/src/losses/losses.py, mean_squared_error."""
    return np.asarray((outputs - targets) ** 2)


def absolute_error(outputs: Array, targets: Array, s: Settings) -> Array:
    """torch.nn.L1Loss; keras mean_absolute_error."""
    return np.asarray(np.abs(outputs - targets))


def huber(outputs: Array, targets: Array, s: Settings) -> Array:
    """Huber 1964: torch.nn.HuberLoss, keras huber, optax.huber_loss."""
    error, delta = np.abs(outputs - targets), s["delta"]
    return np.asarray(np.where(error <= delta, 0.5 * error**2, delta * (error - 0.5 * delta)))


def smooth_l1(outputs: Array, targets: Array, s: Settings) -> Array:
    """Huber's loss divided by its delta, there called beta: torch.nn.SmoothL1Loss."""
    return np.asarray(huber(outputs, targets, s) / s["delta"])


def log_cosh(outputs: Array, targets: Array, s: Settings) -> Array:
    """Keras log_cosh, optax.log_cosh."""
    error = outputs - targets
    return np.asarray(np.logaddexp(error, -error) - np.log(2))


def squared_log_error(outputs: Array, targets: Array, s: Settings) -> Array:
    """Keras mean_squared_logarithmic_error."""
    one, other = (np.log1p(np.maximum(array, EPSILON)) for array in (outputs, targets))
    return np.asarray((one - other) ** 2)


def percentage_error(outputs: Array, targets: Array, s: Settings) -> Array:
    """Keras mean_absolute_percentage_error."""
    return np.asarray(100 * np.abs((targets - outputs) / np.maximum(np.abs(targets), EPSILON)))


def hinge(outputs: Array, targets: Array, s: Settings) -> Array:
    """Keras hinge, optax.hinge_loss: targets 0 and 1 become -1 and 1."""
    return np.asarray(np.maximum(1 - _signs(targets) * outputs, 0))


def squared_hinge(outputs: Array, targets: Array, s: Settings) -> Array:
    """Keras squared_hinge."""
    return np.asarray(hinge(outputs, targets, s) ** 2)


def categorical_hinge(outputs: Array, targets: Array, s: Settings) -> Array:
    """Keras categorical_hinge."""
    own, others = np.sum(targets * outputs, axis=-1), np.max((1 - targets) * outputs, axis=-1)
    return np.asarray(np.maximum(others - own + 1, 0))


def multi_margin(outputs: Array, targets: Array, s: Settings) -> Array:
    """torch.nn.MultiMarginLoss."""
    own = np.sum(targets * outputs, axis=-1, keepdims=True)
    return np.asarray(np.mean(np.where(targets > 0, 0, np.maximum(1 - own + outputs, 0)), axis=-1))


def divergence(outputs: Array, targets: Array, s: Settings) -> Array:
    """Kullback-Leibler divergence of the targets from the outputs: keras kl_divergence (of probabilities), torch.nn.KLDivLoss
    (of logarithms), optax.kl_divergence.
    """
    kept = np.clip(targets, EPSILON, 1) if s["clipped"] else targets
    return np.asarray(_times_log(kept) - kept * _logs(outputs, s))


def reverse_divergence(outputs: Array, targets: Array, s: Settings) -> Array:
    """Kullback-Leibler divergence with outputs and targets exchanged."""
    logs = _logs(outputs, s)
    return np.asarray(np.exp(logs) * (logs - np.log(np.clip(targets, EPSILON, 1))))


def poisson(outputs: Array, targets: Array, s: Settings) -> Array:
    """Keras poisson; torch.nn.PoissonNLLLoss, by default of logarithms (log_input) or with 1e-8 inside the logarithm."""
    if s["log_input"]:
        return np.asarray(np.exp(outputs) - targets * outputs)
    return np.asarray(outputs - targets * np.log(outputs + s["inside"]))


def cosine(outputs: Array, targets: Array, s: Settings) -> Array:
    """Keras cosine_similarity: minus the cosine."""
    return np.asarray(-np.sum(_unit(outputs) * _unit(targets), axis=-1))


def cosine_distance(outputs: Array, targets: Array, s: Settings) -> Array:
    """optax.cosine_distance, torch.nn.CosineEmbeddingLoss of like pairs: one minus the cosine."""
    return np.asarray(1 + cosine(outputs, targets, s))


CLIPPED, NORMALISED_CLIPPED, CLIPPED_NORMALISED, AS_THEY_ARE = (
    "clipped",
    "divided by their sum, then clipped",
    "clipped, then divided by their sum",
    "as they are",
)
PROBABILITIES = (NORMALISED_CLIPPED, CLIPPED_NORMALISED, CLIPPED, AS_THEY_ARE)
"""What is done to probabilities: Keras by default, its sparse form on TensorFlow, by hand with and without care."""
MEAN, BATCH_MEAN, POSITION_MEAN, SUM, BY_WEIGHT = (
    "mean",
    "sum / batch size",
    "sum over the last axis, then mean",
    "sum",
    "mean by weight",
)
MEANS_SUM = "mean over the last axis, then sum"
ROOT = "root of the mean"
IGNORING = {BY_WEIGHT: MEAN, MEAN: "mean, with what is ignored counted"}
"""What a reduction is called where targets are ignored: torch.nn.CrossEntropyLoss does not count them, Keras does."""

COMMON: Mapping[str, Any] = {
    "label_smoothing": 0.0,
    "class_weight": None,
    "ignore_index": None,
    "pos_weight": 1.0,
    "scale": 1.0,
    "class_axis": -1,
    "broadcast": False,
    "offset": False,
}
"""What every loss has, where it does nothing."""


@dataclass(frozen=True)
class Kind:
    """A kind of loss: its terms, whether classes compete in it, the ways to compute it, and its numbers with usual values."""

    terms: Terms
    classes: bool = False
    ways: Sequence[Mapping[str, Any]] = ({},)
    numbers: Mapping[str, float] = field(default_factory=dict)


_FROM_LOGITS: tuple[dict[str, Any], ...] = (
    {"from_logits": True},
    *({"from_logits": False, "probabilities": form} for form in PROBABILITIES),
)
_FROM_BINARY_LOGITS: tuple[dict[str, Any], ...] = (
    {"from_logits": True},
    *({"from_logits": False, "probabilities": f} for f in (CLIPPED, AS_THEY_ARE)),
)
_LOGS = (
    {"input": "probabilities", "clipped": True},
    {"input": "probabilities", "clipped": False},
    {"input": "logarithms", "clipped": False},
    {"input": "logits", "clipped": False},
)
_POISSON = (
    {"log_input": False, "inside": EPSILON},
    {"log_input": False, "inside": 1e-8},
    {"log_input": True, "inside": 0.0},
)

KINDS: Mapping[str, Kind] = {
    "cross entropy": Kind(cross_entropy, True, _FROM_LOGITS),
    "negative log-likelihood": Kind(log_likelihood, True),
    "binary cross entropy": Kind(binary_cross_entropy, ways=_FROM_BINARY_LOGITS),
    "squared error": Kind(squared_error),
    "absolute error": Kind(absolute_error),
    "Huber": Kind(huber, numbers={"delta": 1.0}),
    "smooth L1": Kind(smooth_l1, numbers={"delta": 1.0}),
    "log-cosh": Kind(log_cosh),
    "squared logarithmic error": Kind(squared_log_error),
    "percentage error": Kind(percentage_error),
    "hinge": Kind(hinge),
    "squared hinge": Kind(squared_hinge),
    "categorical hinge": Kind(categorical_hinge, True),
    "multi-class margin": Kind(multi_margin, True),
    "KL divergence": Kind(divergence, ways=_LOGS),
    "KL divergence of outputs from targets": Kind(reverse_divergence, ways=_LOGS),
    "Poisson": Kind(poisson, ways=_POISSON),
    "cosine similarity": Kind(cosine, True),
    "cosine distance": Kind(cosine_distance, True),
    "focal cross entropy": Kind(focal_cross_entropy, True, _FROM_LOGITS, {"gamma": 2.0}),
    "binary focal cross entropy": Kind(binary_focal_cross_entropy, ways=_FROM_BINARY_LOGITS, numbers={"gamma": 2.0}),
}


def compute(given: Losses, settings: Settings) -> Array:
    """The losses, float64 (batches,); with an offset for each state, whatever it is, where the settings have one."""
    losses = _losses(given, settings)
    return losses + _offsets(given, losses) if settings["offset"] else losses


def variants(given: Losses) -> list[Variant]:
    """Every kind with every reduction that these outputs and targets allow, without smoothing or weights."""
    found = []
    for kind, way, axis, broadcast, reduction in _ways(given):
        choices = {**COMMON, "kind": kind, "reduction": reduction, "class_axis": axis, "broadcast": broadcast, **way}
        numbers = KINDS[kind].numbers
        plain = Variant("loss", {**choices, **numbers}, {}, compute, told)
        if np.isfinite(_quietly(given, plain.choices)).all():
            found.append(plain)
    return found


def straight(variant: Variant, given: Losses) -> Iterator[Variant]:
    """The variant with one more number of those in which it is a straight line, where that comes near to what was seen."""
    kind = variant.choices["kind"]
    names = [("label_smoothing", 0.0)] if "entropy" in kind and "focal" not in kind else []
    names += [("pos_weight", 1.0)] if kind == "binary cross entropy" else []
    for name, neutral in (*names, ("scale", 1.0)):
        at = [_quietly(given, {**variant.choices, "offset": False, name: neutral + step}) for step in (0.0, 1.0)]
        slope, rest = (
            _without_offset(given, values, variant.choices) for values in (at[1] - at[0], given.seen - at[0])
        )
        amount = float(slope @ rest / max(slope @ slope, 1e-300))
        if near(given, rest - amount * slope):
            yield variant.with_numbers(**{name: neutral + amount})


def curved(variant: Variant, given: Losses) -> Iterator[Variant]:
    """The variant with one of its kind's own numbers, begun where it comes nearest to what was seen."""
    for name in KINDS[variant.choices["kind"]].numbers:
        trials = [variant.with_choices(**{name: value}) for value in 10 ** np.linspace(-2, 2, 17)]
        gaps = [np.linalg.norm(given.seen - _quietly(given, trial.choices)) for trial in trials]
        if min(gaps) < 0.3 * np.linalg.norm(given.seen):
            yield variant.with_numbers(**{name: float(trials[int(np.argmin(gaps))].choices[name])})


def near(given: Losses, rest: Array) -> bool:
    """Whether what is left unexplained of losses is small enough to look closer."""
    return bool(np.isfinite(rest).all() and np.max(np.abs(rest)) < NEAR * np.max(np.abs(given.seen)))


def together(names: Sequence[str], parts: Sequence[Variant], weights: Sequence[float], offset: bool) -> Variant:
    """The weighted sum of the losses of several outputs, which have these names."""
    choices = {"parts": tuple(part.choices for part in parts), "weights": tuple(weights), "offset": offset}
    return Variant("losses", {**choices, "names": tuple(names)}, {}, compute_together, told_together)


def compute_together(given: Sequence[Losses], settings: Settings) -> Array:
    """Weighted sums of the losses of several outputs, float64 (batches,)."""
    parts = [_losses(one, choices) for one, choices in zip(given, settings["parts"], strict=True)]
    losses = np.asarray(sum(w * part for w, part in zip(settings["weights"], parts, strict=True)))
    return losses + _offsets(given[0], losses) if settings["offset"] else losses


def told_together(settings: Settings) -> Settings:
    """Each setting with its value for each output."""
    names, parts = settings["names"], [told(part) for part in settings["parts"]]
    shown = {name: {n: part.get(name) for n, part in zip(names, parts, strict=True)} for name in {**COMMON, **parts[0]}}
    return {"loss_weights": dict(zip(names, settings["weights"], strict=True)), **shown}


def combined(names: Sequence[str], given: Sequence[Losses], offset: bool) -> Iterator[Variant]:
    """The kinds of loss of several outputs whose weighted sum, by linear least squares, comes near to what was seen."""
    seen = given[0].seen
    options = [_distinct(one) for one in given]
    for parts in product(*options):
        columns = np.stack([column for _, column in parts], axis=1)
        there, wanted = (_without_offset(given[0], values, {"offset": offset}) for values in (columns, seen))
        weights = np.linalg.lstsq(there, wanted, rcond=None)[0]
        if near(given[0], wanted - there @ weights):
            for digits in (1, 2, 3, 4):
                rounded = [float(f"{weight:.{digits}g}") for weight in weights]
                yield together(names, [variant for variant, _ in parts], rounded, offset)


def _distinct(given: Losses) -> list[tuple[Variant, Array]]:
    """Variants with their losses, the first of those that say the same up to a factor, which weights make up for."""
    found: list[tuple[Variant, Array]] = []
    for variant in variants(given):
        losses = _quietly(given, variant.choices)
        units = [column / np.linalg.norm(column) for _, column in found]
        size = np.linalg.norm(losses)
        if size and not any(np.allclose(losses / size, unit, rtol=1e-9, atol=0) for unit in units):
            found.append((variant, losses))
    return found


def told(settings: Settings) -> Settings:
    """The settings as users know them: targets that are ignored have no weight, and a mean is that of the others."""
    hidden = {"offset", "clipped", "inside"} | ({"class_weight"} if settings["ignore_index"] is not None else set())
    shown = {name: value for name, value in settings.items() if name not in hidden}
    if settings["ignore_index"] is not None and settings["reduction"] in IGNORING:
        shown["reduction"] = IGNORING[settings["reduction"]]
    return shown


def weighted(variant: Variant, given: Losses) -> Iterator[Variant]:
    """The variant with weights of classes, by linear least squares: the roundest first."""
    by_weight = variant.choices["reduction"] == MEAN
    known = [] if given.labels is None else [int(label) for label in np.unique(given.labels)]
    if not 1 < len(known) < len(given.seen):
        return
    for reduction in dict.fromkeys((variant.choices["reduction"], *((BY_WEIGHT,) if by_weight else ()))):
        choices = {**variant.choices, "reduction": reduction}
        found = _solved(given, known, choices)
        for digits in (1, 2, 3, 4, 6):
            for weights in found:
                kept = np.where(np.abs(weights) > 1e-5 * np.abs(weights).max(), weights, 0)
                rounded = {c: float(f"{w:.{digits}g}") for c, w in zip(known, kept, strict=True)}
                yield variant.with_choices(reduction=reduction, class_weight=rounded)


def _ways(given: Losses) -> Iterator[tuple[str, Mapping[str, Any], int, bool, str]]:
    outputs, targets = given.outputs, given.targets
    apart = outputs.size == targets.size == len(outputs)  # a program may squeeze either before it compares them
    for kind, found in KINDS.items():
        axes = (-1, 1) if found.classes and outputs.ndim > 2 else (-1,)
        broadcasts = (False, True) if apart and not found.classes else (False,)
        for way, axis, broadcast, reduction in product(found.ways, axes, broadcasts, _reductions(found, given)):
            yield kind, way, axis, broadcast, reduction


def _reductions(kind: Kind, given: Losses) -> Sequence[str]:
    """Those that can differ here: a term for each position leaves one axis less."""
    dimensions = given.outputs.ndim - kind.classes
    several = ((BATCH_MEAN, MEANS_SUM) if dimensions > 1 else ()) + ((POSITION_MEAN,) if dimensions > 2 else ())
    weighted = (BY_WEIGHT,) if given.labels is not None else ()
    roots = (ROOT,) if kind.terms is squared_error else ()
    return (MEAN, *several, SUM, *weighted, *roots)


def _losses(given: Losses, s: Settings) -> Array:
    kind = KINDS[s["kind"]]
    paired = given.classes(s["class_axis"]) if kind.classes else given.every_pair if s["broadcast"] else given.elements
    if paired is None:
        return np.full(len(given.starts), np.nan)
    terms = kind.terms(paired[0], _smoothed(paired[1], s), s)
    weights = _weights(given.labels, terms, s)
    return float(s["scale"]) * _reduced(given, terms if weights is None else terms * weights, weights, s)


def _reduced(given: Losses, terms: Array, weights: Array | None, s: Settings) -> Array:
    sizes = given.sizes**2 if s["broadcast"] else given.sizes
    totals, reduction = _summed(terms, sizes), s["reduction"]
    if reduction == BY_WEIGHT:
        return np.asarray(
            totals / np.maximum(_summed(np.ones_like(terms) if weights is None else weights, sizes), 1e-300)
        )
    per_row = terms.size // len(terms)
    counts = {
        SUM: np.ones(1),
        MEANS_SUM: np.full(1, terms.shape[-1]),
        BATCH_MEAN: given.sizes,
        POSITION_MEAN: sizes * (per_row // terms.shape[-1]),
    }
    means = totals / counts.get(reduction, sizes * per_row)
    return np.asarray(np.sqrt(means) if reduction == ROOT else means)


def _summed(terms: Array, sizes: Array) -> Array:
    """Sums over each batch's rows and all that is in them."""
    rows = terms.reshape(len(terms), -1).sum(axis=1)
    return np.asarray(np.add.reduceat(rows, np.cumsum(sizes) - sizes))


def _with_classes(outputs: Array, targets: Array) -> tuple[Array, Array] | None:
    """Class numbers as ones and zeros; a number that is no class has zeros only."""
    if targets.size != outputs[..., 0].size or np.any(targets != np.floor(targets)):
        return None
    labels = targets.reshape(outputs.shape[:-1])
    return outputs, (labels[..., None] == np.arange(outputs.shape[-1])).astype(float)


def _smoothed(targets: Array, s: Settings) -> Array:
    """Szegedy et al. 2016; keras categorical_crossentropy and binary_crossentropy, torch.nn.CrossEntropyLoss."""
    amount = s["label_smoothing"]
    classes = targets.shape[-1] if KINDS[s["kind"]].classes else 2
    return targets * (1 - amount) + amount / classes if amount else targets


def _weights(labels: Array | None, terms: Array, s: Settings) -> Array | None:
    """The weight of each term by the class of its target; targets that name no class have none."""
    if labels is None or (s["class_weight"] is None and (labels.min() >= 0 or not KINDS[s["kind"]].classes)):
        return None
    weights = np.zeros(labels.shape) if s["class_weight"] else (labels >= 0).astype(float)
    for number, weight in (s["class_weight"] or {}).items():
        weights[labels == number] = weight
    if weights.size == terms.size:
        return weights.reshape(terms.shape)
    return np.broadcast_to(weights[..., None], terms.shape) if weights.shape == terms.shape[:-1] else None


def _labels(targets: Array) -> Array | None:
    """The class numbers that targets are, as numbers, as a column of them, or one-hot; None if they are none."""
    if targets.size == 0 or np.any(targets != np.floor(targets)):
        return None
    if targets.ndim > 1 and targets.shape[-1] > 1:
        one_hot = np.all((targets == 0) | (targets == 1)) and np.all(targets.sum(axis=-1) == 1)
        if one_hot or targets.dtype.kind == "f":
            return np.argmax(targets, axis=-1) if one_hot else None
    return targets[..., 0] if targets.ndim > 1 and targets.shape[-1] == 1 else targets


def _offsets(given: Losses, losses: Array) -> Array:
    rest = given.seen - losses
    sums, counts = np.bincount(given.states, rest), np.bincount(given.states)
    return np.asarray((sums / np.maximum(counts, 1))[given.states])


def _solved(given: Losses, known: Sequence[int], choices: Settings) -> list[Array]:
    """Weights of the classes that bring the losses nearest to those seen; up to a factor where it has no effect."""
    reduction = SUM if choices["reduction"] == BY_WEIGHT else choices["reduction"]
    plain = {**choices, "reduction": reduction, "offset": False}
    sums = np.transpose([compute(given, {**plain, "class_weight": {c: 1.0}}) for c in known])
    if not np.isfinite(sums).all():
        return []
    if choices["reduction"] != BY_WEIGHT:
        columns, seen = _without_offset(given, sums, choices), _without_offset(given, given.seen, choices)
        weights = np.linalg.lstsq(columns, seen, rcond=None)[0]
        return [weights] if near(given, seen - columns @ weights) else []
    if choices["offset"]:
        return []  # no longer linear
    counts = np.transpose([_summed(np.asarray(given.labels == c), given.sizes) for c in known])
    weights = np.linalg.svd(sums - given.seen[:, None] * counts)[2][-1]
    if not near(given, given.seen - sums @ weights / (counts @ weights)):
        return []
    weights = weights * np.sign(weights.sum())
    least = np.min(weights[weights > 1e-4 * weights.max()], initial=np.inf)
    return [weights / by for by in (weights.max(), least, weights.mean(), weights.sum())]


def _without_offset(given: Losses, values: Array, choices: Settings) -> Array:
    """Without the mean of each state, if there may be an offset."""
    if not choices["offset"]:
        return values
    same = given.states[:, None] == given.states
    return np.asarray(values - (same / same.sum(axis=1)[:, None]) @ values)


def _log_probabilities(outputs: Array, s: Settings) -> Array:
    if s["from_logits"]:
        return np.asarray(log_softmax(outputs, axis=-1))
    form = s["probabilities"]
    if form == NORMALISED_CLIPPED:
        outputs = outputs / np.sum(outputs, axis=-1, keepdims=True)
    logs = np.log(outputs if form == AS_THEY_ARE else _clip(outputs))
    return logs - logsumexp(logs, axis=-1, keepdims=True) if form == CLIPPED_NORMALISED else logs


def _binary_logs(outputs: Array, s: Settings) -> tuple[Array, Array]:
    """Logarithms of the probabilities of one and of zero."""
    if s["from_logits"]:
        return log_expit(outputs), log_expit(-outputs)
    kept = outputs if s["probabilities"] == AS_THEY_ARE else _clip(outputs)
    return np.log(kept), np.log(1 - kept)


def _clip(probabilities: Array) -> Array:
    """To the bounds as float32 holds them, which are not quite those that were meant."""
    least = np.float32(EPSILON)
    return np.asarray(np.clip(probabilities, float(least), float(np.float32(1) - least)))


def _logs(outputs: Array, s: Settings) -> Array:
    if s["input"] == "logits":
        return np.asarray(log_softmax(outputs, axis=-1))
    if s["input"] == "logarithms":
        return outputs
    return np.asarray(np.log(np.clip(outputs, EPSILON, 1) if s["clipped"] else outputs))


def _times_log(probabilities: Array) -> Array:
    """A probability times its logarithm, zero where it is."""
    return np.asarray(probabilities * np.log(np.where(probabilities > 0, probabilities, 1)))


def _signs(targets: Array) -> Array:
    return 2 * targets - 1 if np.all((targets == 0) | (targets == 1)) else targets


def _unit(vectors: Array) -> Array:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def _quietly(given: Losses, settings: Settings) -> Array:
    with np.errstate(all="ignore"):
        return compute(given, settings)
