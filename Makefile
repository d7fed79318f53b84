# make train : train on MNIST, or on the digits that come with dlt if MNIST cannot be downloaded
# make test  : lint, tests, doctests and every script, on up to four cores
# make test-quick : the same without the slow tests
# make test-engines : the tests on every Python found, or on ONLY="newest oldest" or ONLY=3.12
# make docs  : run the tutorial and build the HTML pages, including the API reference
# make notebook : run docs/getting_started.md and store the result as docs/getting_started.ipynb
# make bench : time dlt and its peers on the same work (docs/performance.md)
# make fuzz  : look for files that break a reader, for SECONDS=60 each
# make soak  : kill, starve and confuse 200 runs, and count what is lost (docs/reliability.md)
# make data  : download MNIST into data/
# Each uses the virtual environment in .venv, whether make or uv made it, and creates it if needed.
# PYTHON=python3.12 replaces it if it has another version of Python.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Quiet, because pip warns about every editable installation.
INSTALL = $(BIN)/python -m pip install -qq
ARGS ?=
# The tests of one file stay in one process: they share fixtures that are slow to make.
PYTEST_WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile
SECONDS ?= 60

version = $(shell $(1) -c 'import platform; print(platform.python_version())' 2> /dev/null)
SUPPORTED = 3.8.% 3.9.% 3.10.% 3.11.% 3.12.% 3.13.% 3.14.%
HERE := $(call version,$(BIN)/python)
WANTED := $(if $(and $(HERE),$(filter file,$(origin PYTHON))),$(HERE),$(call version,$(PYTHON)))

# `uv sync` removes what it did not install, so a mark only counts if its module is there.
gone = $(if $(wildcard $(VENV)/lib/python*/site-packages/$(2)),,$(shell rm -f $(VENV)/$(1)))
$(call gone,created,pip)
$(call gone,installed-test,pytest)
$(call gone,installed-docs,sphinx)
$(call gone,installed-bench,sklearn)
$(call gone,installed-fuzz,atheris)
$(call gone,installed-engines,nox)

.PHONY: anew train test test-quick test-engines docs notebook bench fuzz soak data lint format clean

train: $(VENV)/installed
	$(BIN)/python scripts/train_logreg.py $(ARGS)

data: $(VENV)/installed
	$(BIN)/python scripts/fetch_mnist.py --output-dir data $(ARGS)

docs: $(VENV)/installed-docs
	@echo "running the tutorial and building the pages (a minute) ..."
	$(BIN)/python -m sphinx -q -W --keep-going -E -d docs/_build/doctrees \
		$(ARGS) docs docs/_build/html
	@echo "open docs/_build/html/index.html"

notebook: $(VENV)/installed-docs
	@echo "running the tutorial (a minute) ..."
	$(BIN)/python docs/make_notebook.py

bench: $(VENV)/installed-bench
	$(BIN)/python scripts/benchmarks/benchmark.py $(ARGS)

fuzz: $(VENV)/installed-fuzz
	$(BIN)/python tests/fuzz.py --seconds $(SECONDS) $(ARGS)

soak: $(VENV)/installed-test
	$(BIN)/python tests/soak.py $(ARGS)

test: lint
	$(BIN)/python -m pytest $(PYTEST_WORKERS) $(ARGS)

test-quick: lint
	$(BIN)/python -m pytest $(PYTEST_WORKERS) -m "not slow" $(ARGS)

test-engines: $(VENV)/installed-engines
	$(BIN)/nox -f tests/noxfile.py $(if $(ONLY),-t $(ONLY)) -- $(PYTEST_WORKERS) $(ARGS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	test ! -e $(BIN)/mypy || $(BIN)/mypy # Python 3.10 and later

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/created: $(if $(filter $(WANTED),$(HERE)),,anew)
	$(if $(filter $(SUPPORTED),$(WANTED)),,$(error $(PYTHON): found $(or \
		$(WANTED:%=Python %),no Python that starts); expected Python 3.8 to 3.14))
	$(if $(filter $(WANTED),$(HERE)),,@echo "making a virtual environment in $(VENV) ..." && \
		$(PYTHON) -m venv $(if $(wildcard $(VENV)/pyvenv.cfg),--clear) $(VENV))
	@$(BIN)/python -c 'import pip' 2> /dev/null || $(BIN)/python -m ensurepip > /dev/null
	$(INSTALL) --upgrade pip # the pip of Python 3.8 may try versions forever
	touch $@

$(VENV)/installed: pyproject.toml setup.py $(VENV)/created
	@echo "installing what dlt needs (0.9 GB on disk, a minute or two the first time) ..."
	$(INSTALL) --editable .
	touch $@

$(VENV)/installed-engines: $(VENV)/created
	$(INSTALL) "nox>=2026.2"
	touch $@

$(VENV)/installed-%: $(VENV)/installed
	@echo "installing what [$*] needs ..."
	$(INSTALL) --editable ".[$*]"
	touch $@

clean:
	rm -rf $(VENV) .nox docs/_build build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache \
		.hypothesis
