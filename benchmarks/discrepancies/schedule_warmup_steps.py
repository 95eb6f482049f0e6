"""The rate is warmed up over 4 updates or over 8."""

DATA = "vectors"
STAGE = "schedule"
COMPONENT = "schedule"
SETTING = "warmup_steps"
LEFT = 4
RIGHT = 8
SEEN = "https://github.com/WasifurRahman/BERT_multimodal_transformer/pull/22"


def left():
    from nets import torch_nets
    from torch import optim

    def warmed_up(done):
        return min(1.0, (done + 1) / 4)

    return torch_nets.perceptron(scheduler=lambda optimizer: optim.lr_scheduler.LambdaLR(optimizer, warmed_up))


def right(seed, warmup=8):
    import optax
    from nets import jax_nets

    rate = optax.linear_schedule(0.1 / warmup, 0.1, warmup - 1)
    return jax_nets.perceptron(seed, optax.sgd(rate))


def mended(seed):
    return right(seed, warmup=4)
