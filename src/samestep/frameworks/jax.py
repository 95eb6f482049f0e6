"""JAX: a pure function and its parameters, or a module of Flax or Equinox, trained by optax."""

from __future__ import annotations

import sys
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Tuple

import jax
import jax.numpy as jnp
import numpy as np

from samestep.errors import ProgramError
from samestep.frameworks import _jax_graph, _jax_layers, _jax_models, _jax_optimizers, _loops, _randomness
from samestep.frameworks import _jax_trees as trees
from samestep.frameworks._jax_trees import array
from samestep.frameworks._names import named_outputs

GAPS = {
    "layouts": "arrays of a plain function belong to no layer: shapes, order and numbers decide what pairs",
    "half precision": "parameters are float32 or float64; what is computed from them may be less",
    "layers": "functions of JAX, scans, loops and the layers of Flax and Equinox show their outputs, not what is computed within",
    "gradients": "a step without an optimizer, or with one whose update is no function of Python's, shows only its loss: "
    "gradients and update are judged within the whole step",
    "update": "of a step without an optimizer or with several it is judged within the whole step",
    "steps": "the gradients of a step of the program's own are seen where it hands them to its optimizer once, not in a loop",
    "settings": "hyperparameters are found in the closures of optax's own transformations; others are left as they are",
}
"""What this adapter cannot observe, and why."""

Arrays = Dict[str, np.ndarray]
Settings = Dict[str, Dict[str, Any]]

jax.config.update(
    "jax_traceback_filtering", "off"
)  # messages quote the user's own lines, which they find by all frames


