"""Keras 3 on PyTorch: its train_step as fit runs it (keras/src/backend/torch/trainer.py)."""

from __future__ import annotations

import contextlib
from typing import Any, Callable, Dict, Iterator, List

import keras
import numpy as np
import torch

from samestep.frameworks import _keras_optimizers
from samestep.frameworks._keras_optimizers import array, noting

VERSIONS = {"torch": torch.__version__}


def train_step(model: Any) -> Callable[..., Any]:
    """A function like the model's train_step, the one way by which fit and gradients go forward in training mode."""
    own = model.train_step

    def step(data: Any) -> Any:
        return own(data)

    return step


def observed_step(model: Any, parameters: Dict[str, Any], forms: Dict[str, str]) -> Callable[[Any], Any]:
    """A function of a batch, (x, y) or (x, y, weights), that runs train_step and returns (logs, gradients by name).

    forms is told which gradients are missing.
    """
    own = train_step(model)

    def step(data: Any) -> Any:
        with noting(model.optimizer) as given:
            logs = own(data)
        whose = "the train_step of {!r}".format(model.name)
        found = _keras_optimizers.given_by_name(given, parameters, whose)
        forms.update((name, "missing" if gradient is None else "dense") for name, gradient in found.items())
        return logs, {n: torch.zeros_like(parameters[n].value) if g is None else g for n, g in found.items()}

    run = torch.compile(step) if model.jit_compile else step

    def on_data(data: Any) -> Any:
        data = keras.tree.map_structure(keras.ops.convert_to_tensor, data)  # as fit has its batches
        with _kept_gradients(model):
            logs, gradients = run(data)
            return logs, {name: array(gradient) for name, gradient in gradients.items()}

    return on_data


def looking(look: Callable[[Any], Dict[str, Any]]) -> Callable[..., Any]:
    """A train function for the model's loops that hands each batch to look, and returns its logs."""
    return lambda data: look(data[0])


def updater(model: Any, parameters: Dict[str, Any], forms: Dict[str, str]) -> Callable[[Dict[str, Any]], None]:
    """A function that lets the optimizer apply gradients by name; those that train_step has none of are left out."""

    def update(gradients: Dict[str, Any]) -> None:
        there = [name for name in parameters if forms.get(name) != "missing"]
        with torch.no_grad():
            given = [keras.ops.convert_to_tensor(gradients[name]) for name in there]
            model.optimizer.apply(given, [parameters[name] for name in there])

    return update


@contextlib.contextmanager
def mode(model: Any, training: bool) -> Iterator[None]:
    """What fit, or predict, sets before it calls the model: the mode of modules that go by it."""
    before = {module: module.training for module in model.modules()}
    model.train(training)
    try:
        yield
    finally:
        for module, was in before.items():
            module.training = was


def values(tensor: Any) -> Any:
    """A float tensor as an array, or None for what is none."""
    known = isinstance(tensor, torch.Tensor) and tensor.device.type != "meta" and tensor.is_floating_point()
    return array(tensor) if known else None


def generators() -> List[Any]:
    """Global generators that fit draws from: PyTorch's shuffles the rows, and layers of PyTorch's own draw from it."""
    return [_TorchGenerator()]


class _TorchGenerator:
    """The state of PyTorch's global generator, as a variable: uint8."""

    path, dtype = "torch", "uint8"

    @property
    def shape(self) -> Any:
        return torch.get_rng_state().shape

    def numpy(self) -> np.ndarray:
        return np.array(torch.get_rng_state())

    def assign(self, state: np.ndarray) -> None:
        torch.set_rng_state(torch.from_numpy(np.array(state)))


@contextlib.contextmanager
def _kept_gradients(model: Any) -> Iterator[None]:
    """What a step leaves in its parameters' grad is not there after the block."""
    before = [(parameter, parameter.grad) for parameter in model.parameters()]
    try:
        for parameter, gradient in before:
            parameter.grad = None if gradient is None else gradient.clone()
        yield
    finally:
        for parameter, gradient in before:
            parameter.grad = gradient
