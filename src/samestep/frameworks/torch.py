"""PyTorch: a module, a loss and an optimizer, trained by the standard loop or by a step of the program's own."""

from __future__ import annotations

import contextlib
import warnings
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch

from samestep.errors import ProgramError
from samestep.frameworks import _loops, _randomness, _rows, _torch_modules, _torch_optimizers
from samestep.frameworks._torch_optimizers import Slots, fill
from samestep.frameworks._torch_trees import flat, put_back, tensor_array

GAPS = {
    "half precision": "parameters are float32 or float64; torch.autocast within such a model is observed, a GradScaler is not",
    "scripted modules": "what a torch.jit.ScriptModule computes on its way is not seen, its output is",
    "schedulers by epoch": "a scheduler advances once an update; one that is meant for epochs is written by updates",
    "ReduceLROnPlateau": "it is given each update's loss, and where it stands does not follow from the number of updates",
    "counts of a step's own": "what step(x, y) counts in Python itself, as to accumulate, is not put back after an observation",
    "compiled steps": "a step(x, y) of the program's own that torch.compile wraps is observed uncompiled",
    "LBFGS": "its update evaluates the loss several times and is judged within the whole step",
}
"""What this adapter cannot observe, and why."""

Arrays = Dict[str, np.ndarray]
Settings = Dict[str, Dict[str, Any]]


