"""Cropped in front, as nn.ConvTranspose2d(padding=1, output_padding=1) does."""

from right import build as port
from right import prepare  # noqa: F401

EXPECTED = "forward: decoder"


def build():
    return port(crop_behind=False)
