"""The shared stream in PyTorch: its kernels of random numbers, by their places in the dispatcher, for the time of a pass.

There they serve whatever draws: modules and functions, LSTM and attention, whose dropout is in C++, the backward pass and
what torch.compile made, whose own generator is turned off (torch/_inductor/config.py, fallback_random).
"""

from __future__ import annotations

import sys
import warnings
from typing import Any, Dict, List

import numpy as np
import torch

from samestep.frameworks import _randomness, _randomness_numpy
from samestep.frameworks._randomness import stream

_libraries: List[Any] = []
_before: Dict[str, Any] = {}


def install() -> None:
    """What cannot draw from the stream is not used; who goes back to an earlier state of the generator goes back in the draws."""
    _before.update(get=torch.get_rng_state, set=torch.set_rng_state)
    torch.get_rng_state, torch.set_rng_state = _rng_state, _set_rng_state
    if torch.cuda.is_available():  # kernels of attention that draw for themselves
        _before["attention"] = [(name, getattr(torch.backends.cuda, name + "_enabled")()) for name in FUSED]
        _enable(dict.fromkeys(FUSED, False).items())
    if "torch._dynamo" in sys.modules:
        import torch._inductor.config as config

        _before["fallback_random"] = config.fallback_random
        config.fallback_random = True


def uninstall() -> None:
    """Undo `install`."""
    torch.get_rng_state, torch.set_rng_state = _before.pop("get"), _before.pop("set")
    _enable(_before.pop("attention", ()))
    if "fallback_random" in _before:
        sys.modules["torch._inductor.config"].fallback_random = _before.pop("fallback_random")  # type: ignore[attr-defined]


def forget() -> None:
    """Drop what torch.compile has compiled."""
    if "torch._dynamo" in sys.modules:
        torch._dynamo.reset()


def begin() -> None:
    """Put the stream's kernels in place."""
    if not _libraries:
        for key in ("CPU", "CUDA") if torch.cuda.is_available() else ("CPU",):
            _libraries.append(_library(key))


def end() -> None:
    """PyTorch's own kernels are in place again."""
    while _libraries:
        _libraries.pop()._destroy()


def words(draw: Any, step: int, device: Any = None) -> Any:
    """The random words of a draw, int32 of the same bits, in the shape and order of axes in which this side has it."""
    count = torch.Size(draw.shape).numel()
    blocks = torch.arange((count + 1) // 2, dtype=torch.int32, device=device)
    seed, step, number = (((word & _randomness.MASK) ^ SIGN) - SIGN for word in (stream.word, step, draw.number))
    pairs = _randomness.threefry((seed, step), (blocks, torch.full_like(blocks, number)), lambda word: word, _rotate)
    flat = torch.stack(pairs, -1).reshape(-1)[:count]
    flat = ~flat if draw.flipped else flat
    return flat.reshape(draw.shape).permute(draw.axes)


def uniform(words: Any, dtype: Any = torch.float32) -> Any:
    """Numbers between 0 and 1 from random words."""
    bits = _randomness.bits_of(str(dtype).split(".")[1])
    odd = _shifted_right(words, 31 - bits).bitwise_or_(1)
    return odd.to(dtype).mul_(2.0 ** -(bits + 1))


def normal(words: Any, dtype: Any = torch.float32) -> Any:
    """Standard normal numbers from random words."""
    table = torch.from_numpy(_randomness_numpy.quantiles("normal").astype(np.float64)).to(words.device, dtype)
    return table[_shifted_right(words, 13).long()]


SIGN = 1 << 31


def _rotate(word: Any, bits: int) -> Any:
    return (word << bits).bitwise_or_(_shifted_right(word, 32 - bits))


def _shifted_right(word: Any, bits: int) -> Any:
    """Shifted with zeros from the left; int32's own shift copies the sign."""
    return (word >> bits).bitwise_and_((1 << (32 - bits)) - 1)


FUSED = ("flash_sdp", "mem_efficient_sdp", "cudnn_sdp")


def _enable(which: Any) -> None:
    for name, on in which:
        getattr(torch.backends.cuda, "enable_" + name)(on)


def _library(key: str) -> Any:
    library = torch.library.Library("aten", "IMPL")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the kernels had others in their place is what is meant
        for name, kernel in KERNELS.items():
            library.impl(name, kernel, key)
        if key == "CUDA":
            library.impl("native_dropout", _native_dropout, key)
    return library


def _words(kind: str, tensor: Any) -> Any:
    shape = tuple(tensor.shape)
    draw = _randomness.draw(kind, shape)
    return words(draw, stream.step, tensor.device).reshape(shape)


def _uniform(tensor: Any, low: float = 0.0, high: float = 1.0, generator: Any = None) -> Any:
    return tensor.copy_(uniform(_words("uniform", tensor), tensor.dtype) * (high - low) + low)


def _bernoulli(tensor: Any, p: Any = 0.5, generator: Any = None) -> Any:
    return tensor.copy_(uniform(_words("bernoulli", tensor)) >= 1 - p)


def _normal(tensor: Any, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Any:
    return tensor.copy_(normal(_words("normal", tensor), tensor.dtype) * std + mean)


def _exponential(tensor: Any, rate: float = 1.0, generator: Any = None) -> Any:
    return tensor.copy_(-torch.log(uniform(_words("exponential", tensor), tensor.dtype)) / rate)


def _normal_around(mean: Any, std: Any = 1.0, generator: Any = None) -> Any:
    like = mean + torch.as_tensor(std) if torch.is_tensor(mean) else std + mean
    return _normal(torch.empty_like(like)) * std + mean


def _bernoulli_out(p: Any, generator: Any = None, *, out: Any) -> Any:
    return _bernoulli(out.resize_(p.shape), p)


def _native_dropout(tensor: Any, p: float, train: Any) -> Any:
    if train is False:
        return tensor, torch.ones_like(tensor, dtype=torch.bool)
    mask = _bernoulli(torch.empty_like(tensor, dtype=torch.bool), 1 - p)
    return tensor * mask * (0.0 if p == 1 else 1 / (1 - p)), mask


def _rng_state() -> Any:
    state = _before["get"]()
    state.samestep_number = stream.number  # for a checkpoint, which draws again what it drew before
    return state


def _set_rng_state(state: Any) -> None:
    _before["set"](state)
    stream.number = getattr(state, "samestep_number", stream.number)


KERNELS = {
    "uniform_": _uniform,
    "normal_": _normal,
    "exponential_": _exponential,
    "bernoulli_.float": _bernoulli,
    "bernoulli_.Tensor": _bernoulli,
    "bernoulli.out": _bernoulli_out,
    "normal.Tensor_float": _normal_around,
    "normal.float_Tensor": _normal_around,
    "normal.Tensor_Tensor": _normal_around,
}
"""What stands for PyTorch's kernels, aten/src/ATen/native/Distributions.cpp; all others end in these."""
