# Needs Python 3.11 or newer and make. Everything is installed into .venv; repeated calls reuse it.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin

.PHONY: demo test test-slow test-slurm check docs format clean

demo: .venv/installed  ## train the digits WGAN and draw estimated against exact W1
	$(BIN)/wgan-lip fit -c configs/gan/digits.yaml

test: .venv/test  ## the default test suite
	$(BIN)/python -m pytest -m "not slow and not slurm"

test-slow: .venv/test  ## the tests that take minutes
	$(BIN)/python -m pytest -m "slow and not slurm"

test-slurm: .venv/test  ## on a Slurm of two nodes that they start: wants root, slurm-wlm and munge
	$(BIN)/python -m pytest -m slurm -n 0

check: .venv/check  ## format, lint, types, import floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

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

.venv/test .venv/check .venv/docs: .venv/%: pyproject.toml .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[$*]'
	touch $@
