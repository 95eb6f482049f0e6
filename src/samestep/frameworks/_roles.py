"""One name for each kind of optimizer slot, whatever a framework calls it. No framework is imported.

A role says what a slot holds, so that two slots of the same role can stand for each other:
``momentum`` is a sum of gradients, ``rated_momentum`` one of gradients times minus the learning rate;
``unrated_update`` times the learning rate is ``rated_update``.
"""

from __future__ import annotations

from typing import Any

ROLES = {
    # Keras 3, keras/src/optimizers/*.py: (class, attribute without underscores around it)
    ("Adam", "momentums"): "first_moment",
    ("Adam", "velocities"): "second_moment",
    ("Adam", "velocity_hats"): "max_second_moment",
    ("AdamW", "momentums"): "first_moment",
    ("AdamW", "velocities"): "second_moment",
    ("AdamW", "velocity_hats"): "max_second_moment",
    ("Nadam", "momentums"): "first_moment",
    ("Nadam", "velocities"): "second_moment",
    ("Adamax", "m"): "first_moment",
    ("Adamax", "u"): "infinity_norm",
    ("Lion", "momentums"): "first_moment",
    ("Lamb", "momentums"): "first_moment",
    ("Lamb", "velocities"): "second_moment",
    ("SGD", "momentums"): "rated_momentum",
    ("RMSprop", "velocities"): "mean_square",
    ("RMSprop", "momentums"): "rated_update",
    ("RMSprop", "average_gradients"): "mean_gradient",
    ("Adagrad", "accumulators"): "accumulator",
    ("Adadelta", "accumulated_grads"): "accumulated_grad",
    ("Adadelta", "accumulated_delta_vars"): "accumulated_delta_var",
    ("Ftrl", "accumulators"): "accumulator",
    ("Ftrl", "linears"): "linear",
    # tf_keras, optimizers.legacy (OptimizerV2), as in tf.keras before 2.11: (class, slot)
    ("Adam", "m"): "first_moment",
    ("Adam", "v"): "second_moment",
    ("Adam", "vhat"): "max_second_moment",
    ("Nadam", "m"): "first_moment",
    ("Nadam", "v"): "second_moment",
    ("Adamax", "v"): "infinity_norm",
    ("SGD", "momentum"): "rated_momentum",
    ("RMSprop", "rms"): "mean_square",
    ("RMSprop", "momentum"): "rated_update",
    ("RMSprop", "mg"): "mean_gradient",
    ("Adagrad", "accumulator"): "accumulator",
    ("Adadelta", "accum_grad"): "accumulated_grad",
    ("Adadelta", "accum_var"): "accumulated_delta_var",
    ("Ftrl", "accumulator"): "accumulator",
    ("Ftrl", "linear"): "linear",
    # Keras 2.3, keras/optimizers.py: (class, name in get_updates without its number)
    ("SGD", "moment"): "rated_momentum",
    ("RMSprop", "accumulator"): "mean_square",
    ("Adadelta", "accumulator"): "accumulated_grad",
    ("Adadelta", "delta_accumulator"): "accumulated_delta_var",
    # TensorFlow's kernels, tensorflow/core/ops/training_ops.cc: (operation, argument)
    ("ApplyAdam", "m"): "first_moment",
    ("ApplyAdam", "v"): "second_moment",
    ("ApplyAdamWithAmsgrad", "m"): "first_moment",
    ("ApplyAdamWithAmsgrad", "v"): "second_moment",
    ("ApplyAdamWithAmsgrad", "vhat"): "max_second_moment",
    ("ApplyAdaMax", "m"): "first_moment",
    ("ApplyAdaMax", "v"): "infinity_norm",
    ("ApplyMomentum", "accum"): "momentum",
    ("ApplyKerasMomentum", "accum"): "rated_momentum",
    ("ApplyRMSProp", "ms"): "mean_square",
    ("ApplyRMSProp", "mom"): "rated_update",
    ("ApplyCenteredRMSProp", "ms"): "mean_square",
    ("ApplyCenteredRMSProp", "mom"): "rated_update",
    ("ApplyCenteredRMSProp", "mg"): "mean_gradient",
    ("ApplyAdagrad", "accum"): "accumulator",
    ("ApplyAdagradV2", "accum"): "accumulator",
    ("ApplyProximalAdagrad", "accum"): "accumulator",
    ("ApplyAdadelta", "accum"): "accumulated_grad",
    ("ApplyAdadelta", "accum_update"): "accumulated_delta_var",
    ("ApplyFtrl", "accum"): "accumulator",
    ("ApplyFtrl", "linear"): "linear",
    ("ApplyFtrlV2", "accum"): "accumulator",
    ("ApplyFtrlV2", "linear"): "linear",
    # tf.compat.v1.train optimizers used eagerly: (class, slot)
    ("AdamOptimizer", "m"): "first_moment",
    ("AdamOptimizer", "v"): "second_moment",
    ("MomentumOptimizer", "momentum"): "momentum",
    ("RMSPropOptimizer", "rms"): "mean_square",
    ("RMSPropOptimizer", "momentum"): "rated_update",
    ("AdagradOptimizer", "accumulator"): "accumulator",
    # PyTorch, torch/optim/*.py: (class, key of the state)
    ("Adam", "exp_avg"): "first_moment",
    ("Adam", "exp_avg_sq"): "second_moment",
    ("Adam", "max_exp_avg_sq"): "max_second_moment",
    ("AdamW", "exp_avg"): "first_moment",
    ("AdamW", "exp_avg_sq"): "second_moment",
    ("AdamW", "max_exp_avg_sq"): "max_second_moment",
    ("SparseAdam", "exp_avg"): "first_moment",
    ("SparseAdam", "exp_avg_sq"): "second_moment",
    ("NAdam", "exp_avg"): "first_moment",
    ("NAdam", "exp_avg_sq"): "second_moment",
    ("RAdam", "exp_avg"): "first_moment",
    ("RAdam", "exp_avg_sq"): "second_moment",
    ("Adamax", "exp_avg"): "first_moment",
    ("Adamax", "exp_inf"): "infinity_norm",
    ("Muon", "momentum_buffer"): "first_moment",
    ("SGD", "momentum_buffer"): "momentum",
    ("RMSprop", "square_avg"): "mean_square",
    ("RMSprop", "grad_avg"): "mean_gradient",
    ("RMSprop", "momentum_buffer"): "unrated_update",
    ("Adagrad", "sum"): "accumulator",
    ("Adadelta", "square_avg"): "accumulated_grad",
    ("Adadelta", "acc_delta"): "accumulated_delta_var",
    # optax, optax/_src/transform.py: (state or the function that makes the transformation, field)
    ("ScaleByAdamState", "mu"): "first_moment",
    ("ScaleByAdamState", "nu"): "second_moment",
    ("scale_by_adamax", "nu"): "infinity_norm",  # kept in a ScaleByAdamState too
    ("ScaleByLionState", "mu"): "first_moment",
    ("ScaleByAmsgradState", "mu"): "first_moment",
    ("ScaleByAmsgradState", "nu"): "second_moment",
    ("ScaleByAmsgradState", "nu_max"): "max_corrected_second_moment",  # of nu after its bias correction
    ("ScaleByBeliefState", "mu"): "first_moment",
    (
        "ScaleByBeliefState",
        "nu",
    ): "second_moment_of_surprise",  # of the gradient minus its mean, epsilon added each time
    ("ScaleByRmsState", "nu"): "mean_square",
    ("ScaleByRmsWithCountState", "nu"): "mean_square",
    ("ScaleByRStdDevState", "mu"): "mean_gradient",
    ("ScaleByRStdDevState", "nu"): "mean_square",
    ("ScaleByRStdDevWithCountState", "mu"): "mean_gradient",
    ("ScaleByRStdDevWithCountState", "nu"): "mean_square",
    ("ScaleByRssState", "sum_of_squares"): "accumulator",
    ("ScaleByAdaDeltaState", "e_g"): "accumulated_grad",
    ("ScaleByAdaDeltaState", "e_x"): "accumulated_delta_var",
    ("TraceState", "trace"): "momentum",
}


def role(kind: str, slot: str) -> str:
    """The role of a slot; a slot that is not listed keeps its own name."""
    return ROLES.get((kind, slot), slot)


def role_of(optimizer: Any, slot: str) -> str:
    """The role of an optimizer's slot, by the optimizer's class or the nearest one it derives from that is listed."""
    kinds = [cls.__name__ for cls in type(optimizer).__mro__]
    return next((ROLES[kind, slot] for kind in kinds if (kind, slot) in ROLES), slot)


def slot_key(slot_role: str, parameter: str) -> str:
    """How a slot is named in a state: its role, then the parameter that it belongs to."""
    return "{}|{}".format(slot_role, parameter)
