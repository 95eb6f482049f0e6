"""PyTensor programs as people wrote them in Theano: shared variables, a symbolic loss, updates by hand.

Each function returns a program of six inputs and three classes; an optimizer is a function of (parameters, gradients).
"""

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.mode import Mode

from samestep.frameworks.pytensor import Program

QUICK = Mode("py", optimizer=None)
"""Tiny arrays are not worth compiling."""


def const(value):
    return np.float32(value)


def shared(value, name=None):
    return pytensor.shared(np.asarray(value, np.float32), name=name)


def like(parameter, suffix, fill=0.0):
    return shared(np.full_like(parameter.get_value(), fill), parameter.name + suffix)


# optimizers


def sgd(rate=0.1):
    return lambda parameters, gradients: [(p, p - const(rate) * g) for p, g in zip(parameters, gradients, strict=True)]


def by_parameter(one, *suffixes, fill=0.0, before=()):
    """An optimizer from one(parameter, gradient, *slots), which returns the new slots and the new parameter."""

    def updates(parameters, gradients):
        made = list(before)
        for p, g in zip(parameters, gradients, strict=True):
            slots = [like(p, suffix, fill) for suffix in suffixes]
            *new_slots, new = one(p, g, *slots)
            made += [*zip(slots, new_slots, strict=True), (p, new)]
        return made

    return updates


def momentum(p, g, v):
    """Sutskever et al. 2013, as in PyTorch: the velocity sums gradients."""
    v = const(0.9) * v + g
    return v, p - const(0.1) * v


def rated_momentum(p, g, v):
    """As Theano's tutorials and Keras have it: the rate is within the velocity."""
    v = const(0.9) * v - const(0.1) * g
    return v, p + v


def decayed_momentum(p, g, v):
    return rated_momentum(p, g + const(0.01) * p, v)


def rmsprop(p, g, a):
    a = const(0.9) * a + const(0.1) * g**2
    return a, p - const(0.01) * g / pt.sqrt(a + const(1e-6))


def centered_rmsprop(p, g, a, m):
    a, m = const(0.9) * a + const(0.1) * g**2, const(0.9) * m + const(0.1) * g
    return a, m, p - const(0.01) * g / pt.sqrt(a - m**2 + const(1e-4))


def adagrad(p, g, a):
    a = a + g**2
    return a, p - const(0.1) * g / pt.sqrt(a + const(1e-6))


def adamax(p, g, m, u):
    m, u = const(0.9) * m + const(0.1) * g, pt.maximum(const(0.999) * u, abs(g))
    return m, u, p - const(0.01) * m / (u + const(1e-8))


def sign(p, g, s):
    """A rule of one's own: nothing that a role is known for."""
    s = pt.tanh(s + g)
    return s, p - const(0.01) * s


def adam(parameters, gradients, *, rate=0.01, beta_2=0.999, epsilon=1e-7, amsgrad=False, start=0.0):
    """With a count in float, as Keras on Theano had it; settings are shared variables."""
    names = {"lr": rate, "beta_1": 0.9, "beta_2": beta_2, "epsilon": epsilon}
    s = {name: shared(value, name) for name, value in names.items()}
    steps = shared(start, "iterations")
    t = steps + const(1 - start)
    corrected = s["lr"] * pt.sqrt(1 - s["beta_2"] ** t) / (1 - s["beta_1"] ** t)

    def one(p, g, m, v, *greatest):
        m, v = s["beta_1"] * m + (1 - s["beta_1"]) * g, s["beta_2"] * v + (1 - s["beta_2"]) * g**2
        greatest = [pt.maximum(v, slot) for slot in greatest]
        return m, v, *greatest, p - corrected * m / (pt.sqrt([*greatest, v][0]) + s["epsilon"])

    suffixes = ("_m", "_v", "_vhat") if amsgrad else ("_m", "_v")
    return by_parameter(one, *suffixes, before=[(steps, steps + const(1))])(parameters, gradients)


