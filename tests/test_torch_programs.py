"""PyTorch programs as people write them: observation changes nothing, and each mutant is found in the stage that it alters."""

import sys
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.optim import lr_scheduler

from programs.in_process import SEED, InProcess, compare, first_difference, stage_apart
from samestep.errors import ProgramError
from samestep.frameworks import seed_frameworks
from samestep.frameworks.torch import Program
from samestep.matching import floor

pytestmark = [
    pytest.mark.filterwarnings("ignore:Sparse invariant checks"),  # of torch.optim's own sparse gradients
    pytest.mark.filterwarnings(
        "ignore:CUDA initialization"
    ),  # of torch.compile, where TensorFlow has looked for a GPU first
]
sys.modules.setdefault("triton", None)  # its LLVM ends a process that has TensorFlow's; nothing here compiles for a GPU
rng = np.random.default_rng(0)
X = rng.normal(size=(56, 6)).astype(np.float32)
Y = (X[:, 0] > 0) + (X[:, 1] > 0).astype(np.int64)
DATA = (X, Y)
BATCH = 16
cross_entropy = nn.CrossEntropyLoss()


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    """Tiny products are not worth waiting for threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def accuracy(logits, labels):
    return (logits.argmax(1) == labels).float().mean()


class Net(nn.Module):
    """Every kind of state: batch statistics, dropout, a frozen kernel, a parameter that the loss does not depend on."""

    def __init__(self, dropout=0.2, eps=1e-5):
        super().__init__()
        torch.manual_seed(1)
        self.unused = nn.Parameter(torch.ones(3))
        self.head = nn.Linear(8, 3)
        self.first = nn.Linear(6, 8)
        self.norm = nn.BatchNorm1d(8, eps=eps)
        self.frozen = nn.Linear(8, 8)
        self.frozen.requires_grad_(False)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x):
        hidden = functional.relu(self.norm(self.first(x)))
        return self.head(self.dropout(hidden + 0.1 * self.frozen(hidden)))


class Words(nn.Module):
    """A table of words, whose gradient is sparse."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.table = nn.Embedding(10, 3, sparse=True)

    def forward(self, x):
        return self.table((x[:, :2].abs() * 4).long().clamp(max=9)).mean(1)


class Small(nn.Sequential):
    def __init__(self):
        torch.manual_seed(1)
        super().__init__(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 3))


def adam(model):
    return torch.optim.Adam(model.parameters(), lr=0.01)


def groups_of(optimizer, rate, **options):
    """The head learns ten times as fast as the rest."""

    def make(model):
        head = list(model.head.parameters())
        rest = [p for p in model.parameters() if all(p is not own for own in head)]
        return optimizer([{"params": rest}, {"params": head, "lr": 10 * rate}], lr=rate, **options)

    return make


optim = torch.optim


def sgd(rate=0.1, **options):
    return lambda model: optim.SGD(model.parameters(), rate, **options)


OPTIMIZERS = {
    "SGD": lambda m: optim.SGD(m.parameters(), 0.1),
    "momentum": lambda m: optim.SGD(m.parameters(), 0.1, momentum=0.9, weight_decay=0.01),
    "dampening": lambda m: optim.SGD(m.parameters(), 0.1, momentum=0.9, dampening=0.5),
    "Nesterov": lambda m: optim.SGD(m.parameters(), 0.1, momentum=0.9, nesterov=True),
    "groups": groups_of(optim.SGD, 0.01, momentum=0.9),
    "Adam": adam,
    "AMSGrad": lambda m: optim.Adam(m.parameters(), 0.01, amsgrad=True, weight_decay=0.1),
    "AdamW": lambda m: optim.AdamW(m.parameters(), 0.01),
    "foreach": lambda m: optim.AdamW(m.parameters(), 0.01, foreach=True),
    "fused": lambda m: optim.AdamW(m.parameters(), 0.01, fused=True),
    "NAdam": lambda m: optim.NAdam(m.parameters(), 0.01),
    "RAdam": lambda m: optim.RAdam(m.parameters(), 0.01),
    "Adamax": lambda m: optim.Adamax(m.parameters(), 0.01),
    "RMSprop": lambda m: optim.RMSprop(m.parameters(), 0.01),
    "centered": lambda m: optim.RMSprop(m.parameters(), 0.01, centered=True, momentum=0.9),
    "Adagrad": lambda m: optim.Adagrad(m.parameters(), 0.01, initial_accumulator_value=0.1, lr_decay=0.01),
    "Adadelta": lambda m: optim.Adadelta(m.parameters(), 1.0),
    "Adafactor": lambda m: optim.Adafactor(m.parameters(), 0.01),
    "Rprop": lambda m: optim.Rprop(m.parameters(), 0.01),
    "ASGD": lambda m: optim.ASGD(m.parameters(), 0.1, t0=2),
}
SCHEDULERS = {
    "step": lambda o: lr_scheduler.StepLR(o, 2, 0.5),
    "cosine": lambda o: lr_scheduler.CosineAnnealingLR(o, 7),
    "lambda": lambda o: lr_scheduler.LambdaLR(o, lambda step: 0.9**step),
    "one cycle": lambda o: lr_scheduler.OneCycleLR(o, 0.1, total_steps=40),
    "sequence": lambda o: lr_scheduler.SequentialLR(
        o, [lr_scheduler.LinearLR(o, 0.1, total_iters=3), lr_scheduler.ExponentialLR(o, 0.8)], [3]
    ),
    "chain": lambda o: lr_scheduler.ChainedScheduler(
        [lr_scheduler.MultiStepLR(o, [2, 5], 0.3), lr_scheduler.ExponentialLR(o, 0.9)]
    ),
    "warm restarts": lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 3, 2),
    "cycle": lambda o: lr_scheduler.CyclicLR(o, 0.01, 0.1, 4, mode="exp_range", gamma=0.9),
    "list": lambda o: [lr_scheduler.StepLR(o, 2, 0.5), lr_scheduler.MultiplicativeLR(o, lambda step: 0.95)],
}
BY_STEP = SCHEDULERS.copy()
SCHEDULERS["plateau"] = lambda o: lr_scheduler.ReduceLROnPlateau(o, factor=0.5, patience=1, threshold=0.2)


