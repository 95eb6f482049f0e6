"""A data frame is shuffled with DataFrame.sample(frac=1)."""

import numpy as np
import pandas as pd

frame = pd.DataFrame({"x": np.linspace(0, 1, 40), "group": list("abcd") * 10})
frame["y"] = frame.x * 2 + frame.group.map({"a": 0.0, "b": 0.1, "c": 0.2, "d": 0.3})
shuffled = frame.sample(frac=1).reset_index(drop=True)
w = 0.0
for row in shuffled.itertuples():
    w += 0.1 * (row.y - w * row.x) * row.x
print("slope", w)
print(shuffled.group.head(6).str.cat())
