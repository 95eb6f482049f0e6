"""A data loader leaves the last, partial batch away."""

DATA = "vectors"
STAGE = "data"
COMPONENT = "data"
SETTING = "drop_last"
LEFT = False
RIGHT = True
SEEN = "https://github.com/DigitalPhonetics/IMS-Toucan/issues/128"


def left():
    from nets import keras_nets

    return keras_nets.perceptron()


def right(drop_last=True):
    import torch
    from nets import torch_nets
    from torch import nn, optim
    from torch.utils import data

    def batches(x, y, batch_size, epoch):
        rows = data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
        for some_x, some_y in data.DataLoader(rows, batch_size, drop_last=drop_last):
            yield some_x.numpy(), some_y.numpy()

    model = torch_nets.net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return torch_nets.Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, batches=batches)


def mended():
    return right(drop_last=False)
