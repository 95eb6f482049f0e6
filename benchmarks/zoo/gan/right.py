"""Base TensorFlow 2: the same step."""

import itertools

import numpy as np
import tensorflow as tf

from samestep.frameworks.tensorflow import Program


def variables_of(name, *sizes):
    made = []
    for number, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        kernel = np.random.normal(0, inputs**-0.5, (inputs, outputs)).astype(np.float32)
        made.append(tf.Variable(kernel, name=f"{name}{number}_kernel"))
        made.append(tf.Variable(tf.zeros(outputs), name=f"{name}{number}_bias"))
    return made


def network(x, variables, activation):
    hidden = activation(x @ variables[0] + variables[1])
    return hidden @ variables[2] + variables[3]


def build(judge_twice=False):
    generator, discriminator = variables_of("generator", 4, 8, 2), variables_of("discriminator", 2, 8, 1)

    def generate(noise):
        return network(noise, generator, tf.tanh)

    def discriminate(points):
        return network(points, discriminator, lambda z: tf.nn.leaky_relu(z, 0.2))

    @tf.function
    def step(noise, real):
        with tf.GradientTape() as tape:
            made = tf.stop_gradient(generate(noise))
            judging = judged(discriminate(real), 1.0) + judged(discriminate(made), 0.0)
        descend(tape, judging, discriminator, 0.1)
        with tf.GradientTape() as tape:
            making = judged(discriminate(generate(noise)), 1.0)
        descend(tape, making, generator + discriminator if judge_twice else generator, 0.05)
        return judging + making

    return Program(
        lambda noise: discriminate(generate(noise)),
        variables=generator + discriminator,
        loss=lambda outputs, real: judged(outputs, 1.0),
        step=step,
    )


def descend(tape, loss, variables, rate):
    for variable, gradient in zip(variables, tape.gradient(loss, variables), strict=True):
        variable.assign_sub(rate * gradient)


def judged(logits, label):
    return tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(tf.fill(tf.shape(logits), label), logits))
