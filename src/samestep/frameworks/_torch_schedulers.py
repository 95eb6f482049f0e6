"""Where a PyTorch program's learning-rate schedulers stand, and how to put them where they stand after some updates."""

from __future__ import annotations

import warnings
from typing import Any, Dict, List, Sequence

import numpy as np
import torch

from samestep.frameworks._torch_trees import as_array, flat, put_back

Arrays = Dict[str, np.ndarray]


def by_loss(scheduler: Any) -> bool:
    """Whether it goes by a loss and not by the number of updates."""
    return isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)


def place(scheduler: Any) -> List[Any]:
    """Where a scheduler stands: it has been advanced when this has changed."""
    return [(getattr(part, "last_epoch", None), getattr(part, "_step_count", None)) for part in _parts(scheduler)]


def ahead(schedulers: Sequence[Any], places: Sequence[List[Any]]) -> int:
    """How many steps the schedulers have made since they stood at these places."""
    moves = [(place(scheduler)[0][0], before[0][0]) for scheduler, before in zip(schedulers, places)]
    return max([now - before for now, before in moves if before is not None], default=0)


def advance(schedulers: Sequence[Any], loss: Any) -> None:
    """Advance each after an update; loss: that update's."""
    for scheduler in schedulers:
        if by_loss(scheduler):
            scheduler.step(float(as_array(loss)))
        else:
            scheduler.step()


def groups(program: Any) -> List[Dict[str, Any]]:
    """The parameter groups of all optimizers."""
    return [group for optimizer in program.optimizers for group in optimizer.param_groups]


def position(program: Any) -> Arrays:
    """Where the schedulers stand, and what they, or a step of the program's own, set in the parameter groups."""
    if not program.schedulers and program.step is None:
        return {}
    values = [{key: group[key] for key in group if _is_set(program, key)} for group in groups(program)]
    return dict(flat(values, "groups"), **flat(program.schedulers, "schedulers"))


def _is_set(program: Any, key: str) -> bool:
    """Whether a value of a group may change in training; a step may change any, and some schedulers cycle momentum."""
    cycled = any(getattr(part, "cycle_momentum", False) for s in program.schedulers for part in _parts(s))
    return program.step is not None or key == "lr" or (cycled and key in ("momentum", "betas"))


def _parts(scheduler: Any) -> List[Any]:
    return [scheduler, *(part for inner in getattr(scheduler, "_schedulers", ()) for part in _parts(inner))]


def put_position(program: Any, found: Arrays) -> None:
    """Put back what `position` saw; found may hold other things too."""
    put_back(groups(program), "groups", found)
    put_back(program.schedulers, "schedulers", found)


def walk_to(program: Any, step: int) -> None:
    """Put the schedulers where they stand after this many updates: from the nearest known place before, step by step.

    A schedule need not have a closed form, and rates that are multiplied up are not to the bit those of a closed form.
    """
    if not program.schedulers or any(by_loss(scheduler) for scheduler in program.schedulers):
        return
    known = max((place for place in program.positions if place <= step), default=min(program.positions))
    put_position(program, program.positions[known])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of schedulers that step before their optimizers
        for _ in range(known, step):
            advance(program.schedulers, None)
    program.positions[max(step, known)] = position(program)
