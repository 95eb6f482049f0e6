"""Keras with set_random_seed: kernels, dropout and shuffling all follow from it."""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import keras
import numpy as np

keras.utils.set_random_seed(812)
x = np.random.rand(32, 3)
model = keras.Sequential([keras.layers.Dense(4, "relu"), keras.layers.Dropout(0.3), keras.layers.Dense(1)])
model.compile("adam", "mse")
model.fit(x, x.sum(1), epochs=2, batch_size=8, verbose=0)
print("loss", model.evaluate(x, x.sum(1), verbose=0))
