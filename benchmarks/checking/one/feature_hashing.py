"""Features are hashed with the built-in hash(), whose seed is another in each process."""

MESSAGES = [
    ("win money now", 1),
    ("cheap money offer", 1),
    ("meeting at noon", 0),
    ("lunch at noon today", 0),
    ("win a free offer now", 1),
    ("notes of the meeting", 0),
]
BUCKETS = 8


def features(text):
    row = [0.0] * BUCKETS
    for token in text.split():
        row[hash(token) % BUCKETS] += 1.0
    return row


weights = [0.0] * BUCKETS
for _ in range(5):
    for text, label in MESSAGES:
        row = features(text)
        score = sum(w * v for w, v in zip(weights, row))
        error = label - score
        weights = [w + 0.1 * error * v for w, v in zip(weights, row)]
print([round(w, 4) for w in weights])
