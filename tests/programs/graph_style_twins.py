"""What the programs of graph_style.py are in Keras 3, and those with one thing changed."""

import keras
import numpy as np
from keras import layers
from keras.optimizers import SGD, Adagrad, Adam, RMSprop
from keras.optimizers.schedules import ExponentialDecay

sgd = lambda: classifier(SGD(0.1))  # noqa: E731 - a table of programs
sgd_of_another_rate = lambda: classifier(SGD(0.1001))  # noqa: E731
momentum = lambda: classifier(SGD(0.1, momentum=0.9))  # noqa: E731
nesterov = lambda: classifier(SGD(0.1, momentum=0.9, nesterov=True))  # noqa: E731
rmsprop_from_zeros = lambda: classifier(RMSprop(0.01, momentum=0.5, epsilon=1e-10))  # noqa: E731
rmsprop_of_another_rho = lambda: from_ones(RMSprop(0.01, rho=0.95, momentum=0.5, epsilon=1e-10))  # noqa: E731
rmsprop = lambda: from_ones(RMSprop(0.01, rho=0.9, momentum=0.5, epsilon=1e-10))  # noqa: E731
adagrad = lambda: classifier(Adagrad(0.1))  # noqa: E731
adagrad_from_zeros = lambda: classifier(Adagrad(0.1, initial_accumulator_value=0.0))  # noqa: E731
decayed = lambda: classifier(SGD(ExponentialDecay(0.1, 5, 0.5)))  # noqa: E731
decayed_in_stairs = lambda: classifier(SGD(ExponentialDecay(0.1, 5, 0.5, staircase=True)))  # noqa: E731
l2 = lambda: classifier(SGD(0.1), penalty=0.01)  # noqa: E731 - tf.nn.l2_loss halves the sum
l2_of_the_same_factor = lambda: classifier(SGD(0.1), penalty=0.02)  # noqa: E731
clipped = lambda: classifier(SGD(0.5, global_clipnorm=0.05))  # noqa: E731
clipped_one_by_one = lambda: classifier(SGD(0.5, clipnorm=0.05))  # noqa: E731
unclipped = lambda: classifier(SGD(0.5))  # noqa: E731
clipped_adam = lambda: classifier(Adam(0.01, global_clipnorm=0.05))  # noqa: E731
batch_normalised = lambda: classifier(SGD(0.1), between=[layers.BatchNormalization()])  # noqa: E731
batch_normalised_of_short_memory = lambda: classifier(  # noqa: E731
    SGD(0.1), between=[layers.BatchNormalization(momentum=0.9)]
)
double = lambda: classifier(Adam(0.01), dtype="float64")  # noqa: E731
adam = lambda: classifier(Adam(0.01))  # noqa: E731
adam_of_another_epsilon = lambda: classifier(Adam(0.01, epsilon=1e-3))  # noqa: E731
embedding_sgd = lambda: words(SGD(0.1))  # noqa: E731
embedding_momentum = lambda: words(SGD(0.1, momentum=0.9))  # noqa: E731
embedding_adam = lambda: words(Adam(0.01))  # noqa: E731
embedding_adam_of_another_rate = lambda: words(Adam(0.011))  # noqa: E731


def classifier(optimizer, penalty=None, between=(), dtype="float32"):
    def dense(units):
        return layers.Dense(units, dtype=dtype, kernel_regularizer=penalty and keras.regularizers.L2(penalty))

    body = [dense(8), *between, layers.Activation("tanh", dtype=dtype), dense(3)]
    return compiled(keras.Sequential([keras.Input((6,), dtype=dtype), *body]), optimizer, dtype)


def words(optimizer):
    body = [layers.Embedding(64, 5), layers.GlobalAveragePooling1D(), layers.Dense(3)]
    return compiled(keras.Sequential([keras.Input((4,), dtype="int64"), *body]), optimizer)


def compiled(model, optimizer, dtype="float32"):
    """A loss computes in float32, whatever the model's precision, unless it is told another."""
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True, dtype=dtype))
    return model


def from_ones(optimizer):
    """RMSprop as TensorFlow 1 starts it: mean squares of one, where those of Keras are zero."""
    model = classifier(optimizer)
    optimizer.build(model.trainable_variables)
    for velocity in optimizer._velocities:
        velocity.assign(np.ones(velocity.shape))
    return model
