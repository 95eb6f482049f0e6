"""Two runs: the first place in causal order where they differ by a bit, and how the difference grows from there.

Rows of the same source are compared in their order; digests tell whether tensors are the same, norms how far apart they are.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from samestep.errors import UsageError
from samestep.matching.sources import pairs_from
from samestep.recording.recorder import LOG
from samestep.results import DiffResult, RunDifference, RunSide, Verdict
from samestep.runs.environments import differences, versions
from samestep.runs.format import Segment
from samestep.runs.growth import growth, looks_like
from samestep.runs.pairing import SCALARS, Item, Pairing, Rows, Span, equal, paired, spans, unequal
from samestep.runs.reading import Block, Run

MOST_NAMED = 20
"""Names that are listed of what differs at the first step."""

Pairs = str | Path | Mapping[str, str] | None
Blocks = tuple[list[Block], list[Block]]


def diff(left: str | Path | Run, right: str | Path | Run, pairs: Pairs = None) -> DiffResult:
    """Compare two runs, or the folders of two.

    pairs: right names of left tensors that are named otherwise there, or the --map file that holds them. Raises UsageError or
    DataError where one cannot be read.
    """
    ours, theirs = (run if isinstance(run, Run) else Run.open(run) for run in (left, right))
    twins = dict(pairs) if isinstance(pairs, Mapping) else pairs_from(None if pairs is None else str(pairs))
    for side, run, names in (("left", ours, list(twins)), ("right", theirs, list(twins.values()))):
        _check_names(side, run, names)
    return _result(ours, theirs, _compared(ours, theirs, twins))


def _check_names(side: str, run: Run, names: list[str]) -> None:
    known = {entry.name: None for segment in run.segments for entry in segment.entries}
    wrong = [name for name in names if name not in known]
    if wrong:
        near = difflib.get_close_matches(wrong[0], known, n=1)
        hint = f"Did you mean {near[0]}?" if near else f"It holds: {', '.join(list(known)[:MOST_NAMED])}."
        raise UsageError(f"--map: {run.folder}, the {side} run, holds no tensor called {wrong[0]!r}. {hint}")


@dataclass
class _Found:
    """The first row of a source that differs: what does in it, in causal order; counts: of rows, where only these do."""

    source: str
    step: int
    items: list[Item]
    at: tuple[Span, Pairing] | None = None
    counts: tuple[int, int] = (0, 0)


@dataclass
class _Seen:
    """What comparing two runs showed. generators: the step from which the state of each differs."""

    twins: Callable[[Segment, Segment], Pairing]
    sources: dict[str, Blocks]
    unpaired: tuple[dict[Item, None], dict[Item, None]]
    found: list[_Found] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)
    generators: dict[str, int] = field(default_factory=dict)
    algorithms: set[str] = field(default_factory=set)
    aligned: dict[str, str] = field(default_factory=dict)
    frameworks: set[str] = field(default_factory=set)
    one_sided: bool = False
    anything: bool = False

    @property
    def first(self) -> _Found | None:
        """Where the first of all differences is."""
        return min(self.found, key=lambda found: (found.step, found.items[0].rank), default=None)

    @property
    def steps(self) -> int:
        """The number of steps that were compared; of rows that were logged, where there are no others."""
        return sum(rows for source, rows in self.rows.items() if source != LOG) or self.rows.get(LOG, 0)


def _compared(left: Run, right: Run, twins: Mapping[str, str]) -> _Seen:
    seen = _Seen(_pairings(twins), *_paired_sources(left.sources, right.sources))
    whole = left.status == right.status == "complete" and not left.cut and not right.cut
    for source, blocks in seen.sources.items():
        found = _first_of(source, blocks, seen) or (_length(source, blocks) if whole else None)
        seen.found += [found] if found is not None else []
    if not (seen.steps and seen.anything):
        seen.found.clear()
    return seen


def _pairings(twins: Mapping[str, str]) -> Callable[[Segment, Segment], Pairing]:
    """Pairs two segments, once for all of their rows."""
    known: dict[tuple[int, int], Pairing] = {}

    def pairing(left: Segment, right: Segment) -> Pairing:
        key = id(left), id(right)
        if key not in known:
            known[key] = paired(left, right, twins)
        return known[key]

    return pairing


def _paired_sources(
    left: dict[str, list[Block]], right: dict[str, list[Block]]
) -> tuple[dict[str, Blocks], tuple[dict[Item, None], dict[Item, None]]]:
    """Sources by name, then those left over in their order if they are as many; and those that only one side has."""
    both = {name: (blocks, right[name]) for name, blocks in left.items() if name in right}
    ours, theirs = ([name for name in side if name not in both] for side in (left, right))
    if len(ours) == len(theirs) and LOG not in (*ours, *theirs):
        return both | {one: (left[one], right[other]) for one, other in zip(ours, theirs, strict=True)}, ({}, {})
    alone = {name: (left.get(name, []), right.get(name, [])) for name in [*ours, *theirs] if name != LOG}
    unpaired = tuple(dict.fromkeys(Item("source", name) for name in names) for names in (ours, theirs))
    return both | alone, (unpaired[0], unpaired[1])


def _first_of(source: str, blocks: Blocks, seen: _Seen) -> _Found | None:
    """The first difference of a source, unless another source has one before it."""
    for span in spans(*blocks):
        if seen.first is not None and span.steps[0] > seen.first.step:
            return None
        pairing = seen.twins(span.left.segment, span.right.segment)
        _note(pairing, seen)
        found = None if equal(span, pairing) else _first_in(source, span, pairing, seen)
        seen.rows[source] = span.row + span.rows if found is None or found.at is None else found.at[0].row + 1
        if found is not None:
            return found
    return None


def _note(pairing: Pairing, seen: _Seen) -> None:
    seen.anything = seen.anything or bool(pairing.scalars or pairing.tensors)
    for items, unpaired in zip(pairing.unpaired, seen.unpaired, strict=True):
        unpaired.update(dict.fromkeys(item._replace(places=(0, 0)) for item in items))
    seen.aligned.update(pairing.aligned)
    if pairing.foreign:
        seen.frameworks |= {pairing.left.framework, pairing.right.framework}
    if not pairing.by_digest:
        seen.algorithms |= {pairing.left.digest, pairing.right.digest}


def _first_in(source: str, span: Span, pairing: Pairing, seen: _Seen) -> _Found | None:
    """The first row of a span in which more than generators differs; the generators are noted as far as that."""
    differs, one_sided = unequal(span, pairing)
    seen.one_sided |= one_sided
    items, steps = pairing.items, span.steps
    generators = [place for place, item in enumerate(items) if item.kind == "generator"]
    others = np.any(np.delete(differs, generators, 1), axis=1)
    row = int(others.argmax()) if others.any() else span.rows - 1
    for place in generators:
        if differs[: row + 1, place].any():
            seen.generators.setdefault(items[place].name, int(steps[differs[:, place].argmax()]))
    if not others[row]:
        return None
    begin = int(steps[row]) if span.row + row else None
    named = [item for item, is_so in zip(items, differs[row], strict=True) if is_so and _began(item, begin, seen)]
    return _Found(source, int(steps[row]), sorted(named, key=lambda item: item.rank), (span.only(row), pairing))


def _began(item: Item, step: int | None, seen: _Seen) -> bool:
    """Whether a generator that differs began to at this step: only then may it be what makes the step differ.

    step: None for the first of all, as one that the script neither seeds nor uses differs from there.
    """
    return item.kind != "generator" or seen.generators[item.name] == step


def _length(source: str, blocks: Blocks) -> _Found | None:
    """That one side of two complete runs goes on."""
    left, right = (Rows(side) for side in blocks)
    if left.count == right.count:
        return None
    block, place = max(left, right, key=lambda side: side.count).at(min(left.count, right.count))
    return _Found(
        source, int(block.step[place]), [Item("number of steps", "number of steps")], counts=(left.count, right.count)
    )


def _result(left: Run, right: Run, seen: _Seen) -> DiffResult:
    first = seen.first
    named = [item for found in seen.found if first and found.step == first.step for item in found.items]
    labels = [item.label for item in sorted(named, key=lambda item: item.rank)]
    apart = growth(first.at[0].row, *seen.sources[first.source], seen.twins) if first and first.at else ()
    verdict, note = _judged(left, right, seen)
    return DiffResult(
        verdict, _side(left), _side(right), differences(left.manifest, right.manifest),
        first_difference=None if first is None else _difference(first),
        differing=tuple(labels[:MOST_NAMED]), more=max(0, len(labels) - MOST_NAMED),
        growth=apart, looks_like=None if first is None else looks_like(first.items, apart), compared=seen.steps,
        unpaired_left=tuple(item.label for item in seen.unpaired[0]),
        unpaired_right=tuple(item.label for item in seen.unpaired[1]), note=note,
    )  # fmt: skip


def _side(run: Run) -> RunSide:
    command = " ".join(str(word) for word in run.manifest["command"])
    return RunSide(str(run.folder), command, versions(run.manifest), run.steps, run.status, run.cut)


def _judged(left: Run, right: Run, seen: _Seen) -> tuple[Verdict, str]:
    """The verdict, and what a person should know."""
    doubts = [] if seen.found else [*_doubts(left, right, seen)]
    notes = [*doubts, *(f"{side}: {run.cut}" for side, run in (("left", left), ("right", right)) if run.cut)]
    if seen.generators:
        notes.append(_of_generators(seen))
    if seen.aligned:
        pairs = [f"{one} = {other}" for one, other in seen.aligned.items()]
        notes.append(f"paired by order and shape: {', '.join(pairs[:MOST_NAMED])}{', …' if pairs[MOST_NAMED:] else ''}")
    return "different" if seen.found else "undecided" if doubts else "identical", "; ".join(notes)


def _of_generators(seen: _Seen) -> str:
    told = ", ".join(f"{name} from step {step} on" for name, step in seen.generators.items())
    return f"states of generators differ: {told}" + ("" if seen.found else "; nothing else does")


def _doubts(left: Run, right: Run, seen: _Seen) -> Iterator[str]:
    """Why two runs of which nothing is known to differ may differ all the same."""
    if not (seen.steps and seen.anything):
        yield "nothing was compared: the runs have no step, tensor or scalar in common"
    elif left.cut or right.cut or any(Rows(one).count != Rows(other).count for one, other in seen.sources.values()):
        yield f"identical as far as both go: {seen.steps} steps"
    if seen.frameworks:
        yield f"of {' and '.join(sorted(seen.frameworks))} only scalars of one meaning, and norms up to rounding, were compared"
    if seen.algorithms:
        yield f"digests by {' and '.join(sorted(seen.algorithms))} cannot be compared, only scalars and norms were"
    if any(item.kind not in (*SCALARS, "generator") and item.name != LOG for side in seen.unpaired for item in side):
        yield "some tensors have no twin in the other run; --map can name it"
    if seen.one_sided:
        yield "which batch a step was made from is known of one run only"
    for side, run in (("left", left), ("right", right)):
        if run.damaged_samples:
            yield f"{side}: {run.damaged_samples}"


def _difference(first: _Found) -> RunDifference:
    item = first.items[0]
    left, right = first.counts if first.at is None else _values(item, *first.at)
    return RunDifference(first.step, item.kind, item.name, left, right, first.source)


def _values(item: Item, span: Span, pairing: Pairing) -> tuple[Any, Any]:
    """What either side has of an item in the one row of a span."""
    left, right, one, other = span.left, span.right, span.at_left, span.at_right
    if item.kind == "step":
        return int(left.step[one]), int(right.step[other])
    if item.kind == "batch":
        return _digest(left.batch[one]), _digest(right.batch[other])
    if item in pairing.scalars:
        return _told_apart(float(left.scalar(item.places[0])[one]), float(right.scalar(item.places[1])[other]))
    if pairing.tensors.index(item) in pairing.altered:
        return _type(pairing.left, item.places[0]), _type(pairing.right, item.places[1])
    return _tensor(left, one, item.places[0]), _tensor(right, other, item.places[1])


def _type(segment: Segment, place: int) -> str:
    return f"{segment.entries[place].dtype} {segment.entries[place].shape}"


def _tensor(block: Block, row: int, place: int) -> dict[str, Any]:
    norm = float(block.norms[row, place])
    return {"digest": _digest(block.digests[row, place]), "norm": None if norm != norm else norm}


def _digest(words: np.ndarray) -> str:
    return words.tobytes().hex() if words.any() else "absent"


def _told_apart(left: float, right: float) -> tuple[Any, Any]:
    """Two numbers that differ; with their bits where they look the same, as two NaN do."""
    return (left, right) if repr(left) != repr(right) else (_with_bits(left), _with_bits(right))


def _with_bits(value: float) -> dict[str, Any]:
    return {"value": value, "bits": f"{int(np.float64(value).view(np.uint64)):016x}"}
