"""Which suspects are causes: each is proved by trials in which only it is as it was in another trial, or only it is not pinned.

A value can be played: all suspects are given what the reference was given, but for one, which is given what the differing
trial was. Then that one alone makes the difference, or it does not. What a switch pins has no value: with it set, trials repeat;
with it not set, and all else pinned, they do not.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import combinations, pairwise
from typing import Any

from samestep.checking.outcomes import Found, metric
from samestep.checking.suspects import ALWAYS, DISK, HASH, Suspect
from samestep.checking.trials import ADDRESSES, Setup, Trial
from samestep.watching.files import LISTING, SORTED
from samestep.watching.tape import EVERYWHERE, GIVEN
from samestep.watching.tape import MOST as KEPT

SURE = 0.05
"""The chance that is taken of missing, in repeated trials, a difference as frequent as the one seen."""
LEAST, MOST = 4, 8
"""Trials that are repeated to see whether they differ; the least where nothing else speaks for what they are to prove."""


MANY = 4
"""Switches of which it is first asked whether trials repeat with all of them, and with half of them."""


class OutOfTime(Exception):  # noqa: N818 - what was found so far is the answer
    """The budget is used up."""


@dataclass
class Proved:
    """What interventions showed. effects: how far each cause alone moves the final metric. remains: a difference is left."""

    causes: list[Suspect] = field(default_factory=list)
    effects: dict[Suspect, float] = field(default_factory=dict)
    remains: str = ""
    cut: bool = False


@dataclass(frozen=True)
class Laboratory:
    """How trials are made and compared. restore: whether the disk is put back first."""

    run: Callable[[Setup, bool], Trial]
    differ: Callable[[Trial, Trial], Found | None]
    rate: float
    """Share of trials that differed from the reference."""

    @property
    def repeats(self) -> int:
        """As many trials as would show a difference of this rate, but for the chance SURE."""
        if self.rate >= 1 - SURE:
            return 2
        return min(MOST, 1 + math.ceil(math.log(SURE) / math.log(1 - self.rate)))


def played(setup: Setup, suspects: Iterable[Suspect], source: Trial) -> Setup:
    """A setup in which these suspects are given what a trial was given."""
    values = {process: dict(keys) for process, keys in setup.played.items()}
    for suspect in suspects:
        known = source.seeds if suspect.seed else source.values
        for process, key in suspect.keys:
            found = known.get(process, {}).get(key, [])
            played_as = GIVEN + key if suspect.seed else key
            if not suspect.spread:
                values.setdefault(process, {})[played_as] = found
            elif found:
                values.setdefault(EVERYWHERE, {})[played_as] = found[:1]
    hashed = any(suspect.source == HASH for suspect in suspects)
    return replace(setup, played=values, hash_seed=source.setup.hash_seed if hashed else setup.hash_seed)


def restores(suspects: Iterable[Suspect]) -> bool:
    """Whether what is on disk is among these."""
    return any(suspect.source == DISK for suspect in suspects)


def prove(
    lab: Laboratory, left: Trial, right: Trial, rounds: Sequence[Sequence[Suspect]], switches: Sequence[Suspect]
) -> Proved:
    """Find the causes of the difference of two trials.

    rounds: suspects whose values can be played, a round being added to the one before where that did not explain it.
    switches: suspects that have no value. What was proved before the time was up is kept.
    """
    proved = Proved()
    try:
        _prove(lab, left, right, rounds, switches, proved)
    except OutOfTime:
        proved.cut = True
    return proved


def _prove(lab: Laboratory, left: Trial, right: Trial, rounds: Any, switches: Any, proved: Proved) -> None:
    noisy = any(suspect.source not in ALWAYS for suspect in switches)
    listed = rounds and any(suspect.source == LISTING for suspect in rounds[0])
    if listed and _sorted(lab, left, right, rounds[0], proved):
        return
    pinned: list[Suspect] = []
    pin, reference = right, None
    for suspects in (some for some in rounds if some):
        pinned += suspects
        pin = lab.run(played(Setup(), pinned, left), restores(pinned))
        reference = _reference(lab, left, pin, pinned, switches)
        if reference is not None:
            _swap(lab, Setup(), (reference, None), (left, right), pinned, proved, noisy)
            if proved.causes:
                return
    if reference is not None and _repeated(lab, played(Setup(), pinned, left), restores(pinned)) is not None:
        proved.remains = "none of what differed makes the difference alone"
    else:
        _prove_switches(lab, (left, right), pin, pinned, switches, proved)


def _reference(
    lab: Laboratory, left: Trial, pin: Trial, pinned: list[Suspect], switches: Sequence[Suspect]
) -> Trial | None:
    """What trials are compared with in which all of these are pinned, if they are the same; None if they are not."""
    if lab.differ(left, pin) is None:
        return left if _stays(lab, pinned, left, switches) else None
    if any(suspect.spread for suspect in pinned):  # one value for all is not what the left trial had
        found = _repeated(lab, played(Setup(), pinned, left), restores(pinned))
        return found if found is not None and _stays(lab, pinned, left, switches, like=found) else None
    return None


def _stays(
    lab: Laboratory, pinned: list[Suspect], left: Trial, switches: Sequence[Suspect], like: Trial | None = None
) -> bool:
    """Whether further trials with these pinned are the left one, or another, too, where the first may have been so by chance."""
    by_chance = lab.rate < 1 - SURE or any(suspect.source not in ALWAYS for suspect in switches)
    setup, restore = played(Setup(), pinned, left), restores(pinned)
    more = range(lab.repeats - 1 if by_chance else 0)
    return all(lab.differ(like or left, lab.run(setup, restore)) is None for _ in more)


def _prove_switches(
    lab: Laboratory, trials: tuple[Trial, Trial], pin: Trial, pinned: list[Suspect], switches: Any, proved: Proved
) -> None:
    """Find the switches with which trials repeat, and what beside them is to blame; pin: a trial with all but these pinned."""
    longer = next((one for one in pinned if len(given(one, trials[0])) >= KEPT), None)
    if longer is not None:
        proved.remains = (
            f"{longer.source} at {longer.site} is asked {KEPT:,} times and more, and only so many are played"
        )
        return
    base, reference, found = _switched(lab, pinned, trials[0], switches)
    proved.causes += found
    proved.effects |= {suspect: _apart(trials[0], pin) for suspect in found}
    noise = None
    if not found:
        proved.remains = "it is there with every source pinned that is known"
        noise = _noise(lab, trials[0], pin, pinned)
    if any(suspect.switch == ADDRESSES for suspect in found):  # the hash seed moves addresses too
        pinned = [suspect for suspect in pinned if suspect.source != HASH]
        base = replace(base, hash_seed=trials[0].setup.hash_seed)
    if pinned and (found or noise is not None):
        _swap(lab, base, (reference, noise), trials, pinned, proved, noisy=True)


def given(suspect: Suspect, trial: Trial) -> list[Any]:
    """What a trial was given by a suspect, in order."""
    values = trial.seeds if suspect.seed else trial.values
    return [value for process, key in suspect.keys for value in values.get(process, {}).get(key, [])]


def _noise(lab: Laboratory, left: Trial, pin: Trial, pinned: list[Suspect]) -> Found | None:
    """The earliest place where trials differ in which all of these are pinned."""
    setup = played(Setup(), pinned, left)
    trials = [left, pin, *(lab.run(setup, restores(pinned)) for _ in range(lab.repeats))]
    found = [lab.differ(one, other) for one, other in combinations(trials, 2)]
    return min((one for one in found if one is not None), key=lambda one: one.place, default=None)


def _sorted(lab: Laboratory, left: Trial, right: Trial, suspects: Sequence[Suspect], proved: Proved) -> bool:
    """Whether trials repeat if listings are sorted, whatever the names in them; names are often random and sorted well."""
    listings = [replace(suspect, keys=(), switch=SORTED) for suspect in suspects if suspect.source == LISTING]
    rest = [suspect for suspect in suspects if suspect.source != LISTING]
    others = [suspect for suspect in rest if suspect.likely]
    free = lab.run(played(Setup(), others, left), False)
    if lab.differ(left, free) is None:
        return False
    base, reference, found = _switched(lab, others, left, listings[:1])
    if found:
        proved.causes += listings
        proved.effects[listings[0]] = _apart(left, free)
        _swap(lab, base, (reference, None), (left, right), rest, proved)
    return bool(found)


def _repeated(lab: Laboratory, setup: Setup, restore: bool) -> Trial | None:
    """A trial of this setup, if others of it are the same."""
    first = lab.run(setup, restore)
    rest = (lab.run(setup, restore) for _ in range(lab.repeats - 1))
    return first if all(lab.differ(first, trial) is None for trial in rest) else None


def _often(lab: Laboratory, setup: Setup, restore: bool) -> int:
    """As many trials as a switch that left no trace has to be tried in: without it they may be the same by chance too."""
    trials = [lab.run(setup, restore) for _ in range(LEAST)]
    rate = max(1, sum(lab.differ(*pair) is not None for pair in pairwise(trials))) / (LEAST - 1)
    return LEAST if rate >= 1 else max(LEAST, min(MOST, 1 + math.ceil(math.log(SURE) / math.log(1 - rate))))


def _switched(
    lab: Laboratory, pinned: list[Suspect], left: Trial, switches: Sequence[Suspect]
) -> tuple[Setup, Trial, list[Suspect]]:
    """Find the switches with which trials repeat: one alone, of those that left a trace first; else all that are needed."""
    base = played(Setup(), pinned, left)
    often = cache(lambda: _often(lab, base, restores(pinned)))

    def repeats(chosen: Sequence[Suspect]) -> Trial | None:
        setup = replace(base, switches=frozenset(suspect.switch for suspect in chosen))
        found = _repeated(lab, setup, restores(pinned))
        if found is None or any(suspect.source not in ALWAYS for suspect in chosen):
            return found
        more = (lab.run(setup, restores(pinned)) for _ in range(often() - lab.repeats))
        return found if all(lab.differ(found, trial) is None for trial in more) else None

    def alone(some: Sequence[Suspect]) -> tuple[Setup, Trial, list[Suspect]] | None:
        for suspect in some:
            trial = repeats([suspect])
            if trial is not None:
                return replace(base, switches=frozenset([suspect.switch])), trial, [suspect]
        return None

    def narrowed(some: list[Suspect]) -> list[Suspect]:
        while len(some) > MANY:
            halves = some[: len(some) // 2], some[len(some) // 2 :]
            half = next((half for half in halves if repeats(half) is not None), some)
            if half is some:
                break
            some = half
        return some

    traced = [suspect for suspect in switches if suspect.source not in ALWAYS]
    if len(traced) > MANY:
        traced = [] if repeats(traced) is None else narrowed(traced)
    found = alone(traced)
    if found is not None:
        return found
    everything = repeats(switches)
    if everything is None:
        return Setup(), left, []
    found = alone([suspect for suspect in switches if suspect.source in ALWAYS])
    if found is not None:
        return found
    needed = list(switches)
    for suspect in switches:
        fewer = [one for one in needed if one is not suspect]
        if repeats(fewer) is not None:
            needed = fewer
    setup = replace(base, switches=frozenset(suspect.switch for suspect in needed))
    return setup, everything, needed


def _swap(
    lab: Laboratory,
    base: Setup,
    reference: tuple[Trial, Found | None],
    trials: tuple[Trial, Trial],
    pinned: list[Suspect],
    proved: Proved,
    noisy: bool = False,
) -> None:
    """Give each suspect by itself what the other trial was given: those that lie near by themselves, the others together.

    reference: what trials are compared with, and where another one of its setup differs from it, if it does: only what makes
    them differ before that place is a cause. noisy: whether a trial may differ by chance, so that it is made twice.
    """
    left, right = trials
    same, noise = reference

    def again_so(changed: list[Suspect], setup: Setup, restore: bool, trial: Trial) -> bool:
        if any(suspect.spread for suspect in changed):  # which process takes which task is chance all the same
            return all(lab.differ(same, lab.run(setup, restore)) is not None for _ in range(LEAST - 1))
        return lab.differ(trial, lab.run(setup, restore)) is None

    def differs(changed: list[Suspect]) -> bool:
        setup = played(played(base, pinned, left), changed, right)
        restore = restores(pinned) and not restores(changed)
        trial = lab.run(setup, restore)
        found = lab.differ(same, trial)
        if trial.exit_status not in (left.exit_status, right.exit_status) and "xists" in trial.said:
            return False  # a folder or a table of the left one's name, which is there already
        if found is None or (
            noise is not None and not _before(noise, found, lab.differ(trial, lab.run(setup, restore)))
        ):
            return False
        # a hash seed moves objects in memory too, and what depends on these is not the same with one seed
        by_chance = noisy and noise is None and changed[0].source != DISK  # the disk is another one the second time
        twice = changed[0].source == HASH or by_chance
        if twice and not again_so(changed, setup, restore, trial):
            return False
        if len(changed) == 1:
            proved.effects[changed[0]] = _apart(same, trial)
        return True

    unlikely = [suspect for suspect in pinned if not suspect.likely]
    for suspect in (suspect for suspect in pinned if suspect.likely):
        if differs([suspect]):
            proved.causes.append(suspect)
    if unlikely and (len(unlikely) == 1 or differs(unlikely)):
        proved.causes += [suspect for suspect in unlikely if differs([suspect])]


def _before(noise: Found, found: Found, again: Found | None) -> bool:
    """Whether a difference comes before the place where trials differ in any case, and is the same when made again."""
    return found.place < noise.place and (again is None or again.place > found.place)


def _apart(left: Trial, right: Trial) -> float:
    """How far the final metrics are apart."""
    ours, theirs = metric(left), metric(right)
    distance = 0.0 if ours is None or theirs is None else abs(ours[1] - theirs[1])
    return distance if math.isfinite(distance) else 0.0