class Program:
    """A model and what trains it. What the model is:

    apply(params, x) and params: a pure function of a pytree. It may also name ``training`` (or ``train``, ``deterministic``),
    and ``rng`` (or ``key``), a key for its random draws. With state=, what else a pass changes: apply(params, state, x)
    returns (outputs, state). A pytree with leaves other than floats, such as an Equinox module, has its float arrays trained.
    module and variables of Flax linen, as module.init returns them: "params" are trained, the other collections are state.
    module of Flax nnx: nnx.Param, or what an nnx.Optimizer is for, is trained, in its train() and eval() modes.
    module of Equinox: called on each row by jax.vmap, with axis_name="batch"; state=: its eqx.nn.State.

    loss(outputs, targets): a scalar. optimizer: of optax, or an nnx.Optimizer; a dict of several, by the names of the
    parameters that each trains. metrics: {name: fn(outputs, targets)}, values of one batch.
    step: replaces the standard update, jitted or not. step(params, opt_state, x, y) returns (params, opt_state, loss); with a
    state, step(params, state, opt_state, x, y) returns (params, state, opt_state, loss); params is the module in Equinox.
    In nnx, step(model, optimizer, x, y) changes both and returns the loss. It may name ``rng`` or ``key``.
    opt_state: where the optimizer begins, if not at optimizer.init(params). rng: the key that random draws come from, by
    fold_in with the number of updates done; jax.random.key(0) if there is none. batches(x, y, batch_size, epoch): an
    input pipeline of the program's own.
    Raises ProgramError if there is neither an optimizer nor a step, or for arguments that make no model.
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
        if step is None and (optimizer is None or isinstance(optimizer, dict)):
            raise ProgramError(
                "Program has neither an optimizer nor a step function: nothing would train it."
                if optimizer is None
                else "Program has several optimizers and no step function: how they take turns is for a step to say."
            )
        self.model = _jax_models.model_of(apply, params, state, optimizer)
        self.loss, self.metrics, self.step, self.batches = loss, dict(metrics or {}), step, batches
        self.rng = jax.random.key(0) if rng is None else rng
        self.opt_state = _jax_models.first_state(optimizer, self.model) if opt_state is None else opt_state
        named = optimizer if isinstance(optimizer, dict) else {} if optimizer is None else {"": optimizer}
        self.optimizers = {name: _jax_models.optax_of(one) for name, one in named.items()}
        self.params, self.state, self.steps = self.model.params, self.model.state, 0
        self.order: List[str] = []
        self.layouts: Dict[str, Tuple[str, str]] = {}
        self.lacks: Dict[str, str] = {}
        self.functions: Dict[Any, Callable[..., Any]] = {}
        self.traced_with = ""

    def widen(self) -> None:
        """Turn its floats to float64."""
        self.params, self.state, self.opt_state = trees.widened((self.params, self.state, self.opt_state))


def load(built: Program, x: np.ndarray) -> Program:
    """The program for what build() returned, ready to be observed; x: example rows."""
    _check_precision(built.params)
    counted = _jax_optimizers.counts(built.optimizers, built.opt_state, 0)
    kept = trees.leaves(built.opt_state)
    built.steps = max([int(kept[name]) for name in counted], default=0)
    names = trees.names(built.params)
    used = _jax_graph.order_of_use(partial(_inference, built), built.params, built.state, x)
    built.order = [names[i] for i in used]
    built.layouts = _jax_layers.layouts(built.model, x)
    built.lacks = _lacks(built)
    return built


def describe(program: Program) -> Dict[str, Any]:
    """Names, shapes and dtypes of all that the program holds; parameters in the order of their use."""
    groups = _leaves(program)
    described: Dict[str, Any] = {
        group: [_entry(program, name, leaf) for name, leaf in groups[group].items()]
        for group in ("parameters", "buffers", "slots", "generators")
    }
    used = [part.factory for part in _jax_optimizers.all_parts(program.optimizers, program.opt_state)]
    loaded = {name: sys.modules.get(name) for name in ("jax", "optax", "flax", "equinox")}
    return dict(
        described,
        framework="jax",
        versions={name: module.__version__ for name, module in loaded.items() if module is not None},
        optimizer=" + ".join(name for name in used if name != "identity") or "none",
        loss=getattr(program.loss, "__name__", type(program.loss).__name__),
        inputs=[],
        lacks=program.lacks,
    )


def state(program: Program, values: Optional[Dict[str, Arrays]] = None) -> Dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as arrays of the leaves' shapes and dtypes.

    Groups: parameters, buffers (other floats of the model), slots (by role), counters (``step``: updates done), generators
    (random keys, and what counts draws from them) and private, which only this program can read back. Where counters are
    written without private, the optimizer's own counts are set.
    """
    if values:
        _write(program, values)
    read = {group: {n: array(leaf) for n, leaf in found.items()} for group, found in _leaves(program).items()}
    return dict(read, counters={"step": np.array(program.steps, np.int64)})


def forward(program: Program, x: np.ndarray, training: bool) -> Dict[str, Arrays]:
    """Outputs of modules and of functions of float tensors on the way from x, in order, and the outputs."""

    def see(path, outputs):
        return _jax_graph.tagged("module", path, outputs)

    def observed(params, state, x, step):
        found, outputs = _jax_graph.activations(lambda x: _call(program, params, state, x, training, step, see)[0], x)
        return {"{:06d}{}".format(i, name): value for i, (name, value) in enumerate(found.items())}, outputs

    here = (program.params, program.state, x, np.int32(program.steps))
    _begin(program, training)
    seen, outputs = _compiled(program, ("forward", training), observed)(*here)  # in the order of sorted names
    _randomness.end()
    return {
        "activations": {name[6:]: array(value) for name, value in seen.items()},
        "outputs": named_outputs(array(o) for o in outputs),
    }


