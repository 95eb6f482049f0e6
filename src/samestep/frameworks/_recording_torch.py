"""PyTorch: each step of an optimizer is an update, in whatever loop it is made.

Looked at are the gradients that it is given and the parameters after it, the buffers of the modules that hold them, the
value that backward was last called of, and what the outermost module was called with.
"""

from __future__ import annotations

import collections.abc
import contextlib
import functools
import gc
import importlib
import itertools
import math
import weakref
from typing import Any, Dict, Iterator, List, Sequence, Tuple

from samestep.frameworks import _recording_device
from samestep.frameworks._recording import Label, Source, guarded, numbered, replaced
from samestep.recording import digests
from samestep.recording.measuring import XXH3, takes_tensors
from samestep.recording.recorder import BUFFER, GENERATOR, GRADIENT, PARAMETER, Entry, Recorder

MOST_KEPT = 256
"""Losses, and tensors that modules were called with, that are kept for the next update: it may never come."""


def hook(torch: Any, recorder: Recorder) -> None:
    """Record what optimizers of PyTorch do."""
    state = torch.default_generator.get_state()
    generator = Entry(GENERATOR, "torch", "uint8", tuple(state.shape))
    recorder.watch_generators([(generator, lambda: torch.default_generator.get_state().numpy())])
    watch = _Watch(torch, recorder)
    importlib.import_module("torch.optim.optimizer").register_optimizer_step_post_hook(watch.stepped)
    replaced(torch.optim.Optimizer, "__init__", watch.making)
    replaced(torch.autograd, "backward", watch.backward)
    replaced(torch.utils.data.dataloader._BaseDataLoaderIter, "__next__", watch.loading)
    replaced(torch, "compile", watch.compiling)
    replaced(torch.nn.Module, "compile", watch.compiling)


@contextlib.contextmanager
def watching(torch: Any, recorder: Recorder, model: Any, optimizer: Any) -> Iterator[None]:
    """For the time of the block the steps of this optimizer, which updates this model, are recorded without any hook."""
    watch = _Watch(torch, recorder)
    watch.look_at(model)
    stepped = optimizer.register_step_post_hook(watch.stepped)
    own, torch.autograd.backward = torch.autograd.backward, watch.backward(torch.autograd.backward)
    try:
        yield
    finally:
        torch.autograd.backward = own
        for handle in (stepped, *watch.handles.values()):
            handle.remove()
        recorder.flush()


