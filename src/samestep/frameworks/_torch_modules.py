"""What can be seen of a PyTorch model: what its tensors' axes mean, the order of their use, and what it computes on its way."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import namedtuple
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from samestep.frameworks._torch_trees import tensor_array

Arrays = Dict[str, np.ndarray]
SPATIAL = ("", " d0", " d0 d1", " d0 d1 d2")
NORMAL = {"weight": "gamma: out", "bias": "beta: out", "running_mean": "mean: out", "running_var": "variance: out"}


def _layouts_of_classes() -> Dict[str, Dict[str, str]]:
    table = {
        "Linear": {"weight": "kernel: out in", "bias": "bias: out"},
        "Embedding": {"weight": "embeddings: token out"},
        "EmbeddingBag": {"weight": "embeddings: token out"},
        "MultiheadAttention": {
            "in_proj_weight": "kernel: query,key,value*out in",
            "in_proj_bias": "bias: query,key,value*out",
            "q_proj_weight": "kernel query: out in",
            "k_proj_weight": "kernel key: out in",
            "v_proj_weight": "kernel value: out in",
            "out_proj.weight": "kernel output: out in",
            "out_proj.bias": "bias output: out",
        },
    }
    for axes in (1, 2, 3):
        bias = {"bias": "bias: out"}
        table["Conv{}d".format(axes)] = dict(bias, weight="kernel: out in" + SPATIAL[axes])
        table["ConvTranspose{}d".format(axes)] = dict(bias, weight="kernel: in out" + SPATIAL[axes])
        table["BatchNorm{}d".format(axes)] = table["InstanceNorm{}d".format(axes)] = NORMAL
    table.update(dict.fromkeys(("SyncBatchNorm", "GroupNorm", "LayerNorm", "RMSNorm"), NORMAL))
    return table


LAYOUTS = _layouts_of_classes()
"""{class of torch.nn: {tensor: layout}}; what has one axis there has a layout only with one axis."""
GATES = {"RNN": "", "LSTM": "i,f,g,o*", "GRU": "r,z,n*"}
"""The order of gates in the tensors of recurrent layers: torch/nn/modules/rnn.py."""


def layouts(model: Any) -> Dict[int, Dict[str, str]]:
    """{id of a tensor: {"layer", "layout"}} for the parameters and buffers of layers that are known."""
    found: Dict[int, Dict[str, str]] = {}
    for path, module in model.named_modules():
        for name, entry in _layouts(module, clean(path) or type(module).__name__).items():
            tensor = _attribute(module, name)
            if torch.is_tensor(tensor) and tensor.dim() == len(entry["layout"].partition(":")[2].split()):
                found.setdefault(id(tensor), entry)
    return found


def clean(name: str) -> str:
    """A name without what torch.compile puts into it."""
    return ".".join(part for part in name.split(".") if part != "_orig_mod")


def _layouts(module: Any, path: str) -> Dict[str, Dict[str, str]]:
    """{tensor: {"layer", "layout"}} of one module's own tensors."""
    classes = [cls.__name__ for cls in type(module).__mro__ if cls.__module__.startswith("torch.nn.modules")]
    for cls in classes:
        if cls in LAYOUTS:
            return {name: {"layer": path, "layout": layout} for name, layout in LAYOUTS[cls].items()}
        if cls.replace("Cell", "") in GATES:
            return _recurrent_layouts(module, GATES[cls.replace("Cell", "")], path)
    return {}


def _recurrent_layouts(module: Any, gates: str, path: str) -> Dict[str, Dict[str, str]]:
    """Tensors are called weight_ih_l0, weight_hh_l0_reverse and so on; in a cell weight_ih."""
    parts = {
        "weight_ih": "kernel: {}out in",
        "weight_hh": "recurrent: {}out in",
        "bias_ih": "bias: {}out",
        "bias_hh": "recurrent_bias: {}out",
    }
    found = {}
    for name, _ in module.named_parameters(recurse=False):
        for part, layout in parts.items():
            if name.startswith(part) and not getattr(module, "proj_size", 0):
                layer = path + name[len(part) :].replace("_", ".")
                found[name] = {"layer": layer, "layout": layout.format(gates)}
    return found


def _attribute(module: Any, name: str) -> Any:
    for part in name.split("."):
        module = getattr(module, part, None)
    return module


