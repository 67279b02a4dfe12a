# qnn: `make help` lists what there is. Everything runs in .venv, which is made on first use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
JOBS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint pictures bench accuracy firmware flash monitor verify-board flash-verify clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv and install qnn with everything into it

$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { echo "make: $(PYTHON) is older than Python 3.10; set PYTHON=/path/to/a/newer/one" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (once; about 800 MB with the RV32 compiler) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[all]'
	@touch $@

demo: $(READY) ## train, compile and verify the embedded example, with a table at the end
	@$(BIN)/qnn demo

test: $(READY) ## run the tests (QNN_DATA names a folder with mnist/ for those that need it)
	@$(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

lint: $(READY) ## check style, types and the C kernels
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/python tests/lint_c.py

pictures: $(READY) ## make the README's pictures of the pages anew (needs chromium and mnist)
	@QNN_PICTURES=docs $(BIN)/python -m pytest -q tests/test_page_access.py tests/test_report_browser.py -k pictures

bench: $(READY) ## measure training, simulator and kernels
	@$(BIN)/python bench/run.py

accuracy: $(READY) ## train the reference networks (needs mnist; takes hours, goes on where it was stopped)
	@$(BIN)/python bench/accuracy.py

MODEL ?= build/
PORT_OPTION = $(if $(PORT),--port "$(PORT)")

firmware: $(READY) ## flash image for the ESP32-C3 (MODEL=build/)
	@$(BIN)/qnn firmware "$(MODEL)"

flash: $(READY) ## write it to a board (MODEL=build/ PORT=...)
	@$(BIN)/qnn flash "$(MODEL)" $(PORT_OPTION)

monitor: $(READY) ## print what the board says (PORT=...)
	@$(BIN)/qnn monitor $(PORT_OPTION)

verify-board: $(READY) ## compare the board with the simulator, every test sample (MODEL=build/ PORT=...)
	@$(BIN)/qnn verify "$(MODEL)" --on board $(PORT_OPTION)

flash-verify: flash verify-board ## flash, then verify-board

clean: ## remove what was built and installed
	rm -rf $(VENV) build dist demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
