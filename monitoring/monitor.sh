#!/usr/bin/env bash
# Switchboard in a terminal: how the probes are, five key figures with their change, and errors as they are logged.
# `monitor.sh --help` has the rest.
set -euo pipefail

readonly PROGRAM=${0##*/}
public_url=${SWITCHBOARD_URL:-http://localhost:8080}
ops_url=${SWITCHBOARD_OPS_URL:-http://localhost:9464}
interval=10
rounds=0 # 0: for ever
log_file=${SWITCHBOARD_LOG:-}
container=${SWITCHBOARD_CONTAINER:-}
mode=live

usage() {
    cat <<EOF
usage: $PROGRAM [OPTION]... [live|test]

  live   (the default) every $interval s: the probes, five key figures with their change since the time before;
         in between the errors of the log, if there is one to read
  test   ask once, say what is wrong, end with 0 (all well), 1 (something is not) or 2 (cannot tell)

  --url URL          the public listener     [$public_url]     (or SWITCHBOARD_URL)
  --ops-url URL      the ops listener        [$ops_url]     (or SWITCHBOARD_OPS_URL)
  --interval S       seconds between two looks                 [$interval]
  --rounds N         end after N looks; 0: never               [$rounds]
  --log PATH         the log: a file, or the folder of log.dir (or SWITCHBOARD_LOG)
  --container NAME   the log of this container                 (or SWITCHBOARD_CONTAINER)
  --no-color         no colours; there are none either when NO_COLOR is set or the output is no terminal
  -h, --help         this

Needs bash, curl, awk and date; for the log also jq, and docker where it is a container's.
EOF
}

die() {
    printf '%s: %s\n' "$PROGRAM" "$*" >&2
    exit 2
}

# -- Arguments

while [ $# -gt 0 ]; do
    case $1 in
        --url | --ops-url | --interval | --rounds | --log | --container)
            [ $# -ge 2 ] || die "$1 needs a value"
            ;;
    esac
    case $1 in
        live | test) mode=$1 ;;
        --url) public_url=$2; shift ;;
        --ops-url) ops_url=$2; shift ;;
        --interval) interval=$2; shift ;;
        --rounds) rounds=$2; shift ;;
        --log) log_file=$2; shift ;;
        --container) container=$2; shift ;;
        --no-color | --no-colour) NO_COLOR=1 ;;
        -h | --help) usage; exit 0 ;;
        *) die "unknown argument: $1 (try --help)" ;;
    esac
    shift
done
[[ $interval =~ ^[1-9][0-9]*$ ]] || die "--interval takes whole seconds, not: $interval"
[[ $rounds =~ ^[0-9]+$ ]] || die "--rounds takes a number, not: $rounds"
public_url=${public_url%/}
ops_url=${ops_url%/}

# -- What it needs

check_dependencies() {
    local program missing=()
    for program in "$@"; do
        command -v "$program" >/dev/null 2>&1 || missing+=("$program")
    done
    [ ${#missing[@]} -eq 0 ] || die "needs ${missing[*]}; on Debian: apt-get install curl jq gawk (docker: docker.io)"
}

needed=(curl awk date)
if [ "$mode" = live ] && [ -n "$log_file$container" ]; then needed+=(jq tail); fi
if [ "$mode" = live ] && [ -n "$container" ]; then needed+=(docker); fi
check_dependencies "${needed[@]}"

# -- Colours

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ] && [ "${TERM:-dumb}" != dumb ]; then
    red=$'\e[31m' green=$'\e[32m' yellow=$'\e[33m' faint=$'\e[2m' bold=$'\e[1m' plain=$'\e[0m'
else
    red='' green='' yellow='' faint='' bold='' plain=''
fi

# -- Asking

# The status and, behind a line end, the body; 000 when nobody answers.
ask() { curl --silent --max-time 5 --write-out '\n%{http_code}' "$1" 2>/dev/null || printf '\n000'; }

# Sets `code` and `body`.
fetch() {
    local answer
    answer=$(ask "$1")
    code=${answer##*$'\n'}
    body=${answer%$'\n'*}
}

# The five figures from /metrics, one line each: name, value. Counters are turned into rates by the caller.
# Errors are all errors; the p95 is of everything since the last look, or of everything there is at the first.
figures() {
    awk '
        /^#/ { next }
        { name = $1; sub(/\{.*/, "", name) }
        name == "switchboard_connections" { connections += $2 }
        name == "switchboard_rooms" { rooms += $2 }
        name == "switchboard_messages_total" { messages += $2 }
        name == "switchboard_errors_total" { errors += $2 }
        name == "process_resident_memory_bytes" { memory = $2 }
        name == "switchboard_ready" { known = 1 }
        END {
            if (!known) exit 1
            printf "%d %d %d %d %d\n", connections, rooms, messages, errors, memory
        }'
}

# -- Showing

paint() { # STATE TEXT
    case $1 in
        good) printf '%s%s%s' "$green" "$2" "$plain" ;;
        warn) printf '%s%s%s' "$yellow" "$2" "$plain" ;;
        *) printf '%s%s%s' "$red" "$2" "$plain" ;;
    esac
}

