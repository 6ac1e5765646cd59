#!/usr/bin/env bash
# Installs what `make test` needs beside Rust, on Debian: Chromium, Prometheus, Alertmanager, coturn, Redis, HAProxy, Python, Node, Valgrind,
# iproute2, libfaketime, and the tests' npm packages. With the argument `browsers` also Firefox, which `make browsers` alone plays.
# What is already there is left alone. Needs root or sudo only when a Debian package is missing.
set -euo pipefail
cd "$(dirname "$0")/.."

OLDEST_NODE=18
wanted=${1:-}

fail() {
    printf 'install-test-tools: %s\n' "$*" >&2
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# The Debian packages for the programs that are missing.
missing_packages() {
    has chromium || [ -n "${CHROMIUM_BIN:-}" ] || echo chromium
    [ "$wanted" != browsers ] || has firefox-esr || [ -n "${FIREFOX_BIN:-}" ] || echo firefox-esr
    { has prometheus && has promtool; } || echo prometheus
    { has prometheus-alertmanager && has amtool; } || echo prometheus-alertmanager
    has turnserver || echo coturn
    has redis-server || echo redis-server
    has haproxy || echo haproxy
    has prometheus-redis-exporter || echo prometheus-redis-exporter
    has python3 || echo python3
    # Without it `python3 -m venv` makes nothing.
    python3 -c 'import ensurepip' 2>/dev/null || echo python3-venv
    has openssl || echo openssl
    # Networks of the tests' own, to take a peer's away.
    has ip || echo iproute2
    { has unshare && has nsenter; } || echo util-linux
    # A server whose clock jumps.
    has faketime || echo faketime
    has shellcheck || echo shellcheck
    has valgrind || echo valgrind
    has docker-compose || echo docker-compose
    has node || echo nodejs
    has npm || echo npm
    # Rust links with it, and the allocator is C.
    has cc || printf '%s\n' gcc libc6-dev
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        fail "not root, and no sudo to become it: run as root: apt-get install --no-install-recommends ${packages[*]}"
    fi
}

install_packages() {
    has apt-get || fail "no apt-get here: install these by hand, then run this again: ${packages[*]}"
    printf 'install-test-tools: installing %s\n' "${packages[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
    # Debian starts the service of what it installs; the tests want the program alone, on ports of their own.
    local service
    for service in prometheus prometheus-alertmanager coturn redis-server haproxy prometheus-redis-exporter; do
        if [[ " ${packages[*]} " == *" $service "* && -d /run/systemd/system ]]; then
            as_root systemctl disable --now "$service.service"
        fi
    done
}

check_node() {
    local major
    major=$(node --print 'process.versions.node.split(".")[0]')
    [ "$major" -ge "$OLDEST_NODE" ] || fail "node $(node --version) is too old: the tests need $OLDEST_NODE or newer"
}

check_rust() {
    has cargo || fail "no cargo here: install Rust, for instance from https://rustup.rs"
    local tool
    for tool in fmt clippy; do
        cargo "$tool" --version >/dev/null 2>&1 && continue
        has rustup || fail "no cargo $tool here, and no rustup to add it"
        rustup component add "${tool/fmt/rustfmt}"
    done
}

# The lock file is newer than what was installed from it, or nothing was installed yet.
npm_is_stale() { [ ! "$1/node_modules/.package-lock.json" -nt "$1/package-lock.json" ]; }

check_rust
mapfile -t packages < <(missing_packages)
[ "${#packages[@]}" -eq 0 ] || install_packages
check_node
for folder in tests/e2e tests/monitoring/dashboards; do
    if npm_is_stale "$folder"; then
        npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund
    fi
done
# What the client library is built with wants a newer Node than the other tests do.
if npm_is_stale clients/web; then
    scripts/with-node.sh npm ci --prefix clients/web --ignore-scripts --no-audit --no-fund
fi
