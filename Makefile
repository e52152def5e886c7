# Two commands do most: `make up` and `make test`. `make help` lists the rest.

PYTHON ?= python3
PORT   ?= 443
NAME   ?= panosc
PANOSC  = PYTHONPATH=dev $(PYTHON) -m panosc_dev

.DEFAULT_GOAL := help
.PHONY: help toolchain up down status kubectl install test check generate bench venv

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  \033[1mmake %-9s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

up: venv toolchain ## Start a local cluster with a demonstration facility [PORT=443] [DATA=/folder/of/nexus/files]
	@$(PANOSC) up --name $(NAME) --port $(PORT) $(if $(DATA),--data '$(DATA)')

down: ## Remove everything that `make up` made [KEEP=data keeps the volumes]
	@$(PANOSC) down --name $(NAME) $(if $(filter data,$(KEEP)),--keep-data)

status: ## Tell what runs of the local cluster
	@$(PANOSC) status --name $(NAME)

kubectl: ## Run kubectl on the local cluster: make kubectl ARGS='get panosc -A'
	@$(PANOSC) kubectl --name $(NAME) $(ARGS)

install: ## Install into the current kubectl context [REGISTRY=host/path] [BASE_DOMAIN=data.example.org] [VALUES=file] [YES=1]
	@$(PANOSC) install --registry '$(REGISTRY)' --base-domain '$(BASE_DOMAIN)' $(if $(VALUES),--values '$(VALUES)') $(if $(YES),--yes)

test: ## Run every test, on a cluster of its own [LEVELS='unit apiserver cluster faults']
	@$(PANOSC) test $(LEVELS)

check: venv ## Check format, lint, types and the direction of imports
	.venv/bin/ruff format --check
	.venv/bin/ruff check
	.venv/bin/mypy -p panosc_common -p panosc_operator -p panosc_catalogue -p panosc_archive -p panosc_cli -p panosc_dev -p panosc_demo -p panosc_panet
	.venv/bin/mypy tests
	.venv/bin/lint-imports

generate: venv ## Write CRDs, reference pages and golden files again
	.venv/bin/python -m panosc_operator.generate
	PANOSC_GENERATE=1 .venv/bin/pytest --quiet tests/unit/operator/test_golden.py

bench: ## Compare speed with named peers (writes docs/benchmarks.md) [MILLION=1 asks a million datasets too]
	@$(if $(MILLION),PANOSC_BENCH_MILLION=1) $(PANOSC) bench

toolchain: ## Compile Kubernetes and the other programs of the cluster, where the cache lacks them
	@$(PANOSC) toolchain

venv: ## Make .venv with all packages and tools
	@$(PANOSC) venv
