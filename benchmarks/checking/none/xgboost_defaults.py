"""XGBoost subsamples, but its seed is 0 when none is given."""

from sklearn.datasets import load_iris
from xgboost import XGBClassifier

X, y = load_iris(return_X_y=True)
model = XGBClassifier(n_estimators=5, max_depth=2, subsample=0.5, colsample_bytree=0.5, n_jobs=1)
print(model.fit(X, y).predict_proba(X)[::40])
