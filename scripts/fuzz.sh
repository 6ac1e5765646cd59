#!/usr/bin/env bash
# Runs the fuzz targets of fuzz/, one after the other, each for FUZZ_SECONDS (60), with the address sanitizer. Arguments:
# the targets, if not all of them. Installs cargo-fuzz where it is missing.
#
# What a target has learned stays in fuzz/corpus for the next run; what made it fail in fuzz/artifacts.
set -euo pipefail
cd "$(dirname "$0")/.."

CARGO_FUZZ=0.13.1
# An input of this many bytes is long enough for everything but the longest frames, which the seeds bring.
LONGEST=4096
# Per execution: no input of that length is worth more. A decoder that believed a frame's announced length would ask for it.
MOST_MIB=16

seconds=${FUZZ_SECONDS:-60}
targets=("$@")
[ "${#targets[@]}" -gt 0 ] || targets=(decoder envelope room resume_buffer seats cluster_wire)

# The sanitizer's flags are unstable ones; those who made the toolchain test them all the same.
export RUSTC_BOOTSTRAP=1

if [ "$(cargo fuzz --version 2>/dev/null)" != "cargo-fuzz $CARGO_FUZZ" ]; then
    cargo install --quiet --locked --version "$CARGO_FUZZ" cargo-fuzz
fi
command -v c++ >/dev/null || { printf 'fuzz: no C++ compiler (Debian: g++)\n' >&2; exit 1; }

python3 scripts/fuzz_seeds.py fuzz/corpus >/dev/null
# cargo-fuzz knows no --locked, but leaves a lock file that fits as it is.
cargo fetch --quiet --locked --manifest-path fuzz/Cargo.toml
cargo fuzz build

run=$(mktemp -d)
trap 'rm -rf "$run"' EXIT
total=0
for target in "${targets[@]}"; do
    options=(-max_total_time="$seconds" -max_len="$LONGEST" -malloc_limit_mb="$MOST_MIB" -rss_limit_mb=1024)
    options+=(-timeout=10 -print_final_stats=1)
    [ ! -f "fuzz/$target.dict" ] || options+=(-dict="fuzz/$target.dict")
    if ! cargo fuzz run "$target" -- "${options[@]}" >"$run/$target.log" 2>&1; then
        tail -n 60 "$run/$target.log" >&2
        printf 'fuzz: %s failed; the input is in fuzz/artifacts/%s\n' "$target" "$target" >&2
        exit 1
    fi
    executed=$(sed -n 's/^stat::number_of_executed_units: //p' "$run/$target.log")
    covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$run/$target.log" | tail -n 1)
    # A target that ran nothing has shown nothing.
    [ "${executed:-0}" -ge 1000 ] || { tail -n 60 "$run/$target.log" >&2; printf 'fuzz: %s hardly ran\n' "$target" >&2; exit 1; }
    printf '%-13s %10d executions in %d s, %d edges covered, nothing found\n' "$target" "$executed" "$seconds" "$covered"
    total=$((total + executed))
done
printf '%d executions\n' "$total"
