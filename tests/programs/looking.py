"""Everything that can be asked of a program between two trainings, and whether it then trains on as if nobody had asked."""

import numpy as np

from samestep.frameworks import _rows


def looks(x, y, batch_size):
    """(request, arguments) of each way to look at a program."""
    batch = {"x": _rows.take(x, slice(batch_size)), "y": _rows.take(y, slice(batch_size))}
    return [
        ("describe", {}),
        ("forward", {"x": batch["x"], "training": True}),
        ("forward", {"x": batch["x"], "training": False}),
        ("gradients", batch),
        ("step", batch),
        ("evaluate", {"rows": batch_size + 1, "batch_size": batch_size}),
        ("batches", {"batch_size": batch_size, "epochs": 2}),
        ("rates", {"steps": [0, 5, 50]}),
    ]


def assert_trains_on_as_if_nobody_had_looked(start, x, y, batch_size=16, again=0):
    """start(): a worker that has loaded the program; again: further steps after the looks, 6 if not given."""
    ends = []
    for looked_at in (False, True):
        with start() as worker:
            worker.ask("train", batch_size=batch_size, steps=2)
            before = worker.ask("state")
            if looked_at:
                _look_everywhere(worker, before, x, y, batch_size)
            worker.ask("train", batch_size=batch_size, steps=again or 6)
            ends.append(worker.ask("state"))
    assert_bit_equal(*ends, "training")
    assert any(a.tobytes() != b.tobytes() for a, b in _pairs(before["parameters"], ends[0]["parameters"])), (
        "it did learn"
    )


def _look_everywhere(worker, before, x, y, batch_size):
    for do, arguments in looks(x, y, batch_size):
        worker.ask(do, **arguments)
        assert_bit_equal(before, worker.ask("state"), do)
    update_and_move_the_settings_and_back(worker, looks(x, y, batch_size)[3][1])
    assert_bit_equal(before, worker.ask("state"), "update or settings")


def update_and_move_the_settings_and_back(worker, batch):
    given = worker.ask("gradients", **batch)["gradients"]
    own = worker.ask("update", gradients=given, **batch)
    settings = worker.ask("settings")
    worker.ask("settings", values={name: 1.5 * entry["value"] for name, entry in settings.items()})
    moved = worker.ask("update", gradients=given, **batch)
    worker.ask("settings", values={name: entry["value"] for name, entry in settings.items()})
    assert worker.ask("settings") == settings
    assert any(a.tobytes() != b.tobytes() for a, b in _pairs(own["parameters"], moved["parameters"])), "settings count"
    assert_bit_equal(own, worker.ask("update", gradients=given, **batch), "settings there and back")


def assert_an_update_is_the_step_s(worker, batch, tolerance=1e-6):
    """Given its own gradients, the optimizer alone does what the program's whole step does."""
    given = worker.ask("gradients", **batch)["gradients"]
    alone, whole = worker.ask("update", gradients=given, **batch), worker.ask("step", **batch)
    for group in ("parameters", "slots", "counters"):
        for name, value in alone[group].items():
            np.testing.assert_allclose(value, whole[group][name], rtol=tolerance, atol=tolerance, err_msg=name)
    return alone


def assert_bit_equal(one, other, after):
    for group, entries in one.items():
        for name, (value, twin) in zip(entries, _pairs(entries, other[group]), strict=False):
            assert value.tobytes() == twin.tobytes(), f"{group} {name} changed by {after}"


def _pairs(one, other):
    return zip(one.values(), other.values(), strict=True)
