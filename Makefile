# `make train` and `make test` install what they need into .venv first; ARGS goes on to the command.
PYTHON ?= python3
VENV := .venv
INSTALLED := $(VENV)/.installed
ARGS ?=

.PHONY: train test
train: $(INSTALLED)
	$(VENV)/bin/ibbench train $(ARGS)

# The tests marked `alone` time something: they run after the others, with all cores. ARGS may leave one of the two
# calls without any test, which is pytest's exit code 5.
test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(VENV)/bin/python -m pytest --numprocesses 2 -m "not alone" $(ARGS) $(if $(ARGS),|| [ $$? = 5 ])
	$(VENV)/bin/python -m pytest -m alone $(ARGS) $(if $(ARGS),|| [ $$? = 5 ])

$(INSTALLED): pyproject.toml constraints.txt hatch_build.py
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@
