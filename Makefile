# Everything a clone needs: `make demo` and `make test` set themselves up. `make help` lists the rest.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PYTEST_ARGS ?=
JOBS ?= 2
SCALE ?= 0.1
SECONDS ?= 300
MINUTES ?= 30
INPUTS ?= 1000000
SEED ?=

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test check format chaos fuzz soak bench-copy bench-testkit bench-pool bench-write bench-reads bench-graph bench-log bench-loading bench-migrations bench-tiny lock clean

help: ## list the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: $(VENV)/.demo ## load TPC-H into an embedded PostgreSQL and take the tour (SCALE=0.1)
	@exec $(BIN)/dal demo --scale $(SCALE)

test: $(VENV)/.dev ## run every test on an embedded PostgreSQL (PYTHON=, POSTGRES=container, JOBS=2, PYTEST_ARGS=)
	@exec $(BIN)/python -m pytest -n $(JOBS) $(if $(POSTGRES),--postgres=$(POSTGRES)) $(PYTEST_ARGS)

check: $(VENV)/.dev ## lint, formatting, types, import floors
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/basedpyright
	$(BIN)/lint-imports

fuzz: $(VENV)/.fuzz ## hostile input to the parsers and to a real server (INPUTS=1000000, SEED=, JOBS=2); findings are kept
	@INPUTS=$(INPUTS) SEED=$(SEED) JOBS=$(JOBS) $(BIN)/python -m tests.faults.hostile.run

format: $(VENV)/.dev ## mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

chaos: $(VENV)/.bench ## let faults loose on a busy service, and look at everything after each (SECONDS=300 SEED= KEEP=)
	@exec $(BIN)/python -m tests.faults.chaos --seconds $(SECONDS) $(if $(SEED),--seed $(SEED)) $(if $(KEEP),--keep)

bench-copy: $(VENV)/.bench ## loads by copy_in against psql, ADBC, the drivers and SQLAlchemy (writes bench/results/)
	@exec $(BIN)/python -m bench.copy_in

bench-testkit: $(VENV)/.bench ## what a test costs on the test kit, against pytest-postgresql (writes bench/results/)
	@exec $(BIN)/python -m bench.testkit

bench-pool: $(VENV)/.bench ## the pool under overload, bursts and a restart, against three others (writes bench/results/)
	@exec $(BIN)/python -m bench.pool

bench-write: $(VENV)/.bench ## writes in sets, against the drivers by hand and SQLAlchemy (writes bench/results/)
	@exec $(BIN)/python -m bench.write

bench-reads: $(VENV)/.bench ## rows into objects, against the drivers by hand, SQLAlchemy and four more (writes bench/results/)
	@exec $(BIN)/python -m bench.reads

bench-graph: $(VENV)/.bench ## rows with their children, and JSON of them, against four others (writes bench/results/)
	@exec $(BIN)/python -m bench.graph

bench-log: $(VENV)/.bench ## what a log of statements costs each of them (writes bench/results/)
	@exec $(BIN)/python -m bench.log

bench-loading: $(VENV)/.bench ## relationships loaded lazily, against SQLAlchemy's lazy loads and selectinload (writes bench/results/)
	@exec $(BIN)/python -m bench.loading

bench-migrations: $(VENV)/.bench ## what writers wait for a migration, by Alembic's template and by dal (writes bench/results/)
	@exec $(BIN)/python -m bench.migrations

bench-tiny: $(VENV)/.bench ## every benchmark once, at its tiny size, so that none rots
	@$(BIN)/python -m bench.copy_in --tiny
	@$(BIN)/python -m bench.testkit --tiny
	@$(BIN)/python -m bench.pool --tiny
	@$(BIN)/python -m bench.write --tiny
	@$(BIN)/python -m bench.reads --tiny
	@$(BIN)/python -m bench.graph --tiny
	@$(BIN)/python -m bench.log --tiny
	@$(BIN)/python -m bench.loading --tiny
	@$(BIN)/python -m bench.migrations --tiny
	@$(BIN)/python -m bench.soak --tiny

soak: $(VENV)/.bench ## a service under mixed load for MINUTES=30: what grows, leaks or slows down (writes bench/results/)
	@exec $(BIN)/python -m bench.soak --minutes $(MINUTES)

lock: ## compile requirements/*.txt from pyproject.toml
	@PYTHON=$(PYTHON) requirements/lock

clean: ## remove the virtual environment and all caches in this folder
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# One stamp for each set of packages: a set is installed when its lock file, or the Python, has changed.
$(VENV)/.demo $(VENV)/.dev $(VENV)/.bench $(VENV)/.fuzz: $(VENV)/.%: requirements/%.txt pyproject.toml requirements/install
	@PYTHON=$(PYTHON) requirements/install $*

# A virtual environment made by another Python is of no use.
ifneq ($(wildcard $(VENV)/.python),)
ifneq ($(shell cat $(VENV)/.python),$(shell $(PYTHON) -c 'import sys; print(sys.base_prefix, sys.version)' 2>&1))
$(VENV)/.demo $(VENV)/.dev $(VENV)/.bench $(VENV)/.fuzz: another-python
.PHONY: another-python
another-python:
endif
endif