class Program:
    """A model and what trains it.

    model: an nn.Module, called as model(x), or model(**x) where x is a dict. loss(outputs, targets): a scalar. optimizer:
    of torch.optim, or one that works like those. scheduler: one, or a list, advanced once an update; ReduceLROnPlateau is
    given that update's loss. metrics: {name: fn(outputs, targets)}, values of one batch. step(x, y): replaces the standard
    update (zero_grad, forward, backward, step) and returns its loss; a scheduler that it advances itself is not advanced
    again. Several optimizers, as a list or dict, need a step. batches(x, y, batch_size, epoch): an input pipeline of the
    program's own.
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
        self.modes = {module: module.training or not self.plain.training for module in self.plain.modules()}
        self.parameters: Dict[str, Any] = {}
        self.buffers: List[str] = []
        self.slots: List[Slots] = []
        self.positions: Dict[int, Arrays] = {}
        self.ratios: Dict[str, Tuple[List[float], List[float]]] = {}
        self.sparse = any(getattr(module, "sparse", False) for module in self.plain.modules())


def load(built: Program, x: np.ndarray) -> Program:
    """The program for what build() returned, its tensors in the order in which a forward pass on the rows x uses them."""
    program = built
    order = _order_of_use(program, x)
    tensors = {id(t): name for name, t in reversed([*_named(program, "parameters"), *_named(program, "buffers")])}
    trained = _trained(program)
    names = sorted(tensors.values(), key=lambda name: order.get(name, len(order)))
    found = dict(_named(program, "parameters"))
    program.parameters = {name: found[name] for name in names if name in found and id(found[name]) in trained}
    program.buffers = [
        name for name in names if name not in program.parameters and name not in _private_tensors(program)
    ]
    _check_precision(program)
    program.slots = [Slots(optimizer, program.parameters) for optimizer in program.optimizers]
    program.updates = max([slots.updates() for slots in program.slots], default=0)
    program.positions = {program.updates: _position(program)}
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
            {"name": name, "shape": list(g.get_state().shape), "dtype": "uint8"}
            for name, g in _generators(program).items()
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
    tensors = _tensors(program)
    for name, value in {**values.get("parameters", {}), **values.get("buffers", {})}.items():
        fill(tensors[name], value)
    if "counters" in values:
        program.updates = int(values["counters"]["step"])
    if "private" in values:
        _write_private(program, values["private"])
    elif "counters" in values:
        _follow(program)
    if "slots" in values or "counters" in values:
        _write_slots(program, values.get("slots", {}), with_rest="private" in values)
    for name, value in values.get("generators", {}).items():
        _generators(program)[name].set_state(torch.from_numpy(np.array(value)))
    return _read(program)


def forward(program: Program, x: np.ndarray, training: bool) -> Dict[str, Arrays]:
    """What modules and functions return, in order, and the model's outputs.

    Outputs are those of the model left alone; what it computes on its way is seen in a second pass, uncompiled, since some
    modules compute by another way when they are watched (torch/nn/modules/activation.py, MultiheadAttention).
    """
    x = _to_tensors(program, x)
    with _torch_modules.mode(program.model, training, program.modes), torch.set_grad_enabled(training):
        with _untouched(program):
            outputs = [
                tensor_array(t) for t in _torch_modules.tensors_in(_outputs(program, program.model, x, training))
            ]
        with _uncompiled(), _torch_modules.watching(program.plain, keep=True) as watcher:
            _outputs(program, program.plain, x, training)
    return {
        "activations": watcher.activations(),
        "outputs": {"output" if i == 0 else "output_{}".format(i): array for i, array in enumerate(outputs)},
    }


def gradients(program: Program, x: np.ndarray, y: np.ndarray) -> Dict[str, Any]:
    """Loss, gradients and metrics of one training step, without its update; a gradient that is missing is shown as zeros.

    Raises ProgramError if step(x, y) gives its optimizers not every trained parameter.
    """
    x, y = _to_tensors(program, x), _to_tensors(program, y)
    with _torch_modules.mode(program.model, True, program.modes):
        loss, given, metrics = _observed_step(program, x, y)
    shown = {name: tensor_array(p if given[name] is None else given[name]) for name, p in program.parameters.items()}
    return {
        "loss": loss,
        "gradients": {name: np.zeros_like(a) if given[name] is None else a for name, a in shown.items()},
        "metrics": metrics,
    }


def update(program: Program, gradients: Arrays, x: np.ndarray, y: np.ndarray) -> None:
    """Let the optimizer apply these gradients; x and y are the batch they belong to.

    A gradient is handed over in the form in which the program's own step has it: missing, or as the rows of a sparse one.
    """
    if _lacks(program):
        raise ProgramError("the update is not observed by itself: {}".format(_lacks(program)["update"]))
    forms = _forms(program, gradients, x, y)
    for name, parameter in program.parameters.items():
        parameter.grad = _as_given(gradients[name], parameter, forms.get(name, parameter))
    program.optimizers[0].step()
    program.updates += 1
    _advance([scheduler for scheduler in program.schedulers if not _by_loss(scheduler)], None)


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
        return _training_step(program, _to_tensors(program, x_batch), _to_tensors(program, y_batch))

    with _torch_modules.mode(program.model, True, program.modes):
        return _loops.train_loop(one_step, program.batches, x, y, batch_size, epochs, steps, watch)


def evaluate(program: Program, x: np.ndarray, y: np.ndarray, batch_size: int) -> Dict[str, float]:
    """Means over rows of loss and metrics, in inference mode."""

    def one_batch(x_batch: Any, y_batch: Any) -> Any:
        targets = _to_tensors(program, y_batch)
        outputs = _outputs(program, program.model, _to_tensors(program, x_batch), False)
        return tensor_array(program.loss(outputs, targets)), _metrics(program, outputs, targets)

    with _torch_modules.mode(program.model, False, program.modes), torch.no_grad():
        return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Call see(epoch, x, y) for each batch of the training loop; draws from PyTorch's generators are undone."""

    def see_arrays(epoch: int, x_batch: Any, y_batch: Any) -> None:
        see(epoch, _rows.each(_array, x_batch), _rows.each(_array, y_batch))

    with _untouched(program):
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
        _set_in_all_groups(program, name, places[name], value)
    dtype = next((tensor_array(p).dtype.name for p in program.parameters.values()), "float32")
    found = {name: _torch_optimizers.setting(first.param_groups[0], where) for name, where in places.items()}
    return {name: {"value": value, "dtype": dtype} for name, value in sorted(found.items())}


def _listed(given: Any) -> List[Any]:
    if given is None:
        return []
    return (
        list(given.values() if isinstance(given, dict) else given)
        if isinstance(given, (dict, list, tuple))
        else [given]
    )


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


