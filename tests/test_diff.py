"""Two recorded runs: each kind of difference is found at its step, in causal order, and nothing else is."""

import json
import re
from dataclasses import replace

import jsonschema
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_digits

import samestep
from recorded import ENTRIES, ENVIRONMENT, SCALARS, Recording, write
from samestep.recording.recorder import Entry, Recorder
from samestep.results import DiffResult, Growth, RunDifference, RunSide, Setting
from samestep.runs.writing import RunWriter
from test_results import NUMBER, VERDICT, record

BASE = Recording()
ROW = 17


@pytest.fixture
def diff(tmp_path):
    """Compares two recordings, each written into a folder of its own, the right one in other blocks."""

    def compare(left, right, pairs=None, **of_right):
        sides = [side if isinstance(side, tuple) else (side,) for side in (left, right)]
        ours = write(tmp_path / "left", *sides[0], block=8)
        return samestep.diff(ours, write(tmp_path / "right", *sides[1], block=5, **of_right), pairs)

    return compare


def where(result):
    first = result.first_difference
    return (result.verdict, first.step, first.kind, first.name)


# the same


def test_runs_that_are_the_same_are_identical_whatever_their_blocks(diff):
    result = diff(BASE, BASE)
    assert (result.verdict, result.exit_status, result.compared) == ("identical", 0, 30)
    assert (result.first_difference, result.differing, result.growth, result.looks_like) == (None, (), (), None)
    assert (result.environment, result.note) == ((), "")


def test_the_time_of_a_step_is_no_difference(diff):
    assert diff(BASE, BASE.altered(time=ROW)).verdict == "identical"


def test_tensors_and_scalars_in_another_order_are_the_same(diff):
    other, order = Recording(), [3, 0, 5, 1, 4, 2]
    other.entries = [other.entries[place] for place in order]
    other.columns["digests"] = other.columns["digests"][:, order]
    other.scalars, other.columns["scalars"] = SCALARS[::-1], other.columns["scalars"][:, ::-1]
    assert diff(BASE, other).verdict == "identical"


def test_a_source_that_comes_back_to_its_scalars_is_the_same_as_it_was(tmp_path):
    few, many = Recording(40, scalars=["loss"]), Recording(40, scalars=["loss", "accuracy"])

    def messages(block):
        for start in range(0, 40, 10):
            recording = few if start % 20 else many
            yield recording.head()
            for first in range(start, start + 10, block):
                yield recording.rows(first, min(first + block, start + 10))

    left, right = (write(tmp_path / str(block), messages=messages(block)) for block in (3, 10))
    assert len(list(left.glob("*.arrows"))) == 2
    assert (samestep.diff(left, right).verdict, samestep.diff(left, right).compared) == ("identical", 40)


# each kind of difference


@pytest.mark.parametrize(
    ("change", "kind", "name"),
    [
        ({"step": ROW}, "step", "step"),
        ({"batch": ROW}, "batch", "batch"),
        *[({"scalars": (ROW, n)}, SCALARS[n].replace("_", " "), SCALARS[n]) for n in (0, 2)],
        ({"scalars": (ROW, 1)}, "scalar", "accuracy"),
        *[({"digests": (ROW, n)}, *ENTRIES[n][:2]) for n in range(5)],
    ],
    ids=str,
)
@pytest.mark.parametrize("swapped", [False, True])
def test_one_flipped_bit_is_found_at_its_step_and_named(diff, change, kind, name, swapped):
    sides = (BASE, BASE.altered(**change))
    result = diff(*(sides[::-1] if swapped else sides))
    step = min(int(side.columns["step"][ROW]) for side in sides) if kind == "step" else ROW
    assert (
        where(result) in [("different", step, kind, name), ("different", step ^ 1, kind, name)][: 1 + (kind == "step")]
    )
    assert result.exit_status == 1
    assert len(result.differing) == 1
    assert (result.first_difference.source, result.compared) == ("SGD", ROW + 1)
    assert result.first_difference.left != result.first_difference.right


