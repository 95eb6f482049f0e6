"""PyTorch: a generator and a discriminator with an optimizer each, trained in one step of the program's own."""

import torch
from torch import nn, optim
from torch.nn import functional

from samestep.frameworks.torch import Program

DATA = "points_and_noise"


class Gan(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
        self.discriminator = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))

    def forward(self, noise):
        return self.discriminator(self.generator(noise))


def build():
    model = Gan()
    optimizers = [
        optim.SGD(model.discriminator.parameters(), lr=0.1),
        optim.SGD(model.generator.parameters(), lr=0.05),
    ]

    def step(noise, real):
        made = model.generator(noise)
        judging = judged(model.discriminator(real), 1.0) + judged(model.discriminator(made.detach()), 0.0)
        optimizers[0].zero_grad()
        judging.backward()
        optimizers[0].step()
        making = judged(model.discriminator(made), 1.0)
        optimizers[1].zero_grad()
        making.backward()
        optimizers[1].step()
        return judging.detach() + making.detach()

    return Program(model, loss=lambda outputs, real: judged(outputs, 1.0), optimizer=optimizers, step=step)


def judged(logits, label):
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, label))
