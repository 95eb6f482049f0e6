"""The teeth: each single change of a program is found, at the stage where it is made, on either side."""

import os
import re
from typing import NamedTuple

import pytest

import samestep
from programs.mutants import STEPS, digits, mutant, own_batches
from samestep.matching.floor import DIFFERENT

pytestmark = pytest.mark.usefixtures("kept")


class Mutant(NamedTuple):
    """An experiment's program with changes, and the framework of the unchanged program beside it."""

    experiment: str
    framework: str
    beside: str
    changes: tuple[tuple[str, str], ...]


class Mutation(NamedTuple):
    """A change; where it must be found first, by a pattern of the name there; and a mutant for either side."""

    fact: str
    stage: str
    name: str
    step: int | None
    left: Mutant
    right: Mutant


def softmax(framework, beside, *changes):
    return Mutant("mnist-softmax", framework, beside, changes)


def sigmoid(framework, beside, *changes):
    return Mutant("mnist-sigmoid", framework, beside, changes)


EPSILON = "epsilon=1e-7"
RATE = "learning_rate=0.001,"
SECOND_RELU = 'activation="relu", kernel_initializer=GlorotUniform(seed=2)'
LEAKY = "activation=lambda z: keras.activations.leaky_relu(z, negative_slope=0.01), kernel_initializer=GlorotUniform(seed=2)"
BUILD_KERAS = "    model = keras.Sequential(\n"
NEW_LABELS = """\
    for start in range(0, len(x), batch_size):
        rows = slice(start, start + batch_size)
        yield x[rows], {} if start == 2 * batch_size else y[rows]"""
DROP_LAST = """\
    for start in range(0, len(x) - batch_size + 1, batch_size):
        yield x[start : start + batch_size], y[start : start + batch_size]"""
SHUFFLED = (
    ("import keras\n", "import keras\nfrom samestep.frameworks.keras import Program\n"),
    ("return model", 'return Program(model, fit={"shuffle": True})'),
)
FLOAT64_KERAS = ((BUILD_KERAS, '    keras.config.set_floatx("float64")\n' + BUILD_KERAS),)
NUDGED_KERAS = (
    (
        "    return model",
        "    kernel = model.layers[1].kernel\n"
        "    nudged = keras.ops.convert_to_numpy(kernel).copy()\n"
        "    nudged[3, 5] += 1e-4\n"
        "    kernel.assign(nudged)\n"
        "    return model",
    ),
)
NUDGED_TENSORFLOW = (
    ("    def forward(x):", "    kernels[1][3, 5].assign(kernels[1][3, 5] + 1e-4)\n\n    def forward(x):"),
)
NAN_TENSORFLOW1 = (
    (
        "        train_op = ",
        "        global_step = v1.train.get_or_create_global_step()\n"
        '        loss = tf.where(tf.equal(global_step, 7), float("nan"), loss)\n'
        "        train_op = ",
    ),
    ("minimize(loss)", "minimize(loss, global_step=global_step)"),
)
NAN_KERAS = (
    (
        '        loss="binary_crossentropy",',
        "        loss=lambda y, p: keras.ops.where(\n"
        '            model.optimizer.iterations == 7, float("nan"), keras.losses.binary_crossentropy(y, p)\n'
        "        ),",
    ),
)
NO_LAST_BIAS = (
    (
        "[variable for pair in zip(kernels, biases) for variable in pair]",
        "[kernels[0], biases[0], kernels[1], biases[1], kernels[2]]",
    ),
    ("tf.nn.bias_add(tf.matmul(hidden, kernels[2]), biases[2])", "tf.matmul(hidden, kernels[2])"),
)
EXTRA_LAYER = (
    (
        "        logits = ",
        '        hidden = tf.nn.relu(dense(hidden, LAYERS[1], seed=4, name="extra"))\n        logits = ',
    ),
)
ROW_ACCURACY = (
    (
        "tf.cast(tf.equal(tf.cast(logits > 0, tf.float32), targets), tf.float32)",
        "tf.cast(tf.reduce_all(tf.equal(tf.cast(logits > 0, tf.float32), targets), axis=1), tf.float32)",
    ),
)
FLOAT64_TENSORFLOW = (
    ("maxval=limit)", "maxval=limit, dtype=tf.float64)"),
    ("tf.zeros(sizes[i + 1])", "tf.zeros(sizes[i + 1], tf.float64)"),
)

