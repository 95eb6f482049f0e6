"""Kill a run of many seeds at random, again and again, and let it go on: are its values those of an undisturbed run?

    python benchmarks/repeat_faults.py [--kills 20] [--seeds 60] [--engine processes] [--data digits] [PROGRAM …]

Every kill is a SIGKILL of the whole of samestep, with nothing tidied up; what it had started has to end by itself.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROGRAM = "from samestep_numpy import Program\ndef build():\n    return Program(64)\n"


def main():
    """Run, kill, compare; exit status 1 where a value differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", nargs="*")
    for name, default in (("--kills", 20), ("--seeds", 60), ("--random-seed", 0)):
        parser.add_argument(name, type=int, default=default)
    parser.add_argument("--engine", default="processes")
    parser.add_argument("--data", default="digits")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "program.py").write_text(PROGRAM)
        programs = options.program or ["program.py"]
        sys.exit(not compared(Path(folder), programs, options))


def compared(folder, programs, options):
    """Whether a disturbed and an undisturbed run have the same values, bit for bit."""
    command = [sys.executable, "-m", "samestep", "repeat", programs[0]]
    command += [word for other in programs[1:] for word in ("--versus", other)]
    command += ["--seeds", str(options.seeds), "--engine", options.engine, "--data", options.data]
    start = time.monotonic()
    undisturbed = finished([*command, "--folder", "undisturbed"], folder)
    took = time.monotonic() - start
    kills = killed([*command, "--folder", "disturbed"], folder, options)
    disturbed = finished([*command, "--folder", "disturbed"], folder)
    same = disturbed == undisturbed
    count = sum(len(values) for values in undisturbed)
    print(
        f"undisturbed: {count} values in {took:.1f} s; killed {kills} times; {'the same values' if same else 'DIFFERENT'}"
    )
    return same and kills == options.kills


def killed(command, folder, options):
    """Start and kill it so many times, after a random number of new values and a while; how often it was still running."""
    rng, count, total = random.Random(options.random_seed), 0, options.seeds * max(1, len(options.program))
    for done in range(options.kills):
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        most = max(0, 2 * (total - kept(folder)) // (options.kills - done + 1))
        wanted = kept(folder) + rng.randint(0, most)
        while kept(folder) < wanted and process.poll() is None:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.5))
        count += process.poll() is None
        process.kill()
        process.wait()
        print(f"killed, {kept(folder)} of {total} values kept", flush=True)
    return count


def kept(folder):
    """Whole lines of the files of values, but for their first ones."""
    return sum(max(0, path.read_bytes().count(b"\n") - 1) for path in (folder / "disturbed").glob("*.jsonl"))


def finished(command, folder):
    """The values of each group of a run that is let end."""
    done = subprocess.run([*command, "--json", "result.json"], cwd=folder, capture_output=True, text=True)
    if done.returncode not in (0, 1, 3):
        sys.exit(done.stderr)
    groups = json.loads((folder / "result.json").read_text())["groups"]
    return [[repr(value) for value in group["values"]] for group in groups]


if __name__ == "__main__":
    main()
