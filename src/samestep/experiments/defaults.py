"""A small program for each framework's optimizer as it comes; a function is named FRAMEWORK__CLASS."""

import inspect


def __getattr__(name):
    framework, _, optimizer = name.partition("__")
    if framework not in MAKERS or not optimizer:
        raise AttributeError(name)
    return lambda: MAKERS[framework](optimizer)


def keras_program(optimizer):
    """A dense layer of two units over three inputs, in Keras 3."""
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile(optimizer=_made(getattr(keras.optimizers, optimizer)), loss="mean_squared_error")
    return model


def tf_keras_program(optimizer):
    """The same in tf_keras."""
    import tf_keras

    model = tf_keras.Sequential([tf_keras.Input((3,)), tf_keras.layers.Dense(2)])
    model.compile(optimizer=_made(getattr(tf_keras.optimizers, optimizer)), loss="mean_squared_error")
    return model


def torch_program(optimizer):
    """The same in PyTorch."""
    import torch

    from samestep.frameworks.torch import Program

    model = torch.nn.Linear(3, 2)
    return Program(model, loss=torch.nn.MSELoss(), optimizer=getattr(torch.optim, optimizer)(model.parameters()))


def jax_program(optimizer):
    """The same in JAX with optax."""
    import optax
    from jax import numpy as jnp

    from samestep.frameworks.jax import Program

    params = {"kernel": jnp.full((3, 2), 0.1), "bias": jnp.zeros(2)}
    return Program(
        lambda p, x: x @ p["kernel"] + p["bias"],
        params,
        loss=lambda outputs, targets: ((outputs - targets) ** 2).mean(),
        optimizer=_made(getattr(optax, optimizer)),
    )


def tensorflow1_program(optimizer):
    """The same as a graph of base TensorFlow."""
    import tensorflow as tf

    from samestep.frameworks.tensorflow1 import Program

    v1 = tf.compat.v1
    with tf.Graph().as_default():
        inputs, targets = v1.placeholder(tf.float32, (None, 3)), v1.placeholder(tf.float32, (None, 2))
        kernel = v1.get_variable("kernel", (3, 2))
        bias = v1.get_variable("bias", (2,), initializer=v1.zeros_initializer())
        outputs = tf.matmul(inputs, kernel) + bias
        loss = tf.reduce_mean(tf.square(outputs - targets))
        train_op = _made(getattr(v1.train, optimizer)).minimize(loss)
        return Program(inputs=inputs, targets=targets, outputs=outputs, loss=loss, train_op=train_op)


MAKERS = {
    "keras": keras_program,
    "tf_keras": tf_keras_program,
    "torch": torch_program,
    "jax": jax_program,
    "tensorflow1": tensorflow1_program,
}


def _made(optimizer):
    """The optimizer with its defaults; with a learning rate of 0.01 where it has no default for that."""
    parameters = inspect.signature(optimizer).parameters
    required = parameters.get("learning_rate")
    return (
        optimizer(learning_rate=0.01)
        if required is not None and required.default is inspect.Parameter.empty
        else optimizer()
    )
