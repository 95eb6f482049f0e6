"""The facts of an adapter on the command line: python -m samestep.conformance PROGRAM."""

from __future__ import annotations

import argparse
import sys

from samestep import data
from samestep.conformance import BATCH_SIZE, check
from samestep.errors import SamestepError


def main() -> int:
    """Report on one program; 0 where every fact holds or is not shown, 1 where one is broken, 2 for bad input."""
    parser = argparse.ArgumentParser(prog="python -m samestep.conformance", description=__doc__)
    parser.add_argument("program", help="FILE.py, FILE.py:function or an experiment, as for samestep match")
    parser.add_argument("--data", default="digits", help="digits, FILE.npz or FILE.py:function")
    parser.add_argument("--batch-size", type=int, default=BATCH_SIZE)
    parser.add_argument("--unused", nargs="*", default=(), help="parameters that the loss does not depend on")
    parser.add_argument("--python", help="the interpreter that has the framework")
    asked = parser.parse_args()
    try:
        rows = data.load(asked.data)
        found = check(
            asked.program, rows.x, rows.y, batch_size=asked.batch_size, unused=asked.unused, python=asked.python
        )
    except SamestepError as error:
        print(f"samestep: {error}", file=sys.stderr)
        return 2
    print(found)
    return 1 if found.broken else 0


if __name__ == "__main__":
    sys.exit(main())