MUTATIONS = [
    Mutation(
        "Adam's epsilon 1e-3",
        *("update", "kernel", 0),
        left=softmax("keras", "tensorflow1", (EPSILON, "epsilon=1e-3")),
        right=sigmoid("tensorflow1", "keras", (EPSILON, "epsilon=1e-3")),
    ),
    Mutation(
        "Adam's epsilon 1e-8",
        *("update", "kernel", 0),
        left=sigmoid("keras", "tensorflow", (EPSILON, "epsilon=1e-8")),
        right=softmax("tensorflow", "keras", (EPSILON, "epsilon=1e-8")),
    ),
    Mutation(
        "Adam's beta_2 0.99",
        *("update", "kernel", 0),
        left=softmax("tensorflow1", "tensorflow", (EPSILON, "epsilon=1e-7, beta2=0.99")),
        right=sigmoid("tensorflow", "tensorflow1", (EPSILON, "epsilon=1e-7, beta_2=0.99")),
    ),
    Mutation(
        "learning rate 1 % off",
        *("update", "kernel", 0),
        left=sigmoid("tensorflow1", "tensorflow", (RATE, "learning_rate=0.00101,")),
        right=softmax("tensorflow", "keras", (RATE, "learning_rate=0.00101,")),
    ),
    Mutation(
        "a bias missing",
        *("alignment", r"dense_2/bias \(10,\) has no twin", 0),
        left=softmax("keras", "tensorflow1", ("layers.Dense(10,", "layers.Dense(10, use_bias=False,")),
        right=sigmoid("tensorflow", "keras", *NO_LAST_BIAS),
    ),
    Mutation(
        "leaky ReLU in the second layer",
        *("forward", "dense_1", 0),
        left=sigmoid("keras", "tensorflow", (SECOND_RELU, LEAKY)),
        right=softmax(
            "tensorflow1", "keras", ("tf.nn.relu(dense(hidden,", "tf.nn.leaky_relu(alpha=0.01, features=dense(hidden,")
        ),
    ),
    Mutation(
        "loss summed over the rows",
        *("loss", "loss", 0),
        left=softmax("tensorflow", "tensorflow1", ("tf.reduce_mean(tf.nn.sparse", "tf.reduce_sum(tf.nn.sparse")),
        right=sigmoid(
            "keras", "tensorflow", ('"binary_crossentropy"', 'keras.losses.BinaryCrossentropy(reduction="sum")')
        ),
    ),
    Mutation(
        "loss scaled by 1.001",
        *("loss", "loss", 0),
        left=sigmoid("tensorflow1", "keras", ("loss = tf.reduce_mean", "loss = 1.001 * tf.reduce_mean")),
        right=softmax(
            "keras", "tensorflow", ('metrics=["accuracy"],', 'metrics=["accuracy"],\n        loss_weights=[1.001],')
        ),
    ),
    Mutation(
        "logits taken for probabilities",
        *("loss", "loss", 0),
        left=softmax("keras", "tensorflow1", (' activation="softmax",', "")),
        right=sigmoid("keras", "tensorflow", (' activation="sigmoid",', "")),
    ),
    Mutation(
        "labels of one batch off by one",
        *("data", "labels of batch 2, in 32 of 32 rows", 2),
        left=softmax("tensorflow1", "keras", *own_batches("tensorflow1", NEW_LABELS.format("(y[rows] + 1) % 10"))),
        right=sigmoid("keras", "tensorflow1", *own_batches("keras", NEW_LABELS.format("y[rows][:, [9, *range(9)]]"))),
    ),
    Mutation(
        "rows shuffled by fit",
        *("data", "order of the rows from batch 0 on", 0),
        left=sigmoid("keras", "tensorflow", *SHUFFLED),
        right=softmax("keras", "tensorflow1", *SHUFFLED),
    ),
    Mutation(
        "last partial batch dropped",
        *("data", "the (left|right) side drops the last partial batch of 24 rows", 3),
        left=softmax("tensorflow", "keras", *own_batches("tensorflow", DROP_LAST)),
        right=sigmoid("tensorflow1", "tensorflow", *own_batches("tensorflow1", DROP_LAST)),
    ),
    Mutation(
        "accuracy of whole rows of binarised labels",
        *("metrics", "accuracy", 0),
        left=sigmoid("keras", "tensorflow", ('keras.metrics.BinaryAccuracy(name="accuracy")', '"accuracy"')),
        right=sigmoid("tensorflow1", "keras", *ROW_ACCURACY),
    ),
    Mutation(
        "one initial weight off by 1e-4",
        *("init", "kernel_1|dense_1/kernel", 0),
        left=softmax("tensorflow", "tensorflow1", *NUDGED_TENSORFLOW),
        right=sigmoid("keras", "tensorflow1", *NUDGED_KERAS),
    ),
    Mutation(
        "float64",
        *("alignment", "dtype of", 0),
        left=sigmoid("keras", "tensorflow", *FLOAT64_KERAS),
        right=softmax("tensorflow", "keras", *FLOAT64_TENSORFLOW),
    ),
    Mutation(
        "loss NaN at step 7",
        *("loss", "loss", 7),
        left=sigmoid("keras", "tensorflow1", *NAN_KERAS),
        right=softmax("tensorflow1", "keras", *NAN_TENSORFLOW1),
    ),
    Mutation(
        "a layer more or fewer",
        *("alignment", r"(extra|dense_1)/kernel \(128, 128\) has no twin", 0),
        left=softmax("tensorflow1", "keras", *EXTRA_LAYER),
        right=sigmoid("keras", "tensorflow1", (f"            layers.Dense(128, {SECOND_RELU}),\n", "")),
    ),
]