@pytest.mark.parametrize("row", [0, 7, 8, 29])
def test_a_difference_at_either_end_of_a_block_is_found(diff, row):
    assert where(diff(BASE, BASE.altered(digests=(row, 1)))) == ("different", row, "parameter", "last/kernel")


def test_what_differs_at_a_step_is_listed_in_causal_order(diff):
    everything = {"batch": ROW, "scalars": [(ROW, n) for n in range(3)], "digests": [(ROW, n) for n in range(6)]}
    result = diff(BASE, BASE.altered(**everything))
    assert where(result) == ("different", ROW, "batch", "batch")
    assert result.differing == (
        "batch",
        "generator python",
        "loss",
        "scalar accuracy",
        "gradient last/kernel",
        "gradient first/kernel",
        "learning rate",
        "parameter first/kernel",
        "parameter last/kernel",
        "buffer mean",
    )


def test_an_earlier_step_comes_before_an_earlier_cause(diff):
    assert where(diff(BASE, BASE.altered(batch=5, digests=(4, 4)))) == ("different", 4, "buffer", "mean")


def test_the_first_difference_is_the_first_of_all_sources(diff):
    sides = [Recording(30, steps=range(first, 60, 2), source=name) for first, name in ((0, "generator"), (1, "critic"))]
    result = diff(tuple(sides), (sides[0].altered(digests=(20, 0)), sides[1].altered(digests=(9, 1))))
    assert where(result) == ("different", 19, "parameter", "last/kernel")
    assert result.first_difference.source == "critic"


def test_no_more_than_twenty_names_are_listed(diff):
    wide = Recording(3, entries=[["parameter", str(n), "float32", [1]] for n in range(50)])
    result = diff(wide, wide.altered(digests=[(1, n) for n in range(50)]))
    assert (len(result.differing), result.more) == (20, 30)


@pytest.mark.parametrize(("what", "value"), [(2, "float64"), (3, [4, 3])])
def test_another_dtype_or_shape_is_a_difference_at_the_first_step(diff, what, value):
    other = Recording()
    other.entries[0][what] = value
    result = diff(BASE, other)
    assert where(result) == ("different", 0, "parameter", "first/kernel")
    assert result.first_difference.left == "float32 (3, 4)"
    assert str(value).strip("[]") in result.first_difference.right


def test_a_gradient_that_only_one_run_has_is_a_difference(diff):
    other = Recording()
    other.columns["digests"][ROW, 2] = 0
    result = diff(BASE, other)
    assert where(result) == ("different", ROW, "gradient", "first/kernel")
    assert result.first_difference.right["digest"] == "absent"


@pytest.mark.parametrize(("left", "right"), [(0x8000000000000000, 0), (0x7FF8000000000000, 0x7FF8000000000001)])
def test_scalars_are_compared_by_their_bits(diff, left, right):
    sides = Recording(), Recording()
    for side, bits in zip(sides, (left, right), strict=True):
        side.columns["scalars"][ROW, 2] = np.uint64(bits).view(np.float64)
    result = diff(*sides)
    assert where(result) == ("different", ROW, "loss", "loss")
    assert repr(result.first_difference.left) != repr(result.first_difference.right)


def test_equal_nan_losses_are_the_same(diff):
    nan = Recording()
    nan.columns["scalars"][ROW:, 2] = np.nan
    assert diff(nan, nan).verdict == "identical"


# generators


def test_states_of_generators_alone_are_told_and_are_no_difference(diff):
    result = diff(BASE, BASE.altered(digests=[(row, 5) for row in range(ROW, 30)]))
    assert (result.verdict, result.first_difference) == ("identical", None)
    assert "python from step 17 on" in result.note


def test_a_generator_that_differed_before_is_not_the_first_difference(diff):
    result = diff(BASE, BASE.altered(digests=[*((row, 5) for row in range(30)), (ROW, 3)]))
    assert where(result) == ("different", ROW, "gradient", "last/kernel")
    assert result.differing == ("gradient last/kernel",)
    assert "python from step 0 on" in result.note


def test_a_generator_that_differs_from_the_start_is_not_the_first_difference(diff):
    result = diff(BASE, BASE.altered(digests=[*((row, 5) for row in range(30)), (0, 3)]))
    assert where(result) == ("different", 0, "gradient", "last/kernel")


