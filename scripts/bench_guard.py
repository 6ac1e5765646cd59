"""Holds counted instructions against the baseline: bench_guard.py [--update] BASELINE COUNTS...

COUNTS is what gungraun says with --output-format=json, one case a line; of several runs the least count of each case holds. BASELINE has an entry per architecture, since each
has its own instructions. Exits 1 if a case costs more than LIMIT allows, or is missing on one side.
"""

import json
import pathlib
import platform
import subprocess
import sys

# How much more a case may cost. Generous: another compiler or another C library moves a small case by some per cent, the
# same ones move none by one.
LIMIT = 0.15

REFRESH = "`make bench-baseline` takes the counts as they are now; say in the commit why they are right"


def read_counts(paths):
    """The instructions of each case, by name."""
    counts = {}
    for line in (line for path in paths for line in pathlib.Path(path).read_text(encoding="utf-8").splitlines()):
        case = json.loads(line)
        (profile,) = case["profiles"]
        name = f"{case['function_name']}::{case['id']}"
        count = profile["data"]["total"]["metrics"]["Ir"]["values"]["new"]
        counts[name] = min(count, counts.get(name, count))
    return counts


def compare(allowed, counts):
    """A line per case, and the names of those that are to blame."""
    lines, bad = [], []
    for case in sorted(allowed.keys() | counts.keys()):
        before, now = allowed.get(case), counts.get(case)
        if before is None or now is None:
            verdict = "IS NOT IN THE BASELINE" if before is None else "WAS NOT RUN"
            bad.append(case)
        else:
            change = now / before - 1
            verdict = f"{change:+.1%}"
            if change > LIMIT:
                verdict += f" IS MORE THAN {LIMIT:+.0%}"
                bad.append(case)
            elif change < -LIMIT:
                verdict += " (refresh the baseline, or this can be lost unnoticed)"
        lines.append(f"{case:<26}{before or '-':>10}{now or '-':>10}  {verdict}")
    return lines, bad


def tools():
    """What the counts depend on beside the code."""

    def version(*command):
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    return {"rustc": version("rustc", "--version"), "valgrind": version("valgrind", "--version")}


def read_baseline(path):
    path = pathlib.Path(path)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def update(path, counts):
    if not counts:
        sys.exit("bench-guard: no case was run")
    baseline = read_baseline(path)
    baseline[platform.machine()] = {"made_with": tools(), "instructions": dict(sorted(counts.items()))}
    pathlib.Path(path).write_text(json.dumps(baseline, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    print(f"bench-guard: {path} has {len(counts)} cases")


def guard(path, counts):
    entry = read_baseline(path).get(platform.machine())
    if entry is None:
        sys.exit(f"bench-guard: {path} has nothing for {platform.machine()}; {REFRESH}")
    lines, bad = compare(entry["instructions"], counts)
    print(f"{'instructions':<26}{'baseline':>10}{'now':>10}", *lines, sep="\n")
    if bad:
        here = tools()
        others = [f"{there} there, {here[tool]} here" for tool, there in entry["made_with"].items() if there != here[tool]]
        print(f"bench-guard: FAILED: {', '.join(bad)}", *others, REFRESH, sep="\n  ", file=sys.stderr)
    return bool(bad)


def main(arguments):
    options = [argument for argument in arguments if argument.startswith("--")]
    path, *counts = [argument for argument in arguments if argument not in options]
    if options == ["--update"]:
        return update(path, read_counts(counts))
    if options:
        sys.exit(f"bench-guard: no such option: {options}")
    return guard(path, read_counts(counts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
