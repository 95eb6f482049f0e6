"""Are correct ports called the same, and their mutants different, at the right place? Every pair of the zoo beside this file.

    python benchmarks/zoo.py [NAME …] [--seeds 0,1,2] [--mutants]
    python benchmarks/zoo.py --list

A pair is a folder of zoo/: left.py and right.py train the same network in two frameworks; each mutant*.py is right.py with
one change, and says in EXPECTED, as "stage" or "stage: part of a name", where it has to be found. Exit status 1 if a
correct port is called different, a mutant is not found at its place, or a match fails.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import matching
from matching import constants, first_line

import samestep

ZOO = Path(__file__).with_name("zoo")


@dataclass(frozen=True)
class Pair:
    """Two programs that train the same network, and changed versions of the right one."""

    folder: Path

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.folder.name

    @property
    def mutants(self) -> dict[Path, str]:
        """Each changed program, and where it has to be found."""
        return {path: constants(path)["EXPECTED"] for path in sorted(self.folder.glob("mutant*.py"))}

    def compare(self, right: Path, seed: int) -> samestep.MatchResult:
        """The left program against this right one, over two epochs of which each ends in a partial batch."""
        data = f"{ZOO / 'data.py'}:{constants(self.folder / 'left.py')['DATA']}"
        return matching.match(str(self.folder / "left.py"), str(right), data, seed)

    def line(self) -> str:
        """The pair as a line of the docs' table: frameworks, what it is, and its mutants with where they are found."""
        (left, what), (right, _) = (first_line(self.folder / f"{side}.py").split(": ", 1) for side in ("left", "right"))
        mutants = "; ".join(f"{first_line(path)} → *{expected}*" for path, expected in self.mutants.items())
        return f"| `{self.name}` | {left} – {right} | {what} | {mutants} |"


@dataclass(frozen=True)
class Row:
    """One match, as a line of the table; good: it came out as it has to."""

    text: str
    good: bool
    times_floor: float = 0.0
    verdict: str = "error"


def pairs(names: list[str]) -> list[Pair]:
    """The pairs of these names, or all; SystemExit for a name that is none."""
    known = {path.parent.name: Pair(path.parent) for path in sorted(ZOO.glob("*/left.py"))}
    return [known[name] for name in matching.chosen(names, known, "pair")]


def at_its_place(result: samestep.MatchResult, expected: str) -> bool:
    """Whether the first difference is in the stage expected, and in the tensor, where one is named."""
    stage, _, name = expected.partition(": ")
    first = result.first_difference
    return result.verdict == "different" and first is not None and first.stage == stage and name in str(first.name)


def port_row(pair: Pair, seed: int) -> Row:
    """The correct port: frameworks, verdict, and where it is farthest from the left program."""

    def row(result: samestep.MatchResult, seconds: float) -> Row:
        judged = [stage for stage in result.stages if stage.times_floor is not None]
        worst = max(judged, key=lambda stage: stage.times_floor or 0.0)
        where = f"{worst.stage}: {worst.name} at step {worst.step}"
        if result.first_difference is not None:
            where = f"{result.first_difference.stage}: {result.first_difference.name}"
        text = f"{frameworks(result):24} {result.verdict:10} {worst.times_floor:8.2f}  {where}  ({seconds:.0f} s)"
        return Row(text, result.verdict != "different", worst.times_floor or 0.0, result.verdict)

    return attempted(f"{pair.name:24} {seed:3}  ", lambda: pair.compare(pair.folder / "right.py", seed), row)


def mutant_row(pair: Pair, mutant: Path, seed: int) -> Row:
    """A mutant: verdict, where it was first seen, and where it should have been."""
    expected = pair.mutants[mutant]

    def row(result: samestep.MatchResult, seconds: float) -> Row:
        first, good = result.first_difference, at_its_place(result, expected)
        where = "nowhere" if first is None else f"{first.stage}: {first.name}"
        text = f"{mutant.stem:24} {result.verdict:10} {'' if good else 'NOT AT ' + expected + ', but at '}{where}"
        return Row(f"{text}  ({seconds:.0f} s)", good, verdict=result.verdict)

    return attempted(f"{'':24} {seed:3}  ", lambda: pair.compare(mutant, seed), row)


def attempted(
    start: str, match: Callable[[], samestep.MatchResult], row: Callable[[samestep.MatchResult, float], Row]
) -> Row:
    """The row of a match, or of the error that it ended with, shown at once."""
    made = matching.attempted(match, row, lambda error: Row(error, good=False))
    print(start + made.text, flush=True)
    return made


def frameworks(result: samestep.MatchResult) -> str:
    """The two frameworks, by name."""
    return f"{result.left.framework} | {result.right.framework}"


def rows(chosen: list[Pair], seeds: list[int], with_mutants: bool) -> Iterator[tuple[str, Row]]:
    """Each match's kind, "port" or "mutant", and its row."""
    for pair in chosen:
        for seed in seeds:
            yield "port", port_row(pair, seed)
            for mutant in pair.mutants if with_mutants else ():
                yield "mutant", mutant_row(pair, mutant, seed)


def main() -> int:
    """Run what is asked for, and print the table with its summary."""
    parser = matching.parser(__doc__, "pairs")
    parser.add_argument("--mutants", action="store_true", help="run the mutants too")
    parser.add_argument("--list", action="store_true", help="only print what pairs and mutants there are")
    asked = parser.parse_args()
    if asked.list:
        print("\n".join(pair.line() for pair in pairs(asked.names)))
        return 0
    made = list(rows(pairs(asked.names), asked.seeds, asked.mutants))
    ports, mutants = ([row for kind, row in made if kind == wanted] for wanted in ("port", "mutant"))
    same = sum(row.verdict in ("identical", "rounding") for row in ports)
    print(f"\n{len(ports)} matches of correct ports: {same} called the same, ", end="")
    print(f"{sum(row.verdict == 'different' for row in ports)} different, ", end="")
    print(f"{sum(row.verdict == 'undecided' for row in ports)} undecided; ", end="")
    print(f"the largest distance of those called the same is {largest(ports):.2f} floors")
    if mutants:
        print(f"{len(mutants)} matches of mutants: {sum(row.good for row in mutants)} found at their place")
    return 0 if all(row.good for row in [*ports, *mutants]) else 1


def largest(ports: list[Row]) -> float:
    """The largest distance among ports that were called the same."""
    return max((row.times_floor for row in ports if row.verdict in ("identical", "rounding")), default=0.0)


if __name__ == "__main__":
    sys.exit(main())
