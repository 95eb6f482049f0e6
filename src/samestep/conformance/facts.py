"""What samestep relies on in an adapter, one function a fact: each yields a sentence for everything that is wrong.

A fact begins with the program as build() left it. Where the program cannot show it, it raises NotShown with the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from samestep.conformance.probe import (
    AFTER_A_WHILE,
    HELD,
    LEARNED,
    WITHOUT_GENERATORS,
    Arrays,
    NotShown,
    Probe,
    flat,
    held,
    listed,
    unequal,
)
from samestep.frameworks import ASPECTS, FUNCTIONS, _rows
from samestep.matching import floor, layouts

Fact = Callable[[Probe], Iterator[str]]
FACTS: dict[str, Fact] = {}
"""Every fact by its name, in the order in which one builds an adapter."""

GROUPS = ("parameters", "buffers", "slots", "generators")
"""The groups of a state whose entries are described."""


def _fact(function: Fact) -> Fact:
    FACTS[function.__name__] = function
    return function


# what an adapter says of itself and of a program


@_fact
def functions_take_the_parameters_that_are_listed(probe: Probe) -> Iterator[str]:
    """As frameworks.FUNCTIONS lists them: they are called by position, train by name too."""
    for name, wanted in FUNCTIONS.items():
        found = probe.adapter["functions"][name]
        if list(wanted) != found:
            yield f"{name}({', '.join(found)}) should be {name}({', '.join(wanted)})."


@_fact
def gaps_name_all_that_is_not_shown(probe: Probe) -> Iterator[str]:
    """GAPS says why, under the name that frameworks.ASPECTS has for it."""
    gaps = probe.adapter["gaps"]
    if not isinstance(gaps, dict) or not all(isinstance(text, str) and text.strip() for text in gaps.values()):
        yield "GAPS should be a dict: {what the adapter cannot observe: why, a plain sentence}."
        return
    shown = {
        "activations": any(probe.ask("forward", x=probe.parts[0]["x"], training=False)["activations"]),
        "gradients": not probe.lacking("gradients"),
        "update": not probe.lacking("update"),
        "generators": "generators" in probe.described,
        "layouts": any("layout" in entry for entry in probe.described["parameters"]),
    }
    for aspect, is_shown in shown.items():
        if not is_shown and aspect not in gaps:
            yield f"this program shows no {aspect} ({ASPECTS[aspect]}); GAPS should say why, under {aspect!r}."


@_fact
def description_is_complete(probe: Probe) -> Iterator[str]:
    """Words that a report shows, and name, shape and dtype of every tensor."""
    described = probe.described
    wanted = dict.fromkeys(("framework", "optimizer", "loss"), str) | {"versions": dict, "lacks": dict, "inputs": list}
    for key, kind in {**wanted, "parameters": list, "buffers": list, "slots": list}.items():
        if not isinstance(described.get(key), kind):
            yield f"describe()[{key!r}] should be a {kind.__name__}, it is {described.get(key)!r:.80}."
    for group in GROUPS:
        entries = described.get(group) or []
        names = [entry.get("name") for entry in entries]
        yield from (f"{group} has an entry without {key}." for key in _KEYS if any(key not in e for e in entries))
        yield from (f"two {group} are called {name!r}." for name in sorted({n for n in names if names.count(n) > 1}))
    if probe.lacking("gradients") and not probe.lacking("update"):
        yield "lacks names gradients and not update, which can be given none by itself then."
    if not described.get("parameters"):
        yield "describe shows no parameters: there is nothing to train."


_KEYS = ("name", "shape", "dtype")


@_fact
def description_fits_the_state(probe: Probe) -> Iterator[str]:
    """The same names, shapes and dtypes."""
    for group in GROUPS:
        described = {e["name"]: (list(e["shape"]), e["dtype"]) for e in probe.described.get(group, [])}
        found = {name: (list(a.shape), str(a.dtype)) for name, a in probe.start.get(group, {}).items()}
        for name in unequal_keys(described, found):
            yield f"{group} {name}: described as {described.get(name)}, in the state {found.get(name)}."


@_fact
def layouts_fit_their_shapes(probe: Probe) -> Iterator[str]:
    """Each declared layout has an axis for each axis, and divides it into equal blocks."""
    entries = [e for group in ("parameters", "buffers") for e in probe.described[group] if "layout" in e]
    if not entries:
        raise NotShown("no parameter and no buffer of the program has a layout")
    for entry in entries:
        try:
            layouts.blocks(entry["layout"], entry["shape"])
        except ValueError as error:
            yield f"{entry['name']}: {error}."


# the state


@_fact
def state_read_twice_is_the_same(probe: Probe) -> Iterator[str]:
    """Bit for bit."""
    changed = unequal(probe.ask("state"), probe.ask("state"))
    if changed:
        yield f"read twice in a row, the state differs in {listed(changed)}."


@_fact
def state_written_is_read_back(probe: Probe) -> Iterator[str]:
    """Bit for bit: the state after a training, the one before it, and one that no training reaches."""
    moved = {**probe.trained, **{g: floor.moved_tree(probe.trained[g], probe.rng) for g in LEARNED}}
    for which, state in {
        "after training": probe.trained,
        "before training": probe.start,
        "moved by 1 ulp": moved,
    }.items():
        for read in (probe.ask("state", values=state), probe.ask("state")):
            made_since = set(flat({"private": read["private"]})) - set(flat(state))  # metrics, at the first step
            changed = [name for name in unequal(state, read) if name not in made_since]
            if changed:
                yield f"the state {which} was written and is read as another one, in {listed(changed)}."
                break


@_fact
def each_group_is_written_by_itself(probe: Probe) -> Iterator[str]:
    """A group that is not given stays; only private may follow the counters."""
    for group in HELD:
        probe.put(probe.start)
        probe.put({group: probe.trained[group]} if probe.trained.get(group) else {})
        expected = {**probe.start, group: probe.trained.get(group, {})}
        changed = unequal(held(expected), held(probe.ask("state")))
        if changed:
            yield f"after {group} alone were written, the state is not as expected in {listed(changed)}."


@_fact
def state_read_is_a_copy(probe: Probe) -> Iterator[str]:
    """What was read stays as it is while the program trains on."""
    probe.put(probe.trained)
    after = held(probe.step(), ("parameters",))
    if not unequal(held(probe.trained, ("parameters",)), after):
        yield "a training step shows no change of the parameters: the state after it is read when it was taken back already."
    changed = unequal(held(probe.trained, LEARNED), held(probe.ask("state"), LEARNED))
    if changed:
        yield f"a training step changed the state that was read before it, in {listed(changed)}: give copies."


@_fact
def step_number_is_enough(probe: Probe) -> Iterator[str]:
    """Where counters are written without private, what follows from the number of updates is set."""
    if not probe.start.get("private"):
        raise NotShown("the program holds nothing private")
    if int(probe.trained["counters"]["step"]) < 0:
        raise NotShown("nothing counts the updates")

    def bare() -> Arrays:
        probe.put(probe.start)
        probe.put({group: values for group, values in probe.trained.items() if group != "private"})
        return held(probe.step(), LEARNED)

    changed = probe.apart(lambda: held(probe.step(), LEARNED), bare(), probe.trained)
    if changed:
        yield (
            "with all of a state but what is private, the next step differs from that of the whole state, in "
            f"{listed(changed)}: what follows from the number of updates should be set from counters."
        )


@_fact
def counter_counts_updates(probe: Probe) -> Iterator[str]:
    """counters["step"] is the number of updates done, or -1 throughout."""
    first, steps = int(probe.start["counters"].get("step", -1)), len(probe.parts)
    last = int(probe.trained["counters"].get("step", -1))
    if last != (-1 if first < 0 else first + steps):
        yield f'counters["step"] is {first} before and {last} after {steps} updates.'
        return
    if first < 0:
        return
    if not probe.lacking("update"):
        do, arguments = probe.looks()["update"]
        counted = int(probe.ask(do, **arguments)["counters"]["step"])
        if counted != first + 1:
            yield f'counters["step"] is {first} before and {counted} after an update by itself.'
    read = int(probe.ask("state", values={"counters": {"step": np.array(AFTER_A_WHILE)}})["counters"]["step"])
    if read != AFTER_A_WHILE:
        yield f'counters["step"] was set to {AFTER_A_WHILE} and is read as {read}.'


@_fact
def slots_exist_from_the_start(probe: Probe) -> Iterator[str]:
    """As the first update would find them, under the names ROLE|PARAMETER."""
    over = unequal_keys(dict.fromkeys(probe.start["slots"]), dict.fromkeys(probe.trained["slots"]))
    if over:
        yield f"slots before the first update and after it are not the same ones: {listed(over)}."
    names = {entry["name"] for entry in probe.described["parameters"]}
    for key in probe.trained["slots"]:
        role, _, parameter = key.partition("|")
        if not role or parameter not in names:
            yield f"the slot {key!r} should be called ROLE|PARAMETER, with the name of a parameter."


# what is observed


@_fact
def observation_changes_nothing(probe: Probe) -> Iterator[str]:
    """After every request the state is the same bit for bit, and so is the training step that follows."""
    probe.put(probe.trained)
    before = held(probe.step())
    for name, (do, arguments) in probe.looks().items():
        probe.ask(do, **arguments)
        changed = unequal(probe.trained, probe.ask("state"))
        probe.put(probe.trained)
        after = held(probe.step())
        if changed:
            yield f"{name} changes the state, in {listed(changed)}."
        elif unequal(before, after):
            changed = unequal(before, after)
            yield f"after {name} the next training step is another one, in {listed(changed)}: something is not put back."
        before = after


@_fact
def observation_is_repeatable(probe: Probe) -> Iterator[str]:
    """A request answers the same, bit for bit, when it is asked again."""
    probe.put(probe.trained)
    for name, (do, arguments) in probe.looks().items():
        changed = unequal(probe.ask(do, **arguments), probe.ask(do, **arguments))
        if changed:
            yield f"{name} answers otherwise when it is asked again, in {listed(changed)}."


@_fact
def outputs_are_named_in_order(probe: Probe) -> Iterator[str]:
    """output, output_1, …; outputs and activations are arrays of floats, in either mode."""
    for training in (False, True):
        seen = probe.ask("forward", x=probe.parts[0]["x"], training=training)
        wanted = ["output" if i == 0 else f"output_{i}" for i in range(max(1, len(seen["outputs"])))]
        if list(seen["outputs"]) != wanted:
            yield f"outputs are called {listed(list(seen['outputs']))} instead of {listed(wanted)} (training={training})."
        odd = [name for name, a in flat(seen).items() if not isinstance(a, np.ndarray) or a.dtype.kind != "f"]
        if odd:
            yield f"no arrays of floats: {listed(odd)} (training={training})."


@_fact
def inference_sees_rows_one_by_one(probe: Probe) -> Iterator[str]:
    """What evaluate computes in batches does not depend on how the rows are put into batches."""
    x, half = probe.parts[0]["x"], probe.batch_size // 2

    def outputs(rows: Any) -> Arrays:
        seen: Arrays = probe.ask("forward", x=rows, training=False)["outputs"]
        return seen

    probe.put(probe.trained)
    halves = [outputs(_rows.take(x, part)) for part in (slice(half), slice(half, None))]
    joined = {name: np.concatenate([part[name] for part in halves]) for name in halves[0]}
    changed = probe.apart(lambda: outputs(x), joined, probe.trained)
    if changed:
        yield f"in inference mode rows have other outputs in a batch of other rows: {listed(changed)}."


@_fact
def inputs_go_by_name(probe: Probe) -> Iterator[str]:
    """Several inputs are taken by their names, in whatever order they come."""
    x, y = probe.parts[0]["x"], probe.parts[0]["y"]
    if not isinstance(x, dict) or len(x) < 2:
        raise NotShown("x is one array; give several by name, {name: array}, to a program that takes them")
    backwards = {name: x[name] for name in reversed(x)}
    for do, more in (("forward", {"training": False}), ("gradients", {"y": y})):
        changed = unequal(probe.ask(do, x=x, **more), probe.ask(do, x=backwards, **more))
        if changed:
            yield f"{do} goes by the order of the inputs, not by their names: it differs in {listed(changed)}."


@_fact
def gradients_are_shown_for_every_parameter(probe: Probe) -> Iterator[str]:
    """In its shape, as zeros where the loss does not depend on it; with a loss in the precision of the step."""
    if probe.lacking("gradients"):
        raise NotShown(probe.lacking("gradients"))
    probe.put(probe.trained)
    seen = probe.ask("gradients", **probe.parts[0])
    given = {name: list(np.shape(gradient)) for name, gradient in seen["gradients"].items()}
    described = {entry["name"]: list(entry["shape"]) for entry in probe.described["parameters"]}
    for name in unequal_keys(described, given):
        yield f"the parameter {name} has shape {described.get(name)}, its gradient {given.get(name)}."
    yield from (f"the gradient of {n} is not zero, and the loss does not depend on it." for n in _moving(probe, seen))
    if not any(np.any(gradient) for gradient in seen["gradients"].values()):
        yield "every gradient is zero."
    loss = np.asarray(seen["loss"])
    if loss.size != 1 or not np.isfinite(loss).all():
        yield f"the loss should be a number, it is {loss}."
    if str(loss.dtype) != probe.precision:
        yield f"the loss is {loss.dtype} where parameters are {probe.precision}: how near another can be to it is lost."


def _moving(probe: Probe, seen: dict[str, Any]) -> list[str]:
    return [name for name in probe.unused if np.any(seen["gradients"].get(name, 0))]


@_fact
def settings_written_are_read_back(probe: Probe) -> Iterator[str]:
    """Each in the precision that it is said to have, and the others stay."""
    moved = floor.moved_settings(probe.settings, probe.rng)
    moved = {name: value if value != probe.numbers[name] else 0.5 for name, value in moved.items()}  # zeros do not move
    for name, value in moved.items():
        answered = probe.ask("settings", values={name: value})
        wanted = {**probe.numbers, name: value}
        for read in (answered, probe.ask("settings")):
            changed = [
                n for n, e in read.items() if np.array(e["value"], e["dtype"]) != np.array(wanted[n], e["dtype"])
            ]
            if changed:
                yield f"{name} was set to {value}, and {changed[0]} is read as {read[changed[0]]['value']}."
                break
        probe.ask("settings", values=probe.numbers)


@_fact
def rates_agree_with_settings(probe: Probe) -> Iterator[str]:
    """The learning rate at the step where the program is, is the one that it would use now."""
    if "learning_rate" not in probe.settings:
        raise NotShown("the program has no setting learning_rate")
    here = max(0, int(probe.start["counters"].get("step", 0)))
    rate, again = probe.ask("rates", steps=[here])[0], probe.settings["learning_rate"]["value"]
    if rate != again:
        yield f"the learning rate at step {here} is {rate}, and {again} in the settings."


@_fact
def update_is_proportional_to_the_learning_rate(probe: Probe) -> Iterator[str]:
    """Twice the rate moves the parameters twice as far, in the update by itself and in a training step."""
    rate = probe.numbers.get("learning_rate", 0.0)
    if not rate:
        raise NotShown("the program has no setting learning_rate, or it is 0")
    if probe.ask("settings", values={"learning_rate": 2 * rate})["learning_rate"]["value"] == rate:
        raise NotShown("the learning rate cannot be set")
    for name, (do, arguments) in probe.looks().items():
        if do not in ("update", "step"):
            continue

        def after(times: float, do: str = do, arguments: Any = arguments) -> Arrays:
            probe.ask("settings", values={"learning_rate": times * rate})
            return held(probe.ask(do, **arguments), ("parameters",))

        probe.put(probe.start)
        before, once = held(probe.start, ("parameters",)), after(1)
        twice = {key: np.asarray(2.0 * once[key] - value, value.dtype) for key, value in before.items()}
        changed = probe.apart(lambda after=after: after(2), twice, probe.start)  # type: ignore[misc]
        if changed:
            yield f"{name}: with twice the learning rate the change is not twice as large, in {listed(changed)}."


# training


@_fact
def gradients_and_update_make_a_step(probe: Probe) -> Iterator[str]:
    """To rounding: the gradients of a batch, applied by themselves, are what one step of the training does."""
    if probe.lacking("update"):
        raise NotShown(probe.lacking("update"))
    for which, state in (("before training", probe.start), ("after training", probe.trained)):
        probe.put(state)
        do, arguments = probe.looks()["update"]
        groups = ("parameters", "slots")
        updated = held(probe.ask(do, **arguments), groups)
        changed = probe.apart(lambda groups=groups: held(probe.step(), groups), updated, state)  # type: ignore[misc]
        if changed:
            yield f"gradients and update are not what a step of train does, in {listed(changed)} ({which})."


@_fact
def training_from_one_state_is_repeatable(probe: Probe) -> Iterator[str]:
    """Bit for bit: all that training reads is in the state."""
    probe.put(probe.start)
    changed = unequal(probe.trained, probe.train())
    if changed:
        yield f"trained twice from one state, the program differs in {listed(changed)}: something it reads is not in the state."


@_fact
def training_is_its_steps(probe: Probe) -> Iterator[str]:
    """To rounding: an epoch of train is as many single steps on the batches in order, the partial one too.

    But for generators, since some loops draw once an epoch whatever they do with it.
    """
    probe.put(probe.start)
    stepped = held(probe.walk()[-1], WITHOUT_GENERATORS)
    changed = probe.apart(lambda: held(probe.train(), WITHOUT_GENERATORS), stepped, probe.start)
    if changed:
        yield f"an epoch of train is not its {len(probe.parts)} steps one by one, in {listed(changed)}."


@_fact
def running_loss_is_the_mean_over_the_rows_so_far(probe: Probe) -> Iterator[str]:
    """float64 (steps,), as train's last value is the loss of its epoch; to rounding."""
    losses, rows = [], [_rows.count(part["x"]) for part in probe.parts]
    for state, part in zip(probe.walk(), probe.parts, strict=False):
        probe.put(state)
        losses.append(float(probe.ask("gradients", **part)["loss"]))

    def told() -> Arrays:
        answer = probe.ask("train", batch_size=probe.batch_size, steps=len(rows))
        return {"running_loss": answer["running_loss"], "loss": [epoch.get("loss") for epoch in answer["epochs"]]}

    means = np.cumsum(np.multiply(rows, losses)) / np.cumsum(rows)
    changed = probe.apart(told, {"running_loss": means, "loss": [float(means[-1])]}, probe.start)
    if changed:
        probe.put(probe.start)
        yield f"losses of the steps have the means {means}, train tells {told()}."


