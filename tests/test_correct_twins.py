"""No false alarm: correct ports of one network are the same apart from rounding, and a program is identical to itself."""

from importlib.util import find_spec
from pathlib import Path

import pytest

import samestep
from programs.mutants import digits, mutant
from samestep.matching import floor

pytestmark = pytest.mark.usefixtures("kept")

NOISY = find_spec("programs.noisy_keras").origin
"""With dropout, batch normalisation and a decaying learning rate."""
PORTS = [
    ("mnist-softmax", "tensorflow1", "keras"),
    ("mnist-softmax", "keras", "tensorflow"),
    ("mnist-softmax", "tensorflow", "tensorflow1"),
    ("mnist-sigmoid", "keras", "tensorflow1"),
    ("mnist-sigmoid", "tensorflow", "keras"),
    ("mnist-sigmoid", "tensorflow1", "tensorflow"),
]
"""Every ordered pair of frameworks once."""


@pytest.mark.parametrize(("experiment", "left", "right"), PORTS)
def test_a_correct_port_differs_by_rounding_at_most(experiment, left, right):
    assert_same(compare(f"{experiment}:{left}", f"{experiment}:{right}"))


@pytest.mark.parametrize(
    "program",
    ["mnist-softmax:keras", "mnist-sigmoid:tensorflow1", "mnist-softmax:tensorflow", NOISY],
    ids=lambda program: Path(program).stem,
)
def test_a_program_is_identical_to_itself_in_every_stage(program):
    result = compare(program, program)
    assert {stage.stage: stage.verdict for stage in result.stages} == dict.fromkeys(STAGES, "identical")
    assert (result.verdict, result.exit_status) == ("identical", 0)


def test_from_logits_behind_a_softmax_is_no_difference_because_compiled_keras_takes_the_logits(tmp_path):
    """keras/src/backend/tensorflow/nn.py, _get_logits: what the setting says is not what is computed."""
    stated = ('"sparse_categorical_crossentropy"', "keras.losses.SparseCategoricalCrossentropy(from_logits=True)")
    result = compare("mnist-softmax:tensorflow1", mutant(tmp_path, "mnist-softmax", "keras", stated))
    assert_same(result)


STAGES = (
    *("data", "alignment", "init", "forward", "loss", "gradients", "update", "slots", "buffers"),
    *("schedule", "step", "metrics", "free run"),
)


def compare(left, right):
    """Three epochs: states at steps 0, 1 and 10 are compared."""
    return samestep.match(left, right, data=digits(), batch_size=32, epochs=3, seed=0)


def assert_same(result):
    far = {s.stage: s.times_floor for s in result.stages if (s.times_floor or 0.0) >= floor.ROUNDING}
    assert far == {}
    assert {stage.verdict for stage in result.stages} <= {"identical", "rounding"}
    assert tuple(stage.stage for stage in result.stages) == STAGES
    assert result.first_difference is None
    assert result.verdict in ("identical", "rounding")
    assert result.exit_status == 0
