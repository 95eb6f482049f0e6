"""The command line: one thin function a command."""

from __future__ import annotations

import contextlib
import os
import sys
import traceback
from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from samestep import __version__, errors
from samestep.frameworks import FRAMEWORKS

if TYPE_CHECKING:
    from rich.console import RenderableType

    from samestep.results import CheckResult, DiffResult, MatchResult, MatchTable, RepeatResult

IN = ", ".join(framework.name for framework in FRAMEWORKS)

HOOKED = "Seen are Keras's fit, optimizers of PyTorch and TensorFlow, sessions of TensorFlow 1 and optax.apply_updates."

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    help="Is it the same training? Twice, there, or just luck.",
)


class Exit(IntEnum):
    """Exit status of every command."""

    SAME = 0
    DIFFERENT = 1
    BAD_INPUT = 2
    UNDECIDED = 3
    CRASHED = 70
    INTERRUPTED = 130


def main() -> None:
    """Run the command line; errors are one message on standard error and exit status 2."""
    _open_missing_streams()
    try:
        status = app(standalone_mode=False)
    except errors.SamestepError as error:
        _say(f"samestep: {error}")
        status = Exit.BAD_INPUT
    except (KeyboardInterrupt, typer.Abort):
        status = Exit.INTERRUPTED
    except Exception as error:
        status = _explain(error)
    if status == Exit.INTERRUPTED:  # Typer makes it of Ctrl-C too
        _say("samestep: interrupted. Every program that it started has been ended.")
    sys.exit(status)


