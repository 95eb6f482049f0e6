"""sequence in Keras: two Dense layers from Keras's own, unseeded initialisers."""

import keras
from keras import layers


def build(input_shape):
    model = keras.Sequential([keras.Input(input_shape), layers.Dense(10), layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.Adam(learning_rate=0.001, epsilon=1e-7), loss="mean_squared_error")
    return model
