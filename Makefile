# `make demo` and `make test` are all a newcomer needs; each makes the virtual environment first.
ENGINE ?= embedded
# Engines whose own bounds do not fit the releases of constraints.txt: each has an environment of its own.
APART := flower openfl
ALONE := $(firstword $(filter $(APART),$(ENGINE) $(MAKECMDGOALS:test-%=%)))
ifneq (,$(ALONE))
VENV ?= .venv-$(ALONE)
EXTRAS ?= dev,$(ALONE)
LOCK ?= --constraint constraints-$(ALONE).txt --build-constraint constraints-$(ALONE).txt
PIP_LOCK := constraints-$(ALONE).txt
endif
VENV ?= .venv
PIP_LOCK ?= constraints.txt
PY := $(VENV)/bin/python
READY := $(VENV)/.ready
# The first of these that fits makes the environment; `make PYTHON=/path/to/python3.13` names another.
BELOW-openfl := 13
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11
# PyTorch: the CPU build. With a GPU: see README.
TORCH ?= torch==2.13.0
EXTRAS ?= dev,flare
# The releases to install with; `make LOCK=` takes the newest ones that pyproject.toml allows.
LOCK ?= --constraint constraints.txt --build-constraint constraints.txt
# The tests run on this many processes, each on one thread: two threads each on as many cores only wait.
WORKERS ?= auto
test: export OMP_NUM_THREADS = 1

.PHONY: demo test test-flare $(APART:%=test-%) test-silent test-pythons lint check docs build lock $(APART:%=lock-%) fuzz bench clean

$(READY): pyproject.toml $(PIP_LOCK)
	@echo "making the environment $(VENV): two to ten minutes, by network and disk"
	@python=$$(BELOW=$(BELOW-$(ALONE)) sh .ci/find_python $(PYTHON)) && $$python -m venv $(VENV)
	$(PY) -m pip install --quiet --upgrade --constraint $(PIP_LOCK) pip
	$(PY) -m pip install --quiet $(LOCK) "$(TORCH)"
	$(PY) -m pip install --quiet $(LOCK) "$(TORCH)" -e ".[$(EXTRAS)]"
	touch $@

demo: $(READY)
	$(PY) -m cryofed demo --force --out demo --engine $(ENGINE)

# The second run, of real FLARE processes, is on its own: FLARE in the tests' own process would disturb them.
# Then each engine that has an environment of its own, in it.
test: $(READY)
	$(PY) -m pytest --numprocesses $(WORKERS)
	$(PY) -m pytest tests/federation/engines/flare tests/federation/engines/remote -m processes
	@set -e; $(foreach one,$(APART),BELOW=$(BELOW-$(one)) sh .ci/test_apart $(one) $(PY) "$(MAKE)" $(PYTHON);)

# Real FLARE processes on this machine, killed and refused: three to five minutes.
test-flare: $(READY)
	$(PY) -m pytest tests/federation/engines/flare -m processes --durations=0

# What `make test` leaves out of the tests below, to be quick.
ifdef SHORT
FEW-openfl := and (same_plan or NaN or hangs)
NOT-openfl := and not campaign_moves and not test_profiles and not masked_kills and not test_strangers
NOT-flower := and not (campaign_moves and not flare) and not test_profiles and not masked_kills and not test_strangers
endif
# The contract over such an engine, its own tests, and real processes that are killed.
$(APART:%=test-%): test-%: $(READY)
	$(PY) -m pytest tests/contract -k "$* $(FEW-$*)"
	$(PY) -m pytest tests/federation/engines/$*
	$(PY) -m pytest tests/federation/engines/remote tests/federation/engines/$* -m processes -k "$* $(NOT-$*)"

# Under strace for over a minute each: no socket but the named ones, no file outside the named folders.
# `ENGINE=flower` and `ENGINE=openfl` look at those engines, each in its environment.
test-silent: $(READY)
	CRYOFED_SILENT_SECONDS=75 $(PY) -m pytest tests/silence --durations=0

# What needs no PyTorch, from the built wheel, on every other Python of this machine that CryoFed supports.
test-pythons: $(READY)
	$(PY) -m pytest tests/pythons -m pythons

# The docs site into site-docs/, strictly: a broken link or a page that is nowhere fails.
docs: $(READY)
	$(PY) docs/make_reference.py
	$(VENV)/bin/zensical build --clean --strict

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

# The same for the environment of an engine.
$(APART:%=lock-%): lock-%: $(READY)
	$(PY) -m pip install --quiet --dry-run --ignore-installed --report - \
	  pip hatchling "$(TORCH)" -e ".[dev,$*]" | $(PY) .ci/lock.py constraints-$*.txt

# A hundred times as many damaged files as the tests try: half an hour or so.
fuzz: $(READY)
	CRYOFED_FUZZ=1000000 $(PY) -m pytest tests/fuzz -s

bench: $(READY)
	$(PY) -m benchmarks

# bench-selection, bench-strategies, bench-engines, ...: one benchmark by name
bench-%: $(READY)
	$(PY) -m benchmarks $*

clean:
	rm -rf $(VENV) $(APART:%=.venv-%) demo dist .mypy_cache .ruff_cache .pytest_cache
