"""docs/metrics.md, which is generated from the server's catalogue, and the series that expressions use."""

import re

from .switchboard import REPOSITORY

PAGE = REPOSITORY / "docs" / "metrics.md"
# Everybody's: Prometheus' own, Alertmanager's, node_exporter's, redis_exporter's.
FOREIGN = re.compile(r"up|ALERTS|prometheus_\w+|alertmanager_\w+|node_\w+|redis_\w+")
NAME = re.compile(r"(?<![\w:{$.])(ALERTS|[a-z][a-z0-9_]*(?::[a-z0-9_]+)*)\b(?!\s*\()")
PARTS = ("_bucket", "_sum", "_count")
KEYWORDS = {"and", "or", "unless", "on", "ignoring", "group_left", "group_right", "by", "without", "bool", "offset", "inf"}


def series():
    """Every series with its labels; a closed label with its values, an open one with None."""
    found = {}
    for name, kind, labels in re.findall(r"^\| `(\w+)` \| (\w+) \|\s*\w*\s*\|(?: ([^|]*) \|)? [^|]+\|$", PAGE.read_text(), re.M):
        found[name] = {label: _values(words) for label, words in re.findall(r"`(\w+)`: ([^;|]*)", labels)}
    return found


def _values(words):
    closed = re.fullmatch(r"\s*(?:`\w+`\s*)+", words)
    return set(re.findall(r"`(\w+)`", words)) if closed else None


def common_names():
    block = re.search(r"<!-- names:begin -->(.*)<!-- names:end -->", PAGE.read_text(), re.DOTALL)[1]
    return re.findall(r"^\| `([^`]+)` \|", block, re.M)


def base(name, known):
    """A histogram's name for those of its parts."""
    stems = [name.removesuffix(part) for part in PARTS if name.endswith(part)]
    return next((stem for stem in stems if stem in known), name)


def is_foreign(name):
    return FOREIGN.fullmatch(name) is not None


def used(expression):
    """The series in an expression."""
    bare = re.sub(r'"[^"]*"', '""', expression)
    bare = re.sub(r"\{[^}]*\}|\[[^\]]*\]", "", bare)
    bare = re.sub(r"\b(on|ignoring|by|without|group_left|group_right)\s*\([^)]*\)", "", bare)
    return {name for name in NAME.findall(bare) if name not in KEYWORDS}


def matched(expression):
    """(series, label, value) for every label that must have one value, or one of several plain ones."""
    for name, matchers in re.findall(r"([a-z_:0-9]+)\{([^}]*)\}", expression):
        for label, operator, value in re.findall(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"', matchers):
            for word in value.split("|") if operator in ("=~", "!~") else [value]:
                if re.fullmatch(r"\w+", word):
                    yield name, label, word