@_fact
def batches_are_the_rows_in_order(probe: Probe) -> Iterator[str]:
    """Every row once in an epoch, with its target, in batches of the size that was asked for."""
    arguments = {"batch_size": probe.batch_size, "epochs": 2}
    told = probe.ask("batches", **arguments)["batches"]
    counts = [_rows.count(part["x"]) for part in probe.parts]
    if [entry[:2] for entry in told] != [[epoch, count] for epoch in range(2) for count in counts]:
        yield f"two epochs should have batches of {counts} rows each; told are [epoch, rows] {[entry[:2] for entry in told]}."
        return
    if [entry[2] for entry in told[: len(counts)]] != [entry[2] for entry in told[len(counts) :]]:
        yield "the second epoch has other batches than the first."
    for number, part in enumerate(probe.parts):
        kept = probe.ask("batches", keep=number, **arguments)["kept"]
        wanted = {**_rows.named("x", part["x"]), **_rows.named("y", part["y"])}
        changed = [name for name in {**wanted, **kept} if not _same_content(wanted.get(name), kept.get(name))]
        if changed:
            yield f"batch {number} does not hold rows {number * probe.batch_size} and on, in {listed(changed)}."


def _same_content(wanted: Any, kept: Any) -> bool:
    """Whether two arrays hold the same numbers; labels may be class numbers on one side and one-hot on the other."""
    if wanted is None or kept is None:
        return False
    one, other = (np.asarray(a, np.float32).reshape(len(a), -1) for a in (wanted, kept))
    if one.shape != other.shape and other.shape[1] == 1:
        one = one.argmax(axis=1)[:, None]
    return np.array_equal(one, other)


@_fact
def evaluation_is_a_mean_over_rows(probe: Probe) -> Iterator[str]:
    """To rounding: the partial last batch counts by its rows, so that batches of any size give the same."""
    probe.put(probe.trained)

    def told(batch_size: int) -> Arrays:
        answer: Arrays = probe.ask("evaluate", rows=probe.count, batch_size=batch_size)
        return answer

    whole = told(probe.count)
    if "loss" not in whole:
        yield f"evaluate tells no loss, only {listed(list(whole))}."
    changed = probe.apart(lambda: told(probe.batch_size), whole, probe.trained)
    if changed:
        probe.put(probe.trained)
        small, large = ([tell.get(name) for name in changed] for tell in (told(probe.batch_size), whole))
        yield f"{listed(changed)}: {small} in batches of {probe.batch_size} rows, {large} in one batch of all."


def unequal_keys(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """Names whose values differ, or that only one side has."""
    return [name for name in {**one, **other} if name not in one or name not in other or one[name] != other[name]]
