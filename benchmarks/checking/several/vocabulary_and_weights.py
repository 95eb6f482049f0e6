"""The vocabulary is a set's order, and the embedding is drawn without a seed."""

import numpy as np

sentences = ["a small step is a step", "the same step again", "luck is not skill", "again and again the same luck"]
vocabulary = {word for sentence in sentences for word in sentence.split()}
ids = {word: number for number, word in enumerate(vocabulary)}

rng = np.random.default_rng()
vectors = rng.uniform(-0.1, 0.1, size=(len(ids), 4))
positions = np.linspace(0, 1, len(ids))
for sentence in sentences:
    for word in sentence.split():
        vectors[ids[word]] += 0.1 * (positions[ids[word]] - vectors[ids[word]])
print("again:", vectors[ids["again"]])
print("norm:", np.linalg.norm(vectors * positions[:, None]))
