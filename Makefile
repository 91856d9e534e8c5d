# `make demo` and `make test` are all a newcomer needs; each makes the virtual environment first.
ENGINE ?= embedded
# Flower's own bounds do not fit the releases of constraints.txt: it has an environment of its own.
ifneq (,$(filter flower,$(ENGINE))$(filter test-flower,$(MAKECMDGOALS)))
VENV ?= .venv-flower
EXTRAS ?= dev,flower
LOCK ?= --constraint constraints-flower.txt --build-constraint constraints-flower.txt
PIP_LOCK := constraints-flower.txt
endif
# OpenFL wants still older ones, and a Python before 3.13; what it needs no tool for is left out, to be quick.
ifneq (,$(filter openfl,$(ENGINE))$(filter test-openfl test-openfl-short lock-openfl,$(MAKECMDGOALS)))
VENV ?= .venv-openfl
EXTRAS ?= train,privacy,trust,test,openfl
LOCK ?= --constraint constraints-openfl.txt --build-constraint constraints-openfl.txt
PIP_LOCK := constraints-openfl.txt
PYTHON ?= python3.12 python3.11 python3
endif
VENV ?= .venv
PIP_LOCK ?= constraints.txt
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
# The first of these that fits makes the environment; `make PYTHON=/path/to/python3.13` names another.
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
# PyTorch: the CPU build. With a GPU: see README.
TORCH ?= torch==2.13.0
EXTRAS ?= dev,flare
# The releases to install with; `make LOCK=` takes the newest ones that pyproject.toml allows.
LOCK ?= --constraint constraints.txt --build-constraint constraints.txt
# The tests run on this many processes.
WORKERS ?= auto

.PHONY: demo test test-flare test-flower test-openfl test-openfl-short test-silent test-pythons lint check build \
  lock lock-flower lock-openfl fuzz bench clean

$(READY): pyproject.toml $(PIP_LOCK)
	@python=$$(sh .ci/find_python $(PYTHON)) && $$python -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade --constraint $(PIP_LOCK) pip
	$(PY) -m pip install --quiet $(LOCK) "$(TORCH)"
	$(PY) -m pip install --quiet $(LOCK) "$(TORCH)" -e ".[$(EXTRAS)]"
	touch $@

demo: $(READY)
	$(PY) -m cryofed demo --force --out demo --engine $(ENGINE)

# The second run, of real FLARE processes, is on its own: FLARE in the tests' own process would disturb them.
test: $(READY)
	$(PY) -m pytest --numprocesses $(WORKERS)
	$(PY) -m pytest tests/federation/engines/flare -m processes
	@sh .ci/openfl $(MAKE)

# Real FLARE processes on this machine, killed and refused: three to five minutes.
test-flare: $(READY)
	$(PY) -m pytest tests/federation/engines/flare -m processes --durations=0

# The contract over Flower and its own tests, in an environment of its own; then real processes.
test-flower: $(READY)
	$(PY) -m pytest tests/contract -k flower
	$(PY) -m pytest tests/federation/engines/flower
	$(PY) -m pytest tests/federation/engines/remote -m processes --durations=0

# The same over OpenFL.
test-openfl: $(READY)
	$(PY) -m pytest tests/contract -k openfl
	$(PY) -m pytest tests/federation/engines/openfl
	$(PY) -m pytest tests/federation/engines/remote tests/federation/engines/openfl -m processes --durations=0

# Of these what `make test` runs, by `.ci/openfl`: two minutes.
test-openfl-short: $(READY)
	$(PY) -m pytest tests/contract -k "openfl and (same_plan or NaN or hangs)"
	$(PY) -m pytest tests/federation/engines/openfl
	$(PY) -m pytest tests/federation/engines/remote -m processes

# Under strace for over a minute each: no socket but the named ones, no file outside the named folders.
test-silent: $(READY)
	CRYOFED_SILENT_SECONDS=75 $(PY) -m pytest tests/silence --durations=0

# What needs no PyTorch, from the built wheel, on every other Python of this machine that CryoFed supports.
test-pythons: $(READY)
	$(PY) -m pytest tests/pythons -m pythons

lint: $(READY)
	$(PY) -m ruff format --check src tests benchmarks
	$(PY) -m ruff check src tests benchmarks
	$(PY) -m mypy
	$(VENV)/bin/lint-imports --no-logo

# What CI runs; warnings are errors in every test.
check: lint test test-pythons

# The source archive and, from it, the wheel, in dist/.
build: $(READY)
	PIP_CONSTRAINT=constraints.txt $(PY) -m build

# Choose the releases anew: the newest that pyproject.toml allows.
lock: $(READY)
	$(PY) -m pip install --quiet --dry-run --ignore-installed --report - \
	  pip hatchling "$(TORCH)" -e ".[dev,flare,mlflow]" | $(PY) .ci/lock.py

# The same for Flower's environment.
lock-flower: $(READY)
	$(PY) -m pip install --quiet --dry-run --ignore-installed --report - \
	  pip hatchling "$(TORCH)" -e ".[dev,flower]" | $(PY) .ci/lock.py constraints-flower.txt

# The same for OpenFL's.
lock-openfl: $(READY)
	$(PY) -m pip install --quiet --dry-run --ignore-installed --report - \
	  pip hatchling "$(TORCH)" -e ".[$(EXTRAS)]" | $(PY) .ci/lock.py constraints-openfl.txt

# A hundred times as many damaged files as the tests try: half an hour or so.
fuzz: $(READY)
	CRYOFED_FUZZ=1000000 $(PY) -m pytest tests/fuzz -s

bench: $(READY)
	$(PY) -m benchmarks

# bench-selection, bench-strategies, bench-engines, ...: one benchmark by name
bench-%: $(READY)
	$(PY) -m benchmarks $*

clean:
	rm -rf $(VENV) .venv-flower .venv-openfl demo dist .mypy_cache .ruff_cache .pytest_cache
