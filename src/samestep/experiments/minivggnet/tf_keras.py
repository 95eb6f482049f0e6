"""minivggnet in Keras 2 on TensorFlow 2 (tf_keras): a Sequential model, and the optimizer with a decay of its own."""

import tf_keras
from tf_keras import layers

from samestep.experiments.images import one_hot, scaled
from samestep.experiments.minivggnet import DECAY, RATE


def prepare(x, y):
    return scaled(x), one_hot(y)


def build(input_shape):
    return compiled(network(input_shape, lambda: layers.Activation("relu")))


def network(input_shape, activation):
    return tf_keras.Sequential(
        [
            tf_keras.Input(input_shape),
            *convolutions(32, activation),
            *convolutions(64, activation),
            layers.Flatten(),
            layers.Dense(512),
            activation(),
            layers.BatchNormalization(),
            layers.Dropout(0.5),
            layers.Dense(10),
            layers.Activation("softmax"),
        ]
    )


def convolutions(filters, activation):
    """Two convolutions, each with activation and normalisation, then pooling and dropout.

    The fused kernel of batch normalisation, Keras 2's choice for images, averages variances of n - 1, and Keras 3 those of n.
    """
    pair = [
        (layers.Conv2D(filters, 3, padding="same"), activation(), layers.BatchNormalization(fused=False))
        for _ in range(2)
    ]
    return [*pair[0], *pair[1], layers.MaxPooling2D(2), layers.Dropout(0.25)]


def compiled(model):
    optimizer = tf_keras.optimizers.legacy.SGD(learning_rate=RATE, decay=DECAY)
    model.compile(optimizer=optimizer, loss="categorical_crossentropy", metrics=["accuracy"])
    return model
