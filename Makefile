# The one entry for people and for CI. `make help` lists the verbs.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

CONFIG ?= release
# Each function in a section of its own, also in packages: the linker leaves out what nobody calls, and keeps what is the
# same once.
SWIFT_FLAGS := -c $(CONFIG) --explicit-target-dependency-import-check error \
	-Xswiftc -Xfrontend -Xswiftc -function-sections
BUILD := .build/$(CONFIG)
RONDO := $(BUILD)/rondo
# The shipped file may not grow past this many bytes without a decision (Documentation/Decisions/0002).
APPLIANCE_LIMIT := 42000000
PACKAGES := libsqlite3-dev libseccomp-dev libyaml-dev zlib1g-dev libzstd-dev file iproute2 python3 binutils
V2_PACKAGES := qemu-system-x86 mmdebstrap e2fsprogs busybox-static python3
TEST_PACKAGES := python3-venv python3-dev gcc procps util-linux nftables busybox-static uidmap podman conmon catatonit \
	containerd netavark shellcheck ansible-core python3-yaml curl openssl docker-registry skopeo umoci \
	buildah containernetworking-plugins wrk chromium
# The other container runtimes, what counts instructions, and what the benchmarks share with the tests.
BENCH_PACKAGES := runc crun valgrind gcc util-linux busybox-static docker-registry skopeo umoci chromium
KEEP ?= 0
SEED ?=
FUZZ_SECONDS ?= 60
SUITES ?=
PROTOS ?=
DIR ?=

.PHONY: help
help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: ## Install what building needs (Debian, as root; does nothing when all is there).
	@Provisioning/install-packages $(PACKAGES)

.PHONY: build
build: program ## Build the program and its tests in release mode.
	swift build $(SWIFT_FLAGS) --product store-writer
	swift build $(SWIFT_FLAGS) --product network-driver
	swift build $(SWIFT_FLAGS) --product rondoPackageTests

# By product: a plain build would also make the protobuf compiler, which nothing here needs.
.PHONY: program
program: setup
	swift build $(SWIFT_FLAGS) --product rondo

.PHONY: run
run: program ## Start a node with two agents, run real work through offers, show it, clean up (KEEP=1 stays up).
	RONDO=$(RONDO) KEEP=$(KEEP) Provisioning/demonstrate

# Tests that watch clocks, processes and control groups of the machine run one after the other and apart from those
# that keep both cores busy.
IO_TESTS := 'AgentNodeTests|ApplianceTests|FrameworkRuntimeTests|GossipTests|HTTPGatewayTests|ImageStoreTests|JobsFrameworkTests|LinuxSystemTests|MasterNodeTests|NameServiceTests|NetworkingTests|ServicesFrameworkTests|StateStoreTests|ContainerRuntimeTests|TaskMonitorTests'

.PHONY: test
test: build ## Install what the tests need and run them (unit, simulation, integration; integration needs root).
	@Provisioning/install-packages $(TEST_PACKAGES)
	@echo "unit tests and simulation"
	@Provisioning/run-tests .build/test-logs/unit.log swift test $(SWIFT_FLAGS) --skip-build --skip $(IO_TESTS)
	@echo "tests that watch processes, clocks and disks"
	@Provisioning/run-tests .build/test-logs/io.log \
		swift test $(SWIFT_FLAGS) --skip-build --no-parallel --filter $(IO_TESTS)
	Tests/System/run_all.sh $(RONDO)
	$(MAKE) --no-print-directory appliance

.PHONY: test-all
test-all: test ## The long form: 50,000 seeds of the cluster simulation, every package of the catalog.
	RONDO_LONG_TESTS=1 Provisioning/run-tests .build/test-logs/long.log \
		swift test $(SWIFT_FLAGS) --skip-build --skip $(IO_TESTS)
	Tests/System/run_all.sh $(RONDO) catalogall scraping

# Debian's cloud kernel and root are made once for each recipe, in .build/test-v2.
.PHONY: test-v2
test-v2: appliance ## Run containers, podman and an agent in a virtual machine with cgroup v2 and systemd (as root).
	@Provisioning/install-packages $(V2_PACKAGES)
	Tests/System/v2/run_all.sh dist/rondo $(SUITES)

.PHONY: catalog
catalog: program ## Put the packages of Catalog/ into the program, after they have changed.
	$(RONDO) catalog build Catalog --to Sources/CCatalog/catalog.json

.PHONY: images
images: program ## Make the container images of Images/ from Debian's packages, and try them (as root).
	@Provisioning/install-packages $(TEST_PACKAGES) redis-tools postgresql-client
	Images/build $(RONDO)
	python3 Tests/System/recipes.py $(RONDO)
	Tests/System/run_all.sh $(RONDO) catalogall scraping
	python3 Tests/System/real_services.py $(RONDO)

.PHONY: screenshots
screenshots: program ## Take the pictures of the console that README shows anew (as root).
	@Provisioning/install-packages chromium busybox-static
	python3 Tests/System/console_screenshots.py $(RONDO) Documentation/screenshots

.PHONY: fuzz
fuzz: setup ## Feed the parsers of what comes from outside with libFuzzer: make fuzz FUZZ_SECONDS=60
	Tests/Fuzz/run $(FUZZ_SECONDS)

.PHONY: universe
universe: setup ## Run a repository of packages in Universe's layout through the catalog: make universe DIR=…
	@[ -n "$(DIR)" ] || { echo "make universe DIR=DIRECTORY: the folder that holds packages/" >&2; exit 2; }
	@swift build $(SWIFT_FLAGS) --product universe-report >&2
	@$(BUILD)/universe-report $(DIR)

# Embedded Swift, without any package: a few seconds. Nothing of the program depends on it.
.PHONY: guest
guest: ## Build rondo-init, process 1 of virtual machines: .build/guest/release/rondo-init
	swift build -c release --package-path Images/Guest --scratch-path .build/guest --product rondo-init

.PHONY: simulate
simulate: ## Replay one seed of the cluster simulation: make simulate SEED=42
	SWIFT_DETERMINISTIC_HASHING=1 RONDO_SEED=$(SEED) swift test $(SWIFT_FLAGS) --filter SimulationTests

.PHONY: appliance
appliance: program ## Make dist/rondo, the one file, and check what it promises.
	Provisioning/make-appliance $(RONDO) dist/rondo $(APPLIANCE_LIMIT)

.PHONY: bench
bench: ## Run the benchmarks (each prints ratios against a floor or a peer of the same run).
	@Provisioning/install-packages $(BENCH_PACKAGES)
	for name in allocation-benchmark catalog-benchmark store-commits launch-benchmark; do swift build $(SWIFT_FLAGS) --product $$name; done
	Benchmarks/run $(BUILD) $(RONDO)

.PHONY: format
format: ## Format all sources in place.
	swift format -i -r -p Package.swift Sources Tests Benchmarks

.PHONY: check
check: ## Lint formatting and shell scripts' syntax.
	@Provisioning/lint

.PHONY: golden
golden: ## Rewrite the golden wire frames from published .proto files: make golden PROTOS=DIR; then read the diff.
	@[ -n "$(PROTOS)" ] || { echo "make golden PROTOS=DIR: the folder that holds mesos/v1/*.proto" >&2; exit 2; }
	python3 Tests/Clients/golden/make_golden.py $(PROTOS) Tests/MesosWireTests/Fixtures

.PHONY: clean
clean: ## Remove what builds made.
	rm -rf .build .build-* dist
