"""Values of seeds: what is repeated, what a script's metric is, what is kept, and what is said where something goes wrong."""

import json
import os
import subprocess
import sys
import textwrap
import time
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import samestep
from samestep.errors import NotVectorisable, ProgramError, UsageError
from samestep.repeating.printed import Printed

LINEAR = "from samestep_numpy import Program\ndef build():\n    return Program({})\n"
BY_ENVIRONMENT = """
import os, random
random.seed(int(os.environ["SAMESTEP_SEED"]))
print("loss: 0.5")
print("val_accuracy:", random.random())
"""
RANDOM = [__import__("random").Random(seed).random() for seed in range(8)]


@pytest.fixture
def repeat(tmp_path, monkeypatch):
    """samestep.repeat in a folder of its own, by processes unless another engine is asked for."""
    monkeypatch.chdir(tmp_path)
    return partial(samestep.repeat, engine="processes")


@pytest.fixture
def write(tmp_path):
    def write(name, text):
        (tmp_path / name).write_text(textwrap.dedent(text))
        return name

    return write


def values(result, group=0):
    return list(result.groups[group].values)


# what is repeated


def test_a_program_is_trained_from_each_seed_and_again_gives_the_same(repeat, write):
    write("one.py", LINEAR.format(64))
    first = repeat("one.py", seeds=3)
    assert first.metric == "val_loss"
    assert first.groups[0].seeds == (0, 1, 2)
    assert len(set(values(first))) == 3
    assert values(repeat("one.py", seeds=3, folder="elsewhere")) == values(first)


def test_one_run_at_a_time_gives_what_many_at_once_give(repeat, write):
    write("one.py", LINEAR.format(64))
    assert values(repeat("one.py", seeds=4, workers=1, folder="a")) == values(
        repeat("one.py", seeds=4, workers=4, folder="b")
    )


def test_groups_are_compared_on_the_same_seeds(repeat, write):
    write("one.py", LINEAR.format(64))
    write("two.py", LINEAR.format("64, rate=0.02"))
    result = repeat("one.py", ["two.py"], seeds=6)
    assert [group.name for group in result.groups] == ["one.py", "two.py"]
    assert result.comparison.verdict == "better"
    assert "359 of 1,797 rows" in result.note


def test_by_default_seeds_are_trained_together_where_that_gives_the_same_and_one_by_one_elsewhere(repeat, write):
    write("one.py", LINEAR.format(64))
    one_by_one = repeat("one.py", seeds=3, engine="auto")
    assert one_by_one.engine == "processes"
    assert "Trained one by one: " in one_by_one.note
    assert values(one_by_one) == values(repeat("one.py", seeds=3, folder="processes"))
    with pytest.raises(NotVectorisable):
        repeat("one.py", seeds=3, engine="vectorised")
    together = repeat("sequence:jax", seeds=3, engine="auto", epochs=2)
    assert together.engine == "vectorised"
    assert "checked against a plain run" in together.groups[0].note
    assert together.groups == repeat("sequence:jax", seeds=3, engine="auto", epochs=2).groups, "nothing is run again"
    assert repeat("sequence:jax", seeds=3, epochs=2, workers=1).groups[0].mean == pytest.approx(
        together.groups[0].mean, rel=1e-5
    )


def test_a_script_finds_its_seed_in_its_environment(repeat, write):
    result = repeat(write("train.py", BY_ENVIRONMENT), seeds=3)
    assert values(result) == RANDOM[:3]
    assert result.groups[0].note == ""


def test_a_script_is_given_its_seed_where_its_arguments_say_so(repeat, write):
    write("train.py", "import sys\nprint('val_loss=' + sys.argv[2], sys.argv[1])\n")
    result = repeat("train.py", seeds=2, seed_from=7, arguments=["--seed", "{seed}"])
    assert values(result) == [7.0, 8.0]
    assert result.groups[0].seeds == (7, 8)


