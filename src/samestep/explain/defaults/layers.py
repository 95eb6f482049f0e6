"""What layers and functions hold or do by default, as expressions that are evaluated in each framework."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping

IMPORTS: Mapping[str, str] = {
    "keras": "import numpy as np, keras; from keras import layers, initializers",
    "tf_keras": "import numpy as np, tensorflow as tf, tf_keras as keras; from tf_keras import layers",
    "torch": "import torch; from torch import nn",
    "jax": "import jax; from flax import linen; from jax import numpy as jnp\n"
    "LSTM, ZERO = linen.OptimizedLSTMCell(1), jnp.zeros((1, 1))",
    "tensorflow1": "import tensorflow as tf",
}
VALUES: Mapping[str, Mapping[str, str]] = {
    "BatchNormalization, epsilon": {
        "keras": "layers.BatchNormalization().epsilon",
        "tf_keras": "layers.BatchNormalization().epsilon",
        "torch": "nn.BatchNorm2d(1).eps",
        "jax": "linen.BatchNorm().epsilon",
    },
    "BatchNormalization, share of the moving average that is kept": {
        "keras": "layers.BatchNormalization().momentum",
        "tf_keras": "layers.BatchNormalization().momentum",
        "torch": "1 - nn.BatchNorm2d(1).momentum",
        "jax": "linen.BatchNorm().momentum",
    },
    "LayerNormalization, epsilon": {
        "keras": "layers.LayerNormalization().epsilon",
        "tf_keras": "layers.LayerNormalization().epsilon",
        "torch": "nn.LayerNorm(1).eps",
        "jax": "linen.LayerNorm().epsilon",
    },
    "GroupNormalization, epsilon": {
        "keras": "layers.GroupNormalization().epsilon",
        "tf_keras": "layers.GroupNormalization().epsilon",
        "torch": "nn.GroupNorm(1, 1).eps",
        "jax": "linen.GroupNorm().epsilon",
    },
    "leaky ReLU, slope at -1": {
        "keras": "-float(layers.LeakyReLU()(np.array([-1.0], 'float32'))[0])",
        "tf_keras": "-float(layers.LeakyReLU()(np.array([-1.0], 'float32'))[0])",
        "torch": "-float(nn.LeakyReLU()(torch.tensor(-1.0)))",
        "jax": "-float(jax.nn.leaky_relu(-1.0))",
        "tensorflow1": "-float(tf.nn.leaky_relu(-1.0))",
    },
    "GELU at 1": {
        "keras": "float(keras.activations.gelu(np.array([1.0], 'float32'))[0])",
        "tf_keras": "float(keras.activations.gelu(tf.constant(1.0)))",
        "torch": "float(nn.GELU()(torch.tensor(1.0)))",
        "jax": "float(jax.nn.gelu(1.0))",
        "tensorflow1": "float(tf.nn.gelu(1.0))",
    },
    "hard sigmoid at 1": {
        "keras": "float(keras.activations.hard_sigmoid(np.array([1.0], 'float32'))[0])",
        "tf_keras": "float(keras.activations.hard_sigmoid(tf.constant(1.0)))",
        "torch": "float(nn.Hardsigmoid()(torch.tensor(1.0)))",
        "jax": "float(jax.nn.hard_sigmoid(1.0))",
    },
    "LSTM, sum of the biases of the forget gate at first": {
        "keras": "(lambda layer: (layer.build((1, 1, 1)), float(np.array(layer.cell.bias)[1]))[1])(layers.LSTM(1))",
        "tf_keras": "(lambda layer: (layer.build((1, 1, 1)), float(np.array(layer.cell.bias)[1]))[1])(layers.LSTM(1))",
        "jax": "float(LSTM.init(jax.random.key(0), (ZERO, ZERO), ZERO)['params']['hf']['bias'][0])",
    },
}
"""{what: {framework: expression}}; a framework without it is left out. PyTorch's LSTM draws its biases."""


def values(framework: str) -> dict[str, float]:
    """{what: the number} of one framework, in a process of its own."""
    entries = ", ".join(f"{what!r}: {by[framework]}" for what, by in VALUES.items() if framework in by)
    script = f"{IMPORTS[framework]}\nimport json\nprint(json.dumps({{{entries}}}))"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    found: dict[str, float] = json.loads(run.stdout.splitlines()[-1])
    return {what: float(f"{value:.4g}") for what, value in found.items()}
