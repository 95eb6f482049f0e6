"""One name for each kind of optimizer slot, whatever a framework calls it. No framework is imported.

A role says what a slot holds, so that two slots of the same role can stand for each other:
``momentum`` is a sum of gradients, ``rated_momentum`` one of gradients times minus the learning rate.
"""

from __future__ import annotations

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
    ("SGD", "momentums"): "rated_momentum",
    ("RMSprop", "velocities"): "mean_square",
    ("RMSprop", "momentums"): "rated_update",
    ("RMSprop", "average_gradients"): "mean_gradient",
    ("Adagrad", "accumulators"): "accumulator",
    ("Adadelta", "accumulated_grads"): "accumulated_grad",
    ("Adadelta", "accumulated_delta_vars"): "accumulated_delta_var",
    ("Ftrl", "accumulators"): "accumulator",
    ("Ftrl", "linears"): "linear",
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
}


def role(kind: str, slot: str) -> str:
    """The role of a slot; a slot that is not listed keeps its own name."""
    return ROLES.get((kind, slot), slot)


def slot_key(slot_role: str, parameter: str) -> str:
    """How a slot is named in a state: its role, then the parameter that it belongs to."""
    return "{}|{}".format(slot_role, parameter)
