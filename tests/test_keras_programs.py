"""Keras programs as people write them: correct twins agree, and each mutant is found in the stage that it alters."""

import warnings
from functools import cache

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import callbacks, layers
from keras.optimizers import SGD, Adam, AdamW, Lamb, Lion, Nadam, RMSprop, schedules

import keras_backend_checks
from programs import either_keras
from programs.either_keras import DATA, SEQUENCES, TOKENS, WEIGHTS, X, Y, weights_of_rows
from programs.in_process import InProcess, compare, first_difference, kept, stage_apart
from programs.looking import assert_trains_on_as_if_nobody_had_looked
from samestep.errors import ProgramError
from samestep.frameworks import keras as adapter
from samestep.frameworks.keras import Program

pytestmark = [
    pytest.mark.filterwarnings("ignore:Gradients do not exist"),  # Keras warns of an unused layer, as it should
    pytest.mark.filterwarnings("ignore:__array__ implementation"),  # Keras's own convert_to_numpy, with NumPy 2
]
BINARY = (X, (Y > 0).astype(np.float32).reshape(-1, 1))
ONE_HOT = (X, np.eye(3, dtype=np.float32)[Y])


def compiled(model, optimizer=None, loss="sparse_categorical_crossentropy", metrics=("accuracy",), **options):
    metrics = list(metrics) or None
    model.compile(optimizer=optimizer or Adam(0.01), loss=loss, metrics=metrics, **options)
    return model


@kept
def dense(*between, optimizer=None, regularizer=None, units=3, activation="softmax", **options):
    first = layers.Dense(8, activation="relu", kernel_regularizer=regularizer)
    last = layers.Dense(units, activation=activation)
    return compiled(keras.Sequential([keras.Input((6,)), first, *between, last]), optimizer, **options)


def functional():
    inputs = keras.Input((6,))
    hidden = layers.ReLU()(layers.Dense(8)(inputs))
    return compiled(keras.Model(inputs, layers.Softmax()(layers.Dense(3)(hidden))))


def functional_normalised():
    inputs = keras.Input((6,))
    hidden = layers.BatchNormalization(momentum=0.9)(layers.ReLU()(layers.Dense(8)(inputs)))
    return compiled(keras.Model(inputs, layers.Softmax()(layers.Dense(3)(hidden))))


Subclassed = either_keras.subclassed(keras)


def without_input():
    return compiled(keras.Sequential([layers.Dense(8, activation="relu"), layers.Dense(3, activation="softmax")]))


@kept
def nested():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6, activation="tanh")])
    inputs = keras.Input((6,))
    return compiled(keras.Model(inputs, layers.Dense(3, activation="softmax")(inner(inner(inputs)))))


@kept
def shared(times=2):
    layer, inputs = layers.Dense(6, activation="tanh"), keras.Input((6,))
    hidden = inputs
    for _ in range(times):
        hidden = layer(hidden)
    return compiled(keras.Model(inputs, layers.Dense(3, activation="softmax")(hidden)))


@kept
def normalised(layer=layers.BatchNormalization, momentum=0.9, epsilon=1e-3):
    return dense(layer(momentum=momentum, epsilon=epsilon))


class AlwaysInference(layers.BatchNormalization):
    def call(self, inputs, training=None, mask=None):
        return super().call(inputs, training=False, mask=mask)


class Noise(layers.Layer):
    """Draws from Keras's global generator, which belongs to no layer."""

    def call(self, inputs, training=False):
        return inputs + 0.1 * keras.random.normal(keras.ops.shape(inputs)) if training else inputs


def logs(model, x, y, predicted, loss):
    for metric in model.metrics:
        metric.update_state(loss) if metric.name == "loss" else metric.update_state(y, predicted)
    return {metric.name: metric.result() for metric in model.metrics}


STEPS = either_keras.own_steps(keras, logs)


class Reversed(keras.Model):
    """Hands the optimizer its gradients in another order, by apply."""

    def train_step(self, data):
        x, y = data
        with tf.GradientTape() as tape:
            loss = self.compute_loss(x=x, y=y, y_pred=self(x, training=True))
        variables = self.trainable_variables[::-1]
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return {"loss": loss}


def stepping(cls, **options):
    return compiled(either_keras.stepping(keras, cls), **options)


def words(optimizer=None, declared=True):
    first = [keras.Input((5,), dtype="int64")] if declared else []
    last = [layers.Embedding(10, 4), layers.Flatten(), layers.Dense(3, activation="softmax")]
    return compiled(keras.Sequential([*first, *last]), optimizer)


@kept
def frozen(trainable=False):
    model = dense()
    model.layers[0].trainable = trainable
    return compiled(model)


