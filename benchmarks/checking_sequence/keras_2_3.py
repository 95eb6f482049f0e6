"""The sequence script of the article, NumPy and TensorFlow seeded first thing in the file: Keras 2.3.1 on TensorFlow 1.15.5."""

import sys

from numpy.random import seed

seed(1)
import tensorflow

tensorflow.compat.v1.set_random_seed(2)
import numpy
from keras.layers import Dense
from keras.models import Sequential

x = numpy.arange(0.0, 0.9, 0.1).reshape(9, 1)
y = x + 0.1


def fit_model():
    model = Sequential()
    model.add(Dense(10, input_dim=1))
    model.add(Dense(1))
    model.compile(loss="mean_squared_error", optimizer="adam")
    model.fit(x, y, epochs=100, batch_size=len(x), verbose=0)
    return numpy.mean((model.predict(x, verbose=0) - y) ** 2)


for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else 10):
    print(repr(fit_model()))
