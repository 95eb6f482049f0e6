"""How each framework is seeded, put back, and made deterministic by its own switches. Imports none: modules are handed in.

A function that seeds takes the module and the seed; one that switches takes the module.
Each reads what it will put back before it touches anything.
"""

from __future__ import annotations

import contextlib
import functools
import os
import random
import sys
from typing import Any, Callable, Dict, List, Optional

from samestep.seeding.generators import put_back
from samestep.seeding.report import Done, Switch, Touched, Untouched, nothing

KERAS_STATES = ("global_random_seed", "global_seed_generator")
"""What Keras 3 keeps of a seed: keras/src/utils/rng_utils.py, keras/src/random/seed_generator.py."""
WORKSPACE, WORKSPACES = "CUBLAS_WORKSPACE_CONFIG", (":4096:8", ":16:8")
XLA, XLA_DETERMINISTIC = "XLA_FLAGS", "--xla_gpu_deterministic_ops=true"
READ_ONCE = "it is read once."
_graphs: Dict[str, Optional[int]] = {"seed": None}
"""What graphs of TensorFlow 1 start with."""


# TensorFlow


def _tensorflow(tensorflow: Any, seed: int) -> Done:
    """The seed of eager mode, that of graphs, and the global tf.random.Generator: tensorflow/python/eager/context.py."""
    contexts: Any = sys.modules["tensorflow.python.eager.context"]
    eager = contexts.context()
    before = eager._seed, getattr(eager, "_rng", None)
    graphs_restored = _seed_graphs(seed)
    contexts.set_global_seed(seed)
    generator_restored, told = _seed_global_generator(tensorflow, eager, seed)

    def restore() -> None:
        generator_restored()
        contexts.set_global_seed(before[0])  # clears the kernels that draws have made
        eager._rng = before[1]
        graphs_restored()

    touched = [
        Touched("tensorflow", "operations without a seed, in eager mode and in tf.function", _call(tensorflow, seed)),
        Touched("tensorflow", "graphs of TensorFlow 1, the current one and new ones", "their seed is {}".format(seed)),
        *(entry for entry in told if isinstance(entry, Touched)),
    ]
    return Done(restore, touched, [*(e for e in told if isinstance(e, Untouched)), *_tensorflow_left(seed)])


def _call(tensorflow: Any, seed: int) -> str:
    return "{}({})".format(
        "tf.random.set_seed" if hasattr(tensorflow.random, "set_seed") else "tf.set_random_seed", seed
    )


def _tensorflow_left(seed: int) -> List[Untouched]:
    return [
        Untouched(
            "tensorflow",
            "operations with a seed of their own, and those that were traced or put into a graph already",
            "they keep their seeds; in eager mode and tf.function they count from the start again, and go on from there",
        ),
        Untouched(
            "tensorflow",
            "objects of tf.random.Generator and datasets that exist",
            "they keep their state: tf.random.Generator.from_seed({}) where they are made".format(seed),
        ),
    ]


def _seed_graphs(seed: int) -> Callable[[], None]:
    """New graphs start with the seed, and so does the one in use. None is made: enable_eager_execution would refuse then."""
    ops: Any = sys.modules["tensorflow.python.framework.ops"]
    _let_graphs_start_seeded(ops)
    stack = ops._default_graph_stack
    graph = [stack._global_default_graph, *stack.stack][-1]
    before, graph_before = _graphs["seed"], graph and graph.seed
    _graphs["seed"] = seed
    if graph:
        graph.seed = seed

    def restore() -> None:
        _graphs["seed"] = before
        if graph:
            graph.seed = graph_before

    return restore


def _let_graphs_start_seeded(ops: Any) -> None:
    make = ops.Graph.__init__
    if hasattr(make, "_samestep_seeds"):
        return

    @functools.wraps(make)
    def seeded(graph: Any, *args: Any, **kwargs: Any) -> None:
        make(graph, *args, **kwargs)
        if _graphs["seed"] is not None:
            graph.seed = _graphs["seed"]

    seeded._samestep_seeds = True  # type: ignore[attr-defined]
    ops.Graph.__init__ = seeded


def _seed_global_generator(tensorflow: Any, eager: Any, seed: int) -> Any:
    """(restore, what to report). One that does not exist is made only where TensorFlow has started: it would start it."""
    what = "global generator, tf.random.get_global_generator()"
    module: Any = sys.modules.get("tensorflow.python.ops.stateful_random_ops")
    if not hasattr(module, "global_generator"):
        return nothing, []
    generator = module.global_generator
    if not eager.executing_eagerly() or not (generator or getattr(eager, "_initialized", False)):
        why = "made of entropy at its first use: tf.random.set_global_generator(tf.random.Generator.from_seed({}))"
        return nothing, [Untouched("tensorflow", what, why.format(seed))]
    if generator:
        restore = functools.partial(generator.state.assign, generator.state.numpy())
        generator.reset_from_seed(seed)
    else:
        restore = functools.partial(setattr, module, "global_generator", None)
        module.global_generator = tensorflow.random.Generator.from_seed(seed)
    return restore, [Touched("tensorflow", what, "reset_from_seed({})".format(seed))]