def _modules(program: Program) -> List[Tuple[str, Any]]:
    """The modules whose tensors are the program's, with the prefix of their names: the model, and a loss that is a module."""
    found = [("", program.plain)]
    return [*found, ("loss.", program.loss)] if isinstance(program.loss, torch.nn.Module) else found


def _named(program: Program, kind: str) -> List[Tuple[str, Any]]:
    """Names and tensors of kind "parameters" or "buffers", each tensor once."""
    return [
        (prefix + _torch_modules.clean(name), tensor)
        for prefix, module in _modules(program)
        for name, tensor in getattr(module, "named_" + kind)()
    ]


def _tensors(program: Program) -> Dict[str, Any]:
    """All parameters and buffers by name, as the modules have them now: a module may put a new tensor in a buffer's place."""
    return dict([*_named(program, "parameters"), *_named(program, "buffers")])


def _trained(program: Program) -> Dict[int, None]:
    """Ids of the parameters that are trained: those that need gradients, and are in an optimizer if there is one."""
    wanting = {id(p): None for _, p in _named(program, "parameters") if p.requires_grad}
    groups = [group for optimizer in program.optimizers for group in optimizer.param_groups]
    given = {id(p) for group in groups for p in group["params"]}
    return {i: None for i in wanting if i in given} if groups else wanting


def _private_tensors(program: Program) -> List[str]:
    """Buffers that are no floats, such as counts of batches."""
    return [name for name, tensor in _named(program, "buffers") if not tensor.is_floating_point()]


def _order_of_use(program: Program, x: Any) -> Dict[str, int]:
    """{name: place} of tensors in the order in which an inference pass first uses them; empty if the model cannot run on x."""
    generators = {name: g.get_state() for name, g in _generators(program).items()}
    try:
        with _torch_modules.mode(program.plain, False, program.modes), torch.no_grad(), _untouched(program):
            x = _to_tensors(program, x, _float_dtype(program))
            with _uncompiled(), _torch_modules.watching(program.plain, keep=False) as watcher:
                _outputs(program, program.plain, x, False)
    except Exception:  # registration order is as good an order where rows of data alone do not do
        return {}
    finally:
        for name, generator in _generators(program).items():
            generator.set_state(generators[name])
    names = {
        id(tensor): name for name, tensor in reversed([*_named(program, "parameters"), *_named(program, "buffers")])
    }
    return {names[i]: place for place, i in enumerate(watcher.used) if i in names}


def _float_dtype(program: Program) -> Any:
    return next((p.dtype for p in program.plain.parameters() if p.is_floating_point()), torch.float32)


def _entry(name: str, tensor: Any, layouts: Dict[int, Dict[str, str]]) -> Dict[str, Any]:
    entry = {"name": name, "shape": list(tensor.shape), "dtype": str(tensor.dtype).split(".")[1]}
    return dict(entry, **layouts.get(id(tensor), {}))


def _lacks(program: Program) -> Dict[str, str]:
    """Stages that cannot be seen by themselves, and why."""
    why = ""
    if not program.optimizers:
        why = "the program has no optimizer, only step(x, y)"
    elif len(program.optimizers) > 1:
        why = "the program's step(x, y) has {} optimizers".format(len(program.optimizers))
    elif isinstance(program.optimizers[0], torch.optim.LBFGS):
        why = "LBFGS evaluates the loss several times in an update"
    return {"update": why} if why else {}


def _device(program: Program) -> Any:
    return next(
        (tensor.device for tensor in (*program.plain.parameters(), *program.plain.buffers())), torch.device("cpu")
    )


def _to_tensors(program: Program, rows: Any, dtype: Any = None) -> Any:
    """Rows as tensors of their own on the model's device; floats in dtype if one is given."""

    def to_tensor(array: Any) -> Any:
        tensor = array if torch.is_tensor(array) else torch.tensor(np.asarray(array))
        return tensor.to(_device(program), dtype if tensor.is_floating_point() else None)

    return _rows.each(to_tensor, rows)


