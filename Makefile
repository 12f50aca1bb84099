# Two commands do everything on a fresh Debian or Ubuntu machine with Go: "make run" and "make test".

GO     ?= go
SHELL  := /bin/bash
TAGS   ?=
LINT_VERSION := v2.12.2
LINT   := bin/golangci-lint-$(LINT_VERSION)
ENV    := . scripts/env;
FUZZTIME ?= 30s
# Packages with tests that are called TestFaults and go through more of them with RIVUS_FAULTS set.
FAULTY := ./internal/store ./test/faults

# Dependencies change on purpose only.
export GOFLAGS += -mod=readonly

.PHONY: help run build test faults network lint generate check web bench fuzz clean

help: ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

run: ## start a server with a demo channel that is already live
	@scripts/setup run
	@$(GO) build -o bin/rivus ./cmd/rivus
	@exec bin/rivus demo

build: ## build bin/rivus
	$(GO) build -trimpath -ldflags="-s -w" -o bin/rivus ./cmd/rivus

test: ## install what the tests need, and run every test
	@scripts/setup test
	$(ENV) RIVUS_TEST=all $(GO) test -race -timeout 25m ./...

faults: ## go through all faults that the tests can make, not some of them
	RIVUS_FAULTS=1 $(GO) test -count=1 -timeout 10m -run '^TestFaults' $(FAULTY)

network: ## judge 200 ms of jitter as well, in real time, on a machine that does nothing else
	RIVUS_TEST_ALONE=1 $(GO) test -race -count=1 -timeout 10m ./test/network

# A cache of its own: one that has seen another checkout, since deleted, reports what is in its generated files.
lint: $(LINT) ## run the linters
	GOLANGCI_LINT_CACHE=$(CURDIR)/bin/lint-cache $(LINT) run ./...

$(LINT):
	@mkdir -p bin
	GOBIN=$(CURDIR)/bin GOFLAGS=-mod=mod $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT_VERSION)
	@mv bin/golangci-lint $(LINT)

generate: ## regenerate the wire types and the web pages
	$(GO) run ./cmd/apigen
	@$(MAKE) --no-print-directory web

web: ## build web/ into internal/console/dist
	@scripts/setup web
	$(ENV) cd web && npm run --silent build

check: ## prove that committed generated files are current
	$(GO) run ./cmd/apigen -check
	@scripts/setup web
	$(ENV) scripts/check-web

bench: ## run the benchmarks and print them beside the budgets
	@scripts/setup run
	$(GO) run ./test/bench

fuzz: ## run every fuzz target for FUZZTIME
	@scripts/fuzz $(FUZZTIME)

clean: ## remove what make made
	rm -rf bin .tools web/node_modules web/client/dist web/client/.test test/e2e/js/node_modules
