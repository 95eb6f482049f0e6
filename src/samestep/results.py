"""What the questions answer: frozen, typed results, and their JSON.

The JSON is the contract; text and HTML are renderings of it.
"""

from __future__ import annotations

import json
import math
import sys
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Verdict = Literal["identical", "rounding", "different", "undecided"]
Comparative = Literal["better", "worse", "equivalent", "not enough evidence"]

MATCH_SCHEMA = "samestep/match/1"
TABLE_SCHEMA = "samestep/match-table/1"
DIFF_SCHEMA = "samestep/diff/1"
CHECK_SCHEMA = "samestep/check/1"
REPEAT_SCHEMA = "samestep/repeat/1"
SAME: tuple[Verdict, ...] = ("identical", "rounding")
"""Verdicts that say that two sides are the same, apart from rounding."""
SEVERITY: dict[Verdict, int] = {"identical": 0, "rounding": 1, "undecided": 2, "different": 3}
LARGEST = sys.float_info.max
EXIT_STATUS: dict[Verdict, int] = {"identical": 0, "rounding": 0, "different": 1, "undecided": 3}
REPEAT_STATUS: dict[Comparative, int] = {"better": 0, "equivalent": 0, "not enough evidence": 3, "worse": 1}


@dataclass(frozen=True)
class Side:
    """One of the two programs: where it comes from and what it runs on."""

    program: str
    framework: str
    versions: dict[str, str]


@dataclass(frozen=True)
class Stage:
    """What one stage showed: its verdict, and the tensor and step where the sides are farthest apart.

    times_floor: distance in measured rounding floors; infinite where no floor could explain it, None where
    nothing was compared. note: what a person should know, or why nothing was compared.
    """

    stage: str
    verdict: Verdict
    times_floor: float | None = None
    name: str | None = None
    step: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Difference:
    """The first place, in causal order, where the sides differ beyond the floor; left and right: what each has there."""

    stage: str
    name: str | None
    step: int | None
    times_floor: float | None
    left: Any
    right: Any


@dataclass(frozen=True)
class Cause:
    """A confirmed reason for a difference, and the line that mends it."""

    component: str
    setting: str
    left: Any
    right: Any
    confirmed: bool
    fix: str


@dataclass(frozen=True)
class Epoch:
    """One row of the table: means of loss and metrics on each side.

    spread: root mean square, over the left program's ±1-ulp siblings, of how far theirs lie from its own.
    """

    epoch: int
    left: dict[str, float]
    right: dict[str, float]
    spread: dict[str, float]


