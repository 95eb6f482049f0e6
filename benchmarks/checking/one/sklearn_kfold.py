"""Cross-validation with KFold(shuffle=True) and no random_state."""

from sklearn.datasets import load_diabetes
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import KFold, cross_val_score

if __name__ == "__main__":
    X, y = load_diabetes(return_X_y=True)
    folds = KFold(n_splits=4, shuffle=True)
    scores = cross_val_score(LinearRegression(), X, y, cv=folds)
    print("R2 %.6f +/- %.6f" % (scores.mean(), scores.std()))
