"""Runs the user's files with mended text in the place of their own, which stay as they are on disk."""

from __future__ import annotations

import functools
import importlib.machinery
import os
import runpy
import sys
from typing import Any, Callable, Dict


class _Finder:
    """Finds what the path holds, as ever; of a file that is mended the text is another."""

    def __init__(self, texts: Dict[str, str]) -> None:
        self.texts = texts

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.origin and os.path.realpath(spec.origin) in self.texts:
            spec.loader = _Loader(name, spec.origin, self.texts[os.path.realpath(spec.origin)])
            return spec
        return None


class _Loader(importlib.machinery.SourceFileLoader):
    def __init__(self, name: str, path: str, text: str) -> None:
        super().__init__(name, path)
        self._text = text

    def get_code(self, fullname: str) -> Any:
        return self.source_to_code(self._text.encode(), self.path)


def install(texts: Dict[str, str]) -> None:
    """From now on files, by their real paths, are imported with these texts."""
    if texts:
        sys.meta_path.insert(0, _Finder(texts))
        runpy._get_code_from_file = _reading(texts, runpy._get_code_from_file)  # type: ignore[attr-defined]


def _reading(texts: Dict[str, str], original: Callable[..., Any]) -> Callable[..., Any]:
    """How a spawned worker comes to the script's own functions: its file is run under another name."""

    @functools.wraps(original)
    def read(*arguments: Any) -> Any:
        path = arguments[-1]
        text = texts.get(os.path.realpath(path))
        if text is None:
            return original(*arguments)
        code = compile(text, path, "exec", dont_inherit=True)
        return (code, path) if len(arguments) > 1 else code  # Python 3.12 has it with the path alone

    return read
