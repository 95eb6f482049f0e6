"""JAX and optax, a jitted step: 784-128-128-10, Adam."""

import itertools

import jax
import jax.numpy as jnp
import optax
from timing import BATCH, rows, timed

x, y = rows((784,))
sizes = (784, 128, 128, 10)
keys = jax.random.split(jax.random.key(0), 3)
params = [
    {"kernel": jax.random.normal(key, shape) * (2 / shape[0]) ** 0.5, "bias": jnp.zeros(shape[1])}
    for key, shape in zip(keys, itertools.pairwise(sizes), strict=True)
]
optimizer = optax.adam(1e-3)
state = optimizer.init(params)


def loss(params, x, y):
    for layer in params[:-1]:
        x = jax.nn.relu(x @ layer["kernel"] + layer["bias"])
    logits = x @ params[-1]["kernel"] + params[-1]["bias"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, y).mean()


@jax.jit
def step(params, state, x, y):
    value, gradients = jax.value_and_grad(loss)(params, x, y)
    updates, state = optimizer.update(gradients, state, params)
    return optax.apply_updates(params, updates), state, value


def train(first, last):
    global params, state
    for number in range(first, last):
        part = slice(number * BATCH, (number + 1) * BATCH)
        params, state, value = step(params, state, x[part], y[part])
    value.block_until_ready()


timed(train)
