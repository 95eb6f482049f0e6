"""Padding is masked in Keras, so that the mean over time leaves it out; elsewhere it is counted."""

DATA = "padded_tokens"
STAGE = "forward"
COMPONENT = "forward"
SETTING = "mask"
LEFT = True
RIGHT = False
SEEN = "https://github.com/huggingface/transformers/issues/8148"


def left():
    from keras import layers
    from nets import keras_nets

    embed = layers.Embedding(20, 8, mask_zero=True, name="embed")
    return keras_nets.compiled([embed, layers.GlobalAveragePooling1D(), layers.Dense(3, name="head")], (10,))


def right(masked=False):
    import torch
    from nets import torch_nets
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.embed, self.head = nn.Embedding(20, 8), nn.Linear(8, 3)

        def forward(self, x):
            kept = (x > 0 if masked else torch.ones_like(x)).float()[..., None]
            return self.head((self.embed(x) * kept).sum(1) / kept.sum(1))

    return torch_nets.trained(Net())


def mended():
    return right(masked=True)