def test_a_generator_that_differs_from_that_step_on_is_the_first_difference(diff):
    result = diff(BASE, BASE.altered(digests=[(ROW, 5), (ROW, 3)]))
    assert where(result) == ("different", ROW, "generator", "python")


# what cannot be compared


def renamed(names):
    other = Recording()
    other.entries = [[kind, names.get(name, name), *rest] for kind, name, *rest in other.entries]
    return other


NAMES = {"first/kernel": "fc1.weight", "last/kernel": "fc2.weight"}


def test_names_that_differ_are_mapped(diff, tmp_path):
    lines = tmp_path / "map.toml"
    lines.write_text("\n".join(f'"{left}" = "{right}"' for left, right in NAMES.items()))
    result = diff(BASE, renamed(NAMES), pairs=str(lines))
    assert (result.verdict, result.unpaired_left) == ("identical", ())


def test_mapped_tensors_are_named_as_on_the_left(diff):
    result = diff(BASE, renamed(NAMES).altered(digests=(ROW, 1)), pairs=NAMES)
    assert where(result) == ("different", ROW, "parameter", "last/kernel")


def test_a_name_that_is_taken_by_the_map_is_no_other_tensors_twin(diff):
    result = diff(
        BASE, renamed({"first/kernel": "last/kernel", "last/kernel": "other"}), pairs={"first/kernel": "last/kernel"}
    )
    assert (result.verdict, result.first_difference) == ("undecided", None)
    assert result.unpaired_left == ("parameter last/kernel", "gradient last/kernel")


def test_tensors_of_the_same_name_are_told_apart_by_their_order(diff):
    twice = renamed({"last/kernel": "first/kernel"})
    assert diff(twice, twice).verdict == "identical"


# other names, other frameworks


@pytest.mark.parametrize(
    ("other", "verdict"), [(renamed(NAMES), "identical"), (renamed(NAMES).altered(digests=(ROW, 3)), "different")]
)
def test_parameters_of_other_names_are_paired_by_their_shapes_and_told(diff, other, verdict):
    result = diff(BASE, other)
    assert (result.verdict, result.unpaired_left) == (verdict, ())
    assert result.note == "paired by order and shape: first/kernel = fc1.weight, last/kernel = fc2.weight"


LAYERS = [[kind, name, "float32", [4, 4]] for kind in ("parameter", "gradient") for name in ("layer10", "layer2")]


@pytest.mark.parametrize(
    ("framework", "names", "paired"),
    [
        ("torch", {"layer10": "a", "layer2": "b"}, True),
        ("jax", {"layer10": "a", "layer2": "b"}, False),  # in the order of names, whatever the order of the network
        ("jax", {"layer10": "b", "layer2": "a"}, True),
        ("torch", {"layer10": "a"}, True),
    ],
)
def test_parameters_of_one_shape_are_paired_in_their_order_unless_it_is_that_of_names(diff, framework, names, paired):
    ours, theirs = Recording(entries=LAYERS), Recording(entries=LAYERS)
    ours.framework = theirs.framework = framework
    ours.entries = [[kind, {"layer10": "one", "layer2": "another"}[name], *rest] for kind, name, *rest in LAYERS]
    theirs.entries = [[kind, names.get(name, name), *rest] for kind, name, *rest in LAYERS]
    result = diff(ours, theirs)
    assert (result.verdict, len(result.unpaired_left)) == (("identical", 0) if paired else ("undecided", 4))


def test_parameters_of_which_one_run_has_more_of_a_shape_are_not_paired(diff):
    fewer = Recording(entries=[["parameter", "x", "float32", [4, 4]], ["gradient", "x", "float32", [4, 4]]])
    result = diff(Recording(entries=LAYERS), fewer)
    assert (result.verdict, len(result.unpaired_left), len(result.unpaired_right)) == ("undecided", 4, 2)


