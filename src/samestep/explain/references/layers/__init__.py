"""Layers: from inputs and tensors to outputs, as the frameworks compute them."""
