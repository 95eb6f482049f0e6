"""What two manifests tell of where the runs took place, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from samestep.frameworks import FRAMEWORKS
from samestep.results import Setting

SHOWN = ("python", *dict.fromkeys(framework.package for framework in FRAMEWORKS), "flax", "optax", "numpy")
"""Of these the versions head a report; others are told where they differ."""
_NAMES = {"packages": "package", "flags": "flag"}


def versions(manifest: Mapping[str, Any]) -> dict[str, str]:
    """The versions of Python, and of frameworks that the script had imported."""
    environment = manifest["environment"]
    known = {"python": environment.get("python"), **environment.get("packages", {})}
    return {name: known[name] for name in SHOWN if known.get(name)}


def differences(left: Mapping[str, Any], right: Mapping[str, Any]) -> tuple[Setting, ...]:
    """What is not the same, in the order of the left manifest."""
    ours, theirs = _flat(left), _flat(right)
    return tuple(
        Setting(what, ours.get(what), theirs.get(what))
        for what in dict.fromkeys([*ours, *theirs])
        if ours.get(what) != theirs.get(what)
    )


def _flat(manifest: Mapping[str, Any]) -> dict[str, Any]:
    found = {
        "command": " ".join(str(word) for word in manifest["command"]),
        "script": manifest["script"].get("digest"),
        "exit status": manifest["exit_status"],
        "digest": manifest["digest"],
    }
    for name, value in manifest["environment"].items():
        if isinstance(value, dict):
            found |= {f"{_NAMES.get(name, name)} {key}": item for key, item in value.items()}
        else:
            found[name] = value
    return found
