# make match: set up, then compare base TensorFlow with Keras on handwritten digits.
# make test:  set up, then every check. Both need only Python >= 3.11 and the package index.
# make old-tensorflow: TensorFlow 1.15 in an environment of its own, for --left-python. Needs a Python 3.7.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DATA ?= digits
# what is locked is complete, so that pip asks for nothing more
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps

OLD := .venv-tensorflow1
# pyenv's own interpreters come first: its python3.7 on the PATH may be a shim that refuses to run
OLD_PYTHON ?= $(firstword $(wildcard $(or $(PYENV_ROOT),$(HOME)/.pyenv)/versions/3.7.*/bin/python3.7) python3.7)

.PHONY: match test lint docs lock clean old-python old-tensorflow

match: $(VENV)/.match
	$(BIN)/samestep match mnist-softmax --data $(DATA)

test: $(VENV)/.test lint
	$(BIN)/python -m pytest -n 2 --dist loadfile

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

$(VENV)/.match: requirements/match.txt pyproject.toml
	$(PYTHON) requirements/check_python.py
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) -r requirements/match.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable .
	touch $@

$(VENV)/.test: requirements/test.txt plugins/samestep-numpy/pyproject.toml $(VENV)/.match
	$(PIP) -r requirements/test.txt
	$(PIP) -r requirements/torch-cpu.txt 2>/dev/null || $(PIP) -r requirements/torch.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps --editable plugins/samestep-numpy
	touch $@

# Write the pages anew that are made of what the adapters declare and of what the installed frameworks do.
docs: $(VENV)/.test
	$(BIN)/python -m samestep.report.frameworks $(addprefix requirements/,test.txt torch.txt tensorflow1.txt) \
	    > docs/reference/frameworks.md
	$(BIN)/python -m samestep.report.differences > docs/explanation/known-differences.md

old-python:
	@$(OLD_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 7))' || { \
	    echo "TensorFlow 1.15 needs Python 3.7; $(OLD_PYTHON) is none. Install one (pyenv install 3.7), or name it:" \
	    "make OLD_PYTHON=PATH old-tensorflow" >&2; exit 1; }

old-tensorflow: $(OLD)/.installed
	@echo "samestep match mnist-softmax --left-python $(OLD)/bin/python"

$(OLD)/.installed: requirements/tensorflow1.txt
	@$(MAKE) --no-print-directory old-python
	test -x $(OLD)/bin/python || $(OLD_PYTHON) -m venv $(OLD)
	$(OLD)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	touch $@

# Write the hash-locked requirements anew from pyproject.toml. Needs uv; names no index. tf_keras asks for the large
# TensorFlow, whose place the small one takes; PyTorch comes from a file of its own.
COMPILE := uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header
ALL := $(foreach extra,tensorflow keras keras-jax keras-torch tf_keras torch jax pytensor ray test,--extra $(extra))
GPU = $(shell grep -oE '^(torch|nvidia|cuda|triton)[a-z0-9-]*' requirements/torch.txt)

lock:
	$(COMPILE) --extra tensorflow --extra keras pyproject.toml requirements/build.in -o requirements/match.txt
	echo torch | $(COMPILE) -c requirements/constraints.in - -o requirements/torch.txt
	$(COMPILE) $(ALL) $(foreach package,tensorflow $(GPU),--no-emit-package $(package)) pyproject.toml requirements/build.in \
	    -c requirements/match.txt -c requirements/constraints.in -o requirements/test.txt
	uv pip compile --quiet --python-version 3.7 --generate-hashes --no-emit-index-url --no-header \
	    requirements/tensorflow1.in -o requirements/tensorflow1.txt

clean:
	rm -rf $(VENV) $(OLD) build dist .mypy_cache .pytest_cache .ruff_cache
