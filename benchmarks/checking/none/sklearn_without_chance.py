"""Estimators with random_state=None that draw nothing with these settings."""

from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.preprocessing import StandardScaler

X, y = load_iris(return_X_y=True)
X = StandardScaler().fit_transform(X)
model = LogisticRegression(random_state=None, solver="lbfgs")
print("scores", cross_val_score(model, X, y, cv=KFold(5)))
