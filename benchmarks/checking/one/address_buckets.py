"""Nodes of a graph are spread over buckets by the hash of the object, which is its address."""


class Node:
    def __init__(self, value):
        self.value = value


nodes = [Node(i) for i in range(200)]
buckets = [0.0] * 13
for node in nodes:
    buckets[(hash(node) >> 8) % 13] += node.value / 3
total = 0.0
for load in buckets:
    total = total * 0.5 + load
print("largest bucket", max(buckets))
print("score", total)
