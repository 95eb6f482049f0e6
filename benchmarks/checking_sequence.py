"""Does the article's sequence script repeat? On today's Keras, unseeded and seeded, and as it was printed.

    python benchmarks/checking_sequence.py [PATH of a Python 3.7 with Keras 2.3.1 and TensorFlow 1.15.5]

`make old-tensorflow` makes such an interpreter: .venv-tensorflow1/bin/python. Exit status 1 if an answer is not the expected.
"""

import sys
from pathlib import Path

import samestep

SCRIPTS = Path(__file__).with_name("checking_sequence")
BACKENDS = ("tensorflow", "jax", "torch")
RACE = "variable race in graph"


def main(old: str | None) -> int:
    """Check each script, and print its answer."""
    cases = [("unseeded.py", backend, "not reproducible", ["random"]) for backend in BACKENDS]
    cases += [("seeded.py", backend, "reproducible", []) for backend in BACKENDS]
    wrong = sum(not check(script, [backend], None, *expected) for script, backend, *expected in cases)
    if old is None:
        print("not run: keras_2_3.py, which needs a Python 3.7")
    else:
        wrong += not check("keras_2_3.py", [], old, "not reproducible", [RACE])
    return int(wrong > 0)


def check(script: str, arguments: list[str], python: str | None, verdict: str, sources: list[str]) -> bool:
    """Whether the answer is the expected one."""
    result = samestep.check(str(SCRIPTS / script), arguments, python=python)
    causes = ", ".join(f"{cause.source} at {cause.site}" for cause in result.causes)
    first = result.first_difference
    where = f"first at step {first.step}, {first.what} {first.name}" if first else ""
    mended = result.mended is None or result.mended.equal
    right = result.verdict == verdict and [cause.source for cause in result.causes] == sources and mended
    told = (script, *arguments, result.verdict, where, causes, f"{result.runs} + {result.interventions} runs")
    print("right" if right else "WRONG", *told, sep="  ")
    return right


if __name__ == "__main__":
    sys.exit(main(*(sys.argv[1:] or [None])))
