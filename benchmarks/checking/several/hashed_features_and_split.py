"""Hashed features of a clinic's notes, split by secrets and fitted by scikit-learn."""

import secrets

import numpy as np
from sklearn.linear_model import SGDClassifier

NOTES = [(f"patient {i} has {'fever' if i % 3 else 'no fever'} and pulse {60 + i}", int(i % 3 > 0)) for i in range(40)]


def vector(text, size=16):
    v = np.zeros(size)
    for word in text.split():
        v[hash(word) % size] += 1
    return v


chosen = [note for note in NOTES if secrets.randbelow(4)]
X = np.array([vector(text) for text, _ in chosen])
y = np.array([label for _, label in chosen])
model = SGDClassifier(max_iter=5, tol=None)
print("accuracy", model.fit(X, y).score(X, y), "norm", np.linalg.norm(model.coef_))
