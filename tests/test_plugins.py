"""Adapters of other packages: found by a Program's own module, or by their entry points for what is no Program."""

import sys
import textwrap

import numpy as np
import pytest

import samestep_numpy
from samestep.errors import ProgramError
from samestep.frameworks import FUNCTIONS, _plugins, adapter_for
from samestep.worker.parent import Worker

STUBS = "class Program: pass\n" + "".join(f"def {name}({', '.join(FUNCTIONS[name])}): pass\n" for name in FUNCTIONS)
ADOPTS_TEXT = "def adopts(built): return isinstance(built, str)\n"


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Installs a package of one module with one entry point, in a folder of its own on the path."""

    def write(name, source, module=None, point=None):
        module = module or f"plugin_{name}"
        folder = tmp_path / module
        information = folder / f"{module}-1.0.dist-info"
        information.mkdir(parents=True)
        (folder / f"{module}.py").write_text(textwrap.dedent(source))
        (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        (information / "entry_points.txt").write_text(f"[samestep.frameworks]\n{point or name} = {module}\n")
        monkeypatch.syspath_prepend(folder)
        monkeypatch.delitem(sys.modules, module, raising=False)
        return module

    return write


def refused(built):
    with pytest.raises(ProgramError) as caught:
        adapter_for(built)
    return str(caught.value)


def test_the_plugin_of_this_repository_is_installed():
    assert _plugins.installed()["numpy"] == "samestep_numpy"


def test_a_program_is_handled_by_the_module_of_its_class():
    class Mine(samestep_numpy.Program):
        pass

    assert adapter_for(samestep_numpy.Program()) is samestep_numpy
    assert adapter_for(Mine()) is samestep_numpy


def test_a_program_needs_no_entry_point(tmp_path, monkeypatch):
    (tmp_path / "not_installed.py").write_text(STUBS)
    monkeypatch.syspath_prepend(tmp_path)
    import not_installed

    assert adapter_for(not_installed.Program()) is not_installed


def test_a_plugin_adopts_an_object_that_is_no_program(install):
    install("text", STUBS + ADOPTS_TEXT)
    assert adapter_for("text").__name__ == "plugin_text"
    assert adapter_for(np.ones((3, 1))) is samestep_numpy
    assert "which is not a program" in refused(42)


def test_a_plugin_that_adopts_nothing_is_not_asked(install):
    install("quiet", STUBS)
    assert "plugin_quiet" not in refused("text")


def test_a_worker_loads_what_a_plugin_adopts(program):
    path = program("import numpy as np\ndef build(input_shape): return np.ones((input_shape[0], 1))\n")
    with Worker("it", timeout=60) as worker:
        rows = {"x": np.zeros((4, 5), np.float32), "y": np.zeros(4, np.int64)}
        worker.ask("load", source={"label": "it", "file": path, "function": "build"}, seed=0, **rows)
        assert worker.ask("adapter")["module"] == "samestep_numpy"
        assert worker.ask("describe")["framework"] == "numpy"


def test_a_program_whose_module_is_no_adapter_is_told_what_it_lacks(tmp_path, monkeypatch):
    (tmp_path / "half.py").write_text(STUBS.replace("def evaluate(", "def evaluated("))
    monkeypatch.syspath_prepend(tmp_path)
    import half

    said = refused(half.Program())
    assert "build() returned a Program, which is not a program." in said
    assert said.endswith("\nIts module half is no adapter, it lacks evaluate.")


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import no_such_module", "could not be asked, plugin_odd raised ModuleNotFoundError: No module named"),
        ("raise SystemExit(3)", "could not be asked, plugin_odd raised SystemExit: 3"),
        (
            STUBS + "def adopts(built): return built.shape",
            "could not be asked, plugin_odd raised AttributeError: ",
        ),
        (STUBS.replace("def load(", "def lead("), "is no adapter: plugin_odd lacks load."),
    ],
    ids=["import", "exit", "adopts", "functions"],
)
def test_a_plugin_that_cannot_be_asked_is_named_and_hides_no_other(install, source, sentence):
    install("odd", source)
    assert f"\nThe plugin 'odd' {sentence}" in refused("text")
    install("text", STUBS + ADOPTS_TEXT)
    assert adapter_for("text").__name__ == "plugin_text"


def test_two_plugins_of_one_name_are_told_apart_by_the_user(install):
    install("text", STUBS + ADOPTS_TEXT)
    install("other", STUBS, point="text")
    said = refused("text")
    assert said.startswith("two adapters are called 'text': plugin_other and plugin_text.\nUninstall")


def test_a_plugin_cannot_take_the_name_of_a_framework(install):
    install("torch", STUBS)
    assert refused("text").startswith("two adapters are called 'torch': samestep.frameworks.torch and plugin_torch.")


def test_two_plugins_that_adopt_one_object_are_both_named(install):
    install("one", STUBS + ADOPTS_TEXT)
    install("two", STUBS + ADOPTS_TEXT)
    assert "build() returned a str, which more than one plugin adopts: plugin_one and plugin_two." in refused("text")


def test_a_python_without_entry_points_has_no_plugins(monkeypatch):
    monkeypatch.setitem(sys.modules, "importlib.metadata", None)  # as in Python 3.7
    assert _plugins.installed() == {}
    assert "which is not a program" in refused("text")


def test_entry_points_are_read_as_python_3_8_gives_them(monkeypatch):
    import importlib.metadata

    point = importlib.metadata.EntryPoint("numpy", "samestep_numpy", _plugins.GROUP)
    monkeypatch.setattr(importlib.metadata, "entry_points", lambda: {_plugins.GROUP: [point, point]})
    assert _plugins.installed() == {"numpy": "samestep_numpy"}