def _array(value: Any) -> np.ndarray:
    return tensor_array(value) if torch.is_tensor(value) else np.array(value)


def _outputs(program: Program, model: Any, x: Any, training: bool) -> Any:
    if training:
        _randomness.begin(program.updates)
    return model(**x) if isinstance(x, dict) else model(x)


def _metrics(program: Program, outputs: Any, targets: Any) -> Arrays:
    with torch.no_grad():
        return {name: _array(metric(outputs, targets)) for name, metric in program.metrics.items()}


@contextlib.contextmanager
def _uncompiled() -> Iterator[None]:
    """What torch.compile wraps runs as it is within the block, where this PyTorch can be told so (2.6 on)."""
    if not hasattr(torch.compiler, "set_stance"):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield


@contextlib.contextmanager
def _untouched(program: Program) -> Iterator[None]:
    """What a forward pass changes, buffers and generators, is put back after the block."""
    buffers = {name: tensor.clone() for name, tensor in _named(program, "buffers")}
    generators = {name: g.get_state() for name, g in _generators(program).items()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, tensor in _named(program, "buffers"):
                tensor.copy_(buffers[name])
        for name, generator in _generators(program).items():
            generator.set_state(generators[name])


def _generators(program: Program) -> Dict[str, Any]:
    """PyTorch's own generators, that of the CPU and of the model's device, and those that are attributes of its modules."""
    found = {"cpu": torch.default_generator}
    device = _device(program)
    if device.type == "cuda":
        found["cuda"] = torch.cuda.default_generators[device.index or 0]
    for path, module in program.plain.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, torch.Generator) and not any(value is known for known in found.values()):
                found[".".join(filter(None, [_torch_modules.clean(path), name]))] = value
    return found


def _training_step(program: Program, x: Any, y: Any) -> Tuple[np.ndarray, Arrays]:
    """One step as the program is trained by it; returns its loss and metrics."""
    if program.step is not None:
        return _own_step(program, x, y)
    seen: List[Any] = []
    _standard_step(program, x, y, seen)
    outputs, loss = seen[0]
    program.updates += 1
    _advance(program.schedulers, loss)
    return tensor_array(loss), _metrics(program, outputs, y)


def _standard_step(program: Program, x: Any, y: Any, seen: List[Any]) -> None:
    """The update that a training loop makes; adds outputs and loss to seen, for each time that they are computed."""
    optimizer = program.optimizers[0]

    def closure() -> Any:
        optimizer.zero_grad()
        outputs = _outputs(program, program.model, x, True)
        loss = program.loss(outputs, y)
        loss.backward()
        seen.append((outputs, loss))
        return loss

    if isinstance(optimizer, torch.optim.LBFGS):
        optimizer.step(closure)
    else:
        closure()
        optimizer.step()


def _own_step(program: Program, x: Any, y: Any) -> Tuple[np.ndarray, Arrays]:
    """The program's own step(x, y); updates are counted by the calls of its optimizers."""
    metrics = _metrics_aside(program, x, y)
    calls, positions = [0] * len(program.optimizers), [_last(scheduler) for scheduler in program.schedulers]
    hooks = [_count_calls(optimizer, calls, number) for number, optimizer in enumerate(program.optimizers)]
    _randomness.begin(program.updates)
    try:
        loss = _checked_loss(program.step(x, y))  # type: ignore[misc]
    finally:
        for hook in hooks:
            hook.remove()
    if any(calls) or not calls:
        program.updates += 1
        program.calls = [called or before for called, before in zip(calls, program.calls)]
        _advance([s for s, last in zip(program.schedulers, positions) if _last(s) == last], loss)
    return loss, metrics


def _count_calls(optimizer: Any, calls: List[int], number: int) -> Any:
    def count(*args: Any) -> None:
        calls[number] += 1

    return optimizer.register_step_post_hook(count)