def built(optimizer=adam, net=Net, scheduler=None, loss=cross_entropy, **options):
    """A function that builds a program of the standard update."""

    def build():
        model = net()
        made = optimizer(model)
        schedules = scheduler and scheduler(made)
        return Program(model, loss=loss, optimizer=made, scheduler=schedules, metrics={"accuracy": accuracy}, **options)

    return build


def batches():
    """Batches of two epochs."""
    tensors = [
        (torch.from_numpy(X[start : start + BATCH]), torch.from_numpy(Y[start : start + BATCH]))
        for start in (0, 16, 32, 48)
    ]
    return tensors * 2


def by_hand(model, optimizer, schedulers=(), update=None):
    """Weights after two epochs of a training loop as the handbook has it."""
    torch.manual_seed(SEED)
    model.train()
    for x, y in batches():
        if update is None:
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
        else:
            loss = update(x, y)
        for scheduler in schedulers:
            scheduler.step(loss.item()) if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau) else scheduler.step()
    return {name: tensor.detach().numpy().copy() for name, tensor in model.state_dict().items()}


def look_at(worker):
    """Ask for every observation; each leaves the whole state as it was, to the bit."""
    rows = worker.ask("rows", start=0, stop=BATCH)
    lacks, settings, draw = worker.ask("describe")["lacks"], worker.ask("settings"), np.random.default_rng(0)
    original, before = {name: entry["value"] for name, entry in settings.items()}, worker.ask("state")
    gradients = worker.ask("gradients", **rows)["gradients"]
    looks = [
        ("forward", {"x": rows["x"], "training": True}),
        ("forward", {"x": rows["x"], "training": False}),
        ("gradients", rows),
        *([] if lacks else [("update", {"gradients": gradients, **rows})]),
        ("step", rows),
        ("evaluate", {"rows": 40, "batch_size": BATCH}),
        ("batches", {"batch_size": BATCH, "epochs": 2}),
        ("rates", {"steps": [0, 5, 30, 3]}),
        ("state", {"values": floor.moved_tree(before, draw)}),
        ("settings", {"values": floor.moved_settings(settings, draw)}),
        ("step", rows),
        ("settings", {"values": original}),
        ("state", {"values": before}),
    ]
    for number, (do, arguments) in enumerate(looks):
        worker.ask(do, **arguments)
        if do not in ("state", "settings") and number < 8:
            assert_same_bits(before, worker.ask("state"), do)
    assert worker.ask("settings") == settings
    assert_same_bits(before, worker.ask("state"), "all")


def observed(build, prefix=""):
    """Weights after two epochs of a program that is looked at before, between and after."""
    worker = InProcess(build, *DATA)
    look_at(worker)
    worker.ask("train", batch_size=BATCH, steps=1, start=0, stop=16)
    look_at(worker)
    worker.ask("train", batch_size=BATCH, steps=3, start=16)
    worker.ask("train", batch_size=BATCH)
    return worker.ask("state")


def assert_same_bits(one, other, after):
    for group in one:
        assert one[group].keys() == other[group].keys(), f"{group} after {after}"
        for name, value in one[group].items():
            assert value.dtype == other[group][name].dtype
            assert value.tobytes() == other[group][name].tobytes(), f"{group} {name} changed by {after}"


def assert_learned(state, weights):
    learned = {**state["parameters"], **state["buffers"]}
    assert len(learned) >= 2
    for name, value in learned.items():
        assert value.tobytes() == weights[name].tobytes(), name


# observation changes nothing


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_observed_program_learns_the_weights_of_a_loop_written_by_hand(name):
    model = Net()
    assert_learned(observed(built(OPTIMIZERS[name])), by_hand(model, OPTIMIZERS[name](model)))


@pytest.mark.parametrize("name", SCHEDULERS)
def test_an_observed_program_with_a_scheduler_learns_as_a_loop_that_advances_it_once_an_update(name):
    model = Net()
    optimizer = groups_of(optim.SGD, 0.01, momentum=0.9)(model)
    schedulers = SCHEDULERS[name](optimizer)
    schedulers = schedulers if isinstance(schedulers, list) else [schedulers]
    weights = by_hand(model, optimizer, schedulers)
    state = observed(built(groups_of(optim.SGD, 0.01, momentum=0.9), scheduler=SCHEDULERS[name]))
    assert_learned(state, weights)


def clipped_step(model, optimizer):
    def step(x, y):
        optimizer.zero_grad()
        loss = cross_entropy(model(x), y)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.1)
        optimizer.step()
        return loss

    return step


def accumulating_step(model, optimizer):
    """Two halves of a batch, whose gradients are added up."""

    def step(x, y):
        for half in range(2):
            loss = cross_entropy(model(x[half::2]), y[half::2]) / 2
            loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        return loss

    return step


def carrying_step(model, optimizer):
    """Half of each gradient is carried over to the next step, in the place where PyTorch holds gradients."""

    def step(x, y):
        for p in model.parameters():
            p.grad = None if p.grad is None else p.grad / 2
        loss = cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        return loss

    return step


def closure_step(model, optimizer):
    def step(x, y):
        def closure():
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            loss.backward()
            return loss

        return optimizer.step(closure)

    return step