def ported(left="keras", right="torch", rate=0.1):
    """The same training in two frameworks: kernels transposed, another precision of the rate, other batches and logs."""
    ours, theirs = Recording(), renamed({**NAMES, "mean": "running_mean"})
    ours.framework, theirs.framework = left, right
    for entry in theirs.entries[:4]:
        entry[3] = entry[3][::-1]
    theirs.columns["digests"][:, [0, 2]] ^= 1
    theirs.columns["norms"][:, :4] *= 1 + 2e-7
    theirs.columns["batch"] ^= 1
    ours.columns["scalars"][:, 0], theirs.columns["scalars"][:, 0] = np.float32(rate), rate
    return ours, theirs


def test_of_two_frameworks_layouts_batches_roundings_of_norms_and_means_of_the_loss_are_no_difference(diff):
    ours, theirs = ported()
    theirs.columns["scalars"][:, 2] *= 2
    result = diff(ours, theirs)
    assert (result.verdict, result.first_difference, result.compared) == ("undecided", None, 30)
    assert "of keras and torch only scalars of one meaning, and norms up to rounding, were compared" in result.note
    assert "first/kernel = fc1.weight" in result.note
    assert (result.unpaired_left, result.unpaired_right) == (
        ("buffer mean", "scalar accuracy", "loss"),
        ("buffer running_mean", "scalar accuracy", "loss"),
    )


@pytest.mark.parametrize("place", range(4))
def test_of_two_frameworks_norms_that_no_rounding_puts_so_far_apart_are_a_difference(diff, place):
    ours, theirs = ported()
    theirs = theirs.altered(digests=(ROW, place))
    theirs.columns["norms"][ROW, place] *= 1 + 1e-5
    assert where(diff(ours, theirs)) == ("different", ROW, *ENTRIES[place][:2])


@pytest.mark.parametrize(("apart", "found"), [(0.0, None), (1e-9, None), (1e-6, "loss")])
def test_of_two_frameworks_losses_of_one_meaning_and_learning_rates_are_compared_as_float32(diff, apart, found):
    ours, theirs = ported(left="jax")
    for side in (ours, theirs):
        side.columns["scalars"][:, 2] = 0.75
    theirs.columns["scalars"][ROW, 2] *= 1 + apart
    first = diff(ours, theirs).first_difference
    assert (first and first.kind) == found


@pytest.mark.parametrize(("pairs", "side"), [({"firts/kernel": "mean"}, "left"), ({"mean": "firts/kernel"}, "right")])
def test_a_map_that_names_no_tensor_is_refused(diff, pairs, side):
    with pytest.raises(samestep.UsageError, match=f"the {side} run, holds no tensor .*Did you mean first/kernel"):
        diff(BASE, BASE, pairs=pairs)


def test_tensors_without_a_twin_leave_it_undecided(diff):
    result = diff(BASE, renamed({"mean": "running_mean"}))
    assert (result.verdict, result.exit_status) == ("undecided", 3)
    assert (result.unpaired_left, result.unpaired_right) == (("buffer mean",), ("buffer running_mean",))
    assert "--map" in result.note


def test_a_difference_is_found_beside_tensors_without_a_twin(diff):
    other = renamed({"mean": "running_mean"}).altered(digests=(ROW, 0))
    assert where(diff(BASE, other)) == ("different", ROW, "parameter", "first/kernel")


def test_a_scalar_that_only_one_run_logged_is_told_and_is_no_difference(diff):
    fewer = Recording(scalars=SCALARS[:2])
    fewer.columns = {**BASE.columns, "scalars": BASE.columns["scalars"][:, :2]}
    result = diff(BASE, fewer)
    assert (result.verdict, result.unpaired_left, result.unpaired_right) == ("identical", ("loss",), ())


def test_runs_with_nothing_in_common_are_undecided(diff):
    left, right = (
        Recording(30, entries=[["parameter", name, "float32", [size]]], scalars=[name], source=name)
        for name, size in (("a", 1), ("b", 2))
    )
    result = diff(left, right)
    assert (result.verdict, result.first_difference) == ("undecided", None)
    assert result.unpaired_left == ("parameter a", "scalar a")
    assert "nothing was compared" in result.note


def test_runs_without_a_step_are_undecided(diff):
    assert diff(Recording(0), Recording(0)).verdict == "undecided"


