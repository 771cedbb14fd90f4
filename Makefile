# `make demo` and `make test` do all the set-up themselves, in .venv.
#   make demo    a real training experiment on this machine
#   make test    every test; ENGINES=install first installs what some of them need
#   make check   style, types and the rooms' walls
#   make bench   the figures of bench/README.md
#   make faults  every point at which a run can be killed, crowds, full disks: docs/reliability.md
#   make fuzz    damaged files, for five minutes
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
TESTS ?=
# One worker a core; the tests share nothing.
JOBS ?= auto

.PHONY: demo test check bench faults fuzz engines clean

demo: $(VENV)/demo.stamp
	@$(BIN)/python examples/digits.py
	@echo "nemo-run is in $(BIN); put it on the PATH with:  . $(BIN)/activate"

test: check engines
	$(BIN)/python -m pytest -n $(JOBS) $(TESTS)

check: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/dev.stamp
	$(BIN)/python bench/run.py

# One of so many points is tried; FAULTS=1 tries each, some 1,500.
FAULTS ?= 4
faults: $(VENV)/dev.stamp
	$(BIN)/python tests/faults/crowd.py --each $$((20 / $(FAULTS)))
	@unshare -rm true 2>/dev/null || echo "Full disks are left out: nobody may mount one here."
	! unshare -rm true 2>/dev/null || unshare -rm $(BIN)/python tests/faults/full_disk.py
	$(BIN)/python tests/faults/campaign.py --every $(FAULTS)

fuzz: $(VENV)/dev.stamp
	$(BIN)/python tests/faults/fuzz.py --seconds 300 --seed $$$$

# With CI=true or ENGINES=install the programs that some tests need are installed; elsewhere those
# tests run where they are found, and say so where they are not.
engines: $(VENV)/dev.stamp
	@if [ "$(CI)" = true ] || [ "$(ENGINES)" = install ]; then CI="$(CI)" $(BIN)/python tests/install_engines.py; fi

# Stamps, not $(BIN)/python itself: that is a link, and touching it touches the system's Python.
$(VENV)/venv.stamp: tools/make_venv.py
	@command -v "$(PYTHON)" >/dev/null || { \
		echo "NeMo Run needs Python 3.10 or newer, and there is no $(PYTHON) here." >&2; \
		echo "Name another one: make PYTHON=python3.12 …" >&2; exit 2; }
	@echo "Making a virtual environment in $(VENV)"
	@"$(PYTHON)" tools/make_venv.py "$(VENV)"
	@touch $@

$(VENV)/demo.stamp: $(VENV)/venv.stamp pyproject.toml
	@echo "Setting up $(VENV) (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo]'
	@touch $@

$(VENV)/dev.stamp: $(VENV)/venv.stamp pyproject.toml
	@echo "Setting up $(VENV) for development (once)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ $(VENV)/demo.stamp

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis dist build
