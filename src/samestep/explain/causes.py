"""From the stages that differ to their causes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from samestep.explain.alignment import explain_alignment
from samestep.explain.buffers import explain_buffers
from samestep.explain.case import Case, Explainer
from samestep.explain.data import explain_data
from samestep.explain.gradients import explain_gradients
from samestep.explain.initial import explain_init
from samestep.explain.layers import explain_forward
from samestep.explain.losses import explain_loss
from samestep.explain.metrics import explain_metrics
from samestep.explain.schedules import explain_schedule
from samestep.explain.updates import explain_update
from samestep.matching.judging import Judged
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


def find_causes(case: Case) -> tuple[list[Judged], tuple[Cause, ...]]:
    """The stages, with a note where no cause was found, and the causes of all that differ, in causal order."""
    causes: dict[str, Cause] = {}
    noted = []
    for entry in case.judged:
        explainer = EXPLAINERS.get(entry.stage.stage)
        if entry.stage.verdict == "different" and explainer is not None and entry.worst is not None:
            found = explainer(case, entry.worst)
            causes = {**causes, **{_key(cause): cause for cause in found.causes}, **causes}
            entry = _with_note(entry, f"cause not found: {found.ruled_out}") if found.ruled_out else entry
        noted.append(entry)
    return noted, tuple(causes.values())


def _key(cause: Cause) -> str:
    """What makes two causes the same, whichever stage showed them."""
    return repr((cause.component, cause.setting, cause.left, cause.right))


def _with_note(entry: Judged, note: str) -> Judged:
    notes = "; ".join(part for part in (entry.stage.note, note) if part)
    return replace(entry, stage=replace(entry.stage, note=notes))
