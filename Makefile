# `make demo` and `make test` are all a newcomer needs; each makes the virtual environment first.
PYTHON ?= $(shell for p in python3 python3.12 python3.11 python3.10; do \
	$$p -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' 2>/dev/null && echo $$p && break; done)
VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
# PyTorch: the CPU build. With a GPU: see README.
TORCH ?= torch==2.13.0
EXTRAS ?= dev,flare
ENGINE ?= embedded

.PHONY: demo test test-flare check bench clean

$(READY): pyproject.toml
	@test -n "$(PYTHON)" || { echo "CryoFed needs Python 3.10, 3.11 or 3.12; found none. Install one, or name it: make PYTHON=/path/to/python3.11"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet "$(TORCH)"
	$(PY) -m pip install --quiet "$(TORCH)" -e ".[$(EXTRAS)]"
	touch $@

demo: $(READY)
	$(PY) -m cryofed demo --force --out demo --engine $(ENGINE)

# The second run, of real FLARE processes, is on its own: FLARE in the tests' own process would disturb them.
test: $(READY)
	$(PY) -m pytest
	$(PY) -m pytest tests/federation/engines/flare -m processes

# Real FLARE processes on this machine, killed and refused: three to five minutes.
test-flare: $(READY)
	$(PY) -m pytest tests/federation/engines/flare -m processes --durations=0

check: $(READY)
	$(PY) -m ruff format --check src tests benchmarks
	$(PY) -m ruff check src tests benchmarks
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m pytest -W error
	$(PY) -m pytest -W error tests/federation/engines/flare -m processes

bench: $(READY)
	$(PY) -m benchmarks

# bench-selection, bench-strategies, bench-engines, ...: one benchmark by name
bench-%: $(READY)
	$(PY) -m benchmarks $*

clean:
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache
