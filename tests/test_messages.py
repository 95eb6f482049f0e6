"""Frames between parent and child: every array arrives bit for bit, and no foreign frame does harm."""

import io
import json
import tracemalloc

import hypothesis.extra.numpy as arrays
import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given, settings

from samestep.worker import messages

NATIVE = [np.dtype(code) for code in "?bhilqBHILQefdgFDG"]
NAMES = st.text(max_size=8).filter(lambda name: name != messages.ARRAY)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)


def round_trip(message):
    return messages.read(io.BytesIO(written(message)))


def written(message):
    stream = io.BytesIO()
    messages.write(stream, message)
    return stream.getvalue()


def frame(header, payload=b"", header_size=None, payload_size=None):
    """A frame by hand; the sizes that it claims are the true ones unless others are given."""
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    sizes = header_size or len(header), payload_size or len(payload)
    return messages.PREFIX.pack(messages.MAGIC, *sizes) + header + payload


def assert_same_bits(one, other):
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert one.tobytes() == other.tobytes()


def any_bits(dtype):
    """Arrays of any bytes at all, NaN payloads, subnormals and -0.0 among them."""

    def with_shape(shape):
        size = int(np.prod(shape)) * dtype.itemsize
        return st.binary(min_size=size, max_size=size).map(lambda b: np.frombuffer(b, dtype).reshape(shape))

    return arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4).flatmap(with_shape)


@given(st.sampled_from(NATIVE).flatmap(any_bits))
@settings(deadline=None)
def test_every_native_array_arrives_bit_for_bit(array):
    assert_same_bits(round_trip({"a": [array]})["a"][0], array)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64], ids=lambda dtype: dtype.__name__)
def test_zeros_subnormals_and_nan_payloads_keep_their_bits(dtype):
    tiny = np.finfo(dtype).smallest_subnormal
    bits = np.dtype(f"u{np.dtype(dtype).itemsize}")
    nan_with_payload = (np.array(np.nan, dtype).view(bits) | bits.type(5)).view(dtype)
    array = np.array([0.0, -0.0, tiny, -tiny, np.inf, -np.inf, np.nan, nan_with_payload], dtype)
    assert len(set(array.view(bits).tolist())) == len(array)
    assert_same_bits(round_trip(array), array)


@given(arrays.arrays(np.dtype("<f8"), (3, 4)), st.permutations([0, 1]), st.sampled_from([-2, -1, 1, 2]))
def test_transposed_and_strided_arrays_arrive_as_they_look(array, axes, stride):
    view = array.transpose(axes)[::stride, ::-1]
    assert_same_bits(round_trip(view), np.ascontiguousarray(view))


@given(st.sampled_from([">i2", ">u4", ">f2", ">f4", ">f8", ">c8"]).map(np.dtype).flatmap(any_bits))
def test_big_endian_arrays_arrive_in_the_machines_order_with_the_same_bits(array):
    received = round_trip(array)
    assert received.dtype == array.dtype.newbyteorder("=")
    assert received.tobytes() == array.byteswap().tobytes()


@given(st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=8))
def test_plain_trees_arrive_equal(tree):
    assert round_trip(tree) == tree


def test_infinite_and_nan_scalars_arrive():
    assert repr(round_trip([np.inf, -np.inf, np.nan, -0.0])) == "[inf, -inf, nan, -0.0]"


def test_numpy_scalars_arrive_as_pythons_or_as_arrays_without_dimensions():
    assert round_trip([np.float32(0.1), np.int64(3), np.bool_(True)]) == [float(np.float32(0.1)), 3, True]
    assert_same_bits(round_trip(np.complex64(1 + 2j)), np.array(1 + 2j, np.complex64))


def test_bfloat16_and_8_bit_floats_arrive_exactly_in_float32():
    import ml_dtypes

    for dtype in (ml_dtypes.bfloat16, ml_dtypes.float8_e5m2, ml_dtypes.float8_e4m3fn):
        array = np.array([0.5, -1.5, 3.0, -0.0], dtype)
        assert_same_bits(round_trip(array), array.astype(np.float32))


def test_received_arrays_are_aligned_and_writable():
    for array in round_trip([np.ones(3, np.int8), np.ones((2, 3)), np.ones(1, np.complex128)]):
        assert array.flags.aligned
        assert array.flags.writeable


@pytest.mark.parametrize(
    "array",
    [
        np.array([object()]),
        np.array([1, "a"], object),
        np.array(["a"]),
        np.array([b"a"]),
        np.array(["2020-01-01"], "M8[D]"),
        np.zeros(2, [("a", "f4")]),
        np.zeros(2, "V4"),
    ],
    ids=lambda array: str(array.dtype),
)
def test_arrays_of_anything_but_numbers_are_refused_before_a_byte_is_written(array):
    stream = io.BytesIO()
    with pytest.raises(TypeError, match="numbers are needed"):
        messages.write(stream, {"fine": np.ones(3), "wrong": array})
    assert stream.getvalue() == b""


