"""Does an adapter do what samestep relies on? A suite of facts for those who write one.

``check`` runs a small program of the adapter's framework in a worker, as a match does, and says of each fact whether it
holds. For a test of its own for each fact::

    from samestep import conformance

    @pytest.fixture(scope="module")
    def checked():
        return conformance.check("linear.py", x, y)

    @pytest.mark.parametrize("fact", conformance.FACTS)
    def test_adapter(checked, fact):
        checked.require(fact)
"""

from __future__ import annotations

import unittest
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Literal

from samestep.conformance.facts import FACTS, Fact
from samestep.conformance.probe import NotShown, Probe
from samestep.errors import ProgramError, UsageError
from samestep.frameworks import _rows
from samestep.matching.sources import resolve
from samestep.worker.parent import Worker

__all__ = ["FACTS", "Conformance", "Finding", "check"]

BATCH_SIZE = 4


@dataclass(frozen=True)
class Finding:
    """What came of one fact. says: what is wrong, one sentence a line, or why the program does not show it; else empty."""

    fact: str
    outcome: Literal["holds", "broken", "skipped"]
    says: str = ""

    def __str__(self) -> str:
        return "\n".join([f"{self.outcome:8}{self.fact}", *("        " + line for line in self.says.splitlines())])


@dataclass(frozen=True)
class Conformance:
    """What came of every fact for one program; its text is a report for a terminal."""

    program: str
    adapter: str
    findings: tuple[Finding, ...]

    @property
    def broken(self) -> tuple[Finding, ...]:
        """The findings of what does not hold."""
        return tuple(finding for finding in self.findings if finding.outcome == "broken")

    def require(self, fact: str) -> None:
        """For a test of one fact: raises AssertionError where it is broken, and unittest.SkipTest where it is not shown."""
        finding = next(finding for finding in self.findings if finding.fact == fact)
        if finding.outcome == "skipped":
            raise unittest.SkipTest(finding.says)
        if finding.outcome == "broken":
            raise AssertionError(f"{self.program} ({self.adapter}): {finding.fact}\n{finding.says}")

    def __str__(self) -> str:
        verdict = f"BROKEN  {len(self.broken)} of {len(self.findings)} facts" if self.broken else "HOLDS"
        return "\n".join([f"{verdict}  {self.program} by {self.adapter}", *map(str, self.findings)])


def check(
    build: str,
    x: Any,
    y: Any,
    *,
    batch_size: int = BATCH_SIZE,
    unused: Collection[str] = (),
    facts: Collection[str] = tuple(FACTS),
    python: str | None = None,
    timeout: float = 300.0,
) -> Conformance:
    """Hold an adapter to the facts, on one program of its framework.

    build: ``FILE.py``, ``FILE.py:function`` or an experiment, as for match: a program without input pipeline and schedule of
    its own, whose loss is a mean over rows. x, y: its data, arrays (N, …) or dicts of such by name, of which the first two
    and a half batches are used. unused: names of parameters that the loss does not depend on. facts: those to look at.
    python: an interpreter of its own. Raises SamestepError where the program cannot be loaded, described and read at all.
    """
    rows = _enough_rows(x, batch_size)
    source = resolve(build)
    with Worker(source.label, python=python, timeout=timeout, environment=dict(source.environment)) as worker:
        worker.ask("load", source=asdict(source), seed=0, x=_rows.take(x, rows), y=_rows.take(y, rows))
        probe = Probe(worker, batch_size, unused)
        findings = tuple(_finding(name, fact, probe) for name, fact in FACTS.items() if name in facts)
        return Conformance(source.label, probe.adapter["module"], findings)


def _enough_rows(x: Any, batch_size: int) -> slice:
    """Two whole batches and a partial one."""
    wanted = 2 * batch_size + batch_size // 2
    if batch_size < 2 or _rows.count(x) < wanted:
        raise UsageError(
            f"a check needs batches of at least 2 rows, and two and a half of them: {wanted} rows; x has {_rows.count(x)}."
        )
    return slice(wanted)


def _finding(name: str, fact: Fact, probe: Probe) -> Finding:
    """What comes of one fact, from the start; a request that fails breaks it."""
    try:
        probe.start_again()
        says = list(fact(probe))
    except NotShown as reason:
        return Finding(name, "skipped", str(reason))
    except ProgramError as error:
        says = [str(error)]
    return Finding(name, "broken" if says else "holds", "\n".join(says))
