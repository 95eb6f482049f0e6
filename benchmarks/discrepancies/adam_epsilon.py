"""Adam's epsilon: Keras has 1e-7 by default, tf.train.AdamOptimizer 1e-8."""

DATA = "vectors"
STAGE = "update"
COMPONENT = "optimizer"
SETTING = "epsilon"
LEFT = 1e-7
RIGHT = 1e-8
SEEN = "https://github.com/juntang-zhuang/Adabelief-Optimizer/pull/12"


def left():
    import keras
    from nets import keras_nets

    return keras_nets.perceptron(keras.optimizers.Adam(0.01))


def right(**options):
    from nets import tensorflow_nets

    return tensorflow_nets.graph(lambda: tensorflow_nets.v1.train.AdamOptimizer(0.01, **options))


def mended():
    return right(epsilon=1e-7)
