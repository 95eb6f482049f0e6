"""Keras: a language model whose embedding is its output projection too."""

import keras
from keras import layers, ops

DATA = "next_tokens"


class Tied(keras.Model):
    def __init__(self):
        super().__init__(name="tied")
        self.embedding = layers.Embedding(20, 8, name="embedding")
        self.gru = layers.GRU(8, return_sequences=True, name="gru")

    def call(self, x):
        hidden = self.gru(self.embedding(x))
        return ops.matmul(hidden, ops.transpose(self.embedding.embeddings))


def build():
    model = Tied()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss=loss, metrics=["accuracy"])
    return model
