# `make run` and `make test` do all the set-up there is.  Needs Python 3.11 or newer, and make.

PYTHON ?= $(shell for python in python3.13 python3.12 python3.11 python3; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$python && break; done)
VENV := .venv
BIN := $(VENV)/bin

.PHONY: run test test-fast test-faults check format bench screenshots clean

run: $(VENV)/.installed
	$(BIN)/sda-tui --demo

test: $(VENV)/.installed
	$(BIN)/pytest

test-fast: $(VENV)/.installed
	$(BIN)/pytest -m "not slow and not audio" --timeout 60

test-faults: $(VENV)/.installed
	$(BIN)/python -m tests.faults

check: $(VENV)/.installed
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.installed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(VENV)/.installed
	$(BIN)/python benchmarks/inversion.py
	$(BIN)/python benchmarks/cancel.py
	$(BIN)/python benchmarks/threads.py
	$(BIN)/python benchmarks/sizes.py
	$(BIN)/python benchmarks/snapshot.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/quality.py

screenshots: $(VENV)/.installed
	$(BIN)/python screenshots/make.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# uv installs the five gigabytes of PyTorch in seconds where pip takes minutes, and compiles them for all time:
# where Python may not keep its bytecode, as in many containers, each start would compile PyTorch again.
$(VENV)/.installed: pyproject.toml
	@test -n "$(PYTHON)" || { echo "sda-tui needs Python 3.11 or newer; install it, or name it: make run PYTHON=/path/to/python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	VIRTUAL_ENV=$(CURDIR)/$(VENV) $(BIN)/uv pip install --quiet --compile-bytecode --editable '.[dev]'
	touch $@
