# The index of commands. `make help` lists them; CI calls the same ones.
BIN := .venv/bin
# With ELFPACK_LOCKED set only what tools/locked names is installed.
LOCKED := $(if $(ELFPACK_LOCKED),$(wildcard tools/locked/*))
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo dev fmt lint types test oracle docker hostile fuzz faults bench sizes fixtures \
	lowest lock repro dist clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS='	' read -r name text; do \
		printf '%-10s %s\n' "$$name" "$$text"; done

.venv/ready: pyproject.toml tools/setup $(LOCKED)
	@sh tools/setup
	@touch $@

.venv/ready-dev: pyproject.toml tools/setup $(LOCKED)
	@sh tools/setup dev
	@touch $@ .venv/ready

demo: .venv/ready ## show the main job: deps, layer, and a container if an engine answers
	@sh tools/demo

dev: .venv/ready-dev ## set up .venv with all that development needs

fmt: .venv/ready-dev ## format the code
	@$(BIN)/ruff format elfpack examples tests tools
	@$(BIN)/ruff check --fix elfpack examples tests tools

lint: .venv/ready-dev ## check style
	@$(BIN)/ruff format --check elfpack examples tests tools
	@$(BIN)/ruff check --output-format concise elfpack examples tests tools

types: .venv/ready-dev ## check types, strictly
	@$(BIN)/mypy

test: .venv/ready-dev ## unit and contract tests: no compiler, no network, no engine needed
	@$(PYTEST) tests/unit tests/contract

oracle: .venv/ready-dev ## compare with the real loaders (needs gcc, musl-gcc, qemu, apt and root)
	@$(PYTEST) tests/oracle

hostile: .venv/ready-dev ## watch by strace that hostile files lead nowhere and run nothing (needs strace and root)
	@$(PYTEST) tests/hostile

docker: .venv/ready-dev ## run layers and images in a real Docker engine (needs one, gcc, skopeo, umoci, podman)
	@$(PYTEST) tests/docker

fuzz: .venv/ready-dev ## damaged files of every format by the hundred thousand (FUZZ=--short: fewer)
	@sh tools/setup dev,fuzz || echo "fuzz: atheris cannot be installed: nothing is guided by coverage"
	@$(BIN)/python -m tools.fuzz $(FUZZ)

faults: .venv/ready-dev ## let one call after the other fail, and kill at any (needs strace; FAULTS=--short)
	@$(BIN)/python -m tools.faults $(FAULTS)

bench: .venv/ready-dev ## measure against ldd and other peers, into BENCHMARKS.md (BENCH=--quick only tries)
	@$(BIN)/python -m tools.bench $(or $(BENCH),--write)

sizes: .venv/ready-dev ## measure the README's tables of sizes (needs gcc, musl-gcc, busybox, curl, python3)
	@$(BIN)/python tools/sizes.py

fixtures: ## build tests/fixtures from their sources (needs cross compilers)
	@sh tests/fixtures/build

lock: ## pin what continuous integration installs, with hashes, anew
	@sh tools/lock

lowest: ## run the tests with the lowest versions that pyproject.toml allows
	@sh tools/lowest

repro: .venv/ready-dev ## write every form of output under other circumstances and compare the bytes
	@$(BIN)/python tools/pyz.py .venv/elfpack.pyz
	@$(BIN)/python tools/repro.py .venv/elfpack.pyz

dist: .venv/ready-dev ## build wheel and sdist, install each in an empty place, try it there
	@sh tools/dist

clean: ## remove what was built
	@rm -rf .venv build dist elfpack.egg-info .pytest_cache .mypy_cache .ruff_cache