def test_one_script_is_compared_with_itself_under_other_arguments(repeat, write):
    write("train.py", "import sys\nprint('val_loss', '=', float(sys.argv[1]) + int(sys.argv[2]))\n")
    result = repeat("train.py 0.5", ["train.py 10"], seeds=2, arguments=["{seed}"])
    assert values(result) == [0.5, 1.5]
    assert values(result, 1) == [10.0, 11.0]


def test_a_script_that_asks_for_no_seed_is_told_so(repeat, write):
    result = repeat(write("train.py", "import os\nprint('loss:', len(os.environ))\n"), seeds=2)
    assert "its seed was not used" in result.groups[0].note


def test_the_hash_seed_is_that_of_the_run(repeat, write):
    write("train.py", "import os\nprint('loss:', os.environ['PYTHONHASHSEED'], 'of', os.environ['SAMESTEP_SEED'])\n")
    assert values(repeat("train.py", seeds=2)) == [0.0, 1.0]


FUNCTIONS = """
def score(seed):
    return 0.5 + seed

def build(seed):
    return {"f1": seed / 4, "loss": 1.0}

inner = lambda seed: 1.0
"""


def test_a_function_of_a_seed_is_repeated_by_its_name(repeat, write, tmp_path, monkeypatch):
    write("scores.py", FUNCTIONS)
    monkeypatch.syspath_prepend(str(tmp_path))
    import scores

    result = repeat(scores.score, seeds=2)
    assert (result.metric, values(result)) == ("value", [0.5, 1.5])
    assert values(repeat("scores.py:score", seeds=2)) == [0.5, 1.5]
    assert values(repeat("scores.py", seeds=2, metric="f1")) == [0.0, 0.25]
    with pytest.raises(UsageError, match=r"defined by def, at the top of a file"):
        repeat(scores.inner, seeds=2)


def test_a_function_of_a_package_is_found_in_it(repeat, tmp_path, monkeypatch):
    folder = tmp_path / "lib" / "mine"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text("OFFSET = 3\n")
    (folder / "trial.py").write_text("from . import OFFSET\ndef trial(seed):\n    return OFFSET + seed\n")
    monkeypatch.syspath_prepend(str(tmp_path / "lib"))
    from mine.trial import trial

    assert values(repeat(trial, seeds=2)) == [3.0, 4.0]


def test_an_experiment_is_compared_in_its_frameworks(repeat):
    names = [g.name for g in samestep.repeating.sources.groups("sequence", frameworks="torch,jax")]
    assert names == ["sequence:torch", "sequence:jax"]
    assert [g.name for g in samestep.repeating.sources.groups("minivggnet", ["minivggnet-crelu"])] == [
        "minivggnet:keras",
        "minivggnet-crelu:keras",
    ]


# the metric


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("accuracy: 0.91", 0.91),
        ("accuracy=0.1\naccuracy=0.2", 0.2),
        ('{"epoch": 3, "accuracy": 0.5e-1}', 0.05),
        ("79/79 ━━━━ 0s 1ms/step - accuracy: 0.5 - loss: 1.2 - val_accuracy: 0.9", 0.5),
        ("\x1b[1maccuracy\x1b[0m : \x1b[32m.25\x1b[0m", 0.25),
        ("accuracy: nan", float("nan")),
        ("accuracy: -inf", float("-inf")),
        ("accuracy: tensor(0.75)", 0.75),
        ("accuracy: 91.5%", 91.5),
        ("accuracy: 0.1\raccuracy: 0.3\raccuracy: none", 0.3),
    ],
)
def test_the_last_number_printed_by_its_name_is_the_metric(text, number):
    printed = Printed()
    printed.hear(text)
    printed.end()
    np.testing.assert_equal(printed.numbers["accuracy"], number)


@pytest.mark.parametrize(
    "text", ["accuracy 0.9", "val_accuracy: 0.9", "accuracy: 0.9.1", "accuracy: 3rd", "top.accuracy=1"]
)
def test_other_numbers_are_not_the_metric(text):
    printed = Printed()
    printed.hear(text + "\n")
    assert "accuracy" not in printed.numbers


