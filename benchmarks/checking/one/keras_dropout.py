"""Every initializer has a seed, but the Dropout layer has none."""

import keras
import numpy as np
from keras import layers

inputs = keras.Input((4,))
hidden = layers.Dense(16, activation="tanh", kernel_initializer=keras.initializers.GlorotUniform(seed=1))(inputs)
hidden = layers.Dropout(0.5)(hidden)
outputs = layers.Dense(1, kernel_initializer=keras.initializers.GlorotUniform(seed=2))(hidden)
model = keras.Model(inputs, outputs)
model.compile("sgd", "mse")

x = np.arange(64, dtype="float32").reshape(16, 4) / 64
losses = [model.train_on_batch(x, x.sum(1, keepdims=True)) for _ in range(5)]
print("losses:", [float(loss) for loss in losses])