class _Watch:
    """What is known between the steps of all optimizers."""

    def __init__(self, torch: Any, recorder: Recorder) -> None:
        self.torch, self.recorder = torch, recorder
        self.losses: Any = collections.deque(maxlen=MOST_KEPT)
        self.batch: Any = collections.deque(maxlen=MOST_KEPT)
        self.loaded: List[Any] = []
        self.last: Tuple[List[Any], List[Any]] = ([], [])
        self.takers: Any = weakref.WeakSet()
        self.handles: Any = weakref.WeakKeyDictionary()
        self.optimizers: Any = weakref.WeakKeyDictionary()
        fast = recorder.digest_name == XXH3 and takes_tensors(torch, functools.partial(_array, torch))
        self.measured = (torch.float32, torch.float64) if fast else ()

    def measures(self, tensor: Any) -> bool:
        """Whether such a tensor is measured as it is, and needs no array."""
        if tensor is None or type(tensor) not in (self.torch.Tensor, self.torch.nn.Parameter):
            return False
        return tensor.dtype in self.measured and not (tensor.is_sparse or tensor.is_neg())

    def making(self, original: Any) -> Any:
        """Once there is an optimizer, what its modules are called with is noted."""

        def make(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            original(optimizer, *args, **kwargs)
            with guarded(self.recorder):
                for root in self.modules(_parameters(optimizer)).values():
                    self.look_at(root)

        return make

    def stepped(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """An optimizer has made a step."""
        if traces(self.torch) or self.recorder.idle:
            return
        with guarded(self.recorder):
            known = self.optimizers.get(optimizer)
            if known is None:
                known = self.optimizers[optimizer] = _Optimizer(self, optimizer, len(self.optimizers))
            known.update(optimizer)

    def backward(self, original: Any) -> Any:
        """The value is kept that gradients are taken of."""

        def backward(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(tensors, collections.abc.Iterator):
                tensors = tuple(tensors)  # which can be gone through twice
            with guarded(self.recorder):
                found = tensors if isinstance(tensors, (list, tuple)) else [tensors]
                values = [one for one in found if isinstance(one, self.torch.Tensor)]
                self.losses += [value.detach() for value in values if value.numel() == 1]
            return original(tensors, *args, **kwargs)

        return backward

    def loading(self, original: Any) -> Any:
        """What data loaders give is the batch where the outermost module is not called, as in Lightning."""

        def give(loader: Any) -> Any:
            batch = original(loader)
            self.loaded = _tensors(self.torch, batch)
            return batch

        return give

    def compiling(self, original: Any) -> Any:
        """A module that is compiled is not looked at from within: the hook would be compiled too."""

        def compile(*args: Any, **kwargs: Any) -> Any:
            module = args[0] if args and isinstance(args[0], self.torch.nn.Module) else None
            handle = None if module is None else self.handles.pop(module, None)
            if handle is not None:
                handle.remove()
            compiled = original(*args, **kwargs)
            if handle is not None and isinstance(compiled, self.torch.nn.Module):
                self.look_at(compiled)
            return compiled

        return compile

    def look_at(self, module: Any) -> None:
        """Note what the module is called with."""
        if module not in self.handles and getattr(module, "_compiled_call_impl", None) is None:
            names = ("_forward_pre_hooks", "_forward_pre_hooks_with_kwargs")
            for name in names:
                if not getattr(module, name):  # else its author's handles know the one that is there
                    setattr(module, name, _Hooks())
            handle = self.handles[module] = module.register_forward_pre_hook(_Called(self._called), with_kwargs=True)
            for hooks in (getattr(module, name) for name in names):
                if isinstance(hooks, _Hooks):
                    hooks.ours = handle.id

    def _called(self, module: Any, args: Any, kwargs: Any) -> None:
        if module.training and self.torch.is_grad_enabled() and not traces(self.torch) and not self.recorder.idle:
            with guarded(self.recorder):
                given = _tensors(self.torch, (args, kwargs))
                here = all(parameter.is_cpu for parameter in itertools.islice(module.parameters(), 1))
                self.batch += [self.piece(one) for one in given] if here else given

    def piece(self, tensor: Any) -> digests.Piece:
        """What a batch's digest needs of one of its tensors, whose memory may hold the next batch soon."""
        return digests.piece_of(_array(self.torch, tensor), self.recorder.digest)

    def taken(self, optimizer: Any) -> Tuple[List[Any], List[Any]]:
        """The losses and batches since the last update, or those of it, where another optimizer made it of the same."""
        if self.losses or self.batch or optimizer in self.takers:
            self.last = list(self.losses), list(self.batch or self.loaded)
            self.losses.clear()
            self.batch.clear()
            self.takers.clear()
        self.takers.add(optimizer)
        return self.last

    def modules(self, parameters: Sequence[Any]) -> Dict[str, Any]:
        """The outermost modules that hold these parameters, by class name; those alive now are gone through."""
        wanted = {id(parameter) for parameter in parameters}
        kind = self.torch.nn.Module
        alive = [one for one in gc.get_objects() if issubclass(type(one), kind)]
        inside = {id(child) for one in alive for child in one.children()}
        roots = [one for one in alive if id(one) not in inside and any(id(p) in wanted for p in one.parameters())]
        found: Dict[str, Any] = {}
        for root in roots:
            name = type(root).__name__
            found[numbered(name, len(found) if name in found else 0)] = root
        return found


class _Called:
    """The hook that notes what a module is called with. What is copied or saved with a module does nothing."""

    def __init__(self, noted: Any) -> None:
        self.noted = noted

    def __call__(self, module: Any, args: Any, kwargs: Any) -> None:
        self.noted(module, args, kwargs)

    def __reduce__(self) -> Any:
        return eval, ("lambda *given: None",)


class _Hooks(collections.OrderedDict):  # type: ignore[type-arg]
    """A module's hooks by number, of which ours is neither copied nor saved, nor seen by what compiles the module."""

    ours = -1

    def _others(self) -> List[Tuple[Any, Any]]:
        return [(key, hook) for key, hook in self.items() if key != self.ours]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return collections.OrderedDict(self._others()).__reduce_ex__(protocol)

    def values(self) -> Any:
        return [hook for _, hook in self._others()]


class _Optimizer:
    """One optimizer, with the names of its parameters, found when it first updates them."""

    def __init__(self, watch: _Watch, optimizer: Any, number: int) -> None:
        name = numbered(type(optimizer).__name__, number)
        self.watch, self.source = watch, Source(watch.recorder, name, "torch")
        self.parameters: List[Any] = []
        self.kinds: Tuple[List[Any], List[bool]] = ([], [])
        self.buffers: List[Any] = []
        self.views: List[_View] = []
        self.direct: List[bool] = []
        self.labels: Tuple[Label, ...] = ()

    def update(self, optimizer: Any) -> None:
        """Record the update that was just made; the gradients are still there."""
        parameters = _parameters(optimizer)
        gradients = [parameter.grad for parameter in parameters]
        kinds = [parameter.dtype for parameter in parameters], [gradient is None for gradient in gradients]
        if kinds != self.kinds:
            self.kinds = kinds
            self._name(parameters)
        losses, batch = self.watch.taken(optimizer)
        rates = [float(group.get("lr", math.nan)) for group in optimizer.param_groups]
        scalars = {numbered("learning_rate", number): rate for number, rate in enumerate(rates)}
        scalars["loss"] = sum(float(loss) for loss in losses) / len(losses) if losses else math.nan
        if not parameters[0].is_cpu:
            self._update_on_device(gradients + parameters + self.buffers, batch, scalars)
            return
        recorder = self.watch.recorder
        arrays = gradients + parameters + self.buffers
        if recorder.samples or not all(self.direct):
            arrays = self._arrays(arrays)
        pieces = [one if isinstance(one, tuple) else self.watch.piece(one) for one in batch]
        seen = digests.of_pieces(pieces, recorder.digest)
        self.source.update(self.labels, arrays, scalars, seen)

    def _arrays(self, tensors: List[Any]) -> List[Any]:
        """Arrays in the place of tensors that are not measured as they are; of all where whole tensors are kept."""
        torch, all_of_them = self.watch.torch, self.watch.recorder.samples
        views = [None] * len(self.parameters) + self.views
        return [
            tensor if direct and not all_of_them else view.array(torch, tensor) if view else _array(torch, tensor)
            for tensor, direct, view in zip(tensors, self.direct, views)
        ]

    def _update_on_device(self, tensors: List[Any], batch: List[Any], scalars: Dict[str, float]) -> None:
        device = self.parameters[0].device
        found = _recording_device.digested(self.watch.torch, [*tensors, *batch], device, _array)
        given = b"".join(one.digest for one in found[len(tensors) :] if one is not None)
        whole = digests.DIGESTS[digests.MIX](given) if given else digests.ABSENT
        self.source.update(self.labels, found[: len(tensors)], scalars, whole, digests.MIX)

    def _name(self, parameters: List[Any]) -> None:
        self.parameters = parameters
        roots = self.watch.modules(self.parameters)
        prefix = len(roots) > 1
        names: Dict[int, str] = {}
        buffers: List[Tuple[str, Any]] = []
        for root_name, root in roots.items():
            start = root_name + "." if prefix else ""
            for name, parameter in root.named_parameters():
                names.setdefault(id(parameter), start + name.replace("_orig_mod.", ""))
            buffers += [(start + name.replace("_orig_mod.", ""), buffer) for name, buffer in root.named_buffers()]
            self.watch.look_at(root)
        labels = [names.get(id(p), "parameter {}".format(n)) for n, p in enumerate(self.parameters)]
        self.buffers = [buffer for _, buffer in buffers]
        named = [(GRADIENT, name) for name in labels] + [(PARAMETER, name) for name in labels]
        self.labels = tuple(named + [(BUFFER, name) for name, _ in buffers])
        self.source.forget()
        self.views = [_View() for _ in (*self.parameters, *self.buffers)]
        gradients = [parameter.grad for parameter in self.parameters]
        self.direct = [self.watch.measures(one) for one in (*gradients, *self.parameters, *self.buffers)]


class _View:
    """The array of a tensor's memory, made anew only when the tensor has come to lie elsewhere."""

    def __init__(self) -> None:
        self._of: Any = None
        self._array: Any = None

    def array(self, torch: Any, tensor: Any) -> Any:
        """As `_array` gives it."""
        of = tensor.data_ptr(), tensor.dtype, tensor.shape
        if of != self._of or not tensor.is_contiguous():
            self._of, self._array = of, _array(torch, tensor)
        return self._array


def traces(torch: Any) -> bool:
    """Whether what runs is not run, but traced by a compiler."""
    return bool(getattr(getattr(torch, "compiler", None), "is_compiling", bool)())


def _tensors(torch: Any, tree: Any) -> List[Any]:
    """The tensors of a nest of lists, tuples and dicts."""
    if isinstance(tree, torch.Tensor):
        return [tree.detach()]
    values = tree.values() if isinstance(tree, dict) else tree if isinstance(tree, (list, tuple)) else ()
    return [tensor for value in values for tensor in _tensors(torch, value)]


def _array(torch: Any, tensor: Any) -> Any:
    """The tensor's memory as an array, or a copy of what lies elsewhere or scattered; bfloat16 as its bits."""
    if tensor is None:
        return None
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.is_sparse:
        tensor = tensor.coalesce().values()
    tensor = tensor.resolve_conj().resolve_neg()
    if tensor.dtype is torch.bfloat16:
        return tensor.contiguous().view(torch.int16).cpu().numpy().view("uint16")
    if not (tensor.is_cpu and tensor.is_contiguous()):
        tensor = tensor.contiguous().cpu()
    return tensor.numpy()


def _parameters(optimizer: Any) -> List[Any]:
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]
