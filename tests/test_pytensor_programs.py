"""PyTensor programs as people wrote them in Theano: what the adapter tells of them, and mutants found in their stage."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

import samestep
from programs import theano_style as style
from programs.in_process import InProcess, compare, first_difference, stage_apart
from programs.theano_style import adam, adam_of, by_parameter, classifier, clipped, const, normalised, sgd
from samestep.errors import ProgramError
from samestep.frameworks import _randomness
from samestep.frameworks import _randomness_numpy as numbers
from samestep.frameworks.pytensor import Program

rng = np.random.default_rng(0)
X = rng.normal(size=(56, 6)).astype(np.float32)
Y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(np.int64)
DATA, BATCH = (X, Y), 16
FIRST = {"x": X[:BATCH], "y": Y[:BATCH]}


def held(build):
    return InProcess(build, X, Y)


def bits(tree):
    if isinstance(tree, dict):
        return {name: bits(value) for name, value in tree.items()}
    array = np.asarray(tree)
    return array.dtype.str, array.shape, array.tobytes()


# training


def trained_by_hand(build, epochs=2):
    """Weights after a training as an ordinary user writes it."""
    program = build()
    step = pytensor.function(
        [program.inputs, program.targets], program.loss, updates=list(program.updates.items()), mode=program.mode
    )
    for _ in range(epochs):
        for start in range(0, len(X), BATCH):
            step(X[start : start + BATCH], Y[start : start + BATCH])
    return [variable.get_value() for variable in program.updates if variable.name != "noise"]


@pytest.mark.parametrize("build", [classifier, lambda: normalised(dropped=0.3)], ids=["adam", "dropout"])
def test_a_program_observed_in_every_way_learns_the_same_weights_as_one_left_alone(build):
    worker = held(build)
    for _ in range(2):
        before = worker.ask("state")
        gradients = worker.ask("gradients", **FIRST)["gradients"]
        for training in (True, False):
            worker.ask("forward", x=FIRST["x"], training=training)
        worker.ask("update", gradients=gradients, **FIRST)
        worker.ask("step", **FIRST)
        worker.ask("evaluate", rows=40, batch_size=BATCH)
        worker.ask("rates", steps=[0, 1, 7])
        assert bits(worker.ask("state")) == bits(before)
        worker.ask("train", batch_size=BATCH, epochs=1)
    after = worker.ask("state")
    learned = [array for group in ("parameters", "slots", "buffers", "private") for array in after[group].values()]
    assert sorted(map(bits, learned)) == sorted(map(bits, trained_by_hand(build)))


def test_the_default_mode_trains_as_the_quick_one_apart_from_rounding():
    runs = []
    for mode in (None, style.QUICK):
        worker = held(lambda mode=mode: classifier(sgd(), mode=mode))
        runs.append(worker.ask("train", batch_size=BATCH, epochs=2))
    np.testing.assert_allclose(runs[0]["running_loss"], runs[1]["running_loss"], rtol=1e-5)
    assert runs[0]["epochs"][1]["loss"] < runs[0]["epochs"][0]["loss"]


def test_gradients_and_loss_are_those_of_the_network():
    """By differences of the loss in float64, written in NumPy."""
    worker = held(classifier)
    seen, weights = worker.ask("gradients", **FIRST), worker.ask("state")["parameters"]

    def loss(moved):
        p = [np.float64(moved[name]) for name in weights]
        logits = np.tanh(X[:BATCH] @ p[0] + p[1]) @ p[2] + p[3]
        logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -logits[np.arange(BATCH), Y[:BATCH]].mean()

    np.testing.assert_allclose(seen["loss"], loss(weights), rtol=1e-6)
    for name, gradient in seen["gradients"].items():
        direction = np.sign(gradient)
        ahead, behind = ({**weights, name: np.float64(weights[name]) + h * direction} for h in (1e-5, -1e-5))
        np.testing.assert_allclose((loss(ahead) - loss(behind)) / 2e-5, np.abs(gradient).sum(), rtol=1e-4)


def test_metrics_and_the_loss_of_an_evaluation_are_means_over_rows():
    worker = held(classifier)
    found = worker.ask("evaluate", rows=40, batch_size=BATCH)
    whole = worker.ask("evaluate", rows=40, batch_size=40)
    assert found["accuracy"] == pytest.approx(whole["accuracy"])
    assert found["loss"] == pytest.approx(whole["loss"], rel=1e-6)


# the update by itself

OPTIMIZERS = {
    "sgd": (sgd(), []),
    "momentum": (by_parameter(style.momentum, "_v"), ["momentum"]),
    "rated momentum": (by_parameter(style.rated_momentum, "_v"), ["rated_momentum"]),
    "momentum with decay": (by_parameter(style.decayed_momentum, "_v"), ["rated_momentum"]),
    "rmsprop": (by_parameter(style.rmsprop, "_a"), ["mean_square"]),
    "centered rmsprop": (by_parameter(style.centered_rmsprop, "_a", "_m"), ["mean_square", "mean_gradient"]),
    "adagrad": (by_parameter(style.adagrad, "_a", fill=0.1), ["accumulator"]),
    "adamax": (by_parameter(style.adamax, "_m", "_u"), ["first_moment", "infinity_norm"]),
    "adam": (adam, ["first_moment", "second_moment"]),
    "amsgrad": (adam_of(amsgrad=True), ["first_moment", "second_moment", "max_second_moment"]),
    "clipped adam": (clipped(adam), ["first_moment", "second_moment"]),
    "a rule of one's own": (by_parameter(style.sign, "_s"), ["s"]),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_slots_hold_is_told_from_how_they_are_updated(name):
    optimizer, roles = OPTIMIZERS[name]
    worker = held(lambda: classifier(optimizer))
    wanted = {f"{role}|{parameter.name}" for role in roles for parameter in style.weights()}
    assert {entry["name"] for entry in worker.ask("describe")["slots"]} == wanted
    assert set(worker.ask("state")["slots"]) == wanted


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_given_the_program_s_own_gradients_is_its_step(name):
    worker = held(lambda: classifier(OPTIMIZERS[name][0]))
    worker.ask("train", batch_size=BATCH, epochs=1)
    gradients = worker.ask("gradients", **FIRST)["gradients"]
    updated, stepped = worker.ask("update", gradients=gradients, **FIRST), worker.ask("step", **FIRST)
    for group in ("parameters", "slots", "private", "counters"):
        for key, value in stepped[group].items():
            np.testing.assert_allclose(updated[group][key], value, rtol=2e-6, atol=1e-7)
    other = worker.ask("update", gradients={n: -g for n, g in gradients.items()}, **FIRST)
    assert bits(other["parameters"]) != bits(updated["parameters"])


def test_an_update_by_given_gradients_follows_adam_s_formula():
    worker = held(classifier)
    before = worker.ask("state")["parameters"]
    given = {name: np.full_like(value, 0.3) for name, value in before.items()}
    after = worker.ask("update", gradients=given, **FIRST)
    for name, value in before.items():
        # the first update of Adam is the rate, whatever the gradient
        np.testing.assert_allclose(after["parameters"][name], value - 0.01, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(after["slots"][f"first_moment|{name}"], 0.03, rtol=1e-5)
        np.testing.assert_allclose(after["slots"][f"second_moment|{name}"], 0.001 * 0.09, rtol=1e-4)


def test_gradients_are_shown_before_the_updates_clip_them_and_clipped_when_given():
    plain, clipping = held(lambda: classifier(sgd(1.0))), held(lambda: classifier(clipped(sgd(1.0))))
    shown = [worker.ask("gradients", **FIRST)["gradients"] for worker in (plain, clipping)]
    assert bits(shown[0]) == bits(shown[1])
    before = clipping.ask("state")["parameters"]
    after = clipping.ask("update", gradients={n: np.ones_like(v) for n, v in before.items()}, **FIRST)["parameters"]
    moved = np.sqrt(sum(np.sum((after[name] - before[name]) ** 2) for name in before))
    np.testing.assert_allclose(moved, 0.05, rtol=1e-4)


def other_loss(gradients_too):
    x, y, p = pt.fmatrix("x"), pt.lvector("y"), style.weights()
    logits = pt.dot(pt.tanh(pt.dot(x, p[0]) + p[1]), p[2]) + p[3]
    loss = style.cross_entropy(logits, y)
    made = pytensor.grad(loss + const(0.1) * sum((v**2).sum() for v in p), p)
    given = dict(zip(p, made, strict=True)) if gradients_too else None
    return Program(
        inputs=x, targets=y, outputs=logits, loss=loss, updates=sgd()(p, made), gradients=given, mode=style.QUICK
    )


def test_gradients_of_another_loss_than_the_one_shown_are_asked_for():
    with pytest.raises(ProgramError, match=r"do not use the gradient of the loss by hidden/kernel\.\n.*gradients="):
        held(lambda: other_loss(gradients_too=False))
    worker = held(lambda: other_loss(gradients_too=True))
    before, gradients = worker.ask("state")["parameters"], worker.ask("gradients", **FIRST)["gradients"]
    after = worker.ask("step", **FIRST)["parameters"]
    for name, gradient in gradients.items():
        np.testing.assert_allclose(after[name], before[name] - const(0.1) * gradient, rtol=1e-6, atol=1e-7)


def test_an_update_that_reads_the_batch_beside_the_gradient_is_judged_within_the_step():
    def by_rows(parameters, gradients):
        size = pt.cast(x.shape[0], "float32")
        return [(p, p - g / size) for p, g in zip(parameters, gradients, strict=True)]

    x, y, p = pt.fmatrix("x"), pt.lvector("y"), style.weights()
    logits = pt.dot(pt.tanh(pt.dot(x, p[0]) + p[1]), p[2]) + p[3]
    loss = style.cross_entropy(logits, y)
    updates = by_rows(p, pytensor.grad(loss, p))
    worker = held(lambda: Program(inputs=x, targets=y, outputs=logits, loss=loss, updates=updates, mode=style.QUICK))
    assert "reads the batch" in worker.ask("describe")["lacks"]["update"]
    with pytest.raises(ProgramError, match="not observed by itself"):
        worker.ask("update", gradients=worker.ask("gradients", **FIRST)["gradients"], **FIRST)


def test_roles_that_the_author_names_are_taken():
    slots = {}

    def remembering(p, g, s):
        slots[p] = s
        return style.sign(p, g, s)

    program = classifier(by_parameter(remembering, "_s"), slots={"first_moment": slots})
    assert "first_moment|hidden/kernel" in held(lambda: program).ask("state")["slots"]


# counters, schedules, settings


@pytest.mark.parametrize("start", [0.0, 1.0], ids=["counts from 0", "counts from 1"])
@pytest.mark.parametrize("step", [0, 1, 250])
def test_a_step_that_is_written_is_read_back_and_counted_on(start, step):
    worker = held(lambda: classifier(adam_of(start=start)))
    written = worker.ask("state", values={"counters": {"step": step}})
    assert (written["counters"]["step"], written["private"]["iterations"]) == (step, start + step)
    after = worker.ask("step", **FIRST)
    assert (after["counters"]["step"], after["private"]["iterations"]) == (step + 1, start + step + 1)
    assert worker.ask("state")["counters"]["step"] == step


@pytest.mark.parametrize(
    ("build", "rates"),
    [
        (style.decaying, [0.1, 0.1 / 1.5, 0.1 / 6]),
        (style.multiplied_rate, [0.1, 0.1 * 0.9, 0.1 * 0.9**10]),
        (lambda: normalised(), [0.1, 0.1, 0.1]),
    ],
    ids=["of the count", "multiplied", "number"],
)
def test_the_learning_rate_of_any_step_is_known(build, rates):
    worker = held(build)
    np.testing.assert_allclose(worker.ask("rates", steps=[0, 1, 10]), rates, rtol=1e-6)


@pytest.mark.parametrize("build", [style.decaying, style.multiplied_rate, classifier])
def test_a_step_written_without_private_state_gives_what_training_to_it_gave(build):
    trained, told = held(build), held(build)
    trained.ask("train", batch_size=BATCH, steps=5)
    state = trained.ask("state")
    told.ask("state", values={group: state[group] for group in ("parameters", "slots", "buffers", "counters")})
    assert bits(told.ask("step", **FIRST)) == bits(trained.ask("step", **FIRST))


def test_settings_have_the_names_that_keras_gives_them():
    found = held(classifier).ask("settings")
    assert set(found) == {"learning_rate", "beta_1", "beta_2", "epsilon"}
    assert {entry["dtype"] for entry in found.values()} == {"float32"}
    assert found["beta_2"]["value"] == const(0.999)


def test_a_setting_that_is_written_counts_in_the_update_and_in_the_step():
    worker = held(classifier)
    gradients, before = worker.ask("gradients", **FIRST)["gradients"], worker.ask("state")["parameters"]
    assert worker.ask("settings", values={"learning_rate": 0.5})["learning_rate"]["value"] == 0.5
    for after in (worker.ask("update", gradients=gradients, **FIRST), worker.ask("step", **FIRST)):
        moves = np.abs(after["parameters"]["hidden/kernel"] - before["hidden/kernel"])
        np.testing.assert_allclose(moves, 0.5, rtol=1e-2)


def test_constants_of_the_updates_are_settings_of_the_update_and_whole_numbers_are_not():
    worker = held(lambda: classifier(by_parameter(style.rmsprop, "_a")))
    found = worker.ask("settings")
    values = sorted({entry["value"] for entry in found.values()})
    np.testing.assert_allclose(values, [1e-6, 0.01, 0.1, 0.9], rtol=1e-6)
    rates = [name for name, entry in found.items() if entry["value"] == const(0.01)]
    gradients, before = worker.ask("gradients", **FIRST)["gradients"], worker.ask("state")["parameters"]
    plain = worker.ask("update", gradients=gradients, **FIRST)["parameters"]
    worker.ask("settings", values=dict.fromkeys(rates, 0.02))
    doubled = worker.ask("update", gradients=gradients, **FIRST)["parameters"]
    for name, value in before.items():
        np.testing.assert_allclose(doubled[name] - value, 2 * (plain[name] - value), rtol=1e-3, atol=1e-6)
    worker.ask("settings", values={name: entry["value"] for name, entry in found.items()})
    assert bits(worker.ask("update", gradients=gradients, **FIRST)["parameters"]) == bits(plain)


def test_a_scheduled_rate_is_left_alone():
    worker = held(style.multiplied_rate)
    assert worker.ask("settings", values={"learning_rate": 7.0})["learning_rate"]["value"] == const(0.1)


# modes, buffers, randomness


def test_running_statistics_are_buffers_and_only_training_moves_them():
    worker = held(normalised)
    start = worker.ask("state")
    assert list(start["buffers"]) == ["mean", "variance"]
    assert list(start["parameters"]) == ["hidden/kernel", "hidden/bias", "last/kernel", "last/bias"]
    raw = X[:BATCH] @ start["parameters"]["hidden/kernel"]
    after = worker.ask("step", **FIRST)["buffers"]
    np.testing.assert_allclose(after["mean"], 0.1 * raw.mean(axis=0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(after["variance"], 0.9 + 0.1 * raw.var(axis=0), rtol=1e-4)
    worker.ask("evaluate", rows=40, batch_size=BATCH)
    assert bits(worker.ask("state")) == bits(start)


def test_inference_takes_the_running_statistics_and_drops_nothing():
    worker = held(lambda: normalised(dropped=0.5))
    p = worker.ask("state")["parameters"]
    hidden = np.tanh(X @ p["hidden/kernel"] / np.sqrt(1 + 1e-3))
    seen = worker.ask("forward", x=X, training=False)["outputs"]["output"]
    np.testing.assert_allclose(seen, hidden @ p["last/kernel"], rtol=1e-4, atol=1e-5)
    assert np.abs(worker.ask("forward", x=X, training=True)["outputs"]["output"] - seen).max() > 0.1


def test_a_generator_s_state_that_is_written_back_draws_the_same_again():
    worker = held(lambda: normalised(dropped=0.5))
    start = worker.ask("state")
    assert len(start["generators"]) == 1
    once = worker.ask("train", batch_size=BATCH, epochs=1)["running_loss"]
    moved = worker.ask("state")
    assert bits(moved["generators"]) != bits(start["generators"])
    twice = worker.ask("train", batch_size=BATCH, epochs=1)["running_loss"]
    worker.ask("state", values=start)
    assert bits(worker.ask("train", batch_size=BATCH, epochs=1)["running_loss"]) == bits(once)
    assert bits(once) != bits(twice)


def drawing(kind, seed=4):
    """Noise of some kind on the hidden layer and, of another size, on the logits."""
    x, y, p = pt.fmatrix("x"), pt.lvector("y"), style.weights()
    generator = pt.random.shared_rng(np.random.default_rng(seed), name="noise")
    hidden = pt.tanh(pt.dot(x, p[0]) + p[1])
    after, noise = kind(generator, hidden.shape)
    logits = pt.dot(hidden * noise, p[2]) + p[3]
    after, noise = kind(after, logits.shape)
    logits = logits * noise
    loss = style.cross_entropy(logits, y)
    updates = [*sgd()(p, pytensor.grad(loss, p)), (generator, after)]
    return Program(inputs=x, targets=y, outputs=logits, loss=loss, updates=updates, learning_rate=0.1, mode=style.QUICK)


def as_float(after, drawn):
    return after, pt.cast(drawn, "float32")


KINDS = {
    "uniform": lambda rng, size: rng.uniform(2, 4, size=size, dtype="float32"),
    "normal": lambda rng, size: rng.normal(1, 0.5, size=size, dtype="float32"),
    "bernoulli": lambda rng, size: as_float(*rng.bernoulli(0.3, size=size)),
    "binomial": lambda rng, size: as_float(*rng.binomial(1, 0.3, size=size)),
}


def standard(kind, shape, number):
    """The same noise from the shared stream, in NumPy."""
    words = numbers.words(_randomness.Draw(number, shape, tuple(range(len(shape))), False), step=0)
    if kind == "normal":
        return 1 + 0.5 * numbers.normal(words)
    uniform = numbers.uniform(words)
    return 2 + 2 * uniform if kind == "uniform" else (uniform >= 0.7).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_random_operations_draw_the_shared_numbers_while_these_are_shared(kind):
    worker = held(lambda: drawing(KINDS[kind]))
    name = "bernoulli" if kind == "binomial" else kind
    assert worker.ask("draws", x=X) == [{"kind": name, "shape": [56, 8]}, {"kind": name, "shape": [56, 3]}]
    own = worker.ask("forward", x=X, training=True)["outputs"]["output"]
    worker.ask("randomness", seed=5)
    try:
        seen = worker.ask("forward", x=X, training=True)["outputs"]["output"]
        p = worker.ask("state")["parameters"]
        hidden = np.tanh(X @ p["hidden/kernel"]) * standard(kind, (56, 8), 0)
        np.testing.assert_allclose(seen, hidden @ p["last/kernel"] * standard(kind, (56, 3), 1), rtol=1e-4, atol=1e-5)
    finally:
        worker.ask("randomness", seed=None)
    assert bits(worker.ask("forward", x=X, training=True)["outputs"]["output"]) == bits(own)
    assert bits(own) != bits(seen)


@pytest.mark.parametrize("kind", ["uniform", "binomial"])
def test_programs_whose_generators_have_other_seeds_train_the_same_on_shared_numbers(kind):
    result = compare(lambda: drawing(KINDS[kind]), lambda: drawing(KINDS[kind], seed=5), DATA, steps=4)
    assert result.verdict in ("identical", "rounding"), result.stages
    other = KINDS["normal"]
    assert compare(lambda: drawing(KINDS[kind]), lambda: drawing(other), DATA, steps=2).verdict == "different"


def test_activations_come_in_the_order_of_the_network_under_names_or_operations():
    def named_hidden(x):
        x.name = "before"
        return pt.tanh(x)

    seen = held(lambda: classifier(hidden=named_hidden)).ask("forward", x=X, training=True)
    shapes = {name: array.shape for name, array in seen["activations"].items()}
    assert list(shapes.items()) == [
        ("Dot", (56, 8)), ("before", (56, 8)), ("tanh", (56, 8)), ("Dot#2", (56, 3)), ("add", (56, 3)),
    ]  # fmt: skip
    assert bits(seen["activations"]["add"]) == bits(seen["outputs"]["output"])


def test_inputs_may_be_several_and_outputs_any_nest():
    left, right, y = pt.fmatrix("left"), pt.fmatrix("right"), pt.fmatrix("y")
    kernel = style.shared(np.ones((3, 1)), "kernel")
    one, other = pt.dot(left, kernel), pt.dot(right, kernel)
    loss = pt.sqr(one - other - y).mean()
    program = Program(
        inputs={"right": right, "left": left},
        targets=y,
        outputs={"b": one, "a": (other,)},
        loss=loss,
        updates=sgd()([kernel], pytensor.grad(loss, [kernel])),
        mode=style.QUICK,
    )
    rows = {"left": X[:, :3], "right": X[:, 3:]}
    worker = InProcess(lambda: program, rows, Y.astype(np.float32))
    seen = worker.ask("forward", x=rows, training=False)["outputs"]
    np.testing.assert_allclose(seen["output"][:, 0], X[:, 3:].sum(axis=1), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(seen["output_1"][:, 0], X[:, :3].sum(axis=1), rtol=1e-4, atol=1e-5)


# whole comparisons


def test_a_program_is_the_same_as_itself():
    assert compare(classifier, classifier, DATA, steps=6).verdict == "identical"


def test_a_twin_that_computes_in_another_order_differs_by_rounding_alone():
    def folded(parameters, gradients):
        """m + (1 − β) (g − m) in the place of β m + (1 − β) g."""
        steps = pytensor.shared(np.int64(0))
        t = pt.cast(steps + 1, "float32")

        def one(p, g, m, v):
            m, v = m + const(0.1) * (g - m), v + const(0.001) * (g * g - v)
            moment, square = m / (1 - const(0.9) ** t), v / (1 - const(0.999) ** t)
            return m, v, p - const(0.01) * moment / (pt.sqrt(square) + const(1e-7) / pt.sqrt(1 - const(0.999) ** t))

        return by_parameter(one, "_m", "_v", before=[(steps, steps + 1)])(parameters, gradients)

    result = compare(classifier, lambda: classifier(folded, learning_rate=0.01), DATA, steps=6)
    assert result.verdict == "rounding", [s for s in result.stages if s.verdict not in ("identical", "rounding")]


MUTANTS = {
    "rate": (lambda: classifier(adam_of(rate=0.012)), "update"),
    "beta 2": (lambda: classifier(adam_of(beta_2=0.99)), "update"),
    "epsilon": (lambda: classifier(adam_of(epsilon=1e-3)), "update"),
    "clipping": (lambda: classifier(clipped(adam)), "update"),
    "activation": (lambda: classifier(hidden=pt.sigmoid), "forward"),
    "penalty": (lambda: classifier(penalty=0.01), "loss"),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_one_thing_changed_is_found_in_its_stage(name):
    mutant, stage = MUTANTS[name]
    assert stage_apart(classifier, mutant, DATA, steps=(3,)) == stage


def test_a_change_is_found_whichever_side_it_is_on_and_not_in_a_program_and_itself():
    mutant, stage = MUTANTS["beta 2"]
    assert stage_apart(mutant, classifier, DATA, steps=(3,)) == stage
    assert stage_apart(mutant, mutant, DATA, steps=(3,)) is None


def test_statistics_of_a_shorter_memory_are_found_among_the_buffers():
    assert stage_apart(normalised, lambda: normalised(kept=0.8), DATA) == "buffers"


def test_a_rate_that_decays_faster_is_found():
    assert stage_apart(style.decaying, lambda: style.decaying(decay=0.6), DATA, steps=(0,)) == "schedule"


TWIN = """
import torch
from samestep.frameworks.torch import Program

