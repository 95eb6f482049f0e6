"""minivggnet-crelu in Keras 2 on TensorFlow 2 (tf_keras): TensorFlow's concatenated ReLU through a Lambda layer."""

import tensorflow as tf
from tf_keras import layers

from samestep.experiments.minivggnet.tf_keras import compiled, network, prepare

__all__ = ["build", "prepare"]


def build(input_shape):
    return compiled(network(input_shape, lambda: layers.Lambda(tf.nn.crelu)))