def rated_step(model, optimizer):
    """It sets the learning rate itself."""

    def step(x, y):
        optimizer.param_groups[0]["lr"] *= 0.9
        return clipped_step(model, optimizer)(x, y)

    return step


def adversaries(model, momentum=0.9, rate=0.01):
    first = [p for name, p in model.named_parameters() if name.startswith("first")]
    others = [p for name, p in model.named_parameters() if not name.startswith("first")]
    return {"one": optim.SGD(first, 0.1, momentum=momentum), "two": optim.Adam(others, rate)}


def adversarial_step(model, optimizers):
    def step(x, y):
        for sign, optimizer in zip((-0.5, 1), optimizers.values(), strict=True):
            optimizer.zero_grad()
            loss = cross_entropy(model(x), y)
            (sign * loss).backward()
            optimizer.step()
        return loss

    return step


def lbfgs(model):
    return optim.LBFGS(model.parameters(), 0.1, max_iter=4, history_size=3)


STEPS = {
    "clipping": (adam, clipped_step),
    "accumulation": (adam, accumulating_step),
    "carried gradients": (adam, carrying_step),
    "closure": (adam, closure_step),
    "LBFGS": (lbfgs, closure_step),
    "own rate": (adam, rated_step),
    "two optimizers": (adversaries, adversarial_step),
}


def stepped(optimizer, make_step, net=Net, scheduler=None):
    """A function that builds a program with a step of its own."""

    def build():
        model = net()
        made = optimizer(model)
        schedules = scheduler and scheduler(made)
        step = make_step(model, made)
        return Program(
            model, loss=cross_entropy, optimizer=made, scheduler=schedules, step=step, metrics={"accuracy": accuracy}
        )

    return build


@pytest.mark.parametrize("name", STEPS)
def test_an_observed_step_of_the_programs_own_learns_as_in_a_loop_written_by_hand(name):
    optimizer, make_step = STEPS[name]
    model = Net()
    made = optimizer(model)
    assert_learned(observed(stepped(optimizer, make_step)), by_hand(model, made, update=make_step(model, made)))


def test_lbfgs_needs_no_step_of_the_programs_own():
    model = Net()
    made = lbfgs(model)
    assert_learned(observed(built(lbfgs)), by_hand(model, made, update=closure_step(model, made)))


@pytest.mark.parametrize("advances", [False, True], ids=["by samestep", "by the step"])
def test_a_scheduler_beside_an_own_step_is_advanced_once(advances):
    model = Net()
    made = adam(model)
    scheduler = SCHEDULERS["step"](made)
    weights = by_hand(model, made, [scheduler], update=clipped_step(model, made))

    def build():
        model = Net()
        made = adam(model)
        scheduler = SCHEDULERS["step"](made)
        plain = clipped_step(model, made)

        def step(x, y):
            loss = plain(x, y)
            if advances:
                scheduler.step()
            return loss

        return Program(model, loss=cross_entropy, optimizer=made, scheduler=scheduler, step=step)

    assert_learned(observed(build), weights)


def sparse_adam(model):
    return optim.SparseAdam(model.parameters(), 0.1)


SPARSE = {
    "SparseAdam": sparse_adam,
    "SGD": lambda m: optim.SGD(m.parameters(), 0.1),
    "Adagrad": lambda m: optim.Adagrad(m.parameters(), 0.1),
}


@pytest.mark.parametrize("name", SPARSE)
def test_sparse_gradients_are_shown_dense_and_handed_back_sparse(name):
    model = Words()
    worker = InProcess(built(SPARSE[name], Words), *DATA)
    worker.ask("train", batch_size=BATCH, steps=2)
    assert_update_is_step(worker, rtol=1e-5)  # words that come twice are added up in another order
    ends = observed(built(SPARSE[name], Words))
    np.testing.assert_array_equal(
        ends["parameters"]["table.weight"], by_hand(model, SPARSE[name](model))["table.weight"]
    )


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_a_compiled_model_learns_as_by_hand_and_shows_what_the_uncompiled_one_computes(backend):
    def compiled():
        return torch.compile(Net(), backend=backend)

    torch.compiler.reset()
    model = compiled()
    weights = by_hand(model, adam(model))
    state = observed(built(net=compiled))
    assert_learned(state, {name.replace("_orig_mod.", ""): value for name, value in weights.items()})
    shown = [InProcess(built(net=net), *DATA).ask("forward", x=X[:16], training=True) for net in (Net, compiled)]
    assert list(shown[0]["activations"]) == list(shown[1]["activations"])
    assert all(np.array_equal(a, shown[1]["activations"][name]) for name, a in shown[0]["activations"].items())
    assert np.array_equal(shown[0]["outputs"]["output"], shown[1]["outputs"]["output"])


# state


def assert_update_is_step(worker, rtol=0):
    rows = worker.ask("rows", start=16, stop=32)
    gradients = worker.ask("gradients", **rows)["gradients"]
    updated, stepped = worker.ask("update", gradients=gradients, **rows), worker.ask("step", **rows)
    before = worker.ask("state")
    for group in ("parameters", "slots", "counters"):
        for name, value in updated[group].items():
            np.testing.assert_allclose(value, stepped[group][name], rtol, err_msg=name)
    assert any(value.tobytes() != before["parameters"][n].tobytes() for n, value in updated["parameters"].items())


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_update_from_a_steps_gradients_is_that_step(name, steps):
    worker = InProcess(built(OPTIMIZERS[name]), *DATA)
    if steps:
        worker.ask("train", batch_size=BATCH, steps=steps)
    assert_update_is_step(worker)


