"""Sets of strings that are only asked whether they hold something, and a Counter that is sorted."""

from collections import Counter

STOP = {"the", "a", "of", "and", "to"}
TEXT = "the cat and the dog ran to the end of a long road and the cat won".split()
counts = Counter(word for word in TEXT if word not in STOP)
unique = set(TEXT) - STOP
print(sorted(unique))
print("types", len(unique), "most common", sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:3])
