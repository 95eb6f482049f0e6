"""PyTorch: the same autoencoder; "same" crops the transposed convolution behind."""

from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program


def prepare(x, y):
    return x.transpose(0, 3, 1, 2), y.transpose(0, 3, 1, 2)


class Net(nn.Module):
    def __init__(self, crop_behind):
        super().__init__()
        self.crop_behind = crop_behind
        self.encoder = nn.Conv2d(3, 6, 3, stride=2)
        self.decoder = nn.ConvTranspose2d(6, 5, 3, stride=2)
        self.head = nn.Conv2d(5, 3, 1)

    def forward(self, x):
        x = self.encoder(functional.pad(x, (0, 1, 0, 1))).relu()
        x = self.decoder(x)
        x = x[:, :, :-1, :-1] if self.crop_behind else x[:, :, 1:, 1:]
        return self.head(x.relu())


def build(crop_behind=True):
    model = Net(crop_behind)
    return Program(
        model,
        loss=nn.MSELoss(),
        optimizer=optim.SGD(model.parameters(), lr=0.1, momentum=0.8),
        metrics={"mae": functional.l1_loss},
    )
