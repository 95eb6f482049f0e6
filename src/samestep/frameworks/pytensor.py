"""PyTensor, the successor of Theano: symbolic inputs, a loss, and the list of updates that a user hands to function().

The training function is compiled as its author would, from the same loss and updates. The other functions observe the same
graph: its inner tensors, its gradients, and its updates with other gradients in the place of its own.
"""

from __future__ import annotations

import json
from typing import Any, Callable, Dict

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.tensor.random.type import RandomType

from samestep.errors import ProgramError
from samestep.frameworks import _loops, _pytensor_graph, _pytensor_roles, _randomness
from samestep.frameworks._names import free_name
from samestep.frameworks._randomness_pytensor import Draws
from samestep.frameworks._roles import slot_key

Arrays = Dict[str, np.ndarray]

GAPS = {
    "layouts": "variables are arrays of no layer: shapes, order and numbers decide what pairs",
    "randomness within Scan": "random operations in a Scan, and those of other distributions than uniform, normal and "
    "Bernoulli's, draw from the program's own generators",
    "constants of the training function": "they are moved where the update is observed by itself; shared variables are moved "
    "in the training function too",
}
"""What this adapter cannot observe, and why."""

SETTINGS = {"lr": "learning_rate", "eta": "learning_rate", "alpha": "learning_rate"}
SETTINGS.update({"beta1": "beta_1", "b1": "beta_1", "beta2": "beta_2", "b2": "beta_2", "eps": "epsilon"})
"""What shared scalars are often called, and what Keras calls them; others keep their name."""


class Program:
    """Symbolic variables that make a training program, and its updates.

    inputs, targets: variables with a free first dimension, or {name: variable}. outputs: a variable, or a tuple, list or dict
    of them. loss: a float scalar. updates: [(shared, new value)] or {shared: new value}, as pytensor.function takes them.
    parameters: the trainable shared variables; those that both the loss reads and the updates write, if not given.
    gradients: {parameter: variable}, or a list in the order of parameters, where the updates hold other gradients than
    pytensor.grad(loss, parameters). slots: {role: {parameter: shared}} where a role cannot be told from the updates.
    metrics: {name: variable}, values of one batch. learning_rate: a variable of the graph, or a number. training_givens,
    inference_givens: {variable: its replacement} in that mode, as pytensor.function takes them, such as {is_training: 1} or
    {dropped: hidden}. mode: of compilation, PyTensor's default if not given. batches(x, y, batch_size, epoch): an input pipeline
    of the program's own.
    """

    # what load() finds in the graph
    names: dict[Any, str]
    parameters: dict[str, Any]
    gradients: dict[str, Any]
    cut: dict[str, list[Any]]
    clock: dict[str, Any]
    ticks: list[dict[str, Any]]
    buffers: dict[str, Any]
    slots: dict[str, Any]
    generators: dict[str, Any]
    private: dict[str, Any]
    settings: dict[str, Any]
    moved: dict[str, float]
    lacks: dict[str, str]

    def __init__(
        self,
        *,
        inputs: Any,
        targets: Any,
        outputs: Any,
        loss: Any,
        updates: Any,
        parameters: list[Any] | None = None,
        gradients: Any = None,
        slots: dict[str, dict[Any, Any]] | None = None,
        metrics: dict[str, Any] | None = None,
        learning_rate: Any = None,
        training_givens: dict[Any, Any] | None = None,
        inference_givens: dict[Any, Any] | None = None,
        mode: Any = None,
        batches: Callable[..., Any] | None = None,
    ) -> None:
        self.inputs, self.targets, self.loss = inputs, targets, loss
        self.outputs = _named_outputs(outputs)
        self.updates = {v: new if isinstance(new, Variable) else pt.as_tensor(new) for v, new in _pairs(updates)}
        self.trainable, self.given, self.named_slots = parameters, gradients, dict(slots or {})
        self.metrics, self.learning_rate = dict(metrics or {}), learning_rate
        self.givens = {True: _symbolic(training_givens or {}), False: _symbolic(inference_givens or {})}
        self.mode, self.batches = mode, batches
        self.compiled: dict[Any, Any] = {}
        self.activations: dict[tuple[bool, bool], list[str]] = {}
        self.done = 0