problems=()

# One probe: what it is called, where it is, what is asked of it.
probe() {
    local name=$1 url=$2 state=good word
    fetch "$url"
    word=${body%%$'\n'*}
    case $code in
        200) ;;
        000) state=bad word='no answer' ;;
        *) state=bad ;;
    esac
    if [ "$name" = health ] && [ "$code" != 000 ]; then
        word=$(sed -n 's/.*"status":"\([a-z]*\)","uptime".*/\1/p' <<<"$body")
        [ "$word" != degraded ] || state=warn
        word=${word:-unreadable}
    fi
    [ "$state" = good ] || problems+=("$name: ${word:-status $code}")
    printf '  %-9s %s\n' "$name" "$(paint "$state" "${word:-$code}")"
}

probes() {
    probe alive "$public_url/healthz"
    probe ready "$public_url/readyz"
    probe health "$public_url/health"
}

# A number with its unit and its change. Thresholds: from the first on yellow, from the second on red; - for none.
figure() { # NAME VALUE UNIT CHANGE WARN BAD
    awk -v name="$1" -v value="$2" -v unit="$3" -v change="$4" -v warn="$5" -v bad="$6" \
        -v red="$red" -v yellow="$yellow" -v faint="$faint" -v bold="$bold" -v plain="$plain" '
        function shown(number) { return number == int(number) ? sprintf("%d", number) : sprintf("%.1f", number) }
        BEGIN {
            colour = bold
            if (warn != "-" && value + 0 >= warn + 0) colour = yellow
            if (bad != "-" && value + 0 >= bad + 0) colour = red
            moved = change == "" ? "" : change + 0 == 0 ? "=" : change > 0 ? "+" shown(change) : shown(change)
            text = value == "" ? "-" : shown(value) (unit == "" ? "" : " " unit)
            printf "  %-12s %s%12s%s  %s%s%s\n", name, colour, text, plain, faint, moved, plain
        }'
}

minus() { awk -v a="$1" -v b="$2" 'BEGIN { print a - b }'; }
per() { awk -v a="$1" -v b="$2" -v s="$3" -v f="$4" 'BEGIN { d = a - b; if (s > 0 && d >= 0) printf "%.1f", d * f / s }'; }
since() { if [ -n "$2" ]; then minus "$1" "$2"; fi; }

now() { date +%s.%N; }

before='' # the figures of the look before, and when that was
before_at=''
rate_before=''
error_rate_before=''

