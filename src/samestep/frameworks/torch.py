"""PyTorch: a module, a loss and an optimizer, trained by the standard loop or by a step of the program's own."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

import numpy as np
import torch

from samestep.errors import ProgramError
from samestep.frameworks import _loops, _rows, _torch_modules, _torch_optimizers, _torch_schedulers, _torch_steps
from samestep.frameworks._names import named_outputs
from samestep.frameworks._torch_optimizers import Ratios
from samestep.frameworks._torch_slots import Slots, fill
from samestep.frameworks._torch_trees import as_array, flat, numbers_of, put_back, tensor_array

GAPS = {
    "old versions": "PyTorch from 2.0 on",
    "half precision": "parameters are float32 or float64; torch.autocast within such a model is observed, a GradScaler is not",
    "scripted modules": "what a torch.jit.ScriptModule computes on its way is not seen, its output is",
    "schedulers by epoch": "a scheduler advances once an update; one that is meant for epochs is written by updates",
    "ReduceLROnPlateau": "it is given each update's loss; where it stands is known only at steps that were trained to",
    "steps of a program's own": "what step(x, y) counts in Python's own variables is not put back; what it sets in its "
    "optimizer without a scheduler is known only at steps that were trained to; one that torch.compile wraps is observed "
    "uncompiled, and one that steps an optimizer several times shows the gradients of the first",
    "gradients": "a step(x, y) without an optimizer shows only its loss: gradients and update are judged within the whole step",
    "update": "of a step without an optimizer or with several, and of LBFGS, it is judged within the whole step",
    "NAdam": "its product of momenta is known where no scheduler changes them",
    "LBFGS": "its update evaluates the loss several times and is judged within the whole step; what a step of the program's own "
    "computes after it is seen as if it had not been",
    "generators": "those of PyTorch and of modules' attributes are put back, not those of NumPy or Python",
}
"""What this adapter cannot observe, and why."""

Arrays = Dict[str, np.ndarray]
Settings = Dict[str, Dict[str, Any]]


class Program:
    """A model and what trains it.

    model: an nn.Module, called as model(x), or model(**x) where x is a dict; it trains in training mode, each module as it
    was built. loss(outputs, targets): a scalar. optimizer: of torch.optim, or one that works like those. scheduler: one, or
    a list, advanced once an update; ReduceLROnPlateau is given that update's loss. metrics: {name: fn(outputs, targets)},
    values of one batch. step(x, y): replaces the standard update (zero_grad, forward, backward, step) and returns its loss;
    a scheduler that it advances itself is not advanced again. Several optimizers, as a list or dict, need a step.
    batches(x, y, batch_size, epoch): an input pipeline of the program's own.
    Raises ProgramError where nothing would train the model, or several optimizers would without a step.
    """

    def __init__(
        self,
        model: Any,
        *,
        loss: Callable[[Any, Any], Any],
        optimizer: Any = None,
        scheduler: Any = None,
        metrics: Optional[Dict[str, Callable[[Any, Any], Any]]] = None,
        step: Optional[Callable[[Any, Any], Any]] = None,
        batches: Optional[Callable[..., Any]] = None,
    ) -> None:
        self.model, self.loss, self.step, self.batches = model, loss, step, batches
        self.plain = getattr(model, "_orig_mod", model)  # what torch.compile wraps
        self.optimizers, self.schedulers = _listed(optimizer), _listed(scheduler)
        self.metrics = dict(metrics or {})
        _check(self)
        self.updates = 0
        self.calls = [1] * len(self.optimizers)
        self.ahead = 0  # steps that schedulers make before the optimizer within a step of the program's own
        self.modes = {module: module.training or not self.plain.training for module in self.plain.modules()}
        self.parameters: Dict[str, Any] = {}
        self.buffers: List[str] = []
        self.counts: List[str] = []  # tensors that are no floats, such as counts of batches
        self.slots: List[Slots] = []
        self.positions: Dict[int, Arrays] = {}
        self.ratios = Ratios(_torch_schedulers.groups(self))
        self.sparse = any(getattr(module, "sparse", False) for module in self.plain.modules())

    def widen(self) -> None:
        """Turn it to float64: its modules, and so what its optimizers train."""
        for part in (self.model, self.loss):
            if isinstance(part, torch.nn.Module):
                part.double()


def load(built: Program, x: np.ndarray) -> Program:
    """The program for what build() returned, its tensors in the order in which a forward pass on the rows x uses them."""
    program = built
    _make_lazy_tensors(program, x)
    order, is_trained = _order_of_use(program, x), _is_trained(program)
    found = sorted(_tensors(program).items(), key=lambda entry: order.get(entry[0], len(order)))
    program.parameters = {name: tensor for name, tensor in found if is_trained(tensor)}
    rest = [(name, tensor.is_floating_point()) for name, tensor in found if name not in program.parameters]
    program.buffers = [name for name, is_float in rest if is_float]
    program.counts = [name for name, is_float in rest if not is_float]
    _check_precision(program)
    with _torch_steps.untouched(program):
        program.slots = [Slots(optimizer, program.parameters) for optimizer in program.optimizers]
    program.updates = max([slots.updates() for slots in program.slots], default=0)
    program.positions = {program.updates: _torch_schedulers.position(program)}
    return program


def describe(program: Program) -> Dict[str, Any]:
    """Names, shapes, dtypes and layouts of all that the program holds."""
    layouts = _torch_modules.layouts(program.plain)
    tensors = _tensors(program)
    return {
        "framework": "torch",
        "versions": {"torch": torch.__version__},
        "optimizer": " + ".join(type(optimizer).__name__ for optimizer in program.optimizers) or "NoneType",
        "loss": getattr(program.loss, "__name__", type(program.loss).__name__),
        "inputs": [],
        "parameters": [_entry(name, tensor, layouts) for name, tensor in program.parameters.items()],
        "buffers": [_entry(name, tensors[name], layouts) for name in program.buffers],
        "slots": [entry for slots in program.slots for entry in slots.entries()],
        "generators": [
            {"name": name, "shape": list(generator.get_state().shape), "dtype": "uint8"}
            for name, generator in _torch_steps.generators(program).items()
        ],
        "lacks": _lacks(program),
    }


def state(program: Program, values: Optional[Dict[str, Arrays]] = None) -> Dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as copies.

    Groups: parameters (those that an optimizer trains), buffers (other float tensors, frozen parameters among them), slots
    (by role), counters (``step``: updates done), generators (states, uint8) and private, which only this program can read
    back. Where counters are written without private, what follows from the step is set.
    """
    values = values or {}
    tensors, generators = _tensors(program), _torch_steps.generators(program)
    for name, value in {**values.get("parameters", {}), **values.get("buffers", {})}.items():
        fill(tensors[name], value)
    if "counters" in values:
        program.updates = int(values["counters"]["step"])
    if "private" in values:
        _write_private(program, values["private"], tensors)
    if "counters" in values and "private" not in values:
        _follow(program, values.get("slots", {}))
    elif "slots" in values:
        for slots in program.slots:
            slots.write(values["slots"], program.updates, with_rest="private" in values)
    for name, value in values.get("generators", {}).items():
        generators[name].set_state(torch.from_numpy(np.array(value)))
    return _read(program)


