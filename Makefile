# What one does with this repository. `make` alone lists it.

PUBLIC_URL ?= http://localhost:8080
OPS_URL ?= http://localhost:9464
PROMETHEUS_URL ?= http://localhost:9090
SOAK_SECONDS ?= 600
CLUSTER_HISTORIES ?= 50000
# The name of a flood of tests/abuse, or a part of it; empty: all of them.
ABUSE_FLOOD ?=
IMAGE ?= switchboard
# The commit that switchboard_build_info names for a build made here.
REVISION = $(shell git describe --always --dirty 2>/dev/null || echo unknown)

.DEFAULT_GOAL := help
.PHONY: help run build check test ci-test health metrics alerts monitor monitor-test bench bench-baseline compare compare-baseline autobahn fuzz soak abuse cluster restart-drill browsers long up down docker-build clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## Start the server; its page is at http://localhost:8080/
	cargo run

build: ## Build the release binary, target/release/switchboard
	SWITCHBOARD_REVISION="$(REVISION)" cargo build --release --locked

check: ## Format and lints, as the tests demand them
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

test: ## Everything, cheapest first; installs what is missing (Debian)
	scripts/test.sh

ci-test: test ## What continuous integration runs: the same

health: ## Ask the running server how it is
	@curl -sS --fail-with-body $(PUBLIC_URL)/health && echo

metrics: ## Show the running server's metrics
	@curl -sS --fail-with-body $(OPS_URL)/metrics

alerts: ## Show what the running Prometheus says of alerts
	@curl -sS --fail-with-body $(PROMETHEUS_URL)/api/v1/alerts && echo

monitor: ## Watch the running server in the terminal
	monitoring/monitor.sh

monitor-test: ## One look at the running server; the exit code says whether it is well
	monitoring/monitor.sh test

bench: ## Time the parts, and hold their instructions against the baseline
	cargo bench --locked --bench wall
	scripts/bench-guard.sh

bench-baseline: ## Take the instructions as they are now for the baseline
	scripts/bench-guard.sh --update

compare: ## Measure beside other signaling servers, about an hour; writes docs/performance.md
	tools/compare/run.sh

compare-baseline: ## The same with the baseline alone, in a quarter of an hour: only the ratios in docs/performance.md
	tools/compare/run.sh --baseline

autobahn: ## Autobahn|Testsuite against an echo over the session's own code; installs itself, needs Python 2.7
	scripts/autobahn.sh

fuzz: ## Fuzz the frame decoder, the envelope and the rules, each for FUZZ_SECONDS (60); installs cargo-fuzz
	scripts/fuzz.sh

soak: ## Peers that join, talk, stall, die and resume through a bad network; SOAK_SECONDS (600), SOAK_PEERS, SOAK_SEED
	SOAK_SECONDS="$(SOAK_SECONDS)" cargo test --release --locked --test soak -- --nocapture

abuse: ## Floods in full, from one address and from twenty, against the release build in a container's memory; ABUSE_FLOOD plays one alone
	rm -f target/tmp/abuse.txt
	ABUSE=full cargo test --release --locked --test abuse $(ABUSE_FLOOD) -- --nocapture --test-threads 1; \
	status=$$?; cat target/tmp/abuse.txt; exit $$status

restart-drill: ## A restart under 2000 peers that talk by numbers: RESTART_PEERS, RESTART_TALKS_MS; says how long it took, and the longest silence
	RESTART_PEERS="$${RESTART_PEERS:-2000}" cargo test --release --locked --test it -- restart_drill --nocapture

cluster: ## Random histories of a cluster, without a network; CLUSTER_HISTORIES (50000), CLUSTER_SEED (1)
	CLUSTER_HISTORIES="$(CLUSTER_HISTORIES)" cargo test --locked -p switchboard-cluster-model -- --nocapture

browsers: ## What pages live through, in full: MESH_ROUNDS (30) of each trouble, twelve hidden tabs for HIDDEN_MINUTES (15); three quarters of an hour
	scripts/install-test-tools.sh browsers
	scripts/with-node.sh npm run build --prefix clients/web
	cd clients/web/client && ALL_BROWSERS=yes MESH_ROUNDS="$${MESH_ROUNDS:-30}" HIDDEN_MINUTES="$${HIDDEN_MINUTES:-15}" \
	  ../../../scripts/with-node.sh npx vitest run tests/hidden.test.ts tests/mesh/survival.test.ts tests/mesh/outage.test.ts tests/mesh/firefox.test.ts

long: soak abuse cluster autobahn fuzz restart-drill browsers ## Whatever has a short form in `make test`, in full, and what has none; over half an hour

# Who watches comes first, so that a server that cannot be built or does not start is told of.
up: ## The whole stack in containers: server, Prometheus, Alertmanager, Grafana; settings in .env
	monitoring/secrets/prepare.sh
	docker compose up --detach --no-build prometheus alertmanager grafana
	SWITCHBOARD_REVISION="$(REVISION)" docker compose up --build --detach

down: ## Stop the stack; its volumes stay
	docker compose down

docker-build: ## Build the container image
	DOCKER_BUILDKIT=1 docker build --build-arg SWITCHBOARD_REVISION="$(REVISION)" --tag $(IMAGE) .

clean: ## Remove what was built and installed here
	cargo clean
	rm -rf fuzz/target fuzz/corpus tests/e2e/node_modules clients/web/node_modules clients/web/client/dist tests/monitoring/dashboards/node_modules tools/compare/node_modules
