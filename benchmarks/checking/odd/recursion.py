"""Ends with a RecursionError, deep in a stack."""

import sys

sys.setrecursionlimit(2000)


def depth(n):
    return depth(n + 1) + 1


print("start")
depth(0)
