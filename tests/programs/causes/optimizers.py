"""One small net under many optimizers, in three frameworks; each function imports what it needs."""


def torch_net(optimizer, **settings):
    """A net in PyTorch, under the optimizer of this name."""
    import torch

    from samestep.frameworks.torch import Program

    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(5, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
    chosen = getattr(torch.optim, optimizer)(model.parameters(), **settings)
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=chosen)


def keras_net(optimizer, library="keras", **settings):
    """The net in Keras."""
    import importlib

    keras = importlib.import_module(library)
    keras.utils.set_random_seed(0)
    layers = [keras.Input((5,)), keras.layers.Dense(8, activation="relu"), keras.layers.Dense(3)]
    model = keras.Sequential(layers)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=getattr(keras.optimizers, optimizer)(**settings), loss=loss)
    return model


def optax_net(optimizer, **settings):
    """The net in JAX."""
    import jax
    import jax.numpy as jnp
    import optax

    from samestep.frameworks.jax import Program

    keys = jax.random.split(jax.random.PRNGKey(0), 2)
    kernels = {"w1": jax.random.normal(keys[0], (5, 8)), "w2": jax.random.normal(keys[1], (8, 3))}
    params = {**kernels, "b1": jnp.zeros(8), "b2": jnp.zeros(3)}

    def forward(p, x):
        return jax.nn.relu(x @ p["w1"] + p["b1"]) @ p["w2"] + p["b2"]

    def loss(outputs, targets):
        return optax.softmax_cross_entropy_with_integer_labels(outputs, targets).mean()

    return Program(forward, params, loss=loss, optimizer=getattr(optax, optimizer)(**settings))


def sgd():
    return torch_net("SGD", lr=0.01)


def sgd_with_momentum():
    return torch_net("SGD", lr=0.01, momentum=0.9)


def sgd_with_nesterov():
    return torch_net("SGD", lr=0.01, momentum=0.9, nesterov=True)


def sgd_with_decay():
    return torch_net("SGD", lr=0.01, weight_decay=0.001)


def adam():
    return torch_net("Adam", lr=0.001)


def adam_with_another_rate():
    return torch_net("Adam", lr=0.0011)


def adam_with_another_epsilon():
    return torch_net("Adam", lr=0.001, eps=1e-7)


def adam_with_other_betas():
    return torch_net("Adam", lr=0.001, betas=(0.95, 0.99))


def adamw():
    return torch_net("AdamW", lr=0.001, weight_decay=0.01)


def amsgrad():
    return torch_net("Adam", lr=0.001, amsgrad=True)


def of_its_own():
    """An optimizer that nobody knows: each update is the gradient times a power of its own size."""
    import torch

    class Odd(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {"lr": 0.01})

        @torch.no_grad()
        def step(self, closure=None):
            for group in self.param_groups:
                for parameter in group["params"]:
                    parameter -= group["lr"] * parameter.grad * parameter.grad.abs() ** 0.3

    torch.optim.Odd = Odd
    return torch_net("Odd")


def keras_adam():
    return keras_net("Adam")


def tf_keras_nadam():
    return keras_net("Nadam", "tf_keras")


def keras_momentum():
    return keras_net("SGD", learning_rate=0.01, momentum=0.9)


def keras_clipped_by_norm():
    return keras_net("SGD", learning_rate=0.01, momentum=0.9, clipnorm=0.5)


def keras_clipped_by_the_norm_of_all():
    return keras_net("SGD", learning_rate=0.01, momentum=0.9, global_clipnorm=0.5)


def keras_clipped_by_a_small_norm():
    return keras_net("SGD", learning_rate=0.01, momentum=0.9, global_clipnorm=0.01)


def keras_rmsprop_with_momentum():
    return keras_net("RMSprop", learning_rate=0.01, momentum=0.9, epsilon=1e-6)


def optax_rmsprop_with_momentum():
    return optax_net("rmsprop", learning_rate=0.01, decay=0.9, eps=1e-6, momentum=0.9)
