#!/bin/sh
# Makes what docker-compose.yml expects here and is not there yet; touches nothing that is:
#   grafana/admin_password        made up at random
#   alertmanager/smtp_password    empty: write the mail account's password into it
# Other secrets that alertmanager.env names (/run/secrets/…) go to alertmanager/ as well.
#
# The files can be read by everybody, since the containers run as users of their own, but not this folder: only its owner
# gets that far. The containers see the folders below it.
set -eu
cd "$(dirname "$0")"

chmod 700 .
mkdir -p alertmanager grafana
chmod 755 alertmanager grafana

if [ ! -e grafana/admin_password ]; then
    # 24 letters and digits; no line end, because Grafana would take it for a part of the password.
    head -c 512 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c 1-24 | tr -d '\n' > grafana/admin_password
    echo "prepare.sh: made a password for Grafana's admin: $PWD/grafana/admin_password"
fi
if [ ! -e alertmanager/smtp_password ]; then
    : > alertmanager/smtp_password
    echo "prepare.sh: no mail can be sent before the account's password is in $PWD/alertmanager/smtp_password" >&2
fi
chmod 644 grafana/admin_password alertmanager/*
