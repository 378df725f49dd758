# Needs Python 3.11 or newer and make. Everything is installed into .venv; repeated calls reuse it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

# COVER=1 records which lines of the package the tests run, also in processes that they start.
RUN_TESTS = $(if $(COVER),COVERAGE_FILE=$(CURDIR)/.coverage $(BIN)/coverage run -m,$(BIN)/python -m) pytest

.PHONY: demo test test-slow test-slurm test-browser coverage coverage-report mutation check docs audit format clean

demo: .venv/installed  ## train the digits WGAN and draw estimated against exact W1
	$(BIN)/wgan-lip fit -c configs/gan/digits.yaml

test: .venv/test  ## the default test suite
	$(RUN_TESTS) -m "not slow and not slurm and not browser"

test-slow: .venv/test  ## the tests that take minutes
	$(RUN_TESTS) -m "slow and not slurm and not browser"

test-slurm: .venv/test  ## on a Slurm of two nodes that they start: requires root, slurm-wlm and munge
	$(RUN_TESTS) -m slurm -n 0

test-browser: .venv/test  ## the report in headless Chromium: requires Debian's chromium
	$(RUN_TESTS) -m browser

coverage: .venv/test  ## all tests, and which lines of the package they run: fails below 95 %
	$(BIN)/coverage erase
	$(MAKE) test test-slow test-slurm test-browser coverage-report COVER=1

coverage-report: .venv/test  ## the lines that tests run with COVER=1 reached
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --fail-under=95

mutation: export PATH := $(CURDIR)/$(BIN):$(PATH)
mutation: export OMP_NUM_THREADS := 1
mutation: .venv/mutation  ## check that the tests notice each small change of the certificate and of transport/: hours
	mutmut run --max-children 1
	python scripts/mutation_table.py

check: .venv/check  ## format, lint, types, import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

audit: .venv/check  ## known vulnerabilities of the packages that are installed
	$(BIN)/python scripts/audit.py

docs: .venv/docs  ## the site, in docs/_build/html
	$(BIN)/sphinx-build -q -W --keep-going docs docs/_build/html

format: .venv/check
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf .venv

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/installed: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	touch $@

.venv/test .venv/check .venv/docs .venv/mutation: .venv/%: pyproject.toml .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	touch $@
