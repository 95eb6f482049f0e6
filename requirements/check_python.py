"""Stop early, with a plain sentence, where the interpreter is too old to set up samestep."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - that is what it is here to find out
    sys.exit(
        "samestep needs Python 3.11 or newer; this is %d.%d. Name another: make PYTHON=python3.11 match"
        % sys.version_info[:2]
    )
