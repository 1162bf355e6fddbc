# Two commands matter: `make book` and `make test`. Each installs what it needs, once.

PYTHON  ?= python3
PROFILE ?= laptop
VENV    := .venv
STAMP   := $(VENV)/.stamp
# Processes side by side, of one thread each: threads of two would slow each other tenfold.
PYTEST  := OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(VENV)/bin/python -m pytest -q -n logical --maxprocesses 4

.DEFAULT_GOAL := help
.PHONY: help book pdf test test-all lint bench bench-gpu claims paper clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
	@echo "  (PROFILE=smoke|laptop|paper chooses how long the notebooks train; now: $(PROFILE))"

book: $(STAMP) ## run the notebooks and build the book (minutes; the first time also installs)
	$(VENV)/bin/celsa book --profile $(PROFILE)

pdf: $(STAMP) ## the book, and all of it as one file, build/celsa.pdf (needs chromium)
	$(VENV)/bin/celsa book --profile $(PROFILE) --pdf

test: lint ## check style and spelling, run the tests
	$(PYTEST) -m "not slow"

test-all: lint ## the same with the suites that take minutes each
	$(PYTEST)

lint: $(STAMP) ## check the style and the spelling only
	$(VENV)/bin/ruff check .
	$(VENV)/bin/codespell

bench-gpu: $(STAMP) ## measure training on a CUDA GPU
	$(VENV)/bin/python benchmarks/gpu_cost.py

bench: $(STAMP) ## measure costs, store them in results/ (half an hour, on an idle machine)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check compresso-recsys==0.3.7
	$(VENV)/bin/python benchmarks/training_cost.py
	$(VENV)/bin/python benchmarks/inference_cost.py
	$(VENV)/bin/python benchmarks/packed_cost.py
	$(VENV)/bin/python benchmarks/bfloat16_effect.py
	$(VENV)/bin/python benchmarks/cache_reads.py
	$(VENV)/bin/python benchmarks/netflix_memory.py

claims: $(STAMP) ## judge the paper's claims by results/, write results/claims.json
	$(VENV)/bin/celsa claims

paper: $(STAMP) ## the notebooks at the paper's settings (hours; a GPU helps)
	$(VENV)/bin/celsa book --profile paper

clean: ## remove build outputs (the environment stays; rm -r .venv removes it)
	rm -rf build dist *.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(STAMP): requirements.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { \
		echo "make: there is no '$(PYTHON)'; install Python 3.11 or later, or name one: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "make: celsa needs Python 3.11 or later, '$(PYTHON)' is $$($(PYTHON) -V 2>&1); name another: make PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: '$(PYTHON)' cannot make environments; on Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
	@echo "Installing into $(VENV) (once; a few minutes, about 2 GB) ..."
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --progress-bar on -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation --no-deps -e .
	@touch $@
