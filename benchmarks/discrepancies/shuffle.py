"""A data loader shuffles, and the other program does not."""

DATA = "vectors"
STAGE = "data"
COMPONENT = "data"
SETTING = "shuffle"
LEFT = False
RIGHT = True
SEEN = "https://github.com/jiecaoyu/XNOR-Net-PyTorch/issues/38"


def left():
    from nets import keras_nets

    return keras_nets.perceptron()


def right(shuffle=True):
    import torch
    from nets import torch_nets
    from torch import nn, optim
    from torch.utils import data

    def batches(x, y, batch_size, epoch):
        rows = data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
        order = torch.Generator().manual_seed(epoch)
        for some_x, some_y in data.DataLoader(rows, batch_size, shuffle=shuffle, generator=order):
            yield some_x.numpy(), some_y.numpy()

    model = torch_nets.net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    return torch_nets.Program(model, loss=nn.CrossEntropyLoss(), optimizer=optimizer, batches=batches)


def mended():
    return right(shuffle=False)
