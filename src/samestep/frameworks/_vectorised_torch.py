"""PyTorch: plain runs of many seeds in one computation, by torch.func: one module called with all seeds' tensors at once.

Each seed's model is built alone, right after seeding, so that its initial tensors are those of a plain run. They are stacked;
the forward pass and the loss are widened by torch.vmap, the gradients are those of the sum of the losses, and the program's own
optimizer and schedulers act on the stacked parameters: its update is element by element. The masks of dropout are drawn lane
by lane, each from the generator of its seed as the build left it.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional

import numpy as np
import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from samestep.errors import NotVectorisable
from samestep.frameworks import _groups, _rows, _torch_modules, _torch_schedulers, _torch_steps
from samestep.frameworks.torch import Program

ELEMENTWISE = (torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop)
"""Optimizers whose update of an element depends on that element's history alone, so that stacked parameters are updated alike."""
DROPOUT = (torch.nn.functional.dropout, torch.dropout, torch.dropout_)
Tensors = Dict[str, Any]


def dtype_of(built: Program) -> str:
    """The precision that its rows are given."""
    return "float64" if any(p.dtype == torch.float64 for p in built.plain.parameters()) else "float32"


class Trainings:
    """The program's trainings: what they share.

    built: what make(seeds[0]) returned; make(seed): what build returns after all generators were seeded with it. train, held:
    (x, y), prepared. Raises NotVectorisable, with the reason, where values would not be those of plain runs.
    """

    framework = "torch"

    def __init__(
        self,
        built: Program,
        make: Callable[[int], Any],
        seeds: List[int],
        train: Any,
        held: Any,
        batch_size: int,
        names_seed: bool,
    ) -> None:
        _check(built)
        torch.set_num_threads(1)  # as in a plain run: sums are grouped by the number of threads
        if not _alike(_tensors(built), _tensors(make(seeds[0]))):
            raise NotVectorisable("build() of one seed does not give the same twice in one process")
        self.make, self.batch_size, self.rows = make, batch_size, _rows.count(train[0])
        self.data, self.held = (
            tuple(_torch_steps.to_tensors(built, part) for part in parts) for parts in (train, held)
        )
        state = 4 * sum(map(_nbytes, _tensors(built).values()))  # with gradients and two slots
        kept = self._try(seeds) // 2
        device = _torch_steps.device(built)
        free = torch.cuda.mem_get_info(device)[0] if device.type == "cuda" else _groups.free_memory()
        self.width = _groups.width(len(seeds), max(1, state), kept + 8 * self.rows, device.type == "cpu", free)

    def run(
        self,
        seeds: List[int],
        epochs: int,
        watch: Callable[[int], None],
        rows: Optional[int] = None,
        moved: Any = None,
    ) -> List[Dict[str, float]]:
        """{metric: value} of a plain run of each of `width` seeds, side by side. watch(steps) is called now and then.

        rows: only the first so many rows are trained on and held. moved(lane, array): other initial parameters for a lane.
        """
        count = self.rows if rows is None else min(rows, self.rows)
        lanes = _Lanes(self.make, seeds, moved)
        generators = [np.random.default_rng(seed) for seed in seeds]
        for _ in range(epochs):
            order = torch.from_numpy(np.stack([rng.permutation(count) for rng in generators]))
            last = self._epoch(lanes, order, watch)
        held = _rows.count(self.held[0])
        measured = self._evaluation(lanes, held if rows is None else min(rows, held))
        return list(map(_rows.with_validation, last, measured))

    def _epoch(self, lanes: Any, order: Any, watch: Callable[[int], None]) -> List[Dict[str, float]]:
        means = _Means()
        with _torch_modules.mode(lanes.program.plain, True, lanes.program.modes):
            for start in range(0, order.shape[1], self.batch_size):
                part = order[:, start : start + self.batch_size]
                means.add(part.shape[1], lanes.step(*(_rows.take(rows, part) for rows in self.data)))
                watch(1)
        return means.by_lane()

    def _evaluation(self, lanes: Any, count: int) -> List[Dict[str, float]]:
        means = _Means()
        with _torch_modules.mode(lanes.program.plain, False, lanes.program.modes), torch.no_grad():
            for start in range(0, count, self.batch_size):
                part = slice(start, min(count, start + self.batch_size))
                means.add(part.stop - part.start, lanes.measure(*(_rows.take(rows, part) for rows in self.held), None))
        return means.by_lane()

    def _try(self, seeds: List[int]) -> int:
        """Bytes that a step of two lanes keeps for its backward pass; raises NotVectorisable where none can be made."""
        order = torch.arange(min(self.batch_size, self.rows)).expand(2, -1)
        kept: List[int] = []

        def keep(tensor: Any) -> Any:
            kept.append(_nbytes(tensor))
            return tensor

        try:
            lanes = _Lanes(self.make, [seeds[0], seeds[-1]], None)
            with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                self._epoch(lanes, order, lambda steps: None)
        except NotVectorisable:
            raise
        except Exception as error:
            raise NotVectorisable(_reason(error)) from error
        return sum(kept)


