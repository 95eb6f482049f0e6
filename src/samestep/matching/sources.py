"""From what a user types to where a program is: `FILE.py[:function]` or `experiment[:framework]`."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from samestep.errors import UsageError
from samestep.experiments import EXPERIMENTS


@dataclass(frozen=True)
class Source:
    """A program that a worker can load: a file or one of the package's own modules, and a function in it."""

    label: str
    function: str = "build"
    file: str | None = None
    module: str | None = None


def resolve(name: str) -> Source:
    """Where the program called `name` is; raises UsageError with the nearest known names."""
    head, _, tail = name.rpartition(":") if ":" in name else (name, "", "")
    if head.endswith(".py"):
        return _file(head, tail or "build", name)
    return _experiment(head, tail)


def pair(left: str, right: str | None, frameworks: str | None) -> tuple[Source, Source]:
    """The two sides: as named, or one experiment in its two frameworks."""
    if right is not None:
        if frameworks is not None:
            raise UsageError("--in picks the frameworks of one built-in experiment; it takes no second program.")
        return resolve(left), resolve(right)
    if left not in EXPERIMENTS:
        resolve(left)  # a wrong name says so first
        raise UsageError(f"{left}: compared with what? Give a second program: samestep match {left} RIGHT.py")
    chosen = frameworks.split(",") if frameworks else [EXPERIMENTS[left][0], EXPERIMENTS[left][-1]]
    if len(chosen) != 2:
        raise UsageError(f"--in {frameworks}: name two frameworks, such as --in {','.join(EXPERIMENTS[left][:2])}")
    return _experiment(left, chosen[0].strip()), _experiment(left, chosen[1].strip())


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
        choices = ", ".join(f"{name}:{written}" for written in EXPERIMENTS[name])
        raise UsageError(f"{name}: in which framework? Beside a second program, give one of {choices}.")
    if framework not in EXPERIMENTS[name]:
        raise UsageError(f"{name} is not written in {framework!r}. It is in {', '.join(EXPERIMENTS[name])}.")
    module = f"samestep.experiments.{name.replace('-', '_')}.{framework}"
    return Source(label=f"{name}:{framework}", module=module)
