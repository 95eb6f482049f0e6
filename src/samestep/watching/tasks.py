"""Threads, processes and futures: in which order they are done; and, as a switch, one at a time in the order of their start."""

from __future__ import annotations

import concurrent.futures
import concurrent.futures._base as futures
import functools
import itertools
import multiprocessing.pool
import multiprocessing.process
import queue
import threading
import time
from typing import Any, Callable, Dict, Iterator, List, Optional

from samestep.recording.imports import when_imported
from samestep.watching import places
from samestep.watching.tape import MOST, SEPARATOR, Tape

SERIAL = "one task at a time"
"""The switch."""
PATIENCE = [5.0]
"""Seconds that a task is waited for; it may itself wait for what comes later, and others are hardly waited for then."""
ONE_WORKER = "one worker"
"""The switch of which worker takes which task."""
_TAKING_OVER = threading.Lock()
THREADS, TASKS, ASSIGNED = "thread timing", "completion order", "task assignment"


def install(tape: Tape) -> None:
    """Watch them from now on."""
    _number_futures()
    tape.note("thread", "", threading.get_ident())
    concurrent.futures.as_completed = futures.as_completed = _as_completed(tape, futures.as_completed)
    queue.Queue.put = _put(queue.Queue.put)  # type: ignore[method-assign]
    queue.Queue.get = _get(tape, queue.Queue.get)  # type: ignore[method-assign]
    for kind in (threading.Thread, multiprocessing.process.BaseProcess):
        kind.start = _start(tape, kind.start)  # type: ignore[method-assign]
    for executor in (concurrent.futures.ThreadPoolExecutor, concurrent.futures.ProcessPoolExecutor):
        executor.submit = _submit(tape, executor.submit)  # type: ignore[method-assign]
    concurrent.futures.wait = _wait(tape, futures.wait)
    when_imported(
        {"asyncio": lambda module: _asyncio(tape, module), "joblib.parallel": lambda module: _joblib(tape, module)}
    )
    pool = multiprocessing.pool.Pool
    pool.imap_unordered = _unordered(tape, pool.imap_unordered)  # type: ignore[method-assign]
    pool.apply_async = _apply(tape, pool.apply_async)  # type: ignore[method-assign]
    pool.__init__ = _begin_pool(tape, pool.__init__)  # type: ignore[method-assign]


def _number_futures() -> None:
    """Futures have no name by which those of two runs could be known for the same: the order of their making is one."""
    numbers, original = itertools.count(), futures.Future.__init__

    @functools.wraps(original)
    def begin(self: Any) -> None:
        self._samestep_number = next(numbers)
        original(self)

    futures.Future.__init__ = begin  # type: ignore[method-assign]


