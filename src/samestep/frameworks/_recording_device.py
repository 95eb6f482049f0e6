"""Digests and norms of PyTorch's tensors where they lie: a handful of kernels for all of them, and one small transfer.

The digest is mix-128 of samestep.recording.digests: sums of integers, which are the same in whatever order they are made. No
atomics: sums of each tensor are differences of a running sum over all of them.
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from samestep.recording import digests
from samestep.recording.measuring import Digested

MASK = 0xFFFFFFFF


class _Layout(NamedTuple):
    """For tensors of these sizes: each word's place in its tensor times GOLDEN, and each tensor's first and last word."""

    places: Any
    first: Any
    last: Any


_layouts: Dict[Tuple[Any, ...], _Layout] = {}


def digested(
    torch: Any, tensors: Sequence[Any], device: Any, fetch: Callable[[Any, Any], np.ndarray]
) -> List[Optional[Digested]]:
    """Each tensor digested on the device, None where it is None; fetch(torch, tensor): the whole of one as an array."""
    there = [one.detach().to(device) for one in tensors if one is not None]
    words = [_words(torch, one) for one in there]
    layout = _layout(torch, tuple(word.numel() for word in words), device)
    sums = _sums(torch, torch.cat(words), layout)
    norms = torch.stack([_norm(torch, one) for one in there]).view(torch.int64)
    table = torch.cat([sums, norms[None]]).cpu().numpy()
    found = iter(_digested(torch, one, table[:4, number], table[4, number], fetch) for number, one in enumerate(there))
    return [None if one is None else next(found) for one in tensors]


def _digested(torch: Any, tensor: Any, sums: np.ndarray, norm: np.ndarray, fetch: Any) -> Digested:
    size = np.uint32(tensor.numel() * tensor.element_size() & MASK)
    lanes = np.array(digests.LANES, np.uint32)
    words = (sums & MASK).astype(np.uint32) ^ digests.scrambled(size ^ lanes)
    name = str(tensor.dtype).replace("torch.", "")
    dtype = np.dtype("uint16" if name == "bfloat16" else name)
    length = float(np.array(norm).view(np.float64))
    return Digested(words.astype("<u4").tobytes(), length, dtype, tuple(tensor.shape), lambda: fetch(torch, tensor))


def _words(torch: Any, tensor: Any) -> Any:
    """The tensor's bytes as int32 words, filled up with zeros."""
    raw = tensor.contiguous().reshape(-1).view(torch.uint8)
    over = -raw.numel() % 4
    raw = torch.cat([raw, raw.new_zeros(over)]) if over else raw
    return raw.view(torch.int32)


def _layout(torch: Any, sizes: Tuple[int, ...], device: Any) -> _Layout:
    key = (sizes, str(device))
    if key not in _layouts:
        ends = np.cumsum(sizes)
        places = np.concatenate([np.arange(size, dtype=np.uint32) * np.uint32(digests.GOLDEN) for size in sizes])
        arrays = (places.view(np.int32), ends - np.array(sizes), ends)
        _layouts.clear()  # of one model at a time, since they are as large as it
        _layouts[key] = _Layout(*(torch.from_numpy(np.ascontiguousarray(array)).to(device) for array in arrays))
    return _layouts[key]


def _sums(torch: Any, words: Any, layout: _Layout) -> Any:
    """The four sums of each tensor, int64 (4, tensors)."""
    lanes = torch.from_numpy(np.array(digests.LANES, np.uint32).view(np.int32)).to(words.device)
    mixed = _scrambled(torch, words ^ (layout.places + lanes[:, None]))
    running = torch.nn.functional.pad(mixed.to(torch.int64).cumsum(1), (1, 0))
    return running[:, layout.last] - running[:, layout.first]


def _scrambled(torch: Any, words: Any) -> Any:
    """As in digests, on int32, whose shifts keep the sign and whose products wrap."""
    for shift, factor in digests.SCRAMBLE:
        logical = (words >> shift) & ((1 << (32 - shift)) - 1)
        words = (words ^ logical) * int(np.uint32(factor).view(np.int32))
    return words


def _norm(torch: Any, tensor: Any) -> Any:
    """float64, NaN of what has none."""
    if tensor.dtype == torch.bool or tensor.is_complex():
        return torch.full((), float("nan"), dtype=torch.float64, device=tensor.device)
    wide = tensor if tensor.dtype in (torch.float32, torch.float64) else tensor.to(torch.float64)
    return torch.linalg.vector_norm(wide.reshape(-1)).to(torch.float64)
