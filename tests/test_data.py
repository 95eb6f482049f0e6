"""Data from its name to checked arrays."""

import contextlib
import io
import zipfile

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from samestep import data
from samestep.errors import DataError, UsageError

X, Y = np.arange(12, dtype=np.float32).reshape(3, 4), np.array([0, 1, 2])


@pytest.fixture
def stored(tmp_path):
    """Writes bytes or arrays as an .npz file and returns its path."""

    def write(content=None, **named):
        path = tmp_path / "rows.npz"
        if content is None:
            np.savez(path, **named)
        else:
            path.write_bytes(content)
        return str(path)

    return write


@pytest.fixture
def made(tmp_path):
    """Writes a .py file of data and returns its path."""

    def write(source):
        path = tmp_path / "rows.py"
        path.write_text(source)
        return str(path)

    return write


def zipped(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def test_digits_are_1797_rows_of_64_pixels_in_0_to_1():
    digits = data.load("digits")
    assert (digits.x.shape, digits.x.dtype, digits.x.min(), digits.x.max()) == ((1797, 64), np.float32, 0, 1)
    assert (digits.y.shape, digits.y.dtype) == ((1797,), np.int64)
    assert set(digits.y) == set(range(10))


@pytest.mark.parametrize("names", [("x", "y"), ("x_train", "y_train")], ids=str)
def test_a_file_of_arrays_is_read_as_it_is(stored, names):
    path = stored(**dict(zip(names, (X, Y), strict=True)), x_test=X[:1], y_test=Y[:1])
    found = data.load(path)
    assert found.name == path
    assert (found.x.tobytes(), found.y.tobytes()) == (X.tobytes(), Y.tobytes())


@pytest.mark.parametrize("returned", ["x, y", "[x, y]", "{'x': x, 'y': y}", "{'x_train': x, 'y_train': y}"])
def test_a_function_may_return_a_pair_or_named_arrays(made, returned):
    path = made(f"import numpy as np\ndef rows():\n    x, y = np.ones((3, 4)), [0, 1, 2]\n    return {returned}\n")
    found = data.load(f"{path}:rows")
    assert (found.x.shape, found.y.tolist()) == ((3, 4), [0, 1, 2])


def test_the_function_is_called_data_unless_another_is_named(made):
    assert data.load(made("def data(): return [[1.0]], [0]\n")).x.tolist() == [[1.0]]


def test_a_pair_of_arrays_is_taken_as_it_is():
    found = data.load((X, Y))
    assert found.x is X
    assert found.y is Y


@pytest.mark.parametrize("where", ["folder", "file", "keras"])
def test_mnist_is_found_where_it_is(monkeypatch, tmp_path, where):
    folder = tmp_path / "datasets"
    folder.mkdir()
    np.savez(folder / "mnist.npz", x_train=X, y_train=Y, x_test=X, y_test=Y)
    places = {"folder": folder, "file": folder / "mnist.npz"}
    monkeypatch.delenv("SAMESTEP_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path if where == "keras" else tmp_path / "nowhere"))
    if where in places:
        monkeypatch.setenv("SAMESTEP_DATA", str(places[where]))
    assert data.load("mnist").x.shape == (3, 4)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "it is empty"),
        (b"x,y\n1,2\n", "it is no zip archive"),
        (b"\x80\x04K\x01.", "it is no zip archive"),
        (zipped(**{"x.npy": b"\x93NUMPY\x01\x00\xff\xff", "y.npy": b""}), "EOF"),
    ],
    ids=["empty", "text", "pickle", "cut arrays"],
)
def test_a_file_that_is_no_archive_of_arrays_is_refused(stored, content, reason):
    with pytest.raises(DataError, match=rf"rows.npz: cannot be read as an .npz file of plain arrays \(.*{reason}"):
        data.load(stored(content))


def test_an_archive_of_empty_entries_holds_no_rows(stored):
    with pytest.raises(DataError, match="x is empty"):
        data.load(stored(zipped(**{"x.npy": b"", "y.npy": b""})))


def test_a_single_array_under_the_name_of_an_archive_is_refused(stored):
    stream = io.BytesIO()
    np.save(stream, X)
    with pytest.raises(DataError, match="it is no zip archive"):
        data.load(stored(stream.getvalue()))


def test_a_file_of_data_that_is_cut_anywhere_is_refused(stored):
    with open(stored(x=X, y=Y), "rb") as file:
        whole = file.read()
    for length in range(len(whole)):
        with pytest.raises(DataError, match=r"cannot be read as an \.npz file"):
            data.load(stored(whole[:length]))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@given(place=st.integers(0, 2**16), change=st.integers(1, 255))
