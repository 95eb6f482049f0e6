"""PyTorch: an LSTM, the second of its two biases frozen at zero, since Keras has one."""

from torch import nn, optim

from samestep.frameworks.torch import Program


class Net(nn.Module):
    def __init__(self, both_biases):
        super().__init__()
        self.lstm = nn.LSTM(6, 7, batch_first=True)
        self.head = nn.Linear(7, 3)
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(both_biases)

    def forward(self, x):
        outputs, _ = self.lstm(x)
        return self.head(outputs[:, -1])


def build(both_biases=False):
    model = Net(both_biases)
    trained = [p for p in model.parameters() if p.requires_grad]
    return Program(
        model,
        loss=nn.CrossEntropyLoss(),
        optimizer=optim.SGD(trained, lr=0.1, momentum=0.9),
        metrics={"accuracy": lambda outputs, targets: (outputs.argmax(1) == targets).float().mean()},
    )
