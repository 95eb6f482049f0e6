"""Which code is the user's: all that is not the standard library's, an installed package's or samestep's own."""

from __future__ import annotations

import os
import sys
import sysconfig
from typing import Any, Dict, Tuple

OWN = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
_known: Dict[str, bool] = {}
_shown: Dict[str, str] = {}


def _libraries() -> Tuple[str, ...]:
    paths = sysconfig.get_paths()
    found = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")} | {os.path.dirname(os.__file__)}
    found |= {path for path in sys.path if path.endswith(("site-packages", "dist-packages"))} | {OWN}
    return tuple(os.path.join(form, "") for path in found for form in (path, os.path.realpath(path)))


LIBRARIES = _libraries()
TRANSPARENT = ("<string>", "<timeit-src>", os.path.join(os.path.dirname(os.__file__), "timeit.py"))
"""Files whose functions do what the user's line asks for: methods that dataclasses write, and timeit."""
STANDARD = os.path.join(os.path.dirname(os.path.abspath(os.__file__)), "")


def users(filename: str) -> bool:
    """Whether a file is the user's."""
    known = _known.get(filename)
    if known is None:
        path = os.path.abspath(filename)
        own = not filename.startswith("<") and not path.startswith(LIBRARIES) and "site-packages" not in path
        known = _known[filename] = own
    return known


def caller(depth: int = 2) -> Any:
    """The frame of the user's code that is nearest, from the caller's caller on; None where there is none."""
    frame: Any = sys._getframe(depth)
    while frame is not None and not users(frame.f_code.co_filename):
        frame = frame.f_back
    return frame


def called_by_user(depth: int = 2) -> bool:
    """Whether the user's own line made the call, and no library in between."""
    frame: Any = sys._getframe(depth)
    while frame is not None and frame.f_code.co_filename in TRANSPARENT:
        frame = frame.f_back
    return frame is not None and users(frame.f_code.co_filename)


def on_behalf_of_user(depth: int = 2) -> bool:
    """Whether the user's own line made the call, through nothing but the standard library."""
    frame: Any = sys._getframe(depth)
    while frame is not None and os.path.abspath(frame.f_code.co_filename).startswith(STANDARD):
        frame = frame.f_back
    return frame is not None and users(frame.f_code.co_filename)


def importing(depth: int = 2) -> bool:
    """Whether the call was made while a module was imported on behalf of the user's line."""
    frame: Any = sys._getframe(depth)
    while frame is not None and not users(frame.f_code.co_filename):
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


def place(frame: Any) -> str:
    """FILE:LINE of a frame, the file relative to the script's folder where it lies in it."""
    if frame is None:
        return ""
    name = frame.f_code.co_filename
    shown = _shown.get(name)
    if shown is None:
        shown = _shown[name] = _short(os.path.abspath(os.path.join(HOME[1], name)))
    return "{}:{}".format(shown, frame.f_lineno)


def _short(path: str) -> str:
    return os.path.relpath(path, HOME[0]) if path.startswith(os.path.join(HOME[0], "")) else path


HOME = [os.getcwd(), os.getcwd()]
"""The script's folder, and the one that it was started in."""
