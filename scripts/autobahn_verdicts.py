"""Counts the verdicts in a report of Autobahn|Testsuite. Exits 1 unless every case is there and none has failed."""

import collections
import json
import sys

# All of 1 to 7, 9 and 10 in release 25.10.1.
CASES = 301
# Of the message, and of how the connection was closed.
GOOD = {"OK", "NON-STRICT", "INFORMATIONAL"}


def main(path):
    with open(path, encoding="utf-8") as report:
        cases = next(iter(json.load(report).values()))
    for verdict in ("behavior", "behaviorClose"):
        counts = collections.Counter(case[verdict] for case in cases.values())
        print(f"{verdict}:", ", ".join(f"{count} {name}" for name, count in counts.most_common()))
    bad = [
        f"{name}: {case['behavior']}, closed {case['behaviorClose']} ({case['reportfile']})"
        for name, case in cases.items()
        if not {case["behavior"], case["behaviorClose"]} <= GOOD
    ]
    lenient = [name for name, case in cases.items() if case["behavior"] == "NON-STRICT"]
    print("not strict:", ", ".join(sorted(lenient)) or "none")
    if len(cases) != CASES:
        bad.append(f"{len(cases)} cases were run instead of {CASES}")
    for line in bad:
        print("FAILED", line)
    print(f"{len(cases)} cases, {len(bad)} failed; the report: {path.replace('.json', '.html')}")
    return bool(bad)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