def _checked_loss(loss: Any) -> np.ndarray:
    array = np.array(np.nan) if loss is None else _array(loss)
    if loss is None or array.size != 1:
        raise ProgramError(
            "step(x, y) returned {}.\nIt should return the loss of the batch, a scalar.".format(
                "None (is a return missing?)" if loss is None else "an array of shape {}".format(array.shape)
            )
        )
    return array.reshape(())


def _metrics_aside(program: Program, x: Any, y: Any) -> Arrays:
    """Metrics of a forward pass beside the program's own step, with what the pass changes put back."""
    if not program.metrics:
        return {}
    with _untouched(program), torch.no_grad():
        return _metrics(program, _outputs(program, program.model, x, True), y)


def _observed_step(program: Program, x: Any, y: Any) -> Tuple[np.ndarray, Dict[str, Any], Arrays]:
    """A step whose optimizers only take notes: (loss, {parameter: gradient or None}, metrics)."""
    given: Dict[str, Any] = {}
    whose = [list(slots.parameters.items()) for slots in program.slots]

    def note(number: int) -> None:
        for name, parameter in whose[number]:
            given.setdefault(name, None if parameter.grad is None else parameter.grad.detach().clone())

    with _torch_optimizers.noting(program.optimizers, note):
        if program.step is None:
            seen: List[Any] = []
            _standard_step(program, x, y, seen)
            loss, metrics = tensor_array(seen[0][1]), _metrics(program, seen[0][0], y)
        elif program.optimizers:
            loss, metrics = _observed_own_step(program, x, y)
        else:
            loss, metrics = _gradients_of_loss(program, x, y, given)
    missing = [name for name in program.parameters if name not in given]
    if missing:
        raise ProgramError(
            "step(x, y) did not step the optimizer of {}.\nObserved is a step that calls step() of each optimizer that "
            "Program was given.".format(missing[0])
        )
    return loss, given, metrics


def _observed_own_step(program: Program, x: Any, y: Any) -> Tuple[np.ndarray, Arrays]:
    metrics = _metrics_aside(program, x, y)
    _randomness.begin(program.updates)
    # a compiled step holds its optimizer's step as it was compiled
    step = getattr(program.step, "_torchdynamo_orig_callable", program.step)
    return _checked_loss(step(x, y)), metrics  # type: ignore[misc]


def _gradients_of_loss(program: Program, x: Any, y: Any, given: Dict[str, Any]) -> Tuple[np.ndarray, Arrays]:
    """The loss's gradients, for a step that has no optimizer to give them to."""
    outputs = _outputs(program, program.model, x, True)
    loss = program.loss(outputs, y)
    found = torch.autograd.grad(loss, list(program.parameters.values()), allow_unused=True)
    given.update(zip(program.parameters, found))
    return tensor_array(loss), _metrics(program, outputs, y)


def _forms(program: Program, gradients: Arrays, x: Any, y: Any) -> Dict[str, Any]:
    """The program's own gradients of this batch, where they may be missing or sparse; nothing where all are dense for sure."""
    if not program.sparse and all(array.any() for array in gradients.values()):
        return {}
    with _untouched(program), _torch_modules.mode(program.model, True, program.modes):
        return _observed_step(program, _to_tensors(program, x), _to_tensors(program, y))[1]


def _as_given(array: np.ndarray, parameter: Any, form: Any) -> Any:
    """A gradient as the optimizer is given it: None, rows or dense, as `form` is."""
    gradient = torch.tensor(array, dtype=parameter.dtype, device=parameter.device)
    if form is None:
        return gradient if array.any() else None
    if not form.is_sparse:
        return gradient
    indices = form.coalesce().indices()
    return torch.sparse_coo_tensor(indices, gradient[tuple(indices)], gradient.shape)


def _by_loss(scheduler: Any) -> bool:
    return isinstance(scheduler, torch.optim.lr_scheduler.ReduceLROnPlateau)


def _last(scheduler: Any) -> Any:
    """Where a scheduler stands: it has advanced when this has changed."""
    parts = [scheduler, *getattr(scheduler, "_schedulers", ())]
    return [(getattr(part, "last_epoch", None), getattr(part, "_step_count", None)) for part in parts]


