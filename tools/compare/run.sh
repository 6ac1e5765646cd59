#!/usr/bin/env bash
# Compares Switchboard with other signaling servers and writes docs/performance.md. Arguments go to
# `switchboard-load compare` (see its --help): `run.sh --quick` shows in some minutes that everything works, and
# `run.sh --baseline` compares with the baseline alone, for which neither Node nor matchbox are needed.
# Needs cargo, Node 20 or newer with npm, taskset (util-linux), two cores, 20 000 file descriptors, and an hour in which
# the machine does nothing else.
set -euo pipefail

root=$(cd "$(dirname "$0")/../.." && pwd)
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}
cache=$target/compare
matchbox_version=$(<tools/compare/matchbox_version)

hard=$(ulimit -Hn)
ulimit -n "$hard"
if [[ $hard != unlimited && $hard -lt 20000 ]]; then
    echo "run.sh: 19 000 connections need 20 000 file descriptors, the limit is $hard" >&2
    exit 1
fi

# Separately, so that the server is built with its own features and nobody else's.
cargo build --release --locked --package switchboard
cargo build --release --locked --package switchboard-load

matchbox=$cache/matchbox-$matchbox_version
if [[ " $* " != *" --baseline "* ]]; then
    if [[ ! -x $matchbox/bin/matchbox_server ]]; then
        cargo install matchbox_server --version "$matchbox_version" --locked --root "$matchbox" --target-dir "$cache/build"
        rm -r "$cache/build"
    fi
    # No install scripts: bufferutil brings its prebuilt module, the others need none.
    npm ci --prefix tools/compare --ignore-scripts --no-audit --no-fund
fi
mkdir -p "$cache"

exec "$target/release/switchboard-load" compare \
    --switchboard "$target/release/switchboard" \
    --baseline-server "$target/release/switchboard-baseline" \
    --matchbox "$matchbox/bin/matchbox_server" \
    --peers tools/compare \
    --cache "$cache" \
    "$@"
