#!/usr/bin/env bash
# Runs Autobahn|Testsuite, cases 1 to 7, 9 and 10, against an echo made of the server's own session code. Everything it
# installs or builds goes below target/autobahn, the report too. Fails unless every case is there and none has failed.
#
# The suite needs CPython 2.7: AUTOBAHN_PYTHON27, or python2.7 from the PATH, or one that pyenv has.
set -euo pipefail
cd "$(dirname "$0")/.."

SUITE=autobahntestsuite==25.10.1
# The last ones that make environments for Python 2.7.
VIRTUALENV='virtualenv<20.22'

home=$(cargo metadata --format-version 1 --no-deps --offline | sed 's/.*"target_directory":"\([^"]*\)".*/\1/')/autobahn
mkdir -p "$home"

unavailable() {
    printf 'autobahn: cannot be had here, nothing was tested: %s\n' "$*" >&2
    exit 3
}

works() { "$1" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))' >/dev/null 2>&1; }

find_python27() {
    local candidate
    for candidate in "${AUTOBAHN_PYTHON27:-}" python2.7 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/2.7.*/bin/python; do
        if [ -n "$candidate" ] && works "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

install_suite() {
    local python27
    python27=$(find_python27) || unavailable "no CPython 2.7 (pyenv install 2.7.18; or AUTOBAHN_PYTHON27=…)"
    command -v python3 >/dev/null || unavailable "no python3 to make an environment with"
    python3 -m venv "$home/maker" || unavailable "python3 -m venv failed (Debian: python3-venv)"
    "$home/maker/bin/pip" install -q "$VIRTUALENV" || unavailable "pip install $VIRTUALENV failed"
    "$home/maker/bin/virtualenv" -q -p "$python27" "$home/suite" || unavailable "no environment for $python27"
    "$home/suite/bin/pip" install -q "$SUITE" || unavailable "pip install $SUITE failed (it builds C: gcc, libffi, OpenSSL)"
}

[ -x "$home/suite/bin/wstest" ] || install_suite

# In a target directory of its own: an echo must not be found where the server is looked for.
cargo build --locked --features echo --target-dir "$home/build"

# Large limits for the large messages of cases 9, and for the pace at which the suite sends thousands of them; no heartbeat
# in between.
run="$home/run"
rm -rf "$run" "$home/report"
mkdir -p "$run"
env -i PATH="$PATH" \
    SWITCHBOARD__SERVER__HOST=127.0.0.1 SWITCHBOARD__SERVER__PORT=0 SWITCHBOARD__OPS__PORT=0 \
    SWITCHBOARD__LIMITS__FRAME_BYTES=16777216 SWITCHBOARD__LIMITS__FRAGMENTS=1000000 \
    SWITCHBOARD__LIMITS__QUEUE_BYTES=268435456 SWITCHBOARD__LIMITS__QUEUE_FRAMES=1000000 \
    SWITCHBOARD__LIMITS__FRAME_RATE=1000000 SWITCHBOARD__LIMITS__FRAME_BURST=1000000 \
    SWITCHBOARD__LIMITS__BYTE_RATE=1000000000 SWITCHBOARD__LIMITS__BYTE_BURST=1000000000 \
    SWITCHBOARD__LIMITS__EXEMPT_LOOPBACK=true \
    SWITCHBOARD__HEARTBEAT__INTERVAL_MS=3600000 SWITCHBOARD__HEARTBEAT__CONNECTION_TIMEOUT_MS=7200000 \
    SWITCHBOARD__STATE__DIR="$run" \
    "$home/build/debug/switchboard" >"$run/server.log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT

address=
for _ in $(seq 100); do
    address=$(sed -n 's/.*"public":"\([^"]*\)".*/\1/p' "$run/server.log" | head -n 1)
    [ -z "$address" ] || break
    sleep 0.1
done
[ -n "$address" ] || { cat "$run/server.log" >&2; printf 'autobahn: the server did not start\n' >&2; exit 1; }

cat >"$run/spec.json" <<SPEC
{
    "outdir": "$home/report",
    "servers": [{"agent": "switchboard", "url": "ws://$address/ws?room=/echo"}],
    "cases": ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.*", "10.*"],
    "exclude-cases": [],
    "exclude-agent-cases": {}
}
SPEC
(cd "$run" && "$home/suite/bin/wstest" --mode fuzzingclient --spec spec.json) >"$run/wstest.log" 2>&1 ||
    { tail -n 50 "$run/wstest.log" >&2; printf 'autobahn: the suite itself failed\n' >&2; exit 1; }

python3 scripts/autobahn_verdicts.py "$home/report/index.json"
