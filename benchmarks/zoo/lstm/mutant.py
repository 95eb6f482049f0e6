"""Both biases are trained, so that their sum moves twice as fast."""

from right import build as port

EXPECTED = "alignment: bias"


def build():
    return port(both_biases=True)
