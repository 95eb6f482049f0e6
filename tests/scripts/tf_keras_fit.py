"""A Keras 2 classifier trained by fit, as tutorials write it. tf_keras_fit.py [SEED]"""

import hashlib
import sys

import numpy as np
import tf_keras as keras

keras.utils.set_random_seed(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
rows = np.random.default_rng(0)
x, y = rows.normal(size=(200, 20)).astype("float32"), rows.integers(0, 3, 200)

model = keras.Sequential(
    [
        keras.layers.Input((20,)),
        keras.layers.Dense(16, activation="relu"),
        keras.layers.BatchNormalization(),
        keras.layers.Dropout(0.2),
        keras.layers.Dense(3, activation="softmax"),
    ]
)
model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=32, epochs=2, verbose=0)
model.train_on_batch(x[:32], y[:32])
model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(x, y, batch_size=32, verbose=0)
print(hashlib.md5(b"".join(np.asarray(w).tobytes() for w in model.get_weights())).hexdigest())
