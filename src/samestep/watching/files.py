"""What a script sees of the disk: the order of listings, what is in the files it reads, and which it writes."""

from __future__ import annotations

import builtins
import functools
import hashlib
import io
import os
import pathlib
import shutil
import sys
from typing import Any, Callable, Iterator, List, Set

from samestep.watching import places
from samestep.watching.tape import Tape

MOST = 1000
"""Files that are read and noted."""
LARGEST = 64 << 20
"""Bytes of a file that is digested, or kept before it is written over."""
NOT_DATA = tuple(
    os.path.join(os.path.realpath(path), "") for path in ("/proc", "/sys", "/dev", "/etc", sys.prefix, sys.base_prefix)
)
STASH = "stash"
LISTING, SORTED = "directory listing", "sorted listings"
"""The source, and the switch."""
CHANGED = "changed file"
BITS = ("/dev/urandom", "/dev/random")
SYSTEMS = (*BITS, "/proc/")
HIDDEN: List[str] = []
"""Folders of samestep's own."""


def install(tape: Tape) -> None:
    """Watch it from now on."""
    HIDDEN.append(os.path.join(os.path.realpath(tape.folder), ""))
    os.listdir = _listing(tape, os.listdir)
    os.scandir = _scanning(tape, os.scandir)
    accessor = getattr(pathlib, "_NormalAccessor", None)  # Python 3.10 and before: it has functions of its own
    for name in ("listdir", "scandir"):
        if hasattr(accessor, name):
            setattr(accessor, name, staticmethod(getattr(os, name)))
    files = _Files(tape)
    builtins.open = io.open = _opening(files, io.open)
    for name in ("replace", "rename"):
        setattr(os, name, _moving(files, getattr(os, name)))
    for name in ("remove", "unlink"):
        setattr(os, name, _removing(files, getattr(os, name)))
    os.mkdir = _making(files, os.mkdir)


def _data(path: Any) -> str:
    """The full path of what may be a script's data, empty for the files of Python and of the system."""
    try:
        full = os.path.realpath(os.fsdecode(path))
    except (TypeError, ValueError):
        return ""
    libraries = NOT_DATA + places.LIBRARIES + tuple(HIDDEN)
    return "" if full.startswith(libraries) or full.endswith(".pyc") else full


def _ordered(tape: Tape, names: List[str]) -> List[str]:
    """Names of a folder: sorted where the switch is set, in the order of another run where one is played."""
    if SORTED in tape.switches:
        return sorted(names)
    order = tape.take(LISTING, lambda: names)
    rank = {name: number for number, name in enumerate(order)}
    return sorted(names, key=lambda name: rank.get(name, len(rank)))


def _listing(tape: Tape, original: Callable[..., List[Any]]) -> Callable[..., List[Any]]:
    @functools.wraps(original)
    def listdir(path: Any = None) -> List[Any]:
        names = original(path)
        mine = places.caller() is not None and not places.importing()
        plain = mine and not isinstance(path, (int, bytes)) and _data(path or ".")
        return _ordered(tape, names) if plain else names

    return listdir


class _Entries:
    """What os.scandir returns, of entries that are in a list."""

    def __init__(self, entries: List[Any]) -> None:
        self._entries = iter(entries)

    def __iter__(self) -> Iterator[Any]:
        return self._entries

    def __next__(self) -> Any:
        return next(self._entries)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        self.close()

    def close(self) -> None:
        self._entries = iter(())


