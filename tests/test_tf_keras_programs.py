"""tf_keras programs as people write them: they agree with their twins in Keras 3, and each mutant is found where it differs."""

import keras
import numpy as np
import pytest
import tf_keras
from keras.optimizers import schedules as schedules3
from tf_keras import callbacks, layers
from tf_keras import optimizers as new
from tf_keras.optimizers import SGD, Adam, Nadam, RMSprop, legacy, schedules

from programs import either_keras
from programs.either_keras import DATA, IMAGES, SEQUENCES, TOKENS, WEIGHTS, X, Y, weights_of_rows
from programs.in_process import InProcess, compare, first_difference, kept, stage_apart
from programs.looking import assert_trains_on_as_if_nobody_had_looked
from samestep.errors import ProgramError
from samestep.frameworks import adapter_for
from samestep.frameworks import tf_keras as adapter
from samestep.frameworks.tf_keras import Program
from samestep.matching.aligning import align
from samestep.matching.sides import Sides

pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation"),  # Keras 3's own convert_to_numpy, with NumPy 2
    pytest.mark.filterwarnings("ignore:Gradients do not exist"),  # Keras warns of an unused layer, as it should
]
rng = np.random.default_rng(0)
TWO = ({"a": X[:, :4], "b": X[:, 4:]}, {"left": Y, "right": X[:, :1]})


def compiled(model, optimizer=None, loss="sparse_categorical_crossentropy", metrics=("accuracy",), **options):
    model.compile(optimizer=optimizer or "adam", loss=loss, metrics=list(metrics) or None, **options)
    return model


@kept
def dense(*between, k=tf_keras, optimizer=None, regularizer=None, **options):
    first = k.layers.Dense(8, activation="relu", kernel_regularizer=regularizer)
    stack = [k.Input((6,)), first, *between, k.layers.Dense(3, activation="softmax")]
    return compiled(k.Sequential(stack), optimizer, **options)


def convolved(k):
    stack = [k.Input((6, 6, 2)), k.layers.Conv2D(4, 3, use_bias=False), k.layers.BatchNormalization(), k.layers.ReLU()]
    stack += [k.layers.MaxPooling2D(), k.layers.Flatten(), k.layers.Dense(3, activation="softmax")]
    return compiled(k.Sequential(stack))


def recurrent(k):
    return compiled(k.Sequential([k.Input((3, 2)), k.layers.LSTM(4), k.layers.Dense(3, activation="softmax")]))


def words(k):
    stack = [k.Input((5,), dtype="int64"), k.layers.Embedding(10, 4), k.layers.Flatten(), k.layers.Dense(3, "softmax")]
    return compiled(k.Sequential(stack), k.optimizers.SGD(0.1))


def two_of_each(k, weight=0.5):
    a, b = k.Input((4,), name="a"), k.Input((2,), name="b")
    hidden = k.layers.Dense(8, activation="tanh")(k.layers.concatenate([a, b]))
    left = k.layers.Dense(3, activation="softmax", name="left")(hidden)
    outputs = {"left": left, "right": k.layers.Dense(1, name="right")(hidden)}
    losses = {"left": "sparse_categorical_crossentropy", "right": "mse"}
    weights = {"left": 1.0, "right": weight}
    return compiled(k.Model({"a": a, "b": b}, outputs), loss=losses, metrics=(), loss_weights=weights)


def normalised(k, momentum=0.9, **options):
    return dense(k.layers.BatchNormalization(momentum=momentum), k=k, **options)


STEPS = either_keras.own_steps(
    tf_keras, lambda model, x, y, predicted, loss: model.compute_metrics(x, y, predicted, None)
)
Subclassed = either_keras.subclassed(tf_keras)


def stepping(cls, **options):
    return compiled(either_keras.stepping(tf_keras, cls), **options)


def frozen_after_compile():
    model = dense()
    model.layers[0].trainable = False  # fit goes by what was trainable at compile
    return model


def using(optimizer, *args, k=tf_keras, **settings):
    return lambda: dense(k=k, optimizer=optimizer(*args, **settings))


def frozen_before_compile():
    model = dense()
    model.layers[0].trainable = False
    return compiled(model)


def in_half_precision():
    before = tf_keras.mixed_precision.global_policy()
    tf_keras.mixed_precision.set_global_policy("mixed_float16")
    try:
        return dense()
    finally:
        tf_keras.mixed_precision.set_global_policy(before)


def falling():
    return callbacks.LearningRateScheduler(lambda epoch: 0.01 * 0.5**epoch)


