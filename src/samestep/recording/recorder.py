"""Gathers what a training does, update by update, into blocks of rows, and hands them on."""

from __future__ import annotations

import contextlib
import math
import os
import sys
import threading
import time
from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import numpy as np

from samestep.recording import digests
from samestep.recording.environment import environment
from samestep.recording.measuring import Arrays, Digested, measure_of

ROWS = 256
"""Rows in a block, at most."""
SECONDS = 1.0
"""So old does a block grow, at most, before it is handed on."""
PARAMETER, GRADIENT, UPDATE, BUFFER, GENERATOR = "parameter", "gradient", "update", "buffer", "generator"
LOG = "log"
"""The source of rows that were logged with a step of their own."""


class Entry(NamedTuple):
    """One of the tensors of which each row has a digest and a norm.

    kind: parameter (after the update), gradient (as the optimizer is given it), update (as optax gives it), buffer, generator.
    """

    kind: str
    name: str
    dtype: str
    shape: Tuple[int, ...]


class Moment(NamedTuple):
    """What the process that trains is like at an update: seconds since 1970, digests of generators' states, scalars logged."""

    time: float
    states: Tuple[bytes, ...]
    logged: Mapping[str, float]


Generator = Tuple[Entry, Callable[[], Any]]
"""A random generator's entry, and the function that gives its state's bytes."""


class Recorder:
    """What one process records of one run.

    send: takes messages, dicts of plain values and arrays. digest: the name of one of digests.DIGESTS. every: number of
    updates from one sample of whole tensors to the next; 0 for none. on_error: "continue" (training goes on, unrecorded) or
    "stop".
    """

    def __init__(
        self, send: Callable[[Dict[str, Any]], None], digest: str = "", every: int = 0, on_error: str = "continue"
    ) -> None:
        self.digest_name = digests.named(digest)
        self.digest = digests.DIGESTS[self.digest_name]
        self.step = 0
        self.logged: Dict[str, float] = {}
        self._send, self._every, self._on_error = send, every, on_error
        self._process, self._lock = os.getpid(), threading.RLock()
        self._tables: Dict[str, _Table] = {}
        self._generators: Tuple[Generator, ...] = ()
        self._complete: Dict[str, Tuple[Tuple[Entry, ...], Tuple[Entry, ...]]] = {}
        self.broken = ""
        self._told: Set[Tuple[str, str]] = set()
        self.frameworks: Dict[str, str] = {}
        """Of each source, which framework's it is, where that is known: what it calls a loss or a batch, and its layouts."""
        self.watches: Dict[str, Any] = {}
        """What a framework's hooks keep from one of its modules to the next."""
        self.behind: List[Callable[[], None]] = []
        """What makes hooks catch up that look at an update only when the next one is under way."""

    def begin(self) -> None:
        """Say what the process runs on, before anything else."""
        self._tell({"environment": environment(), "digest": self.digest_name})

    def end(self, status: int) -> None:
        """Hand on all rows, and say what the process runs on now and with which exit status it ends."""
        self.flush()
        self._tell({"environment": environment(), "ended": status})

    def watch_generators(self, generators: Sequence[Generator]) -> None:
        """From now on rows have the states of these random generators too."""
        self._catch_up()
        self._generators += tuple(generators)
        self._complete.clear()

    def update(
        self,
        source: str,
        entries: Tuple[Entry, ...],
        arrays: Arrays,
        scalars: Mapping[str, float],
        batch: bytes = digests.ABSENT,
        digest: str = "",
        moment: Optional[Moment] = None,
    ) -> None:
        """Note one update.

        source: what made it, such as an optimizer's name; its rows are kept together. entries, arrays: the tensors, None for
        one that is not there. scalars: loss, learning rate, metrics. batch: the digest of what it was made from.
        digest: the name of another digest than the recorder's, by which the arrays were digested already. moment: when it
        was made, by default now.
        """
        if self.idle:
            return
        with self._lock:
            moment = moment or self.moment(digest)
            if moment.logged:
                scalars = dict(scalars, **moment.logged)
            complete = self._with_generators(source, entries)
            table = self._table(source, complete, tuple(scalars), digest or self.digest_name)
            if self.samples:
                self._sample(entries, arrays)
            table.add(self.step, moment, arrays, scalars.values(), batch)
            self.step += 1
            if table.full():
                self._hand_on(table)

    @property
    def samples(self) -> bool:
        """Whether whole tensors of the next update are kept."""
        return self._every > 0 and self.step % self._every == 0

    def moment(self, digest: str = "") -> Moment:
        """What it is like now; scalars that were logged are taken."""
        of = digests.DIGESTS[digest] if digest else self.digest
        logged, self.logged = self.logged, {}
        return Moment(time.time(), tuple([of(read()) for _, read in self._generators]), logged)

    def _with_generators(self, source: str, entries: Tuple[Entry, ...]) -> Tuple[Entry, ...]:
        """The entries of a row, made once as long as the tensors are the same."""
        own, complete = self._complete.get(source, (None, ()))
        if own is not entries:
            complete = entries + tuple(entry for entry, _ in self._generators)
            self._complete[source] = (entries, complete)
        return complete

    def log(self, **scalars: Any) -> None:
        """Note scalars by name. With a step, as a row of their own; without, with the next update."""
        if "step" not in scalars:
            self.logged.update({name: float(value) for name, value in scalars.items()})
            return
        if not self.idle:
            with self._lock:
                step = int(scalars.pop("step"))
                table = self._table(LOG, (), tuple(scalars), self.digest_name)
                now = Moment(time.time(), (), {})
                table.add(step, now, (), [float(value) for value in scalars.values()], digests.ABSENT)
                if table.full():
                    self._hand_on(table)

    @property
    def idle(self) -> bool:
        """Whether nothing is recorded: after a failure, and in processes that the training one forked."""
        return bool(self.broken) or os.getpid() != self._process

    def flush(self) -> None:
        """Hand on all rows."""
        self._catch_up()
        if not self.idle:
            with self._lock:
                for table in self._tables.values():
                    self._hand_on(table)

    def _catch_up(self) -> None:
        for catch_up in self.behind:
            catch_up()

    def _tell(self, message: Dict[str, Any]) -> None:
        if not self.idle:
            with self._lock:
                self._guarded(message)

    def fail(self, error: BaseException) -> None:
        """Record nothing more, and say so; raises the error again where training is to stop then."""
        if self.broken:
            return
        self.broken = "{}: {}".format(type(error).__name__, error)
        for table in self._tables.values():  # what was seen before it is kept, if it can be
            self._hand_on(table)
        sys.stderr.write("samestep: recording ended at update {}: {}\n".format(self.step, self.broken))
        with contextlib.suppress(OSError):  # nobody listens any more
            self._send({"failed": "at update {}: {}".format(self.step, self.broken)})
        if self._on_error == "stop":
            raise error

    def unseen(self, where: str, why: str) -> None:
        """Say once that the updates made there are not recorded."""
        if (where, why) not in self._told:
            self._told.add((where, why))
            sys.stderr.write("samestep: updates {} are not recorded: {}.\n".format(where, why))

    def _table(self, source: str, entries: Tuple[Entry, ...], scalars: Tuple[str, ...], digest: str) -> _Table:
        table = self._tables.get(source)
        if table is not None and (table.scalars, table.digest) == (scalars, digest) and table.has(entries):
            return table
        if table is not None:
            self._hand_on(table)
        table = self._tables[source] = _Table(source, entries, scalars, digest)
        framework = self.frameworks.get(source, "")
        head = {"source": source, "framework": framework, "entries": entries, "scalars": scalars, "digest": digest}
        self._guarded({"segment": head})
        return table

    def _hand_on(self, table: _Table) -> None:
        rows = table.take()
        if rows:
            self._guarded({"rows": rows, "source": table.source})

    def _sample(self, entries: Tuple[Entry, ...], arrays: Arrays) -> None:
        whole, dtypes = {}, {}
        for entry, array in zip(entries, arrays):
            if array is not None:
                name = "{}/{}".format(entry.kind, entry.name)
                whole[name] = array.whole() if isinstance(array, Digested) else array
                dtypes[name] = entry.dtype
        self._guarded({"tensors": whole, "dtypes": dtypes, "step": self.step})

    def _guarded(self, message: Dict[str, Any]) -> None:
        try:
            self._send(message)
        except (OSError, TypeError, ValueError) as error:
            self.fail(error)


