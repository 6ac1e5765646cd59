#!/usr/bin/env bash
# Counts the instructions of every case in benches/, and fails where one costs more than benches/baseline.json allows.
# With --update it writes that file instead. Needs Valgrind, and a runner that it installs below target/tools.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() {
    printf 'bench-guard: nothing was compared: %s\n' "$*" >&2
    exit 3
}

baseline=benches/baseline.json
home=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/tools

command -v valgrind >/dev/null || scripts/install-test-tools.sh || true
valgrind --version >/dev/null || fail "no valgrind (Debian: apt-get install valgrind)"

# Runner and library speak the same version or not at all: Cargo.lock has the one of both.
version=$(sed -n '/^name = "gungraun-runner"$/{n;s/^version = "\(.*\)"$/\1/p}' Cargo.lock)
[ -n "$version" ] || fail "Cargo.lock names no gungraun-runner"
runner=$home/gungraun-runner-$version/bin/gungraun-runner
if [ ! -x "$runner" ]; then
    printf 'bench-guard: installing gungraun-runner %s\n' "$version" >&2
    # It starts Valgrind and adds up: optimising it takes longer than it ever runs.
    CARGO_PROFILE_DEV_DEBUG=0 cargo install --quiet --locked --debug --target-dir "$home/build" \
        --root "$home/gungraun-runner-$version" --version "=$version" gungraun-runner ||
        fail "cargo install gungraun-runner $version failed"
    rm -rf "$home/build"
fi

# The allocator tidies up every 10 ms, by the clock, and on a busy machine more of that falls into a case. So one that seems to
# cost too much is counted again, and its least count is what it costs.
counts=()
for run in 1 2 3; do
    counts+=("$home/instructions-$run.json")
    GUNGRAUN_RUNNER=$runner cargo bench --quiet --locked --bench instructions -- --output-format=json >"${counts[-1]}" ||
        fail "the benches failed"
    status=0
    python3 scripts/bench_guard.py "$@" "$baseline" "${counts[@]}" || status=$?
    [ "$status" -ne 0 ] || break
done
exit "$status"
