"""The generator's step moves the discriminator too."""

from right import build as port

EXPECTED = "update"


def build():
    return port(judge_twice=True)
