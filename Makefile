# What a person or a CI machine runs: `make` lists it. Needs Debian 12 or later, root, Python 3.11 or later and Go.
# Nothing here depends on where the checkout lies. What is built or unpacked for the tests is kept outside of it, in
# $TESTS_CACHE (default: ~/.cache/nqosd), so that a fresh checkout finds it.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory --output-sync=line

# With it each of the hundreds of daemons and commands that tests start would compile all anew, in two seconds of a core.
unexport PYTHONDONTWRITEBYTECODE

PYTHON ?= python3
VENV := .venv
INSTALL_SERVICES := $(PYTHON) -m tests.services.install

# Two workers suit two cores; each has services of its own.
WORKERS ?= 2
PYTEST_ARGS ?=
CHAOS ?=
PROVE_ARGS ?=
# Seconds for one test; one that needs more says so with @pytest.mark.timeout.
TEST_TIMEOUT ?= 300

# command:package, for the commands that the tests use beside the installed services
TOOLS := chromedriver:chromium-driver chromium:chromium faketime:faketime groff:groff-base ip:iproute2 nsenter:util-linux setpriv:util-linux unshare:util-linux \
	ethtool:ethtool iperf3:iperf3 ping:iputils-ping tcpdump:tcpdump

.PHONY: help setup programs services services-kubernetes services-ovn services-ovn-new services-ovn-latest test pytest demo demo-rows bench bench-bounds bench-central bench-scale bench-zones dataplane clean
.PHONY: chart dist-package doctor image unit unit-newest coverage lock audit fuzz replay chaos failover tenants services-prometheus docs screenshots reference package package-tools
.PHONY: check check-ruff check-format check-mypy check-imports

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

setup: programs $(VENV)/installed ## make the virtual environment, and install the few Debian packages that are missing

programs:
	@missing=""; \
	for tool in $(TOOLS); do command -v "$${tool%%:*}" >/dev/null || missing+=" $${tool##*:}"; done; \
	$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || missing+=" python3-venv"; \
	if [ -n "$$missing" ]; then \
		echo "[setup] installing$$missing"; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -qq update </dev/null; \
		apt-get -qq install --yes --no-install-recommends $$missing </dev/null >/dev/null; \
	fi

$(VENV)/installed: pyproject.toml tests/constraints.txt | programs
	@echo "[setup] installing nqosd and its development tools into $(VENV)"
	@[ -x $(VENV)/bin/python ] || $(PYTHON) -m venv $(VENV)
	@$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(VENV)/bin/python -m pip install --quiet --editable . --group dev --constraint tests/constraints.txt
	@touch $@
	@echo "[setup] done"

services: services-kubernetes services-ovn services-ovn-new services-prometheus ## build or unpack what the tests run: etcd, kube-apiserver, helm, two generations of OVN, Prometheus

services-kubernetes:
	@$(INSTALL_SERVICES) kubernetes

services-ovn:
	@$(INSTALL_SERVICES) ovn

services-ovn-new:
	@$(INSTALL_SERVICES) ovn-new

services-ovn-latest: # not one of the services: no test needs it, and it may be gone
	@$(INSTALL_SERVICES) ovn-latest || echo "[services] going on without it"

services-prometheus:
	@$(INSTALL_SERVICES) prometheus

check: check-ruff check-format check-mypy check-imports check-unused ## lint, formatting, types, the order of the layers, and what nobody uses

check-ruff: setup
	@echo "[check] ruff check"
	@$(VENV)/bin/ruff check

check-format: setup
	@echo "[check] ruff format --check"
	@$(VENV)/bin/ruff format --check

check-mypy: setup
	@echo "[check] mypy"
	@$(VENV)/bin/mypy

check-imports: setup
	@echo "[check] lint-imports"
	@$(VENV)/bin/lint-imports

check-unused: setup
	@echo "[check] vulture"
	@$(VENV)/bin/vulture

test: ## everything: setup, services, check and the tests; a failed part doesn't keep the others from running
	@status=0; \
	$(MAKE) --jobs=4 --keep-going setup services check || status=$$?; \
	$(MAKE) unit-newest PYTEST_ARGS= || status=$$?; \
	$(MAKE) pytest || status=$$?; \
	exit $$status

pytest: setup services ## the tests only; PYTEST_ARGS chooses, e.g. PYTEST_ARGS='tests/services -k raft'
	@echo "[test] pytest with $(WORKERS) workers"
	@$(VENV)/bin/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal --timeout=$(TEST_TIMEOUT) $(PYTEST_ARGS)

unit: setup ## the tests that start no service and try no large sample, a minute on two cores; PYTEST_ARGS chooses
	@echo "[unit] pytest with $(WORKERS) workers, $$($(VENV)/bin/python --version)"
	@TESTS_EXAMPLES=10 $(VENV)/bin/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal --timeout=$(TEST_TIMEOUT) -m "not services and not long" --quiet $(PYTEST_ARGS)

