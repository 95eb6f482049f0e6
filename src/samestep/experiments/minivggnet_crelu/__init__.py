"""The experiment minivggnet-crelu: minivggnet with a function of TensorFlow's, the concatenated ReLU, in the model.

Keras has no such activation. A Lambda layer brings in any function of tensors, and with it the framework that it is of.
"""