def forward(program: Program, x: np.ndarray, training: bool) -> Dict[str, Arrays]:
    """What modules and functions return, in order, and the model's outputs.

    Outputs are those of the model left alone; what it computes on its way is seen in a second pass, uncompiled, since some
    modules compute by another way when they are watched (torch/nn/modules/activation.py, MultiheadAttention).
    """
    x = _torch_steps.to_tensors(program, x)
    with _torch_modules.mode(program.model, training, program.modes), torch.set_grad_enabled(training):
        with _torch_steps.untouched(program):
            outputs = _torch_steps.outputs_of(program, program.model, x, training)
            shown = [tensor_array(tensor) for tensor in _torch_modules.tensors_in(outputs)]
        with _torch_steps.uncompiled(), _torch_modules.watching(program.plain, keep=True) as watcher:
            _torch_steps.outputs_of(program, program.plain, x, training)
    if not shown:
        raise ProgramError("the model returned a {} in which there is no tensor.".format(type(outputs).__name__))
    return {"activations": watcher.activations(), "outputs": named_outputs(shown)}


def gradients(program: Program, x: np.ndarray, y: np.ndarray) -> Dict[str, Any]:
    """Loss, gradients and metrics of one training step, without its update; a gradient that is missing is shown as zeros.

    Without an optimizer none is shown. Raises ProgramError if step(x, y) gives its optimizers not every trained parameter.
    """
    x, y = _torch_steps.to_tensors(program, x), _torch_steps.to_tensors(program, y)
    with _torch_modules.mode(program.model, True, program.modes):
        loss, given, metrics = _torch_steps.observe_step(program, x, y)
    shown = {
        name: torch.zeros_like(p) if given[name] is None else given[name]
        for name, p in program.parameters.items()
        if name in given
    }
    return {"loss": loss, "gradients": {n: tensor_array(g) for n, g in shown.items()}, "metrics": metrics}


