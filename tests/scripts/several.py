"""Runs scripts one after the other, each as the main program, in one interpreter. several.py SEED SCRIPT..."""

import runpy
import sys
from pathlib import Path

seed, *scripts = sys.argv[1:]
for script in scripts:
    sys.argv[:] = [script, seed]
    runpy.run_path(str(Path(__file__).with_name(script)), run_name="__main__")
