"""The JSON is the contract: its schema, its round trip, and the exit status that belongs to each verdict."""

import json
import math
from dataclasses import replace

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

import samestep
from programs.mutants import STEPS, digits, mutant
from samestep.results import Cause, Difference, Epoch, MatchResult, Side, Stage

VERDICT = {"enum": ["identical", "rounding", "different", "undecided"]}
NUMBER = {"anyOf": [{"type": "number"}, {"enum": ["inf", "-inf", "nan"]}]}
FLOORS = {"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]}
NAME = {"type": ["string", "null"]}
STEP = {"type": ["integer", "null"]}
CURVES = {"type": "object", "additionalProperties": NUMBER}


def record(**properties):
    """An object with these properties, all of them and no others."""
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


SIDE = record(
    program={"type": "string"},
    framework={"enum": ["tensorflow1", "tensorflow", "keras"]},
    versions={"type": "object", "additionalProperties": {"type": "string"}},
)
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **record(
        schema={"const": "samestep/match/1"},
        verdict=VERDICT,
        left=SIDE,
        right=SIDE,
        stages={
            "type": "array",
            "items": record(
                stage={"type": "string"},
                verdict=VERDICT,
                times_floor=FLOORS,
                name=NAME,
                step=STEP,
                note={"type": "string"},
            ),
        },
        first_difference={
            "anyOf": [
                {"type": "null"},
                record(stage={"type": "string"}, name=NAME, step=STEP, times_floor=FLOORS, left=True, right=True),
            ]
        },
        causes={
            "type": "array",
            "items": record(
                component={
                    "enum": [
                        *("data", "init", "forward", "loss", "gradient", "regularizer", "optimizer", "schedule"),
                        *("buffers", "metric", "mode", "dtype"),
                    ]
                },
                setting={"type": "string"},
                left=True,
                right=True,
                confirmed={"type": "boolean"},
                fix={"type": "string"},
            ),
        },
        epochs={
            "type": "array",
            "items": record(epoch={"type": "integer", "minimum": 1}, left=CURVES, right=CURVES, spread=CURVES),
        },
        data={"type": "string"},
        batch_size={"type": "integer", "minimum": 1},
        steps={"type": "integer", "minimum": 0},
        seed={"type": "integer"},
    ),
}

SIDE_OF = {name: Side(f"{name}.py", "keras", {"keras": "3", "python": "3.11"}) for name in ("left", "right")}
PLAIN = MatchResult("identical", SIDE_OF["left"], SIDE_OF["right"], (Stage("data", "identical", 0.0, "x", 0),))
FULL = replace(
    PLAIN,
    verdict="different",
    stages=(Stage("data", "identical", 0.0), Stage("loss", "different", math.inf, "loss", 3, "«note» – ½")),
    first_difference=Difference("loss", "loss", 3, math.inf, 0.5, math.nan),
    causes=(Cause("optimizer", "epsilon", 1e-07, 1e-08, True, "Adam(epsilon=1e-08)"),),
    epochs=(Epoch(1, {"loss": 0.5, "accuracy": 1.0}, {"loss": math.nan}, {"loss": math.inf}),),
)


def as_written(result):
    """The JSON text, read back strictly and held against the schema."""
    written = json.loads(result.to_json(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    jsonschema.Draft202012Validator(SCHEMA).validate(written)
    return written


@pytest.mark.parametrize("result", [PLAIN, FULL], ids=["plain", "full"])
def test_a_result_survives_its_json(result):
    as_written(result)
    assert repr(MatchResult.from_json(result.to_json())) == repr(result)


FLOATS = st.floats(allow_nan=True)


@given(
    st.sampled_from(["identical", "rounding", "different", "undecided"]),
    st.one_of(st.none(), st.floats(0, allow_nan=False).filter(lambda x: x < 1e308 or x == math.inf)),
    st.dictionaries(st.text(), FLOATS),
    st.text(),
)
def test_any_figures_survive_their_json(verdict, times, curves, text):
    stage = Stage("forward", verdict, times, text, 7, text)
    difference = Difference("forward", text, 7, times, {"tensor": text, "index": [0, 1], "value": 0.25}, None)
    epoch = Epoch(1, curves, curves, curves)
    result = replace(PLAIN, verdict=verdict, stages=(stage,), first_difference=difference, epochs=(epoch,))
    as_written(result)
    assert repr(MatchResult.from_json(result.to_json())) == repr(result)


def test_the_first_key_is_the_schema():
    assert next(iter(json.loads(PLAIN.to_json()))) == "schema"


def test_another_schema_is_refused():
    with pytest.raises(ValueError, match="samestep/match/1"):
        MatchResult.from_json(PLAIN.to_json().replace("samestep/match/1", "samestep/match/2"))


@pytest.mark.parametrize(("verdict", "status"), [("identical", 0), ("rounding", 0), ("different", 1), ("undecided", 3)])
def test_the_exit_status_follows_from_the_verdict(verdict, status):
    assert replace(PLAIN, verdict=verdict).exit_status == status


def test_a_result_cannot_be_altered():
    with pytest.raises(AttributeError):
        PLAIN.verdict = "different"


NAN_LOSS = ("loss = tf.reduce_mean", 'loss = float("nan") * tf.reduce_mean')


def test_what_match_answers_keeps_the_contract_even_where_a_loss_is_nan(tmp_path):
    spoiled = mutant(tmp_path, "mnist-softmax", "tensorflow1", NAN_LOSS)
    result = samestep.match("mnist-softmax:tensorflow1", spoiled, data=digits(), batch_size=32, steps=STEPS, seed=0)
    written = as_written(result)
    assert repr(MatchResult.from_json(result.to_json())) == repr(result)
    assert written["first_difference"]["stage"] == "loss"
    assert written["first_difference"]["right"] == "nan"
    assert len(written["epochs"]) == 3
