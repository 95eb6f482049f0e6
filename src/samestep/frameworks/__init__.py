"""The frameworks: the only folder that imports one. One file each, the same functions in the same order.

This list is the one list of frameworks: tests, docs and messages read it. Nothing here imports a
framework; an adapter does, and only inside the worker. Python 3.7, standard library and NumPy only.
"""

import importlib
import sys
from collections import namedtuple

from samestep.errors import ProgramError

Framework = namedtuple("Framework", "name module package extra title environment")
Framework.__doc__ = (
    "name: for people and --in; module: the adapter here, and the file of an experiment; package: what is imported; "
    "extra: what pip installs; title: a description; environment: variables that choose it, {name: value}."
)

FRAMEWORKS = (
    Framework("tensorflow1", "tensorflow1", "tensorflow", "tensorflow", "base TensorFlow, graph style", {}),
    Framework("tensorflow", "tensorflow", "tensorflow", "tensorflow", "base TensorFlow 2", {}),
    Framework("keras2", "keras2", "keras", "", "Keras 2.3 on TensorFlow 1", {"KERAS_BACKEND": "tensorflow"}),
    Framework("keras2-theano", "keras2", "keras", "", "Keras 2.3 on Theano", {"KERAS_BACKEND": "theano"}),
    Framework("keras", "keras", "keras", "keras", "Keras 3 on TensorFlow", {"KERAS_BACKEND": "tensorflow"}),
    Framework("keras-jax", "keras", "keras", "keras-jax", "Keras 3 on JAX", {"KERAS_BACKEND": "jax"}),
    Framework("keras-torch", "keras", "keras", "keras-torch", "Keras 3 on PyTorch", {"KERAS_BACKEND": "torch"}),
    Framework("tf_keras", "tf_keras", "tf_keras", "tf_keras", "Keras 2 on TensorFlow 2", {}),
    Framework("torch", "torch", "torch", "torch", "PyTorch", {}),
    Framework("jax", "jax", "jax", "jax", "JAX with optax, Flax or Equinox", {}),
    Framework("pytensor", "pytensor", "pytensor", "pytensor", "PyTensor, successor of Theano", {}),
)

FUNCTIONS = (
    "load",
    "describe",
    "state",
    "forward",
    "gradients",
    "update",
    "train",
    "evaluate",
    "batches",
    "settings",
)
"""What every adapter defines, in this order, after its Program class."""


def adapter_for(built):
    """The adapter module for what a build function returned."""
    for cls in type(built).__mro__:
        parts = cls.__module__.split(".")
        if parts[:2] == ["samestep", "frameworks"] and cls.__name__ == "Program":
            return importlib.import_module(cls.__module__)
        if parts[0] in ("keras", "tf_keras", "tensorflow") and cls.__name__ == "Model":
            return importlib.import_module("samestep.frameworks." + _keras_adapter(parts[0]))
    raise ProgramError(
        "build() returned {}, which is not a program.\nReturn a compiled Keras model, or a Program from one of: {}".format(
            "None (is a return missing?)" if built is None else "a " + type(built).__name__,
            ", ".join("samestep.frameworks." + framework.name for framework in FRAMEWORKS),
        )
    )


def _keras_adapter(package):
    """The adapter for a Keras model whose class is of this package: tensorflow has a tf.keras of its own up to 2.5.

    The package keras is Keras itself up to 2.3, tf.keras of TensorFlow 2.6 to 2.15 under that version, and Keras 3.
    """
    if package != "keras":
        return "tf_keras"
    major, minor = (int(number) for number in sys.modules["keras"].__version__.split(".")[:2])
    if major > 2:
        return "keras"
    return "keras2" if minor < 4 else "tf_keras"


def seed_frameworks(seed):
    """Seed the frameworks that the program has imported; never imports one to do so."""
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None:
        tensorflow.compat.v1.set_random_seed(seed)
    torch = sys.modules.get("torch")
    if torch is not None:
        torch.manual_seed(seed)
    for keras in (sys.modules.get("keras"), sys.modules.get("tf_keras")):
        if keras is not None and hasattr(keras.utils, "set_random_seed"):
            keras.utils.set_random_seed(seed)