def test_a_name_that_would_be_taken_for_an_array_is_refused():
    with pytest.raises(ValueError, match="marks arrays"):
        messages.write(io.BytesIO(), {"parameters": {messages.ARRAY: 1}})


SMALL = written({"name": "x", "value": np.arange(3, dtype=np.float32)})


@pytest.mark.parametrize("length", range(len(SMALL)))
def test_a_frame_cut_at_any_byte_is_the_end_of_the_line(length):
    with pytest.raises(EOFError, match=r"closed .* before the end of a frame"):
        messages.read(io.BytesIO(SMALL[:length]))


@given(st.integers(0, len(SMALL) - 1), st.integers(1, 255))
@settings(max_examples=500, deadline=None)
def test_a_frame_with_any_byte_changed_is_read_or_refused(place, change):
    changed = bytearray(SMALL)
    changed[place] ^= change
    try:
        messages.read(io.BytesIO(changed))
    except (ValueError, EOFError) as error:
        assert str(error)  # noqa: PT017 - it need not raise; if it does, it says something


@given(st.binary(max_size=200))
def test_any_bytes_at_all_are_refused(data):
    with pytest.raises((ValueError, EOFError)):
        messages.read(io.BytesIO(data))


@pytest.mark.parametrize(
    "claims", [{"payload_size": 2**60}, {"payload_size": 2**39}, {"header_size": 2**32 - 1}], ids=str
)
def test_a_frame_that_claims_much_and_brings_little_allocates_little(claims):
    stream = io.BytesIO(frame({}, **claims))
    tracemalloc.start()
    try:
        with pytest.raises((ValueError, EOFError)):
            messages.read(stream)
        assert tracemalloc.get_traced_memory()[1] < 4 * messages.CHUNK
    finally:
        tracemalloc.stop()


def test_an_impossible_payload_is_refused_without_waiting_for_it():
    class Endless(io.BytesIO):
        def readinto(self, buffer):
            count = super().readinto(buffer)
            assert count, "waited for bytes that never come"
            return count

    with pytest.raises(ValueError, match=f"claims {2**60} bytes"):
        messages.read(Endless(frame({}, payload_size=2**60)))


def test_a_payload_larger_than_a_chunk_arrives_whole(monkeypatch):
    monkeypatch.setattr(messages, "CHUNK", 7)
    array = np.arange(1000.0)
    assert_same_bits(round_trip(array), array)


@pytest.mark.parametrize(
    "entry",
    [
        ["<f4", [5], 0],
        ["<f4", [4], 4],
        ["<f4", [1], 16],
        ["<f4", [1], 2**70],
        ["<f4", [2**62, 2**62], 0],
        ["<f4", [1], -4],
        ["<f4", [-1], 0],
        ["<f4", [1.0], 0],
        ["<f4", [True], 0],
        ["<f4", 4, 0],
        ["<f4", None, 0],
        ["<f4", [1]],
        ["<f3", [1], 0],
        ["O", [1], 0],
        ["|O", [1], 0],
        ["|O8", [1], 0],
        ["<M8[D]", [1], 0],
        ["<U1", [1], 0],
        ["|V4", [1], 0],
        ["f4,f4", [1], 0],
        ["(2,)f4", [1], 0],
        [["<f4"], [1], 0],
        [None, [1], 0],
        "<f4",
        None,
        {},
        7,
    ],
    ids=str,
)
def test_an_array_that_is_not_in_the_payload_is_refused(entry):
    with pytest.raises(ValueError, match=r"outside the frame|describes no array"):
        messages.read(io.BytesIO(frame({messages.ARRAY: entry}, bytes(16))))


@pytest.mark.parametrize(
    "header", [b"", b"{", b"\xff\xfe", b"nothing", b"[" * 100_000, b'{"a":' * 100_000], ids=lambda header: header[:6]
)
def test_a_header_that_is_no_json_is_refused(header):
    with pytest.raises(ValueError, match=r"."):
        messages.read(io.BytesIO(frame(header)))


def test_a_pickle_in_the_place_of_a_frame_runs_no_code(tmp_path):
    import pickle

    class Touch:
        def __reduce__(self):
            return (tmp_path.joinpath("touched").touch, ())

    with pytest.raises(ValueError, match="not a samestep frame"):
        messages.read(io.BytesIO(pickle.dumps(Touch())))
    assert not tmp_path.joinpath("touched").exists()


def test_frames_follow_each_other_on_one_stream():
    stream = io.BytesIO(written([1]) + written(np.ones(2)) + written({"a": None}))
    assert messages.read(stream) == [1]
    assert_same_bits(messages.read(stream), np.ones(2))
    assert messages.read(stream) == {"a": None}
    with pytest.raises(EOFError):
        messages.read(stream)
