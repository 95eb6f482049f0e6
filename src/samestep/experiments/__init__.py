"""The built-in experiments: a folder each, each framework's program beside the others.

They are program files like a user's own: ``build()`` gives the program, ``prepare(x, y)`` its data.
Read by Python 3.7 too.
"""

from collections import namedtuple

Experiment = namedtuple("Experiment", "frameworks pair data batch_size epochs")
Experiment.__doc__ = (
    "frameworks: names of those that it is written in; pair: the two compared by default; "
    "data, batch_size, epochs: what it is trained on, and how long, where nothing else is asked for."
)

EVERYWHERE = ("tensorflow1", "tensorflow", "keras", "keras-jax", "keras-torch", "tf_keras", "torch", "jax", "pytensor")

EXPERIMENTS = {
    "mnist-softmax": Experiment(
        EVERYWHERE,
        ("tensorflow1", "keras"),
        data="digits",
        batch_size=32,
        epochs=3,
    ),
    "mnist-sigmoid": Experiment(
        EVERYWHERE,
        ("tensorflow1", "keras"),
        data="digits",
        batch_size=32,
        epochs=3,
    ),
    "sequence": Experiment(
        EVERYWHERE,
        ("keras", "pytensor"),
        data="sequence",
        batch_size=9,
        epochs=100,
    ),
    "minivggnet": Experiment(
        ("keras", "tf_keras", "torch", "jax"),
        ("keras", "tf_keras"),
        data="photos",
        batch_size=32,
        epochs=1,
    ),
    "minivggnet-crelu": Experiment(
        ("keras", "tf_keras"),
        ("keras", "tf_keras"),
        data="photos",
        batch_size=32,
        epochs=1,
    ),
}
