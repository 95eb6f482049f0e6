"""The built-in experiments: a folder each, each framework's program beside the others.

They are program files like a user's own: ``build()`` gives the program, ``prepare(x, y)`` its data.
Read by Python 3.7 too.
"""

EXPERIMENTS = {
    "mnist-softmax": ("tensorflow1", "tensorflow", "keras"),
    "mnist-sigmoid": ("tensorflow1", "tensorflow", "keras"),
}
"""The frameworks that each experiment is written in; the first and the last are compared by default."""