def gradients(program: Program, x: np.ndarray, y: np.ndarray) -> Dict[str, Any]:
    """Loss, gradients and metrics of one training step, without its update.

    A gradient that is missing is shown as zeros; none is shown of a step whose optimizer cannot be watched, which runs whole.
    Raises ProgramError if a step of the program's own does not give its optimizer each parameter's gradient at most once.
    """
    if "gradients" in program.lacks:
        loss, metrics = _arrays(*_own_step(program, x, y))
        _randomness.end()
        return {"loss": loss, "gradients": {}, "metrics": metrics}
    passed = _compiled(program, "gradients", partial(_loss_and_gradients, program))
    _begin(program)
    loss, _, given, metrics = passed(*_held(program, x, y))
    found = trees.leaves(given)
    if program.step is not None:
        loss, found = _observed_own_step(program, x, y)
    _randomness.end()
    return {
        "loss": array(loss),
        "gradients": {n: array(found.get(n, np.zeros_like(leaf))) for n, leaf in _ordered(program).items()},
        "metrics": {name: array(value) for name, value in metrics.items()},
    }


def update(program: Program, gradients: Arrays, x: np.ndarray, y: np.ndarray) -> None:
    """Let the optimizer apply these gradients, operation by operation; x and y are the batch they belong to."""
    if "update" in program.lacks:
        raise ProgramError("{}: its update is not observed by itself.".format(program.lacks["update"]))
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
    training_step = _standard_step if program.step is None else _own_step

    def one_step(x_batch: Any, y_batch: Any) -> Any:
        loss, metrics = training_step(program, x_batch, y_batch)
        program.steps += 1
        _randomness.end()
        return _arrays(loss, metrics)

    return _loops.train_loop(one_step, program.batches, x, y, batch_size, epochs, steps, watch)


def evaluate(program: Program, x: np.ndarray, y: np.ndarray, batch_size: int) -> Dict[str, float]:
    """Means over rows of loss and metrics."""
    evaluation = _compiled(program, "evaluation", partial(_evaluation, program))

    def one_batch(x_batch: Any, y_batch: Any) -> Any:
        _begin(program, False)
        measured = _arrays(*evaluation(program.params, program.state, x_batch, y_batch))
        _randomness.end()
        return measured

    return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Call see(epoch, x, y) for each batch of the training loop."""
    _loops.show_batches(program.batches, x, y, batch_size, epochs, see)


def settings(program: Program, values: Optional[Dict[str, float]] = None) -> Settings:
    """Give the optimizer's settings other values, then return them all with their precision; a schedule is left alone."""
    found = _jax_optimizers.settings(program.optimizers, program.opt_state)
    held = {found[n].leaf: value for n, value in (values or {}).items() if found[n].leaf is not None}
    program.opt_state = trees.with_leaves(program.opt_state, held)
    for name, value in (values or {}).items():
        if found[name].write is not None:
            found[name].write(value)
    if values:
        found = _jax_optimizers.settings(program.optimizers, program.opt_state)
    dtype = next((str(leaf.dtype) for leaf in jax.tree_util.tree_leaves(program.params)), "float32")
    return {name: {"value": found[name].read(), "dtype": dtype} for name in sorted(found)}


WHERE_GRADIENTS_ARE_SEEN = (
    "step gave its optimizer {}.\nIts gradients are observed where it calls optimizer.update(gradients, …) once, outside of "
    "loops, with the gradients of params or of one part of them."
)


def _arrays(loss: Any, metrics: Dict[str, Any]) -> Tuple[np.ndarray, Arrays]:
    return array(loss), {name: array(value) for name, value in metrics.items()}


def _check_precision(params: Any) -> None:
    for name, leaf in trees.leaves(params).items():
        if str(leaf.dtype) not in ("float32", "float64"):
            raise ProgramError(
                "the parameter {} is {}.\nCompared are programs whose {}.".format(
                    name, leaf.dtype, GAPS["half precision"]
                )
            )


def _entry(program: Program, name: str, leaf: Any) -> Dict[str, Any]:
    layer, layout = program.layouts.get(name, ("", ""))
    return dict(trees.entry(name, leaf), **({"layer": layer, "layout": layout} if layout else {}))


