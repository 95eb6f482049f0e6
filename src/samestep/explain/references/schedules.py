"""Learning-rate schedules, found from the rates themselves.

A schedule is ``Schedule(kind, settings)``: its settings reproduce the rates at all steps looked at. Times are counted in
updates or in epochs; a warm-up runs before any of the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from samestep.matching import floor

Array = NDArray[Any]
Settings = Mapping[str, Any]
Form = Callable[[Array, Settings], Array]

UPDATE, EPOCH = "update", "epoch"
MOST_PIECES = 10
"""Changes of a rate that is constant in between, from which on it is no longer taken for one."""
LONGEST = 64
"""Decay steps tried for a smooth exponential decay, which is the same for any number of them."""


@dataclass(frozen=True)
class Rates:
    """Learning rates at some steps of a program, the first of them without a gap. per_epoch: updates of an epoch."""

    steps: Array
    rates: Array
    per_epoch: int

    @property
    def dense(self) -> Array:
        """The rates of step 0, 1, 2, … up to the first gap."""
        return np.asarray(self.rates[self.steps == np.arange(len(self.steps))])

    def reproduced(self, rates: Array) -> bool:
        """Whether these are the same rates apart from rounding in float32."""
        return same(self.rates, rates)

    def by_epoch(self) -> Rates | None:
        """The rates of each epoch, if they only change from one to the next."""
        epochs, first = np.unique(self.steps // self.per_epoch, return_index=True)
        found = self.rates[first]
        whole = same(self.rates, found[np.searchsorted(epochs, self.steps // self.per_epoch)])
        return Rates(epochs, found, 1) if whole and self.per_epoch > 1 else None

    def after(self, start: int) -> Rates:
        """The rates from a step on, which becomes step 0."""
        later = self.steps >= start
        return Rates(self.steps[later] - start, self.rates[later], self.per_epoch)


@dataclass(frozen=True)
class Schedule:
    """A kind of schedule with the settings that reproduce a program's rates."""

    kind: str
    settings: Settings

    @property
    def told(self) -> dict[str, Any]:
        """All settings, the kind among them."""
        return {"kind": self.kind, **self.settings}


def same(one: Array, other: Array) -> bool:
    """Whether two rows of rates are equal apart from rounding in float32."""
    with np.errstate(all="ignore"):
        return floor.times_floor(np.asarray(one), [], np.asarray(other), np.float32) < floor.ROUNDING


def schedules(found: Rates) -> list[Schedule]:
    """Every schedule that reproduces these rates, in updates, in epochs, and after a warm-up."""
    by_epoch = found.by_epoch()
    units = [(UPDATE, found)] + ([(EPOCH, by_epoch)] if by_epoch else [])
    made = []
    for unit, rates in units:
        for schedule in [*_decays(rates), *_warmed_up(rates)]:
            made.append(Schedule(schedule.kind, {**schedule.settings, "unit": unit}))
    return [schedule for schedule in made if schedule.kind != "piecewise"] or made


def exponential(t: Array, s: Settings) -> Array:
    """tf.keras.optimizers.schedules.ExponentialDecay, torch.optim.lr_scheduler.ExponentialLR and StepLR (staircase)."""
    return np.asarray(s["learning_rate"] * s["decay_rate"] ** _stairs(t / s["decay_steps"], s))


def inverse_time(t: Array, s: Settings) -> Array:
    """InverseTimeDecay of Keras; the argument `decay` of the optimizers of Keras 2 (keras/optimizers.py)."""
    return np.asarray(s["learning_rate"] / (1 + s["decay_rate"] * _stairs(t / s["decay_steps"], s)))


def polynomial(t: Array, s: Settings) -> Array:
    """PolynomialDecay of Keras, PolynomialLR of PyTorch, optax.polynomial_schedule; power 1 is linear."""
    left = 1 - np.minimum(t, s["decay_steps"]) / s["decay_steps"]
    return np.asarray((s["learning_rate"] - s["end_rate"]) * left ** s["power"] + s["end_rate"])


def cosine(t: Array, s: Settings) -> Array:
    """Loshchilov and Hutter 2017. Then it stays (CosineDecay of Keras, optax), comes back (CosineAnnealingLR) or restarts.

    Restarts last restart_factor times as long each: CosineAnnealingWarmRestarts of PyTorch, CosineDecayRestarts of Keras.
    """
    part = np.asarray(t / s["decay_steps"], float)
    if s["afterwards"] == STAYS:
        part = np.minimum(part, 1.0)
    elif s["afterwards"] == RESTARTS:
        part = _since_restart(part, s["restart_factor"])
    return np.asarray(s["end_rate"] + (s["learning_rate"] - s["end_rate"]) * (1 + np.cos(np.pi * part)) / 2)


def power(t: Array, s: Settings) -> Array:
    """The inverse of a power of the step, such as its root (Vaswani et al. 2017)."""
    return np.asarray(s["learning_rate"] * (1 + t / s["decay_steps"]) ** -s["power"])


STAYS, RETURNS, RESTARTS = "stays", "returns", "restarts"
LINEAR, COSINE = "linear", "cosine"


def _decays(found: Rates) -> Iterator[Schedule]:
    """The schedules without a warm-up that reproduce the rates; a constant rate is no other kind."""
    constant = np.full(len(found.rates), _round(found.rates[0]))
    if found.reproduced(constant):
        yield Schedule("constant", {"learning_rate": float(constant[0])})
        return
    for kind, form, guesses in (
        ("exponential", exponential, _exponentials(found)),
        ("inverse_time", inverse_time, _inverse_times(found)),
        ("polynomial", polynomial, _polynomials(found)),
        ("cosine", cosine, _cosines(found)),
        ("power", power, _powers(found)),
    ):
        for guess in guesses:
            settings = _rounded(form, found, guess)
            if settings is not None:
                yield Schedule(kind, settings)
    steps = _piecewise(found)
    if steps is not None:
        yield Schedule("piecewise", steps)


def _warmed_up(found: Rates) -> Iterator[Schedule]:
    """Schedules that begin with a rate that grows, by equal steps or as a cosine, up to that of the schedule after it."""
    form, length = _growing(found.dense)
    if length < 2:
        return
    peak, start = found.dense[length], found.dense[0]
    for after in _decays(found.after(length)):
        if form == LINEAR and same(np.array([start * (length + 1)]), np.array([peak])):
            warmup = {"warmup_steps": length + 1, "warmup_form": form}
        else:
            warmup = {"warmup_steps": length, "warmup_form": form, "warmup_start": _round(start)}
        yield Schedule(after.kind, {**after.settings, **warmup})


def _growing(dense: Array) -> tuple[str, int]:
    """How the rate grows at the beginning, and for how many steps."""
    if len(dense) < 3 or not dense[1] > dense[0]:
        return "", 0
    line = dense[0] + (dense[1] - dense[0]) * np.arange(len(dense))
    noise = floor.ROUNDING * np.finfo(np.float32).eps * dense
    off = np.abs(dense - line) > noise * np.maximum(np.arange(len(dense)), 1)
    length = int(np.argmax(off)) - 1 if off.any() else 0
    if length >= 2:
        return LINEAR, length
    falling = np.flatnonzero(np.diff(dense) < 0)  # torch.optim.lr_scheduler.OneCycleLR
    length = int(falling[0]) if len(falling) else 0
    wave = (1 - np.cos(np.pi * np.arange(length + 1) / max(length, 1))) / 2
    grown = dense[0] + (dense[length] - dense[0]) * wave
    return (COSINE, length) if same(grown, dense[: length + 1]) else ("", 0)


def _exponentials(found: Rates) -> Iterator[dict[str, Any]]:
    rates, run = found.dense, _run(found.dense)
    if run < len(rates) and rates[0] > 0:
        base = {"learning_rate": rates[0]}
        if run == 1:
            per_step = rates[1] / rates[0]
            for length in range(1, LONGEST + 1):
                smooth = {"staircase": False} if length > 1 else {}
                yield {**base, "decay_rate": per_step**length, "decay_steps": length, **smooth}
        else:
            yield {**base, "decay_rate": rates[run] / rates[0], "decay_steps": run, "staircase": True}


def _inverse_times(found: Rates) -> Iterator[dict[str, Any]]:
    rates, run = found.dense, _run(found.dense)
    if run < len(rates) and rates[run] > 0:
        grown = rates[0] / rates[run] - 1
        base = {"learning_rate": rates[0], "decay_rate": grown, "decay_steps": run}
        if run > 1:
            yield {**base, "staircase": True}
        else:
            yield base
            for length in range(2, LONGEST + 1):
                yield {**base, "decay_rate": grown * length, "decay_steps": length, "staircase": False}


