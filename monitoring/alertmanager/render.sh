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
# Bytes, not characters: a byte order mark is three of them.
export LC_ALL=C

here=$(cd "$(dirname "$0")" && pwd)
[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [ENV_FILE]" >&2; exit 2; }
out=$1
settings=${2:-$here/alertmanager.env}

render() {
    awk -v settings="$settings" -v effective="$effective" -v source="$1" '
        function fail(why) {
            print source ": " why > "/dev/stderr"
            failed = 1
            exit 1
        }
        function read_settings(   line, at) {
            while ((got = (getline line < effective)) > 0) {
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

say() { echo "render.sh: $*" >&2; }
refuse() { say "$@"; exit 1; }

# The value of NAME: the environment's, of what may stand there, else the file's last.
setting() {
    case $1 in
        INSTALLATION | GRAFANA_URL | LIVE_PAGE_URL | RUNBOOK_BASE_URL)
            eval "given=\${$1:-}"
            if [ -n "$given" ]; then printf '%s\n' "$given"; return; fi
            ;;
    esac
    sed -n "s/^$1=//p" "$settings" | tr -d '\r' | tail -n 1
}

# A value of the environment, or one that an older ENV_FILE does not have, becomes a line like the others.
settle() { printf '%s=%s\n' "$1" "$2" >> "$effective"; }

# The one line of the secret in FILE, without what editors and `echo` leave around it, into another file.
clean() { # NAME FILE INTO
    awk -v name="$1" -v file="$2" '
        function refuse(why) {
            print "render.sh: " file " (" name ") " why > "/dev/stderr"
            refused = 1
            exit 1
        }
        NR == 1 {
            start = substr($0, 1, 2)
            if (start == sprintf("%c%c", 255, 254) || start == sprintf("%c%c", 254, 255))
                refuse("is UTF-16, as PowerShell writes it: save it as UTF-8")
            if (substr($0, 1, 3) == sprintf("%c%c%c", 239, 187, 191)) $0 = substr($0, 4)
        }
        { sub(/^[ \t]+/, ""); sub(/[ \t\r]+$/, "") }
        /\r/ { refuse("has a carriage return within a line") }
        $0 == "" { next }
        found { refuse("has more than one line: which of them counts?") }
        { found = 1; printf "%s", $0 }
        END { if (!refused && !found) exit 3 }
    ' "$2" > "$3"
}

# A file with the address of a program, which somebody switched on.
address() { # NAME
    path=$(setting "$1")
    [ -n "$path" ] || return 0
    if [ ! -f "$path" ] || [ ! -r "$path" ]; then refuse "cannot read $path ($1)"; fi
    state=0
    clean "$1" "$path" "$out/secrets/$1" || state=$?
    [ "$state" -ne 3 ] || refuse "$path ($1) is empty"
    [ "$state" -eq 0 ] || exit 1
    case $(cat "$out/secrets/$1") in
        http://?* | https://?*) ;;
        *) refuse "$path ($1) holds no address that begins with http:// or https://" ;;
    esac
    settle "$1" "$out/secrets/$1"
}

# Without the password no mail can be sent, but all else works, so it is no reason not to start.
password() {
    path=$(setting SMTP_PASSWORD_FILE)
    [ -n "$(setting SMTP_USERNAME)" ] || return 0
    if [ ! -e "$path" ]; then say "there is no $path (SMTP_PASSWORD_FILE): no mail can be sent"; return 0; fi
    if [ ! -f "$path" ] || [ ! -r "$path" ]; then say "cannot read $path (SMTP_PASSWORD_FILE): no mail can be sent"; return 0; fi
    state=0
    clean SMTP_PASSWORD_FILE "$path" "$out/secrets/SMTP_PASSWORD_FILE" || state=$?
    if [ "$state" -eq 3 ]; then say "$path (SMTP_PASSWORD_FILE) is empty: no mail can be sent"; return 0; fi
    [ "$state" -eq 0 ] || exit 1
    settle SMTP_PASSWORD_FILE "$out/secrets/SMTP_PASSWORD_FILE"
}

plain_url() { # NAME URL
    case $2 in
        *[!A-Za-z0-9._~:/?\#\[\]@!\$\&\(\)*+,\;=%-]*) refuse "$1 is no plain URL: $2" ;;
        '' | http://?* | https://?*) ;;
        *) refuse "$1 must begin with http:// or https://: $2" ;;
    esac
}

[ -r "$settings" ] || refuse "cannot read $settings"
mkdir -p "$out/templates" "$out/secrets"
out=$(cd "$out" && pwd)
effective=$out/settings
cat "$settings" > "$effective"
# A last line without an end.
echo >> "$effective"

installation=$(setting INSTALLATION)
case $installation in
    *[\"\'\<\>{}\`\\]*) refuse "INSTALLATION may have no quotes, brackets, braces or backslashes: $installation" ;;
esac
settle INSTALLATION "$installation"

base=$(setting RUNBOOK_BASE_URL)
plain_url RUNBOOK_BASE_URL "$base"
case $base in
    '') say "RUNBOOK_BASE_URL is empty: notifications will name runbooks by their path, without a link" ;;
    */) ;;
    *) refuse "RUNBOOK_BASE_URL must end with a slash: $base" ;;
esac
settle RUNBOOK_BASE_URL "$base"

grafana=$(setting GRAFANA_URL)
plain_url GRAFANA_URL "$grafana"
settle GRAFANA_URL "${grafana:+${grafana%/}/}"

live=$(setting LIVE_PAGE_URL)
plain_url LIVE_PAGE_URL "$live"
settle LIVE_PAGE_URL "$(printf '%s' "$live" | sed 's/INSTANCE/{{ .Labels.instance }}/')"

password
for name in SLACK_URL_FILE DISCORD_URL_FILE WEBHOOK_URL_FILE WATCHDOG_URL_FILE; do address "$name"; done

# Nor what a former release left there.
rm -f "$out"/templates/*.tmpl
cp "$here"/templates/*.tmpl "$out/templates/"
render "$here/templates/links.tmpl.in" > "$out/templates/links.tmpl"
# Written beside and moved, so that an Alertmanager that reloads meanwhile never reads half a file.
render "$here/alertmanager.yml.in" > "$out/alertmanager.yml.new"
mv "$out/alertmanager.yml.new" "$out/alertmanager.yml"
rm "$effective"