def _lacks(program: Program) -> Dict[str, str]:
    """Stages that cannot be seen by themselves, and why; the optimizers of a step are watched from here on."""
    if not program.optimizers:
        return dict.fromkeys(("gradients", "update"), "the program has no optimizer, only a step")
    found = {"update": "the program has several optimizers"} if list(program.optimizers) != [""] else {}
    own = program.optimizers if program.step is not None else {}
    watched = [_jax_optimizers.watch(optimizer, program.params, name) for name, optimizer in own.items()]
    unseen = dict.fromkeys(("gradients", "update"), "the gradients that its optimizer is given cannot be read")
    return found if all(watched) else unseen


def _ordered(program: Program) -> Dict[str, Any]:
    """The parameters in the order of their use."""
    found = trees.leaves(program.params)
    return {name: found[name] for name in program.order}


def _leaves(program: Program) -> Dict[str, Dict[str, Any]]:
    """All arrays that the program holds, by the groups of a state."""
    held, optimizer = trees.leaves(program.state), trees.leaves(program.opt_state)
    kept = _jax_optimizers.slots(program.optimizers, program.opt_state, program.params)
    random = {n: leaf for n, leaf in held.items() if trees.is_generator(leaf)}
    buffers = {n: leaf for n, leaf in held.items() if trees.is_float(leaf)}
    private = {"state/" + n: leaf for n, leaf in held.items() if n not in random and n not in buffers}
    private.update(("optimizer/" + n, leaf) for n, leaf in optimizer.items() if n not in set(kept.values()))
    return {
        "parameters": _ordered(program),
        "buffers": buffers,
        "slots": {key: optimizer[n] for key, n in kept.items()},
        "generators": random,
        "private": private,
    }


def _write(program: Program, values: Dict[str, Arrays]) -> None:
    kept = _jax_optimizers.slots(program.optimizers, program.opt_state, program.params)
    given: Dict[str, Dict[str, Any]] = {"state": {}, "optimizer": {}}
    for name, value in values.get("private", {}).items():
        where, _, leaf = name.partition("/")
        given[where][leaf] = value
    if "counters" in values:
        program.steps = int(values["counters"]["step"])
        if "private" not in values:
            counted = _jax_optimizers.counts(program.optimizers, program.opt_state, program.steps)
            given["optimizer"].update(counted)
    given["optimizer"].update((kept[key], value) for key, value in values.get("slots", {}).items())
    given["state"].update(values.get("buffers", {}), **values.get("generators", {}))
    program.params = trees.with_leaves(program.params, values.get("parameters", {}))
    program.state = trees.with_leaves(program.state, given["state"])
    program.opt_state = trees.with_leaves(program.opt_state, given["optimizer"])


