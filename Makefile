# Each target builds .venv first if it has to; a fresh Debian, Ubuntu or macOS needs make and Python 3.11+.

TORCH ?= torch==2.13.0
PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3.13 python3.14 python3,$(if $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(p))))
EXIT ?=
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help install demo test lint bench clean

help:
	@echo "make install     build .venv (TORCH='$(TORCH)' can be overridden)"
	@echo "make demo        train the bundled scene and serve it until Ctrl-C; EXIT=1 stops after training"
	@echo "make test        lint, types and every test"
	@echo "make bench       the quick benchmarks"

install: $(STAMP)

$(STAMP): pyproject.toml constraints.txt scripts/system_packages.sh
	@if [ -z "$(PYTHON)" ]; then echo "expected Python 3.11 or later on the PATH, found none: install python3 (3.11+), or make PYTHON=/path/to/python3" >&2; exit 2; fi
	@sh scripts/system_packages.sh install $(PYTHON)
	@echo "installing '$(TORCH)': on Linux x86-64 the default package index answers with a CUDA build (several GB)"
	@echo "unless pip is configured otherwise; macOS gets a CPU build. To choose: make install TORCH='torch==2.13.0+cpu'"
	@echo "with PIP_EXTRA_INDEX_URL set to PyTorch's index of CPU wheels, or TORCH=/path/to/a/wheel."
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt '$(TORCH)'
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $(STAMP)

demo: install
	$(BIN)/darb3d train data/samples/banana --minutes 1.5 $(if $(EXIT),--exit)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

test: lint
	@sh scripts/system_packages.sh browser
	$(BIN)/python -m pytest

bench: install
	$(BIN)/python -m benchmarks.render --quick
	$(BIN)/python -m benchmarks.step data/samples/banana --quick

clean:
	rm -rf .venv build *.egg-info
