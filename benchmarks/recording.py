"""What does recording cost? Each script of recording/ plain and recorded, in turn, the medians of their ratios.

    python benchmarks/recording.py [NAME …] [--pairs 7] [--steps 600]

Timed are steps after a warm-up, by the script's own clock: CPU time of the training process with all its threads, and wall
time. Every update has a digest and a norm of each parameter and gradient, and states of generators. What `samestep record`
itself takes beside, in a process of its own, is in the wall time as far as the machine has no core left for it.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

FOLDER = Path(__file__).with_name("recording")


def main(names: list[str], pairs: int, steps: int) -> None:
    """Time all scripts, or those of these names, and print a line for each."""
    scripts = [path for path in sorted(FOLDER.glob("*_*.py")) if not names or path.stem in names]
    print(f"{'script':18} {'plain µs a step':>16} {'CPU':>6} {'wall':>6} {'bytes a step':>13}")
    for script in scripts:
        plain, recorded, size = [], [], 0.0
        for number in range(pairs):
            for how in ("plain", "recorded") if number % 2 else ("recorded", "plain"):
                with tempfile.TemporaryDirectory() as folder:
                    run = Path(folder) / "run"
                    (recorded if how == "recorded" else plain).append(_timed(script, how, run, steps))
                    size = _size(run) if how == "recorded" else size
        ratios = {key: median(r[key] / p[key] for p, r in zip(plain, recorded, strict=True)) for key in ("cpu", "wall")}
        each = median(p["wall"] / p["steps"] for p in plain) * 1e6
        print(f"{script.stem:18} {each:16.0f} {ratios['cpu']:6.2f} {ratios['wall']:6.2f} {size:13.0f}", flush=True)


def _timed(script: Path, how: str, run: Path, steps: int) -> dict[str, float]:
    recording = ["-m", "samestep", "record", "--to", str(run)] if how == "recorded" else []
    environment = {**os.environ, "STEPS": str(steps), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, *recording, str(script)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script.name} failed:\n{done.stderr}")
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def _size(run: Path) -> float:
    """Bytes on disk for each update."""
    from samestep.runs.reading import Run

    seen = Run.open(run)
    return seen.size / seen.steps


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="scripts; all if none is named")
    parser.add_argument("--pairs", type=int, default=7, help="pairs of a plain and a recorded run")
    parser.add_argument("--steps", type=int, default=600, help="steps that are timed")
    asked = parser.parse_args()
    main(asked.names, asked.pairs, asked.steps)
