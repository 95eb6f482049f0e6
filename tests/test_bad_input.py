"""Bad input, each kind through the command line: exit status 2 and one message that says what to do."""

import os
import subprocess
import sys
import venv

import numpy as np
import pytest

KERAS = """
    import keras
    import numpy as np

    def build():
        model = keras.Sequential([keras.Input(({},)), keras.layers.Dense(10, activation="softmax")])
        {}
        return model
"""
COMPILED = "model.compile(optimizer='sgd', loss='sparse_categorical_crossentropy')"


@pytest.fixture
def data(tmp_path):
    """Writes an .npz file of these arrays and returns its path."""

    def write(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return str(path)

    return write


def in_order(text, *parts):
    """Whether the parts stand in the text, one after the other."""
    places = [text.find(part) for part in parts]
    assert -1 not in places, text
    return places == sorted(places)


# the names of programs


def test_a_file_that_does_not_exist(refused, linear):
    assert "nowhere.py: there is no such file." in refused("match", "nowhere.py", linear())


def test_a_folder_in_the_place_of_a_file(refused, linear, tmp_path):
    folder = tmp_path / "folder.py"
    folder.mkdir()
    said = refused("match", folder, linear())
    assert in_order(said, "folder.py: is a folder.", "Give a file in it that defines build().")


@pytest.mark.parametrize("side", [0, 1])
def test_a_misspelt_experiment_names_the_near_one(refused, linear, side):
    names = [linear(), linear()]
    names[side] = "mnist-sofmax"
    assert in_order(refused("match", *names), "no program is called 'mnist-sofmax'.", "Did you mean mnist-softmax?")


def test_a_file_named_without_its_ending_is_recognised(refused, linear, monkeypatch, tmp_path):
    linear()
    monkeypatch.chdir(tmp_path)
    assert "Did you mean linear.py?" in refused("match", "linear", "linear")


def test_a_name_that_is_nothing_lists_what_there_is(refused):
    said = refused("match", "xyzzy")
    assert in_order(said, "no program is called 'xyzzy'.", "FILE.py:function", "mnist-softmax", "mnist-sigmoid")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnist-softmax", "--in", "theano,keras"), "mnist-softmax is not written in 'theano'. It is in tensorflow1"),
        (("mnist-softmax:theano", "mnist-softmax:keras"), "mnist-softmax is not written in 'theano'."),
        (("mnist-softmax", "--in", "keras"), "--in keras: name two frameworks or more, such as"),
        (("mnist-softmax", "mnist-softmax"), "mnist-softmax: in which framework?"),
        (("{linear}",), "compared with what? Give a second program"),
        (("{linear}", "{linear}", "--in", "keras,keras"), "--in picks the frameworks of one built-in experiment"),
    ],
)
def test_a_wrong_choice_of_frameworks_or_sides(refused, linear, arguments, message):
    assert message in refused("match", *(argument.format(linear=linear()) for argument in arguments))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--batch-size", "0"), "batch size should be at least 1, it is 0."),
        (("--steps", "0"), "number of steps should be at least 1, it is 0."),
        (("--epochs", "-2"), "number of epochs should be at least 1, it is -2."),
        (("--steps", "3", "--epochs", "3"), "give a number of epochs or of steps, not both."),
        (("--seed", "-1"), "'--seed'"),
        (("--timeout", "0"), "'--timeout'"),
        (("--steps", "many"), "'--steps'"),
        (("--tolerance", "1e-6"), "--tolerance"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, tuple) else "",
)
def test_a_wrong_option_names_it(refused, linear, arguments, message):
    assert message in refused("match", linear(), linear(), *arguments)


# what the file holds


def test_a_file_with_a_syntax_error_shows_the_line(refused, program, linear):
    said = refused("match", program("x = 1\ndef build(:\n", "broken.py"), linear())
    assert in_order(said, "broken.py): loading it raised SyntaxError", 'broken.py", line 2', "def build(:", "^")


