# Everything on a fresh machine: `make demo` and `make test` set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

.PHONY: help setup demo test lint docs bench clean

help:
	@echo "make demo   train UniCon-HA on real faces and print its AUROC (a few minutes)"
	@echo "make test   lint, type check, tests"
	@echo "make docs   the documentation as a site, into build/docs/index.html"
	@echo "make bench  benchmarks beside their peers, as ratios, into benchmarks/RESULTS.md"

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,dev,docs,examples]'
	$(BIN)/adframe schema > adframe.schema.json  # what the configs' first line names, for editors
	touch $@

demo: setup
	$(BIN)/adframe run configs/quickstart.yaml $(DEMO)

test: setup lint
	$(BIN)/python -m pytest $(TESTS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

docs: setup
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs build/docs
	@echo "build/docs/index.html"

bench: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench,dev]'
	$(BIN)/python benchmarks/all.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info
