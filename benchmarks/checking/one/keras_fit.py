"""A small Keras model, fitted without shuffling: only its initial weights are drawn, and nobody seeds them."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import keras
import numpy as np

x = np.linspace(0, 1, 96).reshape(32, 3).astype("float32")
y = (x.sum(axis=1) > 1.5).astype("float32")

model = keras.Sequential(
    [
        keras.Input((3,)),
        keras.layers.Dense(8, activation="relu"),
        keras.layers.Dense(1, activation="sigmoid"),
    ]
)
model.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
history = model.fit(x, y, epochs=2, batch_size=8, shuffle=False, verbose=0)
print(history.history)
