#!/usr/bin/env bash
# The whole test, cheapest first, so that a slip is told early. Installs what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

# What takes how long is told at each step's end.
began=$SECONDS
step() {
    [ -z "${doing:-}" ] || printf '== took %s s: %s\n' "$((SECONDS - began))" "$doing"
    began=$SECONDS
    doing=$*
    printf '\n== %s\n' "$doing"
}

step "tools"
scripts/install-test-tools.sh

step "format"
cargo fmt --all --check

step "lock files"
# The fuzz targets are a workspace of their own, whose lock a new dependency of the server's makes stale unnoticed.
cargo fetch --quiet --locked --manifest-path fuzz/Cargo.toml

step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings
cargo clippy --workspace --all-targets --locked --features fault-injection -- -D warnings

step "dependencies: licences, bans, sources; advisories where they can be had"
scripts/deny.sh

step "unit and integration tests"
# Faults can be injected into this build, which is the tests' own; that no other takes them is tested after it.
cargo test --workspace --exclude switchboard-cluster-model --locked --features fault-injection
cargo test --locked --test it wedge

step "random histories of a cluster, and of each of its rules broken"
cargo test --locked -p switchboard-cluster-model --features switchboard/fault-injection

step "end to end: Chromium and Prometheus"
npm test --prefix tests/e2e

step "client library: types, build, package, size, tests"
scripts/with-node.sh npm test --prefix clients/web

step "monitoring: rules, and alerts from symptom to mailbox"
tests/monitoring/run.sh

step "monitoring: dashboards, live page, monitor, compose file"
npm test --prefix tests/monitoring/dashboards

step "instructions: no case costs much more than it did"
python3 -B scripts/test_bench_guard.py
scripts/bench-guard.sh

step "all passed"