class _Table:
    """Rows of the same tensors and scalars that wait to be handed on."""

    def __init__(self, source: str, entries: Tuple[Entry, ...], scalars: Tuple[str, ...], digest: str) -> None:
        self.source, self.entries, self.scalars, self.digest = source, entries, scalars, digest
        self._measure = measure_of([entry.dtype for entry in entries if entry.kind != GENERATOR], digest)
        self._clear()

    def has(self, entries: Tuple[Entry, ...]) -> bool:
        """Whether its rows are of these."""
        return self.entries is entries or self.entries == entries

    def _clear(self) -> None:
        self._steps: List[int] = []
        self._times: List[float] = []
        self._batches: List[bytes] = []
        self._values: List[float] = []
        self._digests: List[bytes] = []
        self._norms: List[float] = []

    def add(self, step: int, moment: Moment, arrays: Arrays, values: Any, batch: bytes) -> None:
        found, norms = self._measure(arrays)
        self._digests += (found, *moment.states)
        self._norms += norms
        self._norms += [math.nan] * len(moment.states)
        self._values += values
        self._batches.append(batch)
        self._times.append(moment.time)
        self._steps.append(step)

    def full(self) -> bool:
        return len(self._steps) >= ROWS or self._times[-1] - self._times[0] > SECONDS

    def take(self) -> Dict[str, np.ndarray]:
        """The columns of the rows so far, which are no longer here then: digests uint8 (rows, tensors, 16)."""
        count = len(self._steps)
        if not count:
            return {}
        columns: Dict[str, np.ndarray] = {
            "step": np.array(self._steps, np.int64),
            "time": np.array(self._times, np.float64),
            "batch": np.frombuffer(b"".join(self._batches), np.uint8).reshape(count, digests.SIZE),
            "scalars": np.array(self._values, np.float64).reshape(count, len(self.scalars)),
            "digests": np.frombuffer(b"".join(self._digests), np.uint8).reshape(count, len(self.entries), digests.SIZE),
            "norms": np.array(self._norms, np.float64).reshape(count, len(self.entries)),
        }
        self._clear()
        return columns
