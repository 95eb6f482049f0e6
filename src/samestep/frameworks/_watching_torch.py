"""What PyTorch has that may differ from run to run: its unseeded generator, memory that is not initialised, workers."""

from __future__ import annotations

import functools
import gc
from typing import Any, List

from samestep.frameworks._watching_tensorflow import DETERMINISTIC
from samestep.watching import memory, places
from samestep.watching.generators import Global, bits, trap

FILLED = "filled memory"
"""The switch of memory that is not initialised, wherever a tensor is made of it; it needs the deterministic kernels."""
WORKERS, NO_WORKERS = "data loader workers", "data loader without workers"
"""The source, and the switch."""
DRAWS = ("rand", "randn", "randint", "randperm", "normal", "bernoulli", "multinomial", "rand_like", "randn_like")


def hook(torch: Any, tape: Any) -> List[Any]:
    """Watch it from now on."""
    shared = _generator(torch, tape)
    for name in ("empty", "empty_like"):
        memory.watch(tape, torch, name, "torch." + name, getattr(torch, name.replace("empty", "zeros")))
    memory.watch(tape, torch.Tensor, "new_empty", "torch.new_empty", torch.Tensor.new_zeros)
    if tape.switches & {DETERMINISTIC, FILLED}:
        torch.use_deterministic_algorithms(True, warn_only=True)
        torch.utils.deterministic.fill_uninitialized_memory = FILLED in tape.switches
    _workers(torch, tape)
    return [shared]


def _generator(torch: Any, tape: Any) -> Global:
    original = torch.manual_seed
    shared = Global(
        tape, "torch", lambda: torch.get_rng_state().numpy().tobytes(), lambda number: original(number >> 66)
    )

    @functools.wraps(original)
    def manual_seed(seed: Any) -> Any:
        own = isinstance(seed, int) and places.called_by_user()
        shared.note_seed()
        return original(tape.take("torch.manual_seed", lambda: seed, kind="seed") if own else seed)

    @functools.wraps(torch.seed)
    def seed() -> int:
        number: int = tape.take("torch.seed", lambda: bits(7))
        shared.note_seed()
        original(number)
        return number

    torch.manual_seed = torch.random.manual_seed = manual_seed
    torch.seed = torch.random.seed = seed
    _generators(torch, tape)
    init, splits = torch.nn.init, torch.utils.data.dataset  # which has a name of its own for it
    inits = [name for name in dir(init) if name.endswith("_") and not name.startswith("_")]
    trap({torch: DRAWS, init: inits, splits: ["randperm"]}, shared)
    return shared


def _generators(torch: Any, tape: Any) -> None:
    """A generator of one's own that is given the system's random bits. The class is of C; its dict can be written to."""

    def seed(self: Any) -> int:
        number: int = tape.take("torch.Generator.seed", lambda: bits(7))
        self.manual_seed(number)
        return number

    gc.get_referents(torch.Generator.__dict__)[0]["seed"] = seed


def _workers(torch: Any, tape: Any) -> None:
    kind = torch.utils.data.DataLoader
    original = kind.__init__

    @functools.wraps(original)
    def begin(self: Any, *arguments: Any, **named: Any) -> None:
        if named.get("num_workers"):
            tape.seen(WORKERS)
            if NO_WORKERS in tape.switches:
                named = {**named, "num_workers": 0, "prefetch_factor": None, "persistent_workers": False}
                named.pop("multiprocessing_context", None)
        original(self, *arguments, **named)

    kind.__init__ = begin
