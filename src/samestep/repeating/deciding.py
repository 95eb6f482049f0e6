"""Adding seeds until it is decided, with the error over all looks held.

for look in plan(first, cap):
    ...                                    # train up to look.seeds seeds of each group
    result = judge(metric, values, look=look)
    if decided(result):
        break
"""

from __future__ import annotations

from dataclasses import dataclass

from samestep.results import RepeatResult


@dataclass(frozen=True)
class Look:
    """One of a sequence of looks at the values: after how many seeds of each group, and the looks that went before.

    number: counted from 0. seeds: of each look in the plan, the last one being the cap.
    """

    number: int
    plan: tuple[int, ...]

    @property
    def seeds(self) -> int:
        """How many seeds each group has at this look."""
        return self.plan[self.number]


def plan(first: int, cap: int) -> tuple[Look, ...]:
    """The looks at first seeds a group, then at ever more of them, up to cap; first and cap at least 1."""
    raise NotImplementedError


def decided(result: RepeatResult) -> bool:
    """Has every comparison a verdict?"""
    return all(comparison.verdict != "not enough evidence" for comparison in result.comparisons)
