"""The suite for adapters can fail: for each of its facts, the NumPy adapter with one thing done wrong."""

import contextlib
import re
import unittest
from pathlib import Path

import numpy as np
import pytest

import samestep_numpy
from samestep import conformance
from samestep.errors import ProgramError, UsageError
from samestep.frameworks import FUNCTIONS
from samestep.worker.parent import Worker

SOURCE = Path(samestep_numpy.__file__).read_text(encoding="utf-8")
BUILD = "\n\ndef build():\n    return Program(features=5, rate=0.02, momentum=0.9)\n"
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(10, 5)).astype(np.float32), rng.normal(size=10).astype(np.float32)
TWO_INPUTS = {"wide": X[:, :3], "narrow": X[:, 3:]}


@pytest.fixture(scope="module")
def worker():
    with Worker("it", timeout=60) as worker:
        yield worker


@pytest.fixture
def checked(worker, tmp_path, monkeypatch):
    """Checks the adapter whose source is the plugin's with these replacements, in a worker that serves all these tests."""
    monkeypatch.setattr(conformance, "Worker", lambda *_, **__: contextlib.nullcontext(worker))

    def check(*replacements, x=X, **options):
        source = SOURCE
        for old, new in replacements:
            assert old in source, old
            source = source.replace(old, new)
        path = tmp_path / "adapter.py"
        path.write_text(source + BUILD, encoding="utf-8")
        return conformance.check(str(path), x, Y, **options)

    return check


def inside(function, line):
    """This line at the beginning of a function."""
    head = re.search(rf'def {function}\(.*\n    """(.|\n)*?"""\n', SOURCE).group()
    return head, head + f"    {line}\n"


STEP_READ = 'program.steps = int(values.get("counters", {}).get("step", program.steps))'
SLOT_WRITTEN = 'program.velocity[key.split("|")[1]] = np.array(value)'
SETTINGS_WRITTEN = "program.settings.update(values or {})"
RETURNED_STATE = '    return {\n        "parameters": {name'
OUTPUTS = '"outputs": {"output": outputs}'
LOSS = '"loss": np.mean(error**2)'
UPDATED = "program.parameters[name] = program.parameters[name] - rate * program.velocity[name]"
ONE_STEP = 'update(program, seen["gradients"], x_batch, y_batch)'
TRAINED = "_loops.train_loop(one_step, None, x, y, batch_size, epochs, steps, watch)"
EVALUATED = "_loops.evaluate_loop(one_batch, x, y, batch_size)"
SHOWN = "_loops.show_batches(None, x, y, batch_size, epochs, see)"

NOISE = ("\n\nclass Program", "\nNOISE = np.random.default_rng()\n\n\nclass Program")
NO_GENERATORS = (('        "generators": [],\n', ""), ('        "generators": {},\n', ""))
NO_UPDATE = ('"lacks": {}', '"lacks": {"update": "it is fused with the gradients"}')
NO_GRADIENTS = ('"lacks": {}', '"lacks": {"gradients": "the step is one kernel", "update": "see gradients"}')
UNUSED_BIAS = (
    (' + program.parameters["bias"]', ""),
    ('"bias": slope.sum(axis=0)', '"bias": np.zeros(1, np.float32)'),
)
DECAYING = (
    ("self.before_step, self.steps = before_step, 0", "self.before_step, self.steps, self.decay = before_step, 0, 1.0"),
    ("- rate * ", "- rate * np.float32(program.decay) * "),
    ("program.steps += 1", "program.steps += 1\n    program.decay *= 0.5"),
    ('"private": {}', '"private": {"decay": np.array(program.decay)}'),
    (STEP_READ, STEP_READ + '\n    program.decay = float(values.get("private", {}).get("decay", program.decay))'),
)
"""A rate that halves at each update, and is kept as a number of its own."""
FOLLOWING = (
    RETURNED_STATE,
    '    if "counters" in values and "private" not in values:\n        program.decay = 0.5**program.steps\n'
    + RETURNED_STATE,
)
"""That number set from the step where it is not given."""
WHOLE = (
    "\n\ndef batches(",
    "\n\ndef _whole(x, y, size, epoch):\n"
    "    return (batch for batch in _loops.in_order(x, y, size, epoch) if len(batch[0]) == size)"
    "\n\n\ndef batches(",
)
TURNED = (
    "\n\ndef batches(",
    "\n\ndef _turned(x, y, size, epoch):\n"
    "    return _loops.in_order(x[:: 1 - 2 * epoch], y[:: 1 - 2 * epoch], size, epoch)"
    "\n\n\ndef batches(",
)

