"""How a PyTorch program makes a step: the standard update or one of its own; and what a step gives to its optimizer."""

from __future__ import annotations

import contextlib
import sys
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Sequence, Tuple

import numpy as np
import torch

from samestep.errors import ProgramError
from samestep.frameworks import _randomness, _rows, _torch_modules, _torch_schedulers
from samestep.frameworks._torch_trees import as_array, numbers_of, tensor_array

Arrays = Dict[str, np.ndarray]
Result = Tuple[np.ndarray, Arrays]
"""The loss and the metrics of a step."""


def to_tensors(program: Any, rows: Any, dtype: Any = None) -> Any:
    """Rows as tensors of their own on the model's device; floats in dtype if one is given."""

    def to_tensor(array: Any) -> Any:
        tensor = array if torch.is_tensor(array) else torch.tensor(np.asarray(array))
        return tensor.to(device(program), dtype if tensor.is_floating_point() else None)

    return _rows.each(to_tensor, rows)


def device(program: Any) -> Any:
    """Where the model's parameters live."""
    return next(
        (tensor.device for tensor in (*program.plain.parameters(), *program.plain.buffers())), torch.device("cpu")
    )


def outputs_of(program: Any, model: Any, x: Any, training: bool) -> Any:
    """What the model returns for rows x, an array or keyword arguments."""
    _randomness.begin(program.updates if training else -1)
    return model(**x) if isinstance(x, dict) else model(x)


def metrics_of(program: Any, outputs: Any, targets: Any) -> Arrays:
    """The program's metrics of a batch."""
    with torch.no_grad():
        return {name: as_array(metric(outputs, targets)) for name, metric in program.metrics.items()}


@contextlib.contextmanager
def uncompiled() -> Iterator[None]:
    """What torch.compile wraps runs as it is within the block, where this PyTorch can be told so (2.6 on)."""
    compiles = "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance")  # which loads it, in seconds
    with torch.compiler.set_stance("force_eager") if compiles else contextlib.nullcontext():
        yield


@contextlib.contextmanager
def untouched(program: Any) -> Iterator[None]:
    """What a forward pass changes, buffers, generators and counts of modules' own, is put back after the block."""
    counts = [(module, numbers_of(module)) for _, module in own_modules(program)]
    buffers = {name: tensor.clone() for name, tensor in named(program, "buffers")}
    states = {name: generator.get_state() for name, generator in generators(program).items()}
    try:
        yield
    finally:
        with torch.no_grad():
            for name, tensor in named(program, "buffers"):
                tensor.copy_(buffers[name])
        for name, generator in generators(program).items():
            generator.set_state(states[name])
        for module, numbers in counts:
            vars(module).update(numbers)


def own_modules(program: Any) -> List[Tuple[str, Any]]:
    """The modules of classes that are not PyTorch's, and may count passes or anneal in attributes."""
    modules = program.plain.named_modules()
    return [(path, module) for path, module in modules if not type(module).__module__.startswith("torch.")]


def named(program: Any, kind: str) -> List[Tuple[str, Any]]:
    """Names and tensors of kind "parameters" or "buffers", each tensor once, of the model and of a loss that is a module.

    They are looked up anew each time, since a module may put a new tensor in a buffer's place. A parameter that only an
    optimizer knows is called by its number.
    """
    modules = [("", program.plain)]
    modules += [("loss.", program.loss)] if isinstance(program.loss, torch.nn.Module) else []
    found = [(p + _torch_modules.clean(n), t) for p, module in modules for n, t in getattr(module, "named_" + kind)()]
    known = {id(tensor) for _, tensor in found}
    others = [p for group in _torch_schedulers.groups(program) for p in group["params"] if id(p) not in known]
    return found + [("optimizer.{}".format(i), p) for i, p in enumerate(others if kind == "parameters" else ())]


def generators(program: Any) -> Dict[str, Any]:
    """PyTorch's own generators, that of the CPU and of the model's device, and those that are attributes of its modules."""
    found = {"cpu": torch.default_generator}
    if device(program).type == "cuda":
        found["cuda"] = torch.cuda.default_generators[device(program).index or 0]
    for path, module in program.plain.named_modules():
        for name, value in vars(module).items():
            if isinstance(value, torch.Generator) and not any(value is known for known in found.values()):
                found[".".join(filter(None, [_torch_modules.clean(path), name]))] = value
    return found


