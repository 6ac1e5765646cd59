#!/usr/bin/env bash
# The tests of monitoring/: run.sh [files|cases|expressions|ops_api|mailbox …]; all of them by default.
# Needs prometheus, promtool, prometheus-alertmanager, amtool, openssl, python3 with venv, and the server: SWITCHBOARD_BIN
# or what `cargo build` makes.
set -euo pipefail

# Relative to where it was called from.
[ -z "${SWITCHBOARD_BIN:-}" ] || SWITCHBOARD_BIN=$(realpath "$SWITCHBOARD_BIN")
[ -z "${CARGO_TARGET_DIR:-}" ] || CARGO_TARGET_DIR=$(realpath -m "$CARGO_TARGET_DIR")
cd "$(dirname "$0")/../.."

venv=${CARGO_TARGET_DIR:-$PWD/target}/monitoring-venv
wanted=tests/monitoring/requirements.txt
installed=$venv/requirements.txt

python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "run.sh: python3 is older than 3.11" >&2; exit 1; }
if ! cmp -s "$wanted" "$installed"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$wanted"
    cp "$wanted" "$installed"
fi

cd tests/monitoring
modules=()
for name in "${@:-}"; do
    [ -z "$name" ] || modules+=("test_$name")
done
[ "${#modules[@]}" -gt 0 ] || modules=(test_files test_cases test_expressions test_ops_api test_mailbox)
export PYTHONDONTWRITEBYTECODE=1
exec "$venv/bin/python" -m unittest --verbose "${modules[@]}"
