"""Equinox: residual blocks within stages within a net."""

import equinox as eqx
import jax
import optax
from jax import numpy as jnp

from samestep.frameworks.jax import Program

DATA = "vectors"


class Block(eqx.Module):
    widen: eqx.nn.Linear
    narrow: eqx.nn.Linear

    def __init__(self, key):
        first, second = jax.random.split(key)
        self.widen = eqx.nn.Linear(8, 16, key=first)
        self.narrow = eqx.nn.Linear(16, 8, key=second)

    def __call__(self, x):
        return jax.nn.relu(x + self.narrow(jnp.tanh(self.widen(x))))


class Stage(eqx.Module):
    blocks: list

    def __init__(self, key):
        self.blocks = [Block(k) for k in jax.random.split(key)]

    def __call__(self, x):
        for block in self.blocks:
            x = block(x)
        return x


class Net(eqx.Module):
    embed: eqx.nn.Linear
    stages: list
    head: eqx.nn.Linear

    def __init__(self, key):
        first, second, third, last = jax.random.split(key, 4)
        self.embed = eqx.nn.Linear(12, 8, key=first)
        self.stages = [Stage(second), Stage(third)]
        self.head = eqx.nn.Linear(8, 5, key=last)

    def __call__(self, x):
        x = self.embed(x)
        for stage in self.stages:
            x = stage(x)
        return self.head(x)


def build(seed):
    return Program(Net(jax.random.key(seed)), loss=loss, optimizer=optax.adam(0.01))


def loss(logits, labels):
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()
