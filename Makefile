# SPDX-License-Identifier: MIT
# Sets up .venv by itself and installs only what a target needs.
#
#   make build     bitstream for the board (BOARD=tangnano20k)
#   make quick     a hard case of each test file, at most a minute
#   make test      the tests, a few minutes
#   make test-train  those of the trainer again, with PyTorch
#   make test-build  those of the build again, with nextpnr
#   make chat      chat with a board, or with the simulated one
#   make sim       rebuild the shipped compiled simulation
#   make release   renew the shipped bitstream from the last build, and its proof
#   make proof     prove the shipped bitstream, renew its proof.json (TOKENS=1000 MUTANTS=0)
#   make lint      ruff, mypy, import rules, walls
#   make figures   the table of README.md, from the last build (EVAL=folder: perplexities too)
#   make docs      run the commands in README.md and docs/ again, redraw the pictures
#   make fuzz      a coverage-guided fuzzer on every parser (SECONDS=30, all together)
#   make nightly   the tests with long runs and random examples; other seeds and lanes

VENV  := .venv
BIN   := $(VENV)/bin
BOARD := tangnano20k
PYTEST_ARGS := -n auto --dist worksteal
SECONDS := 30
TOKENS := 1000
MUTANTS := 0

.PHONY: build quick test test-train test-build chat sim release proof figures docs fuzz nightly lint clean system-python system-test

build: $(VENV)/.base $(VENV)/.build
	PYTHONPATH=tests $(BIN)/python -m support.shipping.rebuild_sim --check
	$(BIN)/glintfpga build --board $(BOARD)
	@PYTHONPATH=tests $(BIN)/python -m support.shipping.renew_release --board $(BOARD) --check || true

quick: system-test $(VENV)/.base $(VENV)/.test
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PYTEST_ARGS) -m quick

test: system-test $(VENV)/.base $(VENV)/.test
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PYTEST_ARGS)

test-train: system-test $(VENV)/.base $(VENV)/.test $(VENV)/.train $(VENV)/.torch
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PYTEST_ARGS) tests/train

test-build: system-test $(VENV)/.base $(VENV)/.test $(VENV)/.build
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PYTEST_ARGS) tests/boards/gowin tests/boards/test_floorplan.py

fuzz: $(VENV)/.base $(VENV)/.fuzz
	PYTHONPATH=tests $(BIN)/python tests/fuzz/fuzz.py $(SECONDS)

nightly: system-test $(VENV)/.base $(VENV)/.test $(VENV)/.build $(VENV)/.apio $(VENV)/.train $(VENV)/.torch $(VENV)/.fuzz
	PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/pytest $(PYTEST_ARGS) -m "" --hypothesis-profile=nightly
	PYTHONPATH=tests $(BIN)/python tests/fuzz/fuzz.py 600
	for seed in 2 3; do $(BIN)/glintfpga build --seed $$seed --out build/seed$$seed || exit; done
	$(BIN)/glintfpga build --lanes 2 --out build/lanes2
	$(BIN)/glintfpga build --lanes 8 --plan 9 --out build/lanes8

chat: $(VENV)/.base
	$(BIN)/glintfpga chat

sim: $(VENV)/.base $(VENV)/.dev
	PYTHONPATH=tests $(BIN)/python -m support.shipping.rebuild_sim

release: $(VENV)/.base $(VENV)/.build
	PYTHONPATH=tests $(BIN)/python -m support.shipping.renew_release --board $(BOARD)
	$(MAKE) proof

proof: PROOF := boards/release/$(BOARD)/proof.json
proof: system-python $(VENV)/.base $(VENV)/.prove
	@.ci/need iverilog=iverilog g++=g++
	$(BIN)/glintfpga prove --shipped --board $(BOARD) --tokens $(TOKENS) --mutants $(MUTANTS) --out $(PROOF)
	$(BIN)/python docs/proof_table.py $(PROOF)

figures: $(VENV)/.base $(VENV)/.build
	PYTHONPATH=tests $(BIN)/python docs/figures.py $(if $(EVAL),--eval $(EVAL))

docs: $(VENV)/.base
	$(BIN)/python docs/floorplan.py
	$(BIN)/python docs/pass_chart.py
	$(BIN)/python docs/record.py

lint: $(VENV)/.base $(VENV)/.test
	PATH="$(CURDIR)/$(BIN):$$PATH" .ci/lint

clean:
	rm -rf $(VENV) .typecheck build

system-python:
	@.ci/need python3=python3 ensurepip=python3-venv

system-test: system-python
	@.ci/need iverilog=iverilog g++=g++ chromium=chromium

$(BIN)/python: | system-python
	python3 -m venv $(VENV)

$(VENV)/.base: pyproject.toml | $(BIN)/python
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/.build $(VENV)/.prove $(VENV)/.test $(VENV)/.dev $(VENV)/.apio $(VENV)/.train $(VENV)/.torch $(VENV)/.fuzz: $(VENV)/.%: pyproject.toml | $(VENV)/.base
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[$*]'
	@touch $@