def build(momentum=0.9):
    torch.set_num_threads(1)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=momentum)
    return Program(model, loss=torch.nn.CrossEntropyLoss(), optimizer=optimizer)

def of_another_momentum():
    return build(0.8)
"""
PROGRAM = """
from programs.theano_style import by_parameter, classifier, momentum

def build():
    return classifier(by_parameter(momentum, "_v"), learning_rate=0.1)
"""


@pytest.fixture
def files(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(style.__file__).rsplit("/", 2)[0])
    (tmp_path / "left.py").write_text(PROGRAM)
    (tmp_path / "right.py").write_text(TWIN)
    return tmp_path


def test_a_program_trains_as_its_twin_in_pytorch_and_one_of_another_momentum_does_not(files):
    result = samestep.match(
        f"{files}/left.py", f"{files}/right.py", data=DATA, batch_size=BATCH, steps=8, explain=False
    )
    assert result.verdict == "rounding", result.stages
    assert not {s.stage: s.note for s in result.stages}["slots"], "momentum is compared"
    other = f"{files}/right.py:of_another_momentum"
    result = samestep.match(f"{files}/left.py", other, data=DATA, batch_size=BATCH, steps=8, explain=False)
    assert result.verdict == "different"
    assert first_difference(result)[0] in ("update", "slots")


# what goes wrong


def refused(**changed):
    x, y, p = pt.fmatrix("x"), pt.lvector("y"), style.weights()
    logits = pt.dot(pt.tanh(pt.dot(x, p[0]) + p[1]), p[2]) + p[3]
    loss = style.cross_entropy(logits, y)
    updates = sgd()(p, pytensor.grad(loss, p))
    parts = {"inputs": x, "targets": y, "outputs": logits, "loss": loss, "updates": updates}
    return Program(**dict(parts, **{name: make(parts) for name, make in changed.items()}))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"loss": lambda parts: parts["outputs"]}, "should be a scalar.\nPass its mean"),
        ({"updates": lambda parts: [(parts["inputs"], parts["inputs"])]}, "no shared variable"),
        ({"updates": lambda parts: []}, "nothing trains"),
        ({"learning_rate": lambda parts: parts["loss"] / 2}, "learning_rate is computed from the batch"),
    ],
    ids=["loss", "updates", "no updates", "rate"],
)
def test_what_cannot_be_compared_is_refused_with_the_way_to_mend_it(changed, message):
    with pytest.raises(ProgramError, match=message):
        held(lambda: refused(**changed))
