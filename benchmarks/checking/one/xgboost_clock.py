"""XGBoost subsamples its rows, and its seed is the time."""

import time

from sklearn.datasets import load_diabetes
from xgboost import XGBRegressor

data = load_diabetes()
model = XGBRegressor(
    n_estimators=10, max_depth=2, subsample=0.5, n_jobs=1, random_state=int(time.time() * 1e4) % 100_000
)
model.fit(data.data, data.target)
print("R2", model.score(data.data, data.target))
