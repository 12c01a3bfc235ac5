# Everything a developer runs. Needs Python 3.11 or newer, make and a package index; the first target that needs it
# sets up .venv from the lock file, and .venv-bench with the libraries that are measured beside memkit.

PYTHON ?= python3
UV ?= uv

VENV := .venv
LOCK := requirements/dev.txt
STAMP := $(VENV)/.complete
RUN := $(VENV)/bin/python

BENCH_VENV := .venv-bench
BENCH_LOCK := requirements/bench.txt
BENCH_STAMP := $(BENCH_VENV)/.complete
BENCH_RUN := $(BENCH_VENV)/bin/python
MINUTES ?= 10

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.DEFAULT_GOAL := help
.PHONY: help venv demo test test-slow bench bench-quick bench-soak lint lock clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

venv: $(STAMP)  ## set up .venv, or bring it up to date with the lock file

demo: $(STAMP)  ## show on a real conversation that nothing is lost and nothing doubled (about 20 s)
	@$(VENV)/bin/memkit demo

test: $(STAMP)  ## run the tests
	$(RUN) -m pytest -q

test-slow: $(STAMP)  ## run the long tests
	$(RUN) -m pytest -q -m slow

bench: $(BENCH_STAMP)  ## measure beside other libraries, write figures and plots to benchmarks/results (about 15 min)
	$(BENCH_RUN) -m benchmarks

bench-quick: $(if $(wildcard $(BENCH_STAMP)),$(BENCH_STAMP),$(STAMP))  ## measure a little, to see that the benchmarks run; beside other libraries after make bench
	$(if $(wildcard $(BENCH_STAMP)),$(BENCH_RUN),$(RUN)) -m benchmarks --quick

bench-soak: $(STAMP)  ## run everything at once for ten minutes (MINUTES=60 for longer): does anything grow?
	$(RUN) -m benchmarks soak --minutes $(MINUTES)

lint: $(STAMP)  ## check style, format and types
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

lock:  ## resolve the lock files again; needs uv (LOCK_FLAGS=--upgrade for newer versions)
	@command -v $(UV) >/dev/null || { echo 'make lock needs uv: https://docs.astral.sh/uv' >&2; exit 1; }
	$(call resolve,dev,$(LOCK))
	$(call resolve,peers,$(BENCH_LOCK))

clean:  ## remove .venv and everything that tools left behind
	rm -rf $(VENV) $(BENCH_VENV) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(STAMP): $(LOCK) pyproject.toml
	$(call install,$(VENV),$(LOCK))

$(BENCH_STAMP): $(BENCH_LOCK) pyproject.toml
	$(call install,$(BENCH_VENV),$(BENCH_LOCK))

# A dependency group and every extra into a lock file.
define resolve
$(UV) pip compile --quiet --universal --generate-hashes --python-version 3.11 \
		--all-extras --group $(1) --no-annotate --no-emit-index-url --no-emit-find-links \
		--custom-compile-command 'make lock' $(LOCK_FLAGS) --output-file $(2) pyproject.toml >/dev/null
endef

# An environment from a lock file, with this project in it.
define install
@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'memkit needs Python 3.11 or newer: make PYTHON=/path/to/python3.11' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo 'this Python cannot make environments with pip: on Debian or Ubuntu, apt-get install python3-venv' >&2; \
		exit 1; }
	$(PYTHON) -m venv --clear $(1)
	$(1)/bin/python -m pip install --quiet --require-hashes -r $(2)
	$(1)/bin/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@
endef