def _tensorflow_switches(tensorflow: Any) -> Done:
    """Op determinism, of TensorFlow 2.8 and later; before, the variables that were its forerunners."""
    config: Any = sys.modules.get("tensorflow.python.framework.config")
    if not hasattr(config, "enable_op_determinism"):
        return _variables_of_old_tensorflow()
    before = config.is_op_determinism_enabled()
    tensorflow.config.experimental.enable_op_determinism()
    switch = Switch(
        "tensorflow",
        "tf.config.experimental.enable_op_determinism()",
        "Slower on GPUs, and Dataset.map with random or other stateful functions no longer runs in parallel; random operations "
        "without any seed and operations without a deterministic kernel raise.",
    )
    return Done(nothing if before else config.disable_op_determinism, switches=[switch])


def _variables_of_old_tensorflow() -> Done:
    names = ("TF_DETERMINISTIC_OPS", "TF_CUDNN_DETERMINISTIC")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    cost = "Slower convolutions and bias gradients on GPUs; other operations may still differ, as this version can do no more."
    switches = [Switch("tensorflow", name + "=1", cost, "from 1.14 on only.", READ_ONCE) for name in names]

    def restore() -> None:
        for name, value in before.items():
            put_back(name, value)

    return Done(restore, switches=switches)


# Keras


def _keras(keras: Any, seed: int) -> Done:
    """What keras.utils.set_random_seed does beside seeding others, which would import TensorFlow on any backend."""
    name = keras.__name__
    states: Any = sys.modules.get(name + ".src.backend.common.global_state")
    if states is None:
        return _keras_2(keras, seed)
    before = {key: states.get_global_attribute(key) for key in KERAS_STATES}
    for key, value in zip(KERAS_STATES, (seed, None)):  # the generator is made anew from random, at its first use
        states.set_global_attribute(key, value)

    def restore() -> None:
        for key, value in before.items():
            states.set_global_attribute(key, value)

    touched = [
        Touched(name, "seeds of initializers and layers that are given none", "Keras draws them from random"),
        Touched(
            name, "global SeedGenerator, of this thread", "made anew at its next use, as by keras.utils.set_random_seed"
        ),
    ]
    why = "they keep their state, as those of Dropout layers: make the model after seeding"
    return Done(restore, touched, [Untouched(name, "objects of SeedGenerator that exist", why)])


def _keras_2(keras: Any, seed: int) -> Done:
    """Keras 2: the generator of seeds that tf.keras has from TensorFlow 2.7 on; before, seeds come from NumPy or the graph."""
    name = keras.__name__
    homes: List[Any] = [sys.modules.get(name + place) for place in (".src.backend", ".backend")]
    holder: Any = next((home._SEED_GENERATOR for home in homes if hasattr(home, "_SEED_GENERATOR")), None)
    if holder is None:
        return Done(
            nothing, [Touched(name, "seeds of initializers and layers", "from np.random, random or TensorFlow")]
        )
    before = getattr(holder, "generator", None)
    holder.generator = random.Random(seed)
    left = Untouched(name, "layers and initializers that exist", "they keep their seeds: make the model after seeding")
    touched = Touched(name, "seeds of initializers and layers that are given none", "as keras.utils.set_random_seed")
    return Done(functools.partial(setattr, holder, "generator", before), [touched], [left])


# PyTorch


def _torch(torch: Any, seed: int) -> Done:
    """torch.manual_seed seeds the CPU and every accelerator: torch/random.py."""
    accelerators = [
        getattr(torch, name) for name in ("cuda", "xpu") if hasattr(getattr(torch, name, None), "is_initialized")
    ]
    restores: List[Callable[[], None]] = [functools.partial(torch.set_rng_state, torch.get_rng_state())]
    restores += [_accelerator_restored(accelerator) for accelerator in accelerators]
    if hasattr(torch, "mps") and torch.backends.mps.is_available():
        restores.append(functools.partial(torch.mps.set_rng_state, torch.mps.get_rng_state()))
    torch.manual_seed(seed)

    def restore() -> None:
        for put in restores:
            put()

    by = "torch.manual_seed({})".format(seed)
    touched = [
        Touched("torch", "global generators of the CPU and of all accelerators, at once or when they start", by),
        Touched(
            "torch", "workers of DataLoaders that are started now", "their seeds are drawn from the CPU's generator"
        ),
    ]
    why = "they keep their state: torch.Generator().manual_seed({}) where they are made".format(seed)
    return Done(
        restore,
        touched,
        [Untouched("torch", "objects of torch.Generator that exist, and workers that run already", why)],
    )


def _accelerator_restored(device: Any) -> Callable[[], None]:
    """Puts back the generators of all devices; where the accelerator had not started, the seed that awaited its start."""
    if device.is_initialized():
        return functools.partial(device.set_rng_state_all, device.get_rng_state_all())
    awaiting = getattr(device, "_lazy_seed_tracker", None)
    before = dict(vars(awaiting)) if awaiting else {}

    def restore() -> None:
        calls = [call for call in before.get("call_order", ()) if call]
        if awaiting and not device.is_initialized():
            vars(awaiting).update(before)
        elif calls:
            for call in calls:
                call[0]()
        else:
            device.seed_all()  # as it would have been: from entropy

    return restore


