"""The shipped cases as they look at another scrape interval: the same history, sampled more seldom.

A case's samples are 10 s apart. Its variation has the last of them at every scrape, of counters what they have between two.
`switchboard_draining`, for which a server waits to be scraped, and the end of a series are not missed. What fires must fire
within two scrapes, and what is silent before must be silent: seldom samples may delay an alert and must not invent one.
"""

import re
from fractions import Fraction

BASE = 10
STEP = re.compile(r"(?P<first>[-+]?[\d.]+)(?P<step>[-+][\d.]+)?x(?P<times>\d+)")
BLANK = re.compile(r"_x(\d+)")
NUMBER = re.compile(r"-?[\d.]+")
COUNTER = re.compile(r"(_total|_count|_sum|_bucket)\{")
TIME = re.compile(r"(\d+)([hms])")
SECONDS = {"h": 3600, "m": 60, "s": 1}


def values(text):
    """promtool's notation, one word a sample."""
    samples = []
    for word in text.split():
        if step := STEP.fullmatch(word):
            first, by = Fraction(step["first"]), Fraction(step["step"] or 0)
            samples += [_plain(first + by * n) for n in range(int(step["times"]) + 1)]
        elif blank := BLANK.fullmatch(word):
            samples += ["_"] * int(blank[1])
        else:
            samples.append(word)
    return samples


def _plain(number):
    return str(number.numerator) if number.denominator == 1 else f"{float(number):.9g}"


def seconds(text):
    return sum(int(number) * SECONDS[unit] for number, unit in TIME.findall(str(text)))


def _sampled(series, interval):
    samples, told = values(series["values"]), "switchboard_draining" in series["series"]
    picked = []
    for at in range(0, len(samples) * BASE, interval):
        upto = at // BASE
        between = samples[max(0, (at - interval) // BASE + 1):upto + 1]
        if told and "1" in between and picked[-1:] == ["0"]:
            picked.append("1")
        elif samples[upto] == "_" and picked and picked[-1] not in ("_", "stale"):
            # What was there and cannot be scraped any more.
            picked.append("stale")
        else:
            picked.append(_between(series["series"], samples, at))
    return {"series": series["series"], "values": " ".join(picked)}


def _between(name, samples, at):
    """The sample at a time, or what a counter that grows evenly has between two of them."""
    upto = at // BASE
    pair = samples[upto:upto + 2]
    if at % BASE == 0 or len(pair) < 2 or not COUNTER.search(name) or not all(NUMBER.fullmatch(one) for one in pair):
        return samples[upto]
    before, after = map(Fraction, pair)
    return _plain(before + (after - before) * Fraction(at % BASE, BASE)) if after >= before else samples[upto]


def _later(checks, at, interval):
    """When to ask what is asked at `at`: two scrapes later, but for what is over by then."""
    check, after = checks[at], checks[at + 1:]
    when = seconds(check["eval_time"])
    if "exp_samples" not in check:
        # Silent before anything fires: at the same time. Over: as much later as its beginning may be.
        fired = any("exp_samples" in one for one in checks[:at])
        return when + 2 * interval if fired else when
    ends = [seconds(one["eval_time"]) for one in after if "exp_samples" not in one]
    return when if ends and ends[0] <= when + 2 * interval else when + 2 * interval


def _asked(checks, interval):
    """Without what another check that also fires follows at once: by then both do."""
    for at, check in enumerate(checks):
        following = checks[at + 1] if at + 1 < len(checks) else {}
        soon = seconds(following.get("eval_time", "9h")) <= seconds(check["eval_time"]) + 2 * interval
        if not ("exp_samples" in check and "exp_samples" in following and soon):
            yield {**check, "eval_time": f"{_later(checks, at, interval)}s"}


def is_varied(case):
    return case["interval"] == f"{BASE}s" and all("ALERTS" in check["expr"] for check in case["promql_expr_test"])


def variation(case, interval):
    return {
        "name": f"{case['name']}, every {interval} s",
        "interval": f"{interval}s",
        "input_series": [_sampled(series, interval) for series in case["input_series"]],
        "promql_expr_test": list(_asked(case["promql_expr_test"], interval)),
    }
