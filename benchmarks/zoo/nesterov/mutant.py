"""Plain momentum."""

from right import build as port

EXPECTED = "update"


def build():
    return port(nesterov=False)