def _torch_switches(torch: Any) -> Done:
    """Deterministic algorithms, cuDNN's, and cuBLAS's workspace."""
    undo = contextlib.ExitStack()
    switches = [_cublas(torch, undo)]
    cudnn = torch.backends.cudnn
    for name, value, cost in (
        ("deterministic", True, "Convolutions on CUDA may be slower; nothing raises."),
        ("benchmark", False, "cuDNN no longer tries which kernel is the fastest: slower where shapes do not change."),
    ):
        undo.callback(setattr, cudnn, name, getattr(cudnn, name))
        setattr(cudnn, name, value)
        switches.append(Switch("torch", "torch.backends.cudnn.{} = {}".format(name, value), cost))
    if hasattr(torch, "use_deterministic_algorithms"):
        before = torch.are_deterministic_algorithms_enabled()
        asked = getattr(torch, "is_deterministic_algorithms_warn_only_enabled", lambda: False)()
        undo.callback(torch.use_deterministic_algorithms, before, **({"warn_only": True} if asked else {}))
        torch.use_deterministic_algorithms(True)
        cost = (
            "Slower, also because new tensors are filled before their use; operations without a deterministic kernel raise "
            "RuntimeError, such as the gradients of CTCLoss and of adaptive average pooling on CUDA."
        )
        switches.append(Switch("torch", "torch.use_deterministic_algorithms(True)", cost))
    return Done(undo.close, switches=switches)


def _cublas(torch: Any, undo: contextlib.ExitStack) -> Switch:
    before = os.environ.get(WORKSPACE)
    if before not in WORKSPACES:
        os.environ[WORKSPACE] = WORKSPACES[0]
        undo.callback(put_back, WORKSPACE, before)
    late = "CUDA has started already, and cuBLAS reads it then: set it before the script starts, or by samestep seed."
    return Switch(
        "torch",
        "{}={}".format(WORKSPACE, os.environ[WORKSPACE]),
        "About 24 MiB of a GPU's memory with :4096:8; :16:8 takes less and may be slower.",
        late if torch.cuda.is_initialized() and before not in WORKSPACES else "",
        READ_ONCE,
    )


# JAX, CuPy, and those that have no generator of their own


def _jax(jax: Any, seed: int) -> Done:
    why = "they are values, and no generator has a state: make them of jax.random.key({})".format(seed)
    return Done(nothing, untouched=[Untouched("jax", "keys, and flax.nnx.Rngs", why)])


def _jax_switches(jax: Any) -> Done:
    before = os.environ.get(XLA)
    if XLA_DETERMINISTIC not in (before or ""):
        os.environ[XLA] = " ".join(part for part in (before, XLA_DETERMINISTIC) if part)
    bridge = sys.modules.get("jax._src.xla_bridge") or sys.modules.get("jax._src.lib.xla_bridge")
    started = bool(getattr(bridge, "_backends", None))
    switch = Switch(
        "jax",
        "{}={}".format(XLA, os.environ[XLA]),
        "On GPUs kernels are no longer tuned and scatters are slower; operations without a deterministic kernel fail to compile. "
        "Nothing changes on CPUs.",
        "JAX's backend has started already, and reads it then: set it before." if started else "",
        READ_ONCE,
    )
    return Done(functools.partial(put_back, XLA, before), switches=[switch])


def _cupy(cupy: Any, seed: int) -> Done:
    """Each device has a global RandomState; its state cannot be read, so another one stands in its place."""
    devices = range(cupy.cuda.runtime.getDeviceCount())
    before = [_on_device(cupy, number, cupy.random.get_random_state) for number in devices]

    def put(states: Any) -> None:
        for number, state in zip(devices, states):
            _on_device(cupy, number, functools.partial(cupy.random.set_random_state, state))

    put([_on_device(cupy, number, lambda: cupy.random.RandomState(seed)) for number in devices])
    touched = Touched("cupy", "global RandomState of every device", "cupy.random.RandomState({})".format(seed))
    left = Untouched("cupy", "objects of cupy.random.Generator and RandomState that exist", "they keep their state")
    return Done(functools.partial(put, before), [touched], [left])


def _on_device(cupy: Any, number: int, call: Callable[[], Any]) -> Any:
    with cupy.cuda.Device(number):
        return call()


def _shared_variables(module: Any, seed: int) -> Done:
    why = "generators are variables of the program, seeded where they are made"
    return Done(nothing, untouched=[Untouched(module.__name__, "its random variables", why)])


SEEDERS = {
    "tensorflow": _tensorflow,
    "keras": _keras,
    "tf_keras": _keras,
    "torch": _torch,
    "jax": _jax,
    "cupy": _cupy,
    "pytensor": _shared_variables,
    "theano": _shared_variables,
}
"""{package: how it is seeded}."""

SWITCHES = {"tensorflow": _tensorflow_switches, "torch": _torch_switches, "jax": _jax_switches}
"""{package: how its kernels are made deterministic}."""
