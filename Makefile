# Each target works as the first command in a fresh clone; a second run does only what is left to do.
# Outside this folder nothing is written but pip's cache of what it downloads.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
PORT ?= 5000
JOBS ?= 1
VENV := .venv
# What requirements.lock holds beside the library: all extras of pyproject.toml but bench.
EXTRAS := pipeline,ray,export,dev
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready
JAX_VENV := .venv-jax
JAX_READY := $(JAX_VENV)/.ready
# Two files at a time, since a slow test mostly waits for processes to start and end. In their own order: the files with the
# longest tests have few of them, and would otherwise run last, alone.
PYTEST := python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
# DVC runs the stages by the name `python`: let it be this one, and keep DVC's and MLflow's telemetry off.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_SITE_CACHE_DIR := $(CURDIR)/.dvc/tmp/site

.PHONY: help setup repository digest quickstart test test-slow test-exhaustive test-all lint repro recipes ablation raster verify report readme ui quickstart-ui plan bench lock

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(READY) ## create .venv with the exact versions of requirements.lock

# pip would compile the libraries on one core. A file that cannot be compiled is passed over, as pip does; what is hardly ever
# imported is compiled when it is.
$(READY): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; name a Python 3.11, 3.12 or 3.13: make setup PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' || { echo "make: $$($(PYTHON) --version) found, but 3.11, 3.12 or 3.13 is needed: make setup PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --no-input --quiet --no-deps --no-compile -r requirements.lock
	$(VENV)/bin/python -m compileall -q -q -j 0 -x '/(tests|testing|databricks|ray/(rllib|tune|serve|train|data))/' $(VENV)/lib || true
	touch $@

$(BENCH_READY): $(READY) requirements-bench.txt
	$(VENV)/bin/python -m pip install --disable-pip-version-check --no-input --quiet --no-deps -r requirements-bench.txt
	touch $@

# Of the Python that .venv is of, whatever PYTHON says by now; --clear: of another one nothing stays.
$(JAX_READY): requirements-jax.txt | $(READY)
	$(VENV)/bin/python -m venv --clear $(JAX_VENV)
	$(JAX_VENV)/bin/python -m pip install --disable-pip-version-check --no-input --quiet --no-deps -r requirements-jax.txt
	touch $@

repository:
	@command -v git >/dev/null || { echo "make: git not found" >&2; exit 1; }
	@git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1 || { echo "make: DVC needs a git repository, and this folder is not one; make it one: git init" >&2; exit 1; }

digest: $(READY) ## write what the method's code means to meaning.json, which every training depends on
	for file in params.yaml quickstart/params.yaml studies/*/params.yaml; do python -m stages.digest --params $$file; done

# What it makes, git ignores, and DVC refuses a lock file that git ignores. So that one waits under another name between two runs, and
# the checkout stays as it was.
quickstart: $(READY) repository ## run the whole pipeline on embedded data, in minutes
	@if [ ! -e quickstart/dvc.lock ] && [ -e quickstart/.dvc.lock ]; then mv quickstart/.dvc.lock quickstart/dvc.lock; fi
	@trap 'if [ -e quickstart/dvc.lock ]; then mv quickstart/dvc.lock quickstart/.dvc.lock; fi' EXIT; dvc repro quickstart/dvc.yaml
	@python -m stages.report --params quickstart/params.yaml --show
	@echo "Open quickstart/reports/results.html for tables and figures, or browse the runs with: make quickstart-ui"

test: lint ## check format, lint and types, and run the fast tests
	$(PYTEST) -m "not slow and not exhaustive"

test-slow: $(READY) ## run the slow tests: real kills, real servers, a real browser
	$(PYTEST) -m "slow and not exhaustive" --durations=25

test-exhaustive: $(READY) ## run the tests of random kills and of thousands of inputs
	$(PYTEST) -m exhaustive --durations=25

test-all: test test-slow test-exhaustive ## run all of them

lint: $(READY) ## check format, lint and types
	ruff format --check --quiet
	ruff check --quiet
	mypy --no-error-summary

repro: $(READY) repository ## reproduce the published tables: months on a CPU, see docs/reproduce.md
ifneq ($(JOBS),1)
	dvc repro digest preprocess # once, for all: two at the same stage would refuse each other
	dvc stage list --name-only | sed -n 's/^fit@//p' | xargs --max-procs=$(JOBS) -I {} dvc --wait-for-lock repro --single-item fit@{} train@{}
endif
	dvc repro

recipes: $(READY) repository ## run the study: which recipe gives the published numbers? Hours on a CPU
	dvc repro studies/recipes/dvc.yaml
	dvc repro --single-item --force report

ablation: $(READY) repository ## run the study: what does each part of the method do? Hours on a CPU
	dvc repro studies/ablation/dvc.yaml
	dvc repro --single-item --force report

raster: $(READY) repository ## compute what the report's picture of one N-MNIST recording shows
	[ -d data/processed/nmnist ] || dvc repro preprocess@nmnist
	python -m stages.raster

verify: $(READY) repository ## test the networks in git on the official data and compare them with the records, in seconds
	@stages="$$(python -m stages.verify --stages)"; if [ -n "$$stages" ]; then dvc repro $$stages; fi
	@python -m stages.verify

plan: $(READY) ## measure what make repro and the studies would cost on this machine, or on NODES=n machines like it (CORES=m, MEMORY=gb each)
	python -m stages.plan $(if $(NODES),--nodes $(NODES)) $(if $(CORES),--cores $(CORES)) $(if $(MEMORY),--memory $(MEMORY))

report: $(READY) ## write tables, figures and MLflow's log from reports/runs/, without data or training
	python -m stages.report

readme: $(READY) ## the same, and renew what README and docs/findings.md say of the runs
	python -m stages.report --readme README.md docs/findings.md

ui: $(READY) ## browse the runs in MLflow on 127.0.0.1 (PORT=5000)
	python -m stages.ui --port $(PORT)

quickstart-ui: $(READY) ## browse the quickstart's runs
	python -m stages.ui --params quickstart/params.yaml --port $(PORT)

bench: $(BENCH_READY) $(JAX_READY) ## measure training speed beside other libraries: leave the machine alone meanwhile
	python -m benchmarks

lock: $(READY) ## write requirements.lock anew from pyproject.toml
	$(VENV)/bin/python -m pip install --upgrade --upgrade-strategy eager ".[$(EXTRAS)]"
	{ echo "# Exact versions of everything that pyproject.toml and its extras (all but bench) ask for; written by make lock."; \
	  echo "# They hold for Python 3.11, 3.12 and 3.13."; \
	  $(VENV)/bin/python -m pip freeze --all --exclude pip --exclude tsslbp; } > requirements.lock.partial
	$(VENV)/bin/python -m pip uninstall --yes --quiet tsslbp # the stages import the checkout, not a copy
	mv requirements.lock.partial requirements.lock