def update(program: Program, gradients: Arrays, x: np.ndarray, y: np.ndarray) -> None:
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    lacks = _lacks(program)
    if lacks:
        raise ProgramError("the update is not observed by itself: {}".format(lacks["update"]))
    x, y = _torch_steps.to_tensors(program, x), _torch_steps.to_tensors(program, y)
    with _torch_modules.mode(program.model, True, program.modes):
        _torch_steps.apply_gradients(program, gradients, x, y)


def train(
    program: Program,
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    epochs: int,
    steps: Optional[int],
    watch: Callable[[int, int], None],
) -> Dict[str, Any]:
    """Train; returns running_loss, float64 (steps,), and the means of each epoch."""

    def one_step(x_batch: Any, y_batch: Any) -> Any:
        x_batch, y_batch = (_torch_steps.to_tensors(program, rows) for rows in (x_batch, y_batch))
        return _torch_steps.make_step(program, x_batch, y_batch)

    with _torch_modules.mode(program.model, True, program.modes):
        return _loops.train_loop(one_step, program.batches, x, y, batch_size, epochs, steps, watch)


def evaluate(program: Program, x: np.ndarray, y: np.ndarray, batch_size: int) -> Dict[str, float]:
    """Means over rows of loss and metrics, in inference mode."""

    def one_batch(x_batch: Any, y_batch: Any) -> Any:
        x_batch, y_batch = (_torch_steps.to_tensors(program, rows) for rows in (x_batch, y_batch))
        outputs = _torch_steps.outputs_of(program, program.model, x_batch, False)
        return as_array(program.loss(outputs, y_batch)), _torch_steps.metrics_of(program, outputs, y_batch)

    with _torch_modules.mode(program.model, False, program.modes), torch.no_grad():
        return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Call see(epoch, x, y) for each batch of the training loop; draws from PyTorch's generators are undone."""

    def see_arrays(epoch: int, x_batch: Any, y_batch: Any) -> None:
        see(epoch, _rows.each(as_array, x_batch), _rows.each(as_array, y_batch))

    with _torch_steps.untouched(program):
        _loops.show_batches(program.batches, x, y, batch_size, epochs, see_arrays)


def settings(program: Program, values: Optional[Dict[str, float]] = None) -> Settings:
    """Give the optimizer's settings other values, then return them all with their precision.

    They are those of the first parameter group; in the other groups they move by the same ratio.
    """
    if not program.optimizers:
        return {}
    first = program.optimizers[0]
    places = _torch_optimizers.settings(first, first.param_groups[0])
    for name, value in (values or {}).items():
        program.ratios.write(name, places[name], value)
    dtype = next((str(p.dtype).split(".")[1] for p in program.parameters.values()), "float32")
    found = {name: _torch_optimizers.setting(first.param_groups[0], where) for name, where in places.items()}
    return {name: {"value": value, "dtype": dtype} for name, value in sorted(found.items())}


def _listed(given: Any) -> List[Any]:
    if isinstance(given, dict):
        return list(given.values())
    return list(given) if isinstance(given, (list, tuple)) else [] if given is None else [given]


def _check(program: Program) -> None:
    if not isinstance(program.model, torch.nn.Module):
        raise ProgramError("Program's model is a {}, not a torch.nn.Module.".format(type(program.model).__name__))
    if not program.optimizers and program.step is None:
        raise ProgramError("Program has neither an optimizer nor a step function: nothing would train it.")
    if len(program.optimizers) > 1 and program.step is None:
        raise ProgramError(
            "Program has {} optimizers and no step function.\nGive step(x, y), which says when each of them is stepped, and on "
            "what; it returns the loss.".format(len(program.optimizers))
        )


def _check_precision(program: Program) -> None:
    odd = [(n, p) for n, p in program.parameters.items() if p.dtype not in (torch.float32, torch.float64)]
    if odd:
        raise ProgramError(
            "the parameter {} is {}.\nCompared are models whose {}.".format(
                odd[0][0], odd[0][1].dtype, GAPS["half precision"]
            )
        )


def _tensors(program: Program) -> Dict[str, Any]:
    return dict([*_torch_steps.named(program, "parameters"), *_torch_steps.named(program, "buffers")])


def _example_pass(program: Program, x: Any) -> None:
    """An inference pass on the example rows."""
    floats = next((p.dtype for p in program.plain.parameters() if p.is_floating_point()), torch.float32)
    with _torch_modules.mode(program.plain, False, program.modes), torch.no_grad(), _torch_steps.uncompiled():
        _torch_steps.outputs_of(program, program.plain, _torch_steps.to_tensors(program, x, floats), False)


