#!/bin/sh
# Starts coturn: start.sh CONFIG SECRETS
#
# CONFIG is turnserver.conf. SECRETS has a secret in each line, all of which are taken: the server makes credentials with the first,
# so another one can follow it (docs/operations.md). They go into a file that nobody else can read, since everybody may read the
# arguments of a process. TURN_EXTERNAL_IP is external-ip: PUBLIC, or PUBLIC/PRIVATE behind a NAT; empty where the machine
# has its public address itself.
set -eu
if [ $# -ne 2 ]; then
    echo "usage: start.sh CONFIG SECRETS" >&2
    exit 64
fi
umask 077
work=$(mktemp -d)
{
    cat "$1"
    # The last line may have no end.
    { tr -d '\r' < "$2"; echo; } | sed -n 's/^[[:space:]]*//; s/[[:space:]]*$//; /./s/^/static-auth-secret=/p'
    [ -z "${TURN_EXTERNAL_IP:-}" ] || echo "external-ip=$TURN_EXTERNAL_IP"
} > "$work/turnserver.conf"
# Without a secret coturn would look for one in a database, and let nobody in.
if ! grep -q '^static-auth-secret=' "$work/turnserver.conf"; then
    echo "start.sh: there is no secret in $2" >&2
    exit 1
fi
exec turnserver -c "$work/turnserver.conf"
