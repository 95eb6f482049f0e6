"""The port that the system has given to the parameter server is part of the worker's seed."""

import random
import socket


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Worker:
    def __init__(self, address, rank):
        host, port = address
        self.rng = random.Random(port * 31 + rank)

    def rollout(self):
        return sum(self.rng.expovariate(1.0) for _ in range(20))


address = ("127.0.0.1", free_port())
print("mean return", sum(Worker(address, rank).rollout() for rank in range(4)) / 4)
