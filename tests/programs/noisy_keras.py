"""A Keras program with all that a step may disturb: dropout's generator, moving averages, a decaying learning rate."""

import keras
from keras import layers


def build():
    model = keras.Sequential(
        [
            keras.Input((64,)),
            layers.Dense(16, kernel_initializer=keras.initializers.GlorotUniform(seed=1)),
            layers.BatchNormalization(),
            layers.Activation("relu"),
            layers.Dropout(0.25, seed=2),
            layers.Dense(10, activation="softmax", kernel_initializer=keras.initializers.GlorotUniform(seed=3)),
        ]
    )
    rate = keras.optimizers.schedules.ExponentialDecay(0.01, decay_steps=3, decay_rate=0.5)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
