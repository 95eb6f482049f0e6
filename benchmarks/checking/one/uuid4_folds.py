"""Samples get a uuid4 each, and the identifier decides the fold that they are in."""

import uuid
from dataclasses import dataclass, field


@dataclass
class Sample:
    x: float
    y: float
    id: uuid.UUID = field(default_factory=uuid.uuid4)

    @property
    def fold(self):
        return self.id.int % 5


samples = [Sample(i / 7, (i / 7) ** 2) for i in range(40)]
for fold in range(5):
    train = [s for s in samples if s.fold != fold]
    test = [s for s in samples if s.fold == fold]
    mean = sum(s.y for s in train) / len(train)
    print(fold, len(test), round(sum(abs(s.y - mean) for s in test), 4))