TWINS = {
    "batch normalisation": (lambda: normalised(tf_keras), lambda: normalised(keras)),
    "convolution": (lambda: convolved(tf_keras), lambda: convolved(keras), IMAGES),
    "recurrent": (lambda: recurrent(tf_keras), lambda: recurrent(keras), SEQUENCES),
    "embedding": (lambda: words(tf_keras), lambda: words(keras), TOKENS),
    "regularizer": (lambda: dense(regularizer="l2"), lambda: dense(k=keras, regularizer="l2")),
    "two inputs and outputs by name": (lambda: two_of_each(tf_keras), lambda: two_of_each(keras), TWO),
    "own train_step, decorated": (lambda: dense(steps_per_execution=4), lambda: stepping(STEPS.decorated)),
    "run_eagerly": (dense, lambda: dense(run_eagerly=True)),
    "subclassed with an unused layer": (
        lambda: compiled(Subclassed(unused=True)),
        lambda: compiled(Subclassed(unused=True), jit_compile=True),
    ),
    "frozen after compile": (dense, frozen_after_compile),
    "class_weight and sample_weight": (
        lambda: Program(dense(), fit={"class_weight": WEIGHTS}),
        lambda: Program(dense(), fit={"sample_weight": weights_of_rows}),
    ),
    "LearningRateScheduler and a schedule": (
        lambda: Program(dense(optimizer=Adam()), fit={"callbacks": [falling()]}),
        using(keras.optimizers.Adam, schedules3.ExponentialDecay(0.01, 4, 0.5, staircase=True), k=keras),
    ),
    "EarlyStopping on validation data": (
        lambda: Program(dense(), fit={"callbacks": [callbacks.EarlyStopping(patience=1)], "validation_data": DATA}),
        dense,
    ),
}


@pytest.mark.parametrize("name", TWINS)
def test_correct_twins_agree_in_every_stage(name):
    left, right, data = (*TWINS[name], DATA)[:3]
    assert stage_apart(left, right, data, steps=(2,)) is None