def _advance(schedulers: Sequence[Any], loss: Any) -> None:
    for scheduler in schedulers:
        scheduler.step(float(loss)) if _by_loss(scheduler) else scheduler.step()


def _groups(program: Program) -> List[Dict[str, Any]]:
    return [group for optimizer in program.optimizers for group in optimizer.param_groups]


def _position(program: Program) -> Arrays:
    """Where the schedulers stand, and what they or a step have set in the optimizers' groups."""
    if not program.schedulers and program.step is None:
        return {}
    return dict(flat(_groups(program), "groups"), **flat(program.schedulers, "schedulers"))


def _put_position(program: Program, position: Arrays) -> None:
    put_back(_groups(program), "groups", position)
    put_back(program.schedulers, "schedulers", position)


def _follow(program: Program) -> None:
    """Set what follows from the number of updates alone."""
    if program.schedulers and not any(_by_loss(scheduler) for scheduler in program.schedulers):
        _walk_to(program, program.updates)
    for name, tensor in _named(program, "buffers"):
        if name.rpartition(".")[2] == "num_batches_tracked":
            tensor.fill_(program.updates)


def _walk_to(program: Program, step: int) -> None:
    """Put the schedulers where they stand after this many updates: from the nearest known position before, step by step."""
    known = max((place for place in program.positions if place <= step), default=min(program.positions))
    _put_position(program, program.positions[known])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of schedulers that step before their optimizers
        for _ in range(known, step):
            _advance(program.schedulers, None)
    program.positions[max(step, known)] = _position(program)


def _write_slots(program: Program, values: Arrays, with_rest: bool) -> None:
    for slots, calls in zip(program.slots, program.calls):
        slots.write(values, program.updates * calls, with_rest)
        if not with_rest:
            slots.follow(program.updates * calls)


def _read(program: Program) -> Dict[str, Arrays]:
    tensors = _tensors(program)
    return {
        "parameters": {name: tensor_array(parameter) for name, parameter in program.parameters.items()},
        "buffers": {name: tensor_array(tensors[name]) for name in program.buffers},
        "slots": {key: array for slots in program.slots for key, array in slots.read().items()},
        "counters": {"step": np.array(program.updates, np.int64)},
        "generators": {name: tensor_array(g.get_state()) for name, g in _generators(program).items()},
        "private": _private(program),
    }


def _private(program: Program) -> Arrays:
    tensors = _tensors(program)
    found = {"buffer." + name: tensor_array(tensors[name]) for name in _private_tensors(program)}
    for number, slots in enumerate(program.slots):
        found.update(slots.read_rest("optimizer.{}".format(number)))
    if program.step is not None:  # it may accumulate gradients over calls
        found.update(
            {"gradient." + n: tensor_array(p.grad) for n, p in program.parameters.items() if p.grad is not None}
        )
    return dict(found, **_position(program))


def _write_private(program: Program, private: Arrays) -> None:
    tensors = _tensors(program)
    for name in _private_tensors(program):
        fill(tensors[name], private["buffer." + name])
    for number, slots in enumerate(program.slots):
        slots.write_rest("optimizer.{}".format(number), private)
    if program.step is not None:
        for name, parameter in program.parameters.items():
            gradient = private.get("gradient." + name)
            parameter.grad = None if gradient is None else torch.tensor(gradient, device=parameter.device)
    _put_position(program, private)


def _set_in_all_groups(program: Program, name: str, where: Tuple[str, Optional[int]], value: float) -> None:
    """Set it in the first group, and move the others' by the same ratio, from values that no setting has touched yet."""
    groups = [group for group in _groups(program) if where[0] in group]
    now = [_torch_optimizers.setting(group, where) for group in groups]
    base, written = program.ratios.get(name, (now, now))
    base = base if now == written else now
    for group, before in zip(groups, base):
        ratio = value / base[0] if base[0] else 1.0
        _torch_optimizers.set_setting(
            group, where, value if before == base[0] else before * ratio if value != base[0] else before
        )
    program.ratios[name] = (base, [_torch_optimizers.setting(group, where) for group in groups])
