# The first `make run` or `make test` makes $(VENV) and installs into it; the next ones only check.
# Another Python: make test PYTHON=python3.12 VENV=.venv-3.12

VENV ?= .venv
BIN := $(VENV)/bin
SAMPLE ?= samples/interruptions.py
ARGS ?= --stand-in samples/callers/interrupts.wav --out out
TESTS ?= tests
FUZZ ?= 100000
JOBS ?= auto
PAGE := samples/page
EXTRAS ?= local,console,dev,providers
PIP := $(BIN)/python -m pip --disable-pip-version-check
LIST_MODULES := { pwd; ls -d build/__editable__.antiphon-* 2>/dev/null; \
	find agent pipeline nodes -type f ! -name '*.pyc' | LC_ALL=C sort; }

.PHONY: help run test check bench bench-room bench-console providers-table fuzz wheel livekit-server rooms page browser clean install FORCE
.DELETE_ON_ERROR:

help:
	@echo "make run      talk to it at the microphone; without one, a recorded caller does (ARGS=--text to write)"
	@echo "make test     run the tests (TESTS=tests/pipeline for some of them, JOBS=1 in one process)"
	@echo "make check    formatting, lint, types and the layers"
	@echo "make bench    measure, next to LiveKit's own session"
	@echo "make bench-room   the same at a caller's ear, in a room of a real server"
	@echo "make bench-console   the same at a microphone and a speaker, on a virtual sound card"
	@echo "make providers-table   try every language model of the documentation and write README's tables"
	@echo "make fuzz     run FUZZ=$(FUZZ) random interleavings"
	@echo "make wheel    build the wheel and try it in a clean environment"
	@echo "make livekit-server   build the server that the tests of rooms talk to, once"
	@echo "make rooms    run that server, for agents and pages on this machine"
	@echo "make page     serve a page to talk with an agent from (ARGS=--port 8090)"
	@echo "make browser  install the browser that the tests of pages need"
	@echo "make clean    remove caches and results"
	@echo "PYTHON=python3.12 VENV=.venv-3.12 choose another interpreter"

run: install
	$(BIN)/antiphon console $(SAMPLE) $(ARGS)

test: install
	@for place in $(TESTS); do [ -e "$${place%%::*}" ] || { echo "there is no $$place"; exit 2; }; done
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(TESTS) $(PYTEST_ARGS)

# The package is checked by its installed name: its classes would otherwise exist twice for mypy.
check: install
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m ruff check .
	$(BIN)/python -m mypy -p antiphon
	$(BIN)/python -m mypy $(wildcard tests samples bench)
	$(BIN)/python -m pytest -q tests/test_layers.py

bench: install
	$(BIN)/python -m bench

bench-room: install livekit-server
	$(BIN)/python -m bench.room

bench-console: install
	$(BIN)/python -m bench.console

providers-table: install
	$(BIN)/antiphon conformance --write README.md

fuzz: install
	ANTIPHON_FUZZ=$(FUZZ) $(BIN)/python -m pytest tests/behaviours -n $(JOBS) -k fuzz --timeout=0 $(PYTEST_ARGS)

wheel: install
	.ci/wheel $(BIN)/python

livekit-server:
	@.ci/livekit-server

rooms: livekit-server
	@.ci/livekit-server run

page: install $(PAGE)/built/page.js
	@$(BIN)/python $(PAGE)/serve.py $(if $(filter file,$(origin ARGS)),,$(ARGS))

browser: $(PAGE)/built/page.js
	@.ci/browser chromium

$(PAGE)/built/page.js: $(PAGE)/page.jsx $(PAGE)/package-lock.json
	@.ci/browser npm
	@cd $(PAGE) && npm ci --silent && npm run --silent build -- --log-level=warning

# build/ holds the links of the editable install: without it the package is gone.
clean:
	rm -rf .mypy_cache .ruff_cache .pytest_cache dist out
	find agent pipeline nodes tests samples bench -name __pycache__ -prune -exec rm -rf {} +

install: $(VENV)/.installed

$(VENV)/.dependencies: pyproject.toml .ci/venv .ci/install
	@PYTHON="$(PYTHON)" .ci/venv $(VENV)
	@echo "==> installing antiphon and what it needs (the first time takes a minute or two)"
	@.ci/install $(PIP) install "setuptools>=77" -e ".[$(EXTRAS)]"
	@touch $@

# A strict editable install is a tree of links, one for each module there was when it was made:
# a new, renamed or lost module, a moved checkout or a lost build/ means linking again.
$(VENV)/.modules: $(VENV)/.dependencies FORCE
	@$(LIST_MODULES) > $@.new
	@if cmp -s $@.new $@; then rm $@.new; else mv $@.new $@; fi

$(VENV)/.installed: $(VENV)/.modules
	@echo "==> linking the modules into $(VENV)"
	@$(PIP) install --quiet --no-deps --no-build-isolation -e .
	@$(LIST_MODULES) > $(VENV)/.modules
	@touch $@
