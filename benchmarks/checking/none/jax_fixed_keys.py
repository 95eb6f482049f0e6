"""JAX with fixed keys, however many times they are split."""

import jax
import jax.numpy as jnp

key = jax.random.key(0)
w = jnp.zeros(4)
for step in range(5):
    key, sub = jax.random.split(key)
    w = w * 0.9 + 0.1 * jax.random.normal(jax.random.fold_in(sub, step), (4,))
print(w)
