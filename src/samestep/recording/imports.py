"""Tells when a module has been imported, so that a framework is hooked as soon as the script has it, and never sooner."""

from __future__ import annotations

import contextlib
import importlib.abc
import importlib.util
import sys
from typing import Any, Callable, Dict, Optional


class _Finder(importlib.abc.MetaPathFinder):
    """Finds the awaited modules as the finders after it do, with a loader that calls the function when it is done."""

    def __init__(self, awaited: Dict[str, Callable[[Any], None]]) -> None:
        self.awaited = awaited

    def find_spec(self, name: str, path: Any, target: Any = None) -> Optional[Any]:
        if name not in self.awaited:
            return None
        then = self.awaited.pop(name)  # so that the search below does not end here again
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.awaited[name] = then  # who looks for a module need not import it
        if spec is not None and hasattr(spec.loader, "exec_module"):
            spec.loader = _Loader(spec.loader, lambda: self._loaded(name))
        return spec

    def _loaded(self, name: str) -> None:
        then = self.awaited.pop(name, None)
        if then is not None:
            then(sys.modules[name])  # which a module may replace while it is loaded


class _Loader(importlib.abc.Loader):
    """Loads as the module's own loader does, then calls the function."""

    def __init__(self, loader: Any, then: Callable[[], None]) -> None:
        self._loader, self._then = loader, then

    def create_module(self, spec: Any) -> Any:
        return self._loader.create_module(spec)

    def exec_module(self, module: Any) -> None:
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        self._then()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


def when_imported(awaited: Dict[str, Callable[[Any], None]]) -> Callable[[], None]:
    """Call each function with its module, by name, once that has been imported; at once where it is already.

    Answers with a function that ends the waiting.
    """
    later = {}
    for name, then in awaited.items():
        if name in sys.modules:
            then(sys.modules[name])
        else:
            later[name] = then
    finder = _Finder(later)
    sys.meta_path.insert(0, finder)

    def forget() -> None:
        later.clear()
        with contextlib.suppress(ValueError):
            sys.meta_path.remove(finder)

    return forget