def make_step(program: Any, x: Any, y: Any) -> Result:
    """One step as the program is trained by it."""
    if program.step is not None:
        return _make_own_step(program, program.step, x, y)
    outputs, loss = _run_standard_step(program, x, y)
    program.updates += 1
    _torch_schedulers.advance(program.schedulers, loss)
    return tensor_array(loss), metrics_of(program, outputs, y)


def observe_step(program: Any, x: Any, y: Any) -> Tuple[np.ndarray, Dict[str, Any], Arrays]:
    """A step whose optimizers take notes: (loss, {parameter: gradient or None}, metrics).

    They do nothing else in the standard step. One of the program's own goes on from what they update, and the caller puts the
    state back; without an optimizer it shows no gradients. Raises ProgramError if one does not step each optimizer.
    """
    given: Dict[str, Any] = {}
    calls = [0] * len(program.optimizers)
    places = [_torch_schedulers.place(scheduler) for scheduler in program.schedulers]

    def note(number: int, original: Callable[[], None]) -> None:
        calls[number] += 1
        program.ahead = _torch_schedulers.ahead(program.schedulers, places)
        for name, parameter in program.slots[number].parameters.items():
            given.setdefault(name, None if parameter.grad is None else parameter.grad.detach().clone())
        if program.step is not None and not isinstance(program.optimizers[number], torch.optim.LBFGS):
            original()

    with _intercepted(program.optimizers, note):
        loss, metrics = _observed(program, x, y)
    if program.optimizers:
        _check_noted(program, given)
    program.calls = [called or before for called, before in zip(calls, program.calls)]
    return loss, given, metrics


def apply_gradients(program: Any, gradients: Arrays, x: Any, y: Any) -> None:
    """One update from these gradients in place of the batch's own.

    A gradient is handed over in the form that the program's own has: missing, or rows of a sparse one. A step of the
    program's own is run with them, since it may do more to its optimizer than to step it.
    """
    if program.step is not None:
        instead = partial(_substitute, program, gradients)
        with untouched(program), _intercepted(program.optimizers, instead):
            _make_own_step(program, _uncompiled_step(program), x, y)
        return
    forms = {}
    if program.sparse or not all(array.any() for array in gradients.values()):
        with untouched(program):
            forms = observe_step(program, x, y)[1]
    for name, parameter in program.parameters.items():
        parameter.grad = _as_given(gradients[name], parameter, forms.get(name, parameter))
    program.optimizers[0].step()
    program.updates += 1
    _torch_schedulers.advance([s for s in program.schedulers if not _torch_schedulers.by_loss(s)], None)


def _run_standard_step(program: Any, x: Any, y: Any) -> Tuple[Any, Any]:
    """The update that a training loop makes; returns the outputs and the loss that it began with."""
    optimizer = program.optimizers[0]
    seen: List[Tuple[Any, Any]] = []

    def closure() -> Any:
        optimizer.zero_grad()
        outputs = outputs_of(program, program.model, x, True)
        loss = program.loss(outputs, y)
        loss.backward()
        seen.append((outputs, loss))
        return loss

    if isinstance(optimizer, torch.optim.LBFGS):
        optimizer.step(closure)
    else:
        closure()
        optimizer.step()
    return seen[0]


def _make_own_step(program: Any, step: Callable[[Any, Any], Any], x: Any, y: Any) -> Result:
    """A step of the program's own; an update is what calls an optimizer."""
    calls, places = [0] * len(program.optimizers), [_torch_schedulers.place(s) for s in program.schedulers]
    with _counted(program.optimizers, calls):
        loss, metrics = _run_own_step(program, step, x, y)
    if any(calls) or not calls:
        program.updates += 1
        program.calls = [called or before for called, before in zip(calls, program.calls)]
        left = [s for s, place in zip(program.schedulers, places) if _torch_schedulers.place(s) == place]
        _torch_schedulers.advance(left, loss)
    return loss, metrics


