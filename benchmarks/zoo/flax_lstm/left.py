"""PyTorch: an LSTM whose first bias is frozen at zero, since Flax adds one bias, to the recurrent half."""

from torch import nn, optim

from samestep.frameworks.torch import Program

DATA = "sequences"


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(6, 7, batch_first=True)
        self.head = nn.Linear(7, 3)
        nn.init.zeros_(self.lstm.bias_ih_l0).requires_grad_(False)

    def forward(self, x):
        outputs, _ = self.lstm(x)
        return self.head(outputs.mean(1))


def build():
    model = Net()
    trained = [p for p in model.parameters() if p.requires_grad]
    return Program(model, loss=nn.CrossEntropyLoss(), optimizer=optim.Adam(trained, lr=0.01))
