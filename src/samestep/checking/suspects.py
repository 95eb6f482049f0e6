"""What was not the same in two trials, and so may be why they differ: values that can be played, and switches that can be set."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from samestep.checking.trials import ADDRESSES, Played, Trial
from samestep.frameworks._watching_graphs import IN_ORDER, RACE
from samestep.frameworks._watching_tensorflow import DETERMINISTIC, ORDERED, PIPELINES
from samestep.frameworks._watching_torch import FILLED, NO_WORKERS, WORKERS
from samestep.watching import tasks
from samestep.watching.commands import OUTPUT
from samestep.watching.generators import START, UNSEEDED
from samestep.watching.memory import ZEROED
from samestep.watching.tape import SEPARATOR
from samestep.watching.threads import ONE_THREAD

HASH, DISK = "hash seed", "files left by the previous run"
LAST = ("tempfile", "uuid.", "time.", "datetime.", "os.getp", "socket")
"""Beginnings of the names of sources that scripts use for what is no result: they are tried together first."""
MEMORY = ("numpy.empty", "numpy.empty_like", "torch.empty", "torch.empty_like", "torch.new_empty")
SWITCHES = {
    PIPELINES: ORDERED,
    RACE: IN_ORDER + ": {}",
    **dict.fromkeys(MEMORY, ZEROED + "{}"),
    WORKERS: NO_WORKERS,
    tasks.THREADS: tasks.SERIAL,
    tasks.TASKS: tasks.SERIAL,
    tasks.ASSIGNED: tasks.ONE_WORKER,
}
"""The switch that pins each source that has one, in the order in which they are tried."""
ALWAYS = {
    "nondeterministic kernels": DETERMINISTIC,
    "uninitialised memory": FILLED,
    "thread count": ONE_THREAD,
    "memory addresses": ADDRESSES,
}
"""Sources that leave no trace, and their switches."""
COMPUTING = {
    "nondeterministic kernels": {"tensorflow", "torch", "jax"},
    "uninitialised memory": {"torch"},
    "thread count": {"tensorflow", "torch", "jax", "scipy", "sklearn", "xgboost", "lightgbm"},
}
"""Packages without which a source cannot be there."""


@dataclass(frozen=True)
class Suspect:
    """A source at a place. keys: of the values to play, by process, empty where a switch pins it. likely: try it by itself."""

    source: str
    site: str = ""
    keys: tuple[tuple[str, str], ...] = ()
    switch: str = ""
    likely: bool = True
    seed: bool = False

    @property
    def spread(self) -> bool:
        """Whether several processes asked for it, so that one value has to do for all."""
        return len({process for process, _ in self.keys}) > 1


def of_values(left: Trial, right: Trial) -> list[Suspect]:
    """Sources whose values were not the same, in the order in which the left trial asked for them."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    used = _unseeded(left) | _unseeded(right)
    for process, key in _different(left.values, right.values):
        source, _, site = key.partition(SEPARATOR)
        if source != OUTPUT and (site != START or (process, source) in used):
            found.setdefault((source, site), []).append((process, key))
    return [_suspect(source, site, keys, used) for (source, site), keys in found.items()]


def of_outputs(left: Trial, right: Trial) -> list[Suspect]:
    """Commands whose output was not the same; of a Python process that is watched, what it was given explains it better."""
    found = [(process, key) for process, key in _different(left.values, right.values) if key.startswith(OUTPUT)]
    return [Suspect(OUTPUT, key.partition(SEPARATOR)[2], ((process, key),)) for process, key in found]


def of_seeds(left: Trial, right: Trial) -> list[Suspect]:
    """Places that seeded a generator with numbers that were not the same."""
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for process, key in _different(left.seeds, right.seeds):
        source, _, site = key.partition(SEPARATOR)
        found.setdefault((source, site), []).append((process, key))
    return [Suspect(source, site, tuple(keys), seed=True) for (source, site), keys in found.items()]


def of_switches(trials: Iterable[Trial]) -> list[Suspect]:
    """Sources that can be pinned by a switch only, of which there were traces; then those that leave none."""
    trials = list(trials)
    events = [event for trial in trials for event in trial.events if event.kind == "seen"]
    sites: dict[tuple[str, str], str] = {}
    for event in events:
        switch = SWITCHES.get(event.source, "").format(event.site)
        if switch:
            sites.setdefault((event.source, switch), event.site)
    order = list(SWITCHES)
    traced = sorted(sites.items(), key=lambda item: order.index(item[0][0]))
    found = {switch: Suspect(source, site, switch=switch) for (source, switch), site in reversed(traced)}
    packages = {name for trial in trials for name in trial.run.manifest["environment"].get("packages", ())}
    always = [name for name in ALWAYS if name not in COMPUTING or COMPUTING[name] & packages]
    return [*reversed(found.values()), *(Suspect(source, switch=ALWAYS[source]) for source in always)]


Used = dict[tuple[str, str], tuple[str, str]]
"""{(process, shared generator): (the name it was used by, where)} of those used before anybody seeded them."""


def _suspect(source: str, site: str, keys: list[tuple[str, str]], used: Used) -> Suspect:
    name, place = used[keys[0][0], source] if site == START else (source, site)
    return Suspect(name, place, tuple(keys), likely=not source.startswith(LAST))


def _unseeded(trial: Trial) -> Used:
    found: Used = {}
    for event in trial.events:
        where = event.process, event.value
        if event.kind == UNSEEDED and not found.get(where, ("", ""))[1]:
            found[where] = event.source, event.site
    return found


def _different(left: Played, right: Played) -> list[tuple[str, str]]:
    """(process, key) of what both asked for and were not given the same.

    Where several processes asked, which of them did is chance, and what they were given is taken together.
    """
    found: list[tuple[str, str]] = []
    for key in dict.fromkeys(key for keys in left.values() for key in keys):
        ours, theirs = ({process: keys[key] for process, keys in side.items() if key in keys} for side in (left, right))
        processes = dict.fromkeys([*ours, *theirs])
        if len(processes) == 1:
            differs = not _same(*(next(iter(side.values()), []) for side in (ours, theirs)))
        else:
            differs = bool(theirs) and _together(ours) != _together(theirs)
        found += [(process, key) for process in processes] if differs else []
    return found


def _together(values: dict[str, list[Any]]) -> list[str]:
    return sorted(repr(value) for some in values.values() for value in some)


def _same(left: list[Any], right: list[Any]) -> bool:
    """Whether they are the same as far as both go: one may have asked more often because of another difference."""
    count = min(len(left), len(right))
    return left[:count] == right[:count]