def test_digests_of_other_algorithms_are_not_compared(diff):
    other = Recording(digest="blake2b-128").altered(digests=(3, 0), batch=4)
    result = diff(BASE, other)
    assert result.verdict == "undecided"
    assert "blake2b-128 and xxh3-128" in result.note


@pytest.mark.parametrize(
    ("change", "kind", "name"),
    [({"norms": (ROW, 1)}, "parameter", "last/kernel"), ({"scalars": (ROW, 2)}, "loss", "loss")],
)
def test_scalars_and_norms_tell_where_digests_do_not(diff, change, kind, name):
    assert where(diff(BASE, Recording(digest="blake2b-128").altered(**change))) == ("different", ROW, kind, name)


def test_batches_known_of_one_run_only_leave_it_undecided(diff):
    other = Recording()
    other.columns["batch"][:] = 0
    assert diff(BASE, other).verdict == "undecided"


# lengths


def first_rows(count):
    shorter = Recording()
    shorter.columns = {name: values[:count] for name, values in shorter.columns.items()}
    return shorter


def test_complete_runs_of_other_lengths_are_different(diff):
    result = diff(BASE, first_rows(20))
    assert where(result) == ("different", 20, "number of steps", "number of steps")
    assert (result.first_difference.left, result.first_difference.right) == (30, 20)


@pytest.mark.parametrize("right", [{"ended": False}, {"exit_status": 1}])
def test_a_run_that_stopped_is_the_same_as_far_as_it_goes(diff, right):
    result = diff(BASE, first_rows(20), **right)
    assert (result.verdict, result.compared) == ("undecided", 20)
    assert "identical as far as both go: 20 steps" in result.note


def test_a_run_that_stopped_may_differ_before_that(diff):
    result = diff(BASE, first_rows(20).altered(digests=(ROW, 2)), ended=False)
    assert where(result) == ("different", ROW, "gradient", "first/kernel")


def test_runs_that_failed_alike_are_identical(tmp_path):
    runs = [write(tmp_path / name, BASE, exit_status=1) for name in "ab"]
    assert samestep.diff(*runs).verdict == "identical"


def test_a_source_that_only_one_complete_run_has_is_a_difference(diff):
    result = diff(BASE, (BASE, Recording(5, source="finetuning", steps=range(30, 35))))
    assert where(result) == ("different", 30, "number of steps", "number of steps")
    assert result.unpaired_right == ("source finetuning",)


# growth


def grown(shares, first=10, place=2):
    """A run whose gradient is apart by these shares from a step on."""
    return BASE.digest_where_norms(*((first + row, place, share) for row, share in enumerate(shares)))


@pytest.mark.parametrize(
    ("other", "looks"),
    [
        (grown([1e-7 * 1.8**n for n in range(20)]), "rounding"),
        (grown([0.0, 0.0, 3e-7, 1e-6]), "rounding"),
        (grown([0.01] * 20), "jump"),
        (grown([1e-7] * 20).altered(batch=10), "jump"),
        (grown([1e-5] * 20), "unclear"),
        (grown([1e-7, 0.1]), "unclear"),
        (grown([1e-7] * 20, place=0), "unclear"),
    ],
    ids=["chaos", "unseen at first", "large", "batch", "small", "leap", "only the update"],
)
def test_rounding_is_told_from_a_jump(diff, other, looks):
    result = diff(BASE, other)
    assert result.looks_like == looks
    assert result.first_difference.step == 10


TRAINED = {
    "as it is": ({}, None),
    "summed in another order": ({"order": slice(None, None, -1)}, "rounding"),
    "a hundredth faster": ({"rate": 0.101}, "jump"),
    "other batches": ({"first": 16}, "jump"),
    "weights decay": ({"decay": 1.0}, "jump"),
    "weights decay a little": ({"decay": 1e-6}, "unclear"),
}


@pytest.mark.parametrize(("options", "looks"), TRAINED.values(), ids=TRAINED)
def test_what_a_training_shows_looks_like_what_was_done_to_it(tmp_path, options, looks):
    runs = [trained(tmp_path / name, **chosen) for name, chosen in (("plain", {}), ("other", options))]
    assert samestep.diff(*runs).looks_like == looks


