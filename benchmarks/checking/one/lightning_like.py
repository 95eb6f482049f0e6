"""A Trainer class with callbacks, of which one perturbs the weights by random.gauss at the end of each epoch."""

import argparse
import random


class Callback:
    def on_epoch_end(self, trainer): ...


class Perturb(Callback):
    def __init__(self, scale):
        self.scale = scale

    def on_epoch_end(self, trainer):
        trainer.model = [w + random.gauss(0, self.scale) for w in trainer.model]


class Print(Callback):
    def on_epoch_end(self, trainer):
        print(f"epoch {trainer.epoch}: {trainer.loss():.6f}")


class Trainer:
    def __init__(self, model, callbacks=()):
        self.model, self.callbacks, self.epoch = model, callbacks, 0

    def loss(self):
        return sum((w - 1) ** 2 for w in self.model)

    def fit(self, epochs):
        for self.epoch in range(epochs):
            self.model = [w - 0.2 * (w - 1) for w in self.model]
            for callback in self.callbacks:
                callback.on_epoch_end(self)


parser = argparse.ArgumentParser()
parser.add_argument("--scale", type=float, default=0.0)
args = parser.parse_args()
Trainer([0.0, 0.5, 3.0], [Perturb(args.scale), Print()]).fit(4)
