"""Keras 2: Adagrad."""

import tf_keras as keras
from tf_keras import layers

DATA = "regression"


def build():
    model = keras.Sequential(
        [keras.Input((12,)), layers.Dense(16, activation="gelu", name="hidden"), layers.Dense(3, name="head")]
    )
    model.compile(keras.optimizers.Adagrad(0.1), loss="mae", metrics=["mse"])
    return model
