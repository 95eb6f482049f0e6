"""From the stages that differ to their causes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from samestep.explain.alignment import explain_alignment
from samestep.explain.buffers import explain_buffers
from samestep.explain.case import Case, Explainer, Explanation
from samestep.explain.data import explain_data
from samestep.explain.gradients import explain_gradients
from samestep.explain.initial import explain_init
from samestep.explain.layers import explain_forward
from samestep.explain.losses import explain_loss
from samestep.explain.metrics import explain_metrics
from samestep.explain.schedules import explain_schedule
from samestep.explain.updates import explain_update
from samestep.matching.judging import Comparison, Judged, doubtful
from samestep.results import Cause

EXPLAINERS: Mapping[str, Explainer] = {
    "loss": explain_loss,
    "forward": explain_forward,
    "buffers": explain_buffers,
    "data": explain_data,
    "alignment": explain_alignment,
    "gradients": explain_gradients,
    "init": explain_init,
    "update": explain_update,
    "slots": explain_update,
    "schedule": explain_schedule,
    "metrics": explain_metrics,
}
"""Who looks for the causes of a stage's difference."""


OWN_INPUTS = ("loss", "buffers", "metrics")
"""Stages in which each side is identified from its own inputs, so that an earlier difference does not hide theirs."""


def find_causes(case: Case) -> tuple[list[Judged], tuple[Cause, ...]]:
    """The stages, with a note where no cause was found, and the causes of all that differ, in causal order.

    A stage between rounding and different is different if it has a confirmed cause.
    """
    causes: dict[str, Cause] = {}
    asked: dict[Explainer, Explanation] = {}
    noted = []
    for entry in case.judged:
        found = _explained(case, entry, asked) if doubtful(entry) or _only_follows(entry) else Explanation()
        causes = {**causes, **{_key(cause): cause for cause in found.causes}, **causes}
        noted.append(_noted(entry, found) if doubtful(entry) else entry)
    return noted, tuple(causes.values())


def _noted(entry: Judged, found: Explanation) -> Judged:
    """The stage with what the search for its cause came to."""
    if entry.stage.verdict == "undecided" and any(cause.confirmed for cause in found.causes):
        entry = replace(entry, stage=replace(entry.stage, verdict="different"))
        return _with_note(entry, "decided by its cause")
    return _with_note(entry, f"cause not found: {found.ruled_out}") if found.ruled_out else entry


def _only_follows(entry: Judged) -> bool:
    """Whether a stage may differ by itself too, although it is not judged since an earlier one does."""
    return entry.stage.stage in OWN_INPUTS and entry.stage.note.startswith("follows from")


def _explained(case: Case, entry: Judged, asked: dict[Explainer, Explanation]) -> Explanation:
    """What the stage's explainer finds, which is asked once for all its stages."""
    explainer = EXPLAINERS.get(entry.stage.stage)
    if explainer is None or entry.worst is None:
        return Explanation()
    if explainer not in asked:
        asked[explainer] = _search(explainer, case, entry.worst)
    return asked[explainer]


def _search(explainer: Explainer, case: Case, worst: Comparison) -> Explanation:
    """What an explainer finds; a search that fails leaves the verdict as it is, and says so."""
    try:
        return explainer(case, worst)
    except Exception as error:
        return Explanation(
            ruled_out=f"the search failed, which is a mistake of samestep's own: {type(error).__name__}: {error}"
        )


def _key(cause: Cause) -> str:
    """What makes two causes the same, whichever stage showed them."""
    return repr((cause.component, cause.setting, cause.left, cause.right))


def _with_note(entry: Judged, note: str) -> Judged:
    notes = "; ".join(part for part in (entry.stage.note, note) if part)
    return replace(entry, stage=replace(entry.stage, note=notes))
