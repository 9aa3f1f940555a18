# Everything a developer does here. `make` alone tells what there is.
#
# PYTHON=/path/to/python  the interpreter to make the environments with (3.11 to 3.13)
# AIRFLOW=2.11            for `make demo`: the Airflow to run it in (3.3 when left out); for `make test-matrix`: no other
# ARGS="-k listing"       for the test targets: arguments for pytest
# KILLS=500               for `make kills`: how many launches are killed (200 when left out)

.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

AIRFLOW ?= 3.3
ARGS ?=
KILLS ?= 200
# Any Python 3 will do to start the scripts: they look for a fitting one by themselves.
START := $(or $(shell command -v python3),$(PYTHON),python3)
export PYTHON

# The shell text for "the folder of this Airflow's environment", which is made first if need be.
environment = "$$($(START) scripts/environment.py $(1))"

.PHONY: help demo ui screenshots test test-all test-3.3 test-2.11 test-matrix cluster kills fuzz lint types format bench constraints build clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9.-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@sed -n 's/^# \([A-Z]*=.*\)/  \1/p' $(MAKEFILE_LIST)

demo: ## run the example Dags in a real Airflow against the emulator, and show what they did
	@folder=$(call environment,$(AIRFLOW)) && exec "$$folder/bin/python" scripts/demo.py

ui: ## start a whole Airflow with the emulator and the connection in place; Ctrl-C stops it
	@folder=$(call environment,3.3) && exec "$$folder/bin/python" scripts/ui.py

screenshots: ## take the pictures of the documentation in Chromium, from what `make ui` starts (minutes: 15)
	@folder=$(call environment,3.3) && exec "$$folder/bin/python" scripts/screenshots.py

test: ## lint, type-check, run every test on Airflow 3.3 and the unit tests on 2.11 (minutes: 7)
	@exec $(START) scripts/run_tests.py --checks --select test -- $(ARGS)

test-all: ## what `make test` leaves out: a whole Airflow 2.11, more kills, many random cases (minutes: 10)
	@exec $(START) scripts/run_tests.py --select rest -- $(ARGS)

test-3.3: ## run the tests on Airflow 3.3 only
	@exec $(START) scripts/run_tests.py --airflow 3.3 -- $(ARGS)

test-2.11: ## run the tests on Airflow 2.11 only
	@exec $(START) scripts/run_tests.py --airflow 2.11 -- $(ARGS)

test-matrix: ## run the tests on each Airflow (or AIRFLOW=3.1) and each Python found here, and print a table (takes hours)
	@exec $(START) scripts/matrix.py $(if $(filter command,$(firstword $(origin AIRFLOW))),--airflow $(AIRFLOW)) -- $(ARGS)

cluster: ## kill a worker and a triggerer of a whole deployment (needs postgresql, redis-server): nothing is lost
	@folder=$(call environment,3.3) && exec "$$folder/bin/python" scripts/cluster.py

kills: ## kill tasks at 200 moments of a launch, on Airflow 3.3 and on 2.11: each launches once (takes 20 minutes)
	@for airflow in 3.3 2.11; do KILLS=$(KILLS) $(START) scripts/run_tests.py --airflow $$airflow -- \
		tests/airflow/test_launch_once.py -o faulthandler_timeout=0 --timeout 0 $(ARGS) || exit 1; done

fuzz: ## answer requests with 20,000 made-up responses, in each of two ways (takes half an hour)
	@exec $(START) scripts/run_tests.py --select fuzz -- $(ARGS)

lint: ## check style, formatting, and which package imports which
	@folder=$(call environment,3.3) && "$$folder/bin/ruff" check . && "$$folder/bin/ruff" format --check . && \
		"$$folder/bin/lint-imports" --no-cache

types: ## check the types, strictly
	@folder=$(call environment,3.3) && exec "$$folder/bin/mypy"

format: ## put the code into the project's format and repair what can be repaired
	@folder=$(call environment,3.3) && "$$folder/bin/ruff" format . && exec "$$folder/bin/ruff" check --fix .

bench: ## measure what the README claims
	@folder=$(call environment,3.3) && for file in benchmarks/bench_*.py; do \
		"$$folder/bin/python" "$$file" || exit 1; done

constraints: ## write constraints/ again after a change of dependencies (UPGRADE=1 takes the newest versions)
	@exec $(START) scripts/compile_constraints.py $(if $(UPGRADE),--upgrade)

build: ## build the wheel and the source archive into dist/
	@folder=$(call environment,3.3) && exec "$$folder/bin/python" -m hatchling build

.PHONY: release-check docs docs-serve
release-check: ## build wheel, source archive and SBOM, and check them in a clean environment
	@exec $(START) scripts/release_check.py

docs: ## build the documentation into site/, strictly
	@folder=$(call environment,docs) && NO_MKDOCS_2_WARNING=1 exec "$$folder/bin/mkdocs" build --quiet

docs-serve: ## show the documentation while you write it
	@folder=$(call environment,docs) && NO_MKDOCS_2_WARNING=1 exec "$$folder/bin/mkdocs" serve

clean: ## remove environments, caches and built files
	rm -rf .environments .cache .run dist site
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
