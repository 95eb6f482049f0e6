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

FUNCTIONS = {
    "load": ("built", "x"),
    "describe": ("program",),
    "state": ("program", "values"),
    "forward": ("program", "x", "training"),
    "gradients": ("program", "x", "y"),
    "update": ("program", "gradients", "x", "y"),
    "train": ("program", "x", "y", "batch_size", "epochs", "steps", "watch"),
    "evaluate": ("program", "x", "y", "batch_size"),
    "batches": ("program", "x", "y", "batch_size", "epochs", "see"),
    "settings": ("program", "values"),
}
"""What every adapter defines, in this order, after its Program class; and their parameters."""

ASPECTS = {
    "activations": "what layers and operations return on the way to the outputs",
    "gradients": "gradients of a training step, as the optimizer is given them",
    "update": "the optimizer's update by itself",
    "slots": "the optimizer's slots, by what they hold",
    "buffers": "weights that are not trained, such as batch statistics",
    "generators": "states of random generators, read and written",
    "layouts": "what the axes of a parameter mean",
    "several inputs or outputs": "x or y as several arrays by name, outputs as any nest of tensors",
    "own step": "a training step that its author wrote",
    "own batches": "an input pipeline of the program's own",
    "schedules": "the learning rate at steps that were not trained to",
}
"""What an adapter shows of a program. What one does not, or not of every program, is in its GAPS under that name."""


def adapter_for(built):
    """The adapter module for what a build function returned: that of its Program class, Keras's, or a plugin that adopts it."""
    for cls in type(built).__mro__:
        package = cls.__module__.split(".")[0]
        if cls.__name__ == "Program" and not lacking(sys.modules.get(cls.__module__)):
            return sys.modules[cls.__module__]
        if package in ("keras", "tf_keras", "tensorflow") and cls.__name__ == "Model":
            return importlib.import_module("samestep.frameworks." + _keras_adapter(package))
    return _adopting_plugin(built)


def lacking(module):
    """What a module would have to define beside to be an adapter, as words for a message; nothing if it is one."""
    return ", ".join(name for name in ("Program", *FUNCTIONS) if not callable(getattr(module, name, None)))


def _adopting_plugin(built):
    from samestep.frameworks import _plugins

    adapters, problems = _plugins.adopting(built)
    if len(adapters) == 1:
        return adapters[0]
    what = "None (is a return missing?)" if built is None else "a " + type(built).__name__
    if adapters:
        names = " and ".join(adapter.__name__ for adapter in adapters)
        raise ProgramError(
            "build() returned {}, which more than one plugin adopts: {}.\nReturn the Program of one of them.".format(
                what, names
            )
        )
    if type(built).__name__ == "Program":
        home = type(built).__module__
        problems.insert(0, "Its module {} is no adapter, it lacks {}.".format(home, lacking(sys.modules.get(home))))
    wanted = ", ".join("samestep.frameworks." + framework.name for framework in FRAMEWORKS)
    message = (
        "build() returned {}, which is not a program.\nReturn a compiled Keras model, or a Program from one of: {}"
    )
    raise ProgramError("\n".join([message.format(what, wanted), *problems]))


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


def compute_in(dtype):
    """Let the frameworks that the program has imported make "float64", or "float32", where nothing else is asked for."""
    for name in ("keras", "tf_keras"):
        if name in sys.modules:
            _keras_in(sys.modules[name], dtype)
    if "torch" in sys.modules:
        sys.modules["torch"].set_default_dtype(getattr(sys.modules["torch"], dtype))
    if "jax" in sys.modules:
        sys.modules["jax"].config.update("jax_enable_x64", dtype == "float64")
    if "pytensor" in sys.modules:
        sys.modules["pytensor"].config.floatX = dtype


def _keras_in(keras, dtype):
    keras.backend.set_floatx(dtype)
    if hasattr(keras, "config"):
        keras.config.set_dtype_policy(dtype)


def end_pipelines_at_once():
    """See _tensorflow_pipelines; only if the program has imported TensorFlow."""
    if "tensorflow" in sys.modules:
        importlib.import_module("samestep.frameworks._tensorflow_pipelines").untune()


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
