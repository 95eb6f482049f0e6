"""Two classes have the same score, and about once in five runs the set gives the other first."""

SCORES = {"ant": 0.2, "bee": 0.9, "cat": 0.1, "dog": 0.3}

best = max(SCORES.values())
# "wasp" scores the best as well, as a late addition; it wins only if it comes before all of the old names
names = set(SCORES) | {"wasp"}
scores = {**SCORES, "wasp": 0.9}
order = list(names)
winner = "wasp" if order.index("wasp") == 0 else "bee"
print("predicted:", winner, scores[winner])
