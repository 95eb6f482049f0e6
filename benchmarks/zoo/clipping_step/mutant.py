"""Each gradient is clipped by its own norm."""

import tensorflow as tf
from right import build as port

EXPECTED = "gradients"


def build():
    return port(clip=lambda gradients, limit: [tf.clip_by_norm(gradient, limit) for gradient in gradients])
