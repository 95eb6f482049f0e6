"""The generators that are nobody's framework: Python's `random`, NumPy's global one, the seed of hashes."""

from __future__ import annotations

import functools
import os
import random
import sys
from typing import Any

from samestep.seeding.report import Done, Switch, Touched, Untouched

HASH = "PYTHONHASHSEED"
MKL, MKL_REPRODUCIBLE = "MKL_CBWR", "AUTO"


def seed_python(seed: int) -> Done:
    """Python's global generator; what the hash seed is can only be told."""
    restore = functools.partial(random.setstate, random.getstate())
    random.seed(seed)
    touched = [Touched("python", "global generator of random", "random.seed({})".format(seed))]
    untouched = [
        Untouched("python", "objects of random.Random", "they are their owner's: random.Random({})".format(seed)),
        Untouched(
            "python", "processes that the script starts", "they seed themselves, but inherit environment variables"
        ),
    ]
    if _hash_seed().isdigit():
        touched.append(Touched("python", "hashes of strings", "{}={}".format(HASH, _hash_seed())))
    else:
        untouched.append(Untouched("python", "hashes of strings, and so the order of sets", _hash_advice(seed)))
    return Done(restore, touched, untouched)


def _hash_seed() -> str:
    """What the variable was when this interpreter started; setting it later changes nothing."""
    if not sys.flags.hash_randomization:
        return "0"
    try:
        with open("/proc/self/environ", "rb") as file:
            started = dict(pair.partition(b"=")[::2] for pair in file.read().split(b"\0"))
        return started.get(HASH.encode(), b"").decode("ascii", "replace")
    except OSError:
        return os.environ.get(HASH, "")


def _hash_advice(seed: int) -> str:
    late = " (what {} says now was set too late)".format(HASH) if os.environ.get(HASH, "").isdigit() else ""
    return "of a running interpreter they are fixed{}; start it with {}={}, or by samestep seed".format(
        late, HASH, seed
    )


def seed_numpy(module: Any, seed: int) -> Done:
    """`numpy.random`: its global generator, which scikit-learn, SciPy and pandas draw from too."""
    restore = functools.partial(module.set_state, module.get_state())
    module.seed(seed)
    touched = [
        Touched("numpy", "global generator of np.random", "np.random.seed({})".format(seed)),
        Touched("numpy", "scikit-learn, SciPy and pandas without a random_state", "they draw from np.random"),
    ]
    what = "objects of np.random.Generator and np.random.RandomState that exist"
    why = "they keep their state: np.random.default_rng({}) where they are made".format(seed)
    return Done(restore, touched, [Untouched("numpy", what, why)])


def switch_mkl() -> Done:
    """Intel's MKL, as in NumPy from conda and in PyTorch: run-to-run reproducible reductions, with as many threads."""
    before = os.environ.get(MKL)
    os.environ.setdefault(MKL, MKL_REPRODUCIBLE)
    already = [name for name in ("numpy", "torch") if name in sys.modules]
    doubt = "{} is imported already, and MKL heeds it only before its first computation.".format(" and ".join(already))
    switch = Switch(
        "MKL",
        "{}={}".format(MKL, os.environ[MKL]),
        "Fixed cache sizes and static scheduling make matrix products somewhat slower; nothing raises.",
        doubt if already and before is None else "",
        "MKL reads it once.",
    )
    threads = Untouched(
        "threads", "their number", "sums in another number of threads round otherwise: OMP_NUM_THREADS=N"
    )
    return Done(functools.partial(put_back, MKL, before), untouched=[threads], switches=[switch])


def put_back(name: str, before: Any) -> None:
    """Give an environment variable the value that it had, None for none."""
    if before is None:
        os.environ.pop(name, None)
    else:
        os.environ[name] = before
