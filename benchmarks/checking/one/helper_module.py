"""The script is clean; the module beside it draws its own generator."""

import sampling

TABLE = [(i, (i * i) % 13) for i in range(30)]

train, test = sampling.split(TABLE, share=0.3)
mean = sum(y for _, y in train) / len(train)
print("test rows:", [x for x, _ in test])
print("absolute error:", sum(abs(y - mean) for _, y in test) / len(test))