@settings(max_examples=200, deadline=None)
def test_a_file_of_data_with_any_byte_changed_is_read_or_refused(tmp_path_factory, save, place, change):
    path = tmp_path_factory.mktemp("changed") / "rows.npz"
    save(path, x=X, y=Y)
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= change
    path.write_bytes(content)
    with contextlib.suppress(DataError):
        found = data.load(str(path))
        assert len(found.x) == len(found.y) > 0


def test_an_archive_whose_arrays_hold_objects_is_refused_and_runs_no_code(stored, tmp_path):
    class Touch:
        def __reduce__(self):
            return (tmp_path.joinpath("touched").touch, ())

    with pytest.raises(DataError, match="cannot be read"):
        data.load(stored(x=X, y=np.array([Touch(), 1, 2], object)))
    assert not tmp_path.joinpath("touched").exists()


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("def data(): raise KeyError('rows')\n", "rows.py:data raised KeyError: 'rows'\n.*rows.py\", line 1, in data"),
        ("def data(): return 1\n", r"should return \(x, y\), it returned int\."),
        ("def data(): return 1, 2, 3\n", r"should return \(x, y\), it returned tuple\."),
        ("import sys\ndef data(): sys.exit(0)\n", "rows.py:data raised SystemExit: 0"),
        ("def load(): pass\n", r"no function data\(\). The file defines: load\."),
        ("def data(:\n", 'raised SyntaxError: .*\n.*rows.py", line 1'),
        ("import no_such_module\n", "raised ModuleNotFoundError"),
        ("def data(): return {'a': [1]}\n", "should hold arrays x and y"),
        ("def data(): return [[1.0], [2.0, 3.0]], [0, 1]\n", "rows.py:data: x is no array: "),
        ("def data(): return {'x': [1.0], 'y': [[1], []]}\n", "rows.py:data: y is no array: "),
    ],
)
def test_a_function_of_data_that_fails_is_reported_with_its_own_lines(made, source, message):
    with pytest.raises(DataError, match=message) as caught:
        data.load(made(source))
    assert "data/loading.py" not in str(caught.value)


@pytest.mark.parametrize("name", ["nothing.npz", "nothing.py", "nothing.py:rows"])
def test_a_file_of_data_that_does_not_exist_is_said_not_to(name):
    with pytest.raises(DataError, match=r"nothing\.\w+: there is no such file\."):
        data.load(name)


@pytest.mark.parametrize("name", ["rows.npz", "rows.py"])
def test_a_folder_is_no_file_of_data(tmp_path, name):
    tmp_path.joinpath(name).mkdir()
    with pytest.raises(DataError, match="is a folder, a file is expected"):
        data.load(str(tmp_path / name))


def test_a_file_of_another_kind_is_told_what_is_read(tmp_path):
    tmp_path.joinpath("rows.csv").touch()
    with pytest.raises(UsageError, match=r"rows.csv: data is read from a FILE\.npz"):
        data.load(str(tmp_path / "rows.csv"))


@pytest.mark.parametrize("wrong", [(X,), (X, Y, Y), 5, None], ids=["one", "three", "number", "none"])
def test_what_is_no_pair_of_arrays_is_refused(wrong):
    with pytest.raises(DataError, match=r"arrays should return \(x, y\)|arrays should be"):
        data.load(wrong)


@given(
    arrays.arrays(np.float32, (3, 2), elements=st.floats(width=32)),
    st.sampled_from(["x", "y"]),
)
def test_data_is_taken_exactly_when_every_number_in_it_is_finite(array, side):
    pair = (array, Y) if side == "x" else (X, array)
    if np.isfinite(array).all():
        assert data.load(pair).name == "arrays"
    else:
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
        with pytest.raises(DataError, match=f"{side} holds .* the first at {side}\\[{place[0]}, {place[1]}\\]"):
            data.load(pair)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (np.float32(1), Y, r"x is empty|x has no rows"),
        (X[:0], Y[:0], r"its shape is \(0, 4\)"),
        (X[:, :0], Y, r"its shape is \(3, 0\)"),
        (X, np.int64(1), r"x has 3 rows and y has shape \(\)"),
        (X, Y[:2], r"x has 3 rows and y has shape \(2,\)"),
        (X.astype(complex), Y, "x has dtype complex128. Numbers"),
        (X, Y.astype("M8[s]"), r"y has dtype datetime64\[s\]"),
    ],
    ids=["scalar", "no rows", "no columns", "scalar labels", "lengths", "complex", "dates"],
)
def test_arrays_that_no_program_can_train_on_are_refused(x, y, message):
    with pytest.raises(DataError, match=message):
        data.load((x, y))