MUTANTS = {
    "momentum of batch normalisation": (
        lambda: normalised(tf_keras),
        lambda: normalised(tf_keras, momentum=0.99),
        "buffers",
    ),
    "regularizer": (lambda: dense(regularizer="l2"), lambda: dense(k=keras, regularizer="l1"), "loss"),
    "clipping in the train_step": (dense, lambda: stepping(STEPS.clipping), "gradients"),
    "weight of a loss": (lambda: two_of_each(tf_keras), lambda: two_of_each(keras, 0.25), "loss", TWO),
    "no class_weight": (lambda: Program(dense(), fit={"class_weight": WEIGHTS}), dense, "loss"),
    "shuffled": (dense, lambda: Program(dense(), fit={"shuffle": True}), "data"),
    "frozen before compile": (dense, frozen_before_compile, "alignment"),
    "no scheduler": (
        lambda: Program(dense(optimizer=Adam()), fit={"callbacks": [falling()]}),
        using(Adam, 0.01),
        "schedule",
    ),
    "momentum": (using(SGD, 0.1, 0.9), using(keras.optimizers.SGD, 0.1, 0.8, k=keras), "update"),
    "momentum of a legacy optimizer": (using(legacy.SGD, 0.1, 0.9), using(legacy.SGD, 0.1, 0.8), "update"),
    "the new Nadam, which is another when it is compiled": (
        using(Nadam, 0.01),
        lambda: dense(optimizer=Nadam(0.01), run_eagerly=True),
        "update",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_in_the_stage_that_it_alters(name):
    left, right, stage, data = (*MUTANTS[name], DATA)[:4]
    assert stage_apart(left, right, data, steps=(1,)) == stage


def small(optimizer, k=tf_keras):
    def build():
        stack = [k.Input((6,)), k.layers.Dense(3, activation="softmax")]
        return compiled(k.Sequential(stack), optimizer(), metrics=())

    return build


K3 = keras.optimizers
OPTIMIZERS = {
    "Adam": (lambda: Adam(0.01, amsgrad=True), lambda: K3.Adam(0.01, amsgrad=True)),
    "legacy Adam": (lambda: legacy.Adam(0.01, amsgrad=True), lambda: K3.Adam(0.01, amsgrad=True)),
    "AdamW": (lambda: new.AdamW(0.01, weight_decay=0.1), lambda: K3.AdamW(0.01, weight_decay=0.1)),
    "legacy Adamax": (lambda: legacy.Adamax(0.01), lambda: K3.Adamax(0.01)),
    "legacy Nadam": (lambda: legacy.Nadam(0.01, schedule_decay=1.0), lambda: K3.Nadam(0.01)),
    "legacy Adagrad": (lambda: legacy.Adagrad(0.01, epsilon=1e-12), lambda: K3.Adagrad(0.01, epsilon=1e-12)),
    "legacy Adadelta": (lambda: legacy.Adadelta(1.0), lambda: K3.Adadelta(1.0)),
    "Ftrl": (lambda: new.Ftrl(0.1), lambda: K3.Ftrl(0.1)),
    "centered RMSprop": (
        lambda: RMSprop(0.01, momentum=0.5, centered=True),
        lambda: K3.RMSprop(0.01, momentum=0.5, centered=True),
    ),
    "legacy SGD with momentum": (
        lambda: legacy.SGD(0.1, 0.9, nesterov=True),
        lambda: K3.SGD(0.1, 0.9, nesterov=True),
    ),
    "clipped": (lambda: SGD(0.1, clipnorm=0.1), lambda: K3.SGD(0.1, clipnorm=0.1)),
    "decay of a legacy optimizer and a schedule": (
        lambda: legacy.SGD(0.1, decay=0.1),
        lambda: K3.SGD(schedules3.InverseTimeDecay(0.1, 1, 0.1)),
    ),
    "a schedule": (
        lambda: SGD(schedules.ExponentialDecay(0.1, 2, 0.9)),
        lambda: K3.SGD(schedules3.ExponentialDecay(0.1, 2, 0.9)),
    ),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_updates_weights_and_slots_as_its_twin_in_keras_3(name):
    ours, twin = OPTIMIZERS[name]
    workers = [InProcess(small(ours), *DATA), InProcess(small(twin, keras), *DATA)]
    described = [worker.ask("describe") for worker in workers]
    assert len(described[0]["slots"]) == len(described[1]["slots"])
    sides = Sides(*workers, tuple(described), *(align(*(d[g] for d in described)) for g in ("parameters", "buffers")))
    state, batch = workers[0].ask("state"), {"x": X[:2], "y": Y[:2]}
    for _ in range(3):
        given = {name: rng.normal(size=value.shape).astype(np.float32) for name, value in state["parameters"].items()}
        workers[0].ask("state", values=state)
        workers[1].ask("state", values=sides.to_right(state))
        state = workers[0].ask("update", gradients=given, **batch)
        other = workers[1].ask("update", gradients=sides.parameters.to_right(given), **batch)
        for group in ("parameters", "slots"):
            for key, value in sides.to_right(state)[group].items():
                np.testing.assert_allclose(other[group][key], value, rtol=2e-5, atol=1e-7, err_msg=key)


def test_a_whole_match_blames_the_moving_averages_and_nothing_else():
    result = compare(lambda: normalised(tf_keras), lambda: normalised(keras, momentum=0.99), DATA, steps=2)
    assert first_difference(result)[0] == "buffers"
    assert {stage.stage for stage in result.stages if stage.verdict == "different"} == {"buffers"}


def busy():
    """All that an observation could leave changed: moving averages, generators, slots, metrics, a learning rate."""
    model = dense(layers.BatchNormalization(), layers.Dropout(0.5, force_generator=True), optimizer=RMSprop(0.01))
    return Program(model, fit={"callbacks": [callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate)]})


@pytest.mark.parametrize("build", [busy, using(Nadam, 0.01)], ids=["busy", "Nadam"])
def test_observing_leaves_every_variable_its_bits_and_the_next_training_its_result(build):
    assert_trains_on_as_if_nobody_had_looked(lambda: InProcess(build, *DATA), *DATA)


def test_training_is_fit_bit_for_bit():
    """Seen step by step, with steps_per_execution, callbacks, a partial last batch, dropout and shuffling."""

    def build():
        tf_keras.utils.set_random_seed(1)
        return dense(layers.Dropout(0.5), steps_per_execution=2)

    either_keras.assert_training_is_fit_bit_for_bit(adapter, build)


def own_batches(x, y, batch_size, epoch):
    for start in range(0, len(x), batch_size):
        yield x[start : start + batch_size][::-1], y[start : start + batch_size][::-1]


@pytest.mark.parametrize("pipeline", [None, own_batches])
def test_the_data_stage_sees_the_batches_that_fit_feeds(pipeline):
    spy, fed = either_keras.spying(tf_keras)
    program = adapter.load(Program(stepping(spy, run_eagerly=True), batches=pipeline), X[:2])
    either_keras.assert_the_data_stage_sees_what_is_fed(
        adapter, program, fed, lambda: adapter.train(program, X, Y, 16, 1, None, lambda done, total: None)
    )


def test_weights_are_listed_in_the_order_in_which_they_are_used():
    described = InProcess(lambda: compiled(Subclassed(unused=True)), *DATA).ask("describe")
    assert [entry["shape"] for entry in described["parameters"]] == [[6, 2], [2], [6, 8], [8], [8, 3], [3]]


REFUSED = {
    "float16 with a scaled loss": (lambda: in_half_precision(), "a scaled loss"),
    "not compiled": (lambda: tf_keras.Sequential([layers.Dense(3)]), "not compiled"),
    "epochs of its own": (lambda: Program(dense(), fit={"epochs": 3}), "names epochs"),
    "weights of all rows": (lambda: Program(dense(), fit={"sample_weight": np.ones(56)}), "Give a function of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused_with_the_reason(name):
    build, message = REFUSED[name]
    with pytest.raises(ProgramError, match=message):
        InProcess(build, *DATA)


def test_a_train_step_that_withholds_gradients_is_refused_with_their_number():
    worker = InProcess(lambda: stepping(STEPS.withholding), *DATA)
    with pytest.raises(ProgramError, match="gave its optimizer 0 gradients"):
        worker.ask("gradients", x=X[:16], y=Y[:16])


def test_a_model_goes_to_the_adapter_of_its_own_keras(monkeypatch):
    assert adapter_for(dense()).__name__ == "samestep.frameworks.tf_keras"
    assert adapter_for(dense(k=keras)).__name__ == "samestep.frameworks.keras"
    monkeypatch.setattr(keras, "__version__", "2.15.0")  # as tf.keras is called from TensorFlow 2.6 to 2.15
    assert adapter_for(dense(k=keras)).__name__ == "samestep.frameworks.tf_keras"