def test_an_empty_file_has_no_build(refused, program, linear):
    said = refused("match", program("", "empty.py"), linear())
    assert in_order(said, "empty.py): no function build().", "no functions", "FILE.py:NAME")


def test_a_file_without_build_lists_its_functions(refused, program, linear):
    source = "from math import sqrt\ndef make_model(): pass\ndef train(): pass\n"
    said = refused("match", program(source, "script.py"), linear())
    assert in_order(said, "script.py): no function build().", "The file defines: make_model, train.", "FILE.py:NAME")
    assert "sqrt" not in said


def test_another_function_that_does_not_exist(refused, linear):
    path = linear()
    assert "no function other()." in refused("match", f"{path}:other", path)


def test_a_file_that_is_no_text(refused, tmp_path, linear):
    path = tmp_path / "image.py"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    assert "image.py): loading it raised " in refused("match", path, linear())


def test_an_error_in_build_shows_the_users_own_lines_and_no_others(refused, program, linear):
    source = "def build():\n    return helper(3)\n\ndef helper(n):\n    raise ValueError(f'{n} is odd')\n"
    said = refused("match", linear(), program(source, "raises.py"))
    assert in_order(
        said, "right (", "raises.py): build() raised ValueError: 3 is odd", 'raises.py", line 2, in build',
        "return helper(3)", 'raises.py", line 5, in helper', "raise ValueError",
    )  # fmt: skip


def test_an_error_deep_in_a_library_still_shows_the_users_line(refused, program, linear):
    source = "import json\ndef build():\n    return json.loads('[' * 9 + 'x')\n"
    said = refused("match", program(source, "deep.py"), linear())
    assert in_order(said, "JSONDecodeError", 'deep.py", line 3, in build', "raw_decode")


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("None", "build() returned None (is a return missing?), which is not a program."),
        ("42", "build() returned a int, which is not a program."),
        ("[Program()]", "build() returned a list, which is not a program."),
    ],
)
def test_what_is_no_program(refused, program, linear, returned, message):
    source = f"from samestep_numpy import Program\ndef build():\n    return {returned}\n"
    said = refused("match", program(source), linear())
    assert in_order(said, message, "Return a compiled Keras model, or a Program from one of: samestep.frameworks.")


def test_prepare_that_returns_no_pair(refused, program, linear):
    source = "from samestep_numpy import Program\ndef prepare(x, y): x / 255\ndef build(): return Program()\n"
    assert "prepare(x, y) should return (x, y), it returned NoneType." in refused("match", program(source), linear())


@pytest.mark.parametrize(
    ("returned", "message"),
    [
        ("x[:0], y[:0]", "x is empty, its shape is (0, 64)."),
        ("x[:5], y", "x has 5 rows and y has shape (1797,)."),
        ("x / x.min(), y", "x holds NaN or infinite values."),
        ("x, y.astype(str)", "y has dtype <U21. Numbers are needed."),
        ("x, y.astype(object)", "y has dtype object. Numbers are needed."),
    ],
)
def test_prepare_that_makes_the_data_unusable(refused, program, linear, returned, message):
    source = f"""
        import numpy as np
        from samestep_numpy import Program

        def prepare(x, y):
            with np.errstate(all="ignore"):
                return {returned}

        def build():
            return Program()
    """
    said = refused("match", program(source), linear())
    assert in_order(said, "what prepare(x, y) returned cannot be trained on: ", message)


def test_a_framework_that_the_interpreter_lacks_is_named_with_its_extra(refused, program, linear):
    source = """
        import sys

        class Lacking:
            def find_spec(self, name, path=None, target=None):
                if name.split(".")[0] == "keras":
                    raise ModuleNotFoundError("No module named 'keras'", name="keras")

        sys.meta_path.insert(0, Lacking())
        import keras
    """
    said = refused("match", program(source, "needy.py"), linear())
    assert in_order(
        said, f"needy.py): needs keras, which {sys.executable} does not have.", "pip install 'samestep[keras]'"
    )