def _scanning(tape: Tape, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def scandir(path: Any = ".") -> Any:
        if isinstance(path, (int, bytes)) or not _data(path or ".") or places.caller() is None or places.importing():
            return original(path)
        with original(path) as entries:
            found = {entry.name: entry for entry in entries}
        return _Entries([found[name] for name in _ordered(tape, list(found))])

    return scandir


class _Files:
    """What has been read and written so far."""

    def __init__(self, tape: Tape) -> None:
        self.tape = tape
        self.read: Set[str] = set()
        self.written: Set[str] = set()

    def reads(self, path: str) -> None:
        """Note what a file holds before it is read for the first time, unless the script wrote it itself."""
        if path and path not in self.read and path not in self.written and len(self.read) < MOST:
            self.read.add(path)
            if os.path.isfile(path):
                self.tape.note("read", path, _digest(path), places.place(places.caller()))

    def appends(self, path: str) -> None:
        """Note how long a file is that is first written at its end: what it held is not this run's."""
        if path and path not in self.written and os.path.isfile(path):
            self.tape.note("append", path, os.path.getsize(path))

    def writes(self, path: str) -> None:
        """Note whether a file is there before it is written for the first time, and keep what it holds."""
        if path and path not in self.written:
            self.written.add(path)
            self.tape.note("write", path, self._kept(path), places.place(places.caller()))

    def _kept(self, path: str) -> Any:
        """Where the file is kept; None where there is none, empty where it is too large."""
        if not os.path.isfile(path):
            return None
        if os.path.getsize(path) > LARGEST:
            return ""
        folder = os.path.join(self.tape.folder, STASH)
        name = os.path.join(folder, "{}-{}".format(self.tape.label, len(self.written)))
        if not os.path.isdir(folder):
            _mkdir(folder)
        shutil.copy2(path, name)
        return name


_open, _mkdir = io.open, os.mkdir


def _digest(path: str) -> str:
    try:
        if os.path.getsize(path) > LARGEST:
            return "{} bytes of {}".format(os.path.getsize(path), os.stat(path).st_mtime_ns)
        with _open(path, "rb") as file:
            return hashlib.blake2b(file.read(), digest_size=16).hexdigest()
    except OSError as error:
        return str(error.strerror)


def _opening(files: _Files, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def open(file: Any, mode: Any = "r", *arguments: Any, **named: Any) -> Any:
        if not isinstance(file, int) and isinstance(mode, str):
            if isinstance(file, str) and file.startswith(SYSTEMS) and not set(mode) & set("wax+"):
                return _of_system(files.tape, original, file, mode, *arguments, **named)
            path = _data(file)
            if path and any(letter in mode for letter in "wax+"):
                if "a" in mode or "+" in mode:
                    files.reads(path)
                if "a" in mode:
                    files.appends(path)
                files.writes(path)
            elif path:
                files.reads(path)
        return original(file, mode, *arguments, **named)

    return open


class _Bits(io.RawIOBase):
    """The system's random bits as a file."""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        return os.urandom(max(size, 0))


def _of_system(tape: Tape, original: Callable[..., Any], file: str, mode: str, *arguments: Any, **named: Any) -> Any:
    """A file that the system makes up: its random bits, or what it tells of itself, which may be what it told another run."""
    if not places.called_by_user(3):
        return original(file, mode, *arguments, **named)
    if file in BITS and "b" in mode:
        return _Bits()
    if not file.startswith("/proc/") or "b" in mode:
        return original(file, mode, *arguments, **named)
    with original(file, mode, *arguments, **named) as opened:
        told = opened.read()
    return io.StringIO(tape.take(CHANGED, lambda: told))


def _moving(files: _Files, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def move(src: Any, dst: Any, **named: Any) -> Any:
        for path in (src, dst):
            files.writes(_data(path))
        return original(src, dst, **named)

    return move


def _removing(files: _Files, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def remove(path: Any, **named: Any) -> Any:
        if named.get("dir_fd") is None:
            files.writes(_data(path))
        return original(path, **named)

    return remove


def _making(files: _Files, original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def mkdir(path: Any, *arguments: Any, **named: Any) -> Any:
        done = original(path, *arguments, **named)
        if named.get("dir_fd") is None and _data(path):
            files.tape.note("folder", _data(path), None, places.place(places.caller()))
        return done

    return mkdir
