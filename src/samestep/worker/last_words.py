"""What a child said at last, cut down to what an error should quote."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import BinaryIO

KEPT = 40_000
"""Bytes of a child's output that are remembered, whatever it says."""
LINES = 15
"""Lines of it that an error quotes."""
WIDTH = 200
OWN_FRAME = re.compile(r'File ".*(samestep/worker/|samestep/frameworks/|importlib[/.])')
OTHER_THREAD = re.compile(r"^Thread .*\n(?:  .*\n?)*", re.MULTILINE)
CURRENT_THREAD = re.compile(r"^Current thread .*\n(?:  .*\n?)*", re.MULTILINE)


class LastWords:
    """The end of all that a stream says."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._kept = stream, bytearray()

    def hear(self) -> None:
        """Read the stream to its end, however much comes, so that who writes to it never has to wait."""
        while heard := self._stream.read1():  # type: ignore[attr-defined]
            self._kept += heard
            del self._kept[:-KEPT]

    def quote(self) -> str:
        """A paragraph for an error message."""
        lines = quoted(self._kept.decode("utf-8", "replace"))
        return "\nIts last words:\n  " + "\n  ".join(lines) if lines else " It said nothing."


def quoted(text: str) -> list[str]:
    """The last lines, and of faulthandler's tracebacks only the last one's current thread, without samestep's own frames.

    A traceback that is still too long keeps both ends, since the user's own line may be at either.
    """
    traces = list(CURRENT_THREAD.finditer(text))
    said = text[: traces[-1].start()] if traces else text
    said_lines = OTHER_THREAD.sub("", CURRENT_THREAD.sub("", said)).splitlines()
    trace = [line for line in traces[-1].group().splitlines() if not OWN_FRAME.search(line)] if traces else []
    before = said_lines[-max(3, LINES - len(trace)) :]
    return [line[:WIDTH] for line in [*before, *_both_ends(trace, LINES - 3)]]


def _both_ends(lines: Sequence[str], most: int) -> list[str]:
    if len(lines) <= most:
        return list(lines)
    half = most // 2
    return [*lines[:half], f"  … {len(lines) - 2 * half} more …", *lines[-half:]]
