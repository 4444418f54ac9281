# Each target builds .venv first if it has to; a fresh Debian, Ubuntu or macOS needs make and Python 3.11+.

STAMP := .venv/.installed
# once chosen, a build of torch stays
TORCH ?= $(or $(shell cat $(STAMP) 2>/dev/null),torch==2.13.0)
PYTHON ?= $(firstword $(foreach p,python3.12 python3.11 python3.13 python3.14 python3,$(if $(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo yes),$(p))))
EXIT ?=
# processes that test side by side
WORKERS ?= 2
BIN := .venv/bin

.PHONY: help install demo test lint fuzz soak bench bench-full clean chosen

help:
	@echo "make install   build .venv; TORCH='$(TORCH)' and PYTHON='$(PYTHON)' can be overridden"
	@echo "make demo      train the bundled scene and serve it until Ctrl-C; EXIT=1 stops after training"
	@echo "make test      lint, types and every test"
	@echo "make fuzz      twenty thousand spoilt files for each reader"
	@echo "make soak      trainings killed at fifty moments, each continued; ten minutes of pages that come and go"
	@echo "make bench     the quick benchmarks, and what the long ones found"
	@echo "make bench-full  continue the tables of kernels and options; SCENES=FOLDER holds fox and sceaux, which cannot be bundled"

install: $(STAMP)

ifneq ($(TORCH),$(shell cat $(STAMP) 2>/dev/null))
$(STAMP): chosen
endif

$(STAMP): pyproject.toml constraints.txt scripts/install.sh
	@sh scripts/install.sh '$(PYTHON)' '$(TORCH)'

demo: install
	$(BIN)/darb3d train data/samples/banana --minutes 1.25 $(if $(EXIT),--exit)

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright

test: lint
	@sh scripts/system_packages.sh browser
	$(BIN)/python -m pytest -m 'not slow and not alone' -n $(WORKERS) --dist loadfile --durations=40 --durations-min=3
	$(BIN)/python -m pytest -m 'alone and not slow' --durations=10 --durations-min=3

fuzz: install
	DARB3D_FUZZ=20000 $(BIN)/python -m pytest tests/data -k spoilt

soak: install
	DARB3D_SOAK=50 $(BIN)/python -m pytest tests/app/test_soak.py
	DARB3D_SOAK_MINUTES=10 $(BIN)/python -m pytest -s tests/app/test_viewer_soak.py

bench: install
	$(BIN)/python -m benchmarks.render --quick
	$(BIN)/python -m benchmarks.step data/samples/banana --quick
	$(BIN)/python -m benchmarks.limit data/samples/banana --data-factor 1
	$(BIN)/python -m benchmarks.opensplat data/samples/banana --quick
	$(BIN)/python -m benchmarks.scaling --quick
	$(BIN)/python -m benchmarks.memory data/samples/banana
	$(BIN)/python -m benchmarks.startup data/samples/banana --rounds 3
	$(BIN)/python -m benchmarks.kernel_cost --rounds 3
	$(BIN)/python -m benchmarks.pointcloud --quick
	$(BIN)/python -m benchmarks.quality --table
	$(BIN)/python -m benchmarks.kernels --table
	$(BIN)/python -m benchmarks.ablation --table
	$(BIN)/python -m benchmarks.folds --table

bench-full: install
	$(BIN)/python -m benchmarks.kernels $(if $(SCENES),--fox '$(SCENES)/fox',--scene banana synth_room)
	$(BIN)/python -m benchmarks.ablation $(if $(SCENES),--scenes '$(SCENES)')

clean:
	rm -rf .venv build *.egg-info
