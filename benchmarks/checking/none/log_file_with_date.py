"""Writes a log file whose name has the date and whose lines have the time; the result has neither."""

import pathlib
from datetime import datetime

folder = pathlib.Path(__file__).resolve().parent / "logs"
folder.mkdir(exist_ok=True)
loss = 10.0
with open(folder / f"{datetime.now():%Y%m%d-%H%M%S-%f}.log", "w") as log:
    for step in range(10):
        loss = loss * 0.8 + 0.01
        log.write(f"{datetime.now().isoformat()} step {step} loss {loss}\n")
print("final loss", loss)
