"""The page of what can be observed in which framework, made of what the adapters declare. Imports no framework.

Written anew by: python -m samestep.report.frameworks requirements/… > docs/reference/frameworks.md (``make docs``).
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from samestep import frameworks
from samestep.frameworks import ASPECTS, FRAMEWORKS, Framework

HEAD = """# Frameworks

<!-- written by `make docs`, from what the adapters declare -->

What samestep can observe of a program, in each framework. An adapter of your own is a package of its own:
[how to add a framework](../how-to/add-a-framework.md).
"""
OBSERVED = """## What is observed

"see below": not at all, or not of every program; the section of the adapter says what is left out and why.
"""
TESTED = """## Tested with

Where two versions are listed, the newer one is for Python 3.12 and newer.
"""
COMPANIONS = ("equinox", "flax", "optax", "tensorflow-cpu", "theano")
"""Packages beside those that the list of frameworks names, whose versions matter."""
PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([0-9.]+)", re.MULTILINE)


def page(requirements: Sequence[Path]) -> str:
    """The page as Markdown; requirements: the locked files that tests install."""
    names = list(dict.fromkeys(framework.module for framework in FRAMEWORKS))
    declared = {name: gaps(_source(name)) for name in names}
    sections = (_gaps(name, found) for name, found in declared.items())
    return "\n".join([HEAD, _frameworks(), _aspects(declared), *sections, TESTED, _versions(requirements)])


def gaps(source: str) -> dict[str, str]:
    """GAPS of an adapter's source: {what it cannot observe: why}; raises ValueError where it is no plain dict."""
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "GAPS":
            found: dict[str, str] = ast.literal_eval(node.value)
            return found
    raise ValueError("an adapter declares GAPS, a dict of what it cannot observe and why; this one does not")


def _source(module: str) -> str:
    return (Path(frameworks.__file__).parent / f"{module}.py").read_text(encoding="utf-8")


def _frameworks() -> str:
    rows = [(f"`{f.name}`", f.title, f"`samestep.frameworks.{f.module}`", _needs(f)) for f in FRAMEWORKS]
    return table(("name", "what it is", "adapter", "to have it"), rows)


def _needs(framework: Framework) -> str:
    install = (
        f"`pip install 'samestep[{framework.extra}]'`" if framework.extra else "an old Python: `make old-tensorflow`"
    )
    return ", ".join([install, *(f"`{name}={value}`" for name, value in framework.environment.items())])


def _aspects(declared: dict[str, dict[str, str]]) -> str:
    rows = [
        (f"**{aspect}**: {meaning}", *("see below" if aspect in found else "yes" for found in declared.values()))
        for aspect, meaning in ASPECTS.items()
    ]
    links = (f"[{name}](#{name})" for name in declared)
    return "\n".join([OBSERVED, table(("", *links), rows)])


def _gaps(name: str, found: dict[str, str]) -> str:
    lines = [f"- **{what}**: {why}." for what, why in found.items()]
    return "\n".join([f"## {name}\n", *(lines or ["Nothing is known that it cannot observe."]), ""])


def _versions(requirements: Sequence[Path]) -> str:
    known = {_normal(framework.package) for framework in FRAMEWORKS} | set(COMPANIONS)
    rows = []
    for path in requirements:
        pins: dict[str, list[str]] = {}
        for package, version in PIN.findall(path.read_text(encoding="utf-8")):
            if _normal(package) in known:
                pins.setdefault(package, []).append(version)
        rows.append((f"`{path.parent.name}/{path.name}`", ", ".join(f"{p} {' or '.join(v)}" for p, v in pins.items())))
    return table(("environment", "packages"), rows)


def _normal(package: str) -> str:
    return package.lower().replace("_", "-")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Rows below a head, as Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page([Path(argument) for argument in sys.argv[1:]]))
