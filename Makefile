# Targets for users, developers and CI. `make help` lists them.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help demo serve servers clients tracker test test-fast check format soak bench instructions clickstream lock clean

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | sort

.venv/runtime: requirements/runtime.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Headrace needs Python 3.11 or newer; if it has another name, run make PYTHON=python3.12." >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo "This Python cannot create virtual environments: install the package python3-venv." >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/runtime.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

.venv/dev: .venv/runtime requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@

demo: .venv/runtime ## Install, start a server, send real events, show the traces and what is stored
	$(BIN)/headrace demo

serve: .venv/runtime ## Serve the starter project on http://127.0.0.1:8686
	$(BIN)/headrace serve flows/starter --store sqlite:$(CURDIR)/headrace.db

servers: ## Download the Elasticsearch servers for the tests (needs Java and Maven)
	@$(PYTHON) -m tests.servers

clients: .venv/dev ## Install the published clients for the tests (needs Node, npm and Chromium)
	@$(BIN)/python -m tests.clients

tracker: ## Build the tracker for pages, api/static/headrace.js (needs Node and npm)
	cd tracker && npm ci --ignore-scripts --no-audit --no-fund && npx --no-install tsc -p . && node build.cjs ../api/static/headrace.js

test: .venv/dev servers clients ## Run all tests, in two processes side by side
	$(BIN)/python -m tests

test-fast: .venv/dev ## Run the tests that need no server and no process of their own, with fewer cases: under two minutes
	$(BIN)/python -m tests --fast

check: .venv/dev ## Check format, lint, types, layers, generated docs, the starter project and its flow tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python docs/generate.py --check
	$(BIN)/headrace check flows/starter
	$(BIN)/headrace test flows/starter

format: .venv/dev ## Format all files and fix lint errors
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

soak: .venv/dev ## Run the long tests: 50 kills under load, 100,000 identity histories
	$(BIN)/pytest -m soak

bench: .venv/dev ## Measure /track against a bare handler, and the engine alone (needs wrk)
	$(BIN)/python -m benchmarks.bench

instructions: .venv/dev ## Count the instructions per event of the whole server (needs valgrind; three minutes)
	$(BIN)/python -m benchmarks.instructions

clickstream: .venv/dev ## Send 31,106 real events and compare the profiles with a separate computation
	$(BIN)/python -m benchmarks.clickstream

lock: ## Pin the requirements again, with hashes (needs uv)
	cd requirements && for f in runtime js otel dev clients clients-build; do uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --constraint pinned.in $$f.in -o $$f.txt; done

clean: ## Remove the virtual environment and all caches
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis build *.egg-info