@dataclass(frozen=True)
class MatchResult:
    """The answer of `samestep match`."""

    verdict: Verdict
    left: Side
    right: Side
    stages: tuple[Stage, ...]
    first_difference: Difference | None = None
    causes: tuple[Cause, ...] = ()
    epochs: tuple[Epoch, ...] = ()
    data: str = ""
    batch_size: int = 32
    steps: int = 0
    seed: int = 0
    schema: str = field(default=MATCH_SCHEMA)

    @property
    def exit_status(self) -> int:
        """0 the same, 1 different, 3 undecided."""
        return EXIT_STATUS[self.verdict]

    def to_json(self) -> str:
        """The contract's JSON, which knows no infinity or NaN.

        An infinite times_floor is written as the largest double, other such numbers as "inf", "-inf" and "nan".
        """
        fields = asdict(self)
        ordered = {"schema": fields.pop("schema"), **fields}
        return json.dumps(_plain(ordered), indent=2, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> MatchResult:
        """Read what to_json wrote; raises ValueError for another schema."""
        fields = json.loads(text)
        if fields.get("schema") != MATCH_SCHEMA:
            raise ValueError(f"expected a result with schema {MATCH_SCHEMA!r}, this one has {fields.get('schema')!r}")
        first = fields["first_difference"]
        return cls(
            **{
                **fields,
                "left": Side(**fields["left"]),
                "right": Side(**fields["right"]),
                "stages": tuple(Stage(**{**s, "times_floor": _number(s["times_floor"])}) for s in fields["stages"]),
                "first_difference": first
                and Difference(**{**_sides_read(first), "times_floor": _number(first["times_floor"])}),
                "causes": tuple(Cause(**_sides_read(cause)) for cause in fields["causes"]),
                "epochs": tuple(Epoch(**{**e, **{k: _numbers(e[k]) for k in _CURVES}}) for e in fields["epochs"]),
            }
        )


@dataclass(frozen=True)
class MatchTable:
    """The answer of `samestep match EXPERIMENT --in A,B,…`: each framework's program against the first one's."""

    matches: tuple[MatchResult, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the verdicts."""
        return max((result.verdict for result in self.matches), key=lambda verdict: SEVERITY[verdict])

    @property
    def exit_status(self) -> int:
        """0 all the same, 1 one is different, 3 one is undecided."""
        return EXIT_STATUS[self.verdict]

    def to_json(self) -> str:
        """The schema, the verdict, and each match as its own JSON has it."""
        matches = [json.loads(result.to_json()) for result in self.matches]
        table = {"schema": TABLE_SCHEMA, "verdict": self.verdict, "matches": matches}
        return json.dumps(table, indent=2, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> MatchTable:
        """Read what to_json wrote; raises ValueError for another schema."""
        fields = json.loads(text)
        if fields.get("schema") != TABLE_SCHEMA:
            raise ValueError(f"expected a table with schema {TABLE_SCHEMA!r}, this one has {fields.get('schema')!r}")
        return cls(tuple(MatchResult.from_json(json.dumps(match)) for match in fields["matches"]))


@dataclass(frozen=True)
class RunSide:
    """One of two recorded runs; cut: empty, or a sentence that says where it ends before its end."""

    folder: str
    command: str
    versions: dict[str, str]
    steps: int
    status: str
    cut: str = ""


@dataclass(frozen=True)
class Setting:
    """Something of the environment that is not the same; None where a side does not have it."""

    what: str
    left: Any
    right: Any


@dataclass(frozen=True)
class RunDifference:
    """The first place, in causal order, where two runs are not the same bit for bit.

    kind: batch, generator, loss, scalar, gradient, update, learning rate, parameter, buffer; step where rows are of different
    updates, number of steps where one run goes on. source: whose rows these are, such as an optimizer's.
    """

    step: int
    kind: str
    name: str
    left: Any
    right: Any
    source: str


@dataclass(frozen=True)
class Growth:
    """How far two runs are apart at a step: the largest relative difference of norms, and that of the loss.

    None: there is nothing to take it of. ulps: the largest of these and of learning rates, in units in the last place of the
    tensor's dtype, of float32 for scalars; metrics, which may be counts, are left out. name: what that is of, None where all
    are the same.
    """

    step: int
    norm: float | None
    loss: float | None
    ulps: float
    name: str | None


@dataclass(frozen=True)
class DiffResult:
    """The answer of `samestep diff`.

    differing: what differs at the first step that does, in causal order, "kind name"; more: how many beyond these. growth: at
    that step and at some after it. looks_like: rounding, jump, unclear, or None where nothing differs. compared: the number
    of steps. unpaired: what only one of the runs holds.
    """

    verdict: Verdict
    left: RunSide
    right: RunSide
    environment: tuple[Setting, ...] = ()
    first_difference: RunDifference | None = None
    differing: tuple[str, ...] = ()
    more: int = 0
    growth: tuple[Growth, ...] = ()
    looks_like: Literal["rounding", "jump", "unclear"] | None = None
    compared: int = 0
    unpaired_left: tuple[str, ...] = ()
    unpaired_right: tuple[str, ...] = ()
    note: str = ""
    schema: str = field(default=DIFF_SCHEMA)

    @property
    def exit_status(self) -> int:
        """0 the same, 1 different, 3 undecided."""
        return EXIT_STATUS[self.verdict]

    def to_json(self) -> str:
        """The contract's JSON, which knows no infinity or NaN: they are written as "inf", "-inf" and "nan"."""
        fields = asdict(self)
        ordered = {"schema": fields.pop("schema"), **fields}
        return json.dumps(_plain(ordered), indent=2, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> DiffResult:
        """Read what to_json wrote; raises ValueError for another schema."""
        fields = json.loads(text)
        if fields.get("schema") != DIFF_SCHEMA:
            raise ValueError(f"expected a result with schema {DIFF_SCHEMA!r}, this one has {fields.get('schema')!r}")
        first = fields["first_difference"]
        tuples = ("differing", "unpaired_left", "unpaired_right")
        return cls(
            **{
                **fields,
                **{name: tuple(fields[name]) for name in tuples},
                "left": RunSide(**fields["left"]),
                "right": RunSide(**fields["right"]),
                "environment": tuple(Setting(**setting) for setting in fields["environment"]),
                "first_difference": first and RunDifference(**_sides_read(first)),
                "growth": tuple(Growth(**{name: _value(item) for name, item in g.items()}) for g in fields["growth"]),
            }
        )


CheckVerdict = Literal["reproducible", "not reproducible", "undecided"]


@dataclass(frozen=True)
class CheckDifference:
    """The first place where two runs of a script differ.

    what: kind of a tensor or scalar of training, exit status, printed line, file; step: of training, else None. site, source: the
    first that was to blame, FILE:LINE and name, empty where none is known. left, right: what the runs have there.
    """

    what: str
    name: str
    step: int | None
    site: str
    source: str
    left: Any
    right: Any


@dataclass(frozen=True)
class CheckCause:
    """A source of the difference, at FILE:LINE where that is known; confirmed: an intervention proved it.

    share: of the variation of the final metric, None where it could not be told. fix: the edit that takes it away.
    """

    source: str
    site: str
    confirmed: bool
    share: float | None
    fix: str


@dataclass(frozen=True)
class Metric:
    """The final metric of each run."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Mended:
    """Runs with all edits in place, and whether they were equal. pinned: sources without an edit, held as they were."""

    runs: int
    equal: bool
    pinned: tuple[str, ...] = ()


@dataclass(frozen=True)
class CheckResult:
    """The answer of `samestep check`.

    interventions: further runs that were made. compared: what there was to compare, in words. missed: the share of runs in
    which a difference shows that this many equal runs would miss in one case of twenty. remains: what is left unexplained.
    """

    verdict: CheckVerdict
    runs: int
    script: str = ""
    arguments: tuple[str, ...] = ()
    interventions: int = 0
    compared: str = ""
    first_difference: CheckDifference | None = None
    causes: tuple[CheckCause, ...] = ()
    mended: Mended | None = None
    remains: str = ""
    metric: Metric | None = None
    exit_statuses: tuple[int, ...] = ()
    missed: float = 1.0
    note: str = ""
    schema: str = field(default=CHECK_SCHEMA)

    @property
    def exit_status(self) -> int:
        """0 reproducible, 1 not reproducible, 3 undecided."""
        return {"reproducible": 0, "not reproducible": 1, "undecided": 3}[self.verdict]

    def to_json(self) -> str:
        """The contract's JSON, which knows no infinity or NaN: they are written as "inf", "-inf" and "nan"."""
        fields = asdict(self)
        ordered = {"schema": fields.pop("schema"), **fields}
        return json.dumps(_plain(ordered), indent=2, ensure_ascii=False, allow_nan=False)

    @classmethod
    def from_json(cls, text: str) -> CheckResult:
        """Read what to_json wrote; raises ValueError for another schema."""
        fields = json.loads(text)
        if fields.get("schema") != CHECK_SCHEMA:
            raise ValueError(f"expected a result with schema {CHECK_SCHEMA!r}, this one has {fields.get('schema')!r}")
        first, metric, mended = fields["first_difference"], fields["metric"], fields["mended"]
        return cls(
            **{
                **fields,
                **{name: tuple(fields[name]) for name in ("arguments", "exit_statuses")},
                "first_difference": first and CheckDifference(**_sides_read(first)),
                "causes": tuple(CheckCause(**cause) for cause in fields["causes"]),
                "metric": metric and Metric(metric["name"], tuple(float(value) for value in metric["values"])),
                "mended": mended and Mended(mended["runs"], mended["equal"], tuple(mended["pinned"])),
            }
        )


@dataclass(frozen=True)
class FailedSeed:
    """A training that ended with an error and has no value."""

    seed: int
    error: str


@dataclass(frozen=True)
class Group:
    """The trainings of one program, and what is known of their mean.

    values: one for each of seeds, in their order; None where the training failed, not finite where it diverged. mean, std (of
    a sample) and ci95, the 95 % interval of the mean, are of the finite ones; an interval that nothing is known of is infinite.
    note: what a person should know.
    """

    name: str
    values: tuple[float | None, ...]
    seeds: tuple[int, ...]
    mean: float
    std: float
    ci95: tuple[float, float]
    failed: tuple[FailedSeed, ...] = ()
    note: str = ""

    @property
    def finite(self) -> tuple[float, ...]:
        """The values of the trainings that ended well."""
        return tuple(value for value in self.values if value is not None and math.isfinite(value))


@dataclass(frozen=True)
class Comparison:
    """Is right better than left?

    difference: right's mean minus left's, or the mean of the differences of seeds when paired; ci95: its interval. p_value:
    of no difference, corrected for several groups and for several looks. probability_of_improvement: that a training of
    right's beats one of left's, ties counting half. effect_size: the difference in standard deviations (Hedges' g), None where
    values do not vary. verdict: of right. repeats_needed: seeds a group, None where no number is enough. margin: what is still
    equivalent; p_equivalent: of a difference beyond it. note: plain words.
    """

    left: str
    right: str
    paired: bool
    difference: float
    ci95: tuple[float, float]
    p_value: float
    probability_of_improvement: float
    effect_size: float | None
    verdict: Comparative
    repeats_needed: int | None
    margin: float | None = None
    p_equivalent: float | None = None
    note: str = ""


@dataclass(frozen=True)
class RepeatResult:
    """The answer of `samestep repeat`; comparisons: each other group against the first."""

    metric: str
    groups: tuple[Group, ...]
    comparisons: tuple[Comparison, ...] = ()
    engine: str = ""
    higher_is_better: bool = True
    note: str = ""
    schema: str = field(default=REPEAT_SCHEMA)

    @property
    def comparison(self) -> Comparison | None:
        """The one of exactly two groups."""
        return self.comparisons[0] if len(self.comparisons) == 1 else None

    @property
    def exit_status(self) -> int:
        """0 no group is worse than the first, 1 one is, 3 undecided; a lone group of which no training ended well is that."""
        statuses = [REPEAT_STATUS[comparison.verdict] for comparison in self.comparisons]
        if not self.comparisons and not all(group.finite for group in self.groups):
            return EXIT_STATUS["undecided"]
        return next((status for status in (1, 3) if status in statuses), 0)

    def to_json(self) -> str:
        """The contract's JSON, which knows no infinity or NaN: they are written as "inf", "-inf" and "nan"."""
        fields = asdict(self)
        first = {name: fields.pop(name) for name in ("schema", "metric", "groups")}
        alone = fields["comparisons"][0] if self.comparison is not None else None
        return json.dumps(
            _plain({**first, "comparison": alone, **fields}), indent=2, ensure_ascii=False, allow_nan=False
        )

    @classmethod
    def from_json(cls, text: str) -> RepeatResult:
        """Read what to_json wrote; raises ValueError for another schema."""
        fields = json.loads(text)
        if fields.get("schema") != REPEAT_SCHEMA:
            raise ValueError(f"expected a result with schema {REPEAT_SCHEMA!r}, this one has {fields.get('schema')!r}")
        del fields["comparison"]
        groups = tuple(_group(group) for group in fields["groups"])
        comparisons = tuple(Comparison(**_read(comparison)) for comparison in fields["comparisons"])
        return cls(**{**fields, "groups": groups, "comparisons": comparisons})


_CURVES = ("left", "right", "spread")
_NAMES = ("inf", "-inf", "nan")


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: LARGEST if key == "times_floor" and item == math.inf else _plain(item) for key, item in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def _number(value: Any) -> float | None:
    return None if value is None else math.inf if value == LARGEST else float(value)


def _sides_read(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "left": _value(fields["left"]), "right": _value(fields["right"])}


def _value(value: Any) -> Any:
    """What a side has at a place, with the numbers that JSON does not know read back from their names."""
    if isinstance(value, dict):
        return {key: _value(item) if key in ("value", "norm") else item for key, item in value.items()}
    return float(value) if value in _NAMES else value


def _numbers(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items()}


def _group(fields: dict[str, Any]) -> Group:
    failed = tuple(FailedSeed(**failed) for failed in fields["failed"])
    return Group(**{**_read(fields), "failed": failed})


_WORDS = ("name", "left", "right", "note")


def _read(fields: dict[str, Any]) -> dict[str, Any]:
    """Lists as tuples, and the numbers that JSON does not know read back from their names."""
    return {name: item if name in _WORDS else _numbers_read(item) for name, item in fields.items()}


def _numbers_read(item: Any) -> Any:
    if isinstance(item, list):
        return tuple(_numbers_read(one) for one in item)
    return float(item) if item in _NAMES else item