@kept
def scored(thresholds=200):
    scores = ["accuracy", keras.metrics.AUC(num_thresholds=thresholds, name="auc")]
    return dense(units=1, activation="sigmoid", loss="binary_crossentropy", metrics=scores)


def recurrent():
    return compiled(keras.Sequential([keras.Input((3, 2)), layers.LSTM(4), layers.Dense(3, activation="softmax")]))


def fitted(**fit):
    return lambda: Program(dense(), fit=fit)


def scheduled(schedule):
    return fitted(callbacks=[callbacks.LearningRateScheduler(schedule)])


def with_policy(policy):
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        return dense()
    finally:
        keras.config.set_dtype_policy(before)


@cache
def using(optimizer, *args, **settings):
    return kept(lambda: dense(optimizer=optimizer(*args, **settings)))


def decaying(staircase=False):
    return SGD(schedules.ExponentialDecay(0.1, 4, 0.9, staircase=staircase))


TWINS = {
    "functional": (dense, functional),
    "subclassed": (dense, lambda: compiled(Subclassed())),
    "subclassed with an unused layer": (
        lambda: compiled(Subclassed(unused=True)),
        lambda: compiled(Subclassed(unused=True)),
    ),
    "sequential without Input": (dense, without_input),
    "nested model and shared layer": (nested, shared),
    "batch normalisation": (normalised, normalised),
    "dropout": (lambda: dense(layers.Dropout(0.5, seed=1)), lambda: dense(layers.Dropout(0.5, seed=1))),
    "noise from the global generator": (lambda: dense(Noise()), lambda: dense(Noise())),
    "regularizer": (lambda: dense(regularizer="l2"), lambda: dense(regularizer=keras.regularizers.L2(0.01))),
    "own train_step": (dense, lambda: stepping(STEPS.own)),
    "own train_step, decorated": (dense, lambda: stepping(STEPS.decorated)),
    "own train_step, reversed": (lambda: dense(metrics=()), lambda: stepping(Reversed, metrics=())),
    "run_eagerly": (dense, lambda: dense(run_eagerly=True)),
    "jit_compile": (dense, lambda: dense(jit_compile=True)),
    "steps_per_execution": (dense, lambda: dense(steps_per_execution=4)),
    "loss as a class": (dense, lambda: dense(loss=keras.losses.SparseCategoricalCrossentropy())),
    "loss as a function": (dense, lambda: dense(loss=keras.losses.sparse_categorical_crossentropy)),
    "AUC": (scored, scored, BINARY),
    "a metric of several numbers": (
        lambda: dense(loss="categorical_crossentropy", metrics=[keras.metrics.F1Score()]),
        lambda: dense(loss="categorical_crossentropy", metrics=[keras.metrics.F1Score()]),
        ONE_HOT,
    ),
    "class_weight and sample_weight": (fitted(class_weight=WEIGHTS), fitted(sample_weight=weights_of_rows)),
    "LearningRateScheduler, by epoch and by rate": (
        scheduled(lambda epoch: 0.01 * 0.5**epoch),
        scheduled(lambda epoch, rate: rate * 0.5 if epoch else rate),
    ),
    "LearningRateScheduler and a schedule": (
        scheduled(lambda epoch: 0.01 * 0.5**epoch),
        using(Adam, schedules.ExponentialDecay(0.01, 4, 0.5, staircase=True)),
    ),
    "EarlyStopping on validation data": (
        fitted(callbacks=[callbacks.EarlyStopping(patience=1)], validation_data=DATA),
        dense,
    ),
    "shuffled": (fitted(shuffle=True), fitted(shuffle=True)),
    "embedding of tokens": (words, lambda: words(declared=False), TOKENS),
    "embedding, clipped": (lambda: words(SGD(0.1, clipnorm=0.01)), lambda: words(SGD(0.1, clipnorm=0.01)), TOKENS),
    "frozen layer": (frozen, frozen),
    "recurrent": (recurrent, recurrent, SEQUENCES),
    "mixed_bfloat16": (lambda: with_policy("mixed_bfloat16"), lambda: with_policy("mixed_bfloat16")),
    "Adam and AdamW without decay": (using(Adam, 0.01), using(AdamW, 0.01, weight_decay=0.0)),
    "Nadam, whose product follows from the step": (using(Nadam, 0.01), using(Nadam, 0.01)),
    "Lion": (using(Lion, 0.01), using(Lion, 0.01)),
    "Lamb": (using(Lamb, 0.01), using(Lamb, 0.01)),
    "accumulated gradients": (
        using(Adam, 0.01, gradient_accumulation_steps=2),
        using(Adam, 0.01, gradient_accumulation_steps=2),
    ),
    "moving average of the weights": (using(SGD, 0.1, use_ema=True), using(SGD, 0.1, use_ema=True)),
    "a loss that turns NaN": (using(SGD, 1e30), using(SGD, 1e30)),
}