def test_a_metric_of_several_words_is_found_by_its_whole_name():
    printed = Printed("Test accuracy (%)")
    printed.hear("Train accuracy (%): 99\nTest accuracy (%): 90\n")
    assert printed.numbers["Test accuracy (%)"] == 90


@given(st.text(alphabet="accuracy:=.0123456789e-+\"' \n\r_", max_size=60), st.integers(0, 60))
def test_how_output_is_cut_into_parts_makes_no_difference(text, cut):
    whole, parts = Printed(), Printed()
    whole.hear(text)
    for part in (text[:cut], text[cut:]):
        parts.hear(part)
    whole.end()
    parts.end()
    assert whole.numbers == parts.numbers


def test_what_is_logged_to_standard_error_counts_too(repeat, write):
    write("train.py", "import logging\nlogging.basicConfig(level=20)\nlogging.info('val_loss: %s', 0.25)\n")
    assert values(repeat("train.py", seeds=1)) == [0.25]


def test_what_a_script_records_by_hand_counts_too(repeat, write):
    write(
        "train.py",
        """
        import os, samestep
        os.makedirs("runs", exist_ok=True)
        with samestep.Recording("runs/" + os.environ["SAMESTEP_SEED"]) as run:
            run.log(step=1, val_loss=0.5)
            run.log(val_loss=int(os.environ["SAMESTEP_SEED"]) + 0.25)
        print("val_loss: 7")
        """,
    )
    assert values(repeat("train.py", seeds=2)) == [0.25, 1.25]


# what is kept


def test_what_is_on_disk_is_not_run_again(repeat, write, tmp_path):
    write("train.py", BY_ENVIRONMENT + "open('ran.txt', 'a').write(os.environ['SAMESTEP_SEED'] + ' ')\n")
    repeat("train.py", seeds=2)
    assert values(repeat("train.py", seeds=4)) == RANDOM[:4]
    assert sorted((tmp_path / "ran.txt").read_text().split()) == ["0", "1", "2", "3"]


def test_another_metric_of_the_same_runs_needs_no_run(repeat, write, tmp_path):
    write("train.py", BY_ENVIRONMENT + "open('ran.txt', 'a').write('x')\n")
    assert repeat("train.py", seeds=2).metric == "val_accuracy"
    assert values(repeat("train.py", seeds=2, metric="loss")) == [0.5, 0.5]
    assert (tmp_path / "ran.txt").read_text() == "xx"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda write: {"batch_size": 16}, "the batch size: 32 then, 16 now"),
        (lambda write: {"data": "photos"}, "the data has changed"),
        (lambda write: write("one.py", "import helper\n" + LINEAR.format(64) + "#\n") and {}, "the file one.py has"),
        (lambda write: write("helper.py", "x = 2\n") and {}, "the file helper.py has changed"),
    ],
    ids=["settings", "data", "program", "module beside it"],
)
def test_values_of_something_else_are_never_gone_on_with(repeat, write, change, told):
    write("helper.py", "x = 1\n")
    write("one.py", "import helper\n" + LINEAR.format(64))
    before = repeat("one.py", seeds=1)
    options = change(write)
    with pytest.raises(UsageError, match=told) as error:
        repeat("one.py", seeds=2, **options)
    assert "--folder FOLDER" in str(error.value)
    if "data" not in options:
        assert len(values(repeat("one.py", seeds=2, folder="new", **options))) == 2
    write("helper.py", "x = 1\n")
    write("one.py", "import helper\n" + LINEAR.format(64))
    assert values(repeat("one.py", seeds=1)) == values(before), "the old values are still there"