@pytest.mark.parametrize(
    "build", [built(sgd(), Small), stepped(sgd(), clipped_step, Small)], ids=["standard", "own step"]
)
def test_an_update_takes_the_gradients_that_it_is_given(build):
    worker = InProcess(build, *DATA)
    before = worker.ask("state")["parameters"]
    given = {name: rng.normal(size=value.shape).astype(np.float32) for name, value in before.items()}
    after = worker.ask("update", gradients=given, x=X[:16], y=Y[:16])["parameters"]
    for name, value in after.items():
        np.testing.assert_allclose(value, before[name] - np.float32(0.1) * given[name], rtol=1e-5, atol=1e-7)


def moved_over(state):
    """What a match carries over to another program: all but what is private."""
    return {group: entries for group, entries in state.items() if group != "private"}


def assert_goes_on_from_anothers_state(build, steps):
    one, other = InProcess(build, *DATA), InProcess(build, *DATA)
    if steps:
        one.ask("train", batch_size=BATCH, steps=steps)
    else:
        other.ask("train", batch_size=BATCH, steps=2)
    other.ask("state", values=moved_over(one.ask("state")))
    assert_same_bits(moved_over(one.ask("state")), moved_over(other.ask("state")), "carrying over")
    ends, start = [], one.ask("state")["generators"]
    for worker in (one, other):
        worker.ask("state", values={"generators": start})  # they are in one process
        worker.ask("train", batch_size=BATCH, steps=2)
        ends.append(moved_over(worker.ask("state")))
    assert_same_bits(*ends, "training on")


@pytest.mark.parametrize("steps", [0, 3])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_program_goes_on_from_the_state_of_its_twin(name, steps):
    assert_goes_on_from_anothers_state(built(OPTIMIZERS[name]), steps)


@pytest.mark.parametrize("name", BY_STEP)
def test_a_scheduler_stands_where_its_twins_does(name):
    assert_goes_on_from_anothers_state(built(groups_of(optim.SGD, 0.01, momentum=0.9), scheduler=BY_STEP[name]), 3)


def test_averaged_sgd_goes_on_with_the_rate_that_its_last_update_left_it():
    assert_goes_on_from_anothers_state(built(OPTIMIZERS["ASGD"], scheduler=BY_STEP["cosine"]), 3)


def test_adversaries_go_on_from_the_state_of_their_twins():
    assert_goes_on_from_anothers_state(stepped(*STEPS["two optimizers"]), 3)


@pytest.mark.parametrize("name", BY_STEP)
def test_rates_of_steps_not_trained_to_are_those_of_the_schedule(name):
    worker = InProcess(built(groups_of(optim.SGD, 0.01, momentum=0.9), scheduler=BY_STEP[name]), *DATA)
    worker.ask("train", batch_size=BATCH, steps=3)
    found = worker.ask("rates", steps=[9, 0, 1, 2, 3, 4, 5, 6, 7, 8])
    optimizer = optim.SGD([{"params": [nn.Parameter(torch.zeros(1))]}, {"params": [], "lr": 0.1}], 0.01, momentum=0.9)
    schedulers, expected = SCHEDULERS[name](optimizer), []
    for _ in range(10):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
            scheduler.step()
    assert found == [expected[9], *expected[:9]]
    assert len(set(found)) > 2


# settings


def test_other_groups_move_by_the_same_ratio_and_come_back_to_the_bit():
    worker = InProcess(built(groups_of(optim.SGD, 0.03, momentum=0.9)), *DATA)
    groups = worker.session.program.optimizers[0].param_groups
    before = [dict(group, params=None) for group in groups]
    for rate in (0.03 * (1 + 1e-7), 0.0123, 0.0, 7e-5):
        worker.ask("settings", values={"learning_rate": rate})
        assert [group["lr"] for group in groups] == pytest.approx([rate, 10 * rate])
    worker.ask("settings", values={"learning_rate": 0.03})
    assert [dict(group, params=None) for group in groups] == before


NAMES = {
    "Adam": {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "weight_decay": 0.0},
    "RMSprop": {"learning_rate": 0.01, "rho": 0.99, "epsilon": 1e-8, "momentum": 0.0, "weight_decay": 0.0},
    "momentum": {"learning_rate": 0.1, "momentum": 0.9, "dampening": 0.0, "weight_decay": 0.01},
    "Rprop": {"learning_rate": 0.01, "eta_minus": 0.5, "eta_plus": 1.2, "step_size_min": 1e-6, "step_size_max": 50.0},
    "Adafactor": {"learning_rate": 0.01, "beta2_decay": -0.8, "eps_2": 1e-3, "d": 1.0, "weight_decay": 0.0},
}


@pytest.mark.parametrize("name", NAMES)
def test_settings_have_the_names_that_keras_has_for_them(name):
    found = InProcess(built(OPTIMIZERS[name]), *DATA).ask("settings")
    found = {name.replace("epsilon_2", "eps_2"): entry for name, entry in found.items()}
    assert {name: entry["value"] for name, entry in found.items()} == NAMES[name]
    assert {entry["dtype"] for entry in found.values()} == {"float32"}


@pytest.mark.parametrize(("setting", "value"), [("learning_rate", 0.02), ("beta_1", 0.5), ("epsilon", 0.1)])
def test_a_setting_that_is_written_takes_effect_in_the_next_step_and_update(setting, value):
    worker = InProcess(built(), *DATA)
    rows = worker.ask("rows", start=0, stop=BATCH)
    gradients = worker.ask("gradients", **rows)["gradients"]
    worker.ask("train", batch_size=BATCH, steps=1)
    looks = (("step", rows), ("update", {"gradients": gradients, **rows}))
    before = [worker.ask(do, **arguments)["parameters"]["first.weight"] for do, arguments in looks]
    worker.ask("settings", values={setting: value})
    after = [worker.ask(do, **arguments)["parameters"]["first.weight"] for do, arguments in looks]
    assert all(np.any(old != new) for old, new in zip(before, after, strict=True))


