"""JAX: a pure function and its parameters, or a module of Flax or Equinox, trained by optax."""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Optional, Tuple

import jax
import numpy as np

from samestep.errors import ProgramError
from samestep.frameworks import _jax_graph, _jax_models, _jax_optimizers, _loops, _randomness
from samestep.frameworks import _jax_trees as trees
from samestep.frameworks._jax_trees import array

jax.config.update("jax_traceback_filtering", "off")  # which frames a user sees is samestep's choice, and needs them all
GAPS = {
    "half precision": "parameters are float32 or float64",
    "steps": "a step of the program's own that calls its optimizer in a loop, or not at all, does not show its gradients",
}
"""What this adapter cannot observe, and why."""

Arrays = Dict[str, np.ndarray]
Settings = Dict[str, Dict[str, Any]]


class Program:
    """A model as a pure function of its parameters, with what trains it.

    apply(params, x): the outputs; it may also name ``training`` and ``rng``. state: what else a pass changes, then
    apply(params, state, x) returns (outputs, state). loss(outputs, targets): a scalar. optimizer: an optax
    transformation. metrics: {name: fn(outputs, targets)}, values of one batch. step: replaces the standard update:
    step(params, opt_state, x, y) returns (params, opt_state, loss); with a state, step(params, state, opt_state, x, y)
    returns (params, state, opt_state, loss). rng: the key that random draws of a step come from, folded with the number
    of updates done. batches(x, y, batch_size, epoch): an input pipeline of the program's own.
    Raises ProgramError if there is neither an optimizer nor a step.
    """

    def __init__(
        self,
        apply: Any,
        params: Any = None,
        *,
        loss: Callable[[Any, Any], Any],
        optimizer: Any = None,
        state: Any = None,
        opt_state: Any = None,
        metrics: Optional[Dict[str, Callable[[Any, Any], Any]]] = None,
        step: Optional[Callable[..., Any]] = None,
        rng: Any = None,
        batches: Optional[Callable[..., Any]] = None,
    ) -> None:
        if optimizer is None and step is None:
            raise ProgramError("Program has neither an optimizer nor a step function: nothing would train it.")
        self.model = _jax_models.model_of(apply, params, state)
        self.loss, self.optimizer, self.metrics = loss, optimizer, dict(metrics or {})
        self.step, self.batches = step, batches
        self.rng = jax.random.key(0) if rng is None else rng
        self.params, self.state, self.opt_state, self.steps = self.model.params, self.model.state, opt_state, 0
        self.order: List[str] = []
        self.functions: Dict[Any, Callable[..., Any]] = {}


def load(built: Program, x: np.ndarray) -> Program:
    """The program for what build() returned, its optimizer's slots made; x: example rows."""
    _check_precision(built.params)
    if built.opt_state is None and built.optimizer is not None:
        built.opt_state = built.optimizer.init(built.params)
    found = _jax_optimizers.counts(built.opt_state)
    built.steps = max([int(trees.leaves(built.opt_state)[name]) for name in found], default=0)
    built.order = _order_of_use(built, x)
    return built


def describe(program: Program) -> Dict[str, Any]:
    """Names, shapes and dtypes of all that the program holds."""
    groups = _leaves(program)
    return dict(
        {group: [trees.entry(n, leaf) for n, leaf in groups[group].items()] for group in DESCRIBED},
        framework="jax",
        versions=_versions(),
        optimizer=" + ".join(
            part.factory for o in _optimizers(program) for part in _jax_optimizers.parts(o.update, program.opt_state)
        ),
        loss=getattr(program.loss, "__name__", type(program.loss).__name__),
        inputs=[],
        lacks=_lacks(program),
    )