class Watcher(TorchFunctionMode):
    """Within `watching`: notes what modules and functions return, and which tensors they use first."""

    def __init__(self, model: Any, keep: bool) -> None:
        super().__init__()
        self.keep = keep
        self.tensors = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
        self.used: Dict[int, None] = {}
        self.path: List[str] = []
        self.busy = False
        self.seen: Dict[Tuple[int, int], _Seen] = {}

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Optional[Dict[str, Any]] = None) -> Any:
        """Call the function, and note what it makes of tensors unless that is a view of one."""
        kwargs = kwargs or {}
        if self.busy:
            return func(*args, **kwargs)
        given = list(tensors_in((args, list(kwargs.values()))))
        before = {id(tensor): _version(tensor) for tensor in given}
        outputs = func(*args, **kwargs)
        made = [tensor for tensor in tensors_in(outputs) if before.get(id(tensor)) != _version(tensor)]
        if made:
            self._use(given)
        if self.keep and given:
            self._note_function(getattr(func, "__name__", "").strip("_"), made)
        return outputs

    def enter(self, path: str) -> None:
        """A module's forward begins."""
        self.path.append(path)

    def leave(self, path: str, module: Any, outputs: Any) -> None:
        """A module's forward has ended: what it returns has its name, unless a module within it has given it one."""
        self.path.pop()
        self._use([*module.parameters(recurse=False), *module.buffers(recurse=False)])
        if not self.keep or not path:
            return
        for tensor in tensors_in(outputs):
            known = self.seen.get(_key(tensor))
            if known is None:
                self._note(path, path, tensor, True)
            elif not known.by_module and (known.path + ".").startswith(path + "."):
                self.seen.pop(_key(tensor))  # in the order in which the module returns it
                self.seen[_key(tensor)] = known._replace(name=path, by_module=True)

    def activations(self) -> Arrays:
        """What was noted, by name; a name that comes again gets #2, #3, …"""
        counts: Dict[str, int] = {}
        found = {}
        for seen in self.seen.values():
            counts[seen.name] = counts.get(seen.name, 0) + 1
            found[seen.name if counts[seen.name] == 1 else "{}#{}".format(seen.name, counts[seen.name])] = seen.array
        return found

    def _use(self, tensors: Sequence[Any]) -> None:
        for tensor in tensors:
            if id(tensor) in self.tensors:
                self.used.setdefault(id(tensor))

    def _note_function(self, name: str, made: Sequence[Any]) -> None:
        path = self.path[-1] if self.path else ""
        if name and not name.startswith(UNTOLD):
            for tensor in made:
                if not tensor._is_view() and _key(tensor) not in self.seen:
                    self._note("{}/{}".format(path, name) if path else name, path, tensor, False)

    def _note(self, name: str, path: str, tensor: Any, by_module: bool) -> None:
        if not tensor.is_floating_point() or tensor.layout != torch.strided or tensor.is_nested:
            return
        self.busy = True
        try:
            self.seen[_key(tensor)] = _Seen(name, path, tensor_array(tensor), by_module, tensor)
        except RuntimeError:  # of a kind that has no numbers, as within vmap
            pass
        finally:
            self.busy = False


_Seen = namedtuple(
    "_Seen", "name path array by_module tensor"
)  # it holds the tensor, so that no other has its id meanwhile
UNTOLD = ("get", "set", "empty", "new_empty", "detach", "clone")
"""Functions whose results tell nothing new, or nothing at all; getters are called __get__."""


@contextlib.contextmanager
def watching(model: Any, keep: bool) -> Iterator[Watcher]:
    """Watch the model's forward passes within the block; keep: what they compute too, not only what they use."""
    watcher = Watcher(model, keep)
    handles = []
    for path, module in model.named_modules():
        if not isinstance(module, torch.jit.ScriptModule):
            handles += _hooks(watcher, clean(path), module)
    try:
        with watcher:
            yield watcher
    finally:
        for handle in handles:
            handle.remove()


def _hooks(watcher: Watcher, path: str, module: Any) -> List[Any]:
    return [
        module.register_forward_pre_hook(lambda module, args: watcher.enter(path)),
        module.register_forward_hook(lambda module, args, outputs: watcher.leave(path, module, outputs)),
    ]


def tensors_in(tree: Any) -> Iterator[Any]:
    """The tensors in a nest of tuples, lists, dicts and dataclasses, in order, dicts in that of their sorted keys."""
    if torch.is_tensor(tree):
        yield tree
    elif dataclasses.is_dataclass(tree) and not isinstance(tree, dict):
        for field in dataclasses.fields(tree):
            yield from tensors_in(getattr(tree, field.name))
    elif isinstance(tree, dict):
        for key in sorted(tree, key=str):
            yield from tensors_in(tree[key])
    elif isinstance(tree, (list, tuple)):
        for item in tree:
            yield from tensors_in(item)


def _key(tensor: Any) -> Tuple[int, int]:
    return id(tensor), _version(tensor)


def _version(tensor: Any) -> int:
    """How often a tensor was changed in place; tensors of inference mode do not count."""
    return -1 if tensor.is_inference() else tensor._version


@contextlib.contextmanager
def mode(model: Any, training: bool, modes: Dict[Any, bool]) -> Iterator[None]:
    """The model in training mode, or in inference mode; for the time of the block.

    In training, a module that was built in inference mode (modes) stays in it, and so does one whose own train() keeps it there.
    """
    before = {module: module.training for module in model.modules()}
    model.train(training)
    if training:
        _set_modes({module: False for module, trains in modes.items() if not trains})
    try:
        yield
    finally:
        model.train(before[model])
        _set_modes(before)


def _set_modes(modes: Dict[Any, bool]) -> None:
    for module, training in modes.items():
        module.training = training
