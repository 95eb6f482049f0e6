# make match: set up, then compare base TensorFlow with Keras on handwritten digits.
# make test:  set up, then every check. Both need only Python >= 3.11 and the package index.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= digits

.PHONY: match test lint lock clean

match: $(VENV)/.match
	$(BIN)/samestep match mnist-softmax --data $(DATA)

test: $(VENV)/.test lint
	$(BIN)/python -m pytest

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.match: requirements/match.txt pyproject.toml
	$(PYTHON) requirements/check_python.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/match.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

$(VENV)/.test: requirements/test.txt $(VENV)/.match
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/test.txt
	touch $@

# Write the hash-locked requirements anew from pyproject.toml. Needs uv; names no index.
lock:
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra tensorflow --extra keras pyproject.toml requirements/build.in -o requirements/match.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header \
	    --extra tensorflow --extra keras --extra test pyproject.toml requirements/build.in \
	    -c requirements/match.txt -o requirements/test.txt

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache
