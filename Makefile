# The commands of the project. `make help` lists them.
#
# What is built or downloaded is kept outside the clone, in $(CACHE), and found again by the next clone.

CACHE := $(or $(FLEXCONNECT_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/flexconnect)
export CARGO_TARGET_DIR ?= $(CACHE)/target
export FLEXCONNECT_CACHE := $(CACHE)
PYTHON := $(CACHE)/python/bin
EXAMPLES := $(CACHE)/examples/bin
BIN := $(CARGO_TARGET_DIR)/debug
SCRIPTS := .ci/run examples/demo $(shell grep -rlE '^\#!.*\b(ba)?sh$$' tests --include='*' --exclude-dir=target 2>/dev/null)

.DEFAULT_GOAL := help
.PHONY: help demo test test-unit test-fuzz test-demo test-workers test-examples test-compat test-sandbox \
	test-control-plane test-e2e programs fuzz lint audit generate bench bench-all bench-server bench-python \
	bench-criterion soak setup

help: ## Show this list
	@awk 'BEGIN { FS = ":.*## " } /^[a-z0-9-]+:.*## / { printf "  make %-20s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## One object, three replicas, queries answered while one of them is killed (seconds once built)
	@tests/setup data python
	@echo "building the operator, the example functions and the sandbox (4 min the first time)"
	@cargo build --quiet -p flexconnect-operator -p flexconnect-example -p flexconnect-sandbox
	@VIRTUAL_ENV="$(CACHE)/python" examples/demo "$(BIN)"

TESTS := unit fuzz demo workers examples compat sandbox control-plane e2e

test: $(TESTS:%=test-%) ## Everything below

# Everything at once, so that cargo compiles what is shared with one set of features.
programs:
	@cargo build --workspace --all-targets

test-unit: programs ## Unit and property tests, and each crate against real sockets and processes
	@tests/setup data python flexfun
	cargo test --workspace

test-fuzz: ## A minute of made-up input for each part that reads bytes from outside
	tests/fuzz/run --seconds 60

test-demo: programs ## The demo, as a test
	@tests/setup data python
	VIRTUAL_ENV="$(CACHE)/python" examples/demo "$(BIN)"

test-workers: ## The Python side of functions in Python: host and workers, against a server that the tests play
	@tests/setup python
	$(PYTHON)/pytest -q tests/workers

test-examples: programs ## The examples in Python, on our server and on the vendor's
	@tests/setup data postgresql examples
	cd examples/python && $(EXAMPLES)/mypy src tests && $(EXAMPLES)/mypy ports/src ports/tests
	cd examples/python && FLEXCONNECT_SERVER="$(BIN)/flexconnect-server" $(EXAMPLES)/pytest -q tests ports/tests

test-compat: programs ## The server beside the vendor's Python server, both called by pyarrow
	@tests/setup python
	FLEXCONNECT_COMPAT_SERVER="$(BIN)/flexconnect-compat" $(PYTHON)/pytest -q tests/compat
	FLEXCONNECT_COMPAT_SERVER="$(BIN)/flexconnect-server" $(PYTHON)/pytest -q tests/compat --functions python

test-sandbox: programs ## The gooddata-sdk client from PyPI against the sandbox
	@tests/setup python
	FLEXCONNECT_SANDBOX="$(BIN)/flexconnect-sandbox" $(PYTHON)/pytest -q tests/sandbox

test-control-plane: ## The operator against a real kube-apiserver and etcd
	@tests/setup packages cluster
	tests/control-plane/run

test-e2e: ## Images, operator, sandbox and a fleet as pods on a real node
	@tests/setup packages cluster data
	tests/e2e/smoke

lint: ## Format, clippy, licences, generated files, shell and Python scripts
	@tests/setup python cargo-tools
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- -D warnings
	cargo clippy -p flexconnect-fuzz --features libfuzzer --quiet -- -D warnings
	$(CACHE)/tools/bin/cargo-deny --log-level error check licenses bans sources
	cargo test --quiet --workspace --test generated
	$(PYTHON)/shellcheck $(SCRIPTS)
	$(PYTHON)/ruff check --quiet .
	$(PYTHON)/ruff format --check --quiet .

audit: ## Known vulnerabilities in dependencies (needs the RustSec database from the network)
	@tests/setup cargo-tools
	$(CACHE)/tools/bin/cargo-deny check advisories

fuzz: ## Ten million made-up inputs for each of TARGETS, or for all (hours); INPUTS=1000 only tries
	tests/fuzz/run --inputs $(or $(INPUTS),10000000) $(TARGETS)

generate: ## Refresh the generated files
	cargo run --quiet -p flexconnect-operator -- crd > crds/flexconnectserver.yaml
	cargo run --quiet -p flexconnect-operator -- rbac > config/rbac/roles.yaml
	cargo run --quiet -p flexconnect-server -- config reference > docs/reference/configuration.md

# ONLY=server, ONLY=python or ONLY=criterion runs a part, ROWS=tiny,wide some of the server's figures, QUICK=1 only tries them.
BENCH := $(CARGO_TARGET_DIR)/release/flexconnect-bench
BENCH_ARGUMENTS = --python $(PYTHON) --out $(CARGO_TARGET_DIR)/reports
ifneq ($(filter-out server python criterion,$(ONLY)),)
$(error ONLY=$(ONLY): there are server, python and criterion)
endif

bench: $(if $(ONLY),bench-$(ONLY),bench-all bench-criterion) ## Speed and memory beside the vendor's server, in target/reports (25 min; QUICK=1: 4)

bench-all bench-server bench-python:
	@tests/setup python
	@echo "building the server and its load client in release mode (10 min the first time)"
	@cargo build --quiet --release -p flexconnect-bench -p flexconnect-server
	@$(BENCH) run $(BENCH_ARGUMENTS) $(if $(ONLY),--part $(ONLY)) $(if $(ROWS),--rows $(ROWS)) $(if $(QUICK),--quick)

bench-criterion:
	cargo bench --quiet -p flexconnect-server --bench protocol -- $(if $(QUICK),--quick)
	cargo bench --quiet -p flexconnect-operator --bench pass -- $(if $(QUICK),--quick)

soak: ## Mixed calls with cancels, disconnects and panics for MINUTES (10): memory flat, no task lost
	@tests/setup python
	@cargo build --quiet --release -p flexconnect-bench
	@$(BENCH) soak --minutes $(or $(MINUTES),10) $(BENCH_ARGUMENTS)

setup: ## Install everything that the tests and checks need (the other targets do it by themselves)
	@tests/setup all
