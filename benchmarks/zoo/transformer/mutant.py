"""The weight decay is added to the gradient, as Adam's L2 penalty is."""

from right import build as port
from torch import optim

EXPECTED = "update"


def build():
    return port(optimizer=optim.Adam)
