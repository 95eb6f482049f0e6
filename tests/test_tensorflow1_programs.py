"""Programs as people wrote them in graph style, each against its twin in Keras and against that with one thing changed."""

from pathlib import Path

import numpy as np
import pytest

import samestep
from samestep.errors import ProgramError

FOLDER = Path(__file__).parent / "programs"
GRAPH, KERAS = FOLDER / "graph_style.py", FOLDER / "graph_style_twins.py"

CORRECT = [
    ("sgd", "sgd"),
    ("momentum", "momentum"),
    ("nesterov", "nesterov"),
    ("rmsprop", "rmsprop"),
    ("adagrad", "adagrad"),
    ("decayed", "decayed"),
    ("l2", "l2"),
    ("clipped", "clipped"),
    ("clipped_adam", "clipped_adam"),
    ("batch_normalised", "batch_normalised"),
    ("double", "double"),
    ("own_session", "sgd"),
    ("ref_variables", "adam"),
    ("fed_rate", "sgd"),
    ("embedding_sgd", "embedding_sgd"),
    ("embedding_adam", "embedding_adam"),
]
CHANGED = [
    ("sgd", "sgd_of_another_rate", "update"),
    ("momentum", "nesterov", "update"),
    ("nesterov", "momentum", "update"),
    ("rmsprop", "rmsprop_of_another_rho", "update"),
    ("rmsprop", "rmsprop_from_zeros", "init"),
    ("adagrad", "adagrad_from_zeros", "init"),
    ("decayed", "decayed_in_stairs", "schedule"),
    ("decay_that_never_moves", "decayed", "schedule"),
    ("l2", "l2_of_the_same_factor", "loss"),
    ("clipped", "clipped_one_by_one", "update"),
    ("clipped", "unclipped", "update"),
    ("batch_normalised", "batch_normalised_of_short_memory", "buffers"),
    ("batch_normalised_without_update_ops", "batch_normalised", "buffers"),
    ("double", "adam", "alignment"),
    ("ref_variables", "adam_of_another_epsilon", "update"),
    ("by_hand", "sgd_of_another_rate", "update"),
    ("embedding_adam", "embedding_adam_of_another_rate", "update"),
    # TensorFlow leaves the momentum of a row that is not in the batch as it is; Keras lets it move the row
    ("embedding_momentum", "embedding_momentum", "update"),
]
"""The stage that names the change."""


@pytest.mark.parametrize(("left", "right"), CORRECT)
def test_a_graph_trains_as_its_twin_in_keras(compare, left, right):
    result = compare(left, right)
    assert result.verdict in ("identical", "rounding"), [s for s in result.stages if s.verdict not in SAME]


@pytest.mark.parametrize(("left", "right", "stage"), CHANGED)
def test_one_thing_changed_is_found_in_its_stage(compare, left, right, stage):
    result = compare(left, right, steps=3)
    assert result.verdict == "different"
    assert result.first_difference.stage == stage, result.first_difference


def test_assignments_by_hand_are_judged_within_the_whole_step(compare):
    result = compare("by_hand", "sgd")
    assert result.verdict == "rounding"
    notes = {s.stage: s.note for s in result.stages}
    assert "within the whole step" in notes["update"]
    assert "within the whole step" in notes["schedule"]


def test_keras_squares_the_gradients_of_a_repeated_word_one_by_one(compare):
    """TensorFlow 1 adds up the gradients of a word that is twice in a batch, and squares the sum."""
    result = compare("embedding_adam_of_repeated_words", "embedding_adam")
    assert result.verdict == "different"
    assert result.first_difference.stage in ("update", "step")  # by itself, if Keras is given rows
    assert result.first_difference.name == "table"


SAME = ("identical", "rounding")


@pytest.fixture
def compare(kept):
    return lambda left, right, steps=12: samestep.match(
        f"{GRAPH}:{left}", f"{KERAS}:{right}", data=data(left), batch_size=8, steps=steps, explain=False
    )


@pytest.fixture
def graph(kept_workers):
    """Loads a program of graph_style.py and returns the worker that holds it."""
    with kept_workers.take("graph") as worker:

        def load(function):
            x, y = data(function)
            source = {"label": function, "function": function, "file": str(GRAPH)}
            worker.ask("load", source=source, seed=0, x=x, y=y)
            return worker

        yield load


