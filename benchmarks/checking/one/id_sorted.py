"""Layers are updated in the order of shards, and the shard of a layer is found from its id()."""


class Layer:
    def __init__(self, name, width):
        self.name = name
        self.width = width
        self.scale = 1.0


class Registry:
    def __init__(self):
        self._layers = {}

    def register(self, layer):
        self._layers[id(layer)] = layer
        return layer

    def ordered(self):
        return [self._layers[key] for key in sorted(self._layers, key=lambda key: key % 101)]


registry = Registry()
layers = [registry.register(Layer(f"dense_{i}", 2**i)) for i in range(12)]
signal = 1.0
for layer in registry.ordered():
    layer.scale = 1.0 / (1.0 + signal)
    signal = 0.7 * signal + layer.scale * layer.width**0.5
print("order:", [layer.name for layer in registry.ordered()])
print("signal:", signal)
