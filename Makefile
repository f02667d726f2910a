# The two commands of the README are `make verify` and `make test`; each works alone on a fresh machine.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
# With the packages that the integrations and the clusters are about; their tests skip without.
EVERYTHING := $(VENV)/.installed-everything
# With what the documentation site is built with.
SITE   := $(VENV)/.installed-docs
OUT    ?= report
# Files stay together, so that what a file makes for its tests is made once; who is done takes some.
SHARE  := --dist worksteal

# Tests start hundreds of processes: without bytecode each would compile 600 files again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: verify test test-all lint bench docs links clean

verify: $(STAMP)
	$(BIN)/epsrank verify --out $(OUT)

test: $(STAMP)
	HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-ci} $(BIN)/python -m pytest -n auto $(SHARE)

test-all: $(EVERYTHING)
	HYPOTHESIS_PROFILE=$${HYPOTHESIS_PROFILE:-thorough} $(BIN)/python -m pytest -n auto $(SHARE) tests tests/slow tests/gpu

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(STAMP)
	$(BIN)/epsrank bench

# Warnings are errors, -n asks for every reference; notebooks run again where their source changed.
docs: $(SITE)
	@# Pages that were read are not read again, so what was kept of a failed build would hide its warnings.
	$(BIN)/python -m sphinx -b html -n -W --keep-going -j auto docs build/docs || { rm -rf build/docs/.doctrees; exit 1; }
	@echo "the site: build/docs/index.html"

# The only target that asks the network: are the addresses that pages link to still there? Links
# within the site are checked by its tests.
links: docs
	$(BIN)/python -m sphinx -b linkcheck -n -j auto -d build/docs/.doctrees docs build/links

clean:
	rm -rf $(VENV) build dist docs/reference/generated .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "epsrank needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev]'
	@touch $@

$(SITE): $(STAMP)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev,docs]'
	@touch $@

$(EVERYTHING): $(STAMP)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all,dev,integrations,dask,ray]'
	@touch $@