# what a program holds


class Tied(nn.Module):
    """One table for words on the way in and on the way out, as language models have it; its buffer is replaced, not filled."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.last = nn.Linear(6, 6, bias=False)
        self.first = nn.Linear(6, 6)
        self.last.weight = self.first.weight
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x):
        hidden = torch.tanh(self.first(x))
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * hidden.detach().mean(0)
        return self.last(hidden - self.mean)[:, :3]


def test_tied_weights_are_one_parameter_and_a_buffer_may_be_replaced():
    model = Tied()
    assert_learned(observed(built(net=Tied)), by_hand(model, adam(model)))
    described = InProcess(built(net=Tied), *DATA).ask("describe")
    assert [entry["name"] for entry in described["parameters"]] == ["last.weight", "first.bias"]
    assert [entry["name"] for entry in described["buffers"]] == ["mean"]


def test_what_no_optimizer_trains_is_a_buffer():
    worker = InProcess(built(lambda m: optim.SGD(m.head.parameters(), 0.1)), *DATA)
    described = worker.ask("describe")
    assert [entry["name"] for entry in described["parameters"]] == ["head.weight", "head.bias"]
    assert {"first.weight", "frozen.weight", "norm.running_var"} < {entry["name"] for entry in described["buffers"]}
    assert list(worker.ask("gradients", x=X[:16], y=Y[:16])["gradients"]) == ["head.weight", "head.bias"]
    assert_update_is_step(worker)


def test_parameters_are_listed_in_the_order_of_their_use():
    described = InProcess(built(), *DATA).ask("describe")
    expected = ["first.weight", "first.bias", "norm.weight", "norm.bias", "head.weight", "head.bias", "unused"]
    assert [entry["name"] for entry in described["parameters"]] == expected


def test_a_model_that_the_example_rows_cannot_run_through_is_listed_as_it_was_made():
    class Picky(Small):
        def forward(self, x):
            assert len(x) > 2, "two rows are too few"
            return super().forward(x)

    described = InProcess(built(net=Picky), *DATA).ask("describe")
    assert [entry["name"] for entry in described["parameters"]] == ["0.weight", "0.bias", "2.weight", "2.bias"]


class Noisy(nn.Module):
    """Noise from a generator of its own, beside PyTorch's."""

    def __init__(self):
        super().__init__()
        self.inner = Small()
        self.generator = torch.Generator().manual_seed(5)

    def forward(self, x):
        return self.inner(x + torch.randn(x.shape, generator=self.generator))


def test_a_generator_of_the_models_own_is_put_back_too():
    model = Noisy()
    weights = by_hand(model, adam(model))
    assert_learned(observed(built(net=Noisy)), weights)
    worker = InProcess(built(net=Noisy), *DATA)
    assert list(worker.ask("state")["generators"]) == ["cpu", "generator"]


class Annealed(Small):
    """It counts its passes in training, and multiplies noise down by the count."""

    def __init__(self):
        super().__init__()
        self.passes = 0

    def forward(self, x):
        self.passes += self.training
        return super().forward(x + torch.randn_like(x) / (1 + self.passes))


def test_what_a_module_counts_in_an_attribute_is_put_back_too():
    model = Annealed()
    assert_learned(observed(built(net=Annealed)), by_hand(model, adam(model)))
    shown = InProcess(built(net=Annealed), *DATA).ask("forward", x=X[:16], training=True)
    np.testing.assert_array_equal(shown["activations"]["2"], shown["outputs"]["output"])


def test_modules_stay_in_the_modes_that_they_were_built_with():
    def build():
        model = Net()
        model.norm.eval()
        return Program(model, loss=cross_entropy, optimizer=adam(model))

    worker = InProcess(build, *DATA)
    look_at(worker)
    worker.ask("train", batch_size=BATCH, epochs=1)
    model = worker.session.program.model
    assert (model.training, model.norm.training, model.head.training) == (True, False, True)
    assert not worker.ask("state")["buffers"]["norm.running_mean"].any(), "statistics in inference mode do not move"


def test_a_module_whose_own_train_keeps_it_in_inference_mode_stays_there():
    """As backbones with frozen statistics are written; it may be built in training mode."""

    def build():
        model = Net()
        program = Program(model, loss=cross_entropy, optimizer=adam(model))
        model.norm.train = lambda mode=True: model.norm
        model.norm.training = False
        return program

    worker = InProcess(build, *DATA)
    worker.ask("train", batch_size=BATCH, epochs=1)
    assert not worker.ask("state")["buffers"]["norm.running_mean"].any(), "statistics in inference mode do not move"


def test_a_model_handed_over_in_inference_mode_is_trained_in_training_mode_and_handed_back():
    def build():
        model = Net().eval()
        return Program(model, loss=cross_entropy, optimizer=adam(model))

    worker = InProcess(build, *DATA)
    worker.ask("train", batch_size=BATCH, epochs=1)
    assert worker.ask("state")["buffers"]["norm.running_mean"].any()
    assert not any(module.training for module in worker.session.program.model.modules())


def test_a_loss_that_is_a_module_is_trained_with_the_model():
    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, outputs, targets):
            return cross_entropy(outputs * self.scale, targets)

    def build():
        model, loss = Small(), Scaled()
        return Program(model, loss=loss, optimizer=optim.Adam([*model.parameters(), *loss.parameters()], 0.01))

    worker = InProcess(build, *DATA)
    look_at(worker)
    before = worker.ask("state")["parameters"]["loss.scale"]
    worker.ask("train", batch_size=BATCH, steps=1)
    assert worker.ask("state")["parameters"]["loss.scale"] != before
    assert_goes_on_from_anothers_state(build, 3)


