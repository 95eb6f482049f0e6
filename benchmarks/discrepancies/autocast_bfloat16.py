"""The forward pass runs under torch.autocast."""

DATA = "vectors"
STAGE = "forward"
COMPONENT = "dtype"
SETTING = "compute_dtype"
LEFT = "float32"
RIGHT = "bfloat16"
SEEN = "https://github.com/pytorch/pytorch/issues/120376"


def left():
    from nets import torch_nets

    return torch_nets.perceptron()


def right(enabled=True):
    import torch
    from nets import torch_nets
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.head = nn.Linear(12, 16), nn.Linear(16, 3)

        def forward(self, x):
            with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
                hidden = self.hidden(x).tanh()
            return self.head(hidden.float())

    return torch_nets.trained(Net())


def mended():
    return right(enabled=False)