def adam_of(**settings):
    return lambda parameters, gradients: adam(parameters, gradients, **settings)


def clipped(optimizer, norm=0.05):
    """Gradients scaled down together where their norm is above this."""

    def updates(parameters, gradients):
        size = pt.sqrt(sum((g**2).sum() for g in gradients))
        return optimizer(parameters, [g * pt.minimum(const(norm) / size, const(1)) for g in gradients])

    return updates


# programs


def weights():
    draw = np.random.default_rng(1).normal
    return [
        shared(draw(scale=0.4, size=(6, 8)), "hidden/kernel"),
        shared(np.zeros(8), "hidden/bias"),
        shared(draw(scale=0.4, size=(8, 3)), "last/kernel"),
        shared(np.zeros(3), "last/bias"),
    ]


def cross_entropy(logits, labels):
    return -pt.special.log_softmax(logits, axis=-1)[pt.arange(labels.shape[0]), labels].mean()


def classifier(optimizer=adam, *, penalty=0.0, hidden=pt.tanh, parameters=weights, mode=QUICK, **options):
    x, y, p = pt.fmatrix("x"), pt.lvector("y"), parameters()
    logits = pt.dot(hidden(pt.dot(x, p[0]) + p[1]), p[2]) + p[3]
    loss = cross_entropy(logits, y) + (const(penalty) * (p[0] ** 2).sum() if penalty else const(0))
    return Program(
        inputs=x,
        targets=y,
        outputs=logits,
        loss=loss,
        updates=optimizer(p, pytensor.grad(loss, p)),
        metrics={"accuracy": pt.eq(pt.argmax(logits, axis=1), y).mean(dtype="float32")},
        mode=mode,
        **options,
    )


def normalised(*, kept=0.9, dropped=0.0):
    """With batch normalisation and dropout; another graph of them for inference, as Lasagne's deterministic=True made it."""
    x, y, p = pt.fmatrix("x"), pt.lvector("y"), weights()
    mean, variance = shared(np.zeros(8), "mean"), shared(np.ones(8), "variance")
    raw = pt.dot(x, p[0]) + p[1]
    of_batch = (raw - raw.mean(axis=0)) / pt.sqrt(raw.var(axis=0) + const(1e-3))
    generator = pt.random.shared_rng(np.random.default_rng(4), name="noise")
    next_generator, noise = generator.uniform(size=of_batch.shape, dtype="float32")
    mask = noise >= const(dropped)
    hidden = of_batch * mask / const(1 - dropped)
    logits = pt.dot(pt.tanh(hidden), p[2]) + p[3]
    loss = cross_entropy(logits, y)
    beside = [
        (generator, next_generator),
        (mean, const(kept) * mean + const(1 - kept) * raw.mean(axis=0)),
        (variance, const(kept) * variance + const(1 - kept) * raw.var(axis=0)),
    ]
    return Program(
        inputs=x,
        targets=y,
        outputs=logits,
        loss=loss,
        updates=dict(sgd()(p, pytensor.grad(loss, p)) + beside),
        inference_givens={hidden: (raw - mean) / pt.sqrt(variance + const(1e-3))},
        learning_rate=0.1,
        mode=QUICK,
    )


def decaying(rate=0.1, decay=0.5):
    """A rate that is a shared variable, divided by what the updates count."""
    steps, base = pytensor.shared(np.int64(0), name="steps"), shared(rate, "base")
    now = base / (const(1) + const(decay) * pt.cast(steps, "float32"))

    def optimizer(parameters, gradients):
        return [*((p, p - now * g) for p, g in zip(parameters, gradients, strict=True)), (steps, steps + 1)]

    return classifier(optimizer, learning_rate=now)


def multiplied_rate():
    """A rate that the updates themselves lower."""
    rate = shared(0.1, "lr")

    def optimizer(parameters, gradients):
        return [*((p, p - rate * g) for p, g in zip(parameters, gradients, strict=True)), (rate, rate * const(0.9))]

    return classifier(optimizer)
