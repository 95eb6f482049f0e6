"""What the tests of Keras 3 and of tf_keras share: models of either library k, data, and what must hold of either adapter."""

from types import SimpleNamespace

import numpy as np
import tensorflow as tf

rng = np.random.default_rng(0)
X = rng.normal(size=(56, 6)).astype(np.float32)
Y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(np.int64)
DATA = (X, Y)
TOKENS = (rng.integers(0, 9, size=(56, 5)), Y)
SEQUENCES = (X.reshape(-1, 3, 2), Y)
IMAGES = (rng.normal(size=(56, 6, 6, 2)).astype(np.float32), Y)
WEIGHTS = {0: 1.0, 1: 2.0, 2: 0.5}


def weights_of_rows(x, y):
    return np.array([WEIGHTS[int(label)] for label in y])


def subclassed(k):
    class Subclassed(k.Model):
        """Made in another order than called, not built before data, and with a layer that the loss does not depend on."""

        def __init__(self, activation="relu", unused=False):
            super().__init__()
            self.last = k.layers.Dense(3, activation="softmax")
            self.first = k.layers.Dense(8, activation=activation)
            self.unused = k.layers.Dense(2) if unused else None

        def call(self, x, training=False):
            if self.unused is not None:
                self.unused(x)
            return self.last(self.first(x))

    return Subclassed


def stepping(k, cls):
    inputs = k.Input((6,))
    return cls(inputs, k.layers.Dense(3, activation="softmax")(k.layers.Dense(8, activation="relu")(inputs)))


def own_steps(k, logs):
    """Models with a train_step of their own; logs(model, x, y, predicted, loss): what it returns."""

    class OwnStep(k.Model):
        clip = None

        def train_step(self, data):
            x, y = data
            with tf.GradientTape() as tape:
                predicted = self(x, training=True)
                loss = self.compute_loss(x=x, y=y, y_pred=predicted)
            gradients = tape.gradient(loss, self.trainable_variables)
            if self.clip:
                gradients, _ = tf.clip_by_global_norm(gradients, self.clip)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return logs(self, x, y, predicted, loss)

    class Clipping(OwnStep):
        clip = 0.1

    class DecoratedStep(OwnStep):
        @tf.function
        def train_step(self, data):
            return super().train_step(data)

    class Withholding(k.Model):
        def train_step(self, data):
            return {"loss": self.compute_loss(x=data[0], y=data[1], y_pred=self(data[0], training=True))}

    return SimpleNamespace(own=OwnStep, clipping=Clipping, decorated=DecoratedStep, withholding=Withholding)


def spying(k):
    """A model that notes each batch that its train_step is fed when it runs eagerly, and the list of them."""
    fed = []

    class Spy(k.Model):
        def train_step(self, data):
            fed.append((data[0].numpy(), data[1].numpy()))
            return super().train_step(data)

    return Spy, fed


def assert_the_data_stage_sees_what_is_fed(adapter, program, fed, train):
    seen = []
    adapter.batches(program, X, Y, 16, 1, lambda epoch, x, y: seen.append((x, y)))
    assert fed == []
    train()
    assert len(seen) == len(fed) == 4
    for (x, y), (fed_x, fed_y) in zip(seen, fed, strict=True):
        np.testing.assert_array_equal(x, fed_x)
        np.testing.assert_array_equal(y, fed_y)


def assert_training_is_fit_bit_for_bit(adapter, build):
    """Shuffled, in two epochs with a partial last batch. build(): the same model each time, its generators seeded."""
    plain = build()
    plain.fit(X, Y, batch_size=16, epochs=2, shuffle=True, verbose=0)
    watched = adapter.load(adapter.Program(build(), fit={"shuffle": True}), X[:2])
    curve = adapter.train(watched, X, Y, 16, 2, None, lambda done, total: None)["running_loss"]
    assert len(curve) == 8
    assert np.isfinite(curve).all()
    for one, other in zip(plain.weights, watched.model.weights, strict=True):
        assert one.numpy().tobytes() == other.numpy().tobytes()
