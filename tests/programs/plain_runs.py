"""Trainings by hand, as an ordinary user writes them, without samestep's worker: python plain_runs.py PROGRAM DATA OUT.

Each returns the trained weights in the order in which the program made them.
"""

import importlib
import sys

import numpy as np

BATCH, EPOCHS = 32, 2


def keras_fit(build, x, y):
    model = build()
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, shuffle=False, verbose=0)
    return model.get_weights()


def tensorflow_steps(build, x, y):
    import tensorflow as tf

    program = build(x.shape[1:])

    @tf.function(reduce_retracing=True)
    def step(x_batch, y_batch):
        with tf.GradientTape() as tape:
            loss = program.loss(program.forward(x_batch), y_batch)
        program.optimizer.apply_gradients(zip(tape.gradient(loss, program.variables), program.variables, strict=True))

    for rows in slices(x):
        step(tf.constant(x[rows]), tf.constant(y[rows]))
    return [variable.numpy() for variable in program.variables]


def tensorflow1_session(build, x, y):
    import tensorflow as tf

    program = build(x.shape[1:])
    with program.inputs.graph.as_default(), tf.compat.v1.Session() as session:
        session.run(tf.compat.v1.global_variables_initializer())
        for rows in slices(x):
            session.run(program.train_op, {program.inputs: x[rows], program.targets: y[rows]})
        return session.run(tf.compat.v1.trainable_variables())


def slices(x):
    return [slice(start, start + BATCH) for start in range(0, len(x), BATCH)] * EPOCHS


RUNS = {
    "programs.noisy_keras": keras_fit,
    "samestep.experiments.mnist_softmax.tensorflow": tensorflow_steps,
    "samestep.experiments.mnist_softmax.tensorflow1": tensorflow1_session,
}


def main(name, data, out):
    program = importlib.import_module(name)
    with np.load(data) as arrays:
        x, y = arrays["x"], arrays["y"]
    if hasattr(program, "prepare"):
        x, y = program.prepare(x, y)
    np.savez(out, *RUNS[name](program.build, x, y))


if __name__ == "__main__":
    main(*sys.argv[1:])
