"""Upsampling is bilinear."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "forward: resize"


def build():
    return port(upsampling="bilinear")