def load(built: Program, x: np.ndarray) -> Program:
    """The program for what build() returned, with its shared variables sorted by what they are for.

    x: an example batch (not needed here). Raises ProgramError where nothing trains or a variable is not what it should be.
    """
    program = built
    _check_variables(program)
    program.names = _names(program)
    trained = _trained(program)
    program.parameters = _named(program, trained)
    program.gradients = {name: trained[v] for name, v in program.parameters.items()}
    program.cut = _cut(program)
    program.clock = _named(program, _clock(program))
    program.ticks = [{name: variable.get_value() for name, variable in program.clock.items()}]
    program.buffers = _named(program, _buffers(program))
    program.lacks = _lacks(program)
    program.slots = _slots(program)
    program.generators = {n: v for v, n in program.names.items() if isinstance(v.type, RandomType)}
    program.private = _private(program)
    program.settings = _settings(program)
    return program


def describe(program: Program) -> dict[str, Any]:
    """Names, shapes and dtypes of all that the program holds; lacks: stages that it does not show by themselves, and why."""
    return {
        "framework": "pytensor",
        "versions": {"pytensor": pytensor.__version__},
        "optimizer": "",
        "loss": program.loss.name or "",
        "inputs": [{"shape": list(v.type.shape), "dtype": v.type.dtype} for v in _variables(program.inputs)],
        "parameters": [_entry(name, v.get_value()) for name, v in program.parameters.items()],
        "buffers": [_entry(name, v.get_value()) for name, v in program.buffers.items()],
        "slots": [_entry(key, v.get_value()) for key, v in program.slots.items()],
        "generators": [_entry(name, _generator_state(v)) for name, v in program.generators.items()],
        "lacks": program.lacks,
    }


def state(program: Program, values: dict[str, Any] | None = None) -> dict[str, Arrays]:
    """Write the given values, then return all that a step reads and writes, as arrays of the variables' dtypes.

    Groups: parameters, buffers, slots (by role), counters (``step``: updates done since build()), generators (their states as
    JSON, uint8) and private, which only this program can read back: the counts and powers that the updates keep, and the like.
    """
    groups = {"parameters": program.parameters, "buffers": program.buffers, "slots": program.slots}
    groups["private"] = program.private
    values = dict(values or {})
    if "counters" in values:
        program.done = int(values.pop("counters").get("step", program.done))
        values["private"] = dict(_at(program, program.done), **values.get("private", {}))
    for name, array in values.pop("generators", {}).items():
        _write_generator(program.generators[name], array)
    for group, entries in values.items():
        for name, value in entries.items():
            variable = groups[group][name]
            variable.set_value(np.array(value, variable.type.dtype))
    read = {group: {n: np.asarray(v.get_value()) for n, v in entries.items()} for group, entries in groups.items()}
    read["generators"] = {name: _generator_state(v) for name, v in program.generators.items()}
    return dict(read, counters={"step": np.array(program.done, np.int64)})


def forward(program: Program, x: np.ndarray, training: bool) -> dict[str, Arrays]:
    """The float tensors between inputs and outputs, in the order of the graph, and the outputs."""
    found = _run(program, _forward_function, training, _feed(program.inputs, x))
    names = program.activations[training, _randomness.stream.seed is not None]
    return {
        "activations": dict(zip(names, found)),
        "outputs": dict(zip(program.outputs, found[len(names) :])),
    }


