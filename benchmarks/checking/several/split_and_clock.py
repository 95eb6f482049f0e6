"""An unseeded train_test_split, and boosting whose seed is the time."""

import time

from sklearn.datasets import load_diabetes
from sklearn.ensemble import GradientBoostingRegressor
from sklearn.model_selection import train_test_split


def main():
    X, y = load_diabetes(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y)
    seed = time.time_ns() % 10_000
    model = GradientBoostingRegressor(n_estimators=5, subsample=0.5, random_state=seed)
    print("R2", model.fit(X_train, y_train).score(X_test, y_test))


if __name__ == "__main__":
    main()
