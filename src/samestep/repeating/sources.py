"""What is repeated: a program file, an experiment, a function of a seed, or a script with its arguments."""

from __future__ import annotations

import ast
import hashlib
import inspect
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Any

from samestep import __version__
from samestep.errors import UsageError
from samestep.experiments import EXPERIMENTS
from samestep.matching.sources import Source, resolve
from samestep.worker.plain import DEFINITION

SEED_VARIABLE = "SAMESTEP_SEED"
"""The environment variable in which a script finds its seed."""
SEED_FIELD = "{seed}"
"""What stands for the seed in a script's arguments."""
USUAL_FRAMEWORK = "keras"
"""Of an experiment that is named without one."""


@dataclass(frozen=True)
class Repeated:
    """One group: a program that a worker can load (source), or a script and its arguments.

    seeded: whether its runs are told their seeds. files: the user's own files that it consists of, as far as imports tell;
    version: what else decides its values, by name.
    """

    name: str
    source: Source | None = None
    script: str = ""
    arguments: tuple[str, ...] = ()
    python: str | None = None
    seeded: bool = True
    files: tuple[Path, ...] = ()
    version: dict[str, str] = field(default_factory=dict)

    @property
    def interpreter(self) -> str:
        """The interpreter that runs it."""
        return self.python or sys.executable

    def fingerprint(self) -> dict[str, str]:
        """What its values depend on beside seed and settings, {what: digest or value}."""
        home = self.files[0].parent if self.files else Path()
        files = {os.path.relpath(path, home): hashlib.blake2b(path.read_bytes(), digest_size=16) for path in self.files}
        return {**self.version, **{f"the file {name}": digest.hexdigest() for name, digest in sorted(files.items())}}


def groups(
    program: str | Callable[..., Any],
    versus: Iterable[str | Callable[..., Any]] = (),
    *,
    frameworks: str | None = None,
    arguments: Sequence[str] = (),
    python: str | None = None,
) -> list[Repeated]:
    """The program and those that it is compared with; raises UsageError for what is none, and for one that is named twice."""
    items = (program, *versus)
    if frameworks is not None and not any(isinstance(item, str) and item in EXPERIMENTS for item in items):
        raise UsageError("--in picks the frameworks of a built-in experiment, and none is named without its framework.")
    named = [entry for item in items for entry in _in_frameworks(item, frameworks)]
    found = [replace(_repeated(item, tuple(arguments)), python=python) for item in named]
    names = [group.name for group in found]
    for name in names:
        if names.count(name) > 1:
            raise UsageError(f"{name} is named twice. A program is compared with others: --versus OTHER.py")
    return found


def _in_frameworks(item: str | Callable[..., Any], frameworks: str | None) -> list[str | Callable[..., Any]]:
    """An experiment without a framework in each of those asked for, or in its usual one."""
    if callable(item) or item not in EXPERIMENTS:
        return [item]
    known = EXPERIMENTS[item].frameworks
    usual = USUAL_FRAMEWORK if USUAL_FRAMEWORK in known else known[0]
    return [f"{item}:{name.strip()}" for name in (frameworks or usual).split(",")]


def _repeated(item: str | Callable[..., Any], arguments: tuple[str, ...]) -> Repeated:
    if callable(item):
        return _of_function(item)
    words = [item] if Path(item).exists() or not item.strip() else shlex.split(item)
    own = (*words[1:], *arguments)
    if words and words[0].endswith(".py") and Path(words[0]).is_file() and (own or not _defines(words[0], "build")):
        return _of_script(item, words[0], own)
    if own:
        raise UsageError(f"{item}: arguments are for a script, FILE.py. Two programs are compared by --versus OTHER.py")
    return _of_program(item)


def _of_program(name: str) -> Repeated:
    source = resolve(name)
    return Repeated(name, source, files=_files(source.file), version=_version(source))


def _version(source: Source) -> dict[str, str]:
    found = {"the definition of a plain run": str(DEFINITION), "the function": source.function}
    return found if source.file else {**found, "samestep's version": __version__}


def _of_function(function: Callable[..., Any]) -> Repeated:
    """A function that a fresh process can find by its name: in a file, or in a module of a package."""
    name = getattr(function, "__qualname__", type(function).__name__)
    file = inspect.getsourcefile(function) if inspect.isfunction(function) else None
    if file is None or not Path(file).is_file() or not name.isidentifier():
        raise UsageError(
            f"{name} cannot be repeated: each seed is run in a fresh process, which has to find the function by its name.\n"
            "Give a function that is defined by def, at the top of a file."
        )
    source = Source(name, function=name, file=str(Path(file).resolve()))
    package = (sys.modules[function.__module__].__package__ or "") if function.__module__ in sys.modules else ""
    if package:
        root = Path(file).resolve().parents[len(function.__module__.split(".")) - (Path(file).stem != "__init__")]
        path = os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH", "")]))
        environment = (("PYTHONPATH", path),)
        source = Source(name, function=name, module=function.__module__, environment=environment)
    return Repeated(name, source, files=_files(file), version=_version(Source(name, function=name, file=file)))


def _of_script(name: str, script: str, arguments: tuple[str, ...]) -> Repeated:
    text = Path(script).read_text(encoding="utf-8", errors="replace")
    seeded = SEED_VARIABLE in text or any(SEED_FIELD in argument for argument in arguments)
    files = _files(script)
    version = {"the arguments": shlex.join(arguments)}
    return Repeated(name, None, str(Path(script).resolve()), arguments, seeded=seeded, files=files, version=version)


def _defines(path: str, name: str) -> bool:
    """Whether the top of a file gives this name a value, by a function, an assignment or an import."""
    try:
        tree = ast.parse(Path(path).read_bytes(), filename=path)
    except (SyntaxError, ValueError):
        return False
    return any(name in _names(node) for node in tree.body)


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name for alias in node.names}
    return {found.id for found in ast.walk(node) if isinstance(found, ast.Name) and isinstance(found.ctx, ast.Store)}


def _files(path: str | None) -> tuple[Path, ...]:
    """A file, and those beside it that it imports, however far; what it imports by a computed name is not seen."""
    if path is None:
        return ()
    main = Path(path).resolve()
    finder = ModuleFinder(path=[str(main.parent)])
    try:
        finder.run_script(str(main))
    except Exception:  # it does not compile: running it will say so
        return (main,)
    found = (getattr(module, "__file__", None) for module in finder.modules.values())
    beside = {Path(file).resolve() for file in found if file}
    return (main, *sorted(beside - {main}))
