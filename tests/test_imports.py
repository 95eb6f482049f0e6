"""Who may import what: the core no framework, the user's side nothing that Python 3.7 with NumPy lacks."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import samestep
from samestep.frameworks import FRAMEWORKS, FUNCTIONS

PACKAGE = Path(samestep.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
USER_SIDE = [
    PACKAGE / "__init__.py",
    PACKAGE / "errors.py",
    *sorted(PACKAGE.glob("frameworks/**/*.py")),
    *sorted(set(PACKAGE.glob("experiments/**/*.py")) - set(PACKAGE.glob("experiments/*/__main__.py"))),
    *sorted(PACKAGE.glob("recording/**/*.py")),
    *sorted(PACKAGE.glob("watching/**/*.py")),
    *sorted(PACKAGE.glob("seeding/**/*.py")),
    *(PACKAGE / "worker" / name for name in ("__init__.py", "answers.py", "child.py", "ending.py", "loading.py")),
    *(PACKAGE / "worker" / name for name in ("guarded.py", "messages.py", "plain.py", "vectorised.py")),
]  # fmt: skip
"""What runs inside the user's interpreter."""
FRAMEWORK_PACKAGES = {framework.package for framework in FRAMEWORKS} | {
    "flax", "jax", "keras", "optax", "pytensor", "tensorflow", "tf_keras", "theano", "torch",
}  # fmt: skip
WHERE_INSTALLED = {"recording/digests.py": {"xxhash"}}
"""What a file does without where it is missing."""
YOUNGER_THAN_3_7 = {"graphlib", "tomllib", "zoneinfo"}
STANDARD = sys.stdlib_module_names - YOUNGER_THAN_3_7


def imported(source):
    """The full names of all modules that a source imports, anywhere in it."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            names += [node.module] if node.module != "samestep" else [f"samestep.{a.name}" for a in node.names]
    return names


def roots(source):
    return {name.split(".")[0] for name in imported(source)}


def named(path):
    return path.relative_to(PACKAGE).as_posix()


def in_fresh_process(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_import_samestep_is_quick_and_loads_neither_numpy_nor_a_framework():
    code = (
        "import sys, time; start = time.perf_counter(); import samestep; took = time.perf_counter() - start;"
        "print(took, *{name.split('.')[0] for name in sys.modules})"
    )
    runs = [in_fresh_process(code) for _ in range(3)]
    assert min(float(took) for took, *_ in runs) < 0.1
    heavy = FRAMEWORK_PACKAGES | {"numpy", "scipy", "sklearn", "rich", "typer"}
    assert heavy & set(runs[0][1:]) == set()


def test_the_core_loads_no_framework():
    code = (
        "import sys, samestep.cli, samestep.report.text; from samestep import match, data; data.load('digits');"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    loaded = set(in_fresh_process(code))
    assert "numpy" in loaded
    assert FRAMEWORK_PACKAGES & loaded == set()


@pytest.mark.parametrize("path", FILES, ids=named)
def test_only_adapters_and_experiments_import_a_framework(path):
    allowed = path.relative_to(PACKAGE).parts[0] in ("frameworks", "experiments")
    assert allowed or FRAMEWORK_PACKAGES & roots(path.read_text()) == set()


@pytest.mark.parametrize("path", USER_SIDE, ids=named)
def test_what_runs_in_the_users_interpreter_is_readable_to_python_3_7(path):
    ast.parse(path.read_text(), filename=str(path), feature_version=(3, 7))


@pytest.mark.parametrize("path", USER_SIDE, ids=named)
def test_what_runs_in_the_users_interpreter_needs_nothing_but_numpy_and_its_framework(path):
    alone = path.parent.name in ("worker", "samestep", "recording", "seeding", "watching")
    allowed = {"numpy", "samestep"} | (set() if alone else FRAMEWORK_PACKAGES) | WHERE_INSTALLED.get(named(path), set())
    assert roots(path.read_text()) - STANDARD - allowed == set()


@pytest.mark.parametrize("path", USER_SIDE, ids=named)
def test_what_runs_in_the_users_interpreter_imports_no_other_part_of_samestep(path):
    own = [name for name in imported(path.read_text()) if name.split(".")[0] == "samestep"]
    modules = {file.relative_to(PACKAGE.parent).with_suffix("") for file in USER_SIDE}
    modules = {".".join(m.parts[:-1] if m.name == "__init__" else m.parts) for m in modules}
    assert [name for name in own if name not in modules and name.rpartition(".")[0] not in modules] == []


def test_every_file_of_the_worker_is_on_one_side_of_the_line():
    parents = {"parent.py", "last_words.py", "inherited.py"}
    found = {path.name for path in PACKAGE.glob("worker/*.py")}
    assert found - parents == {path.name for path in USER_SIDE if path.parent.name == "worker"}


def test_the_check_sees_imports_wherever_they_hide():
    source = "def f():\n    if True:\n        import torch.nn as nn\n    from jax import numpy\n    from samestep import cli\n"
    assert sorted(imported(source)) == ["jax", "samestep.cli", "torch.nn"]


# the adapters


def adapter(framework):
    return ast.parse((PACKAGE / "frameworks" / f"{framework.module}.py").read_text()).body


def public_functions(body):
    return [node for node in body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
def test_an_adapter_defines_program_and_then_the_functions_in_their_order(framework):
    public = [
        node.name
        for node in adapter(framework)
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    ]
    assert public == ["Program", *FUNCTIONS]


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
def test_an_adapters_functions_take_the_parameters_that_are_listed(framework):
    def signatures(body):
        return {node.name: ast.unparse(node.args) for node in public_functions(body)}

    def names(body):
        return {node.name: tuple(a.arg for a in node.args.args) for node in public_functions(body)}

    assert names(adapter(framework)) == FUNCTIONS
    assert all("*" not in text for text in signatures(adapter(framework)).values()), "parameters are named one by one"


@pytest.mark.parametrize("framework", FRAMEWORKS, ids=lambda framework: framework.name)
def test_an_adapter_declares_its_gaps_with_their_reasons(framework):
    gaps = [
        ast.literal_eval(node.value)
        for node in adapter(framework)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "GAPS"
    ]
    assert len(gaps) == 1
    assert isinstance(gaps[0], dict)
    assert all(isinstance(text, str) and text.strip() for entry in gaps[0].items() for text in entry)


def test_every_adapter_file_is_in_the_list_of_frameworks():
    files = {path.stem for path in PACKAGE.glob("frameworks/*.py") if not path.name.startswith("_")}
    assert files == {framework.module for framework in FRAMEWORKS}
