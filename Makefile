# make train : train on MNIST, or on the embedded digits where MNIST cannot be had
# make test  : lint, tests, doctests and every script as a process, on up to four cores
# make test-quick : the same without what is long by nature, such as the browser and the soak
# make test-engines : the tests on every Python found here, or on ONLY="newest oldest" or ONLY=3.12
# make docs  : run the tutorial and build the HTML pages, including the API reference
# make notebook : run docs/getting_started.md and keep its results in docs/getting_started.ipynb
# make bench : time dlt and its peers on the same work (docs/performance.md)
# make fuzz  : look for files that a reader cannot stand, SECONDS=60 for each reader
# make soak  : kill, starve and confuse 200 runs, and count what is lost (docs/reliability.md)
# make data  : fetch MNIST into data/
# Each makes its own virtual environment, from $(PYTHON), and installs what it needs.

PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
# Errors are told, warnings are not: pip gives one for every editable installation. It is brought up
# to date first, as that of Python 3.8 may try out versions for ever.
INSTALL = $(BIN)/python -m pip install -qq
ARGS ?=
# The tests of one file stay together: they share what is slow to make.
PYTEST_WORKERS ?= --numprocesses auto --maxprocesses 4 --dist loadfile
SECONDS ?= 60

.PHONY: train test test-quick test-engines docs notebook bench fuzz soak data lint format clean

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

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

$(VENV)/created:
	@echo "making a virtual environment in $(VENV) ..."
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) --upgrade pip
	touch $@

$(VENV)/installed: setup.py $(VENV)/created
	@echo "installing what dlt needs (0.9 GB on disk, a minute or two the first time) ..."
	$(INSTALL) --editable .
	touch $@

$(VENV)/installed-test: $(VENV)/installed
	@echo "installing what the tests need ..."
	$(INSTALL) --editable ".[test]"
	touch $@

$(VENV)/installed-engines: $(VENV)/created
	$(INSTALL) "nox>=2026.2"
	touch $@

$(VENV)/installed-docs: $(VENV)/installed
	@echo "installing what builds the docs (Python 3.9 and later) ..."
	$(INSTALL) --editable ".[docs]"
	touch $@

$(VENV)/installed-bench: $(VENV)/installed
	@echo "installing what the benchmark needs (PyTorch is measured if you install it too) ..."
	$(INSTALL) --editable ".[bench]"
	touch $@

$(VENV)/installed-fuzz: $(VENV)/installed
	@echo "installing what fuzzing needs ..."
	$(INSTALL) --editable ".[fuzz]"
	touch $@

clean:
	rm -rf $(VENV) .nox docs/_build build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
