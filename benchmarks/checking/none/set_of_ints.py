"""A set of ints keeps its order in every process."""

rows = {i * 7919 % 1013 for i in range(200)}
total = 0.0
for row in rows:
    total = total * 0.99 + row / 3
print("total", total)
