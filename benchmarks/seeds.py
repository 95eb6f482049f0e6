"""How often does `samestep repeat` err, how often do its intervals hold the truth, and how often does it see a difference?

    python benchmarks/seeds.py [EXPERIMENTS] [PROCESSES] [DISTRIBUTION …]

Draws the values of two groups from known distributions, at 3, 5, 10 and 30 seeds each, judges them, and prints three tables
in percent: differences claimed where there is none; intervals that hold the mean; differences of one standard deviation
seen. From 4 seeds on the interval of the difference leaves out 0 where the first table counts a claim, and so holds the rest.
Beside it, where they are installed: autorank, rliable and deepsig (deep-significance), on fewer experiments and values, as
they are slow. The last table is of whole sequences of looks.
"""

import contextlib
import io
import sys
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from itertools import product

import numpy as np

from samestep.repeating.comparing import ERROR
from samestep.repeating.deciding import plan
from samestep.repeating.resampling import paired_by_seed, unpaired
from samestep.repeating.samples import Sample, go_together
from samestep.repeating.statistics import mean_interval

SEEDS = (3, 5, 10, 30)
BAD = 0.15
"""Share of the seeds of bimodal values that end in the lower mode."""
DISTRIBUTIONS: dict[str, tuple[Callable[[np.random.Generator, int], np.ndarray], float, float]] = {
    # draw, mean, standard deviation
    "normal": (lambda random, n: random.normal(size=n), 0.0, 1.0),
    "skewed": (lambda random, n: random.lognormal(0.0, 0.5, n), np.exp(0.125), np.sqrt(np.expm1(0.25) * np.exp(0.25))),
    "very skewed": (lambda random, n: random.lognormal(size=n), np.exp(0.5), np.sqrt(np.expm1(1) * np.e)),
    "bimodal": (
        lambda random, n: random.normal(size=n) - 10 * (random.random(n) < BAD),
        -10 * BAD,
        np.sqrt(1 + 100 * BAD * (1 - BAD)),
    ),
    "discrete": (lambda random, n: random.binomial(20, 0.9, n) / 20, 0.9, np.sqrt(0.9 * 0.1 / 20)),
    "bounded": (lambda random, n: 1 - random.beta(0.8, 8, n), 1 - 0.8 / 8.8, np.sqrt(0.8 * 8 / 8.8**2 / 9.8)),
    "heavy-tailed": (lambda random, n: random.standard_t(3, n), 0.0, np.sqrt(3)),
}
UNEQUAL = "unequal spread"
"""Normal values, three times as wide in one group as in the other."""


