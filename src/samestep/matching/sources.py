"""From what a user types to where a program is: `FILE.py[:function]` or `experiment[:framework]`."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass
from pathlib import Path

from samestep.errors import UsageError
from samestep.experiments import EXPERIMENTS
from samestep.frameworks import FRAMEWORKS


@dataclass(frozen=True)
class Source:
    """A program that a worker can load: a file or one of the package's own modules, and a function in it.

    environment: variables, (name, value), that its process finds set.
    """

    label: str
    function: str = "build"
    file: str | None = None
    module: str | None = None
    environment: tuple[tuple[str, str], ...] = ()


def resolve(name: str) -> Source:
    """Where the program called `name` is; raises UsageError with the nearest known names."""
    head, _, tail = name.rpartition(":") if ":" in name else (name, "", "")
    if head.endswith(".py"):
        return _file(head, tail or "build", name)
    return _experiment(head, tail)


def pair(left: str, right: str | None, frameworks: str | None) -> tuple[Source, Source]:
    """The two sides: as named, or one experiment in two frameworks."""
    if right is not None:
        if frameworks is not None:
            raise UsageError("--in picks the frameworks of one built-in experiment; it takes no second program.")
        return resolve(left), resolve(right)
    chosen = in_frameworks(left, frameworks)
    if len(chosen) != 2:
        raise UsageError(
            f"--in {frameworks}: name two frameworks to compare, such as {','.join(EXPERIMENTS[left].pair)}"
        )
    return chosen[0], chosen[1]


def in_frameworks(experiment: str, frameworks: str | None) -> list[Source]:
    """An experiment in each of the frameworks named, at least two; in its first and its usual second one by default."""
    if experiment not in EXPERIMENTS:
        resolve(experiment)  # a wrong name says so first
        raise UsageError(
            f"{experiment}: compared with what? Give a second program: samestep match {experiment} RIGHT.py"
        )
    names = [name.strip() for name in frameworks.split(",")] if frameworks else list(EXPERIMENTS[experiment].pair)
    if len(names) < 2:
        known = ",".join(EXPERIMENTS[experiment].pair)
        raise UsageError(f"--in {frameworks}: name two frameworks or more, such as --in {known}")
    return [_experiment(experiment, name) for name in names]


def _file(path: str, function: str, label: str) -> Source:
    if Path(path).is_dir():
        raise UsageError(f"{path}: is a folder. Give a file in it that defines {function}().")
    if not Path(path).is_file():
        raise UsageError(f"{path}: there is no such file.")
    return Source(label=label, function=function, file=str(Path(path).resolve()))


def _experiment(name: str, framework: str) -> Source:
    if name not in EXPERIMENTS:
        near = difflib.get_close_matches(name, EXPERIMENTS, n=1)
        near = [f"{name}.py"] if Path(f"{name}.py").is_file() else near
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UsageError(
            f"no program is called {name!r}.{hint} Give FILE.py, FILE.py:function, or an experiment: {', '.join(EXPERIMENTS)}."
        )
    if not framework:
        choices = ", ".join(f"{name}:{written}" for written in EXPERIMENTS[name].frameworks)
        raise UsageError(f"{name}: in which framework? Beside a second program, give one of {choices}.")
    if framework not in EXPERIMENTS[name].frameworks:
        raise UsageError(f"{name} is not written in {framework!r}. It is in {', '.join(EXPERIMENTS[name].frameworks)}.")
    chosen = next(entry for entry in FRAMEWORKS if entry.name == framework)
    module = f"samestep.experiments.{name.replace('-', '_')}.{chosen.module}"
    return Source(f"{name}:{framework}", module=module, environment=tuple(chosen.environment.items()))


def defaults(left: str, right: str | None) -> tuple[str, int, int]:
    """Data, batch size and epochs where none are named: those of the experiment on either side, else digits, 32 and 3."""
    for name in (left, right):
        experiment = EXPERIMENTS.get((name or "").partition(":")[0])
        if experiment is not None:
            return experiment.data, experiment.batch_size, experiment.epochs
    return "digits", 32, 3


def pairs_from(path: str | None) -> dict[str, str]:
    """The pairs of a --map file, {left name: right name}: TOML lines `"left name" = "right name"`.

    Raises UsageError for a file that cannot be read or that pairs a right tensor twice.
    """
    if path is None:
        return {}
    try:
        pairs = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(
            f'--map {path}: cannot be read ({error}). Write lines such as "dense/kernel" = "fc.weight"'
        ) from error
    odd = [name for name, twin in pairs.items() if not isinstance(twin, str)]
    if odd:
        raise UsageError(
            f'--map {path}: {odd[0]} is paired with no name. Write lines such as "dense/kernel" = "fc.weight"'
        )
    twice = [twin for twin in pairs.values() if list(pairs.values()).count(twin) > 1]
    if twice:
        raise UsageError(f"--map {path}: {twice[0]} is paired twice; each tensor has one twin.")
    return pairs
