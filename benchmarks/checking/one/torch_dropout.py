"""Weights come from a file of the repository, so to speak, but dropout is on and unseeded."""

import torch
import torch.nn.functional as F


def weights():
    return [torch.linspace(-1, 1, 24).reshape(8, 3), torch.linspace(0, 1, 8).reshape(1, 8)]


def train(parameters, steps=5):
    w1, w2 = (p.requires_grad_() for p in parameters)
    x = torch.eye(3)
    for _ in range(steps):
        h = F.dropout(torch.relu(x @ w1.T), p=0.5, training=True)
        loss = ((h @ w2.T - 1) ** 2).mean()
        g1, g2 = torch.autograd.grad(loss, (w1, w2))
        with torch.no_grad():
            w1 -= 0.1 * g1
            w2 -= 0.1 * g2
    return loss.item()


if __name__ == "__main__":
    print("loss", train(weights()))