def _polynomials(found: Rates) -> Iterator[dict[str, Any]]:
    rates, last = found.rates, found.rates[-1]
    for end, length in {(last, _first_at(found, last)), (0.0, _zero_of_line(found.dense))}:
        if length > 1 and rates[0] > end and len(found.dense) > 1:
            middle = max(1, int(np.searchsorted(found.steps, length / 2)) - 1)  # where rounding matters least
            left = (rates[middle] - end) / (rates[0] - end)
            if 0 < left < 1 and found.steps[middle] < length:
                exponent = np.log(left) / np.log(1 - found.steps[middle] / length)
                yield {"learning_rate": rates[0], "end_rate": end, "decay_steps": length, "power": exponent}


def _cosines(found: Rates) -> Iterator[dict[str, Any]]:
    rates, steps = found.rates, found.steps
    if len(found.dense) < 3 or not rates[1] < rates[0]:
        return
    rising = np.flatnonzero(np.diff(rates) > 0)
    low = int(rising[0]) if len(rising) else _first_place(rates, rates[-1])
    base = {"learning_rate": rates[0], "end_rate": rates[low]}
    length = int(steps[low])
    if not len(rising):
        yield {**base, "decay_steps": length, "afterwards": STAYS}
        yield from _unfinished_cosines(found)
    elif same(rates[low + 1 : low + 2], rates[:1]):
        length = int(steps[low + 1])
        end = rates[0] - (rates[0] - rates[1]) * 2 / (1 - np.cos(np.pi / length))
        for factor in (1, 2, 3):
            yield {**base, "end_rate": end, "decay_steps": length, "afterwards": RESTARTS, "restart_factor": factor}
    else:
        yield {**base, "decay_steps": length, "afterwards": RETURNS}


def _unfinished_cosines(found: Rates) -> Iterator[dict[str, Any]]:
    """A cosine whose end is not among the steps: its length by least squares."""

    def settings(point: Array) -> dict[str, Any]:
        return {
            "learning_rate": found.rates[0],
            "end_rate": point[1] * found.rates[0],
            "decay_steps": float(np.exp(point[0])),
            "afterwards": STAYS,
        }

    def gap(point: Array) -> Array:
        return np.asarray((cosine(found.steps, settings(point)) - found.rates) / found.rates[0] * 1e6)

    for start in (1.5, 4.0):
        fitted = least_squares(gap, np.array([np.log(start * max(found.steps[-1], 2)), 0.0]), x_scale=[1, 0.1])
        yield settings(fitted.x)


def _powers(found: Rates) -> Iterator[dict[str, Any]]:
    dense = found.dense
    if len(dense) < 4 or not np.all(dense[1:] < dense[:-1]):
        return
    for exponent in (0.5, 0.25, 0.75):
        grown = (dense[0] / dense[1]) ** (1 / exponent) - 1
        if grown > 0:
            yield {"learning_rate": dense[0], "decay_steps": 1 / grown, "power": exponent}


def _piecewise(found: Rates) -> dict[str, Any] | None:
    """A few constants one after another: PiecewiseConstantDecay, MultiStepLR. Boundaries that lie in a gap are not known."""
    starts = np.flatnonzero(np.abs(np.diff(found.rates)) > 1e-6 * np.abs(found.rates[1:])) + 1
    known = all(found.steps[start] == found.steps[start - 1] + 1 for start in starts)
    if not known or not 0 < len(starts) <= MOST_PIECES:
        return None
    values = [_round(found.rates[start]) for start in (0, *starts)]
    factors = np.array(values[1:]) / np.array(values[:-1]) if all(values) else np.zeros(1)
    told: dict[str, Any] = {"learning_rate": values[0], "boundaries": [int(found.steps[start]) for start in starts]}
    if factors.all() and same(factors, np.full_like(factors, factors[0])):
        return {**told, "decay_rate": _round(factors[0])}
    return {**told, "values": values}


def _rounded(form: Form, found: Rates, guess: dict[str, Any]) -> dict[str, Any] | None:
    """The guess with each number as round as it can be, if it reproduces the rates."""
    with np.errstate(all="ignore"):
        if not found.reproduced(form(found.steps, guess)):
            return None
        for name, value in guess.items():
            for digits in range(1, 7) if isinstance(value, float) else ():
                changed = {**guess, name: _round(value, digits)}
                if found.reproduced(form(found.steps, changed)):
                    guess = changed
                    break
    return {name: _plain(name, value) for name, value in guess.items()}


def _plain(name: str, value: Any) -> Any:
    if name.endswith("_steps") and float(value).is_integer():
        return int(value)
    return float(value) if isinstance(value, (float, np.floating)) else value