def data(name):
    rng = np.random.default_rng(5)
    y = rng.integers(0, 3, 48)
    if "repeated" in name:
        return rng.integers(0, 7, (48, 4)), y
    if "embedding" in name:  # no word twice in a batch of 8 rows
        return np.concatenate([rng.permutation(64)[:32].reshape(8, 4) for _ in range(6)]), y
    return (rng.normal(size=(48, 6)) + y[:, None]).astype(np.float64 if name == "double" else np.float32), y


@pytest.mark.parametrize("function", ["adam", "adam_of_near_betas", "adam_of_short_memory", "decayed"])
@pytest.mark.parametrize("step", [0, 1, 999, 20_000])
def test_a_step_that_is_written_is_read_back_and_counted_on(graph, function, step):
    worker = graph(function)
    assert worker.ask("state", values={"counters": {"step": step}})["counters"]["step"] == step
    first = worker.ask("rows", start=0, stop=8)
    assert worker.ask("step", **first)["counters"]["step"] == step + 1
    assert worker.ask("state")["counters"]["step"] == step


@pytest.mark.parametrize("function", ["adam", "adam_of_near_betas"])
def test_powers_multiplied_up_over_thousands_of_updates_still_tell_their_number(graph, function):
    worker = graph(function)
    worker.ask("train", batch_size=48, epochs=3000)
    assert worker.ask("state")["counters"]["step"] == 3000


def test_updates_are_counted_where_the_graph_counts_nothing(graph):
    worker = graph("sgd")
    assert worker.ask("state")["counters"]["step"] == 0
    worker.ask("train", batch_size=8, epochs=2)
    assert worker.ask("state")["counters"]["step"] == 12


def test_two_optimizers_keep_their_own_powers(graph):
    worker = graph("two_adams")
    powers = worker.ask("state", values={"counters": {"step": 2}})["private"]
    assert sorted(np.round(list(map(float, powers.values())), 6)) == sorted(
        np.round([0.8**3, 0.999**3, 0.9**3, 0.999**3], 6)
    )


def test_weights_that_the_author_loaded_into_a_session_are_kept(graph):
    assert np.all(graph("own_session").ask("state")["parameters"]["hidden/kernel"] == 0.25)


def test_clipped_gradients_are_shown_as_they_are_before_clipping(graph):
    """With a norm of 0.05 the clipped ones are smaller; those of the same network unclipped are the same."""
    seen = []
    for function in ("clipped", "sgd"):
        worker = graph(function)
        worker.ask("state", values={"parameters": WEIGHTS})
        seen.append(worker.ask("gradients", **worker.ask("rows", start=0, stop=8))["gradients"])
    assert np.sqrt(sum(np.sum(g**2) for g in seen[1].values())) > 0.05
    for name, gradient in seen[0].items():
        np.testing.assert_array_equal(gradient, seen[1][name])


def test_gradients_given_to_a_clipping_train_op_are_clipped_by_it(graph):
    worker = graph("clipped")
    before = worker.ask("state", values={"parameters": WEIGHTS})["parameters"]
    given = {name: np.ones_like(value) for name, value in before.items()}
    after = worker.ask("update", gradients=given, **worker.ask("rows", start=0, stop=8))["parameters"]
    moved = np.sqrt(sum(np.sum((after[name] - before[name]) ** 2) for name in before))
    np.testing.assert_allclose(moved, 0.5 * 0.05, rtol=1e-4)


WEIGHTS = {
    "hidden/kernel": np.linspace(-1, 1, 48, dtype=np.float32).reshape(6, 8),
    "hidden/bias": np.linspace(-0.1, 0.1, 8, dtype=np.float32),
    "last/kernel": np.linspace(1, -1, 24, dtype=np.float32).reshape(8, 3),
    "last/bias": np.zeros(3, np.float32),
}


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("session_without_values", "not initialised"),
        ("loss_of_each_row", "should be a scalar"),
        ("streaming_metric", "adds up over batches"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_way_to_mend_it(graph, function, message):
    with pytest.raises(ProgramError, match=message):
        graph(function)


def test_a_clipped_gradient_of_another_loss_than_the_one_shown_asks_for_the_gradients(graph):
    worker = graph("gradient_that_is_none_of_the_loss")
    with pytest.raises(ProgramError, match="gradients="):
        worker.ask("gradients", **worker.ask("rows", start=0, stop=8))