def test_double_precision_stays_double():
    def doubled():
        return Small().double()

    model = doubled()
    state = observed(built(net=doubled))
    torch.manual_seed(SEED)
    model.train()
    optimizer = adam(model)
    for x, y in batches():
        optimizer.zero_grad()
        cross_entropy(model(x.double()), y).backward()
        optimizer.step()
    np.testing.assert_array_equal(state["parameters"]["0.weight"], model[0].weight.detach().numpy())
    assert state["parameters"]["0.weight"].dtype == np.float64


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.words, self.dense = nn.Embedding(9, 4), nn.Linear(6, 4)

    def forward(self, *, number, word):
        return self.dense(number) + self.words(word).mean(1), number[:, :1]


def test_several_inputs_and_targets_are_given_by_name_and_outputs_come_in_any_nest():
    x = {"number": X, "word": rng.integers(0, 9, (len(X), 3))}
    y = {"label": Y, "number": X[:, :1] ** 2}

    def loss(outputs, targets):
        return cross_entropy(outputs[0], targets["label"]) + ((outputs[1] - targets["number"]) ** 2).mean()

    def build():
        model = Two()
        return Program(model, loss=loss, optimizer=adam(model))

    worker = InProcess(build, x, y)
    rows = worker.ask("rows", start=0, stop=BATCH)
    shown = worker.ask("forward", x=rows["x"], training=True)
    assert {name: array.shape for name, array in shown["outputs"].items()} == {"output": (16, 4), "output_1": (16, 1)}
    assert list(shown["activations"])[:2] == ["dense", "words"]
    before = worker.ask("state")["parameters"]
    worker.ask("train", batch_size=BATCH, epochs=2)
    assert all(np.any(before[name] != value) for name, value in worker.ask("state")["parameters"].items())


def test_nan_in_weights_and_gradients_is_carried_over_and_shown():
    worker = InProcess(built(net=Small), *DATA)
    state = worker.ask("state")
    state["parameters"]["0.bias"][2] = np.nan
    state["parameters"]["2.bias"][1] = np.inf
    worker.ask("state", values=state)
    assert_same_bits(state, worker.ask("state"), "writing")
    step = worker.ask("gradients", x=X[:16], y=Y[:16])
    assert np.isnan(step["loss"])
    assert np.isnan(step["gradients"]["2.weight"]).any()
    updated = worker.ask("update", gradients=step["gradients"], x=X[:16], y=Y[:16])
    assert np.isnan(updated["parameters"]["2.weight"]).any()
    assert_same_bits(state, worker.ask("state"), "observing")


def test_what_is_read_is_a_copy_and_what_is_written_is_copied():
    worker = InProcess(built(), *DATA)
    worker.ask("train", batch_size=BATCH, steps=1)
    state = worker.ask("state")
    kept = {group: {name: value.copy() for name, value in entries.items()} for group, entries in state.items()}
    worker.ask("train", batch_size=BATCH, steps=1)
    assert_same_bits(kept, state, "training")
    worker.ask("state", values=state)
    worker.ask("train", batch_size=BATCH, steps=1)
    assert_same_bits(kept, state, "training")


def test_seeding_frameworks_seeds_pytorch():
    draws = []
    for seed in (4, 4, 5):
        seed_frameworks(seed)
        draws.append(torch.rand(3))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


# optimizers and pipelines of the program's own


class Lion(optim.Optimizer):
    """Chen et al. 2023, as one would write it oneself, with a rate that falls with a count of its own."""

    def __init__(self, params, lr=0.01, betas=(0.9, 0.99)):
        super().__init__(params, {"lr": lr, "betas": betas})
        self.count = 0

    @torch.no_grad()
    def step(self, closure=None):
        self.count += 1
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                average = self.state[p].setdefault("average", torch.zeros_like(p))
                p.sub_(
                    group["lr"]
                    / self.count**0.5
                    * (group["betas"][0] * average + (1 - group["betas"][0]) * p.grad).sign()
                )
                average.mul_(group["betas"][1]).add_(p.grad, alpha=1 - group["betas"][1])


def lion(model):
    return Lion(model.parameters())


def test_the_slots_of_an_optimizer_that_nobody_knows_are_seen():
    model = Net()
    assert_learned(observed(built(lion)), by_hand(model, lion(model)))
    slots = [entry["name"] for entry in InProcess(built(lion), *DATA).ask("describe")["slots"]]
    assert "average|first.weight" in slots
    assert_goes_on_from_anothers_state(built(lion), 3)


def shuffled(x, y, batch_size, epoch):
    """PyTorch's own pipeline, which draws from PyTorch's own generator."""
    rows = torch.utils.data.TensorDataset(torch.from_numpy(x), torch.from_numpy(y))
    return iter(torch.utils.data.DataLoader(rows, batch_size, shuffle=True))


def test_looking_at_a_shuffling_pipeline_shows_the_next_epochs_batches_and_leaves_them_to_come():
    worker = InProcess(built(net=Small, batches=shuffled), *DATA)
    looks = [worker.ask("batches", batch_size=BATCH, epochs=1, keep=0) for _ in range(2)]
    assert looks[0]["batches"] == looks[1]["batches"]
    seen = []

    def noted(x, y, batch_size, epoch):
        for batch in shuffled(x, y, batch_size, epoch):
            seen.append(batch)
            yield batch

    worker.session.program.batches = noted
    worker.ask("train", batch_size=BATCH, epochs=1)
    np.testing.assert_array_equal(seen[0][0].numpy(), looks[0]["kept"]["x"])
    assert len(seen) == 4


