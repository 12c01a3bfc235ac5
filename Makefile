# Everything a developer runs. Needs Python 3.11 or newer, make and a package index; the first target that needs it
# sets up .venv from the lock file.

PYTHON ?= python3
UV ?= uv

VENV := .venv
LOCK := requirements/dev.txt
STAMP := $(VENV)/.complete
RUN := $(VENV)/bin/python

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-slow bench bench-quick lint lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP)  ## set up .venv, or bring it up to date with the lock file

demo: $(STAMP)  ## show on a real conversation that nothing is lost and nothing doubled (about 20 s)
	@$(VENV)/bin/memkit demo

test: $(STAMP)  ## run the tests
	$(RUN) -m pytest -q

test-slow: $(STAMP)  ## run the long tests
	$(RUN) -m pytest -q -m slow

bench: $(STAMP)  ## measure, and write the figures to benchmarks/results
	$(RUN) -m benchmarks

bench-quick: $(STAMP)  ## measure a little, to see that the benchmarks run
	$(RUN) -m benchmarks --quick

lint: $(STAMP)  ## check style, format and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

lock:  ## resolve the lock file again; needs uv (LOCK_FLAGS=--upgrade for newer versions)
	@command -v $(UV) >/dev/null || { echo 'make lock needs uv: https://docs.astral.sh/uv' >&2; exit 1; }
	$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--all-extras --group dev --no-annotate --no-emit-index-url --no-emit-find-links \
		--custom-compile-command 'make lock' $(LOCK_FLAGS) --output-file $(LOCK) pyproject.toml >/dev/null

clean:  ## remove .venv and everything that tools left behind
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'memkit needs Python 3.11 or newer: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo 'this Python cannot make environments with pip: on Debian or Ubuntu, apt-get install python3-venv' >&2; \
		exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(RUN) -m pip install --quiet --require-hashes -r $(LOCK)
	$(RUN) -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