def test_other_versions_give_no_repeats(repeat, write, tmp_path):
    write("one.py", LINEAR.format(64))
    repeat("one.py", seeds=1)
    from samestep.repeating.store import _sum

    path = tmp_path / "repeats" / "one.py.jsonl"
    header, line = path.read_text().splitlines()
    entry = json.loads(line)["entry"]
    entry["versions"]["numpy"] = "1.0"
    path.write_text(header + "\n" + json.dumps({"entry": entry, "sum": _sum(entry)}) + "\n")
    with pytest.raises(UsageError, match=r"numpy 1\.0 then"):
        repeat("one.py", seeds=2)


def test_a_failed_seed_is_reported_and_kept_until_it_is_to_be_retried(repeat, write, tmp_path):
    write("train.py", BY_ENVIRONMENT + "if os.path.exists('bad') and os.environ['SAMESTEP_SEED'] == '1':\n    1 / 0\n")
    (tmp_path / "bad").touch()
    result = repeat("train.py", seeds=3)
    assert values(result) == [RANDOM[0], None, RANDOM[2]]
    assert [failed.seed for failed in result.groups[0].failed] == [1]
    assert "ZeroDivisionError" in result.groups[0].failed[0].error
    (tmp_path / "bad").unlink()
    assert values(repeat("train.py", seeds=3)) == [RANDOM[0], None, RANDOM[2]]
    assert values(repeat("train.py", seeds=3, retry_failed=True)) == RANDOM[:3]


def test_a_diverged_training_keeps_its_nan(repeat, write):
    write("train.py", "import os\nprint('loss:', 'nan' if os.environ['SAMESTEP_SEED'] == '1' else 0.5)\n")
    for _ in range(2):
        np.testing.assert_equal(values(repeat("train.py", seeds=3)), [0.5, float("nan"), 0.5])


def test_two_processes_never_write_one_store(repeat, write, tmp_path):
    from samestep.repeating.store import Store

    write("train.py", BY_ENVIRONMENT)
    with Store(tmp_path / "repeats", "train.py", {}), pytest.raises(UsageError, match="another samestep is writing it"):
        repeat("train.py", seeds=1)
    assert values(repeat("train.py", seeds=1)) == RANDOM[:1]


def test_seeds_are_added_until_it_is_decided(repeat, write):
    source = "import os\nseed = int(os.environ['SAMESTEP_SEED'])\nprint('val_accuracy:', {})\n"
    write("one.py", source.format("0.5 + 0.01 * (seed * 7 % 5)"))
    write("two.py", source.format("0.9 + 0.01 * (seed * 3 % 5)"))
    write("three.py", source.format("0.5 + 0.01 * (seed * 3 % 7)"))
    decided = repeat("one.py", "two.py", seeds=4, most=40, until_decided=True)
    assert decided.comparison.verdict == "better"
    assert 4 <= len(values(decided)) < 40
    assert len(values(repeat("one.py", "three.py", seeds=4, most=6, until_decided=True))) == 6


# what goes wrong


def test_a_program_that_always_fails_is_told_of_after_a_few_runs(repeat, write, tmp_path):
    write("train.py", "open('ran.txt', 'a').write('x')\nimport nothing_like_it\n")
    with pytest.raises(ProgramError, match="No module named 'nothing_like_it'"):
        repeat("train.py", seeds=30, workers=1)
    assert len((tmp_path / "ran.txt").read_text()) <= 4
    write("train.py", BY_ENVIRONMENT)
    assert values(repeat("train.py", seeds=2)) == RANDOM[:2], "failures alone are not in the way of a mended program"


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import sys\nsys.exit('no data here')\n", "ended with exit status 1.*no data here"),
        ("import time\nprint('epoch: 1')\ntime.sleep(60)\n", "said nothing for 1 s and was ended.*epoch: 1"),
        ("print('all went well')\n", "printed no metric.*all went well"),
        ("import os\nos.kill(os.getpid(), 9)\n", "was killed by SIGKILL"),
        ("def broken(:\n", "SyntaxError"),
    ],
    ids=["fails", "hangs", "prints nothing", "dies", "syntax"],
)
def test_a_script_that_goes_wrong_is_one_clear_message(repeat, write, source, told):
    import re

    result = repeat(write("train.py", source), seeds=1, timeout=1.0)
    (failed,) = result.groups[0].failed
    assert re.search(told, failed.error, re.DOTALL), failed.error
    assert result.exit_status == 3


