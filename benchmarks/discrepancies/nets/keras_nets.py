"""Keras 3, or another Keras that is given as `library`: a compiled network of layers."""

import importlib


def compiled(layers, shape, optimizer=None, loss=None, metrics=(), library="keras"):
    """Layers, or functions of tensors, one after the other; plain SGD and the cross entropy of logits if nothing is named."""
    keras = importlib.import_module(library)
    inputs = outputs = keras.Input(shape)
    for layer in layers:
        outputs = layer(outputs)
    model = keras.Model(inputs, outputs)
    model.compile(
        optimizer=optimizer or keras.optimizers.SGD(0.1),
        loss=loss or keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=list(metrics),
    )
    return model


def perceptron(optimizer=None, loss=None, metrics=(), library="keras", units=3, activation=None):
    """12 inputs, 16 hidden units with tanh, 3 outputs."""
    layers = importlib.import_module(library).layers
    hidden = layers.Dense(16, activation="tanh", name="hidden")
    head = layers.Dense(units, activation=activation, name="head")
    return compiled([hidden, head], (12,), optimizer, loss, metrics, library)
