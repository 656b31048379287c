# Each target works as the first command in a fresh clone; a second run does only what is left to do.
# Nothing is written outside this folder.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
PORT ?= 5000
VENV := .venv
READY := $(VENV)/.ready
BENCH_READY := $(VENV)/.bench-ready
# Two files at a time: most of a slow test's time is spent waiting for processes to start and end. In their order: the files with
# the longest tests have few of them, and would otherwise come last, one of them alone.
PYTEST := python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder
# DVC runs the stages by the name `python`: let it be this one, and keep DVC's and MLflow's telemetry off.
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
export DVC_NO_ANALYTICS := 1
export MLFLOW_DISABLE_TELEMETRY := true
export DVC_SITE_CACHE_DIR := $(CURDIR)/.dvc/tmp/site

.PHONY: help setup repository digest quickstart test test-slow test-all lint repro recipes ablation raster report ui quickstart-ui plan bench lock

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 24

setup: $(READY) ## create .venv with the exact versions of requirements.lock

$(READY): requirements.lock
	@command -v $(PYTHON) >/dev/null || { echo "make: $(PYTHON) not found; name a Python 3.11: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11))' || { echo "make: $$($(PYTHON) --version) found, but requirements.lock is for Python 3.11: make PYTHON=python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --disable-pip-version-check --no-input --quiet --no-deps -r requirements.lock
	touch $@

$(BENCH_READY): $(READY) requirements-bench.txt
	$(VENV)/bin/python -m pip install --disable-pip-version-check --no-input --quiet --no-deps -r requirements-bench.txt
	touch $@

repository:
	@git -c safe.directory='*' rev-parse --git-dir >/dev/null 2>&1 || { echo "make: DVC needs a git repository, and this folder is not one; make it one: git init" >&2; exit 1; }

digest: $(READY) ## write what the method's code means to meaning.json, which every training depends on
	for file in params.yaml quickstart/params.yaml studies/*/params.yaml; do python -m stages.digest --params $$file; done

quickstart: $(READY) repository ## run the whole pipeline on embedded data, in minutes
	dvc repro quickstart/dvc.yaml
	@python -m stages.report --params quickstart/params.yaml --show
	@echo "Open quickstart/reports/results.html for tables and figures, or browse the runs with: make quickstart-ui"

test: lint ## lint, types and the tests that take at most 5 minutes
	$(PYTEST) -m "not slow"

test-slow: $(READY) ## the tests that take longer: real kills, real servers, a real browser
	$(PYTEST) -m slow

test-all: test test-slow ## both

lint: $(READY)
	ruff format --check --quiet
	ruff check --quiet
	mypy --no-error-summary

repro: $(READY) repository ## reproduce the published tables: days on a CPU, see README
	dvc repro

recipes: $(READY) repository ## the study: which recipe gives the published numbers? Hours on a CPU
	dvc repro studies/recipes/dvc.yaml
	dvc repro --single-item --force report

ablation: $(READY) repository ## the study: what does each part of the method do? Hours on a CPU
	dvc repro studies/ablation/dvc.yaml
	dvc repro --single-item --force report

raster: $(READY) ## what the report's picture of one N-MNIST recording shows, from the data and a network
	python -m stages.raster

plan: $(READY) ## measure what make repro would cost on this machine
	python -m stages.plan

report: $(READY) ## tables, figures and MLflow from reports/runs/, without data or training
	python -m stages.report

ui: $(READY) ## browse the runs in MLflow on 127.0.0.1 (PORT=5000)
	python -m stages.ui --port $(PORT)

quickstart-ui: $(READY) ## the same for the quickstart's runs
	python -m stages.ui --params quickstart/params.yaml --port $(PORT)

bench: $(BENCH_READY) ## training speed beside three libraries and the dense limit: leave the machine alone meanwhile
	python -m benchmarks

lock: $(READY) ## write requirements.lock anew from requirements.in
	$(VENV)/bin/python -m pip install --upgrade -r requirements.in
	{ echo "# Exact versions of everything that requirements.in asks for; written by make lock."; $(VENV)/bin/python -m pip freeze; } > requirements.lock.partial
	mv requirements.lock.partial requirements.lock