# programs that cannot be held


def refuse(message, build):
    with pytest.raises(ProgramError, match=message):
        InProcess(build, *DATA).ask("gradients", x=X[:16], y=Y[:16])


def test_programs_that_cannot_be_held_are_refused_with_what_to_do():
    model = Small()
    optimizer = adam(model)

    def program(**options):
        return lambda: Program(model, loss=cross_entropy, **options)

    refuse("neither an optimizer nor a step", program())
    refuse("2 optimizers and no step function", program(optimizer=[optimizer, adam(model)]))
    refuse("not a torch.nn.Module", lambda: Program(lambda x: x, loss=cross_entropy, optimizer=optimizer))
    refuse(r"step\(x, y\) returned None", program(optimizer=optimizer, step=lambda x, y: None))
    refuse(r"an array of shape \(16, 3\)", program(optimizer=optimizer, step=lambda x, y: model(x)))
    refuse("did not call", program(optimizer=optimizer, step=lambda x, y: torch.zeros(())))
    refuse("bfloat16", built(net=lambda: Small().bfloat16()))


def test_what_cannot_be_updated_by_itself_says_why():
    for build, why in ((stepped(*STEPS["two optimizers"]), "2 optimizers"), (built(lbfgs), "several times")):
        worker = InProcess(build, *DATA)
        assert why in worker.ask("describe")["lacks"]["update"]
        gradients = worker.ask("gradients", x=X[:16], y=Y[:16])["gradients"]
        with pytest.raises(ProgramError, match=why):
            worker.ask("update", gradients=gradients, x=X[:16], y=Y[:16])


# matches


def without_optimizer(times=1):
    """times: what the loss is shown as is so many times the one that is minimised."""
    model = Small()

    def step(x, y):
        loss = cross_entropy(model(x), y)
        for p, gradient in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=True):
            p.data -= 0.1 * gradient
        return times * loss

    return Program(model, loss=cross_entropy, step=step, metrics={"accuracy": accuracy})


class Functional(nn.Module):
    """Net with functions for modules, its layers made in another order."""

    def __init__(self, **options):
        super().__init__()
        model = Net(**options)
        self.kernel_2, self.bias_2 = model.head.weight, model.head.bias
        self.gamma, self.beta = model.norm.weight, model.norm.bias
        self.register_buffer("mean", torch.zeros(8))
        self.register_buffer("variance", torch.ones(8))
        self.frozen_kernel, self.frozen_bias = model.frozen.weight, model.frozen.bias
        self.kernel, self.bias, self.unused = model.first.weight, model.first.bias, model.unused
        self.dropout, self.eps = model.dropout.p, model.norm.eps

    def forward(self, x):
        hidden = functional.linear(x, self.kernel, self.bias)
        hidden = functional.batch_norm(
            hidden, self.mean, self.variance, self.gamma, self.beta, self.training, 0.1, self.eps
        ).relu()
        hidden = hidden + functional.linear(hidden, self.frozen_kernel, self.frozen_bias) * 0.1
        return functional.linear(functional.dropout(hidden, self.dropout, self.training), self.kernel_2, self.bias_2)


