# Fraktalia. `make help` lists what there is.

VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
GOFLAGS += -tags=goolm
export GOFLAGS
export CGO_ENABLED = 1

# What can be done side by side is: a recipe calls make with -j for that.
TOGETHER := $(MAKE) --no-print-directory

.PHONY: help up build test bench demo lint clean
.PHONY: packages test-packages bench-packages modules engine synapse

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 8

up: ## set everything up, then run homeserver and bot (ARGS="--listen ..." goes to it)
	@$(TOGETHER) -j2 packages modules
	@$(TOGETHER) -j3 engine synapse build
	@exec scripts/with-docker bin/fraktalia up $(ARGS)

build: ## make bin/fraktalia (RELAY_ARCHES="amd64 arm64": with the relay for those)
	@scripts/build $(VERSION)

test: ## run every test, against a real Synapse and a real Docker engine
	@$(TOGETHER) -j2 test-packages modules
	@$(TOGETHER) -j3 engine synapse build
	@scripts/with-docker scripts/test

bench: ## measure beside the peers; prints one line a figure
	@$(TOGETHER) -j2 bench-packages modules
	@$(TOGETHER) -j3 engine synapse build
	@scripts/with-docker scripts/bench

demo: ## the whole thing in a throwaway folder, to look at
	@$(TOGETHER) -j2 packages modules
	@$(TOGETHER) -j3 engine synapse build
	@exec scripts/with-docker go run ./demo -program bin/fraktalia

lint: ## formatting and go vet
	@scripts/lint

clean: ## remove what was built here
	rm -rf bin docker/sandbox/relay/fraktalia-relay-*

packages:
	@scripts/prepare $(if $(findstring --with-openclaw,$(ARGS)),agent)

test-packages:
	@scripts/prepare test

bench-packages:
	@scripts/prepare bench

# Fetches what the build needs while packages are being installed.
modules:
	@said=$$(go list -deps . 2>&1) || { echo "$$said" >&2; exit 1; }

engine:
	@scripts/engine

synapse:
	@scripts/synapse