unit-newest: ## the same with the newest Python that nqosd supports, in an environment of its own, if the machine has it
	@for python in python3.13 ~/.pyenv/versions/3.13.*/bin/python3.13; do \
		if "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
			exec $(MAKE) unit PYTHON="$$python" VENV=.venv-newest; \
		fi; \
	done; \
	echo "[unit] this machine has no Python 3.13: going on without it"

coverage: setup ## which lines of nqosd the tests without services reach
	@echo "[coverage] pytest with $(WORKERS) workers"
	@$(VENV)/bin/python -m pytest --numprocesses=$(WORKERS) --dist=worksteal --timeout=$(TEST_TIMEOUT) -m "not services" --quiet --cov=nqosd --cov-report=term:skip-covered $(PYTEST_ARGS)

lock: setup ## write tests/constraints.txt anew, from the newest versions that pyproject.toml allows
	@echo "[lock] installing the newest versions into $(VENV)"
	@$(VENV)/bin/python -m pip install --quiet --upgrade --upgrade-strategy eager --editable . --group dev
	@{ sed -n '/^#/p' tests/constraints.txt; $(VENV)/bin/python -m pip freeze --exclude-editable --exclude nqosd; } >$(VENV)/constraints
	@mv $(VENV)/constraints tests/constraints.txt

prove: setup services-ovn services-ovn-new ## prove the compiler at length; PROVE_ARGS='--cases 100000 --rows 200 --seed 1' chooses
	@$(VENV)/bin/python -m tools.prove $(PROVE_ARGS)

# --transactions 10000 --seed 7 replays more, or others.
REPLAY ?=

replay: setup services-ovn services-ovn-new ## the same 2,000 transactions on the tests' model database and on real servers, answered alike
	@echo "[replay] running tools.replay"
	@$(VENV)/bin/python -m tools.replay $(REPLAY)

demo: TOOLS := ethtool:ethtool ip:iproute2 iperf3:iperf3 nsenter:util-linux ping:iputils-ping setpriv:util-linux tcpdump:tcpdump unshare:util-linux
demo: setup services-ovn-new ## a policy on real packets between two nodes of OVN on this machine; RECORD=docs/demo.svg records it
	@$(VENV)/bin/python -m tools.demo

demo-rows: setup services-ovn ## the daemon's rows in a Northbound database, without packets
	@$(VENV)/bin/python -m tools.demo_rows

# short: the cells of the peer's table. full: 100,000 pods with 1,000 policies too, and a real kube-apiserver.
BENCH ?= full

bench: setup services-kubernetes services-ovn-new ## measure, print what was measured beside goals and the peer, write it to docs/; BENCH=short is shorter
	@echo "[bench] running tools.bench $(BENCH)"
	@$(VENV)/bin/python -m tools.bench $(BENCH)

bench-bounds: setup services ## the largest policies that the limits let through, one and many, measured beside goals; writes docs/bounds.md
	@echo "[bench-bounds] running tools.bench.bounds"
	@$(VENV)/bin/python -m tools.bench.bounds

bench-scale: setup services ## how cost grows (plots in docs/), and what very large clusters take
	@echo "[bench-scale] running tools.bench.growth, tools.bench.scale and tools.bench.northd"
	@$(VENV)/bin/python -m tools.bench.growth
	@$(VENV)/bin/python -m tools.bench.scale
	@$(VENV)/bin/python -m tools.bench.northd

# --nodes 100,200 takes other sizes, of 250 pods a node. 1,000 nodes take 15 GB of memory: --nodes 1000 --fleet 100
# --compare kubernetes.watch_time=30 measures daemons without an option and with it
ZONES ?=

bench-zones: setup services ## what a daemon for each node costs, by the size of the cluster; ZONES='--nodes 100,200' takes other sizes
	@echo "[bench-zones] running tools.zones"
	@$(VENV)/bin/python -m tools.zones $(ZONES)

bench-central: setup services-ovn-new ## what the first sync of 200,000 rows does to a database server, and to three in a RAFT cluster
	@echo "[bench-central] running tools.bench.central"
	@$(VENV)/bin/python -m tools.bench.central

# --ovn 25.03 measures one generation, --part matrix, guide or costs one part; then nothing is written.
DATAPLANE_ARGS ?=

dataplane: setup services services-ovn-latest ## measure marks and limits on the wire, with each generation of OVN; writes docs/dataplane-matrix.md
	@echo "[dataplane] running tools.dataplane"
	@$(VENV)/bin/python -m tools.dataplane $(DATAPLANE_ARGS)

