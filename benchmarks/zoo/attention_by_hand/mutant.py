"""Scaled by the size of all heads together and not of one."""

from right import build as port

EXPECTED = "forward: attention"


def build():
    return port(scale=12**-0.5)
