"""JAX and optax with fixed keys; the batches are drawn by np.random.permutation."""

import jax
import jax.numpy as jnp
import numpy as np
import optax

X = np.linspace(0, 1, 48, dtype=np.float32).reshape(24, 2)
Y = X @ np.array([1.0, 3.0], dtype=np.float32)


def loss(params, x, y):
    return jnp.mean((x @ params["w"] + params["b"] - y) ** 2)


def main():
    params = {"w": jax.random.normal(jax.random.key(0), (2,)), "b": jnp.zeros(())}
    tx = optax.adam(0.05)
    state = tx.init(params)
    value_and_grad = jax.jit(jax.value_and_grad(loss))
    for _ in range(2):
        for rows in np.random.permutation(len(X)).reshape(-1, 6):
            value, grads = value_and_grad(params, X[rows], Y[rows])
            updates, state = tx.update(grads, state)
            params = optax.apply_updates(params, updates)
    print("loss", float(value), "w", params["w"])


if __name__ == "__main__":
    main()
