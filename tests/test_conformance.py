"""Every adapter holds every fact of the suite, on the experiment mnist-softmax: one process a framework."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from samestep import conformance, data
from samestep.experiments import EXPERIMENTS
from samestep.frameworks import FRAMEWORKS

EXPERIMENT = "mnist-softmax"
NAMES = [pytest.param(f.name, marks=pytest.mark.framework(f.name), id=f.name) for f in FRAMEWORKS]


@pytest.fixture(scope="module")
def checks(request):
    """{framework: its check, under way} of the frameworks that are asked for, two at a time: most of it is their start."""
    tests = [item for item in request.session.items if item.path == request.path]
    wanted = {item.callspec.params["framework"] for item in tests} & set(EXPERIMENTS[EXPERIMENT].frameworks)
    digits = data.load("digits")
    with ThreadPoolExecutor(2) as pool:
        names = [framework.name for framework in FRAMEWORKS if framework.name in wanted]
        yield {name: pool.submit(conformance.check, f"{EXPERIMENT}:{name}", digits.x, digits.y) for name in names}


@pytest.mark.parametrize("fact", conformance.FACTS)
@pytest.mark.parametrize("framework", NAMES)
def test_the_adapter_of(framework, fact, checks):
    if framework not in checks:
        pytest.skip(f"NOT TESTED: {EXPERIMENT} is not written in {framework}.")
    checks[framework].result().require(fact)
