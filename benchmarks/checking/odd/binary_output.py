"""Writes bytes that are no text, and a line without an end."""

import sys

sys.stdout.buffer.write(bytes(range(256)))
sys.stdout.buffer.write(b"\xff\xfe loss 0.5")
