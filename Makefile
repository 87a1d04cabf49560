# Each target sets up what it needs in .venv and is quick when nothing changed.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
UV := $(BIN)/uv pip install --quiet --python $(BIN)/python
export MLFLOW_DISABLE_TELEMETRY := true
export BENTOML_DO_NOT_TRACK := True

.DEFAULT_GOAL := help
.PHONY: help run test check check-all docs bench bench-models bench-serve soak serve lab lock clean

help: ## show this list
	@echo "make TARGET, where TARGET is one of"
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1\t\2/' | expand -t 10

.venv/uv.done:
	@echo "setting up .venv with $(PYTHON)"
	@$(PYTHON) -c 'import sys; sys.exit("Onje needs Python 3.11 or newer; say which with make PYTHON=...") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv
	@touch $@

.venv/run.done: .venv/uv.done locks/run.txt pyproject.toml
	@echo "installing what running needs"
	@$(UV) --require-hashes -r locks/run.txt
	@$(UV) --no-deps --no-build-isolation --editable .
	@touch $@

.venv/dev.done: .venv/run.done locks/dev.txt
	@echo "installing what development needs"
	@$(UV) --require-hashes -r locks/dev.txt
	@touch $@

run: .venv/run.done ## the whole loop on a year of groceries, then a service to ask (stays up)
	@$(BIN)/onje demo

serve: .venv/run.done ## start the service on what is already there
	@$(BIN)/onje serve

test: check ## everything that must hold: check, then all tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile

check-all: check ## check, then all tests with the long ones among them (needs PostgreSQL's server)
	@ONJE_REQUIRE_POSTGRES=1 $(BIN)/python -m pytest -n 2 --dist loadfile -m "long or not long"

check: .venv/dev.done ## format, lint, types, import rule, printed pages compared with code
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python -m pipelines.pages --check

docs: .venv/dev.done ## print the pages that come from code
	@$(BIN)/python -m pipelines.pages

bench: .venv/dev.done ## measure against floors and baselines, write docs/benchmarks.md
	@$(BIN)/python -m benchmarks $(ARGS)

bench-serve: .venv/dev.done ## the service on 500,000 customers, alone and 64 at once, beside doing nothing
	@$(BIN)/python -m benchmarks.serving $(ARGS)

soak: .venv/dev.done ## an hour of load, overload and killed workers: memory, open files, nothing lost
	@$(BIN)/python -m benchmarks.soak $(ARGS)

bench-models: .venv/dev.done ## every model beside its baselines and the peers' libraries, one table
	@$(BIN)/python -m benchmarks.models $(ARGS)

lab: .venv/dev.done ## open JupyterLab on the notebooks
	@$(BIN)/jupyter lab --notebook-dir=notebooks

lock: .venv/uv.done ## resolve the locks anew, with hashes and without index addresses
	@$(BIN)/uv pip compile pyproject.toml --quiet --all-extras --universal --python-version 3.11 --generate-hashes --no-header -o locks/dev.txt
	@$(BIN)/uv pip compile pyproject.toml --quiet --extra demo --universal --python-version 3.11 --generate-hashes --no-header -c locks/dev.txt -o locks/run.txt

clean: ## remove .venv, caches and build output (the data in .onje stays)
	@rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
