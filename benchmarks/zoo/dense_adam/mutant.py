"""PyTorch's own Adam adds epsilon after the bias correction."""

import torch
from right import build as port

EXPECTED = "update"


def build():
    return port(optimizer=torch.optim.Adam)
