"""Keras: a depthwise convolution with two outputs a channel, and a separable one."""

import keras
from keras import layers

DATA = "images"


def build():
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.DepthwiseConv2D(3, depth_multiplier=2, activation="relu", name="depthwise"),
            layers.SeparableConv2D(8, 3, padding="same", activation="relu", name="separable"),
            layers.GlobalMaxPooling2D(name="pool"),
            layers.Dense(5, name="head"),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.05), loss=loss)
    return model
