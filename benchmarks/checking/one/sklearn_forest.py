"""A random forest of scikit-learn with random_state left at None."""

from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import train_test_split

X, y = load_iris(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=42)
forest = RandomForestClassifier(n_estimators=9, max_depth=3)
forest.fit(X_train, y_train)
print("accuracy", forest.score(X_test, y_test))
print("importances", forest.feature_importances_)
