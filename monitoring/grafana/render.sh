#!/bin/sh
# Copies the dashboards to a directory, with the addresses and the name of this installation in them: render.sh DIRECTORY
#
# Of the environment, and left as they are where it is empty:
#   INSTALLATION                                      the name that dashboards begin with, instead of Switchboard
#   PROMETHEUS_URL, ALERTMANAGER_URL, LIVE_PAGE_URL   where a browser reaches them, instead of localhost
#
# A plain sh with sed, so that it runs in Grafana's own container image, too.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
[ $# -eq 1 ] || { echo "usage: $0 DIRECTORY" >&2; exit 2; }

refuse() { echo "grafana/render.sh: $*" >&2; exit 1; }

plain_url() { # NAME URL
    case $2 in
        *[!A-Za-z0-9._~:/?=\&%+@,-]*) refuse "$1 is no plain URL: $2" ;;
        http://?* | https://?*) ;;
        *) refuse "$1 must begin with http:// or https://: $2" ;;
    esac
}

# What is special in the replacement of sed's s|…|…|.
escaped() { printf '%s' "$1" | sed 's/[&|\\]/\\&/g'; }

swap= # the commands for sed, one after another
exchange() { # NAME DEFAULT VALUE
    [ -n "$3" ] || return 0
    plain_url "$1" "$3"
    swap="$swap;s|$2|$(escaped "${3%/}/")|"
}

installation=${INSTALLATION:-}
case $installation in
    *[\"\'\<\>{}\`\\]*) refuse "INSTALLATION may have no quotes, brackets, braces or backslashes: $installation" ;;
    '') ;;
    *) swap="$swap;s|\"title\": \"Switchboard / |\"title\": \"$(escaped "$installation") / |" ;;
esac
exchange PROMETHEUS_URL http://localhost:9090/ "${PROMETHEUS_URL:-}"
exchange ALERTMANAGER_URL http://localhost:9093/ "${ALERTMANAGER_URL:-}"
exchange LIVE_PAGE_URL http://localhost:9464/ "${LIVE_PAGE_URL:-}"
# As in alertmanager.env; here it is the server that is chosen at the top of the dashboard.
swap="$swap;s|//INSTANCE/|//\${instance}/|"

mkdir -p "$1"
for dashboard in "$here"/dashboards/*.json; do
    sed "$swap" "$dashboard" > "$1/${dashboard##*/}"
done
