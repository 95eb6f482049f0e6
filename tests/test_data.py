"""Data from its name to checked arrays."""

import contextlib
import io
import itertools
import pickle
import zipfile

import hypothesis.extra.numpy as arrays
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from sklearn.datasets import load_sample_images

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


def test_the_sequence_is_nine_tenths_and_the_tenth_that_follows_each():
    found = data.load("sequence")
    assert (found.x.shape, found.x.dtype, found.y.shape, found.y.dtype) == ((9, 1), np.float32, (9, 1), np.float32)
    np.testing.assert_array_equal(found.x[:, 0], np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8], np.float32))
    np.testing.assert_array_equal(found.y[:-1], found.x[1:])


def test_photos_are_1950_patches_of_ten_classes_of_one_size_each_time_the_same():
    found, again = data.load("photos"), data.load("photos")
    assert (found.x.shape, found.x.dtype) == ((1950, 32, 32, 3), np.uint8)
    assert (found.y.shape, found.y.dtype, np.bincount(found.y).tolist()) == ((1950,), np.int64, [195] * 10)
    assert (found.x.tobytes(), found.y.tobytes()) == (again.x.tobytes(), again.y.tobytes())


def test_a_photo_s_patches_are_classed_from_dark_to_bright():
    found = data.load("photos")
    brightness = found.x.sum(axis=(1, 2, 3), dtype=np.int64)
    for first in (0, 5):
        ranges = [(brightness[found.y == c].min(), brightness[found.y == c].max()) for c in range(first, first + 5)]
        assert all(darker[1] <= brighter[0] for darker, brighter in itertools.pairwise(ranges))


def test_patches_are_cut_from_the_photos_as_they_are():
    temple = load_sample_images().images[0]
    found = data.load("photos")
    corner = found.x[found.y < 5]
    assert any(np.array_equal(patch, temple[:32, :32]) for patch in corner)
    assert any(np.array_equal(patch, temple[16:48, 32:64]) for patch in corner)


IMAGES = np.random.default_rng(2).integers(0, 256, (10, 32, 32, 3)).astype(np.uint8)
LABELS = [7, 0, 3, 9, 1, 2, 8, 4, 6, 5]


def batches_as_published(folder):
    """Two images a file, in planes of red, green and blue, pickled as CIFAR-10's authors did."""
    folder.mkdir(parents=True)
    for number in range(5):
        part = slice(2 * number, 2 * number + 2)
        held = {b"data": IMAGES[part].transpose(0, 3, 1, 2).reshape(2, -1), b"labels": LABELS[part]}
        (folder / f"data_batch_{number + 1}").write_bytes(pickle.dumps(held, protocol=2))


