# `make demo` and `make test` are all a newcomer needs; each makes the virtual environment first.
PYTHON ?= python3
VENV ?= .venv
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
# PyTorch: the CPU build. GPU users: see README, "With a GPU".
TORCH ?= torch==2.13.0
EXTRAS ?= dev,flare

.PHONY: demo test check bench clean

$(READY): pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade pip
	$(PY) -m pip install --quiet "$(TORCH)"
	$(PY) -m pip install --quiet "$(TORCH)" -e ".[$(EXTRAS)]"
	touch $@

demo: $(READY)
	$(PY) -m cryofed demo --out demo

test: $(READY)
	$(PY) -m pytest

check: $(READY)
	$(PY) -m ruff format --check src tests benchmarks
	$(PY) -m ruff check src tests benchmarks
	$(PY) -m mypy
	$(VENV)/bin/lint-imports
	$(PY) -m pytest -W error

bench: $(READY)
	$(PY) -m benchmarks

clean:
	rm -rf $(VENV) demo .mypy_cache .ruff_cache .pytest_cache
