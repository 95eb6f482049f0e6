"""The scripts of benchmarks/checking: they are complete, and the benchmark counts what a check has found in them.

All of them are checked by `python benchmarks/checking.py`.
"""

import ast
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def module(path, name):
    """A file of benchmarks/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, path)
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # its dataclasses look there
    spec.loader.exec_module(loaded)
    return loaded


checking = module(ROOT / "benchmarks" / "checking.py", "checking_runner")
SCRIPTS = {script.name: script for script in checking.scripts()}
PLANTED = SCRIPTS["one/unseeded_default_rng"]
INNOCENT = SCRIPTS["none/set_of_ints"]


def row(script, verdict, *causes):
    """A check of the script that ended with these causes: source, site, confirmed."""
    made = [dict(zip(("source", "site", "confirmed"), cause, strict=True)) for cause in causes]
    return checking.Row(script, 1.0, {"verdict": verdict, "runs": 3, "causes": made})


def right(script):
    """The check as it should be."""
    causes = [(cause.source[0], cause.lines[0], True) for cause in script.causes]
    return row(script, script.verdicts[0], *causes)


def test_there_are_as_many_scripts_of_each_group_as_promised():
    counts = {group: len(checking.scripts(group)) for group in checking.GROUPS}
    assert counts["one"] >= 30
    assert counts["several"] >= 10
    assert counts["none"] >= 15


def test_every_file_is_a_script_or_what_one_imports():
    helpers = {script.path.with_name(name) for script in SCRIPTS.values() for name in script.helpers}
    assert set(checking.SCRIPTS.glob("*/*.py")) == {script.path for script in SCRIPTS.values()} | helpers


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_a_script_says_what_it_is_and_its_places_are_lines_of_code(script):
    assert script.what
    assert len(script.causes) == {"one": 1, "none": 0}.get(script.group, len(script.causes))
    assert script.group != "several" or len(script.causes) > 1
    for place in (line for cause in script.causes for line in cause.lines):
        name, number = place.split(":")
        path = script.path.with_name(name)
        tree = ast.parse(path.read_bytes())
        lines = {at for node in ast.walk(tree) if hasattr(node, "lineno") for at in (node.lineno, node.end_lineno)}
        assert int(number) in lines


def test_a_check_that_finds_everything_reaches_the_targets():
    rows = [right(script) for script in SCRIPTS.values()]
    assert all(made.right for made in rows)
    assert checking.reached(rows)


def test_a_wrong_verdict_misses_the_targets():
    assert not checking.reached([row(PLANTED, "reproducible", ("numpy.random.default_rng", None, True))])


def test_a_suspect_is_no_cause_until_it_is_confirmed():
    made = row(PLANTED, "not reproducible", ("numpy.random.default_rng", None, False))
    assert made.found == []
    assert not made.right
    assert not checking.reached([made])


def test_a_cause_elsewhere_is_found_but_not_at_its_place():
    made = row(PLANTED, "not reproducible", ("numpy.random.default_rng", "unseeded_default_rng.py:1", True))
    assert made.right
    assert made.placed == []


def test_one_planted_source_of_twenty_one_may_be_missed():
    missed = row(PLANTED, "not reproducible")
    assert checking.reached([right(PLANTED)] * 20 + [missed])
    assert not checking.reached([right(PLANTED)] * 10 + [missed])


def test_a_cause_confirmed_in_a_script_that_repeats_misses_the_targets():
    made = row(INNOCENT, "reproducible", ("hash seed", "set_of_ints.py:3", True))
    assert not made.right
    assert not checking.reached([made])


def test_a_check_that_writes_no_result_is_an_error_with_what_it_said(tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, "sys.exit('samestep: it went wrong')")
    made = checking.check(INNOCENT, timeout=60)
    assert (made.verdict, made.error) == ("error", "samestep: it went wrong")


def test_a_check_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    fake(tmp_path, monkeypatch, "import time; time.sleep(600)")
    made = checking.check(INNOCENT, timeout=1)
    assert made.seconds < 60
    assert made.error == "no result after 1 s"


def test_a_script_is_checked_on_a_copy_with_its_helpers_options_and_arguments(tmp_path, monkeypatch):
    writes = """
import json
from pathlib import Path
seen = sorted(path.name for path in Path.cwd().iterdir())
Path(sys.argv[3]).write_text(json.dumps({"verdict": "undecided", "runs": 2, "causes": [], "args": sys.argv[4:], "seen": seen}))
"""
    fake(tmp_path, monkeypatch, writes)
    script = replace(SCRIPTS["one/helper_module"], runs=12, budget=5, arguments=["--rate", "1"])
    result = checking.check(script, timeout=60).result
    assert result["args"] == ["--runs", "12", "--budget", "5", "helper_module.py", "--rate", "1"]
    assert result["seen"] == ["helper_module.py", "sampling.py"]


def fake(folder, monkeypatch, body):
    """A command of the name samestep that does this in the place of the real one."""
    (folder / "samestep.py").write_text("import sys\n" + body)
    monkeypatch.syspath_prepend(str(folder))


def test_the_table_and_the_summary_say_what_is_missing():
    rows = [row(PLANTED, "reproducible"), right(INNOCENT)]
    table = checking.table(rows)
    assert list(table.columns[1].cells) == ["reproducible, expected not reproducible", "reproducible"]
    assert list(table.columns[4].cells) == ["NO", "yes"]
    assert list(checking.summary(rows))[:2] == [
        "2 scripts: 1 verdicts right",
        "1 planted sources: 0 confirmed (0.0%), 0 of them at their place",
    ]


def test_scripts_are_chosen_by_group_and_by_a_part_or_a_pattern_of_their_name():
    assert {script.group for script in checking.scripts("none")} == {"none"}
    assert all("keras" in script.name for script in checking.scripts(only="keras"))
    assert {script.name for script in checking.scripts(only="one/np_*")} == {"one/np_empty"}
