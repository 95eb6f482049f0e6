"""The result of a repeat: its JSON, its text, and its figure."""

import json
import math

import jsonschema
import numpy as np
import pytest
from rich.console import Console

from samestep.errors import UsageError
from samestep.repeating.deciding import plan
from samestep.repeating.statistics import judge
from samestep.report import figures, repeats
from samestep.results import RepeatResult

NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}
ENDS = {"type": "array", "items": NUMBER, "minItems": 2, "maxItems": 2}
TEXT = {"type": "string"}
NAN = math.nan


def record(**properties):
    """An object with these properties, all of them and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def none_or(schema):
    return {"anyOf": [{"type": "null"}, schema]}


COMPARISON = record(
    left=TEXT,
    right=TEXT,
    paired={"type": "boolean"},
    difference=NUMBER,
    ci95=ENDS,
    p_value={"type": "number", "minimum": 0, "maximum": 1},
    probability_of_improvement=NUMBER,
    effect_size=none_or(NUMBER),
    verdict={"enum": ["better", "worse", "equivalent", "not enough evidence"]},
    repeats_needed=none_or({"type": "integer", "minimum": 2}),
    margin=none_or({"type": "number"}),
    p_equivalent=none_or({"type": "number"}),
    note=TEXT,
)
GROUP = record(
    name=TEXT,
    values={"type": "array", "items": none_or(NUMBER)},
    seeds={"type": "array", "items": {"type": "integer"}},
    mean=NUMBER,
    std=NUMBER,
    ci95=ENDS,
    failed={"type": "array", "items": record(seed={"type": "integer"}, error=TEXT)},
    note=TEXT,
)
SCHEMA = record(
    schema={"const": "samestep/repeat/1"},
    metric=TEXT,
    groups={"type": "array", "items": GROUP, "minItems": 1},
    comparison=none_or(COMPARISON),
    comparisons={"type": "array", "items": COMPARISON},
    engine=TEXT,
    higher_is_better={"type": "boolean"},
    note=TEXT,
)


def drawn(mean, count, seed=0, std=0.01):
    return dict(enumerate(np.random.default_rng(seed).normal(mean, std, count).tolist()))


RESULTS = {
    "one": judge("accuracy", {"relu": drawn(0.9, 8)}),
    "one seed": judge("accuracy", {"relu": drawn(0.9, 1)}),
    "two": judge("accuracy", {"relu": drawn(0.9, 8), "crelu": drawn(0.93, 8, 1)}, engine="processes"),
    "three": judge("loss", {"a": drawn(0.9, 6), "b": drawn(0.93, 6, 1), "c": drawn(0.9, 7, 2)}, margin=0.02),
    "few": judge("accuracy", {"a": drawn(0.9, 3), "b": drawn(0.93, 3, 1)}),
    "lost": judge(
        "accuracy", {"a": {**drawn(0.9, 8), 2: NAN, 3: math.inf}, "b": drawn(0.9, 7, 1)}, failed={"b": {7: "[b]"}}
    ),
    "all lost": judge("accuracy", {"a": dict.fromkeys(range(5), NAN), "b": {}}, failed={"b": {0: "boom"}}),
    "constant": judge("accuracy", {"a": dict.fromkeys(range(5), 0.5), "b": dict.fromkeys(range(5), 0.5)}),
    "look": judge("accuracy", {"a": drawn(0.9, 5), "[red]b[/red]": drawn(0.93, 5, 1)}, look=plan(5, 30)[0]),
}


@pytest.fixture(params=RESULTS)
def result(request):
    return RESULTS[request.param]


def text(result: RepeatResult) -> str:
    console = Console(width=110, color_system=None, highlight=False)
    with console.capture() as capture:
        console.print(repeats.repeat_report(result))
    return capture.get()


def test_the_json_keeps_its_schema_and_reads_back_as_it_was(result):
    fields = json.loads(result.to_json())
    jsonschema.validate(fields, SCHEMA)
    again = RepeatResult.from_json(result.to_json())
    assert repr(again) == repr(result)  # NaN is not equal to itself
    assert again.to_json() == result.to_json()
    assert list(fields)[:4] == ["schema", "metric", "groups", "comparison"]


def test_comparison_is_that_of_exactly_two_groups():
    fields = {name: json.loads(result.to_json()) for name, result in RESULTS.items()}
    assert fields["two"]["comparison"] == fields["two"]["comparisons"][0]
    assert fields["one"]["comparison"] is fields["three"]["comparison"] is None
    assert len(fields["three"]["comparisons"]) == 2


def test_another_schema_is_refused():
    with pytest.raises(ValueError, match="samestep/repeat/1"):
        RepeatResult.from_json(RESULTS["two"].to_json().replace("repeat/1", "repeat/2"))


def test_the_text_begins_with_the_verdict_and_has_every_group(result):
    shown = text(result)
    for comparison in result.comparisons:
        assert f"{comparison.verdict.upper()}  " in shown
    if result.comparisons:
        assert shown.startswith(result.comparisons[0].verdict.upper())
    for group in result.groups:
        assert f"\n{group.name} " in shown
    assert text(result) == shown


def test_the_text_says_what_was_found_lost_and_looked_at():
    assert "crelu is better by 0.028" in text(RESULTS["two"])
    assert "loss: lower is better" in text(RESULTS["three"])
    assert "8, 2 lost" in text(RESULTS["lost"])
    assert "2 of 8 trainings diverged (seeds 2, 3); 1" not in text(RESULTS["lost"])
    assert "1 of 8 trainings failed (seed 7)" in text(RESULTS["lost"])
    assert "Looked once, at 5 seeds a group, of at most 30" in text(RESULTS["look"])


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_result_makes_the_same_figure_byte_for_byte(suffix, tmp_path):
    for name in ("a", "b"):
        figures.repeats(RESULTS["three"], tmp_path / f"{name}.{suffix}")
    first, second = (tmp_path / f"{name}.{suffix}" for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()
    figures.repeats(RESULTS["two"], second)
    assert first.read_bytes() != second.read_bytes()


def test_every_result_has_a_figure(result, tmp_path):
    figures.repeats(result, tmp_path / "repeat.png")
    assert (tmp_path / "repeat.png").read_bytes().startswith(b"\x89PNG")


def test_the_figure_shows_every_seed_and_names_the_groups(tmp_path):
    figures.repeats(RESULTS["lost"], tmp_path / "repeat.svg")
    shown = (tmp_path / "repeat.svg").read_text()
    for group in RESULTS["lost"].groups:
        assert f"<!-- {group.name} -->" in shown
    assert "8 seeds, 2 lost" in shown


def test_a_figure_that_cannot_be_written_is_one_clear_error(tmp_path):
    for name in ("no folder/x.png", "x.unknown"):
        with pytest.raises(UsageError, match="could not be written"):
            figures.repeats(RESULTS["two"], tmp_path / name)
