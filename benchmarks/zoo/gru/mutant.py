"""batch_first is forgotten: the rows of the batch are taken for time."""

from right import build as port

EXPECTED = "forward: gru1"


def build():
    return port(batch_first=False)
