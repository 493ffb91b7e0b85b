# Everything on a fresh machine: `make demo` and `make test` set up .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.ready

JOBS ?= auto
# Workers take whole tests; a worker that is done takes some from the others.
PARALLEL := --numprocesses $(JOBS) --maxprocesses 8 --dist worksteal

.PHONY: help setup demo test test-fast coverage lint docs dist bench clean

help:
	@echo "make demo       train UniCon-HA on real faces and print its AUROC (a few minutes)"
	@echo "make test       lint, type check, all tests; TESTS=tests/... for some, JOBS=0 for one process"
	@echo "make test-fast  tests without the slow ones and without lint"
	@echo "make coverage   all tests, and the share of lines and branches they run"
	@echo "make lint       ruff, codespell, mypy"
	@echo "make docs       the documentation as a site, into build/docs/index.html"
	@echo "make dist       source distribution and wheel in dist/"
	@echo "make bench      benchmarks next to their peers, as ratios, into benchmarks/RESULTS.md"

setup: $(STAMP)

# The .pth file is for mypy, which does not follow the import hook of an editable install.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[demo,dev,docs,tensorboard,timm]'
	$(BIN)/python -c "import sysconfig, pathlib; pathlib.Path(sysconfig.get_path('purelib'), 'adframe_source.pth').write_text('$(CURDIR)\n$(CURDIR)/plugins\n')"
	$(BIN)/adframe schema > adframe.schema.json  # what the configs' first line names, for editors
	touch $@

demo: setup
	$(BIN)/adframe run configs/quickstart.yaml $(DEMO)

test: setup lint
	$(BIN)/python -m pytest $(PARALLEL) $(TESTS)

test-fast: setup
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(TESTS)

coverage: setup
	$(BIN)/python -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered $(TESTS)

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

# No isolated environment and no download: the backend is among the tools of `make setup`.
dist: setup
	mkdir -p dist
	$(BIN)/python -c "from setuptools import build_meta as b; b.build_sdist('dist'); b.build_wheel('dist')"

docs: setup
	$(BIN)/python -m sphinx -b html -W --keep-going -q docs build/docs
	@echo "build/docs/index.html"

bench: setup
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench,dev]'
	$(BIN)/python benchmarks/all.py

clean:
	rm -rf $(VENV) .coverage .mypy_cache .ruff_cache .pytest_cache build dist *.egg-info