AT_FIRST_RATE = f"""
        now, program.settings = program.settings, dict(program.settings, learning_rate=0.02)
        {ONE_STEP}
        program.settings = now
"""
"""A step as if it had been compiled with the learning rate that the program was built with."""

WRONG = {
    "functions_take_the_parameters_that_are_listed": [
        [("def settings(program, values=None):", "def settings(program, given=None):\n    values = given")],
        [("def evaluate(program, x, y, batch_size):", "def evaluate(program, x, y, batch_size, verbose=0):")],
    ],
    "gaps_name_all_that_is_not_shown": [
        [("GAPS = {", "NOTES = {")],
        [('"generators": "nothing here is random"', '"generators": " "')],
        [*NO_GENERATORS, ('    "generators": "nothing here is random",\n', "")],
        [('"activations": {"dense": outputs}', '"activations": {}')],
        [(', layer="dense", layout=layouts[n]', "")],
        [NO_UPDATE],
        [NO_GRADIENTS, ('"generators": "noth', '"update": "it is part of the step", "generators": "noth')],
    ],
    "description_is_complete": [
        [('        "optimizer": "SGD",\n', "")],
        [('"shape": list(value.shape), ', "")],
        [('"parameters": tensors', '"parameters": tensors + tensors[:1]')],
        [('"parameters": tensors', '"parameters": []')],
        [('"lacks": {}', '"lacks": {"gradients": "the step is one kernel"}')],
    ],
    "description_fits_the_state": [
        [('"shape": list(value.shape)', '"shape": list(value.shape[::-1])')],
        [('"dtype": str(value.dtype)', '"dtype": "float64"')],
        [("[_entry(key, value) for key, value", '[_entry(key + "s", value) for key, value')],
    ],
    "layouts_fit_their_shapes": [
        [('"kernel: in out"', '"kernel: in"')],
        [('"kernel: in out"', '"kernel: i,f*in out"')],
    ],
    "state_read_twice_is_the_same": [[(STEP_READ, STEP_READ + " + 1")]],
    "state_written_is_read_back": [
        [(SLOT_WRITTEN, "pass")],
        [(SLOT_WRITTEN, SLOT_WRITTEN + ".astype(np.float16).astype(np.float32)")],
        [(STEP_READ, "")],
    ],
    "each_group_is_written_by_itself": [
        [inside("state", "program.velocity = {n: v * (not values) for n, v in program.velocity.items()}")],
        [(STEP_READ, STEP_READ.replace("program.steps))", "program.steps * (not values)))"))],
    ],
    "state_read_is_a_copy": [[(".copy()", ""), (UPDATED, UPDATED.replace("= program.parameters[name] -", "-="))]],
    "step_number_is_enough": [[*DECAYING]],
    "counter_counts_updates": [
        [("program.steps += 1", "program.steps += 2")],
        [("program.steps += 1", ""), (ONE_STEP, ONE_STEP + "; program.steps += 1")],
        [(STEP_READ, STEP_READ.replace("int(", "min(100, ").replace(")))", ")))"))],
    ],
    "slots_exist_from_the_start": [
        [
            ("{name: np.zeros_like(value) for name, value in self.parameters.items()}", "{}"),
            ("momentum * program.velocity[name]", "momentum * program.velocity.get(name, np.float32(0))"),
        ],
        [('_roles.slot_key("momentum", name)', '"|" + name')],
        [('_roles.slot_key("momentum", name)', '"velocity|of|" + name'), ('split("|")[1]', 'split("|")[2]')],
    ],
    "observation_changes_nothing": [
        *([inside(name, 'program.settings["momentum"] += 0.5')] for name in FUNCTIONS if name not in ("load", "state")),
        [inside("forward", "program.steps += 1"), (STEP_READ, "")],
    ],
    "observation_is_repeatable": [
        [NOISE, (OUTPUTS, OUTPUTS.replace("outputs}", "outputs + NOISE.normal()}"))],
        [NOISE, inside("evaluate", "x = x + NOISE.normal()")],
        [NOISE, inside("gradients", "x = x + NOISE.normal()")],
    ],
    "outputs_are_named_in_order": [
        [(OUTPUTS, '"outputs": {"logits": outputs}')],
        [(OUTPUTS, '"outputs": {}')],
        [(OUTPUTS, '"outputs": {"output": outputs.argmax(axis=1)}')],
        [(OUTPUTS, '"outputs": {"output": outputs.tolist()}')],
    ],
    "inference_sees_rows_one_by_one": [[(OUTPUTS, OUTPUTS.replace("outputs}", "outputs - outputs.mean()}"))]],
    "inputs_go_by_name": [[("for name in sorted(x)]", "for name in x]")]],
    "gradients_are_shown_for_every_parameter": [
        [(', "bias": slope.sum(axis=0)', "")],
        [('"bias": slope.sum(axis=0)', '"bias": slope.sum()')],
        [(LOSS, '"loss": float(np.mean(error**2))')],
        [(LOSS, '"loss": error**2')],
        [(LOSS, '"loss": np.float32("nan")')],
        [("slope = 2 * error", "slope = 0 * error")],
    ],
    "settings_written_are_read_back": [
        [(SETTINGS_WRITTEN, "pass")],
        [(SETTINGS_WRITTEN, "program.settings.update({n: float(np.float16(v)) for n, v in (values or {}).items()})")],
        [(SETTINGS_WRITTEN, SETTINGS_WRITTEN + '; program.settings["momentum"] = (values or {}).get("momentum", 0.0)')],
    ],
    "rates_agree_with_settings": [
        [inside("state", 'program.settings["learning_rate"] *= 1 + (list(values or {}) == ["counters"])')]
    ],
    "update_is_proportional_to_the_learning_rate": [
        [("- rate * ", "- np.float32(0.02) * ")],
        [("- rate * ", "- np.float32(min(rate, 0.03)) * ")],
        [(ONE_STEP, AT_FIRST_RATE)],
    ],
    "gradients_and_update_make_a_step": [
        [(ONE_STEP, ONE_STEP.replace('seen["gradients"]', '{n: g * np.float32(1.00001) for n, g in seen["gradients"].items()}'))],
        [(ONE_STEP, ONE_STEP + '; program.velocity["bias"] = program.velocity["bias"] * np.float32(1.00001)')],
    ],
    "training_from_one_state_is_repeatable": [
        [(ONE_STEP, ONE_STEP + '; program.settings["momentum"] *= 1.01')],
        [(SLOT_WRITTEN, "pass")],
    ],
    "training_is_its_steps": [[WHOLE, (TRAINED, TRAINED.replace("None", "_whole"))]],
    "running_loss_is_the_mean_over_the_rows_so_far": [
        [('return seen["loss"], ', 'return seen["loss"] * np.float32(1.00001), ')],
        [(f"return {TRAINED}", f'return dict({TRAINED}, epochs=[{{"loss": 0.0}}])')],
        [(f"return {TRAINED}", f"return dict({TRAINED}, epochs=[])")],
    ],
    "batches_are_the_rows_in_order": [
        [WHOLE, (SHOWN, SHOWN.replace("None", "_whole"))],
        [TURNED, (SHOWN, SHOWN.replace("None", "_turned"))],
        [(SHOWN, SHOWN.replace("x, y,", "x[::-1], y[::-1],"))],
        [(SHOWN, SHOWN.replace("x, y,", "x, y[::-1],"))],
        [(SHOWN, SHOWN.replace("epochs", "1"))],
    ],
    "evaluation_is_a_mean_over_rows": [
        [(EVALUATED, '{"loss": float(np.mean([one_batch(*b)[0] for b in _loops.in_order(x, y, batch_size, 0)]))}')],
        [(EVALUATED, EVALUATED.replace("x, y,", "x[:batch_size], y[:batch_size],"))],
        [(EVALUATED, '{"mse": 0.0}')],
    ],
}  # fmt: skip


