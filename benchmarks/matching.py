"""What the benchmarks that match many small programs share: reading program files, and running one match as a line of a table."""

import argparse
import ast
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import samestep

Row = TypeVar("Row")


def match(left: str, right: str, data: str, seed: int, **options: Any) -> samestep.MatchResult:
    """Two programs over two epochs, each of which ends in a partial batch of the 72 rows."""
    return samestep.match(left, right, data=data, batch_size=16, epochs=2, seed=seed, **options)


def constants(path: Path) -> dict[str, Any]:
    """What a program file assigns to names in capitals, read without running the file."""
    found = {}
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id.isupper():
            found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def functions(path: Path) -> list[str]:
    """The names of a program file's functions."""
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return [node.name for node in body if isinstance(node, ast.FunctionDef)]


def first_line(path: Path) -> str:
    """What a program file says that it is, without the full stop."""
    return (ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or "").split("\n\n")[0].rstrip(".")


def chosen(names: Iterable[str], known: Iterable[str], kind: str) -> list[str]:
    """The names asked for, or all; SystemExit for a name that is none."""
    unknown = [name for name in names if name not in set(known)]
    if unknown:
        sys.exit(f"no {kind} is called {unknown[0]}. There are: {', '.join(known)}")
    return list(names) or list(known)


def seeds(text: str) -> list[int]:
    """`0,1,2` as numbers."""
    return [int(seed) for seed in text.split(",")]


def parser(doc: str | None, names: str) -> argparse.ArgumentParser:
    """The options that the benchmarks share; names: what the positional arguments name."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("names", nargs="*", metavar="NAME", help=f"{names}; all if none is named")
    made.add_argument("--seeds", type=seeds, default=[0], help="seeds of initial weights, with commas between them")
    return made


def attempted(
    run: Callable[[], samestep.MatchResult],
    row: Callable[[samestep.MatchResult, float], Row],
    failed: Callable[[str], Row],
) -> Row:
    """The row of a match and the seconds that it took, or of the error that it ended with."""
    began = time.monotonic()
    try:
        result = run()
    except Exception as error:
        return failed(f"{type(error).__name__}: {error}")
    return row(result, time.monotonic() - began)
