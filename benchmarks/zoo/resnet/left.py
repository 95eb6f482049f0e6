"""Keras: a small residual network, trained with momentum."""

import keras
from keras import layers

DATA = "images"


def norm(name):
    return layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name=name)


def block(x, filters, strides, name):
    shortcut = x
    if strides > 1:
        shortcut = layers.Conv2D(filters, 1, strides=strides, use_bias=False, name=f"{name}_shortcut")(x)
        shortcut = norm(f"{name}_shortcut_norm")(shortcut)
    x = layers.Conv2D(filters, 3, strides=strides, padding="same", use_bias=False, name=f"{name}_conv1")(x)
    x = layers.ReLU()(norm(f"{name}_norm1")(x))
    x = layers.Conv2D(filters, 3, padding="same", use_bias=False, name=f"{name}_conv2")(x)
    return layers.ReLU(name=f"{name}_out")(layers.Add()([norm(f"{name}_norm2")(x), shortcut]))


def build():
    x = inputs = keras.Input((8, 8, 3))
    x = layers.Conv2D(6, 3, padding="same", use_bias=False, name="stem")(x)
    x = layers.ReLU()(norm("stem_norm")(x))
    x = block(x, 6, 1, "block1")
    x = block(x, 10, 2, "block2")
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    model = keras.Model(inputs, layers.Dense(5, name="head")(x))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), loss=loss, metrics=["accuracy"])
    return model
