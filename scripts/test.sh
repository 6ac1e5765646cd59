#!/usr/bin/env bash
# The whole test, cheapest first, so that a slip is told early. Installs what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

step "tools"
scripts/install-test-tools.sh

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --workspace --all-targets --locked -- -D warnings

step "unit and integration tests"
cargo test --workspace --locked

step "end to end: Chromium and Prometheus"
npm test --prefix tests/e2e

step "all passed"
