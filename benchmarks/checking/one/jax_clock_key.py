"""JAX with a key that is made of the clock."""

import time

import jax
import jax.numpy as jnp

key = jax.random.PRNGKey(time.time_ns() & 0x7FFFFFFF)
key, init, noise = jax.random.split(key, 3)
w = jax.random.normal(init, (5,))
x = jnp.eye(5) + 0.1 * jax.random.normal(noise, (5, 5))


@jax.jit
def loss_fn(w):
    return jnp.mean((x @ w - 1.0) ** 2)


grad = jax.grad(loss_fn)
for i in range(20):
    w = w - 0.5 * grad(w)
print("loss", float(loss_fn(w)))
