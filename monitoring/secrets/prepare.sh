#!/bin/sh
# Makes what docker-compose.yml expects here and is not there yet:
#   grafana/admin_password        made up at random
#   alertmanager/smtp_password    empty: write the mail account's password into it
#   turn/secret                   made up at random; the server and coturn make and check credentials with it
# Other secrets that alertmanager.env names (/run/secrets/…) go to alertmanager/ as well. What is there keeps its value; only
# what `echo` and editors leave around it (a line end, a byte order mark) is taken off, since Grafana takes it for a part.
#
# The containers run as users of their own. So secrets can be read by everybody, but not this folder: only its owner gets that
# far, and the containers see the folders below it. And all that is mounted into them can be read by everybody, whatever the
# umask was when this repository was cloned.
set -eu
cd "$(dirname "$0")"
# Bytes, not characters: a byte order mark is three of them.
export LC_ALL=C

say() { echo "prepare.sh: $*" >&2; }
refuse() { say "$@"; exit 1; }

# Takes off what surrounds the one line of FILE; says so, or what is wrong.
tidy() {
    if [ ! -f "$1" ] || [ ! -r "$1" ]; then refuse "cannot read $PWD/$1"; fi
    bare=$(
        awk -v file="$PWD/$1" '
            function refuse(why) { print "prepare.sh: " file " " why > "/dev/stderr"; exit 1 }
            NR == 1 {
                start = substr($0, 1, 2)
                if (start == sprintf("%c%c", 255, 254) || start == sprintf("%c%c", 254, 255))
                    refuse("is UTF-16, as PowerShell writes it: save it as UTF-8")
                if (substr($0, 1, 3) == sprintf("%c%c%c", 239, 187, 191)) $0 = substr($0, 4)
            }
            { sub(/\r$/, "") }
            $0 == "" { next }
            found { refuse("has more than one line: which of them counts?") }
            { found = 1; printf "%s", $0 }
        ' "$1"
    ) || exit 1
    if [ "$(wc -c < "$1")" -ne "$(printf '%s' "$bare" | wc -c)" ]; then
        printf '%s' "$bare" > "$1"
        say "took the line end off $PWD/$1"
    fi
}

chmod 700 .
mkdir -p alertmanager grafana turn
chmod 755 alertmanager grafana turn

if [ ! -e grafana/admin_password ]; then
    # 24 letters and digits; no line end, because Grafana would take it for a part of the password.
    head -c 512 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c 1-24 | tr -d '\n' > grafana/admin_password
    echo "prepare.sh: made a password for Grafana's admin: $PWD/grafana/admin_password"
fi
# A secret in each line: while one follows another there are two, and which comes first counts.
[ -e turn/secret ] || (head -c 512 /dev/urandom | tr -dc 'A-Za-z0-9' | cut -c 1-48) > turn/secret
[ -e alertmanager/smtp_password ] || : > alertmanager/smtp_password
for secret in grafana/admin_password alertmanager/*; do tidy "$secret"; done
# With an empty one Grafana would let everybody in as admin/admin.
[ -s grafana/admin_password ] || refuse "$PWD/grafana/admin_password is empty: write a password into it, or remove it and have one made"
[ -s alertmanager/smtp_password ] ||
    say "no mail can be sent before the account's password is in $PWD/alertmanager/smtp_password"
chmod 644 grafana/admin_password alertmanager/* turn/*

# What docker-compose.yml mounts beside the secrets.
for mounted in ../prometheus ../alertmanager ../grafana ../loki ../alloy ../compose ../../config/coturn; do
    [ -d "$mounted" ] || continue
    chmod -R a+rX "$mounted" 2>/dev/null || {
        # Somebody else's files, which may be readable all the same.
        closed=$(find "$mounted" ! -perm -o=r -print | head -n 3)
        [ -z "$closed" ] || refuse "the containers cannot read these, and their modes cannot be changed by $(id -un): $closed"
    }
done