def trained(folder, order=slice(None), rate=0.1, first=0, decay=0.0):
    """Softmax regression in float32 on 8 × 8 digits, recorded as it is in a framework."""
    x, y = (array.astype(np.float32) for array in (load_digits().data / 16, np.eye(10)[load_digits().target]))
    kernel, writer = np.zeros((64, 10), np.float32), RunWriter(folder, ["train.py"], "train.py")
    recorder, entries = (
        Recorder(writer.take),
        (Entry("parameter", "w", "float32", (64, 10)), Entry("gradient", "w", "float32", (64, 10))),
    )
    writer.take({"environment": ENVIRONMENT, "digest": recorder.digest_name})
    for step in range(60):
        rows = slice(first + 16 * step, first + 16 * step + 16)
        exponents = np.exp(x[rows][:, order] @ kernel[order])
        outputs = exponents / exponents.sum(1, keepdims=True)
        loss = float(-np.log((outputs * y[rows]).sum(1)).mean())
        gradient = (x[rows].T @ (outputs - y[rows])) / np.float32(16)
        kernel = (kernel * np.float32(1 - rate * decay) - np.float32(rate) * gradient).astype(np.float32)
        scalars = {
            "loss": loss,
            "learning_rate": rate,
            "accuracy": float((outputs.argmax(1) == y[rows].argmax(1)).mean()),
        }
        recorder.update("SGD", entries, [kernel, gradient], scalars, recorder.digest(x[rows].tobytes()))
    recorder.flush()
    writer.take({"environment": ENVIRONMENT, "ended": 0})
    writer.close(0)
    return folder


def test_growth_is_shown_closely_at_first_and_at_the_last_step(diff):
    growth = diff(BASE, grown([1e-6] * 20)).growth
    assert [at.step for at in growth] == [10, 11, 12, 15, 20, 29]
    assert growth[0].norm == pytest.approx(1e-6, rel=0.01)
    assert (growth[0].name, growth[0].loss) == ("gradient first/kernel", 0.0)
    assert growth[0].ulps == pytest.approx(1e-6 * 2**23, rel=0.01)


# environments


def test_what_differs_in_the_environment_is_listed(diff):
    other = {**ENVIRONMENT, "packages": {"torch": "2.6"}, "flags": {"OMP_NUM_THREADS": "1"}}
    result = diff(BASE, BASE, environment=other, command="train.py --lr 1")
    assert result.verdict == "identical"
    assert result.environment == (
        Setting("command", "train.py", "train.py --lr 1"),
        Setting("package torch", "2.5", "2.6"),
        Setting("flag OMP_NUM_THREADS", None, "1"),
    )
    assert result.left.versions == {"python": "3.11.7", "torch": "2.5"}


# the JSON

SIDE = record(
    folder={"type": "string"},
    command={"type": "string"},
    versions={"type": "object", "additionalProperties": {"type": "string"}},
    steps={"type": "integer", "minimum": 0},
    status={"enum": ["running", "complete", "failed", "incomplete"]},
    cut={"type": "string"},
)
NAMED = {"type": "array", "items": {"type": "string"}}
PART = {"anyOf": [{"type": "null"}, NUMBER]}
SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **record(
        schema={"const": "samestep/diff/1"},
        verdict=VERDICT,
        left=SIDE,
        right=SIDE,
        environment={"type": "array", "items": record(what={"type": "string"}, left=True, right=True)},
        first_difference={
            "anyOf": [
                {"type": "null"},
                record(
                    step={"type": "integer"},
                    kind={"type": "string"},
                    name={"type": "string"},
                    left=True,
                    right=True,
                    source={"type": "string"},
                ),
            ]
        },
        differing={**NAMED, "maxItems": 20},
        more={"type": "integer", "minimum": 0},
        growth={
            "type": "array",
            "items": record(
                step={"type": "integer"}, norm=PART, loss=PART, ulps=NUMBER, name={"type": ["string", "null"]}
            ),
        },
        looks_like={"enum": ["rounding", "jump", "unclear", None]},
        compared={"type": "integer", "minimum": 0},
        unpaired_left=NAMED,
        unpaired_right=NAMED,
        note={"type": "string"},
    ),
}