def draw(name: str, random: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Two groups with the same mean."""
    if name == UNEQUAL:
        return random.normal(size=n), random.normal(0, 3, n)
    of, *_ = DISTRIBUTIONS[name]
    return of(random, n), of(random, n)


def samestep(left: np.ndarray, right: np.ndarray) -> bool:
    """Does judge claim a difference, by default? Its test alone: intervals and words would take most of the time."""
    samples = [Sample(name, dict(enumerate(group.tolist())), {}) for name, group in (("left", left), ("right", right))]
    test = paired_by_seed if go_together(*samples) else unpaired
    return test(left, right, 0).p_value() <= ERROR


def autorank(left: np.ndarray, right: np.ndarray) -> bool:
    """Its choice of a test of pairs; at least 5 values."""
    import pandas
    from autorank import autorank as rank

    with contextlib.redirect_stdout(io.StringIO()):
        return rank(pandas.DataFrame({"left": left, "right": right}), alpha=0.05).pvalue <= 0.05


def rliable(left: np.ndarray, right: np.ndarray) -> bool:
    """Does the 95 % interval of its bootstrap of the probability of improvement leave out one half?"""
    from rliable import library

    def improvement(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([np.mean((a > b.T) + 0.5 * (a == b.T))])

    scores = {"both": (right[:, np.newaxis], left[:, np.newaxis])}
    low, high = library.get_interval_estimates(scores, improvement, reps=1000)[1]["both"][:, 0]
    return not low <= 0.5 <= high


def deepsig(left: np.ndarray, right: np.ndarray) -> bool:
    """Is either stochastically dominant, by its authors' threshold of 0.2?"""
    from deepsig import aso

    options = {"seed": 0, "show_progress": False, "num_bootstrap_iterations": 300}
    return min(aso(left, right, **options), aso(right, left, **options)) < 0.2


def rliable_mean(values: np.ndarray) -> tuple[float, float]:
    """Its 95 % interval of a mean."""
    from rliable import library

    found = library.get_interval_estimates({"one": values[:, np.newaxis]}, lambda a: np.array([a.mean()]), reps=1000)
    return tuple(found[1]["one"][:, 0])


TOOLS = {"samestep": (samestep, 1), "autorank": (autorank, 10), "rliable": (rliable, 20), "deepsig": (deepsig, 50)}
"""Each tool, and the share of the experiments that it gets: one in so many."""
TRIED = {
    "samestep": (*DISTRIBUTIONS, UNEQUAL),
    "autorank": ("normal", "very skewed", "bimodal"),
    "rliable": ("normal", "very skewed", "bimodal"),
    "deepsig": ("normal",),
}
"""The values that each is tried on: deepsig takes seconds for two groups."""


def claims(name: str, n: int, tool: str, experiments: int, shift: float) -> float:
    """Share of experiments in which a tool claims a difference; shift: in standard deviations."""
    if not has(tool) or name not in TRIED[tool] or (tool == "autorank" and n < 5):
        return np.nan
    random, (judges, one_in) = np.random.default_rng(n), TOOLS[tool]
    draws = (draw(name, random, n) for _ in range(experiments // one_in))
    return float(np.mean([judges(left, right + shift * deviation(name)) for left, right in draws]))


def deviation(name: str) -> float:
    """One standard deviation."""
    return DISTRIBUTIONS[name][2] if name in DISTRIBUTIONS else 1.0


def covered(name: str, n: int, experiments: int) -> tuple[float, ...]:
    """Shares of the intervals of samestep's and rliable's mean that hold the truth."""
    random = np.random.default_rng(n)
    mean = DISTRIBUTIONS[name][1] if name in DISTRIBUTIONS else 0.0
    groups = [draw(name, random, n)[0] for _ in range(experiments)]
    own = np.mean([inside(mean_interval(group, 0), mean) for group in groups])
    if not has("rliable") or name not in TRIED["rliable"]:
        return float(own), np.nan
    return float(own), float(np.mean([inside(rliable_mean(g), mean) for g in groups[:: TOOLS["rliable"][1]]]))


def inside(ends: tuple[float, float], truth: float) -> bool:
    """Does the interval hold it, rounding aside?"""
    return ends[0] - 1e-12 <= truth <= ends[1] + 1e-12


def sequence(name: str, cap: int, experiments: int, shift: float) -> tuple[float, float]:
    """Share of sequences that end in a claim, and the mean number of seeds a group."""
    random, ends = np.random.default_rng(cap), []
    for _ in range(experiments):
        left, right = draw(name, random, cap)
        right = right + shift * deviation(name)
        for look in plan(5, cap):
            claimed = unpaired(left[: look.seeds], right[: look.seeds], 0).p_value() <= look.level()
            if claimed:
                break
        ends.append((claimed, look.seeds))
    return tuple(np.mean(ends, axis=0))


def has(tool: str) -> bool:
    """Is it installed?"""
    return tool == "samestep" or find_spec(tool) is not None


def percent(share: float) -> str:
    """One place after the point, or a dash."""
    return "–" if np.isnan(share) else f"{100 * share:.1f}"


def table(title: str, names: list[str], columns: list[str], rows: list[list[float]]) -> None:
    """Print it as Markdown."""
    print(f"\n{title}\n\n| values | seeds | {' | '.join(columns)} |\n|---|---|{'---|' * len(columns)}")
    for (name, n), row in zip(product(names, SEEDS), rows, strict=True):
        print(f"| {name} | {n} | {' | '.join(map(percent, row))} |", flush=True)


def main(experiments: int = 2000, processes: int = 2, *chosen: str) -> None:
    """All tables."""
    names = list(chosen) or [*DISTRIBUTIONS, UNEQUAL]
    tools = [tool for tool in TOOLS if has(tool)]
    cells = list(product(names, SEEDS))
    with ProcessPoolExecutor(processes) as pool:

        def asked(shift: float) -> list[list[float]]:
            tasks = [[pool.submit(claims, *cell, tool, experiments, shift) for tool in tools] for cell in cells]
            return [[task.result() for task in row] for row in tasks]

        table("Differences claimed where there is none, in percent (5 is nominal)", names, tools, asked(0.0))
        held = [task.result() for task in [pool.submit(covered, *cell, experiments) for cell in cells]]
        table("Intervals that hold the mean, in percent (95 is nominal)", names, ["samestep", "rliable"], held)
        table("Differences of one standard deviation seen, in percent", names, tools, asked(1.0))
        print("\nLooks at 5 to 30 seeds\n\n| values | shift | claimed, in percent | seeds |\n|---|---|---|---|")
        cases = list(product(names, (0.0, 1.0)))
        ends = [pool.submit(sequence, name, 30, experiments // 4, shift) for name, shift in cases]
        for (name, shift), end in zip(cases, ends, strict=True):
            share, seeds = end.result()
            print(f"| {name} | {shift:g} | {percent(share)} | {seeds:.1f} |", flush=True)


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # the other tools' own
    main(*map(int, sys.argv[1:3]), *sys.argv[3:])
