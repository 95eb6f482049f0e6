"""A child process makes the data, and draws them without a seed."""

import subprocess
import sys

CHILD = "import random; print(' '.join(str(random.gauss(0, 1)) for _ in range(20)))"

output = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True).stdout
data = [float(word) for word in output.split()]
mean = sum(data) / len(data)
print("mean", mean, "variance", sum((v - mean) ** 2 for v in data) / (len(data) - 1))
