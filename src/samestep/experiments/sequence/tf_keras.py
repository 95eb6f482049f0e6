"""sequence in Keras 2 on TensorFlow 2 (tf_keras): two Dense layers from Keras's own, unseeded initialisers."""

import tf_keras
from tf_keras import layers


def build(input_shape):
    model = tf_keras.Sequential([tf_keras.Input(input_shape), layers.Dense(10), layers.Dense(1)])
    model.compile(optimizer=tf_keras.optimizers.Adam(learning_rate=0.001, epsilon=1e-7), loss="mean_squared_error")
    return model