def _as_completed(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def as_completed(fs: Any, timeout: Optional[float] = None) -> Iterator[Any]:
        key = TASKS + SEPARATOR + places.place(places.caller())
        waiting = {one._samestep_number: one for one in fs}
        first = min(waiting, default=0)
        if SERIAL in tape.switches:
            order: List[int] = sorted(waiting)
        else:
            order = [first + number for number in tape.next(key)[1] or ()]
        done = []
        try:
            for number in order:
                if number in waiting:
                    futures.wait([waiting[number]], timeout)
                    done.append(number)
                    yield waiting.pop(number)
            for one in original(list(waiting.values()), timeout):
                done.append(one._samestep_number)
                yield one
        finally:
            tape.note("value", key, [number - first for number in done])

    return as_completed


def _start(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    numbers = itertools.count()

    @functools.wraps(original)
    def start(self: Any) -> None:
        users = places.called_by_user()
        self._samestep_number = next(numbers)
        original(self)
        for number in {getattr(self, "ident", None), getattr(self, "native_id", None)} - {None}:
            tape.note("thread", "", number)
        if users:
            tape.seen(THREADS)
            if SERIAL in tape.switches:
                _wait_for(lambda seconds: _over(self, seconds))

    return start


def _over(task: Any, seconds: float) -> bool:
    """Wait until a thread or process has ended, or waits itself for what is put into a queue."""
    until = time.monotonic() + seconds
    while task.is_alive() and time.monotonic() < until:
        if getattr(task, "_samestep_waits", False):
            return True
        task.join(0.02)
    return not task.is_alive()


class _Item:
    """What a thread has put into a queue, with the number of the thread."""

    def __init__(self, value: Any) -> None:
        self.value, self.thread = value, getattr(threading.current_thread(), "_samestep_number", -1)


def _put(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def put(self: Any, item: Any, *arguments: Any, **named: Any) -> Any:
        marked = _Item(item) if type(self) is queue.Queue and places.called_by_user() else item
        return original(self, marked, *arguments, **named)

    return put


def _get(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    """Take items in the order of another run: what another thread has put is held back meanwhile."""

    @functools.wraps(original)
    def get(self: Any, *arguments: Any, **named: Any) -> Any:
        held: List[Any] = self.__dict__.setdefault("_samestep_held", [])
        if SERIAL in tape.switches and places.called_by_user():
            item = _in_turn(self, lambda: original(self, *arguments, **named))
            return item.value if isinstance(item, _Item) else item
        if not places.called_by_user() or type(self) is not queue.Queue:
            item = held.pop(0) if held else original(self, *arguments, **named)
            return item.value if isinstance(item, _Item) else item
        key = TASKS + SEPARATOR + places.place(places.caller())
        wanted = tape.next(key)[1]
        item = next((one for one in held if wanted is None or _thread(one) == wanted), None)
        if item is not None:
            held.remove(item)
        while item is None:
            try:
                item = original(self, *arguments, **named)
            except queue.Empty:
                if not held:
                    raise
                item, wanted = held.pop(0), None
            if wanted is not None and _thread(item) != wanted and len(held) < MOST:
                held.append(item)
                item = None
        tape.note("value", key, _thread(item))
        return item.value if isinstance(item, _Item) else item

    return get


def _in_turn(items: Any, get: Callable[[], Any]) -> Any:
    """Take an item when the thread that took the one before asks for another, or has ended."""
    me, turn = threading.current_thread(), items.__dict__.setdefault("_samestep_turn", threading.Lock())
    if items.__dict__.get("_samestep_owner") is me:
        items._samestep_owner = None
        turn.release()
    me._samestep_waits = True  # type: ignore[attr-defined]
    _take_turn(items, turn)
    items._samestep_owner = me
    try:
        return get()
    finally:
        me._samestep_waits = False  # type: ignore[attr-defined]


def _take_turn(items: Any, turn: Any) -> None:
    """Have the lock; that of a thread which has ended, or does not come back, is taken over."""
    until = time.monotonic() + PATIENCE[0]
    while not turn.acquire(timeout=0.02):
        owner = items.__dict__.get("_samestep_owner")
        if (owner is None or owner.is_alive()) and time.monotonic() < until:
            continue
        with _TAKING_OVER:
            if items.__dict__.get("_samestep_owner") is owner:
                items._samestep_owner = threading.current_thread()
                return


def _thread(item: Any) -> int:
    return item.thread if isinstance(item, _Item) else -1


def _wait_for(done: Callable[[float], Any]) -> None:
    if not done(PATIENCE[0]):
        PATIENCE[0] = 0.05


def _submit(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def submit(*arguments: Any, **named: Any) -> Any:
        future = original(*arguments, **named)
        if places.on_behalf_of_user():
            tape.seen(TASKS)
            if SERIAL in tape.switches:
                _wait_for(lambda seconds: futures.wait([future], seconds).done)
        return future

    return submit


class _InOrder(set):  # type: ignore[type-arg]
    """A set of futures, or of tasks, that gives them out in the order in which they were made."""

    def __iter__(self) -> Iterator[Any]:
        return iter(sorted(set.__iter__(self), key=_made))


def _made(one: Any) -> Any:
    """What grows with the making of a future, or of a task of asyncio, whose name has a number."""
    number = getattr(one, "_samestep_number", None)
    return (len(one.get_name()), one.get_name()) if number is None else number


def _wait(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def wait(*arguments: Any, **named: Any) -> Any:
        done = original(*arguments, **named)
        if SERIAL not in tape.switches or places.caller() is None:
            return done
        return type(done)(_InOrder(done[0]), _InOrder(done[1]))

    return wait


def _asyncio(tape: Tape, module: Any) -> None:
    original = module.as_completed

    @functools.wraps(original)
    def as_completed(fs: Any, **named: Any) -> Any:
        key = TASKS + SEPARATOR + places.place(places.caller())
        waiting = list(fs)
        order = range(len(waiting)) if SERIAL in tape.switches else tape.next(key)[1]
        if order is None:
            yield from _noting(tape, key, original([_with_number(n, one) for n, one in enumerate(waiting)], **named))
        else:
            begun = [module.ensure_future(one) for one in waiting]
            yield from (begun[number] for number in order if number < len(begun))

    module.as_completed = as_completed
    module.wait = _asyncio_wait(tape, module.wait)


def _asyncio_wait(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    """As a switch, tasks are done in the order in which they were made, by which they are named."""

    @functools.wraps(original)
    async def wait(fs: Any, *arguments: Any, **named: Any) -> Any:
        if places.caller() is None:
            return await original(fs, *arguments, **named)
        tape.seen(TASKS)
        waiting = list(fs)
        if SERIAL not in tape.switches or not all(hasattr(one, "get_name") for one in waiting):
            return await original(waiting, *arguments, **named)
        waiting.sort(key=_made)
        some = waiting[:1] if named.get("return_when", "ALL_COMPLETED") == "FIRST_COMPLETED" else waiting
        done, pending = await original(some, *arguments, **named)
        return _InOrder(done), {*pending, *waiting[len(some) :]}

    return wait


async def _with_number(number: int, awaitable: Any) -> Any:
    return number, await awaitable


def _noting(tape: Tape, key: str, numbered: Any) -> Iterator[Any]:
    done: List[int] = []

    async def strip(awaitable: Any) -> Any:
        number, value = await awaitable
        done.append(number)
        return value

    try:
        for one in numbered:
            yield strip(one)
    finally:
        tape.note("value", key, done)


def _joblib(tape: Tape, module: Any) -> None:
    original = module.Parallel.__init__

    @functools.wraps(original)
    def begin(self: Any, *arguments: Any, **named: Any) -> None:
        if named.get("return_as") == "generator_unordered":
            tape.seen(TASKS)
            if SERIAL in tape.switches:
                named["return_as"] = "generator"
        original(self, *arguments, **named)

    module.Parallel.__init__ = begin


class _Numbered:
    """A function that returns the number of its argument too."""

    def __init__(self, function: Any) -> None:
        self.function = function

    def __call__(self, numbered: Any) -> Any:
        return numbered[0], self.function(numbered[1])


def _unordered(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def imap_unordered(self: Any, func: Any, iterable: Any, chunksize: int = 1) -> Any:
        tape.seen(TASKS)
        if SERIAL in tape.switches:
            return self.imap(func, iterable, chunksize)
        if self._ctx.get_start_method() != "fork":  # a new interpreter may not find samestep
            return original(self, func, iterable, chunksize)
        key = TASKS + SEPARATOR + places.place(places.caller())
        return _in_played_order(tape, key, original(self, _Numbered(func), enumerate(iterable), chunksize))

    return imap_unordered


def _in_played_order(tape: Tape, key: str, numbered: Any) -> Iterator[Any]:
    """Results as they come, or in the order of another run, noting it."""
    wanted: List[int] = list(tape.next(key)[1] or ())
    early: Dict[int, Any] = {}
    done: List[int] = []
    try:
        for number, value in numbered:
            early[number] = value
            while wanted and wanted[0] in early:
                done.append(wanted.pop(0))
                yield early.pop(done[-1])
            if not wanted:
                for late in list(early):
                    done.append(late)
                    yield early.pop(late)
        for late in list(early):
            done.append(late)
            yield early.pop(late)
    finally:
        tape.note("value", key, done)


def _begin_pool(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def begin(self: Any, processes: Optional[int] = None, *arguments: Any, **named: Any) -> None:
        if type(self) is multiprocessing.pool.Pool and processes != 1:
            if places.on_behalf_of_user():
                tape.seen(ASSIGNED)
            if ONE_WORKER in tape.switches:
                processes = 1
        original(self, processes, *arguments, **named)

    return begin


def _apply(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def apply_async(self: Any, *arguments: Any, **named: Any) -> Any:
        result = original(self, *arguments, **named)
        if places.on_behalf_of_user():
            tape.seen(TASKS)
            if SERIAL in tape.switches:
                _wait_for(lambda seconds: result.wait(seconds) or result.ready())
                time.sleep(0.01)  # its callback runs in a thread of the pool
        return result

    return apply_async
