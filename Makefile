PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
ifeq ($(OS),Windows_NT)
BIN := $(VENV)/Scripts
endif

.PHONY: demo test bench bench-mutation docs clean

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[probe]' -c constraints.txt
	touch $@

$(VENV)/.test-installed: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --group test -c constraints.txt
	touch $@

demo: $(VENV)/.installed  ## set up, and show what losslint finds in sound and in planted code
	$(BIN)/python scripts/demo.py

test: $(VENV)/.test-installed  ## every check and every test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m losslint check losslint rules tests scripts
	$(BIN)/python scripts/rule_pages.py --check
	$(BIN)/python -m pytest

docs: $(VENV)/.installed  ## write the rule pages again
	$(BIN)/python scripts/rule_pages.py

bench: $(VENV)/.installed  ## figures on published packages: finder, precision, speed, probe
	$(BIN)/python benchmarks/finder.py
	$(BIN)/python benchmarks/precision.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/probe.py

bench-mutation: $(VENV)/.installed  ## the share of planted hazards that is found; runs are remembered
	$(BIN)/python benchmarks/mutation.py

clean:
	rm -rf $(VENV)