def test_a_module_that_is_missing_and_no_framework_is_the_users_own_affair(refused, program, linear):
    said = refused("match", program("import no_such_module\n", "lost.py"), linear())
    assert in_order(said, "ModuleNotFoundError: No module named 'no_such_module'", 'lost.py", line 1')


# what the program does


def test_data_that_the_program_does_not_take(refused, linear):
    said = refused("match", linear(), linear("features=7", "narrow.py"))
    assert in_order(
        said, "right (", "takes rows of shape (7,), the data digits has rows of shape (64,).", "prepare(x, y)"
    )


def test_parameters_that_are_nan_from_the_start(refused, linear):
    said = refused("match", *[linear("kernel=[[float('nan')]] * 64", "lost.py")] * 2)
    assert in_order(
        said, "left (", "64 of the 64 values of parameter kernel are NaN or infinite after build().", "initialiser"
    )


def test_a_program_that_raises_at_the_first_step(refused, program, linear):
    source = """
        from samestep_numpy import Program

        def build():
            return Program(before_step=my_loss)

        def my_loss():
            raise ValueError("logits and labels do not fit")
    """
    said = refused("match", linear(), program(source, "raises.py"))
    assert in_order(
        said,
        "right (",
        "raised ValueError: logits and labels do not fit",
        'raises.py", line 8, in my_loss',
        "raise ValueError",
    )


def test_a_program_that_dies_at_the_first_step(refused, program, linear):
    source = """
        import os
        from samestep_numpy import Program

        def build():
            return Program(before_step=lambda: os._exit(9))
    """
    said = refused("match", linear(), program(source, "dies.py"))
    assert in_order(said, "right (", "its process ended with exit status 9 during ")


@pytest.mark.framework("keras")
def test_a_keras_model_that_is_not_compiled(refused, program, linear):
    said = refused("match", program(KERAS.format(64, ""), "plain.py"), linear())
    assert in_order(said, "plain.py): the Keras model 'sequential' is not compiled.", "Call model.compile(")


@pytest.mark.framework("keras")
def test_a_keras_model_that_does_not_fit_the_data(refused, program, linear):
    said = refused("match", program(KERAS.format(65, COMPILED), "wide.py"), linear())
    assert in_order(said, "wide.py", "65", "64")


@pytest.mark.framework("keras")
def test_a_keras_model_whose_loss_raises_at_the_first_step(refused, program):
    loss = "model.compile(optimizer='sgd', loss=lambda y, p: 1 / 0)"
    path = program(KERAS.format(64, loss), "divides.py")
    assert in_order(refused("match", path, path), "left (", "ZeroDivisionError", 'divides.py", line 7')