def state(program: Program, values: Optional[Dict[str, Arrays]] = None) -> Dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as arrays of the leaves' shapes and dtypes.

    Groups: parameters, buffers (floats of the state), slots (by role), counters (``step``: updates done), generators (random
    keys of the state) and private: what else the state and the optimizer hold. Where counters are written without private, the
    optimizer's own counts are set.
    """
    if values:
        _write(program, values)
    read = {group: {n: array(leaf) for n, leaf in found.items()} for group, found in _leaves(program).items()}
    return dict(read, counters={"step": np.array(program.steps, np.int64)})


def forward(program: Program, x: np.ndarray, training: bool) -> Dict[str, Arrays]:
    """Every float tensor on the way from x to the outputs, in order, and the outputs."""
    names: List[str] = []

    def observed(x, params, state, step):
        found = _jax_graph.activations(lambda x: _call(program, params, state, x, training, step)[0], x)
        names[:] = list(found)
        return list(found.values())

    def plain(x, params, state, step):
        return jax.tree_util.tree_leaves(_call(program, params, state, x, training, step)[0])

    here = (x, program.params, program.state, np.int32(program.steps))
    seen = jax.jit(observed)(*here)
    outputs = jax.jit(plain)(*here)
    return {
        "activations": {name: array(value) for name, value in zip(names, seen)},
        "outputs": {"output" if i == 0 else "output_{}".format(i): array(o) for i, o in enumerate(outputs)},
    }


def gradients(program: Program, x: np.ndarray, y: np.ndarray) -> Dict[str, Any]:
    """Loss, gradients and metrics of one training step, without its update. A gradient that is missing is shown as zeros."""
    function = _compiled(program, "gradients", lambda *args: _loss_and_gradients(program, *args))
    loss, _, given, metrics = function(program.params, program.state, x, y, np.int32(program.steps))
    found = trees.leaves(given)
    return {
        "loss": array(loss),
        "gradients": {name: array(found[name]) for name in program.order},
        "metrics": {name: array(value) for name, value in metrics.items()},
    }


def update(program: Program, gradients: Arrays, x: np.ndarray, y: np.ndarray) -> None:
    """Let the optimizer apply these gradients; x and y are the batch they belong to."""
    given = trees.with_leaves(program.params, gradients)
    program.params, program.opt_state = _applied(program, given, program.params, program.opt_state)
    program.steps += 1


def train(
    program: Program,
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    epochs: int,
    steps: Optional[int],
    watch: Callable[[int, int], None],
) -> Dict[str, Any]:
    """Train; returns running_loss, float64 (steps,), and the means of each epoch."""

    def one_step(x_batch: Any, y_batch: Any) -> Any:
        loss, metrics = (
            _own_step(program, x_batch, y_batch) if program.step else _standard_step(program, x_batch, y_batch)
        )
        program.steps += 1
        return array(loss), {name: array(value) for name, value in metrics.items()}

    return _loops.train_loop(one_step, program.batches, x, y, batch_size, epochs, steps, watch)


def evaluate(program: Program, x: np.ndarray, y: np.ndarray, batch_size: int) -> Dict[str, float]:
    """Means over rows of loss and metrics."""
    function = _compiled(program, "evaluate", lambda *args: _evaluation(program, *args))

    def one_batch(x_batch: Any, y_batch: Any) -> Any:
        loss, metrics = function(program.params, program.state, x_batch, y_batch)
        return array(loss), {name: array(value) for name, value in metrics.items()}

    return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Call see(epoch, x, y) for each batch of the training loop."""
    _loops.show_batches(program.batches, x, y, batch_size, epochs, see)


def settings(program: Program, values: Optional[Dict[str, float]] = None) -> Settings:
    """Give the optimizer's settings other values, then return them all with their precision; a schedule is left alone."""
    found = _jax_optimizers.settings(_optimizers(program), program.opt_state)
    for name, value in (values or {}).items():
        if found[name].write is not None:
            found[name].write(value)
    dtype = next((str(leaf.dtype) for leaf in jax.tree_util.tree_leaves(program.params)), "float32")
    return {name: {"value": found[name].read(), "dtype": dtype} for name in sorted(found)}


DESCRIBED = ("parameters", "buffers", "slots", "generators")


def _check_precision(params: Any) -> None:
    for name, leaf in trees.leaves(params).items():
        if str(leaf.dtype) not in ("float32", "float64"):
            raise ProgramError(
                "the parameter {} is {}.\nCompared are programs whose {}.".format(
                    name, leaf.dtype, GAPS["half precision"]
                )
            )


def _versions() -> Dict[str, str]:
    import sys

    loaded = {name: sys.modules.get(name) for name in ("jax", "optax", "flax", "equinox")}
    return {name: module.__version__ for name, module in loaded.items() if module is not None}


def _optimizers(program: Program) -> List[Any]:
    return [] if program.optimizer is None else [program.optimizer]


def _lacks(program: Program) -> Dict[str, str]:
    """Stages that cannot be seen by themselves, and why."""
    return {} if program.optimizer is not None else {"update": "the program has no optimizer, only a step"}


