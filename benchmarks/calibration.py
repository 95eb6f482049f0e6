"""How far apart are correct twins, in floors? Both experiments, every ordered pair of frameworks, several seeds.

    python benchmarks/calibration.py [SEEDS]

Prints for each stage the largest times-floor seen and where, and every match that was called different or
undecided, of which there should be none. The two constants in samestep/matching/floor.py rest on this table.
"""

import itertools
import sys

import samestep
from samestep.experiments import EXPERIMENTS


def main(seeds: int) -> None:
    """Run all pairs and print the largest distances."""
    largest: dict[str, tuple[float, str]] = {}
    wrong, matches = [], 0
    for experiment, frameworks in EXPERIMENTS.items():
        for left, right in itertools.permutations(frameworks, 2):
            for seed in range(seeds):
                result = samestep.match(
                    f"{experiment}:{left}", f"{experiment}:{right}", seed=seed, batch_size=(32, 100)[seed % 2], epochs=1
                )
                matches += 1
                label = f"{experiment} {left} | {right}, seed {seed}"
                if result.verdict not in ("identical", "rounding"):
                    wrong.append(f"{label}: {result.verdict} {result.first_difference}")
                for stage in result.stages:
                    if (stage.times_floor or 0.0) > largest.get(stage.stage, (0.0, ""))[0]:
                        largest[stage.stage] = (stage.times_floor or 0.0, f"{stage.name} at step {stage.step}, {label}")
    for stage, (times, where) in largest.items():
        print(f"{stage:10} {times:6.2f}  {where}")
    print(f"{matches} matches of correct twins, {len(wrong)} not called identical or rounding")
    print("\n".join(wrong))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 4)