def gradients(program: Program, x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    """Loss, the gradients that the updates are given, and metrics of one training step, without its update."""
    loss, *found = _run(program, _gradients_function, True, _feed(program.inputs, x) + _feed(program.targets, y))
    passed = dict(zip(program.parameters, found))
    return {"loss": loss, "metrics": dict(zip(program.metrics, found[len(passed) :])), "gradients": passed}


def update(program: Program, gradients: Arrays, x: np.ndarray, y: np.ndarray) -> None:
    """Apply the updates with these gradients in the place of their own; x and y are the batch they belong to."""
    if program.lacks:
        raise ProgramError("the update is not observed by itself: {}".format(program.lacks["update"]))
    given = [gradients[name].astype(program.gradients[name].type.dtype) for name in program.parameters]
    given += [np.asarray(value, program.settings[name].type.dtype) for name, value in program.moved.items()]
    _run(program, _update_function, True, _feed(program.inputs, x) + _feed(program.targets, y), *given)
    program.done += 1


def train(
    program: Program,
    x: np.ndarray,
    y: np.ndarray,
    batch_size: int,
    epochs: int,
    steps: int | None,
    watch: Callable[[int, int], None],
) -> dict[str, Any]:
    """Train by the compiled training function; returns running_loss, float64 (steps,), and the means of each epoch."""

    def one_step(x_batch, y_batch):
        rows = _feed(program.inputs, x_batch) + _feed(program.targets, y_batch)
        loss, *metrics = _run(program, _train_function, True, rows)
        program.done += 1
        return loss, dict(zip(program.metrics, metrics))

    return _loops.train_loop(one_step, program.batches, x, y, batch_size, epochs, steps, watch)


def evaluate(program: Program, x: np.ndarray, y: np.ndarray, batch_size: int) -> dict[str, float]:
    """Means over rows of loss and metrics."""

    def one_batch(x_batch, y_batch):
        rows = _feed(program.inputs, x_batch) + _feed(program.targets, y_batch)
        loss, *metrics = _run(program, _evaluate_function, False, rows)
        return loss, dict(zip(program.metrics, metrics))

    return _loops.evaluate_loop(one_batch, x, y, batch_size)


def batches(
    program: Program, x: np.ndarray, y: np.ndarray, batch_size: int, epochs: int, see: Callable[..., None]
) -> None:
    """Call see(epoch, x, y) for each batch of the training loop."""
    _loops.show_batches(program.batches, x, y, batch_size, epochs, see)


def settings(program: Program, values: dict[str, float] | None = None) -> dict[str, dict[str, Any]]:
    """Give the settings of the updates other values, then return them all with their precision.

    A setting that follows from a counter, such as a decaying learning rate, is left alone, and so is a learning rate that
    the program only gave as a number.
    """
    for name, value in (values or {}).items():
        variable = program.settings[name]
        if name in program.moved:
            program.moved[name] = value
        elif isinstance(variable, SharedVariable) and variable not in program.updates:
            variable.set_value(np.array(value, variable.type.dtype))
            del program.ticks[1:]
    return {name: _setting(program, name) for name in sorted(program.settings)}


# what build() gave


def _pairs(updates):
    return list(updates.items()) if isinstance(updates, dict) else [(shared, new) for shared, new in updates]


def _variables(tree):
    return list(tree.values()) if isinstance(tree, dict) else [tree]


def _leaves(outputs):
    if isinstance(outputs, dict):
        return [leaf for name in sorted(outputs) for leaf in _leaves(outputs[name])]
    return [leaf for part in outputs for leaf in _leaves(part)] if isinstance(outputs, (tuple, list)) else [outputs]


def _named_outputs(outputs):
    return {"output_{}".format(n) if n else "output": leaf for n, leaf in enumerate(_leaves(outputs))}


def _symbolic(givens):
    """{variable: variable}, where Theano takes numbers too."""
    return {
        v: new if isinstance(new, Variable) else pt.constant(np.asarray(new, v.type.dtype)) for v, new in givens.items()
    }


def _data(program):
    return _variables(program.inputs) + _variables(program.targets)


def _check_variables(program):
    if program.loss.type.ndim:
        raise ProgramError(
            "the loss has {} dimensions, it should be a scalar.\nPass its mean over the batch: loss.mean().".format(
                program.loss.type.ndim
            )
        )
    for shared in program.updates:
        if not isinstance(shared, SharedVariable):
            raise ProgramError(
                "updates hold {!r}, which is no shared variable.\n"
                "Give [(shared, new value)] or {{shared: new value}}, as pytensor.function takes them.".format(shared)
            )


def _names(program):
    """{shared variable: name} of all that a step reads or writes, in the order of first use in a forward pass."""
    graphs = [*program.outputs.values(), program.loss]
    for training in (True, False):
        graphs += _pytensor_graph.replaced(graphs[: len(program.outputs) + 1], program.givens[training])
    graphs += [*program.metrics.values(), *program.updates.values()]
    names = {}
    used = [shared for graph in graphs for shared in _pytensor_graph.shared_in_order(graph, _data(program))]
    for variable in dict.fromkeys([*used, *_pytensor_graph.shared_in(graphs), *program.updates]):
        names[variable] = free_name(variable.name or "shared", names.values())
    return names


def _named(program, variables):
    return {name: variable for variable, name in program.names.items() if variable in variables}


# what its variables are for


def _trained(program):
    """{parameter: its gradient}, as the author gave them or as pytensor.grad makes them."""
    if isinstance(program.given, dict):
        return dict(program.given)
    chosen = program.trainable
    if chosen is None:
        read = _pytensor_graph.shared_in([program.loss])
        chosen = [v for v in program.updates if v in read and _is_float(v)]
    if program.given is not None:
        return dict(zip(chosen, program.given))
    if not chosen:
        raise ProgramError("nothing trains: no update is of a shared variable that the loss depends on.")
    made = pytensor.grad(program.loss, chosen, disconnected_inputs="ignore", return_disconnected="none")
    if program.trainable is not None:
        made = [pt.zeros_like(v) if gradient is None else gradient for v, gradient in zip(chosen, made)]
    return {v: gradient for v, gradient in zip(chosen, made) if gradient is not None}


def _cut(program):
    """{parameter: variables in the updates that are its gradient}: there the updates can be given another one."""
    places = _pytensor_graph.used_as(program.updates.values(), program.gradients.values())
    for name, found in zip(program.parameters, places):
        if not found:
            raise ProgramError(
                "the updates do not use the gradient of the loss by {0}.\nPass gradients={{parameter: variable}} with those that "
                "they do use, or parameters=[…] without {0} if nothing trains it.".format(name)
            )
    return dict(zip(program.parameters, places))


def _places(program):
    return [place for places in program.cut.values() for place in places]


def _clock(program):
    """Scalars whose next value follows from such scalars alone: counts, powers of beta, decaying rates."""
    found = [v for v in program.updates if v not in program.names.keys() - program.updates.keys() and _is_number(v)]
    while True:
        kept = [v for v in found if _follows(program, program.updates[v], found)]
        if len(kept) == len(found):
            return kept
        found = kept


def _is_float(variable):
    return str(getattr(variable.type, "dtype", "")).startswith("float")


def _is_number(variable):
    return getattr(variable.type, "ndim", None) == 0 and np.dtype(variable.type.dtype).kind in "iuf"


def _follows(program, new, scalars):
    read = [v for v in _pytensor_graph.shared_in([new]) if v in program.updates]
    return set(read) <= set(scalars) and not _pytensor_graph.depends(new, _data(program))


def _at(program, step):
    """The clock's values after so many updates, as the updates themselves make them."""
    while len(program.ticks) <= step:
        tick, _ = _compiled(program, _tick_function, False)
        program.ticks.append(dict(zip(program.clock, tick(*program.ticks[-1].values()))))
    return program.ticks[step]


def _buffers(program):
    """What the outputs or the loss read beside parameters: running statistics, frozen weights; no numbers that stay."""
    graphs = [*program.outputs.values(), program.loss]
    read = [v for t in (True, False) for v in _pytensor_graph.shared_in(_as_in(program, graphs, t))]
    known = [*program.parameters.values(), *program.clock.values()]
    return [
        v
        for v in read
        if v not in known and not isinstance(v.type, RandomType) and (v in program.updates or v.type.ndim)
    ]


def _slots(program):
    """What the updates keep for a parameter: named by the author, or told from how it is updated."""
    found = {
        slot_key(role, program.names[parameter]): shared
        for role, of in program.named_slots.items()
        for parameter, shared in of.items()
    }
    known = [*found.values(), *program.parameters.values(), *program.clock.values(), *program.buffers.values()]
    rest = [v for v in program.updates if v not in known and not isinstance(v.type, RandomType)]
    owned = [(v, owner) for v, owner in zip(rest, (_owner(program, v) for v in rest)) if owner]
    for variable, (role, owner) in zip([v for v, _ in owned], _with_roles(program, owned)):
        found[free_name(slot_key(role, owner), found)] = variable
    return found


def _owner(program, variable):
    """The one parameter whose update reads this variable, or nothing."""
    places = _places(program)
    readers = [
        name
        for name, parameter in program.parameters.items()
        if _pytensor_graph.depends(program.updates[parameter], [variable], places)
    ]
    return readers[0] if len(readers) == 1 else ""


def _with_roles(program, owned):
    """[(role, parameter)] of slots, [(slot, parameter)]; by the slot's own name where its update tells no role."""
    roles = (
        [""] * len(owned)
        if program.lacks or not owned
        else _pytensor_roles.told(program.updates, program.parameters, program.cut, owned)
    )
    first_moments = {owner for (_, owner), role in zip(owned, roles) if role == "first_moment"}
    found = []
    for (variable, owner), role in zip(owned, roles):
        if role == "mean_square" and owner in first_moments:
            role = "second_moment"
        found.append((role or _own_name(program.names[variable], owner), owner))
    return found


def _own_name(name, parameter):
    return name.replace(parameter, "").strip("_/. ") or "slot"


def _private(program):
    """All else that is updated: counts, powers, averages that nothing reads while it trains."""
    groups = (program.parameters, program.buffers, program.slots, program.generators)
    known = [v for group in groups for v in group.values()]
    return {n: v for v, n in program.names.items() if v in program.updates and v not in known}


def _lacks(program):
    places, data = _places(program), _data(program)
    for name, parameter in program.parameters.items():
        if _pytensor_graph.depends(program.updates[parameter], data, places):
            return {"update": "the update of {} reads the batch beside its gradient".format(name)}
    return {}


def _settings(program):
    """{name: scalar variable} that the updates of parameters read: the learning rate, shared scalars, constants."""
    found = {}
    if program.learning_rate is not None:
        found["learning_rate"] = _rate(program)
    news = [program.updates[v] for v in [*program.parameters.values(), *program.slots.values()]]
    ticking, places = [program.updates[v] for v in program.clock.values()], _places(program)
    for variable in _pytensor_graph.shared_in([*news, *ticking], places):
        name = SETTINGS.get(variable.name, variable.name or "setting")
        if _is_setting(program, variable, name) and variable not in found.values():
            found[free_name(name, found)] = variable
    for variable in [] if program.lacks else _pytensor_graph.constants_in(news, places):
        if variable not in found.values():
            found[free_name(variable.name or "constant", found)] = variable
    program.moved = {n: float(v.data) for n, v in found.items() if isinstance(v, Constant) and not program.lacks}
    return found


def _rate(program):
    rate = program.learning_rate
    if not isinstance(rate, Variable):
        return pt.constant(np.asarray(rate, next(iter(program.parameters.values())).type.dtype))
    if _pytensor_graph.depends(rate, _data(program)):
        raise ProgramError(
            "learning_rate is computed from the batch.\nPass the number or the variable that the updates scale by."
        )
    return rate


def _is_setting(program, variable, name):
    """Whether a shared variable is a float scalar that stays, or the learning rate."""
    stays = variable not in program.updates or name == "learning_rate"
    return stays and _is_number(variable) and _is_float(variable)


def _setting(program, name):
    variable = program.settings[name]
    if name in program.moved:
        value = program.moved[name]
    elif isinstance(variable, Constant):
        value = variable.data
    elif isinstance(variable, SharedVariable):
        value = variable.get_value()
    else:
        (value,) = _compiled(program, _rate_function, False)[0]()
    return {"value": float(value), "dtype": variable.type.dtype}


# compiled functions


def _run(program, make, training, arrays, *more):
    """What the function that make() compiles returns for a pass over these arrays of the data, and for more.

    While a stream of random numbers is shared, the function has those of its random operations as inputs after all others.
    """
    _randomness.begin(program.done if training else _randomness.INFERENCE)
    compiled, draws = _compiled(program, make, training)
    return compiled(*arrays, *more, *draws.numbers(arrays))


def _compiled(program, make, training):
    """What make(program, training, shared) compiles, once: a function and the random operations in it."""
    key = make, training, _randomness.stream.seed is not None
    if key not in program.compiled:
        program.compiled[key] = make(*(program, *key[1:]))
    return program.compiled[key]


def _as_in(program, graphs, training):
    """The graphs as they are in that mode."""
    return _pytensor_graph.replaced(graphs, program.givens[training])


def _prepared(program, graphs, training, shared, data, by=None):
    """(copies of the graphs as they are in that mode, with other variables replaced too; the random operations in them)."""
    passed = [*program.outputs.values(), program.loss]
    passed = passed if len(data) > len(_variables(program.inputs)) else passed[:-1]
    found = _pytensor_graph.replaced([*passed, *graphs], program.givens[training] if by is None else by)
    draws = Draws(found, data) if shared else Draws()
    return _pytensor_graph.replaced(found[len(passed) :], draws.by), draws


def _function(program, inputs, outputs, draws, updates=()):
    return pytensor.function(
        [*inputs, *draws.given], outputs, updates=list(updates), mode=program.mode, on_unused_input="ignore"
    )


def _train_function(program, training, shared):
    """The training function as its author would compile it; where the stream of random numbers is shared, with those."""
    data, wanted = _data(program), [program.loss, *program.metrics.values()]
    graphs, draws = _prepared(program, [*wanted, *program.updates.values()], training, shared, data)
    if draws.nodes:
        return _function(
            program, data, graphs[: len(wanted)], draws, zip(program.updates, graphs[len(wanted) :])
        ), draws
    updates, givens = list(program.updates.items()), program.givens[training]
    options = {"mode": program.mode, "on_unused_input": "ignore"}
    return pytensor.function(data, wanted, updates=updates, givens=givens, **options), draws


def _evaluate_function(program, training, shared):
    graphs, draws = _prepared(program, [program.loss, *program.metrics.values()], training, shared, _data(program))
    return _function(program, _data(program), graphs, draws), draws


def _forward_function(program, training, shared):
    """A function of the inputs that returns the activations and the outputs."""
    inputs = _variables(program.inputs)
    outputs, draws = _prepared(program, list(program.outputs.values()), training, shared, inputs)
    found = _pytensor_graph.activations(inputs, outputs)
    program.activations[training, shared] = list(found)
    return _function(program, inputs, [*found.values(), *outputs], draws), draws


def _gradients_function(program, training, shared):
    wanted = [program.loss, *program.gradients.values(), *program.metrics.values()]
    graphs, draws = _prepared(program, wanted, training, shared, _data(program))
    return _function(program, _data(program), graphs, draws), draws


def _update_function(program, training, shared):
    """A function of a batch, gradients by parameter and settings, that updates."""
    given = [gradient.type() for gradient in program.gradients.values()]
    moved = [program.settings[name].type() for name in program.moved]
    by = dict(program.givens[training])
    by.update((place, new) for places, new in zip(program.cut.values(), given) for place in places)
    by.update(zip((program.settings[name] for name in program.moved), moved))
    news, draws = _prepared(program, list(program.updates.values()), training, shared, _data(program), by)
    inputs = [*_data(program), *given, *moved]
    return _function(program, inputs, [], draws, zip(program.updates, news)), draws


def _tick_function(program, training, shared):
    """From values of the clock to its next ones."""
    clock = list(program.clock.values())
    given = [variable.type() for variable in clock]
    news = _pytensor_graph.replaced([program.updates[v] for v in clock], dict(zip(clock, given)))
    news = [variable.type.filter_variable(new) for variable, new in zip(clock, news)]
    return _function(program, given, news, Draws()), Draws()


def _rate_function(program, training, shared):
    return _function(program, [], [program.settings["learning_rate"]], Draws()), Draws()


# arrays


def _entry(name, array):
    return {"name": name, "shape": list(array.shape), "dtype": array.dtype.name}


def _feed(variables, rows):
    if isinstance(variables, dict):
        return [_like(variable, rows[name]) for name, variable in variables.items()]
    return [_like(variables, rows)]


def _like(variable, rows):
    """Rows in the variable's dtype, and labels in its shape: a column where it has one, flat where it has none."""
    if variable.type.ndim == 1 and rows.ndim == 2 and rows.shape[1] == 1:
        rows = rows[:, 0]
    elif variable.type.ndim == 2 and rows.ndim == 1 and variable.type.shape[1] == 1:
        rows = rows[:, None]
    return rows.astype(variable.type.dtype, copy=False)


def _generator_state(variable):
    """The state of a generator as JSON, padded, so that its size stays the same."""
    inner = variable.get_value(borrow=True).bit_generator.state
    text = json.dumps(inner, sort_keys=True, default=lambda array: array.tolist())
    return np.frombuffer(text.ljust(-(-len(text) // 512) * 512).encode(), np.uint8)


def _write_generator(variable, array):
    generator = variable.get_value()
    generator.bit_generator.state = json.loads(array.tobytes().decode())
    variable.set_value(generator)
