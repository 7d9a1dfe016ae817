# `make` lists the targets. Each target sets up what it needs; you need Python 3.10+, make and git.
#
#   PYTHON=3.12 make test    another interpreter (a version, a command or a path), in its own environment
#   make test ARGS="-k turn" more arguments for the command behind demo and test

PYTHON ?=
ARGS ?=
VENV := $(if $(PYTHON),.venvs/$(notdir $(PYTHON)),.venv)
BIN := $(VENV)/bin
READY := $(VENV)/.ready
PLUGIN := livekit-plugins-cartesia-turns
unexport VIRTUAL_ENV

LOWEST := $(shell sed -n '/^dependencies/,/^]/s/^  "\([a-z-]*\)>=\([0-9.]*\)[^"]*",$$/\1==\2/p' $(PLUGIN)/pyproject.toml)

SOCKET_TESTS := tests/unit/net tests/unit/stream \
	$(addprefix tests/unit/server/test_,app.py endpoint.py session.py faults.py)

.PHONY: help install demo room vendors test test-lowest test-next test-uvloop check format docs fuzz soak bench clean

help: ## List the targets
	@sed -n 's/^\([a-z-]*\):[^#]*## \(.*\)/\1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '  make %-12s %s\n' "$$name" "$$text"; done

install: $(READY) ## Set up the environment, including uv

demo: $(READY) ## Show recorded speech becoming turns, with a local server: no key, no internet
	@$(BIN)/python examples/transcribe.py $(ARGS)

room: $(READY) ## Talk to the agent in a browser; the LiveKit room, the agent and the page run on this machine
	@$(BIN)/python examples/talk.py $(ARGS)

vendors: $(READY) ## Install the OpenAI and Cartesia plugins, for the example agent and for comparisons in make bench
	@.ci/setup $(VENV) "$(PYTHON)" livekit-plugins-openai livekit-plugins-cartesia

test: $(READY) ## Run the tests except the slow ones, two at a time; ARGS replaces these pytest arguments
	@$(BIN)/python -m pytest $(or $(ARGS),-n 2 --dist loadfile -m "not slow and not room")
	@$(if $(ARGS),,$(BIN)/python -m pytest -m "room and not slow")

test-lowest: ## Run the quick tests with the lowest supported livekit-agents and aiohttp
	@.ci/setup .venvs/lowest "$(PYTHON)" $(LOWEST) opentelemetry-exporter-prometheus  # one that fits the others
	@.venvs/lowest/bin/python -m pytest -m "not slow and not room and not newest" --ignore tests/examples --ignore tests/room $(ARGS)

test-next: ## Run the quick tests with the newest livekit-agents, including pre-releases of 2.0
	@UNBOUNDED=1 .ci/setup .venvs/next "$(PYTHON)" --upgrade-package livekit-agents "livekit-agents>=2.0.0a0"
	@.venvs/next/bin/python -m pytest -m "not slow and not room" --ignore tests/examples --ignore tests/room $(ARGS)

test-uvloop: $(READY) ## Run the socket tests on uvloop; LOOP=uvloop runs any test on it
	@LOOP=uvloop $(BIN)/python -m pytest -m "not slow" $(or $(ARGS),$(SOCKET_TESTS))

check: $(READY) ## Check format, lint and types without changing files
	@$(BIN)/ruff format --quiet --diff .
	@$(BIN)/ruff check --quiet .
	@$(BIN)/mypy

format: $(READY) ## Format the code and fix what the linter can fix
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

docs: $(READY) ## Build the documentation into .artifacts/docs; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict --config-file $(PLUGIN)/mkdocs.yml
	@echo "open .artifacts/docs/index.html"

fuzz: $(READY) ## Fuzz the parsers and the client, for ten minutes or ARGS seconds
	@cd tests && ../$(BIN)/python -m tools.fuzz $(or $(ARGS),600)

soak: $(READY) ## Run 100 calls for ten minutes with random faults; ARGS="--streams 40 --seconds 60"
	@cd tests && ../$(BIN)/python -m tools.soak $(ARGS)

bench: $(READY) ## Compare the plugin with other STTs, for 24 minutes; ARGS="--only audio,cpu --quick", ARGS="--check FILE"
	@PYTHONPATH=tests $(BIN)/python -m tools.bench $(ARGS)

clean: ## Remove environments and caches
	rm -rf .venv .venvs .tools .artifacts .mypy_cache .pytest_cache .ruff_cache .hypothesis dist uv.lock
	rm -rf examples/web/node_modules examples/web/dist

# Runs again only when a dependency may have changed.
$(READY): pyproject.toml $(PLUGIN)/pyproject.toml examples/pyproject.toml .ci/setup .ci/tools.txt .ci/find-python
	@.ci/setup $(VENV) $(PYTHON)
	@touch $@
