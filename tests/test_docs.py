"""The docs are true: their programs are written out, and every command they show is run."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from samestep.cli import app
from samestep.frameworks import FUNCTIONS

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
PROGRAM = re.compile(r'```python title="(.*?)"\n(.*?)```', re.DOTALL)
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
EXIT_STATUS = {"IDENTICAL": 0, "ROUNDING": 0, "DIFFERENT": 1, "UNDECIDED": 3}
EXIT_STATUS |= {"BETTER": 0, "EQUIVALENT": 0, "WORSE": 1, "NOT": 3}  # NOT ENOUGH EVIDENCE


def shown(page: Path) -> list[tuple[str, list[str]]]:
    """Each command of a page with the lines of output shown below it."""
    commands: list[tuple[str, list[str]]] = []
    for block in CONSOLE.findall(page.read_text(encoding="utf-8")):
        for line in block.splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
    return commands


def with_output(page: Path, program: str = "samestep") -> list[tuple[str, list[str]]]:
    return [(command, output) for command, output in shown(page) if command.split()[0] == program and output]


def write_programs(page: Path, folder: Path) -> None:
    for name, text in PROGRAM.findall(page.read_text(encoding="utf-8")):
        (folder / name).write_text(text, encoding="utf-8")


@pytest.mark.parametrize("page", [p for p in PAGES if with_output(p)], ids=lambda page: page.name)
def test_commands_shown_with_their_output_give_that_verdict(page: Path, tmp_path: Path) -> None:
    write_programs(page, tmp_path)
    for command, output in with_output(page):
        arguments = shlex.split(command)[1:]
        run = subprocess.run(
            [sys.executable, "-m", "samestep", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=240
        )
        if arguments[0] == "record":
            assert output == [run.stderr.strip()], run.stdout + run.stderr
            continue
        if arguments[0] == "check":
            assert (run.stdout.startswith(output[0]), run.returncode) == (True, 1), run.stdout + run.stderr
            for line in output[1:]:
                assert line.rstrip("…") in run.stdout
            continue
        if arguments[0] == "seed":
            for line in output:
                assert line.rstrip("…") in run.stdout + run.stderr
            continue
        verdict = output[0].split()[0]
        assert run.stdout.split()[0] == verdict, run.stdout + run.stderr
        assert run.returncode == EXIT_STATUS[verdict]
        differences = [
            line for line in output if line.startswith(("First difference", "Cause", "  right: ", "  left: "))
        ]
        for line in differences:
            assert line.rstrip("…") in run.stdout


@pytest.mark.parametrize("page", [p for p in PAGES if with_output(p, "python")], ids=lambda page: page.name)
def test_python_commands_shown_with_their_output_print_these_lines(page: Path, tmp_path: Path) -> None:
    write_programs(page, tmp_path)
    for command, output in with_output(page, "python"):
        arguments = [sys.executable, *shlex.split(command)[1:]]
        run = subprocess.run(arguments, cwd=tmp_path, capture_output=True, text=True, timeout=240)
        assert run.returncode == 0, run.stdout + run.stderr
        for line in output:
            assert line.rstrip("…") in run.stdout


def test_what_is_quoted_of_the_example_of_an_adapter_is_in_it() -> None:
    page = (ROOT / "docs" / "how-to" / "add-a-framework.md").read_text(encoding="utf-8")
    files = [
        (ROOT / "plugins" / "samestep-numpy" / name).read_text() for name in ("samestep_numpy.py", "pyproject.toml")
    ]
    quoted = re.findall(r"```(?:python|toml)\n(.*?)```", page, re.DOTALL)
    assert len(quoted) >= 5
    for text in quoted:
        assert any(text in file for file in files), text
    for name, parameters in FUNCTIONS.items():
        assert re.search(rf"`{name}\({', '.join(parameters)}(=None)?\)`", page), name


def test_make_commands_of_the_readme_are_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    commands = [command for command, _ in shown(ROOT / "README.md") if command.startswith("make")]
    assert commands == ["make match", "make test"]
    for command in commands:
        assert re.search(rf"^{command.split()[1]}:", makefile, re.MULTILINE)


def test_every_option_of_the_command_line_is_documented_and_every_documented_one_exists() -> None:
    page = (ROOT / "docs" / "reference" / "command-line.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`(--[a-z-]+)", page)) - {"--version"}
    options = [option for command in get_command(app).commands.values() for option in command.params]
    names = [name for option in options for name in (*option.opts, *option.secondary_opts)]
    assert documented == {name for name in names if name.startswith("--")}


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#.*?)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_of_the_docs_is_reached_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for page in PAGES:
        if page.name != "README.md":
            assert page.relative_to(ROOT).as_posix() in readme


def test_the_rules_name_tests_that_exist() -> None:
    rules = (ROOT / "docs" / "explanation" / "design-rules.md").read_text(encoding="utf-8")
    for name in set(re.findall(r"test_\w+\.py", rules)):
        assert (ROOT / "tests" / name).exists(), name