def test_every_fact_has_an_adapter_that_breaks_it():
    assert WRONG.keys() == conformance.FACTS.keys()


@pytest.mark.parametrize(("fact", "replacements"), [(fact, wrong) for fact in WRONG for wrong in WRONG[fact]])
def test_an_adapter_with_one_thing_wrong_breaks_the_fact(checked, fact, replacements):
    found = checked(*replacements, facts=[fact], x=TWO_INPUTS if fact == "inputs_go_by_name" else X)
    assert [finding.outcome for finding in found.findings] == ["broken"], str(found)
    with pytest.raises(AssertionError, match=fact):
        found.require(fact)


@pytest.mark.parametrize(
    ("replacements", "options", "not_shown"),
    [
        ((), {}, {"step_number_is_enough", "inputs_go_by_name"}),
        ((), {"x": TWO_INPUTS}, {"step_number_is_enough"}),
        ((*DECAYING, FOLLOWING), {}, {"inputs_go_by_name"}),
        (UNUSED_BIAS, {"unused": ["bias"]}, {"step_number_is_enough", "inputs_go_by_name"}),
    ],
    ids=["as it is", "several inputs", "a private number", "an unused parameter"],
)
def test_the_adapter_of_this_repository_holds_every_fact(checked, replacements, options, not_shown):
    found = checked(*replacements, **options)
    assert not found.broken, str(found)
    assert {finding.fact for finding in found.findings if finding.outcome == "skipped"} == not_shown


