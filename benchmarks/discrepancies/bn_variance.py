"""The moving variance takes the batch's biased variance in Keras, the unbiased one in PyTorch."""

DATA = "vectors"
STAGE = "buffers"
COMPONENT = "buffers"
SETTING = "variance"
LEFT = "biased"
RIGHT = "unbiased"
SEEN = "https://github.com/rwth-i6/returnn/issues/1539"


def left():
    from keras import layers
    from nets import keras_nets

    norm = layers.BatchNormalization(momentum=0.9, epsilon=1e-5, name="norm")
    return keras_nets.compiled(
        [layers.Dense(16, use_bias=False, name="hidden"), norm, layers.Dense(3, name="head")], (12,)
    )


def right(biased=False):
    import torch
    from nets import torch_nets
    from torch import nn

    class BatchNorm(nn.BatchNorm1d):
        def forward(self, x):
            if not (biased and self.training):
                return super().forward(x)
            variance, mean = torch.var_mean(x.detach(), 0, correction=0)
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance, self.momentum)
            return nn.functional.batch_norm(x, None, None, self.weight, self.bias, True, 0.0, self.eps)

    return torch_nets.trained(nn.Sequential(nn.Linear(12, 16, bias=False), BatchNorm(16), nn.Linear(16, 3)))


def mended():
    return right(biased=True)
