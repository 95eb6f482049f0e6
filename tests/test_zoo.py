"""The zoo of benchmarks/: its pairs are complete, and a few of them are run with their mutants.

All of them are run by `python benchmarks/zoo.py --mutants`; docs/reference/zoo.md has the figures.
"""

import ast
import importlib.util
import sys
from pathlib import Path

import pytest

from samestep.matching import floor
from samestep.matching.judging import FOLLOWS
from samestep.results import Difference, MatchResult, Side

ROOT = Path(__file__).parent.parent


def module(path, name):
    """A file of benchmarks/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


sys.path.append(str(ROOT / "benchmarks"))  # for what the benchmarks have in common
zoo = module(ROOT / "benchmarks" / "zoo.py", "zoo_runner")
data = module(zoo.ZOO / "data.py", "zoo_data")
PAIRS = {pair.name: pair for pair in zoo.pairs([])}
RUN = ("theano_style", "batch_norm", "gan")
"""Fast ones, of four frameworks; batch_norm has buffers, gan two optimizers on one side and none on the other."""
STAGES = {*FOLLOWS, *(stage for earlier in FOLLOWS.values() for stage in earlier), "alignment", "init"}


def functions(path):
    return {node.name: node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)}


def test_there_are_at_least_thirty_pairs():
    assert len(PAIRS) >= 30


@pytest.mark.parametrize("pair", PAIRS.values(), ids=PAIRS)
def test_a_pair_has_two_programs_data_and_mutants_that_say_where_they_are_to_be_found(pair):
    left, right = pair.folder / "left.py", pair.folder / "right.py"
    for path in (left, right, *pair.mutants):
        assert ast.get_docstring(ast.parse(path.read_text())), path
        assert "build" in functions(path), path
    x, y = getattr(data, zoo.constants(left)["DATA"])()
    for rows in (*arrays(x), *arrays(y)):
        assert len(rows) == data.ROWS
    assert pair.mutants
    for path, expected in pair.mutants.items():
        assert expected.partition(": ")[0] in STAGES, path
    assert ("prepare" in functions(right)) == all("import prepare" in path.read_text() for path in pair.mutants)


def arrays(rows):
    return rows.values() if isinstance(rows, dict) else [rows]


def test_the_docs_list_every_pair_and_its_mutants_as_they_are():
    page = (ROOT / "docs" / "reference" / "zoo.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("| `")] == [pair.line() for pair in PAIRS.values()]


@pytest.mark.usefixtures("kept")
@pytest.mark.parametrize("name", RUN)
def test_a_correct_port_is_called_the_same_and_its_mutant_is_found_at_its_place(name):
    pair = PAIRS[name]
    port = pair.compare(pair.folder / "right.py", seed=0)
    assert port.verdict == "rounding", port.first_difference
    assert max(stage.times_floor or 0.0 for stage in port.stages) < floor.ROUNDING
    mutant, expected = next(iter(pair.mutants.items()))
    result = pair.compare(mutant, seed=0)
    assert zoo.at_its_place(result, expected), result.first_difference


@pytest.mark.parametrize(
    ("first", "expected", "found"),
    [
        (("forward", "sequential/conv1"), "forward: conv1", True),
        (("forward", "sequential/conv1"), "forward", True),
        (("forward", "sequential/conv2"), "forward: conv1", False),
        (("loss", "loss"), "forward: conv1", False),
        (None, "forward", False),
    ],
)
def test_a_mutant_counts_as_found_at_its_stage_and_tensor_only(first, expected, found):
    assert zoo.at_its_place(result_with(first), expected) is found


def result_with(first):
    side = Side("program.py", "torch", {})
    difference = first and Difference(*first, 0, 1000.0, 0.0, 1.0)
    return MatchResult("different" if first else "rounding", side, side, (), difference)
