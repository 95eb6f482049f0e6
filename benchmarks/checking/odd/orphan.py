"""Leaves a child behind that lives some seconds longer than itself and holds its output open."""

import subprocess
import sys

subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3)"])
print("loss 0.5")
