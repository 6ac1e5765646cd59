"""promtool's cases: all pass, and no alert is without one that fires and one that is silent."""

import re
import unittest

import yaml

from support import intervals, shipped
from support.stack import home_of

LABEL = re.compile(r'(\w+)="([^"]*)"')


def cases():
    for path in shipped.CASES:
        for case in yaml.safe_load(path.read_text())["tests"]:
            yield path.name, case


class Cases(unittest.TestCase):
    def test_all_pass(self):
        shipped.tool("promtool", "test", "rules", *shipped.CASES)

    def test_every_alert_fires_in_a_case_that_also_has_it_silent(self):
        fired = []
        for _, case in cases():
            checks = [check for check in case["promql_expr_test"] if "ALERTS" in check["expr"]]
            firing = [dict(LABEL.findall(one["labels"])) for check in checks for one in check.get("exp_samples", [])]
            if any("exp_samples" not in check for check in checks) or case["name"] == "Watchdog":
                fired += firing
        for rule in shipped.alerts():
            # What a label is made of only then cannot be known here.
            fixed = {name: str(value) for name, value in rule["labels"].items() if "{{" not in str(value)}
            wanted = {"alertname": rule["alert"], **fixed}
            with self.subTest(**wanted):
                self.assertTrue(any(wanted.items() <= labels.items() for labels in fired))

    def test_every_alert_holds_at_scrape_intervals_up_to_a_minute(self):
        home = home_of(self, "intervals")
        for interval in (15, 30, 60):
            files = []
            for path in shipped.CASES:
                file = yaml.safe_load(path.read_text())
                file["rule_files"] = [str((path.parent / rules).resolve()) for rules in file["rule_files"]]
                file["tests"] = [intervals.variation(case, interval) for case in file["tests"] if intervals.is_varied(case)]
                if not file["tests"]:
                    continue
                files.append(home / f"{interval}-{path.name}")
                files[-1].write_text(yaml.safe_dump(file, sort_keys=False, width=10_000))
            with self.subTest(f"every {interval} s"):
                shipped.tool("promtool", "test", "rules", *files)
