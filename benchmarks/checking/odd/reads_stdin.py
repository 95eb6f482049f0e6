"""Reads standard input until it ends, and would wait for a terminal."""

import sys

lines = sys.stdin.read().splitlines()
print("lines", len(lines))
print("mean length", sum(map(len, lines)) / max(1, len(lines)))
