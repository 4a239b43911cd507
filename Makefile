# Bare `make` prints the targets. Everything lives in .venv; the second run of a target is quick.
.DEFAULT_GOAL := help
.PHONY: help setup demo serve rollout models check format test test-api audit test-browser archive config clean
.DELETE_ON_ERROR:

PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || command -v python3)
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet
JOBS   ?= 2
PORT   ?= 8000

# Torch's threads sleep while they wait: spinning, two test processes on two cores starve each other.
export OMP_WAIT_POLICY ?= PASSIVE

ENGINE ?= geometric
MODEL  ?=
CONFIG ?=
STACK   = --engine $(ENGINE)$(if $(MODEL), --model $(MODEL))$(if $(CONFIG), --config $(CONFIG))
MODELS ?= idm_vton
DTYPE  ?= float16
STORE  ?= model_store

# A model is an entry file with a configuration of the same name.
names    = $(basename $(notdir $(wildcard $(1))))
ARCHIVES = $(filter $(call names,config/*.yaml),$(call names,handlers/*.py))

RUN_EXTRAS := serve,gateway
DEV_EXTRAS := test,dev,bench,browser
# MediaPipe brings the OpenCV wheel that needs libGL; the headless one of the same version does not.
OPENCV := $(shell sed -n 's/^opencv-contrib-python-headless==//p' constraints.txt)

# The embedded engine needs no network library.
RUN    = $(VENV)/$(if $(filter geometric,$(ENGINE)),.run,.diffusion)

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.run ## install what serving needs into .venv (a few minutes once, then nothing)

demo: $(RUN) ## one real try-on through TorchServe and the gateway; leaves demo/out/*.jpg
	$(BIN)/vton demo $(STACK)

serve: $(RUN) ## the whole stack in the foreground on PORT (8000); Ctrl-C ends all of it
	$(BIN)/vton serve --port $(PORT) --model-store $(STORE) $(STACK)

rollout: $(VENV)/.run ## MODEL (geometric) in VERSION takes the place of the one that `make serve` serves
	@test -n "$(MODEL)" -a -n "$(VERSION)" || { echo "make rollout MODEL=geometric VERSION=1.1.0" >&2; exit 2; }
	$(BIN)/python -m handlers.archive $(MODEL) --version $(VERSION) --versioned --output $(STORE)$(if $(CONFIG), --config $(CONFIG))
	$(BIN)/vton rollout $(MODEL) $(VERSION) --url http://127.0.0.1:$(PORT)$(if $(SHARE), --share $(SHARE))

models: $(VENV)/.diffusion ## weights for MODELS ("idm_vton person") into models/, their terms told first
	$(BIN)/python -m $(if $(MODEL_SOURCE),handlers.diffusion.convert $(MODEL_SOURCE) models/idm-vton,handlers.fetch $(MODELS)) --dtype $(DTYPE)

check: $(VENV)/.dev ## format, lint, types, import contracts, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -n $(JOBS) --dist loadfile -m "not system and not browser and not slow"

format: $(VENV)/.dev ## rewrite the code in the house format
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: $(VENV)/.dev ## every test that needs only PyPI, a real TorchServe included
	$(BIN)/pytest -q -n $(JOBS) --dist loadgroup -m "not browser"

test-api: $(VENV)/.dev ## the API as its document says: 200 requests an operation, good and bad
	VTON_EXAMPLES=200 $(BIN)/pytest -q tests/gateway/test_openapi.py

audit: $(BIN)/python ## known holes in what is installed; silent where there is no network
	PYTHON=$(BIN)/python .ci/audit

test-browser: $(VENV)/.dev $(VENV)/.browser ## the page in a real Chromium
	$(BIN)/pytest -q -m browser

archive: $(VENV)/.run ## model_store/*.mar and SHA256SUMS, byte for byte reproducible
	$(BIN)/python -m handlers.archive $(ARCHIVES)

config: $(VENV)/.run ## the settings in force, secrets masked
	$(BIN)/vton config

clean: ## remove what the other targets made, .venv included
	rm -rf $(VENV) build dist demo run var logs *.egg-info .mypy_cache .pytest_cache .ruff_cache \
	  .import_linter_cache .hypothesis model_store/*.mar model_store/SHA256SUMS
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 13))' || \
	  { echo "Python 3.11 or 3.12 is needed; found $$($(PYTHON) --version). Try make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing into $(VENV); the first time takes a few minutes"
	$(PIP) install -c constraints.txt -e ".[$(RUN_EXTRAS)]"
	$(PIP) uninstall --yes opencv-contrib-python opencv-contrib-python-headless 2>/dev/null
	$(PIP) install --no-deps opencv-contrib-python-headless==$(OPENCV)
	@touch $@

$(VENV)/.diffusion: $(VENV)/.run
	$(PIP) install -c constraints.txt -e ".[diffusion]"
	@touch $@

$(VENV)/.dev: $(VENV)/.run
	$(PIP) install -c constraints.txt -e ".[$(DEV_EXTRAS)]"
	@touch $@

# A Chromium of the system is used where there is one; else Playwright fetches its own.
$(VENV)/.browser: $(VENV)/.dev
	@test -n "$(VTON_CHROMIUM)" || command -v chromium || command -v chromium-browser \
	  || command -v google-chrome || $(BIN)/playwright install chromium
	@touch $@
