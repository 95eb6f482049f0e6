"""What trials leave on disk, and how it was before the first of them."""

from __future__ import annotations

import contextlib
import filecmp
import os
import shutil
from pathlib import Path

from samestep.checking.trials import Trial

SOURCES = (".py", ".ipynb")
"""Files that are the user's to change at any time."""
MOST_FILES, MOST_BYTES = 2000, 64 << 20
"""Of a folder that is copied beforehand."""
LEFT_OUT = {
    ".git",
    ".hg",
    ".svn",
    "__pycache__",
    "node_modules",
    ".venv",
    "venv",
    "site-packages",
    ".mypy_cache",
    ".ruff_cache",
}


class Disk:
    """Puts back what trials wrote: all that went through Python's open, and what is new in the folders of the script.

    copies: where originals are kept. folders: the script's and the one that it runs in.
    """

    def __init__(self, copies: Path, folders: list[Path]) -> None:
        self._copies, self._folders = copies, _outermost(folders)
        self._before: dict[Path, Path | None] = {}
        """How each path was: where its copy is, or None where there was none."""
        self._made: dict[Path, None] = {}
        self._aside: dict[Path, Path] = {}
        self.whole = all(self._copy(folder) for folder in self._folders)

    def _copy(self, folder: Path) -> bool:
        """Whether a folder could be copied: one that is too large, or that holds what may not be read, is not."""
        try:
            return self._copied(folder)
        except OSError:
            return False

    def _copied(self, folder: Path) -> bool:
        paths = []
        size = 0
        for path in _files(folder):
            size += path.stat().st_size
            paths.append(path)
            if len(paths) > MOST_FILES or size > MOST_BYTES:
                return False
        for path in paths:
            copy = self._copies / f"{len(self._before)}"
            self._copies.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)
            self._before[path] = copy
        return True

    def learn(self, trial: Trial) -> None:
        """Note what it wrote and had not been written before."""
        for event in trial.events:
            path = Path(event.source)
            if event.kind == "folder":
                self._made.setdefault(path)
            elif event.kind == "write" and path not in self._before and event.value != "":
                self._before[path] = None if event.value is None else Path(event.value)
        if self.whole:
            for path in (path for folder in self._folders for path in _files(folder)):
                self._before.setdefault(path, None)

    def written_since(self, moment: float) -> list[Path]:
        """What is there that was written since then, in seconds since 1970."""
        with contextlib.suppress(OSError):
            return [path for path in self._before if path.is_file() and path.stat().st_mtime >= moment]
        return []

    @property
    def left(self) -> tuple[Path, ...]:
        """What is there now and was not before, or is not as it was."""
        files = [path for path, copy in self._before.items() if _changed(path, copy)]
        return (*files, *(folder for folder in self._made if folder.is_dir()))

    def restore(self) -> None:
        """Make it as it was before the first trial; what is in the way is kept until the end."""
        for path in (path for path in self.left if path in self._before):
            copy = self._before[path]
            with contextlib.suppress(OSError):
                self._set_aside(path)
                if copy is not None:
                    self._put_back(copy, path)
        for folder in sorted(self._made, reverse=True):
            with contextlib.suppress(OSError):
                folder.rmdir()  # if nothing else is in it

    def _put_back(self, copy: Path, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copy2(copy, path)
        except OSError:  # a full disk: better what the runs left than half of it
            if path in self._aside:
                shutil.copy2(self._aside[path], path)

    def _set_aside(self, path: Path) -> None:
        if path.exists():
            kept = self._copies / f"aside-{len(self._aside)}" if path not in self._aside else self._aside[path]
            self._copies.mkdir(parents=True, exist_ok=True)
            shutil.move(path, kept)
            self._aside[path] = kept

    def close(self) -> None:
        """Give back what was set aside and not written again since: it may have been somebody else's."""
        for path, kept in self._aside.items():
            if not _changed(path, self._before[path]):
                with contextlib.suppress(OSError):
                    path.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(kept, path)
        self._aside.clear()


def _changed(path: Path, copy: Path | None) -> bool:
    if copy is None:
        return path.is_file()
    return not path.is_file() or not filecmp.cmp(path, copy)


def _outermost(folders: list[Path]) -> list[Path]:
    found: list[Path] = []
    for folder in sorted({folder.resolve() for folder in folders}):
        if not any(folder.is_relative_to(other) for other in found):
            found.append(folder)
    return found


def _files(folder: Path) -> list[Path]:
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in LEFT_OUT]
        paths = (Path(root) / name for name in names if not name.endswith(SOURCES))
        found += [path for path in paths if path.is_file() and not path.is_symlink()]
        if len(found) > MOST_FILES:
            break
    return found
