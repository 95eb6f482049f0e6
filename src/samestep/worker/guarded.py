"""Becomes a user's script, with a guard beside it that ends it when the parent is gone: guarded.py LIFELINE SCRIPT [ARGS].

Started as a plain script by any interpreter from Python 3.7 on; standard library only.
"""

from __future__ import annotations

import os
import runpy
import sys


def main() -> None:
    """Leave the guard behind and let the interpreter begin again with the script, which sees nothing of this."""
    ending = runpy.run_path(os.path.join(os.path.dirname(os.path.abspath(__file__)), "ending.py"))
    ending["guard"](int(sys.argv[1]), os.getpid(), os.environ[ending["MARK"]])
    os.execv(sys.executable, [sys.executable, *sys.argv[2:]])


if __name__ == "__main__":
    main()