def _compiled(program: Program, name: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, jitted once under a name and for the random numbers that it draws."""
    key = name, _randomness.version
    if key not in program.functions:
        program.functions[key] = jax.jit(function)
    return program.functions[key]


def _constants(program: Program) -> str:
    """The settings that a compiled step holds as constants."""
    return str({name: entry["value"] for name, entry in settings(program).items()})


def _begin(program: Program, training: bool = True) -> None:
    """A pass begins, where it is traced and where it is run: what is compiled asks then for the number of updates."""
    _randomness.begin(program.steps if training else _randomness.INFERENCE)


def _call(program: Program, params: Any, state: Any, x: Any, training: bool, step: Any, see: Any = None) -> Any:
    """(outputs, state after the pass)."""
    key = jax.random.fold_in(program.rng, step)
    _begin(program, training)
    return program.model.call(params, state, x, training, key, see)


def _inference(program: Program, params: Any, state: Any, x: Any) -> Any:
    return _call(program, params, state, x, False, 0)[0]


def _measured(program: Program, outputs: Any, y: Any) -> Dict[str, Any]:
    return {name: metric(outputs, y) for name, metric in program.metrics.items()}


def _evaluation(program: Program, params: Any, state: Any, x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    outputs = _inference(program, params, state, x)
    return program.loss(outputs, y), _measured(program, outputs, y)


def _loss_and_gradients(program: Program, params: Any, state: Any, opt_state: Any, x: Any, y: Any, step: Any) -> Any:
    """(loss, state after the pass, gradients, metrics) of a training pass."""

    def objective(params):
        outputs, after = _call(program, params, state, x, True, step)
        return program.loss(outputs, y), (outputs, after)

    (loss, (outputs, after)), given = jax.value_and_grad(objective, has_aux=True)(params)
    return loss, after, given, _measured(program, outputs, y)


def _applied(program: Program, given: Any, params: Any, opt_state: Any) -> Tuple[Any, Any]:
    import optax

    updates, opt_state = program.optimizers[""].update(given, opt_state, params)
    return optax.apply_updates(params, updates), opt_state


def _standard_step(program: Program, x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    def step(params, state, opt_state, x, y, step):
        loss, state, given, metrics = _loss_and_gradients(program, params, state, opt_state, x, y, step)
        params, opt_state = _applied(program, given, params, opt_state)
        return (params, state, opt_state), loss, metrics

    compiled = _compiled(program, _constants(program), step)
    _begin(program)
    held, loss, metrics = compiled(*_held(program, x, y))
    program.params, program.state, program.opt_state = held
    return loss, metrics


def _own_step(program: Program, x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    """The program's own step as it is, traced again where settings that it holds as constants have changed."""
    metrics = _compiled(program, "metrics", partial(_metrics_aside, program))
    _begin(program)
    measured = metrics(*_held(program, x, y)) if program.metrics else {}
    if _constants(program) != program.traced_with:
        if program.traced_with:
            jax.clear_caches()
        program.traced_with = _constants(program)
    *held, loss = _stepped(program, *_held(program, x, y))
    program.params, program.state, program.opt_state = held
    return loss, measured


def _held(program: Program, x: Any, y: Any) -> Tuple[Any, ...]:
    """What a step is given."""
    return program.params, program.state, program.opt_state, x, y, np.int32(program.steps)


def _stepped(program: Program, params: Any, state: Any, opt_state: Any, x: Any, y: Any, step: Any) -> Any:
    """(params, state, opt_state, loss) after the program's own step."""
    x, y = jax.tree_util.tree_map(jnp.asarray, (x, y))
    key = jax.random.fold_in(program.rng, step) if _jax_models.takes_key(program.step) else None
    _begin(program)
    return program.model.own(program.step, params, state, opt_state, x, y, key)


def _metrics_aside(program: Program, params: Any, state: Any, opt_state: Any, x: Any, y: Any, step: Any) -> Any:
    """{name: metric} of a forward pass beside the program's own step."""
    return _measured(program, _call(program, params, state, x, True, step)[0], y)


def _observed_own_step(program: Program, x: Any, y: Any) -> Tuple[Any, Dict[str, Any]]:
    """(loss, {name: gradient}) of the program's own step, by the marks that its optimizers leave."""
    observed = _compiled(program, "own gradients", partial(_own_gradients, program))
    _begin(program)
    loss, given = observed(*_held(program, x, y))
    if not given:  # what was traced before its optimizers were watched has no marks
        jax.clear_caches()
        _begin(program)
        loss, given = observed(*_held(program, x, y))
    if not given:
        raise ProgramError(WHERE_GRADIENTS_ARE_SEEN.format("no gradients"))
    return loss, given


def _own_gradients(program: Program, params: Any, state: Any, opt_state: Any, x: Any, y: Any, step: Any) -> Any:
    """(loss, {name: gradient}) of the program's own step: what it gives its optimizers."""

    def loss_first(*args):
        *held, loss = _stepped(program, *args)
        return loss, held

    loss, given = _jax_graph.marked(loss_first, params, state, opt_state, x, y, step)
    twice = [name for name, values in given.items() if len(values) > 1]
    if twice:
        raise ProgramError(WHERE_GRADIENTS_ARE_SEEN.format("the gradient of {} more than once".format(twice[0])))
    return loss, {name: values[0] for name, values in given.items()}