class RMSprop(optim.Optimizer):
    """With the learning rate inside the momentum, as TensorFlow has it."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                if not state:
                    state["rms"], state["momentum"] = torch.zeros_like(p), torch.zeros_like(p)
                state["rms"].mul_(0.99).addcmul_(p.grad, p.grad, value=0.01)
                state["momentum"].mul_(0.9).add_(group["lr"] * p.grad / (state["rms"].sqrt() + 1e-8))
                p.sub_(state["momentum"])


def rated(model):
    return RMSprop(model.parameters(), 0.01)


def unrated(model):
    return optim.RMSprop(model.parameters(), 0.01, momentum=0.9)


TWINS = {
    "the rate inside the momentum": (built(unrated, Small), built(rated, Small)),
    "the rate outside the momentum": (built(rated, Small), built(unrated, Small)),
    "functions for modules": (built(), built(net=Functional)),
    "its own step": (built(), stepped(adam, closure_step)),
    "a schedule in a step": (built(scheduler=SCHEDULERS["step"]), stepped(adam, closure_step, Net, SCHEDULERS["step"])),
    "a schedule by formula": (
        built(sgd(momentum=0.9), scheduler=SCHEDULERS["step"]),
        built(sgd(momentum=0.9), scheduler=lambda o: lr_scheduler.LambdaLR(o, lambda step: 0.5 ** (step // 2))),
    ),
    "dampening": (built(OPTIMIZERS["dampening"]), built(OPTIMIZERS["dampening"], Functional)),
}


@pytest.mark.parametrize("name", TWINS)
def test_correct_twins_agree_in_every_stage(name):
    left, right = TWINS[name]
    assert stage_apart(left, right, DATA) is None


MUTANTS = {
    "epsilon of the normalisation": (built(), built(net=lambda: Net(eps=1e-2)), "forward"),
    "dropout": (built(), built(net=lambda: Net(dropout=0.4)), "forward"),
    "clipping": (built(), stepped(adam, clipped_step), "gradients"),
    "label smoothing": (built(), built(loss=nn.CrossEntropyLoss(label_smoothing=0.1)), "loss"),
    "sum for mean": (built(), built(loss=nn.CrossEntropyLoss(reduction="sum")), "loss"),
    "Adam's beta": (built(), built(lambda m: optim.Adam(m.parameters(), 0.01, (0.9, 0.99))), "slots"),
    "Nesterov": (built(sgd(momentum=0.9)), built(sgd(momentum=0.9, nesterov=True)), "update"),
    "dampening": (built(sgd(momentum=0.9)), built(sgd(momentum=0.9, dampening=0.5)), "update"),
    "weight decay": (built(sgd()), built(sgd(weight_decay=0.1)), "update"),
    "decoupled decay": (
        built(lambda m: optim.Adam(m.parameters(), 0.01, weight_decay=0.1)),
        built(lambda m: optim.AdamW(m.parameters(), 0.01, weight_decay=0.1)),
        "update",
    ),
    "a schedule of other steps": (
        built(sgd(), scheduler=SCHEDULERS["step"]),
        built(sgd(), scheduler=lambda o: lr_scheduler.StepLR(o, 5, 0.5)),
        "update",
    ),
    "a schedule that comes later": (
        built(sgd(), scheduler=lambda o: lr_scheduler.StepLR(o, 8, 0.5)),
        built(sgd()),
        "schedule",
    ),
    "a group's rate": (built(groups_of(optim.SGD, 0.01)), built(sgd(0.01)), "update"),
    "order of rows": (built(net=Small), built(net=Small, batches=shuffled), "data"),
    "accuracy of others": (
        built(net=Small),
        lambda: Program(
            (model := Small()),
            loss=cross_entropy,
            optimizer=adam(model),
            metrics={"accuracy": lambda o, t: (o > 0).float().mean()},
        ),
        "metrics",
    ),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_found_in_the_stage_that_it_alters(name):
    left, right, stage = MUTANTS[name]
    assert stage_apart(left, right, DATA, steps=(0, 3)) == stage


def test_a_whole_match_of_a_program_with_itself_is_identical_and_names_the_tensor_of_a_wrong_update():
    assert compare(built(net=Small), built(net=Small), DATA, steps=4).verdict == "identical"
    wrong = compare(built(sgd(), Small), built(sgd(weight_decay=0.1), Small), DATA, steps=2)
    assert first_difference(wrong) == ("update", "0.weight")


def test_a_whole_match_judges_the_whole_step_where_the_update_cannot_be_seen_alone():
    assert compare(built(sgd(), Small), without_optimizer, DATA, steps=2).verdict in ("identical", "rounding")
    assert first_difference(compare(built(sgd(0.2), Small), without_optimizer, DATA, steps=2)) == ("update", "0.weight")
    program = stepped(*STEPS["two optimizers"])
    assert compare(program, program, DATA, steps=4).verdict == "identical"
    slower = stepped(partial(adversaries, rate=0.02), adversarial_step)
    assert first_difference(compare(program, slower, DATA, steps=4))[0] == "update"


def test_a_wrong_update_that_a_step_goes_on_from_shows_in_the_loss_that_it_returns_which_says_so():
    wrong = stepped(partial(adversaries, momentum=0.8), adversarial_step)
    parted = compare(stepped(*STEPS["two optimizers"]), wrong, DATA, steps=2)
    assert first_difference(parted) == ("loss", "loss")
    assert parted.first_difference.step == 1
    assert "may have updated" in next(stage.note for stage in parted.stages if stage.stage == "loss")


def test_a_step_without_optimizer_shows_the_loss_that_it_returns_and_lacks_gradients_and_update():
    worker = InProcess(lambda: without_optimizer(times=3), *DATA)
    assert list(worker.ask("describe")["lacks"]) == ["update", "gradients"]
    before = worker.ask("state")
    seen = worker.ask("gradients", x=X[:16], y=Y[:16])
    assert_same_bits(before, worker.ask("state"), "gradients")
    assert seen["gradients"] == {}
    assert seen["loss"] == np.float32(worker.ask("train", batch_size=16, steps=1)["running_loss"][0])


def test_a_step_of_two_optimizers_is_observed_as_it_goes_on_from_what_the_first_updates():
    worker = InProcess(stepped(adversaries, adversarial_step), *DATA)
    before = worker.ask("state")
    seen = worker.ask("gradients", x=X[:16], y=Y[:16])
    assert_same_bits(before, worker.ask("state"), "gradients")
    assert seen["loss"] == np.float32(worker.ask("train", batch_size=16, steps=1)["running_loss"][0])


class Deeper(nn.Module):
    """Layers one after the other, of which some may be left out."""

    def __init__(self, *without):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.drop, self.second = nn.Linear(6, 8), nn.Dropout(0.3), nn.Linear(8, 7)
        self.norm, self.head = nn.LayerNorm(7, elementwise_affine=False), nn.Linear(7, 3)
        self.order = [name for name in ("first", "drop", "second", "norm", "head") if name not in without]

    def forward(self, x):
        for name in self.order:
            x = getattr(self, name)(x)
        return x


@pytest.mark.parametrize(("left", "right", "name"), [([], ["drop"], "drop"), (["norm"], [], "norm")])
def test_a_layer_that_the_other_side_lacks_is_named_itself_and_not_the_next_one(left, right, name):
    result = compare(built(sgd(), partial(Deeper, *left)), built(sgd(), partial(Deeper, *right)), DATA, steps=1)
    assert first_difference(result) == ("forward", name)


class Around(nn.Module):
    """What a layer was given is shown once more after it."""

    def __init__(self, pool=nn.MaxPool1d):
        super().__init__()
        torch.manual_seed(1)
        self.first, self.pool, self.kept = nn.Linear(6, 8), pool(2), nn.LeakyReLU(1.0)
        self.head = nn.Linear(12, 3)

    def forward(self, x):
        x = self.first(x)
        return self.head(torch.cat([self.pool(x), self.kept(x)], 1))


def test_a_layer_is_named_though_what_it_was_given_is_shown_again_after_it():
    result = compare(built(sgd(), Around), built(sgd(), partial(Around, nn.AvgPool1d)), DATA, steps=1)
    assert first_difference(result) == ("forward", "pool")
