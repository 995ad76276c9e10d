# Needs Python 3.11 or later and make. Everything else is installed into .venv and .venv-gen, as pinned by
# requirements/, the first time that a target wants it.

PYTHON ?= python3
PORT ?= 7460
DATA ?= ./data
WORKERS ?= 3
# What `make breaking` compares the contract with.
AGAINST ?= origin/main
# Only for `make requirements`.
UV ?= uv

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
PIP_INSTALL := -m pip --disable-pip-version-check install -qq
COMPILE := pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-emit-package casetrail

.PHONY: help setup gen lint format test demo up bench breaking requirements clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: .venv/.ready .venv-gen/.ready ## install everything into .venv and .venv-gen

gen: setup ## generate the client's code from proto/
	@$(BIN)/python scripts/generate.py

lint: setup ## style, types, imports, contract, generated code
	@echo "ruff";         $(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@echo "mypy";         $(BIN)/mypy --no-error-summary
	@echo "lint-imports"; out=$$($(BIN)/lint-imports 2>&1) || { echo "$$out"; exit 1; }
	@echo "buf lint";     $(BIN)/python scripts/generate.py --image build/contract.binpb; \
		$(BIN)/buf lint build/contract.binpb --config buf.yaml
	@echo "generated";    $(BIN)/python scripts/generate.py --check

format: .venv/.ready ## format the code and repair what can be repaired
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

# Much of a test is waiting for another program: more run at a time than there are processors. Those of a file share servers,
# and stay together. What is started hundreds of times is compiled once, whatever the environment says.
test: .venv/.ready ## run the tests (ARGS="-k name", WORKERS=0 for one by one)
	@env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(ARGS)

demo: .venv/.ready ## see one case from the first message to the proof
	@exec $(BIN)/python -m embedded demo $(ARGS)

up: .venv/.ready ## run the whole stack here (PORT, DATA); Ctrl-C ends it
	@exec $(BIN)/python scripts/foreground.py $(BIN)/python -m embedded up --port $(PORT) --data "$(DATA)" $(ARGS)

bench: .venv/.ready ## measure throughput and latency
	@exec $(BIN)/python -m benchmarks $(ARGS)

breaking: setup ## is the contract compatible with that of AGAINST?
	@rm -rf build/against && mkdir -p build/against
	@git archive "$(AGAINST)" proto | tar -x -C build/against
	@$(BIN)/python scripts/generate.py --image build/contract.binpb
	@$(BIN)/python scripts/generate.py --proto build/against/proto --image build/against.binpb
	@$(BIN)/buf breaking build/contract.binpb --against build/against.binpb --config buf.yaml

requirements: ## pin the newest versions that fit pyproject.toml (needs uv)
	@$(UV) $(COMPILE) --upgrade pyproject.toml -o requirements/runtime.txt
	@$(UV) $(COMPILE) --upgrade pyproject.toml --group dev -c requirements/runtime.txt -o requirements/dev.txt
	@$(UV) $(COMPILE) --upgrade --group generators -o requirements/generators.txt

clean: ## remove environments, caches and build output; keeps DATA
	@rm -rf .venv .venv-gen build dist client/dist verify/dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis \
		.import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Requirements first, with hashes; then the three distributions, in place, which hashes do not go with. The programs of the
# application (casetrail-db) find its modules by the folder's name in a .pth file.
.venv/.ready: .venv/.requirements pyproject.toml client/pyproject.toml verify/pyproject.toml
	@$(BIN)/python $(PIP_INSTALL) --no-deps --no-build-isolation -e ./client -e ./verify -e .
	@echo "$(CURDIR)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/casetrail_engine_folder.pth"
	@touch $@

.venv/.requirements: requirements/dev.txt
	$(call environment,.venv,$<)

.venv-gen/.ready: requirements/generators.txt
	$(call environment,.venv-gen,$<)

# $(1): folder of the environment, $(2): its requirements
define environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Casetrail needs Python 3.11 or later; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || true)." >&2; \
		echo "Name another one: make PYTHON=/path/to/python3.11 …" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' lacks the venv module (on Debian and Ubuntu: apt install python3-venv)." >&2; exit 1; }
	@echo "Installing $(2) into $(1) …"
	@$(PYTHON) -m venv $(1)
	@$(1)/bin/python $(PIP_INSTALL) --require-hashes -r $(2)
	@touch $@
endef