def _make_lazy_tensors(program: Program, x: Any) -> None:
    """Let lazy layers make their tensors, from the random numbers that they would draw in the first step."""
    tensors = (*program.plain.parameters(), *program.plain.buffers())
    if any(torch.nn.parameter.is_lazy(tensor) for tensor in tensors):
        _example_pass(program, x)


def _order_of_use(program: Program, x: Any) -> Dict[str, int]:
    """{name: place} of tensors in the order in which an inference pass first uses them; empty if the model cannot run on x."""
    try:
        with _torch_steps.untouched(program), _torch_modules.watching(program.plain, keep=False) as watcher:
            _example_pass(program, x)
    except Exception:  # registration order will do where example rows do not
        return {}
    names = {id(tensor): name for name, tensor in _tensors(program).items()}
    return {names[i]: place for place, i in enumerate(watcher.used) if i in names}


def _is_trained(program: Program) -> Callable[[Any], bool]:
    """Tells the parameters that are trained: those that need gradients, and are in an optimizer if there is one."""
    given = {id(p) for group in _torch_schedulers.groups(program) for p in group["params"]}
    return lambda tensor: tensor.requires_grad and (id(tensor) in given or not program.optimizers)


def _entry(name: str, tensor: Any, layouts: Dict[int, Dict[str, str]]) -> Dict[str, Any]:
    dtype = str(tensor.dtype).split(".")[1].replace("bfloat16", "float32")  # as it is read
    return dict({"name": name, "shape": list(tensor.shape), "dtype": dtype}, **layouts.get(id(tensor), {}))


def _lacks(program: Program) -> Dict[str, str]:
    """Stages that cannot be seen by themselves, and why."""
    why = ""
    if not program.optimizers:
        why = "the program has no optimizer, only step(x, y)"
    elif len(program.optimizers) > 1:
        why = "the program's step(x, y) has {} optimizers".format(len(program.optimizers))
    elif isinstance(program.optimizers[0], torch.optim.LBFGS):
        why = "LBFGS evaluates the loss several times in an update"
    found = {"update": why} if why else {}
    return found if program.optimizers else dict(found, gradients=why)


def _follow(program: Program, values: Arrays) -> None:
    """Write slots, and set what follows from the number of updates alone."""
    _torch_schedulers.walk_to(program, max(program.updates - 1, 0))  # some counts follow from the last update's rate
    for slots, calls in zip(program.slots, program.calls):
        slots.write(values, program.updates * calls, with_rest=False)
        slots.follow(program.updates * calls)
    _torch_schedulers.walk_to(program, program.updates)
    for name, tensor in _torch_steps.named(program, "buffers"):
        if name.rpartition(".")[2] == "num_batches_tracked":
            tensor.fill_(program.updates)


def _read(program: Program) -> Dict[str, Arrays]:
    tensors = _tensors(program)
    generators = _torch_steps.generators(program)
    return {
        "parameters": {name: tensor_array(parameter) for name, parameter in program.parameters.items()},
        "buffers": {name: tensor_array(tensors[name]) for name in program.buffers},
        "slots": {key: array for slots in program.slots for key, array in slots.read().items()},
        "counters": {"step": np.array(program.updates, np.int64)},
        "generators": {name: tensor_array(generator.get_state()) for name, generator in generators.items()},
        "private": _read_private(program, tensors),
    }


def _read_private(program: Program, tensors: Dict[str, Any]) -> Arrays:
    found = {"buffer." + name: tensor_array(tensors[name]) for name in program.counts}
    for number, slots in enumerate(program.slots):
        found.update(slots.read_rest("optimizer.{}".format(number)))
    for path, module in _torch_steps.own_modules(program):
        found.update(flat(numbers_of(module), "module." + path))
    if program.step is not None:  # it may accumulate gradients over calls
        held = {name: p.grad for name, p in program.parameters.items() if p.grad is not None}
        found.update({"gradient." + name: tensor_array(gradient) for name, gradient in held.items()})
    return dict(found, **_torch_schedulers.position(program))


def _write_private(program: Program, private: Arrays, tensors: Dict[str, Any]) -> None:
    for name in program.counts:
        fill(tensors[name], private["buffer." + name])
    for number, slots in enumerate(program.slots):
        slots.write_rest("optimizer.{}".format(number), private)
    for path, module in _torch_steps.own_modules(program):
        vars(module).update(put_back(numbers_of(module), "module." + path, private))
    if program.step is not None:
        for name, parameter in program.parameters.items():
            gradient = private.get("gradient." + name)
            parameter.grad = None if gradient is None else torch.tensor(gradient, device=parameter.device)
    _torch_schedulers.put_position(program, private)
