"""Is it the same training? Twice, there, or just luck.

Read by Python 3.7 too, because user programs import ``samestep.frameworks`` inside their own
interpreter; everything else is loaded on first use.
"""

import importlib

__version__ = "0.1.0"
__all__ = [
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
    "UsageError",
    "WorkerError",
    "diff",
    "match",
    "match_each",
    "record",
    "repeat",
]

_HOMES = {
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
    "UsageError": "samestep.errors",
    "WorkerError": "samestep.errors",
    "diff": "samestep.runs.diffing",
    "match": "samestep.matching.match",
    "match_each": "samestep.matching.match",
    "record": "samestep.runs.launching",
    "repeat": "samestep.repeating.repeat",
}


def __getattr__(name):
    if name not in _HOMES:
        raise AttributeError("module 'samestep' has no attribute {!r}".format(name))
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__():
    return sorted(__all__)
