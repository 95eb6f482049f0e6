"""Does `samestep check` tell which scripts repeat, and which source is to blame? Every script of the folder beside this file.

    python benchmarks/checking.py [--group one|several|none|odd] [--only PATTERN] [--timeout SECONDS]
    python benchmarks/checking.py --list

checking/one has scripts with one planted source of chance, several those with two or three, none those that repeat although
they look suspicious, odd those that are hard to run. checking/expected.json says what has to be found in each. Every script
is checked on a copy in a fresh folder, with what it imports from beside it. Exit status 1 if a verdict is wrong, if fewer than
95 % of the planted sources are confirmed, or if any cause is confirmed in a script of none.
"""

import argparse
import ast
import fnmatch
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import track
from rich.table import Table

SCRIPTS = Path(__file__).with_name("checking")
GROUPS = ("one", "several", "none", "odd")
SOURCES_TARGET = 0.95


@dataclass(frozen=True)
class Cause:
    """A source of chance; lines: the places "file.py:12" that may be named for it, each the fix's or the use's."""

    source: list[str]
    lines: list[str]

    def named_by(self, found: dict[str, Any]) -> bool:
        """Whether a cause of a result is this one, whatever its place."""
        return found["source"] in self.source

    def placed_by(self, found: dict[str, Any]) -> bool:
        """Whether it is at one of its places too."""
        return self.named_by(found) and Path(found.get("site") or "").name in self.lines


@dataclass(frozen=True, kw_only=True)
class Script:
    """A script, how it is checked, and what has to come out: one of the verdicts, and each of the causes."""

    path: Path
    verdicts: list[str]
    causes: list[Cause]
    arguments: list[str] = field(default_factory=list)
    runs: int | None = None
    budget: float | None = None
    helpers: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Its group and its name."""
        return f"{self.group}/{self.path.stem}"

    @property
    def group(self) -> str:
        """The folder that it is in."""
        return self.path.parent.name

    @property
    def what(self) -> str:
        """The first line of its docstring, or what is wrong with it."""
        try:
            text = ast.get_docstring(ast.parse(self.path.read_bytes()))
        except SyntaxError:
            text = "Not Python."
        return (text or "An empty file.").split("\n\n")[0]

    def options(self) -> list[str]:
        """What stands before the script's name on the command line."""
        runs = [] if self.runs is None else ["--runs", str(self.runs)]
        return runs if self.budget is None else [*runs, "--budget", str(self.budget)]


@dataclass(frozen=True)
class Row:
    """A script with the result that its check has written, or with the error that it ended with."""

    script: Script
    seconds: float
    result: dict[str, Any] | None = None
    error: str = ""

    @property
    def verdict(self) -> str:
        """The verdict; "error" is one as well."""
        return "error" if self.result is None else self.result["verdict"]

    @property
    def confirmed(self) -> list[dict[str, Any]]:
        """The causes that an intervention has confirmed."""
        return [cause for cause in (self.result or {}).get("causes", []) if cause["confirmed"]]

    @property
    def verdict_right(self) -> bool:
        """Whether the verdict is one of those expected."""
        return self.verdict in self.script.verdicts

    @property
    def found(self) -> list[Cause]:
        """The planted causes that were confirmed."""
        return [cause for cause in self.script.causes if any(map(cause.named_by, self.confirmed))]

    @property
    def placed(self) -> list[Cause]:
        """Those of them that were found at their place."""
        return [cause for cause in self.script.causes if any(map(cause.placed_by, self.confirmed))]

    @property
    def false(self) -> list[dict[str, Any]]:
        """Confirmed causes that nobody has planted."""
        return [found for found in self.confirmed if not any(cause.named_by(found) for cause in self.script.causes)]

    @property
    def right(self) -> bool:
        """Whether verdict and causes are as expected; only where nothing is planted are others than these a fault."""
        complete = self.found == self.script.causes or self.verdict == "error"
        return self.verdict_right and complete and not (self.false and not self.script.causes)


def scripts(group: str | None = None, only: str = "*") -> list[Script]:
    """The scripts of a group, or of all, whose name, "one/keras_fit", fits the pattern or holds it."""
    expected = json.loads((SCRIPTS / "expected.json").read_text(encoding="utf-8"))
    known = [_script(name, made) for name, made in expected.items()]
    return [
        script
        for script in known
        if group in (None, script.group) and (fnmatch.fnmatch(script.name, only) or only in script.name)
    ]


def _script(name: str, expected: dict[str, Any]) -> Script:
    causes = [Cause(**cause) for cause in expected.pop("causes")]
    verdict = expected.pop("verdict")
    verdicts = [verdict] if isinstance(verdict, str) else verdict
    return Script(path=SCRIPTS / name, verdicts=verdicts, causes=causes, **expected)