class _Lanes:
    """Programs of several seeds as one: the first one's module, optimizer and schedulers, with the tensors of all, stacked."""

    def __init__(self, make: Callable[[int], Any], seeds: List[int], moved: Any) -> None:
        made = [(make(seed), torch.get_rng_state()) for seed in seeds]
        programs = [program for program, _ in made]
        self.program, self.draws = programs[0], _LaneByLane([state for _, state in made])
        if any(_settings(program) != _settings(self.program) for program in programs[1:]):
            raise NotVectorisable("the settings of its optimizer depend on the seed")
        self.parameters = _stacked([dict(p.plain.named_parameters()) for p in programs], moved)
        self.buffers = _stacked([dict(p.plain.named_buffers()) for p in programs], None)
        instead = {id(tensor): self.parameters[name] for name, tensor in self.program.plain.named_parameters()}
        for group in self.program.optimizers[0].param_groups:
            group["params"] = [instead[id(tensor)] for tensor in group["params"]]

    def step(self, x: Any, y: Any) -> Tensors:
        """One update of all lanes on their batches; loss and metrics, (lanes,)."""
        optimizer = self.program.optimizers[0]
        optimizer.zero_grad()
        measured = self.measure(x, y, 0)
        measured["loss"].sum().backward()
        optimizer.step()
        _torch_schedulers.advance(self.program.schedulers, None)
        return {name: value.detach() for name, value in measured.items()}

    def measure(self, x: Any, y: Any, rows: Optional[int]) -> Tensors:
        """Loss and metrics of all lanes; rows: the axis of lanes in x and y, None where all have the same."""
        program = self.program

        def one(parameters: Tensors, buffers: Tensors, x: Any, y: Any) -> Tensors:
            args, named = ((), x) if isinstance(x, dict) else ((x,), {})
            outputs = torch.func.functional_call(program.plain, {**parameters, **buffers}, args, named)
            found = {"loss": program.loss(outputs, y)}
            detached = _detached(outputs)
            found.update((name, metric(detached, y)) for name, metric in program.metrics.items())
            return found

        widened = torch.vmap(one, in_dims=(0, 0, rows, rows), randomness="different")
        with self.draws, self.draws.order:
            return dict(widened(self.parameters, self.buffers, x, y))


class _LaneByLane(TorchDispatchMode):
    """Draws what torch.vmap draws for all lanes at once from each lane's own generator, in these states, as it would alone.

    That is known of masks on the CPU. They are filled in the order of their memory, which dropout takes from what it masks; where
    a plain run has another, the seed that is checked shows it.
    """

    def __init__(self, states: List[Any]) -> None:
        super().__init__()
        self.order = _OrderInMemory()
        self.generators = [torch.Generator() for _ in states]
        for generator, state in zip(self.generators, states):
            generator.set_state(state)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """The operation's result; raises NotVectorisable for one that draws anything else."""
        if torch.Tag.nondeterministic_seeded not in func.tags:
            return func(*args, **(kwargs or {}))
        if func is not torch.ops.aten.bernoulli.p or args[0].device.type != "cpu":
            raise NotVectorisable("it draws random numbers by {} while it trains".format(func))
        like, probability = args
        form = self.order.form_of(like[0])
        masks = [torch.empty_like(form) for _ in self.generators]
        return torch.stack([mask.bernoulli_(probability, generator=g) for mask, g in zip(masks, self.generators)])


