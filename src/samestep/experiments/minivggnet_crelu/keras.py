"""minivggnet-crelu in Keras on TensorFlow: TensorFlow's concatenated ReLU through a Lambda layer."""

import tensorflow as tf
from keras import layers

from samestep.experiments.minivggnet.keras import compiled, network, prepare

__all__ = ["build", "prepare"]


def build(input_shape):
    return compiled(network(input_shape, lambda: layers.Lambda(tf.nn.crelu)))
