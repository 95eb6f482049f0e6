"""What do vectorised repeats cost, in ordinary runs? Each case beside ordinary runs, in turn, the medians of their ratios.

    python benchmarks/repeat.py [CASE …] [--rounds 3] [--unchecked] [--sequential]

An ordinary run is the author's script in a fresh process: it imports Keras on TensorFlow, loads the data, builds the experiment
and calls fit once. Vectorised is a fresh process too, with everything that `samestep repeat` does for its values: starting the
worker, building, compiling, training, evaluating, and the plain run that checks a seed. mnist-softmax is one epoch of MNIST,
which SAMESTEP_DATA or Keras's cache holds. Ratios are of wall time and of CPU time of all processes. With --sequential as
many ordinary runs as seeds are really made, one after another.
"""

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median

ORDINARY = """
import sys
import keras
from samestep.data import load
from samestep.experiments.{module} import keras as program
data = load("{data}")
x, y = getattr(program, "prepare", lambda x, y: (x, y))(data.x, data.y)
keras.utils.set_random_seed(int(sys.argv[1]))
model = program.build(x.shape[1:])
model.fit(x, y, batch_size={batch_size}, epochs={epochs}, verbose=0)
"""
VECTORISED = """
from samestep.data import load_split
from samestep.repeating import sources, vectorised
from samestep.repeating.one_run import Task
group = sources.groups("{name}:keras")[0]
tasks = [Task(group, seed, {batch_size}, {epochs}, None, 3600.0) for seed in range({seeds})]
found = list(vectorised.outcomes(tasks, load_split("{data}"), check={check}))
assert len(found) == {seeds}
"""


@dataclass(frozen=True)
class Case:
    """An experiment, how it is trained, from how many seeds, and how many ordinary runs that may take."""

    name: str
    data: str
    batch_size: int
    epochs: int
    seeds: int
    target: float


CASES = {
    "sequence-30": Case("sequence", "sequence", 9, 100, 30, 1.0),
    "sequence-1000": Case("sequence", "sequence", 9, 100, 1000, 3.0),
    "mnist-softmax-30": Case("mnist-softmax", "mnist", 32, 1, 30, 6.0),
    "minivggnet-30": Case("minivggnet", "photos", 32, 1, 30, 30.0),
}


def main(names: list[str], rounds: int, checked: bool, sequential: bool) -> None:
    """Time all cases, or those of these names, and print a line for each."""
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}, cores: {len(os.sched_getaffinity(0))}")
    print(f"{'case':18} {'ordinary s':>11} {'vectorised s':>13} {'wall':>6} {'CPU':>6} {'target':>7}")
    for name in names or CASES:
        case = CASES[name]
        pairs = [(_ordinary(case, 0), _vectorised(case, checked)) for _ in range(rounds)]
        plain, many = (median(one[side][0] for one in pairs) for side in (0, 1))
        wall, cpu = (median(many[i] / plain[i] for plain, many in pairs) for i in (0, 1))
        print(f"{name:18} {plain:11.1f} {many:13.1f} {wall:6.2f} {cpu:6.2f} {case.target:7.1f}", flush=True)
        if sequential:
            one_by_one = sum(_ordinary(case, seed)[0] for seed in range(case.seeds))
            print(
                f"{'':18} {case.seeds} ordinary runs one after another: {one_by_one:.1f} s, {one_by_one / many:.1f} times"
            )


def _ordinary(case: Case, seed: int) -> tuple[float, float]:
    module = case.name.replace("-", "_")
    return _timed(ORDINARY.format(module=module, **vars(case)), str(seed), KERAS_BACKEND="tensorflow")


def _vectorised(case: Case, checked: bool) -> tuple[float, float]:
    return _timed(VECTORISED.format(check=checked, **vars(case)))


def _timed(script: str, *arguments: str, **variables: str) -> tuple[float, float]:
    """Wall and CPU seconds of a fresh process, and of those that it starts."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **variables}
    begun, before = time.perf_counter(), getrusage(RUSAGE_CHILDREN)
    command = [sys.executable, "-c", script, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall, after = time.perf_counter() - begun, getrusage(RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"it failed:\n{done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)}; all if none is named")
    parser.add_argument("--rounds", type=int, default=3, help="ordinary and vectorised runs in turn")
    parser.add_argument("--unchecked", action="store_true", help="without the plain run that checks a seed")
    parser.add_argument("--sequential", action="store_true", help="also make as many ordinary runs as there are seeds")
    asked = parser.parse_args()
    main(asked.names, asked.rounds, not asked.unchecked, asked.sequential)