@pytest.fixture
def keras_cache(monkeypatch, tmp_path):
    """The folder of Keras's cached data."""
    monkeypatch.delenv("SAMESTEP_DATA", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "datasets"


@pytest.mark.parametrize("folder", ["cifar-10-batches-py", "cifar-10-batches-py-target/cifar-10-batches-py"])
def test_cifar10_is_read_from_the_cache_of_old_and_new_keras(keras_cache, folder):
    batches_as_published(keras_cache / folder)
    found = data.load("cifar10")
    np.testing.assert_array_equal(found.x, IMAGES)
    assert (found.x.dtype, found.y.tolist()) == (np.uint8, LABELS)


def packed(path, images, labels):
    files = []
    for image in images:
        stream = io.BytesIO()
        Image.fromarray(image).save(stream, "JPEG", quality=100)
        files.append(stream.getvalue())
    offsets = np.cumsum([0, *map(len, files)])
    np.savez(path, jpg_train=np.frombuffer(b"".join(files), np.uint8), off_train=offsets, y_train=labels)


@pytest.mark.parametrize("name", ["cifar10", "cifar10_jpeg"])
def test_cifar10_is_found_as_arrays_and_as_packed_jpegs(monkeypatch, tmp_path, name):
    monkeypatch.setenv("SAMESTEP_DATA", str(tmp_path))
    smooth = np.repeat(np.arange(0, 250, 25, np.uint8), 32 * 32 * 3).reshape(10, 32, 32, 3)
    if name == "cifar10":
        np.savez(tmp_path / "cifar10.npz", x_train=smooth, y_train=LABELS, x_test=smooth, y_test=LABELS)
    else:
        packed(tmp_path / "cifar10_jpeg.npz", smooth, LABELS)
    found = data.load("cifar10")
    assert (found.x.shape, found.x.dtype, found.y.tolist()) == ((10, 32, 32, 3), np.uint8, LABELS)
    assert np.max(np.abs(found.x.astype(int) - smooth)) <= 1  # JPEG rounds


def test_a_file_of_packed_jpegs_is_read_by_its_path_too(tmp_path):
    packed(tmp_path / "some.npz", IMAGES[:3], LABELS[:3])
    assert data.load(str(tmp_path / "some.npz")).x.shape == (3, 32, 32, 3)


@pytest.mark.parametrize(
    "held", [{"off_train": [0, 4]}, {"off_train": [0, 9]}, {}], ids=["no image", "too few", "no offsets"]
)
def test_packed_jpegs_that_are_none_are_refused(stored, held):
    with pytest.raises(DataError, match=r"cannot be read as an \.npz file"):
        data.load(stored(jpg_train=np.zeros(4, np.uint8), y_train=np.zeros(1), **held))


@pytest.mark.parametrize("content", [pickle.dumps(["no", "dict"]), b"", b"\x80", pickle.dumps({b"data": 1})], ids=str)
def test_a_batch_that_is_none_of_cifar10_is_refused(keras_cache, content):
    batches_as_published(keras_cache / "cifar-10-batches-py")
    (keras_cache / "cifar-10-batches-py" / "data_batch_3").write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as CIFAR-10"):
        data.load("cifar10")


def test_a_batch_that_would_run_code_is_refused_and_runs_none(keras_cache, tmp_path):
    class Touch:
        def __reduce__(self):
            return open, (str(tmp_path / "touched"), "w")

    batches_as_published(keras_cache / "cifar-10-batches-py")
    (keras_cache / "cifar-10-batches-py" / "data_batch_1").write_bytes(pickle.dumps({b"data": Touch(), b"labels": [1]}))
    with pytest.raises(DataError, match="asks for"):
        data.load("cifar10")
    assert not (tmp_path / "touched").exists()


@pytest.mark.parametrize("name", ["mnist", "cifar10"])
def test_data_that_is_not_here_says_where_it_was_looked_for_and_how_to_get_it(keras_cache, name):
    with pytest.raises(DataError) as error:
        data.load(name)
    assert f"{name}.npz is not here: looked in {keras_cache}" in str(error.value)
    assert f"keras.datasets.{name}.load_data()" in str(error.value)


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


# rows to evaluate on


def test_where_there_is_a_test_part_it_is_held_out(tmp_path):
    one, two = X + 1, X + 2
    path = str(tmp_path / "rows.npz")
    np.savez(path, x_train=X, y_train=Y, x_val=two, y_val=Y, x_test=one, y_test=Y)
    found = data.load_split(path)
    np.testing.assert_array_equal(found.train.x, X)
    np.testing.assert_array_equal(found.held.x, one)
    assert found.held_out == "the test part"
    np.testing.assert_array_equal(data.load_split((X, Y, two, Y)).held.x, two)
    (tmp_path / "rows.py").write_text(
        "import numpy as np\ndef data():\n    return {'x': np.ones((3, 4)), 'y': np.ones(3), 'x_val': np.ones((2, 4)), "
        "'y_val': np.ones(2)}\n"
    )
    assert data.load_split(str(tmp_path / "rows.py")).held.rows == 2


def test_elsewhere_a_fifth_of_the_rows_is_held_out_in_their_order_and_the_same_each_time():
    rows = np.arange(50.0)[:, None], np.arange(50)
    found, again = data.load_split(rows), data.load_split(rows)
    assert (found.train.rows, found.held.rows) == (40, 10)
    assert sorted([*found.train.y, *found.held.y]) == list(range(50))
    np.testing.assert_array_equal(found.held.y, np.sort(np.random.default_rng(0).permutation(50)[:10]))
    np.testing.assert_array_equal(found.held.x[:, 0], found.held.y)
    np.testing.assert_array_equal(found.held.y, again.held.y)
    assert found.held_out == "10 of 50 rows, which were held out"


def test_the_rows_of_sequence_are_scored_after_training_on_them():
    found = data.load_split("sequence")
    assert found.train == found.held


def test_one_row_cannot_be_trained_on_and_held_out():
    with pytest.raises(DataError, match="has 1 row; one to train on and one to evaluate on"):
        data.load_split((X[:1], Y[:1]))


@pytest.mark.parametrize("wrong", [(X,), (X, Y, Y), 5, None, (X, Y, X, Y[:1])])
def test_what_is_no_split_is_refused(wrong):
    with pytest.raises(DataError):
        data.load_split(wrong)
