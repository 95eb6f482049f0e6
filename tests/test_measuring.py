"""Digests and norms: what the compiled function finds is what NumPy and xxhash find."""

import shutil

import numpy as np
import pytest
import xxhash
from hypothesis import given, settings
from hypothesis import strategies as st

from samestep.recording import digests, measuring
from samestep.recording.measuring import XXH3

DTYPES = ["float32", "float64", "float16", "int32", "uint8", "uint16", "bool", "complex64"]
CHUNK = 16384
"""Bytes of which the compiled function takes digest and norm together."""


def by_numpy(arrays, monkeypatch):
    with monkeypatch.context() as without:
        without.setattr(measuring, "_compiled", lambda: None)
        return measured(arrays)


def measured(arrays):
    """(digest of each array, norms)."""
    names = ["float32" if array is None else array.dtype.name for array in arrays]
    found, norms = measuring.measure_of(names, XXH3)(arrays)
    return [found[place : place + 16] for place in range(0, len(found), 16)], norms


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler: NumPy measures")
def test_where_there_is_a_compiler_the_compiled_function_measures():
    assert measuring._compiled() is not None


@given(st.lists(st.tuples(st.sampled_from(DTYPES), st.integers(0, 6000), st.integers(0, 99)), max_size=6))
@settings(max_examples=60, deadline=None)
def test_any_arrays_have_the_digests_and_norms_that_numpy_finds(kinds):
    arrays = []
    for name, count, seed in kinds:
        raw = np.random.default_rng(seed).bytes(count * np.dtype(name).itemsize)
        arrays.append(None if seed == 0 else np.frombuffer(raw, "uint8").view(name))
        if name == "bool":
            arrays[-1] = np.frombuffer(raw, "uint8") > 127
    with pytest.MonkeyPatch.context() as monkeypatch, np.errstate(all="ignore"):
        (found, norms), (expected, lengths) = measured(arrays), by_numpy(arrays, monkeypatch)
    assert found == expected
    np.testing.assert_allclose(norms, lengths, rtol=1e-4, atol=1e-18)


@pytest.mark.parametrize("bytes_", [0, 4, CHUNK - 4, CHUNK, CHUNK + 4, 5 * CHUNK, 5 * CHUNK + 12])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays_that_are_looked_at_in_parts_have_the_digest_and_norm_of_the_whole(dtype, bytes_):
    array = np.random.default_rng(0).standard_normal(bytes_ // np.dtype(dtype).itemsize).astype(dtype)
    found, norms = measured([array])
    assert found == [xxhash.xxh3_128_digest(array)]
    assert norms == pytest.approx([np.linalg.norm(array.astype("float64"))])


def test_any_bit_changes_a_digest_and_no_other():
    array = np.random.default_rng(0).standard_normal(CHUNK // 2).astype("float32")
    digests_ = {measured([array])[0][0]}
    for place in (0, 1, CHUNK // 4, array.size - 1):
        other = array.copy()
        other.view("uint32")[place] ^= 1
        found = measured([array, other])[0]
        assert found[0] in digests_
        assert found[1] not in digests_
        digests_.add(found[1])


@pytest.mark.parametrize("values", [[3e30, 4e30], [np.nan, 1], [np.inf, 1], [-0.0, 0.0], [3.0]])
def test_numbers_that_overflow_or_are_none_have_the_norm_that_they_have(values, monkeypatch):
    arrays = [np.array(values, dtype) for dtype in ("float32", "float64")]
    expected = [np.linalg.norm(np.array(values))] * 2
    np.testing.assert_allclose(measured(arrays)[1], expected, rtol=1e-6)
    np.testing.assert_allclose(by_numpy(arrays, monkeypatch)[1], expected, rtol=1e-6)


def test_what_is_not_there_has_a_digest_of_zeros_and_no_norm():
    (missing, there), norms = measured([None, np.ones(3, "int64")])
    assert missing == digests.ABSENT
    assert there == xxhash.xxh3_128_digest(np.ones(3, "int64"))
    np.testing.assert_allclose(norms, [np.nan, 3**0.5])


def test_an_array_that_is_scattered_in_memory_is_refused_and_not_misread():
    with pytest.raises((BufferError, ValueError)):
        measured([np.ones((4, 6), "float32").T])


@pytest.mark.filterwarnings("ignore")
def test_tensors_of_pytorch_are_measured_where_they_lie_and_others_by_an_array_of_them():
    import torch

    from samestep.frameworks._recording_torch import _array

    if not measuring.takes_tensors(torch, lambda tensor: _array(torch, tensor)):
        pytest.skip(f"PyTorch {torch.__version__} has no DLPack exchange, or nothing was compiled")
    torch.manual_seed(0)
    lying = [
        torch.nn.Parameter(torch.randn(70, 90)),
        torch.randn(10, 4)[3:5],
        torch.tensor(3.0),
        torch.randn(9).double(),
    ]
    lying += [torch.randn(5, 1, 6).transpose(0, 1), torch.randn(3, requires_grad=True) * 2]
    elsewhere = [torch.randn(9, 7).T, torch.eye(4).to_sparse(), torch.zeros(0), torch.arange(5), torch.ones(2) > 0]
    tensors = [*lying, None, *elsewhere]
    found, norms = measuring._compiled()(tensors)
    for place, tensor in enumerate(tensors):
        digest = found[16 * place : 16 * place + 16]
        if tensor is None:
            assert digest == digests.ABSENT
        else:
            array = np.ascontiguousarray(_array(torch, tensor))
            assert digest == xxhash.xxh3_128_digest(array), tensor
            if array.dtype.kind == "f":
                assert norms[place] == pytest.approx(np.linalg.norm(array.astype("float64")))
