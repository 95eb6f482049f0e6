"""Optimizers that differ are named by the setting in which they do, found from what they do."""

from pathlib import Path

import numpy as np
import pytest

import samestep

PROGRAMS = Path(__file__).parent / "programs" / "causes" / "optimizers.py"
RNG = np.random.default_rng(0)
X = RNG.normal(size=(72, 5)).astype(np.float32)
DATA = X, (X[:, 0] > 0).astype(np.int64) + (X.sum(1) > 0)


def compared(left, right, data=DATA):
    return samestep.match(f"{PROGRAMS}:{left}", f"{PROGRAMS}:{right}", data=data, batch_size=16, steps=3)


def found(result):
    return {(cause.component, cause.setting): (cause.left, cause.right) for cause in result.causes}


@pytest.mark.parametrize(
    ("left", "right", "settings"),
    [
        ("adam", "adam_with_another_rate", {"learning_rate": (0.001, 0.0011)}),
        ("adam", "adam_with_another_epsilon", {"epsilon": (1e-8, 1e-7)}),
        ("adam", "adam_with_other_betas", {"beta_1": (0.9, 0.95), "beta_2": (0.999, 0.99)}),
        ("adamw", "adam", {"weight_decay": (0.01, 0.0)}),
        ("sgd", "sgd_with_decay", {"weight_decay": (0.0, 0.001)}),
        ("sgd_with_nesterov", "sgd_with_momentum", {"nesterov": (True, False)}),
        ("sgd", "sgd_with_momentum", {"momentum": (0.0, 0.9)}),
        ("adam", "amsgrad", {"amsgrad": (False, True)}),
        ("adam", "sgd", {"algorithm": ("Adam", "SGD"), "learning_rate": (0.001, 0.01)}),
        (
            "adam",
            "keras_adam",
            {"epsilon": (1e-8, 1e-7), "epsilon_place": ("after bias correction", "before bias correction")},
        ),
        ("keras_momentum", "keras_clipped_by_norm", {"clip_norm": (None, 0.5)}),
        ("keras_clipped_by_the_norm_of_all", "keras_momentum", {"global_clip_norm": (0.5, None)}),
        ("tf_keras_nadam", "keras_adam", {"algorithm": ("Nadam", "Adam")}),
        ("keras_clipped_by_a_small_norm", "keras_momentum", {"global_clip_norm": (0.01, None)}),
    ],
)
def test_the_settings_that_differ_are_named_with_both_values(left, right, settings, kept):
    result = compared(left, right)
    assert result.verdict == "different"
    assert result.first_difference.stage == "update"
    assert found(result) == {("optimizer", setting): values for setting, values in settings.items()}
    assert all(cause.confirmed for cause in result.causes)


@pytest.mark.parametrize(
    ("left", "right"),
    [("sgd_with_momentum", "keras_momentum"), ("keras_rmsprop_with_momentum", "optax_rmsprop_with_momentum")],
)
def test_the_same_optimizer_of_two_frameworks_has_no_cause(left, right, kept):
    result = compared(left, right)
    assert result.verdict == "rounding", (result.first_difference, result.stages)
    assert result.causes == ()


def test_an_unknown_optimizer_has_no_cause_and_the_stage_says_so(kept):
    result = compared("sgd", "of_its_own")
    assert result.verdict == "different"
    assert result.causes == ()
    note = next(stage.note for stage in result.stages if stage.stage == "update")
    assert "no known optimizer reproduces what the right one does" in note


def test_an_epsilon_that_no_gradient_of_the_data_shows_is_found(kept):
    """Gradients of the article's sequence are large; with other data they are not."""
    large = X * np.float32(100), DATA[1]
    assert found(compared("adam", "adam_with_another_epsilon", large)) == {("optimizer", "epsilon"): (1e-8, 1e-7)}


def test_the_fix_is_the_line_of_either_side_s_own_api(kept):
    (cause,) = compared("keras_momentum", "keras_clipped_by_norm").causes
    assert "keras.optimizers.SGD(…, clipnorm=0.5)" in cause.fix
    (cause,) = compared("adam", "adam_with_another_rate").causes
    assert cause.fix.startswith("right: torch.optim.Adam(…, lr=0.001)")
