"""The name of the experiment holds a uuid1, and the seed is made of the name."""

import random
import uuid
import zlib


class Experiment:
    def __init__(self, title):
        self.name = f"{title}-{uuid.uuid1()}"
        self.rng = random.Random(zlib.crc32(self.name.encode()))

    def run(self):
        position = 0.0
        for _ in range(100):
            position += self.rng.gauss(0, 1)
        return position


print("random walk ended at", Experiment("walk").run())
