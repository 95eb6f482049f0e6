"""Keras on TensorFlow, fit: two convolutions of 16 and 32 channels on 28 x 28, Adam."""

import keras
from timing import BATCH, rows, timed

x, y = rows((28, 28, 1))
convolutions = [keras.layers.Conv2D(channels, 3, strides=2, activation="relu") for channels in (16, 32)]
head = [keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
model = keras.Sequential([keras.Input((28, 28, 1)), *convolutions, *head])
model.compile("adam", "sparse_categorical_crossentropy")


def train(first, last):
    part = slice(first * BATCH, last * BATCH)
    model.fit(x[part], y[part], batch_size=BATCH, verbose=0)


timed(train)
