# thin-merge: everything a developer types. `make` alone lists the targets.

SHELL := /bin/bash
.DEFAULT_GOAL := help

SWIFT ?= swift
SHELL_SCRIPTS := .ci/run scripts/setup scripts/test scripts/demo scripts/docs scripts/fuzz \
  scripts/mutate scripts/install scripts/deb scripts/deb-check \
  scripts/sanitize scripts/kernel-lab scripts/oracle scripts/instructions scripts/specialised scripts/sweeps \
  scripts/spelling \
  Tests/KernelLab/init Tests/KernelLab/boot Tests/KernelLab/scenario Tests/KernelLab/lab.sh
SCENARIOS := $(wildcard Tests/KernelLab/scenarios/*.sh)
# Variables that scenarios and the words they are written with share, and files of the guest.
FROM_THE_LAB := SC2034,SC2154,SC1091
PYTHON_SCRIPTS := scripts/picture scripts/plain-english scripts/commit-subjects Benchmarks/bench \
  $(wildcard Benchmarks/suite/*.py)
# The links in Fuzz/Sources are not followed: what they lead to is listed itself.
SWIFT_SOURCES := Package.swift Sources Tests $(wildcard Benchmarks) Fuzz Examples

# Where `make install` puts everything, below DESTDIR.
PREFIX ?= /usr/local

# Prints a note for a developer; fails in CI.
UNLESS_CI := [ "$(CI)" != true ] && echo

export SWIFT PREFIX DESTDIR

.PHONY: help setup build static install uninstall deb deb-check demo picture docs test kernel-lab lab-full \
  lab-soak soak fuzz instructions sanitize mutate lint format bench clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## check the Swift toolchain, install missing Debian packages
	@scripts/setup build

build: setup ## build the release binary
	$(SWIFT) build -c release --product thin-merge
	@printf 'built: %s/thin-merge\n' "$$($(SWIFT) build -c release --show-bin-path)"

static: ## build it with Swift's runtime inside
	@scripts/install build

install: ## install program, manual, completions and unit below DESTDIR, in PREFIX (/usr/local)
	@scripts/install install

uninstall: ## remove what install brought
	@scripts/install uninstall

deb: ## make a Debian package
	@scripts/setup deb
	@scripts/deb

deb-check: ## install, use and remove it in a fresh Debian (needs root and a mirror)
	@scripts/setup deb-check
	@scripts/deb
	@scripts/deb-check

demo: build ## merge a pool made by a real kernel: plan, interrupt, resume, verify
	@scripts/demo

picture: build ## draw README's picture of a terminal from a real run
	@scripts/picture

docs: ## make the library's documentation; a broken link is an error
	@scripts/setup build
	@scripts/docs

test: ## run the whole suite (with CI=true a test that Swift skipped is a failure)
	@scripts/setup test
	@scripts/setup lab || $(UNLESS_CI) 'test: note: the kernel lab may have to be left out'
	@scripts/setup deb-check || $(UNLESS_CI) 'test: note: the Debian package may have to be left out'
	@scripts/test

kernel-lab: ## merge from real pools in qemu (scripts/kernel-lab NAME: one scenario)
	@scripts/setup lab
	@scripts/kernel-lab

lab-full: ## run every short scenario on both kernels
	@scripts/setup lab
	@scripts/kernel-lab --tier full

lab-soak: ## run the long scenarios: power cuts with reboots
	@scripts/setup lab
	@scripts/kernel-lab --tier soak

instructions: ## count the instructions of a fixed plan and merge, and compare with what is recorded
	@scripts/setup instructions
	@scripts/instructions

soak: ## storms over the simulated disk for SECONDS (default 600), from a seed of their own
	@scripts/setup test
	@THIN_MERGE_SOAK_SECONDS=$(or $(SECONDS),600) OPTIMISED=1 scripts/test --filter StormTests

fuzz: ## fuzz the readers, RUNS=N or SECONDS_EACH=N each (neither: until stopped)
	@scripts/setup test
	@scripts/fuzz

sanitize: ## the suite under the address and the thread sanitizer
	@scripts/setup test
	@scripts/sanitize

mutate: ## test the tests: break the engine in many ways, one at a time
	@scripts/setup test
	@scripts/mutate

lint: ## check formatting, scripts, words, commit subjects, and that the mutations apply
	@scripts/setup lint
	$(SWIFT) format lint --strict --parallel --recursive $(SWIFT_SOURCES)
	shellcheck $(SHELL_SCRIPTS)
	shellcheck --shell bash --exclude $(FROM_THE_LAB) $(SCENARIOS)
	python3 -c 'import ast, sys; [ast.parse(open(p).read(), p) for p in sys.argv[1:]]' $(PYTHON_SCRIPTS)
	@# Each check first shows that it finds what it should.
	scripts/spelling --self-test && scripts/spelling
	scripts/plain-english --self-test && scripts/plain-english
	scripts/commit-subjects --self-test && scripts/commit-subjects
	Benchmarks/bench report --check
	@git rev-parse --is-inside-work-tree >/dev/null 2>&1 || { \
	  echo 'lint: note: this is no git work tree; the mutations were not checked'; exit 0; }; \
	status=0; for patch in Tests/Mutations/*.patch; do git apply --check "$$patch" || { \
	  echo "lint: error: $$patch does not apply" >&2; status=1; }; done; exit $$status

format: ## format the Swift sources in place
	@scripts/setup lint
	$(SWIFT) format --in-place --parallel --recursive $(SWIFT_SOURCES)

bench: build ## measure all of it against other programs (needs root, takes long)
	@scripts/setup bench
	Benchmarks/bench all

clean: ## remove everything that was built
	$(SWIFT) package clean
	rm -rf .build/demo .build/benchmarks .build/optimised .build/fuzz .build/mutate .build/sanitize \
	  .build/kernel-lab .build/static .build/deb .build/deb-check .build/bench .build/docs .build/examples \
	  .build/oracle .build/instructions Benchmarks/plots Benchmarks/tables.md