# interpreters


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_interpreter_that_does_not_exist(refused, linear, side):
    said = refused("match", linear(), linear(), f"--{side}-python", "/no/such")
    assert in_order(
        said, f"{side} (", "cannot start the interpreter /no/such: No such file or directory.", "NumPy is needed"
    )


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory):
    """An interpreter without NumPy."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    assert subprocess.run([python, "-c", "import numpy"], capture_output=True).returncode == 1
    return python


def test_an_interpreter_without_numpy_is_told_so_in_one_sentence(refused, linear, bare_python):
    said = refused("match", linear(), linear(), "--left-python", bare_python)
    assert in_order(
        said, "left (", f"the interpreter {bare_python} has no NumPy", f"{bare_python} -m pip install numpy"
    )
    assert len(said.splitlines()) == 1


# data


def test_data_that_is_called_nothing_known(refused, linear):
    said = refused("match", linear(), linear(), "--data", "minst")
    assert in_order(
        said, "no data is called 'minst'.", "digits, photos, sequence, mnist, cifar10", "FILE.npz", "FILE.py:function"
    )


def test_mnist_that_is_not_here_says_how_to_get_it(refused, linear, monkeypatch, tmp_path):
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("SAMESTEP_DATA", raising=False)
    said = refused("match", linear(), linear(), "--data", "mnist")
    assert in_order(
        said,
        "mnist.npz is not here: looked in",
        str(tmp_path),
        "keras.datasets.mnist.load_data()",
        "SAMESTEP_DATA=",
        "digits",
    )


def test_an_empty_file_of_data(refused, linear, tmp_path):
    tmp_path.joinpath("data.npz").touch()
    said = refused("match", linear(), linear(), "--data", tmp_path / "data.npz")
    assert in_order(
        said, "data.npz: cannot be read as an .npz file of plain arrays (it is empty)", "numpy.savez(FILE, x=…, y=…)"
    )


X, Y = np.ones((3, 64), np.float32), np.arange(3)
ODD = np.where(np.arange(192).reshape(3, 64) == 70, np.nan, X)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": X[:0], "y": Y[:0]}, "x is empty, its shape is (0, 64). At least one row is needed."),
        ({"x": X, "y": Y[:2]}, "x has 3 rows and y has shape (2,). Both need one entry a row."),
        (
            {"a": X, "b": Y},
            "should hold arrays x and y (or x_train and y_train; x_NAME, … for several inputs); it holds a, b.",
        ),
        ({}, "it holds no arrays."),
        ({"x": ODD, "y": Y}, "x holds 1 values that are NaN or infinite, the first at x[1, 6]."),
        ({"x": X, "y": np.array(["a", "b", "c"])}, "y has dtype <U1. Numbers are needed."),
        ({"x": X, "y": np.array([1, "a", None], object)}, "cannot be read as an .npz file of plain arrays"),
    ],
    ids=["no rows", "lengths", "names", "no arrays", "NaN", "text", "objects"],
)
def test_data_that_no_program_can_train_on(refused, linear, data, arrays, message):
    assert message in refused("match", linear(), linear(), "--data", data(**arrays))


# the result


def test_a_result_for_a_folder_that_does_not_exist_is_refused_before_the_work(refused, tmp_path):
    said = refused("match", "mnist-softmax", "--json", tmp_path / "nowhere" / "out.json")
    assert in_order(said, "--json", "the folder", "nowhere does not exist.")


def test_a_folder_is_no_file_for_a_result(refused, tmp_path):
    assert in_order(refused("match", "mnist-softmax", "--json", tmp_path), f"--json {tmp_path}", "cannot be written.")


def test_a_read_only_file_for_the_result_is_refused_before_the_work(refused, monkeypatch, tmp_path):
    path = tmp_path / "out.json"
    path.touch(0o444)
    # root may write to it all the same
    monkeypatch.setattr(os, "access", lambda file, mode: mode != os.W_OK or bool(os.stat(file).st_mode & 0o222))
    assert in_order(refused("match", "mnist-softmax", "--json", path), f"--json {path}", "cannot be written.")


def test_a_result_that_could_not_be_written_is_shown_and_reported(linear, samestep):
    done = samestep("match", linear(), linear(), "--steps", 1, "--json", "/dev/full")
    assert done.stdout.startswith("IDENTICAL")
    assert done.stderr == "samestep: --json /dev/full: the result could not be written: No space left on device.\n"
    assert done.returncode == 2


def test_a_read_only_program_and_read_only_data_are_only_read(linear, data, samestep, tmp_path):
    rng = np.random.default_rng(0)
    path, rows = linear(), data(x=rng.normal(size=(40, 64)).astype(np.float32), y=np.arange(40) % 10)
    for name in (path, rows, tmp_path):
        os.chmod(name, 0o555)
    done = samestep("match", path, path, "--steps", 1, "--data", rows)
    os.chmod(tmp_path, 0o755)
    assert done.returncode == 0, done.stderr