def _stairs(t: Array, s: Settings) -> Array:
    return np.floor(t + 1e-9) if s.get("staircase", False) else t


def _since_restart(part: Array, factor: float) -> Array:
    """How far within its cycle a time is, that is counted in lengths of the first cycle."""
    if factor == 1:
        return np.asarray((part + 1e-9) % 1.0)
    cycle = np.floor(np.log((part + 1e-9) * (factor - 1) + 1) / np.log(factor))
    return np.asarray((part - (factor**cycle - 1) / (factor - 1)) / factor**cycle)


def _run(dense: Array) -> int:
    """How many steps the first rate lasts."""
    return _first_place(np.abs(dense - dense[0]) > 1e-6 * np.abs(dense[0]), True)


def _first_place(row: Array, value: Any) -> int:
    places = np.flatnonzero(np.isclose(row, value, rtol=1e-6, atol=0) if not isinstance(value, bool) else row == value)
    return int(places[0]) if len(places) else len(row)


def _first_at(found: Rates, value: float) -> int:
    return int(found.steps[_first_place(found.rates, value)])


def _zero_of_line(dense: Array) -> int:
    return round(float(dense[0] / (dense[0] - dense[1]))) if len(dense) > 1 and dense[1] < dense[0] else 0


def _round(value: float, digits: int = 6) -> float:
    """The number with the fewest digits, up to so many, that is the same in float32; with just so many if none is."""
    for fewer in range(1, digits + 1):
        made = float(f"{value:.{fewer}g}")
        if np.float32(made) == np.float32(value):
            return made
    return float(f"{value:.{digits}g}")


def nearest(left: Sequence[Schedule], right: Sequence[Schedule]) -> tuple[Schedule, Schedule] | None:
    """The pair of schedules that differ in the fewest settings; of several the one that has the likeliest difference."""
    pairs = product(left, right)
    return min(pairs, key=lambda pair: _unlikeliness([name for name, *_ in differences(*pair)]), default=None)


LIKELY = ("unit", "staircase", "warmup_steps", "learning_rate", "decay_rate", "decay_steps")
"""Settings by how often people mistake them: of two explanations with one setting each, the first is told."""


def _unlikeliness(names: Iterable[str]) -> tuple[int, int]:
    names = list(names)
    return len(names), sum(LIKELY.index(name) if name in LIKELY else len(LIKELY) for name in names)


NEUTRAL: Mapping[str, Any] = {"warmup_steps": 0, "staircase": False, "restart_factor": 1}
"""What a setting is where a schedule does not have it."""
OF_WARMUP = ("warmup_start", "warmup_form")
"""What only a schedule with a warm-up has."""


def differences(left: Schedule, right: Schedule) -> list[tuple[str, Any, Any]]:
    """(setting, left, right) where two schedules differ."""
    ours, theirs = _alike(left.told, right.told), _alike(right.told, left.told)
    named: list[tuple[str, Any, Any]]
    shared: tuple[str, ...]
    if ours["kind"] != theirs["kind"]:
        named = [("kind", ours["kind"], theirs["kind"])]
        shared = ("learning_rate", "warmup_steps")
    else:
        named, shared = [], tuple({**ours, **theirs})
    found = []
    for name in shared:
        one, other = ours.get(name, NEUTRAL.get(name)), theirs.get(name, NEUTRAL.get(name))
        if one != other and not _idle(name, ours, theirs):
            found.append((name, one, other))
    return named + found


def _alike(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    """A constant rate beside one that decays with time is one that decays by 0."""
    if ours["kind"] == "constant" and theirs["kind"] == "inverse_time":
        return {**ours, "kind": theirs["kind"], "decay_rate": 0.0, "decay_steps": theirs["decay_steps"]}
    if ours["kind"] == theirs["kind"] == "constant":
        return {name: value for name, value in ours.items() if name != "unit"}
    return ours


def _idle(name: str, ours: Settings, theirs: Settings) -> bool:
    """Whether a setting has no effect: stairs of one step, or the unit of a rate that does not change."""
    if name in OF_WARMUP:
        return name not in ours or name not in theirs
    if name == "staircase":
        return ours.get("decay_steps", 0) != theirs.get("decay_steps", 0) and 1 in (
            ours.get("decay_steps"),
            theirs.get("decay_steps"),
        )
    return name == "unit" and "constant" in (ours["kind"], theirs["kind"]) and not ours.get("warmup_steps")