def test_a_function_whose_file_repeats_it_at_once_does_not_repeat_without_end(write, tmp_path):
    write("own.py", "import samestep\ndef trial(seed):\n    return 1.0\nprint(samestep.repeat(trial, seeds=3))\n")
    done = subprocess.run([sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert 'if __name__ == "__main__":' in done.stderr
    write("own.py", (tmp_path / "own.py").read_text().replace("print", "if __name__ == '__main__':\n    print"))
    done = subprocess.run([sys.executable, "own.py"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "values=(1.0, 1.0, 1.0)" in done.stdout, done.stderr


def test_nothing_that_a_script_started_is_left(repeat, write, tmp_path):
    child = "import subprocess\np = subprocess.Popen(['sleep', '300'])\nopen('pid', 'w').write(str(p.pid))\n"
    repeat(write("train.py", child + "print('loss: 1')\n"), seeds=1)
    pid = int((tmp_path / "pid").read_text())
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z":
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_wrong_input_is_one_clear_message(refused, write, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write("train.py", BY_ENVIRONMENT)
    write("one.py", LINEAR.format(64))
    assert "did you mean sequence" in refused("repeat", "sequense").lower()
    assert "named twice" in refused("repeat", "train.py", "--versus", "train.py")
    assert "arguments are for a script" in refused("repeat", "one.py:build", "two.py")
    assert "no engine is called 'rya'" in refused("repeat", "train.py", "--engine", "rya")
    assert "--engine ray, not" in refused("repeat", "train.py", "--engine", "processes", "--address", "localhost:1")
    assert "--in picks the frameworks" in refused("repeat", "train.py", "--in", "torch")
    assert "data of their own" in refused("repeat", "sequence", "--versus", "mnist-softmax")
    assert "nothing is to be decided" in refused("repeat", "train.py", "--until-decided")
    assert "a script has its own" in refused("repeat", "train.py", "--epochs", "3")
    assert "seeds go from 0" in refused("repeat", "train.py", "--seed-from", "4294967295")
    assert "Did you mean val_accuracy?" in refused("repeat", "train.py", "--seeds", "2", "--metric", "val_acuracy")
    assert "no-python" in refused("repeat", "train.py", "--python", "/no-python", "--folder", "other")
    (tmp_path / "file").touch()
    assert "cannot be written" in refused("repeat", "train.py", "--folder", "file")
    write("many.py", "print('a: 1 b: 2')\n")
    assert "which of its numbers is the metric?" in refused("repeat", "many.py", "--seeds", "2")


def test_an_old_python_runs_scripts_and_programs(repeat, write):
    old = next(iter(Path.home().glob(".pyenv/versions/3.7.*/bin/python3.7")), None)
    if old is None:
        pytest.fail("a Python 3.7 is needed, as for the tests of old interpreters")
    write("train.py", "import sys\nprint('loss:', sys.version_info[1])\n")
    assert values(repeat("train.py", seeds=1, python=str(old))) == [7.0]


def test_the_command_line_says_what_it_found_and_goes_on(samestep, write, tmp_path):
    write("train.py", BY_ENVIRONMENT)
    one = samestep("repeat", "train.py", "--seeds", "2", "--json", "result.json")
    assert one.returncode == 0, one.stderr
    assert json.loads((tmp_path / "result.json").read_text())["groups"][0]["values"] == RANDOM[:2]
    again = samestep("repeat", "train.py", "--seeds", "3", "--json", "result.json", env={"PATH": os.environ["PATH"]})
    assert again.returncode == 0, again.stderr
    assert json.loads((tmp_path / "result.json").read_text())["groups"][0]["values"] == RANDOM[:3]
