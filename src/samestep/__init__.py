"""Is it the same training? Twice, there, or just luck.

Read by Python 3.7 too, because user programs import ``samestep.frameworks`` inside their own
interpreter; everything else is loaded on first use.
"""

import importlib

__version__ = "0.1.0"
__all__ = [
    "CheckResult",
    "DataError",
    "DiffResult",
    "FrameworkMissing",
    "MatchResult",
    "MatchTable",
    "ProgramError",
    "Recording",
    "RepeatResult",
    "Run",
    "SamestepError",
    "SeedReport",
    "UsageError",
    "WorkerError",
    "check",
    "diff",
    "match",
    "match_each",
    "record",
    "repeat",
    "seed",
    "seeded",
]

_HOMES = {
    "CheckResult": "samestep.results",
    "DataError": "samestep.errors",
    "DiffResult": "samestep.results",
    "FrameworkMissing": "samestep.errors",
    "MatchResult": "samestep.results",
    "MatchTable": "samestep.results",
    "ProgramError": "samestep.errors",
    "Recording": "samestep.runs.by_hand",
    "RepeatResult": "samestep.results",
    "Run": "samestep.runs.reading",
    "SamestepError": "samestep.errors",
    "SeedReport": "samestep.seeding.report",
    "UsageError": "samestep.errors",
    "WorkerError": "samestep.errors",
    "check": "samestep.checking.check",
    "diff": "samestep.runs.diffing",
    "match": "samestep.matching.match",
    "match_each": "samestep.matching.match",
    "record": "samestep.runs.launching",
    "seed": "samestep.seeding.seeds",
    "seeded": "samestep.seeding.seeds",
    "repeat": "samestep.repeating.repeat",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError("module 'samestep' has no attribute {!r}".format(name))
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return sorted(__all__)