def _run_own_step(program: Any, step: Callable[[Any, Any], Any], x: Any, y: Any) -> Result:
    metrics = {}
    if program.metrics:  # of a forward pass beside the step, with what the pass changes put back
        with untouched(program), torch.no_grad():
            metrics = metrics_of(program, outputs_of(program, program.model, x, True), y)
    _randomness.begin(program.updates)
    return _checked_loss(step(x, y)), metrics


def _observed(program: Any, x: Any, y: Any) -> Result:
    if program.step is not None:
        return _run_own_step(program, _uncompiled_step(program) if program.optimizers else program.step, x, y)
    outputs, loss = _run_standard_step(program, x, y)
    return tensor_array(loss), metrics_of(program, outputs, y)


def _uncompiled_step(program: Any) -> Any:
    """The program's own step without a torch.compile around it, which would keep its optimizer's step as it was compiled."""
    return getattr(program.step, "_torchdynamo_orig_callable", program.step)


def _checked_loss(loss: Any) -> np.ndarray:
    array = np.array(np.nan) if loss is None else as_array(loss)
    if loss is None or array.size != 1:
        raise ProgramError(
            "step(x, y) returned {}.\nIt should return the loss of the batch, a scalar.".format(
                "None (is a return missing?)" if loss is None else "an array of shape {}".format(array.shape)
            )
        )
    return array.reshape(())


def _check_noted(program: Any, given: Dict[str, Any]) -> None:
    missing = [name for name in program.parameters if name not in given]
    if missing:
        raise ProgramError(
            "step(x, y) did not call step() of the optimizer of {}.\nObserved is a step that calls step() of each optimizer "
            "that Program was given; one that accumulates gradients does so within one step.".format(missing[0])
        )


@contextlib.contextmanager
def _counted(optimizers: Sequence[Any], calls: List[int]) -> Iterator[None]:
    """Count each optimizer's updates within the block."""

    def counter(number: int) -> Callable[..., None]:
        def count(*args: Any) -> None:
            calls[number] += 1

        return count

    hooks = [optimizer.register_step_post_hook(counter(number)) for number, optimizer in enumerate(optimizers)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextlib.contextmanager
def _intercepted(optimizers: Sequence[Any], instead: Callable[[int, Callable[[], None]], None]) -> Iterator[None]:
    """In the block an optimizer's step runs the closure that it is given and then only calls instead(number, original step)."""
    before = [{key: vars(optimizer)[key] for key in PATCHED if key in vars(optimizer)} for optimizer in optimizers]
    for number, optimizer in enumerate(optimizers):
        optimizer.step, optimizer._opt_called = _intercepting(number, optimizer.step, instead), True
    try:
        yield
    finally:
        for optimizer, attributes in zip(optimizers, before):
            for key in PATCHED:
                delattr(optimizer, key)
            vars(optimizer).update(attributes)


PATCHED = ("step", "_opt_called")
"""What schedulers patch too, to warn of one that is advanced before an update: torch/optim/lr_scheduler.py."""


def _intercepting(number: int, original: Any, instead: Callable[[int, Callable[[], None]], None]) -> Callable[..., Any]:
    def step(closure: Any = None, *args: Any, **kwargs: Any) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        instead(number, original)
        return loss

    step._wrapped_by_lr_sched = True  # type: ignore[attr-defined]  # else a scheduler warns of a step that it does not know
    return step


def _substitute(program: Any, gradients: Arrays, number: int, original: Callable[[], None]) -> None:
    """Step with these gradients, in the form in which the optimizer would have had its own."""
    for name, parameter in program.parameters.items():
        parameter.grad = _as_given(gradients[name], parameter, parameter.grad)
    original()


def _as_given(array: np.ndarray, parameter: Any, form: Any) -> Any:
    """A gradient as the optimizer is given it: None, rows or dense, as `form` is."""
    gradient = torch.tensor(array, dtype=parameter.dtype, device=parameter.device)
    if form is None:
        return gradient if array.any() else None
    if not form.is_sparse:
        return gradient
    indices = form.coalesce().indices()
    return torch.sparse_coo_tensor(indices, gradient[tuple(indices)], gradient.shape, check_invariants=True)
