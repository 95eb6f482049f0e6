"""One experiment in many frameworks as one table, and pairs of tensors that the user names."""

import json

import pytest

import samestep
from samestep import cli, errors
from samestep.report import text
from samestep.results import MatchTable

TWIN = """
from samestep_numpy import Program

def build():
    return Program()
"""


@pytest.fixture(scope="module")
def table():
    return MatchTable(tuple(samestep.match_each("sequence", "torch,jax,tensorflow", steps=12)))


def test_each_framework_is_compared_with_the_first(table):
    assert [(m.left.program, m.right.program) for m in table.matches] == [
        ("sequence:torch", "sequence:jax"),
        ("sequence:torch", "sequence:tensorflow"),
    ]
    assert {m.verdict for m in table.matches} == {"rounding"}
    assert (table.verdict, table.exit_status) == ("rounding", 0)


def test_a_table_is_written_and_read_back(table):
    written = json.loads(table.to_json())
    assert (written["schema"], written["verdict"], len(written["matches"])) == ("samestep/match-table/1", "rounding", 2)
    assert MatchTable.from_json(table.to_json()) == table
    with pytest.raises(ValueError, match="samestep/match-table/1"):
        MatchTable.from_json(table.matches[0].to_json())


def test_the_report_has_a_row_for_each(table, capsys):
    text.show(text.match_table(table))
    shown = capsys.readouterr().out
    assert shown.startswith("ROUNDING")
    assert all(f"sequence:{name}" in shown for name in ("torch", "jax", "tensorflow"))


def test_one_framework_is_no_table():
    with pytest.raises(errors.UsageError, match="two frameworks or more"):
        samestep.match_each("sequence", "torch")


def test_a_map_names_the_twins(program, tmp_path):
    path = program(TWIN)
    pairs = tmp_path / "pairs.toml"
    pairs.write_text('"kernel" = "kernel"\n"bias" = "bias"\n')
    data = program("import numpy as np\ndef data():\n    return np.ones((8, 64), 'f'), np.zeros(8)\n", "rows.py")
    assert samestep.match(path, path, data=f"{data}:data", pairs=str(pairs), steps=2).verdict == "identical"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("kernel kernel", "cannot be read"),
        ('"a" = 3', "paired with no name"),
        ('"a" = "c"\n"b" = "c"', "paired twice"),
    ],
)
def test_a_map_that_cannot_be_meant_is_refused(content, said, program, tmp_path, refused):
    pairs = tmp_path / "pairs.toml"
    pairs.write_text(content)
    path = program(TWIN)
    assert said in refused("match", path, path, "--map", pairs)


def test_a_map_that_names_an_unknown_tensor_is_refused(program, tmp_path, refused):
    pairs = tmp_path / "pairs.toml"
    pairs.write_text('"kernle" = "kernel"\n')
    path = program(TWIN)
    said = refused("match", path, path, "--map", pairs)
    assert "kernle" in said
    assert "kernel" in said


def test_a_map_is_for_two_programs(refused):
    assert "--map" in refused("match", "sequence", "--in", "torch,jax,keras", "--map", "pairs.toml")
    assert cli.Exit.BAD_INPUT == 2
