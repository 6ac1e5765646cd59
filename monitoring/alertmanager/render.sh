#!/bin/sh
# Writes Alertmanager's configuration to a directory: render.sh DIRECTORY [ENV_FILE]
#
# Takes alertmanager.yml.in and templates/ from beside this script, and the values from ENV_FILE (alertmanager.env beside
# this script by default). Then: prometheus-alertmanager --config.file=DIRECTORY/alertmanager.yml
#
#   @NAME@           the value, as it goes between YAML's single quotes
#   @file:NAME@      the content of the file whose path is the value
#   #if NAME [NAME…] lines up to #else or #end only if one of the values is not empty; may be nested
#
# A plain sh with awk, so that it runs in Alertmanager's own container image, too.
set -eu
umask 077

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [ENV_FILE]" >&2; exit 2; }
out=$1
settings=${2:-$here/alertmanager.env}

render() {
    awk -v settings="$settings" -v source="$1" '
        function fail(why) {
            print source ": " why > "/dev/stderr"
            failed = 1
            exit 1
        }
        function read_settings(   line, at) {
            while ((got = (getline line < settings)) > 0) {
                sub(/\r$/, "", line)
                if (line ~ /^[ \t]*(#|$)/) continue
                at = index(line, "=")
                if (at < 2) fail(settings " has a line without NAME=: " line)
                value[substr(line, 1, at - 1)] = substr(line, at + 1)
            }
            if (got < 0) fail("cannot read " settings)
        }
        function known(name) {
            if (!(name in value)) fail(settings " does not set " name)
            return value[name]
        }
        function content(name,   line, path) {
            path = known(name)
            if ((getline line < path) <= 0) fail("cannot read " path " (" name ")")
            close(path)
            sub(/[ \t\r]+$/, "", line)
            return line
        }
        function quoted(text,   quote, done, at) {
            quote = sprintf("%c", 39)
            while ((at = index(text, quote)) > 0) {
                done = done substr(text, 1, at) quote
                text = substr(text, at + 1)
            }
            return done text
        }
        function filled(line,   done, name) {
            while (match(line, /@(file:)?[A-Z][A-Z_]*@/)) {
                name = substr(line, RSTART + 1, RLENGTH - 2)
                done = done substr(line, 1, RSTART - 1)
                done = done quoted(name ~ /^file:/ ? content(substr(name, 6)) : known(name))
                line = substr(line, RSTART + RLENGTH)
            }
            return done line
        }
        BEGIN { read_settings(); depth = 0; shown[0] = 1 }
        $1 == "#if" {
            depth++
            any = 0
            for (i = 2; i <= NF; i++) if (known($i) != "") any = 1
            wanted[depth] = any
            shown[depth] = shown[depth - 1] && any
            next
        }
        $1 == "#else" { shown[depth] = shown[depth - 1] && !wanted[depth]; next }
        $1 == "#end" { depth--; next }
        shown[depth] { print filled($0) }
        END { if (!failed && depth != 0) fail("an #if without #end") }
    ' "$1"
}

base=$(sed -n 's/^RUNBOOK_BASE_URL=//p' "$settings" | tr -d '\r')
case $base in
    '') echo "render.sh: RUNBOOK_BASE_URL is empty: notifications will name runbooks by their path, without a link" >&2 ;;
    *[\ \"\'\<\>{}]*) echo "render.sh: RUNBOOK_BASE_URL is no plain URL: $base" >&2; exit 1 ;;
    http://*/ | https://*/) ;;
    *) echo "render.sh: RUNBOOK_BASE_URL must begin with http:// or https:// and end with a slash: $base" >&2; exit 1 ;;
esac

mkdir -p "$out/templates"
cp "$here"/templates/*.tmpl "$out/templates/"
render "$here/templates/runbook.tmpl.in" > "$out/templates/runbook.tmpl"
# Written beside and moved, so that an Alertmanager that reloads meanwhile never reads half a file.
render "$here/alertmanager.yml.in" > "$out/alertmanager.yml.new"
mv "$out/alertmanager.yml.new" "$out/alertmanager.yml"