class _OrderInMemory(TorchFunctionMode):
    """Notes how what dropout masks lies in memory, lane by lane, since torch.vmap does not tell where the mask is drawn."""

    def __init__(self) -> None:
        super().__init__()
        self.strides: Any = None

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What the function gives."""
        self.strides = args[0].stride() if func in DROPOUT else None
        return func(*args, **(kwargs or {}))

    def form_of(self, lane: Any) -> Any:
        """A tensor like this lane of a mask that lies in memory as what it masks."""
        if self.strides is None or len(self.strides) != lane.dim():
            return torch.empty(lane.shape, dtype=lane.dtype)
        return torch.empty_strided(lane.shape, self.strides, dtype=lane.dtype)


class _Means:
    """Means over rows, for each lane; in float64, as a plain run adds."""

    def __init__(self) -> None:
        self.rows = 0
        self.sums: Tensors = {}

    def add(self, rows: int, values: Tensors) -> None:
        self.rows += rows
        for name, value in values.items():
            more = rows * value.reshape(len(value), -1).double().mean(1)
            self.sums[name] = self.sums[name] + more if name in self.sums else more

    def by_lane(self) -> List[Dict[str, float]]:
        means = {name: (self.sums[name] / self.rows).tolist() for name in sorted(self.sums)}
        return [dict(zip(means, values)) for values in zip(*means.values())]


def _check(program: Program) -> None:
    """Raise NotVectorisable for what is seen without a step."""
    if program.batches is not None:
        raise NotVectorisable("it has an input pipeline of its own")
    if program.step is not None:
        raise NotVectorisable(
            "its step(x, y) is its own, and may do with one model what cannot be done with many at once"
        )
    if not isinstance(program.optimizers[0], ELEMENTWISE):
        raise NotVectorisable("its optimizer is {}".format(type(program.optimizers[0]).__name__))
    if any(_torch_schedulers.by_loss(scheduler) for scheduler in program.schedulers):
        raise NotVectorisable("its scheduler goes by the loss, which each seed has its own of")
    if any(isinstance(p, torch.nn.parameter.UninitializedTensorMixin) for p in program.plain.parameters()):
        raise NotVectorisable("it has lazy modules")
    known = {id(p) for p in program.plain.parameters()}
    if any(id(p) not in known for group in program.optimizers[0].param_groups for p in group["params"]):
        raise NotVectorisable("its optimizer trains parameters outside of its model")


def _nbytes(tensor: Any) -> int:
    return int(tensor.numel() * tensor.element_size())


def _tensors(program: Program) -> Tensors:
    return dict([*program.plain.named_parameters(), *program.plain.named_buffers()])


def _settings(program: Program) -> List[Dict[str, Any]]:
    groups = program.optimizers[0].param_groups
    return [{key: value for key, value in group.items() if key != "params"} for group in groups]


def _alike(one: Tensors, other: Tensors) -> bool:
    return list(one) == list(other) and all(torch.equal(one[name], other[name]) for name in one)


def _stacked(found: List[Tensors], moved: Any) -> Tensors:
    """{name: tensor (lanes, …)}, as leaves that are trained where the first one's are."""
    stacked = {}
    for name, first in found[0].items():
        tensors = [tensors[name].detach() for tensors in found]
        if moved is not None:
            tensors = [torch.from_numpy(moved(i, t.cpu().numpy())).to(t.device) for i, t in enumerate(tensors)]
        stacked[name] = torch.stack(tensors).requires_grad_(first.requires_grad)
    return stacked


def _detached(outputs: Any) -> Any:
    return torch.utils._pytree.tree_map(lambda leaf: leaf.detach() if isinstance(leaf, torch.Tensor) else leaf, outputs)


def _reason(error: Exception) -> str:
    return "torch.vmap cannot make its step for many seeds at once: {}".format(str(error).strip().splitlines()[0])