def check(script: Script, timeout: float) -> Row:
    """Check a copy of the script in a fresh folder, for no longer than this many seconds."""
    with tempfile.TemporaryDirectory(prefix="checking-", ignore_cleanup_errors=True) as folder:
        project = Path(folder, "project")
        project.mkdir()
        for name in [script.path.name, *script.helpers]:
            shutil.copy(script.path.with_name(name), project)
        began = time.monotonic()
        answer = Path(folder, "result.json")
        error = samestep_check(script, project, answer, timeout)
        seconds = time.monotonic() - began
        if not answer.exists():
            return Row(script, seconds, error=error or "no result was written")
        return Row(script, seconds, json.loads(answer.read_text(encoding="utf-8")))


def samestep_check(script: Script, folder: Path, answer: Path, timeout: float) -> str:
    """Run the command in the folder of the copy; the last line that it wrote to standard error."""
    command = [sys.executable, "-m", "samestep", "check", "--json", str(answer), *script.options()]
    with subprocess.Popen(
        [*command, script.path.name, *script.arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        try:
            return process.communicate(timeout=timeout)[1].decode(errors="replace").strip().rpartition("\n")[2]
        except subprocess.TimeoutExpired:
            return f"no result after {timeout:.0f} s"
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def table(rows: Iterable[Row]) -> Table:
    """A line for each script."""
    made = Table("script", "verdict", "causes planted", "causes confirmed", "right", "seconds", "runs")
    for row in rows:
        verdict = row.verdict if row.verdict_right else f"{row.verdict}, expected {' or '.join(row.script.verdicts)}"
        planted = "\n".join(" or ".join(cause.source) for cause in row.script.causes)
        confirmed = "\n".join(f"{cause['source']} at {cause.get('site')}" for cause in row.confirmed)
        runs = "" if row.result is None else str(row.result["runs"])
        right = "yes" if row.right else "NO"
        made.add_row(row.script.name, verdict, planted, confirmed or row.error, right, f"{row.seconds:.1f}", runs)
    return made


def summary(rows: list[Row]) -> Iterator[str]:
    """The totals, a line each."""
    planted = [row for row in rows if row.script.group in ("one", "several")]
    causes, found, placed = (sum(len(part) for part in parts) for parts in _causes(planted))
    yield f"{len(rows)} scripts: {sum(row.verdict_right for row in rows)} verdicts right"
    if causes:
        yield f"{causes} planted sources: {found} confirmed ({found / causes:.1%}), {placed} of them at their place"
        yield f"{sum(len(row.false) for row in planted)} causes were confirmed beside these"
    yield f"{len(_false_alarms(rows))} causes were confirmed in scripts that repeat"


def _causes(rows: list[Row]) -> tuple[list[list[Cause]], ...]:
    return [row.script.causes for row in rows], [row.found for row in rows], [row.placed for row in rows]


def _false_alarms(rows: list[Row]) -> list[dict[str, Any]]:
    return [cause for row in rows if row.script.group == "none" for cause in row.confirmed]


def reached(rows: list[Row]) -> bool:
    """Whether the targets are: every verdict, 95 % of the sources, no false alarm."""
    planted = [row for row in rows if row.script.group in ("one", "several")]
    causes, found, _ = (sum(len(part) for part in parts) for parts in _causes(planted))
    return all(row.verdict_right for row in rows) and found >= SOURCES_TARGET * causes and not _false_alarms(rows)


def main() -> int:
    """Check what is asked for, and print the table with its summary."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--group", choices=GROUPS, help="only the scripts of this folder")
    parser.add_argument(
        "--only", metavar="PATTERN", default="*", help="only scripts such as one/keras_*, or with this in their name"
    )
    parser.add_argument(
        "--timeout", metavar="SECONDS", type=float, default=900, help="how long one check may take (default 900)"
    )
    parser.add_argument("--list", action="store_true", help="only print what scripts there are")
    asked = parser.parse_args()
    chosen = scripts(asked.group, asked.only)
    if not chosen:
        parser.error("there is no such script; --list names them")
    if asked.list:
        print("\n".join(f"{script.name:36} {script.what}" for script in chosen))
        return 0
    rows: list[Row] = []
    try:
        for script in track(chosen, "Checking", console=Console(stderr=True)):
            rows.append(check(script, asked.timeout))
    finally:  # Ctrl-C leaves the table of what has been checked
        Console(width=None if sys.stdout.isatty() else 180).print(table(rows))
        print("\n".join(summary(rows)))
    return 0 if reached(rows) else 1


if __name__ == "__main__":
    sys.exit(main())
