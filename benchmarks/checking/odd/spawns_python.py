"""Runs other interpreters, one of them by os.system, all of them deterministic."""

import os
import subprocess
import sys

code = "import random; random.seed(4); print(random.random())"
print(subprocess.check_output([sys.executable, "-c", code], text=True).strip(), flush=True)
os.system(f'"{sys.executable}" -c "print(6 * 7)"')
child = subprocess.Popen([sys.executable, "-I", "-c", code], stdout=subprocess.PIPE)
print(child.communicate()[0].decode().strip())
