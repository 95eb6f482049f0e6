"""Every adapter holds every fact of the suite, on the experiment mnist-softmax: one process a framework."""

import pytest

from samestep import conformance, data
from samestep.experiments import EXPERIMENTS
from samestep.frameworks import FRAMEWORKS

EXPERIMENT = "mnist-softmax"


@pytest.fixture(
    scope="module", params=[pytest.param(f, marks=pytest.mark.framework(f.name), id=f.name) for f in FRAMEWORKS]
)
def checked(request):
    name = request.param.name
    if name not in EXPERIMENTS[EXPERIMENT].frameworks:
        pytest.skip(f"NOT TESTED: {EXPERIMENT} is not written in {name}.")
    digits = data.load("digits")
    return conformance.check(f"{EXPERIMENT}:{name}", digits.x, digits.y)


@pytest.mark.parametrize("fact", conformance.FACTS)
def test_the_adapter_holds(checked, fact):
    checked.require(fact)
