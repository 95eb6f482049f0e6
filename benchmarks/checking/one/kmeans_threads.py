"""KMeans on eight threads, whose sums are added as the threads come."""

import os

os.environ["OMP_NUM_THREADS"] = "8"

import numpy as np
from sklearn.cluster import KMeans

rng = np.random.RandomState(0)
points = rng.normal(size=(40_000, 8))
model = KMeans(n_clusters=6, n_init=1, init=points[:6], max_iter=30, algorithm="lloyd", tol=0)
model.fit(points)
print("inertia %r" % model.inertia_)
print("centre %r" % model.cluster_centers_[0].tolist())