@pytest.mark.parametrize("name", TWINS)
def test_correct_twins_agree_in_every_stage(name):
    left, right, data = (*TWINS[name], DATA)[:3]
    assert stage_apart(left, right, data) is None


MUTANTS = {
    "activation": (dense, lambda: compiled(Subclassed("elu")), "forward"),
    "shared once more": (shared, lambda: shared(3), "forward"),
    "momentum of batch normalisation": (normalised, lambda: normalised(momentum=0.99), "buffers"),
    "epsilon of batch normalisation": (normalised, lambda: normalised(epsilon=1e-5), "forward"),
    "batch normalisation in inference mode": (normalised, lambda: normalised(AlwaysInference), "forward"),
    "dropout rate": (lambda: dense(layers.Dropout(0.5, seed=1)), lambda: dense(layers.Dropout(0.4, seed=1)), "forward"),
    "regularizer": (lambda: dense(regularizer="l2"), lambda: dense(regularizer=keras.regularizers.L2(0.02)), "loss"),
    "clipping in the train_step": (dense, lambda: stepping(STEPS.clipping), "gradients"),
    "thresholds of AUC": (scored, lambda: scored(20), "metrics", BINARY),
    "no class_weight": (fitted(class_weight=WEIGHTS), dense, "loss"),
    "no scheduler": (scheduled(lambda epoch: 0.01 * 0.5**epoch), dense, "schedule"),
    "shuffled": (dense, fitted(shuffle=True), "data"),
    "not frozen": (frozen, lambda: frozen(True), "alignment"),
    "float32 for mixed_bfloat16": (lambda: with_policy("mixed_bfloat16"), dense, "forward"),
    "momentum": (using(SGD, 0.1, 0.9), using(SGD, 0.1, 0.8), "update"),
    "Nesterov": (using(SGD, 0.1, 0.9), using(SGD, 0.1, 0.9, nesterov=True), "update"),
    "rho": (using(RMSprop, 0.01), using(RMSprop, 0.01, rho=0.99), "update"),
    "weight decay": (using(AdamW, 0.01, weight_decay=0.01), using(AdamW, 0.01, weight_decay=0.02), "update"),
    "epsilon": (using(Adam, 0.01, epsilon=1e-3), using(Adam, 0.01, epsilon=1e-4), "update"),
    "clipped by variable or together": (using(SGD, 0.1, clipnorm=0.1), using(SGD, 0.1, global_clipnorm=0.1), "update"),
    "accumulated over 2 or 4 steps": (
        using(Adam, 0.01, gradient_accumulation_steps=2),
        using(Adam, 0.01, gradient_accumulation_steps=4),
        "update",
    ),
    "overwritten by the average": (
        using(SGD, 0.1, use_ema=True, ema_overwrite_frequency=4),
        using(SGD, 0.1, use_ema=True),
        "update",
    ),
    "momentum of the average": (
        using(SGD, 0.1, use_ema=True),
        using(SGD, 0.1, use_ema=True, ema_momentum=0.9),
        "slots",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_in_the_stage_that_it_alters(name):
    left, right, stage, data = (*MUTANTS[name], DATA)[:4]
    assert stage_apart(left, right, data) == stage


def test_a_staircase_is_found_in_the_schedule_where_no_step_is_looked_at_between_its_stairs():
    assert (
        stage_apart(lambda: dense(optimizer=decaying()), lambda: dense(optimizer=decaying(True)), DATA, steps=(0,))
        == "schedule"
    )


def test_a_whole_match_of_twins_finds_rounding_at_most():
    result = compare(normalised, functional_normalised, DATA, steps=2)
    assert result.verdict in ("identical", "rounding")


def test_a_whole_match_blames_the_moving_averages_and_nothing_else():
    result = compare(normalised, lambda: normalised(momentum=0.99), DATA, steps=2)
    assert first_difference(result)[0] == "buffers"
    assert {stage.stage for stage in result.stages if stage.verdict == "different"} == {"buffers"}


def test_parameters_in_float64_are_trained_in_float64():
    keras.config.set_floatx("float64")
    keras.config.set_dtype_policy("float64")  # follows floatx unless a test before has set it
    try:
        worker = InProcess(dense, *DATA)
        seen = worker.ask("gradients", x=worker.session.x[:16], y=Y[:16])
        assert {g.dtype for g in seen["gradients"].values()} == {np.dtype(np.float64)}
        assert stage_apart(lambda: dense(), functional, DATA, tolerance=1e-12) is None
    finally:
        keras.config.set_floatx("float32")
        keras.config.set_dtype_policy("float32")


def busy():
    """All that an observation could leave changed: moving averages, generators, slots, metrics, a learning rate."""
    model = dense(layers.BatchNormalization(), layers.Dropout(0.5), Noise())
    return Program(model, fit={"callbacks": [callbacks.LearningRateScheduler(lambda epoch, rate: 0.9 * rate)]})


def averaging():
    return dense(layers.Dropout(0.5), optimizer=SGD(0.1, use_ema=True), units=1, activation="sigmoid", loss="mse")


@pytest.mark.parametrize("build", [busy, averaging])
def test_observing_leaves_every_variable_its_bits_and_the_next_training_its_result(build):
    assert_trains_on_as_if_nobody_had_looked(lambda: InProcess(build, *DATA), *DATA)


def test_two_observations_of_one_state_draw_the_same_masks():
    worker = InProcess(lambda: dense(layers.Dropout(0.5)), *DATA)
    once, again = (worker.ask("gradients", x=X[:16], y=Y[:16])["loss"] for _ in range(2))
    assert once.tobytes() == again.tobytes()
    worker.ask("train", batch_size=16, steps=1)
    assert worker.ask("forward", x=X[:16], training=True)["outputs"]["output"].shape == (16, 3)


def test_training_is_fit_bit_for_bit():
    """Seen step by step, with steps_per_execution, callbacks, a partial last batch, dropout and shuffling."""

    def build():
        keras.utils.set_random_seed(1)
        return dense(layers.Dropout(0.5), steps_per_execution=4)

    either_keras.assert_training_is_fit_bit_for_bit(adapter, build)


def test_the_data_stage_sees_the_batches_that_fit_feeds():
    spy, fed = either_keras.spying(keras)
    model = stepping(spy, run_eagerly=True)
    program = adapter.load(Program(model, fit={"class_weight": WEIGHTS}), X[:2])
    either_keras.assert_the_data_stage_sees_what_is_fed(
        adapter, program, fed, lambda: model.fit(X, Y, batch_size=16, shuffle=False, verbose=0)
    )


@pytest.mark.parametrize(
    "name",
    [
        "several_inputs_and_outputs_are_dicts_by_name",
        "weights_of_rows_hold_for_every_output",
        "rows_by_other_names_than_the_models_are_refused",
        "missing_gradients_are_zeros_and_parameters_come_in_the_order_of_use",
        "settings_moved_by_one_ulp_take_effect_at_once_and_can_be_moved_back",
        "a_state_holds_all_that_training_depends_on_and_shares_no_memory",
    ],
)
def test_on_tensorflow(name):
    keras_backend_checks.CHECKS[name]()


def test_no_pipeline_is_tuned_and_what_its_author_chose_stays():
    """Waiting for the thread of tf.data's tuner, which can miss its end, takes up to a minute a pipeline."""
    InProcess(dense, *DATA)
    chosen = tf.data.Options()
    chosen.deterministic = False
    options = iter(tf.data.Dataset.range(3).with_options(chosen))._dataset.options()
    assert options.autotune.enabled is False
    assert options.deterministic is False


def test_a_scheduler_is_read_at_each_epoch_of_the_data():
    worker = InProcess(scheduled(lambda epoch, rate: 0.5 * rate), *DATA)
    worker.ask("batches", batch_size=16, epochs=1)
    np.testing.assert_allclose(worker.ask("rates", steps=[0, 3, 4, 8]), [0.005, 0.005, 0.0025, 0.00125], rtol=1e-6)


def two_inputs():
    inputs = [keras.Input((6,), name="left"), keras.Input((6,), name="right")]
    return compiled(keras.Model(inputs, layers.Dense(3)(layers.add(inputs))), loss="mse")


REFUSED = {
    "two inputs for one array": (two_inputs, "has the inputs left, right, and x is one array"),
    "float16 with a scaled loss": (lambda: with_policy("mixed_float16"), "a scaled loss"),
    "parameters in bfloat16": (lambda: with_policy("bfloat16"), "trains with bfloat16"),
    "not compiled": (lambda: keras.Sequential([layers.Dense(3)]), "not compiled"),
    "epochs of its own": (fitted(epochs=3), "names epochs"),
    "validation_split": (fitted(validation_split=0.2), "names validation_split"),
    "weights of all rows": (fitted(sample_weight=np.ones(56)), "Give a function of"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compared_is_refused_with_the_reason(name):
    build, message = REFUSED[name]
    with pytest.raises(ProgramError, match=message):
        InProcess(build, *DATA)


def test_a_train_step_that_withholds_gradients_is_refused_with_their_number():
    worker = InProcess(lambda: stepping(STEPS.withholding), *DATA)
    with warnings.catch_warnings(), pytest.raises(ProgramError, match="gave its optimizer 0 gradients"):
        worker.ask("gradients", x=X[:16], y=Y[:16])