show_figures() {
    local at connections rooms messages errors memory was=('' '' '' '' '') rate='' error_rate='' elapsed
    fetch "$ops_url/metrics"
    at=$(now)
    local line
    if [ "$code" != 200 ] || ! line=$(figures <<<"$body"); then
        problems+=("metrics: $ops_url/metrics did not answer with the server's metrics (status $code)")
        printf '  %s\n' "$(paint bad "no metrics from $ops_url")"
        before=''
        return
    fi
    read -r connections rooms messages errors memory <<<"$line"
    if [ -n "$before" ]; then
        read -ra was <<<"$before"
        elapsed=$(minus "$at" "$before_at")
        rate=$(per "$messages" "${was[2]}" "$elapsed" 1)
        error_rate=$(per "$errors" "${was[3]}" "$elapsed" 60)
    fi
    memory=$(awk -v b="$memory" 'BEGIN { printf "%.1f", b / 1048576 }')
    figure connections "$connections" '' "$(since "$connections" "${was[0]}")" 100 200
    figure rooms "$rooms" '' "$(since "$rooms" "${was[1]}")" 20 -
    figure messages "$rate" /s "$([ -z "$rate_before" ] || [ -z "$rate" ] || minus "$rate" "$rate_before")" - 1000
    figure errors "$error_rate" /min "$([ -z "$error_rate_before" ] || [ -z "$error_rate" ] || minus "$error_rate" "$error_rate_before")" 10 600
    figure memory "$memory" MiB "$([ -z "${was[4]}" ] || awk -v a="$memory" -v b="${was[4]}" 'BEGIN { printf "%.1f", a - b / 1048576 }')" - -
    before=${line} before_at=$at rate_before=$rate error_rate_before=$error_rate
}

look() {
    problems=()
    printf '%s%s%s  %s\n' "$bold" "$(date '+%Y-%m-%d %H:%M:%S')" "$plain" "$public_url"
    probes
    show_figures
}

# -- The log

# Lines of level error and critical, and every other that tells of an error, in a line for people. What is no JSON is
# somebody's cry (a loader, a kernel) and shown as it is.
readable() {
    jq --unbuffered --raw-input --raw-output --arg red "$red" --arg yellow "$yellow" --arg plain "$plain" '
        . as $raw
        | (try fromjson catch {ts: "", level: "critical", msg: $raw})
        | select(type == "object")
        | select((.level | IN("error", "critical")) or has("fingerprint"))
        | (if (.level | IN("error", "critical")) then $red else $yellow end) as $colour
        | [.ts, $colour + (.severity // .level) + $plain, .msg, (.code // empty), (.doing // empty), (.cause // .message // empty),
           (if .room then "room " + .room else empty end), (if .session_id then "session " + .session_id else empty end)]
        | join("  ") | "  ! " + .'
}

# The newest file of a folder of log.dir; the file itself otherwise.
newest() {
    if [ -d "$1" ]; then
        local files=("$1"/switchboard-[0-9]*.jsonl)
        [ -e "${files[-1]}" ] || die "there is no log file in $1"
        printf '%s\n' "${files[-1]}"
    else
        [ -r "$1" ] || die "cannot read the log $1"
        printf '%s\n' "$1"
    fi
}

# The process group of what reads the log, so that its end takes all of it along, and the file that it reads.
reader=''
reading=''

follow_log() { # LINES: which of those that are there, as tail -n takes it
    if [ -n "$container" ]; then
        docker inspect "$container" >/dev/null 2>&1 || die "docker knows no container $container"
        set -m
        (docker logs --follow --tail 0 "$container" 2>&1 | readable) &
    elif [ -n "$log_file" ]; then
        reading=$(newest "$log_file")
        set -m
        (tail --follow=name --retry --lines="$1" --pid=$$ "$reading" 2>/dev/null | readable) &
    else
        printf '%sno log to read errors from: see --log and --container%s\n' "$faint" "$plain"
        return
    fi
    reader=$!
    set +m
}

# At midnight a folder of log.dir gets another file.
follow_next_day() {
    if [ -n "$container" ] || [ ! -d "$log_file" ] || [ "$(newest "$log_file")" = "$reading" ]; then return; fi
    stop
    follow_log +1
}

stop() { [ -z "$reader" ] || kill -- "-$reader" 2>/dev/null || true; }

# -- Both ways to use it

run_test() {
    look
    if [ ${#problems[@]} -eq 0 ]; then
        paint good 'all well'
        printf '\n'
        return 0
    fi
    printf '%s\n' "$(paint bad 'not well:')" "${problems[@]/#/  }"
    return 1
}

run_live() {
    trap stop EXIT
    trap 'exit 0' INT TERM
    follow_log 0
    local round=0
    while :; do
        follow_next_day
        look
        round=$((round + 1))
        if [ "$rounds" -ne 0 ] && [ "$round" -ge "$rounds" ]; then break; fi
        # In the background, so that a signal is heard at once.
        sleep "$interval" &
        wait $! || true
    done
}

if [ "$mode" = test ]; then run_test; else run_live; fi
