"""The error of a model has a unit of time, and the split that it comes from no seed."""

import numpy as np
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split

g = np.random.default_rng(0)
X = g.normal(size=(200, 3))
y = 30 + X @ [5, 2, 1] + g.normal(size=200)
a, b, c, d = train_test_split(X, y)
print(f"delivery ETA model, test MAE = {abs(Ridge().fit(a, c).predict(b) - d).mean():.3f} min")