EACH_ON_ONE_SIDE = [(mutation, ("left", "right")[number % 2]) for number, mutation in enumerate(MUTATIONS)]
BOTH_SIDES = [(mutation, side) for mutation in MUTATIONS for side in ("left", "right")]
ASKED = BOTH_SIDES if "SAMESTEP_BOTH_SIDES" in os.environ else EACH_ON_ONE_SIDE
"""By turns on the left and on the right, to keep the suite short; SAMESTEP_BOTH_SIDES=1 makes every change on both."""


@pytest.mark.parametrize(("mutation", "side"), ASKED, ids=lambda value: getattr(value, "fact", value))
def test_a_single_change_is_found_where_it_is_made(mutation, side, tmp_path):
    experiment, framework, beside, changes = getattr(mutation, side)
    changed, unchanged = mutant(tmp_path, experiment, framework, *changes), f"{experiment}:{beside}"
    programs = (changed, unchanged) if side == "left" else (unchanged, changed)
    result = samestep.match(*programs, data=digits(), batch_size=32, steps=STEPS, seed=0, explain=False)
    first = result.first_difference
    assert (result.verdict, result.exit_status) == ("different", 1)
    assert (first.stage, first.step) == (mutation.stage, mutation.step)
    assert re.search(mutation.name, first.name)
    assert first.times_floor >= DIFFERENT
    earlier = [stage.verdict for stage in result.stages[: [s.stage for s in result.stages].index(first.stage)]]
    assert set(earlier) <= {"identical", "rounding"}, "no earlier stage is in doubt"
