"""The page of known differences says what the installed frameworks do: each of its columns is found anew."""

import re
from pathlib import Path

import pytest

from samestep.explain.defaults import layers, optimizers
from samestep.report import differences

PAGE = (Path(__file__).parent.parent / "docs" / "explanation" / "known-differences.md").read_text(encoding="utf-8")


def rows(section):
    """{first cell: {framework: cell}} of the table below a heading; {} where the page has none."""
    table = re.search(rf"^#+ {section}\n\n((?:\|.*\n)+)", PAGE, re.MULTILINE)
    lines = table.group(1).splitlines() if table else []
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {row[0]: dict(zip(cells[0][1:], row[1:], strict=True)) for row in cells[2:]}


@pytest.mark.parametrize("framework", differences.FRAMEWORKS)
def test_layers_and_functions_hold_what_the_page_says(framework):
    said = {what: by[framework] for what, by in rows("Layers and functions").items() if by[framework]}
    assert said == {what: differences.shown(value) for what, value in layers.values(framework).items()}


@pytest.mark.parametrize("framework", differences.FRAMEWORKS)
def test_optimizers_do_what_the_page_says(framework):
    for algorithm, settings in optimizers.defaults(framework):
        for setting, by in rows(algorithm).items():
            assert by[framework] == differences.shown((settings or {}).get(setting.replace(" ", "_"))), algorithm


def test_the_page_names_the_difference_between_keras_s_and_pytorch_s_epsilon():
    assert rows("Adam")["epsilon"] == {
        "keras": "1e-07",
        "tf_keras": "1e-07",
        "tensorflow1": "1e-08",
        "torch": "1e-08",
        "jax": "1e-08",
    }
