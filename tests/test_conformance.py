"""Every adapter holds every fact of the suite, on the experiment mnist-softmax: one process a framework.

Frameworks that need an old Python are held to them in test_old_python.py.
"""

from concurrent.futures import ThreadPoolExecutor

import pytest

from samestep import conformance, data
from samestep.frameworks import FRAMEWORKS

EXPERIMENT = "mnist-softmax"
NAMES = [framework.name for framework in FRAMEWORKS if framework.extra]


@pytest.fixture(scope="module")
def checks(request):
    """{framework: its check, under way} of the frameworks that are asked for, two at a time: most of it is their start."""
    tests = [item for item in request.session.items if item.path == request.path]
    names = dict.fromkeys(item.callspec.params["framework"] for item in tests)
    digits = data.load("digits")
    with ThreadPoolExecutor(2) as pool:
        yield {name: pool.submit(conformance.check, f"{EXPERIMENT}:{name}", digits.x, digits.y) for name in names}


@pytest.mark.parametrize("fact", conformance.FACTS)
@pytest.mark.parametrize("framework", [pytest.param(name, marks=pytest.mark.framework(name)) for name in NAMES])
def test_the_adapter_of(framework, fact, checks):
    checks[framework].result().require(fact)
