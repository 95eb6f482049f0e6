"""Word indices are given in the order of a set of strings."""

import numpy as np

TEXT = """the quick brown fox jumps over the lazy dog while the other fox sleeps under a tree
and nobody knows why the dog does not care about it""".split()

vocabulary = set(TEXT)
index = {word: i for i, word in enumerate(vocabulary)}

rng = np.random.default_rng(7)
embedding = rng.normal(size=(len(index), 3))
for left, right in zip(TEXT, TEXT[1:]):
    a, b = index[left], index[right]
    pull = embedding[b] - embedding[a]
    embedding[a] += 0.1 * pull
    embedding[b] -= 0.05 * pull
print("fox:", embedding[index["fox"]])
print("dog:", embedding[index["dog"]])
