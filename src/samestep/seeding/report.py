"""What seeding did and could not do: frozen, with its JSON and its text."""

from __future__ import annotations

import json
import textwrap
from dataclasses import asdict, dataclass, field
from typing import Any, Callable, Dict, Iterable, List, NamedTuple, Sequence, Tuple

SCHEMA = "samestep/seed/1"
WIDTH = 120


@dataclass(frozen=True)
class Touched:
    """A generator that is seeded. by: the call or the variable that did it."""

    package: str
    what: str
    by: str


@dataclass(frozen=True)
class Untouched:
    """What is not seeded, or is not put back. why: with what to do about it, if anything."""

    package: str
    what: str
    why: str


@dataclass(frozen=True)
class Switch:
    """A switch of a framework's own for deterministic kernels.

    cost: what it costs and what it may break. doubt: why it may have no effect, or nothing. stays: why `seeded` cannot turn it
    off again, or nothing.
    """

    package: str
    what: str
    cost: str
    doubt: str = ""
    stays: str = ""


class Done(NamedTuple):
    """What was done for one package; restore: puts its generators and switches back as they were before."""

    restore: Callable[[], None]
    touched: Sequence[Touched] = ()
    untouched: Sequence[Untouched] = ()
    switches: Sequence[Switch] = ()


def nothing() -> None:
    """Put nothing back."""


@dataclass(frozen=True)
class SeedReport:
    """What `samestep.seed` and `samestep.seeded` did.

    awaited: packages that have not been imported yet, and are taken care of as soon as they are.
    """

    seed: int
    deterministic: bool
    touched: Tuple[Touched, ...]
    untouched: Tuple[Untouched, ...]
    switches: Tuple[Switch, ...]
    awaited: Tuple[str, ...]
    schema: str = field(default=SCHEMA)

    def to_json(self) -> str:
        """Its JSON, the schema first."""
        fields = asdict(self)
        return json.dumps({"schema": fields.pop("schema"), **fields}, indent=2, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str) -> SeedReport:
        """Read what to_json wrote; raises ValueError for another schema."""
        fields: Dict[str, Any] = json.loads(text)
        if fields.get("schema") != SCHEMA:
            raise ValueError("expected a report with schema {!r}, not {!r}".format(SCHEMA, fields.get("schema")))
        for name, kind in (("touched", Touched), ("untouched", Untouched), ("switches", Switch)):
            fields[name] = tuple(kind(**entry) for entry in fields[name])
        return cls(**{**fields, "awaited": tuple(fields["awaited"])})

    def __str__(self) -> str:
        sections = [
            ("seeded", [(entry.package, "{}: {}".format(entry.what, entry.by)) for entry in self.touched]),
            ("switched on", [(switch.package, _told(switch)) for switch in self.switches]),
            ("not seeded", [(entry.package, "{}: {}".format(entry.what, entry.why)) for entry in self.untouched]),
            ("not imported yet, taken care of when they are", [("", ", ".join(self.awaited))] if self.awaited else []),
        ]
        lines = ["seed {}{}".format(self.seed, ", deterministic" if self.deterministic else "")]
        return "\n".join(lines + [line for title, rows in sections if rows for line in (title, *_lines(rows))])


def _told(switch: Switch) -> str:
    parts = [switch.what + ":", switch.cost, switch.doubt and "Doubtful: " + switch.doubt]
    return " ".join(part for part in [*parts, switch.stays and "Stays on: " + switch.stays] if part)


def _lines(rows: Iterable[Tuple[str, str]]) -> List[str]:
    return [
        line
        for package, text in rows
        for line in textwrap.wrap(
            text, WIDTH, initial_indent="  {:<12}".format(package), subsequent_indent=" " * 14, break_on_hyphens=False
        )
    ]
