"""The decoder starts from the encoder's mean output."""

from right import build as port

EXPECTED = "forward: mean"


def build():
    return port(hand_over=lambda outputs, state: outputs.mean(1)[None])
