"""mnist-sigmoid in Keras 2 on TensorFlow 2 (tf_keras): a Sequential model with the same seeded initialisers."""

import tf_keras
from tf_keras import layers
from tf_keras.initializers import GlorotUniform

from samestep.experiments.images import binarised, normalised_rows


def prepare(x, y):
    return normalised_rows(x), binarised(y)


def build(input_shape):
    model = tf_keras.Sequential(
        [
            tf_keras.Input(input_shape),
            layers.Dense(128, activation="relu", kernel_initializer=GlorotUniform(seed=1)),
            layers.Dense(128, activation="relu", kernel_initializer=GlorotUniform(seed=2)),
            layers.Dense(10, activation="sigmoid", kernel_initializer=GlorotUniform(seed=3)),
        ]
    )
    model.compile(
        optimizer=tf_keras.optimizers.Adam(learning_rate=0.001, epsilon=1e-7),
        loss="binary_crossentropy",
        metrics=[tf_keras.metrics.BinaryAccuracy(name="accuracy")],  # "accuracy" would mean the arg max of a row
    )
    return model
