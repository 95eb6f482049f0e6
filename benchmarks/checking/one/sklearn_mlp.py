"""MLPClassifier in a pipeline, its random_state forgotten."""

import warnings

from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

warnings.simplefilter("ignore", ConvergenceWarning)
data = load_wine()
pipeline = make_pipeline(StandardScaler(), MLPClassifier(hidden_layer_sizes=(8,), max_iter=5))
pipeline.fit(data.data, data.target)
print(f"loss {pipeline[-1].loss_:.10f}")
