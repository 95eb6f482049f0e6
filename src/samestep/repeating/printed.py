"""Metrics in what a script prints: `name: value`, `name=value`, JSON, Keras's progress lines; the last of each name counts."""

from __future__ import annotations

import re

NUMBER = r"(?P<number>[-+]?(?:\d+\.?\d*(?:e[-+]?\d+)?|\.\d+(?:e[-+]?\d+)?|nan|inf(?:inity)?))(?![\w.]*\w)"
BETWEEN = r"[\"']?\s*[:=]\s*[\"']?(?:[\w.]+\()?"
"""From a name to its number, which may stand in what a library calls itself: tensor(0.3, np.float64(0.3."""
ANY = re.compile(r"(?<![\w./])(?P<name>[a-z_][\w./-]*)" + BETWEEN + NUMBER, re.IGNORECASE)
CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
"""A terminal's colours and moves."""
MOST_NAMES = 1000
LONGEST_LINE = 100_000


class Printed:
    """The last number printed of each name: of any that is one word, and of the metric as it is called."""

    def __init__(self, metric: str | None = None) -> None:
        self.numbers: dict[str, float] = {}
        pattern = r"(?<![\w./])(?P<name>" + re.escape(metric or "") + ")" + BETWEEN + NUMBER
        self._metric = re.compile(pattern, re.IGNORECASE) if metric and re.search(r"\s", metric) else None
        self._name, self._rest = metric or "", ""

    def hear(self, text: str) -> None:
        """Take what was printed next; a line may come in several parts."""
        *lines, self._rest = re.split(r"[\r\n\b]+", self._rest + text)
        for line in lines:
            self._line(line)
        if len(self._rest) > LONGEST_LINE:
            self.end()

    def end(self) -> None:
        """Nothing more is printed."""
        self._line(self._rest)
        self._rest = ""

    def _line(self, line: str) -> None:
        line = CODES.sub("", line)
        for found in ANY.finditer(line):
            if found["name"] in self.numbers or len(self.numbers) < MOST_NAMES:
                self.numbers[found["name"]] = float(found["number"])
        for found in self._metric.finditer(line) if self._metric else ():
            self.numbers[self._name] = float(found["number"])