def _open_missing_streams() -> None:
    """Started without a standard stream, as some daemons do, the next pipe would take its number and be taken for it."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number, which is this one


def _explain(error: Exception) -> Exit:
    if hasattr(error, "format_message"):  # a usage error of the command line itself
        _say(f"samestep: {error.format_message()}\nSee samestep --help.")
        return Exit.BAD_INPUT
    traceback.print_exception(error)
    _say("samestep: this is a mistake in samestep, not an answer. Please report the lines above.")
    return Exit.CRASHED


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"samestep {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


@app.command()
def match(
    left: Annotated[str, typer.Argument(help="FILE.py, FILE.py:function, or an experiment such as mnist-softmax.")],
    right: Annotated[
        str | None, typer.Argument(help="The program to compare with; not needed for an experiment.")
    ] = None,
    frameworks: Annotated[
        str | None,
        typer.Option("--in", metavar="A,B,…", help=f"The experiment's frameworks, each against the first: {IN}."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="digits, photos, mnist, cifar10, FILE.npz, or FILE.py:function [default: digits]."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows in a batch [default: 32].")] = None,
    epochs: Annotated[int | None, typer.Option(help="Length of the free run in epochs [default: 3].")] = None,
    steps: Annotated[int | None, typer.Option(help="Length of the free run in steps, instead of epochs.")] = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**32 - 1, help="Seed of initial weights and of the perturbations.")
    ] = 0,
    own_init: Annotated[
        bool, typer.Option("--own-init", help="Keep each side's own initial weights, and judge their distributions.")
    ] = False,
    left_python: Annotated[
        str | None, typer.Option(metavar="PATH", help="The interpreter that runs the left program.")
    ] = None,
    right_python: Annotated[
        str | None, typer.Option(metavar="PATH", help="The interpreter that runs the right program.")
    ] = None,
    pairs: Annotated[
        str | None,
        typer.Option("--map", metavar="FILE", help='Which left tensor is which right one: lines "left" = "right".'),
    ] = None,
    explain: Annotated[bool, typer.Option(help="Look for the causes of a difference.")] = True,
    timeout: Annotated[
        float, typer.Option(min=1.0, help="Seconds of silence after which a program counts as hung.")
    ] = 300.0,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JSON.")] = None,
) -> None:
    """Do two programs train the same network, apart from rounding?

    Exit status: 0 identical or rounding, 1 different, 2 bad input, 3 undecided.
    """
    from samestep.matching import match as matching
    from samestep.report import text
    from samestep.results import MatchTable

    if json is not None:
        _check_writable(json)
    options: dict[str, Any] = {"data": data, "batch_size": batch_size, "epochs": epochs, "steps": steps}
    options |= {"seed": seed, "own_init": own_init, "explain": explain, "timeout": timeout}
    if right is None and (frameworks or "").count(",") > 1:
        if left_python or right_python or pairs:
            raise errors.UsageError("--left-python, --right-python and --map are for two programs, not for a table.")
        with text.progress() as show:
            table = MatchTable(tuple(matching.match_each(left, str(frameworks), **options, progress=show)))
        _finish(table, text.match_table(table), json)
    options |= {"left_python": left_python, "right_python": right_python, "pairs": pairs}
    with text.progress() as show:
        result = matching.match(left, right, frameworks=frameworks, **options, progress=show)
    _finish(result, text.match_report(result), json)


@app.command(context_settings={"allow_interspersed_args": False})
def check(
    script: Annotated[str, typer.Argument(help="The script.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="The script's own arguments.")] = None,
    runs: Annotated[int, typer.Option(help="Runs of the script as it is.")] = 3,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="The interpreter that runs the script.")] = None,
    budget: Annotated[
        float | None, typer.Option(metavar="SECONDS", help="Give the best answer after this time.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JSON.")] = None,
) -> None:
    """Does a script give the same result twice, and what is to blame if not?

    Everything after SCRIPT is the script's own. Exit status: 0 reproducible, 1 not reproducible, 2 bad input, 3 undecided.
    """
    from samestep.checking import check as checking
    from samestep.report import checks, text

    if json is not None:
        _check_writable(json)
    options: dict[str, Any] = {"runs": runs, "python": python, "budget": budget, "stdin": checking.standard_input()}
    with text.progress() as show:
        result = checking.check(script, arguments or (), **options, progress=show)
    _finish(result, checks.check_report(result), json)


@app.command(context_settings={"allow_interspersed_args": False})
def record(
    script: Annotated[str, typer.Argument(help="The script that trains.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="The script's own arguments.")] = None,
    to: Annotated[
        str | None, typer.Option(metavar="FOLDER", help="The run's folder, a new one [default: runs/SCRIPT-0001].")
    ] = None,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="The interpreter that runs the script.")] = None,
    tensors_every: Annotated[
        int, typer.Option(min=0, metavar="N", help="Keep whole tensors every N updates; 0: never.")
    ] = 0,
    digest: Annotated[
        str, typer.Option(help="xxh3-128, blake2b-128 or mix-128 [default: the fastest that the interpreter has].")
    ] = "",
    on_error: Annotated[
        str, typer.Option(metavar="continue|stop", help="What the training does when recording fails.")
    ] = "continue",
) -> None:
    """Run a script unedited and record its training.

    Everything after SCRIPT is the script's own. Exit status: the script's.
    """
    from samestep.runs.launching import record as recording

    options: dict[str, Any] = {"folder": to, "python": python, "every": tensors_every, "digest": digest}
    done = recording(script, arguments or (), **options, on_error=on_error)
    if done.updates:
        _say(f"samestep: recorded {done.updates} updates in {done.folder}")
    elif not done.trouble:
        _say(f"samestep: no update was seen, {done.folder} holds none. {HOOKED}")
    raise typer.Exit(done.exit_status)


@app.command(context_settings={"allow_interspersed_args": False})
def seed(
    number: Annotated[int, typer.Argument(metavar="SEED", min=0, max=2**32 - 1, help="The seed, from 0 to 2**32 - 1.")],
    script: Annotated[str, typer.Argument(help="The script that trains.")],
    arguments: Annotated[list[str] | None, typer.Argument(help="The script's own arguments.")] = None,
    deterministic: Annotated[
        bool,
        typer.Option("--deterministic", help="Turn on each framework's own switches; the report says what they cost."),
    ] = False,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="The interpreter that runs the script.")] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the report as JSON, instead of to standard error.")
    ] = None,
) -> None:
    """Run a script unedited with everything seeded from its start.

    Everything after SCRIPT is the script's own. Exit status: the script's.
    """
    from samestep.runs import seeding

    if json is not None:
        _check_writable(json)
    done = seeding.run(number, script, arguments or (), deterministic=deterministic, python=python)
    if done.report is None:
        _say("samestep: the script's interpreter ended before anything was seeded.")
    elif json is not None:
        _write(json, done.report.to_json() + "\n")
    else:
        _say(f"samestep: {done.report}")
    raise typer.Exit(done.exit_status)


@app.command(context_settings={"allow_interspersed_args": True})
def repeat(
    program: Annotated[
        str,
        typer.Argument(help="FILE.py with build(), FILE.py:function, an experiment, or a script that prints a metric."),
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[-- ARGS]...", help="Of scripts; {seed} stands for the seed.")
    ] = None,
    versus: Annotated[
        list[str] | None, typer.Option(metavar="PROGRAM", help="A program to compare with the first; may be repeated.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 30,
    seed_from: Annotated[int, typer.Option(min=0, max=2**32 - 1, help="The first of them.")] = 0,
    metric: Annotated[
        str | None, typer.Option(metavar="NAME", help="What is compared [default: val_accuracy, val_loss or loss].")
    ] = None,
    frameworks: Annotated[
        str | None, typer.Option("--in", metavar="A,B,…", help=f"The experiment's frameworks, each a group: {IN}.")
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(help="digits, photos, mnist, cifar10, FILE.npz, or FILE.py:function [default: digits]."),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Rows in a batch [default: 32].")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Epochs of a training [default: 3].")] = None,
    higher_is_better: Annotated[
        bool | None,
        typer.Option("--higher-is-better/--lower-is-better", help="What is good [default: the metric's name tells]."),
    ] = None,
    margin: Annotated[
        float | None, typer.Option(help="A difference that does not matter, in the metric's own unit.")
    ] = None,
    power: Annotated[float, typer.Option(help="Of the repeats that are said to be needed.")] = 0.8,
    paired: Annotated[
        bool | None,
        typer.Option("--paired/--unpaired", help="Compare the same seeds [default: where they go together]."),
    ] = None,
    until_decided: Annotated[bool, typer.Option("--until-decided", help="Add seeds until it is decided.")] = False,
    most: Annotated[
        int | None,
        typer.Option(min=1, help="Seeds a group, at most, with --until-decided [default: ten times --seeds]."),
    ] = None,
    engine: Annotated[
        str, typer.Option(metavar="auto|vectorised|processes|ray", help="What computes the values.")
    ] = "auto",
    address: Annotated[str | None, typer.Option(help="Of a running Ray cluster to join.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help="Runs at once [default: one a core].")] = None,
    folder: Annotated[Path, typer.Option(metavar="FOLDER", help="Where values are kept.")] = Path("repeats"),
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed seeds again.")] = False,
    python: Annotated[str | None, typer.Option(metavar="PATH", help="The interpreter that runs the programs.")] = None,
    timeout: Annotated[
        float | None, typer.Option(min=1.0, help="Seconds of silence after which a run counts as hung.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw the values and intervals: a .png, .svg or .pdf file.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JSON.")] = None,
) -> None:
    """Is one program better than another, or is it luck? Train each from many seeds.

    Values are kept as they come: started again, it goes on where it was. Exit status: 0 none is worse than the first, 1 one
    is, 2 bad input, 3 undecided.
    """
    from samestep.repeating import repeat as repeating
    from samestep.report import figures, repeats, text

    for option, path in (("--json", json), ("--plot", plot)):
        if path is not None:
            _check_writable(path, option)
    options: dict[str, Any] = {"seeds": seeds, "seed_from": seed_from, "metric": metric, "frameworks": frameworks}
    options |= {"data": data, "batch_size": batch_size, "epochs": epochs, "arguments": arguments or ()}
    options |= {"higher_is_better": higher_is_better, "margin": margin, "power": power, "paired": paired}
    options |= {"until_decided": until_decided, "most": most, "engine": engine, "address": address, "workers": workers}
    options |= {"folder": folder, "retry_failed": retry_failed, "python": python, "timeout": timeout}
    with text.progress() as show:
        result = repeating.repeat(program, versus or (), **options, progress=show)
    if plot is not None:
        figures.repeats(result, plot)
    _finish(result, repeats.repeat_report(result), json)


@app.command()
def diff(
    left: Annotated[Path, typer.Argument(help="The folder of a recorded run.")],
    right: Annotated[Path, typer.Argument(help="The folder of the run to compare with.")],
    pairs: Annotated[
        str | None,
        typer.Option("--map", metavar="FILE", help='Which left tensor is which right one: lines "left" = "right".'),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Draw how the difference grows: a .png, .svg or .pdf file.")
    ] = None,
    json: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the result as JSON.")] = None,
) -> None:
    """Where do two recorded runs differ first?

    Exit status: 0 identical, 1 different, 2 bad input, 3 undecided.
    """
    from samestep.report import figures, runs
    from samestep.runs import diffing

    for option, path in (("--json", json), ("--plot", plot)):
        if path is not None:
            _check_writable(path, option)
    result = diffing.diff(left, right, pairs)
    if plot is not None:
        figures.growth(result, plot)
    _finish(result, runs.diff_report(result), json)


@app.command()
def show(run: Annotated[Path, typer.Argument(help="The folder of a recorded run.")]) -> None:
    """What does a recorded run hold?"""
    from samestep.report import runs, text
    from samestep.runs.reading import Run

    with contextlib.suppress(SystemExit):  # a reader such as head has left
        text.show(runs.run_report(Run.open(run)))


def _finish(
    result: CheckResult | MatchResult | MatchTable | DiffResult | RepeatResult,
    report: RenderableType,
    json: Path | None,
) -> NoReturn:
    """Show the report, write the JSON, and exit with the result's status."""
    from samestep.report import text

    with contextlib.suppress(SystemExit):  # a reader such as head has left: what was found stays the exit status
        text.show(report)
    if json is not None:
        _write(json, result.to_json() + "\n")
    raise typer.Exit(result.exit_status)


def _check_writable(path: Path, option: str = "--json") -> None:
    """Say before the work, not after it, that the result could not be written."""
    if not path.resolve().parent.is_dir():
        raise errors.UsageError(f"{option} {path}: the folder {path.resolve().parent} does not exist.")
    if path.is_dir() or not os.access(path if path.exists() else path.resolve().parent, os.W_OK):
        raise errors.UsageError(f"{option} {path}: cannot be written. Name a file in a folder that you may write to.")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise errors.UsageError(f"--json {path}: the result could not be written: {error.strerror}.") from error


def _say(message: str) -> None:
    typer.echo(message, err=True)
