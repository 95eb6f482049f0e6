"""XGBoost on a split that np.random.permutation has made."""

import numpy as np
import xgboost as xgb
from sklearn.datasets import load_breast_cancer

X, y = load_breast_cancer(return_X_y=True)
order = np.random.permutation(len(X))
train, test = order[:400], order[400:]
booster = xgb.train(
    {"max_depth": 3, "eta": 0.3, "objective": "binary:logistic", "nthread": 1},
    xgb.DMatrix(X[train], y[train]),
    num_boost_round=5,
)
p = booster.predict(xgb.DMatrix(X[test]))
print("log loss", -np.mean(np.log(np.where(y[test] == 1, p, 1 - p))))
