"""The causal mask is missing."""

from right import build as port

EXPECTED = "forward: attention"


def build():
    return port(causal=False)