def _leaves(program: Program) -> Dict[str, Dict[str, Any]]:
    """All arrays that the program holds, by the groups of a state."""
    parameters, others, optimizer = (trees.leaves(t) for t in (program.params, program.state, program.opt_state))
    kept = _jax_optimizers.slots(_optimizers(program), program.opt_state, program.params)
    random = {n: leaf for n, leaf in others.items() if trees.is_key(leaf)}
    buffers = {n: leaf for n, leaf in others.items() if trees.is_float(leaf)}
    private = {"state/" + n: leaf for n, leaf in others.items() if n not in random and n not in buffers}
    private.update(("optimizer/" + n, leaf) for n, leaf in optimizer.items() if n not in kept.values())
    return {
        "parameters": {n: parameters[n] for n in program.order or parameters},
        "buffers": buffers,
        "slots": {key: optimizer[n] for key, n in kept.items()},
        "generators": random,
        "private": private,
    }


def _write(program: Program, values: Dict[str, Arrays]) -> None:
    kept = _jax_optimizers.slots(_optimizers(program), program.opt_state, program.params)
    private = values.get("private", {})
    others = {n[len("state/") :]: value for n, value in private.items() if n.startswith("state/")}
    optimizer = {n[len("optimizer/") :]: value for n, value in private.items() if n.startswith("optimizer/")}
    optimizer.update((kept[key], value) for key, value in values.get("slots", {}).items())
    if "counters" in values:
        program.steps = int(values["counters"]["step"])
        if "private" not in values:
            optimizer.update((n, program.steps) for n in _jax_optimizers.counts(program.opt_state))
    others.update(values.get("buffers", {}), **values.get("generators", {}))
    program.params = trees.with_leaves(program.params, values.get("parameters", {}))
    program.state = trees.with_leaves(program.state, others)
    program.opt_state = trees.with_leaves(program.opt_state, optimizer)


def _order_of_use(program: Program, x: np.ndarray) -> List[str]:
    """Names of the parameters in the order in which a forward pass uses them."""
    names = trees.names(program.params)
    traced = jax.make_jaxpr(lambda params, x: _call(program, params, program.state, x, False, 0)[0])(program.params, x)
    return [names[i] for i in _jax_graph.first_uses(traced.jaxpr, len(names))]


def _compiled(program: Program, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, jitted once for each value of the settings, which it holds as constants."""
    key = (name, str({n: entry["value"] for n, entry in settings(program).items()}) if name == "step" else "")
    if key not in program.functions:
        program.functions[key] = jax.jit(function)
    return program.functions[key]


def _call(program: Program, params: Any, state: Any, x: Any, training: bool, step: Any) -> Tuple[Any, Any]:
    if training:
        _randomness.begin(step)
    return program.model.call(params, state, x, training, jax.random.fold_in(program.rng, step))


def _measured(program: Program, outputs: Any, y: Any) -> Dict[str, Any]:
    return {name: metric(outputs, y) for name, metric in program.metrics.items()}


def _evaluation(program: Program, params: Any, state: Any, x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    outputs, _ = _call(program, params, state, x, False, 0)
    return program.loss(outputs, y), _measured(program, outputs, y)


def _loss_and_gradients(
    program: Program, params: Any, state: Any, x: Any, y: Any, step: Any
) -> Tuple[Any, Any, Any, Any]:
    """(loss, state after the pass, gradients, metrics) of a training pass."""

    def objective(params):
        outputs, after = _call(program, params, state, x, True, step)
        return program.loss(outputs, y), (outputs, after)

    (loss, (outputs, after)), given = jax.value_and_grad(objective, has_aux=True)(params)
    return loss, after, given, _measured(program, outputs, y)


def _applied(program: Program, given: Any, params: Any, opt_state: Any) -> Tuple[Any, Any]:
    import optax

    updates, opt_state = program.optimizer.update(given, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


def _standard_step(program: Program, x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    def step(params, state, opt_state, x, y, step):
        loss, state, given, metrics = _loss_and_gradients(program, params, state, x, y, step)
        params, opt_state = _applied(program, given, params, opt_state)
        return (params, state, opt_state), loss, metrics

    held = (program.params, program.state, program.opt_state)
    held, loss, metrics = _compiled(program, "step", step)(*held, x, y, np.int32(program.steps))
    program.params, program.state, program.opt_state = held
    return loss, metrics


def _own_step(program: Program, x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    raise ProgramError("not yet")
