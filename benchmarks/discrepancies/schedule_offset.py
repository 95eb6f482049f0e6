"""The scheduler steps before the optimizer, as it had to before PyTorch 1.1, so that the first rate is skipped."""

DATA = "vectors"
STAGE = "schedule"
COMPONENT = "schedule"
SETTING = "offset"
LEFT = 0
RIGHT = 1
SEEN = "https://github.com/yueatsprograms/uda_release/issues/3"


def left():
    import keras
    from nets import keras_nets

    rate = keras.optimizers.schedules.ExponentialDecay(0.1, decay_steps=1, decay_rate=0.8)
    return keras_nets.perceptron(keras.optimizers.SGD(rate))


def right(scheduler_first=True):
    from nets import torch_nets
    from torch import nn, optim

    model = torch_nets.net()
    optimizer = optim.SGD(model.parameters(), lr=0.1)
    scheduler = optim.lr_scheduler.ExponentialLR(optimizer, 0.8)

    def step(x, y):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x), y)
        loss.backward()
        for part in (scheduler, optimizer) if scheduler_first else (optimizer, scheduler):
            part.step()
        return loss

    named = {"optimizer": optimizer, "scheduler": scheduler, "step": step}
    return torch_nets.Program(model, loss=nn.CrossEntropyLoss(), **named)


def mended():
    return right(scheduler_first=False)