def test_a_gradient_of_a_parameter_that_should_be_unused_is_a_finding(checked):
    found = checked(facts=["gradients_are_shown_for_every_parameter"], unused=["bias"])
    assert [f.says for f in found.broken] == ["the gradient of bias is not zero, and the loss does not depend on it."]


def test_what_a_program_cannot_show_is_skipped_with_the_reason(checked):
    found = checked(NO_GRADIENTS, facts=["gradients_are_shown_for_every_parameter"])
    assert str(found.findings[0]) == "skipped gradients_are_shown_for_every_parameter\n        the step is one kernel"
    found = checked(NO_UPDATE, facts=["gradients_and_update_make_a_step"])
    assert [str(finding) for finding in found.findings] == [
        "skipped gradients_and_update_make_a_step\n        it is fused with the gradients"
    ]
    with pytest.raises(unittest.SkipTest, match="it is fused with the gradients"):
        found.require("gradients_and_update_make_a_step")


def test_a_request_that_fails_breaks_the_fact_with_its_own_words(checked):
    found = checked(inside("evaluate", "raise KeyError('rows')"), facts=["evaluation_is_a_mean_over_rows"])
    assert "evaluation on x (10, 5) float32 raised KeyError: 'rows'" in found.broken[0].says
    assert str(found).startswith("BROKEN  1 of 1 facts")


def test_a_program_that_cannot_be_loaded_is_an_error(checked):
    with pytest.raises(ProgramError, match=r"load\(\) raised|raised KeyError"):
        checked(inside("load", "raise KeyError('built')"))


@pytest.mark.parametrize(("rows", "batch_size"), [(9, 4), (10, 1)])
def test_too_few_rows_for_a_partial_batch_are_refused(rows, batch_size):
    with pytest.raises(UsageError, match="two and a half of them"):
        conformance.check("linear.py", X[:rows], Y[:rows], batch_size=batch_size)