docs: setup ## build the pages of docs/ into build/site; a link to nowhere fails
	@echo "[docs] mkdocs build --strict"
	@NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --clean --config-file tools/docs/mkdocs.yml

screenshots: docs services-ovn-new ## pictures of the site and of the status page, desk and phone, light and dark, in build/screenshots
	@echo "[screenshots] running tools.docs.screenshots"
	@$(VENV)/bin/python -m tools.docs.screenshots

reference: setup ## write the pages and man pages that are made from the code
	@echo "[reference] tools.docs.generate"
	@$(VENV)/bin/python -m tools.docs.generate

# The time that the archives bear: that of the commit, so that it gives the same bytes each time.
SOURCE_DATE_EPOCH ?= $(shell git log -1 --format=%ct 2>/dev/null || date +%s)

package: dist-package ## build wheel, source archive and Debian package into dist/, and check that they install
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(VENV)/bin/python -m pytest --timeout=$(TEST_TIMEOUT) tests/packaging/package_checks.py

dist-package: setup package-tools
	@echo "[package] building dist/"
	@rm -rf dist
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(VENV)/bin/python -m build --no-isolation --sdist --wheel --outdir dist . >/dev/null
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) systemd/debian/make-package dist/*.whl dist
	@ls -l dist

image: setup services dist-package ## build an image as an OCI archive into dist/, without a container engine, and check that it runs
	@echo "[image] building dist/nqosd-*.oci.tar"
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(VENV)/bin/python -m tools.image dist/nqosd_*.deb dist
	@SOURCE_DATE_EPOCH=$(SOURCE_DATE_EPOCH) $(VENV)/bin/python -m pytest --timeout=$(TEST_TIMEOUT) tests/packaging/image_checks.py

chart: setup services-kubernetes ## pack the Helm chart into dist/, and check what it renders
	@helm=$$($(VENV)/bin/python -c 'from tests.services.install import golang; print(golang.helm().require() / "bin/helm")'); \
		$$helm package --destination dist config/helm/nqosd
	@$(VENV)/bin/python -m pytest --timeout=$(TEST_TIMEOUT) tests/packaging/test_manifests.py

package-tools:
	@missing=""; \
	for tool in lintian:lintian man:man-db rpmbuild:rpm strip:binutils python3:python3-minimal; do \
		PATH=/usr/bin:/bin command -v "$${tool%%:*}" >/dev/null || missing+=" $${tool##*:}"; \
	done; \
	if [ -n "$$missing" ]; then \
		echo "[package] installing$$missing"; \
		export DEBIAN_FRONTEND=noninteractive; \
		apt-get -qq update </dev/null; \
		apt-get -qq install --yes --no-install-recommends $$missing </dev/null >/dev/null; \
	fi

chaos: setup services ## random changes under 1,000 random faults, everything compared, the truth of /readyz sampled; CHAOS='--seed 7' does one run again
	@echo "[chaos] running tools.chaos"
	@$(VENV)/bin/python -m tools.chaos $(CHAOS)

failover: setup services ## kill the active daemon 20 times, and measure until another one has committed
	@echo "[failover] running tools.failover"
	@$(VENV)/bin/python -m tools.failover

# --pods 20 is shorter, --attack ports --attack policies tries only these and writes nothing.
TENANTS ?=

tenants: setup services ## try every attack of one tenant on another, watch what the victim notices, write the table of docs/security.md
	@echo "[tenants] running tools.tenants"
	@$(VENV)/bin/python -m tools.tenants $(TENANTS)

doctor: setup services ## break set-ups in one thing each, have nqosd doctor look at them, write what it says to docs/doctor.md
	@echo "[doctor] running tools.doctor"
	@$(VENV)/bin/python -m tools.doctor

# --objects 10000 --messages 2000 --seed 7 is shorter, and tries others.
FUZZ ?=

fuzz: setup ## a million mutated objects and 200,000 mutated messages, guided by coverage; FUZZ='--objects 10000' is shorter
	@$(VENV)/bin/python -c 'import atheris' 2>/dev/null || $(VENV)/bin/python -m pip install --quiet --group fuzz
	@echo "[fuzz] running tools.fuzz"
	@$(VENV)/bin/python -m tools.fuzz $(FUZZ)

audit: setup ## look up the known vulnerabilities of the dependencies, on the internet
	@[ -x $(VENV)/audit/bin/pip-audit ] || { $(PYTHON) -m venv $(VENV)/audit && $(VENV)/audit/bin/python -m pip install --quiet pip-audit; }
	@echo "[audit] pip-audit"
	@$(VENV)/audit/bin/pip-audit --strict --path "$$($(VENV)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"

clean: ## remove the virtual environment and what tools left in the checkout (not the services)
	@echo "[clean] removing $(VENV) and caches"
	@rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
