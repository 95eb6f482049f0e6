"""The experiment minivggnet, in each framework: a small VGG network with batch normalisation and dropout.

The learning rate decays with time: 0.01 / (1 + decay * updates).
"""

RATE = 0.01
DECAY = 0.01 / 30
