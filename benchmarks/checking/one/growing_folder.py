"""Distils from every model that is in the folder, and adds its own to it."""

import pathlib

import numpy as np

models = pathlib.Path(__file__).parent / "models"
models.mkdir(exist_ok=True)
teachers = [np.load(path)["w"] for path in sorted(models.glob("*.npz"))]
w = np.zeros(3)
target = np.array([1.0, 2.0, 3.0])
for _ in range(10):
    w += 0.1 * (target - w)
    for teacher in teachers:
        w += 0.05 * (teacher - w)
np.savez(models / f"model{len(teachers):04d}.npz", w=w)
print("w:", w)
