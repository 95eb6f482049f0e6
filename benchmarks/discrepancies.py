"""Are discrepancies found, and their causes named? Every case beside this file, each planted as users have met it.

    python benchmarks/discrepancies.py [NAME …] [--seeds 0,1,2] [--old-python PATH]
    python benchmarks/discrepancies.py [NAME …] --mended
    python benchmarks/discrepancies.py --list

A case is a file of discrepancies/: left() and right() are programs that train the same but for what its constants say:
STAGE, where the first difference has to be, and COMPONENT, SETTING, LEFT and RIGHT, or CAUSES where there are several,
in causal order. --mended runs mended() in the place of right(), which has to come out the same, so that nothing
else differs. Exit status 1 if a case is not found at its stage, a mended one is called different, or a match fails.
"""

import math
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import matching

import samestep

FOLDER = Path(__file__).with_name("discrepancies")
CLOSE = 1e-3  # a number that was named from what a program did is right to a thousandth


@dataclass(frozen=True)
class Planted:
    """One planted cause."""

    component: str
    setting: str
    left: Any
    right: Any

    def is_named_by(self, cause: samestep.results.Cause) -> bool:
        """Whether a cause has this setting and both values."""
        values = equal(cause.left, self.left) and equal(cause.right, self.right)
        return values and (cause.component, cause.setting) == (self.component, self.setting)


@dataclass(frozen=True)
class Case:
    """Two programs with a planted difference."""

    path: Path

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.stem

    @cached_property
    def constants(self) -> dict[str, Any]:
        """What the file says of itself."""
        return matching.constants(self.path)

    @property
    def causes(self) -> list[Planted]:
        """What is planted, in causal order."""
        said = self.constants
        return [Planted(*cause) for cause in said.get("CAUSES") or [[said[n] for n in NAMES]]]

    @property
    def has_mended(self) -> bool:
        """Whether the file has the right program without the planted difference."""
        return "mended" in matching.functions(self.path)

    def compare(self, right: str, seed: int, old_python: str | None) -> samestep.MatchResult:
        """The left program against one of the file's others."""
        said = self.constants
        data = f"{FOLDER / 'data.py'}:{said['DATA']}"
        options = {"own_init": said.get("OWN_INIT", False), "left_python": old_python if said.get("OLD") else None}
        return matching.match(f"{self.path}:left", f"{self.path}:{right}", data, seed, **options)

    def line(self) -> str:
        """The case as a line of a table: what differs, where, the causes and where users met it."""
        causes = "; ".join(f"{c.component} {c.setting}: {c.left!r} \\| {c.right!r}" for c in self.causes)
        where = f"{self.constants['STAGE']} | [seen]({self.constants['SEEN']})"
        return f"| `{self.name}` | {matching.first_line(self.path)} | {causes} | {where} |"


NAMES = ("COMPONENT", "SETTING", "LEFT", "RIGHT")


@dataclass(frozen=True)
class Found:
    """What came out of one match: whether it was called different, at the right stage, with the right cause."""

    text: str
    detected: bool = False
    stage: bool = False
    component: bool = False
    setting: bool = False
    same: bool = False


def cases(names: list[str]) -> list[Case]:
    """The cases of these names, or all; SystemExit for a name that is none."""
    known = {path.stem: Case(path) for path in sorted(FOLDER.glob("*.py")) if path.stem != "data"}
    return [known[name] for name in matching.chosen(names, known, "case")]


def equal(one: Any, other: Any) -> bool:
    """Whether two values of a setting are the same: numbers to a thousandth, texts apart from case, lists by element."""
    numbers = [isinstance(value, (int, float)) and not isinstance(value, bool) for value in (one, other)]
    if all(numbers):
        return math.isclose(one, other, rel_tol=CLOSE)
    if isinstance(one, str) and isinstance(other, str):
        return one.lower() == other.lower()
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(equal, one, other))
    return type(one) is type(other) and one == other


def judged(case: Case, result: samestep.MatchResult, seconds: float) -> Found:
    """What a match found of what is planted."""
    first, planted = result.first_difference, case.causes
    detected = result.verdict == "different"
    at_stage = detected and first is not None and first.stage == case.constants["STAGE"]
    component = bool(result.causes) and result.causes[0].component == planted[0].component
    setting = all(any(wanted.is_named_by(cause) for cause in result.causes) for wanted in planted)
    where = "nowhere" if first is None else f"{first.stage}: {first.name}"
    named = "; ".join(f"{c.component} {c.setting}: {c.left!r} | {c.right!r}" for c in result.causes) or "no cause"
    marks = " ".join("+" if good else "-" for good in (detected, at_stage, component, setting))
    text = f"{marks}  {result.verdict:10} {where}; {named}  ({seconds:.0f} s)"
    same = result.verdict in ("identical", "rounding")
    return Found(text, detected, at_stage, component, setting, same)


def run(case: Case, right: str, seed: int, old_python: str | None) -> Found:
    """One match, printed at once."""
    found = matching.attempted(
        lambda: case.compare(right, seed, old_python),
        lambda result, seconds: judged(case, result, seconds),
        lambda error: Found(f"- - - -  {error}"),
    )
    print(f"{case.name:36} {seed:3}  {found.text}", flush=True)
    return found


def share(found: list[Found], what: str) -> str:
    """How many of the matches have this, as a number and a percentage."""
    number = sum(getattr(one, what) for one in found)
    return f"{number} of {len(found)} ({100 * number / max(len(found), 1):.1f} %)"


def main() -> int:
    """Run what is asked for, and print the table with its totals."""
    parser = matching.parser(__doc__, "cases")
    parser.add_argument("--mended", action="store_true", help="run each right program without what is planted in it")
    parser.add_argument(
        "--old-python", metavar="PATH", help="a Python 3.7 with TensorFlow 1.15, for cases that need one"
    )
    parser.add_argument("--list", action="store_true", help="only print what cases there are")
    asked = parser.parse_args()
    picked = cases(asked.names)
    if asked.list:
        print("\n".join(case.line() for case in picked))
        return 0
    picked = [case for case in picked if asked.old_python or not case.constants.get("OLD")]
    picked = [case for case in picked if case.has_mended or not asked.mended]
    print(f"{'case':36} seed  detected, stage, component, setting")
    right = "mended" if asked.mended else "right"
    found = [run(case, right, seed, asked.old_python) for case in picked for seed in asked.seeds]
    wanted = ("same",) if asked.mended else ("detected", "stage", "component", "setting")
    print("\n" + "; ".join(f"{what}: {share(found, what)}" for what in wanted))
    return 0 if all(one.same if asked.mended else one.detected and one.stage for one in found) else 1


if __name__ == "__main__":
    sys.exit(main())
