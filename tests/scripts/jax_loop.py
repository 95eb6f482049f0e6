"""A classifier in JAX and optax: one epoch step by step, one by scan. jax_loop.py [SEED]"""

import hashlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import optax

keys = jax.random.split(jax.random.key(int(sys.argv[1]) if len(sys.argv) > 1 else 0), 2)
rows = np.random.default_rng(0)
x, y = rows.normal(size=(6, 32, 20)).astype("float32"), rows.integers(0, 3, (6, 32))
params = {"hidden": jax.random.normal(keys[0], (20, 16)) / 4, "out": jax.random.normal(keys[1], (16, 3)) / 4}
optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adam(0.01))
state = optimizer.init(params)


def loss(params, inputs, targets):
    logits = jax.nn.relu(inputs @ params["hidden"]) @ params["out"]
    return optax.softmax_cross_entropy_with_integer_labels(logits, targets).mean()


@jax.jit
def step(params, state, inputs, targets):
    value, gradients = jax.value_and_grad(loss)(params, inputs, targets)
    updates, state = optimizer.update(gradients, state, params)
    return optax.apply_updates(params, updates), state, value


for inputs, targets in zip(x, y, strict=True):
    params, state, value = step(params, state, inputs, targets)


def body(carry, batch):
    params, state, value = step(*carry, *batch)
    return (params, state), value


(params, state), values = jax.lax.scan(body, (params, state), (jnp.asarray(x), jnp.asarray(y)))
print(hashlib.md5(b"".join(np.asarray(leaf).tobytes() for leaf in jax.tree.leaves(params))).hexdigest())