def as_written(result):
    written = json.loads(result.to_json(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    jsonschema.Draft202012Validator(SCHEMA).validate(written)
    assert repr(DiffResult.from_json(result.to_json())) == repr(result)
    return written


@pytest.mark.parametrize(
    "other", [BASE, grown([0.1]), BASE.altered(batch=3), first_rows(5), BASE.altered(scalars=(0, 0))]
)
def test_what_diff_answers_keeps_the_contract(diff, other):
    assert next(iter(as_written(diff(BASE, other)))) == "schema"


@given(st.floats(), st.text(), st.one_of(st.none(), st.floats(0)))
def test_any_figures_survive_their_json(value, text, part):
    side = RunSide(text, text, {"python": text}, 3, "complete", text)
    plain = DiffResult("different", side, side, (Setting(text, 1, None),), growth=(Growth(3, part, part, 1.5, text),))
    for left in (value, {"value": value, "bits": text}, {"digest": text, "norm": part}):
        as_written(replace(plain, first_difference=RunDifference(3, "loss", text, left, "absent", text)))


def test_another_schema_is_refused(diff):
    with pytest.raises(ValueError, match="samestep/diff/1"):
        DiffResult.from_json(diff(BASE, BASE).to_json().replace("samestep/diff/1", "samestep/match/1"))


# the command line


@pytest.fixture
def folders(tmp_path):
    write(tmp_path / "left", BASE)
    write(tmp_path / "same", BASE)
    write(tmp_path / "other", grown([1e-7 * 2**n for n in range(20)]).altered(scalars=(10, 2)), command="train.py -v")
    return tmp_path


def test_the_command_reports_the_first_difference(folders, samestep):
    done = samestep("diff", "left", "other", "--json", "out.json", "--plot", "growth.png")
    assert done.returncode == 1, done.stderr
    assert done.stdout.startswith("DIFFERENT")
    assert "First difference: step 10, loss, in the rows of SGD" in done.stdout
    assert "in causal order: loss, gradient first/kernel" in done.stdout
    assert "train.py -v" in done.stdout
    assert "starts as small as a rounding" in done.stdout
    assert DiffResult.from_json((folders / "out.json").read_text()).looks_like == "rounding"
    assert (folders / "growth.png").read_bytes().startswith(b"\x89PNG")


def test_the_command_says_that_runs_are_identical(folders, samestep):
    done = samestep("diff", "left", "same")
    assert (done.returncode, done.stdout.split()[0]) == (0, "IDENTICAL"), done.stderr


def test_show_says_what_a_run_holds(folders, samestep):
    done = samestep("show", "left")
    assert done.returncode == 0, done.stderr
    lines = [re.split(" {2,}", line.rstrip(), maxsplit=1) for line in done.stdout.splitlines()]
    first, last = BASE.columns["scalars"][[0, -1], 2]
    expected = {"command": "train.py", "steps": "30", "time a step": "250 ms", "sources": "SGD (30 rows)"}
    expected |= {"tensors": "6 a row", "loss": f"{first:.9g} → {last:.9g}"}
    assert expected.items() <= dict(line for line in lines if len(line) == 2).items()


def test_a_figure_is_drawn_where_nothing_differs(folders, samestep):
    assert samestep("diff", "left", "same", "--plot", "growth.svg").returncode == 0
    assert "<svg" in (folders / "growth.svg").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["diff", "{}/left", "{}/nowhere"], "no such folder"),
        (["diff", "{}/left", "{}"], "holds no manifest.json"),
        (["diff", "{}/left", "{}/same", "--plot", "{}/nowhere/growth.png"], "does not exist"),
        (["diff", "{}/left", "{}/same", "--plot", "{}/growth.rst"], "Name a .png"),
        (["diff", "{}/left", "{}/same", "--map", "{}/nowhere.toml"], "cannot be read"),
        (["show", "{}/left/manifest.json"], "no such folder"),
    ],
)
def test_bad_input_is_one_clear_message(folders, refused, arguments, said):
    assert said in refused(*(argument.format(folders) for argument in arguments))
