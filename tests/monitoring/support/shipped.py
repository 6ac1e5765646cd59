"""The shipped files: where they are, what they say, and copies of them in which time runs faster.

A copy differs from what is shipped in three things only: durations are a tenth (scrapes, evaluations, ranges, `for`,
Alertmanager's grouping), targets are where the test's programs listen, and, where a test says so, values of the .env file.
"""

import re
import shutil
import subprocess
from pathlib import Path

import yaml

from .switchboard import REPOSITORY

MONITORING = REPOSITORY / "monitoring"
PROMETHEUS = MONITORING / "prometheus"
ALERTMANAGER = MONITORING / "alertmanager"
RULES = sorted((PROMETHEUS / "rules").glob("*.yml"))
CASES = sorted((PROMETHEUS / "tests").glob("*_test.yml"))
RUNBOOKS = REPOSITORY / "docs" / "runbooks"

FASTER = 10
MILLISECONDS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
DURATION = r"(\d+)([smh])"
# Where durations stand: `for: 30s`, `scrape_interval: 10s`, `group_wait: 10s`; `offset 1m`; `[5m]`, `[1h:10s]`.
SETTING = re.compile(rf"\b(for|keep_firing_for|\w+_interval|\w+_timeout|group_wait): {DURATION}\b")
OFFSET = re.compile(rf"\boffset {DURATION}\b")
RANGE = re.compile(rf"\[{DURATION}(?::{DURATION})?\]")


def rules():
    """Every rule of the shipped files, with the name of its file."""
    for path in RULES:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                yield path.name, rule


def alerts():
    return [rule for _, rule in rules() if "alert" in rule]


def recorded():
    return [rule for _, rule in rules() if "record" in rule]


def _shorter(number, unit):
    return f"{int(number) * MILLISECONDS[unit] // FASTER}ms"


def faster(text):
    """`text` with every duration divided by FASTER."""

    def window(match):
        number, unit, step, step_unit = match.groups()
        tail = f":{_shorter(step, step_unit)}" if step else ""
        return f"[{_shorter(number, unit)}{tail}]"

    text = SETTING.sub(lambda match: f"{match[1]}: {_shorter(match[2], match[3])}", text)
    text = OFFSET.sub(lambda match: f"offset {_shorter(match[1], match[2])}", text)
    return RANGE.sub(window, text)


def replaced(text, old, new):
    """`text` with `old` replaced; that it is there is part of the test."""
    assert old in text, f"{old} is not in the shipped file any more"
    return text.replace(old, new)


def copy_prometheus(home, servers, alertmanager, own, edit_rules=lambda name, text: text):
    """A copy for these addresses, in `home`; returns its configuration's path."""
    (home / "rules").mkdir(parents=True)
    for path in RULES:
        (home / "rules" / path.name).write_text(edit_rules(path.name, faster(path.read_text())))
    text = faster((PROMETHEUS / "prometheus.yml").read_text())
    text = replaced(text, '["switchboard:9464"]', str([server.ops for server in servers]))
    text = replaced(text, "alertmanager:9093", alertmanager)
    text = replaced(text, "localhost:9090", own)
    (home / "prometheus.yml").write_text(text)
    return home / "prometheus.yml"


def render_alertmanager(home, **values):
    """What render.sh makes of the shipped .env file with some `values` changed; returns the configuration's path."""
    home.mkdir(parents=True, exist_ok=True)
    text = (ALERTMANAGER / "alertmanager.env").read_text()
    for name, value in values.items():
        text, found = re.subn(rf"^{name}=.*$", lambda _: f"{name}={value}", text, flags=re.MULTILINE)
        assert found == 1, f"alertmanager.env sets {name} {found} times"
    settings = home / "alertmanager.env"
    settings.write_text(text)
    subprocess.run([ALERTMANAGER / "render.sh", home, settings], check=True, stderr=subprocess.PIPE, text=True)
    return home / "alertmanager.yml"


def copy_alertmanager(home, **values):
    config = render_alertmanager(home, **values)
    config.write_text(faster(config.read_text()))
    return config


def tool(*command):
    """Runs promtool, amtool and the like; returns what they say."""
    assert shutil.which(command[0]), f"{command[0]} is not installed"
    done = subprocess.run([str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, f"{' '.join(map(str, command))}\n{done.stdout}"
    return done.stdout
