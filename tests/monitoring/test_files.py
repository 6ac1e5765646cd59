"""What can be said of the shipped files without running anything: valid, complete, and true to the catalogue."""

import json
import os
import re
import subprocess
import unittest
from pathlib import Path
from unittest import mock

import yaml

from support import catalogue, shipped
from support.stack import home_of
from support.switchboard import REPOSITORY

EVERY_HOOK = ("SLACK_URL_FILE", "DISCORD_URL_FILE", "WEBHOOK_URL_FILE", "WATCHDOG_URL_FILE")
THRESHOLD = re.compile(r'switchboard:threshold\{alert="(\w+)",severity="(\w+)",limit="(\w+)"\}')


class Prometheus(unittest.TestCase):
    def test_promtool_accepts_configuration_and_rules(self):
        self.assertIn("SUCCESS", shipped.tool("promtool", "check", "config", shipped.PROMETHEUS / "prometheus.yml"))
        shipped.tool("promtool", "check", "rules", "--lint=all", "--lint-fatal", *shipped.RULES)

    def test_the_configuration_finds_every_file_of_rules(self):
        patterns = yaml.safe_load((shipped.PROMETHEUS / "prometheus.yml").read_text())["rule_files"]
        found = {path for pattern in patterns for path in shipped.PROMETHEUS.glob(pattern)}
        self.assertEqual(found, set(shipped.RULES))

    def test_it_scrapes_at_least_every_ten_seconds(self):
        settings = yaml.safe_load((shipped.PROMETHEUS / "prometheus.yml").read_text())["global"]
        for name in ("scrape_interval", "evaluation_interval"):
            self.assertLessEqual(int(settings[name].removesuffix("s")), 10)

    def test_every_series_and_label_value_is_in_the_catalogue(self):
        known, recorded = catalogue.series(), {rule["record"] for rule in shipped.recorded()}
        for name, rule in shipped.rules():
            with self.subTest(name, rule=rule.get("alert") or rule["record"]):
                for series in catalogue.used(rule["expr"]):
                    if series in recorded or catalogue.is_foreign(series):
                        continue
                    self.assertIn(catalogue.base(series, known), known)
                for series, label, value in catalogue.matched(rule["expr"]):
                    values = known.get(catalogue.base(series, known), {}).get(label)
                    self.assertTrue(values is None or value in values, f"{series} never has {label}={value}")

    def test_the_common_names_are_recorded(self):
        recorded = {rule["record"] for rule in shipped.recorded()}
        for name in catalogue.common_names():
            self.assertIn(name.replace(" ", "_"), recorded)


class Alerts(unittest.TestCase):
    def test_each_says_what_where_how_bad_and_what_to_do(self):
        boards = {json.loads(path.read_text())["uid"] for path in (shipped.MONITORING / "grafana" / "dashboards").glob("*.json")}
        for rule in shipped.alerts():
            with self.subTest(rule["alert"]):
                labels, notes = rule["labels"], rule["annotations"]
                self.assertIn(labels["severity"], {"critical", "warning", "info", "none"})
                self.assertTrue(labels["symptom"])
                self.assertEqual(set(notes) - {"threshold"}, {"summary", "description", "action", "runbook_url", "dashboard"})
                self.assertRegex(notes["summary"], r"^[A-Z][^{]*\.$")
                self.assertEqual(notes["runbook_url"], f"docs/runbooks/{rule['alert']}.md")
                self.assertIn(notes["dashboard"], boards)

    def test_each_has_a_runbook_and_each_runbook_an_alert(self):
        names = {rule["alert"] for rule in shipped.alerts()}
        pages = {page.stem: page.read_text() for page in shipped.RUNBOOKS.glob("*.md") if page.stem != "README"}
        self.assertEqual(names, set(pages))
        index = (shipped.RUNBOOKS / "README.md").read_text()
        for name, page in pages.items():
            with self.subTest(name):
                self.assertTrue(page.startswith(f"# {name}\n"))
                self.assertEqual(re.findall(r"^## (.+)$", page, re.MULTILINE),
                                 ["Meaning", "Impact", "How to look", "How to fix", "How to silence"])
                self.assertIn(f"]({name}.md)", index)

    def test_runbooks_ask_only_for_series_that_exist(self):
        known, recorded = catalogue.series(), {rule["record"] for rule in shipped.recorded()}
        for page in shipped.RUNBOOKS.glob("*.md"):
            for block in re.findall(r"```promql\n(.*?)```", page.read_text(), re.DOTALL):
                for series in catalogue.used(block):
                    with self.subTest(page.name, series=series):
                        known_one = series in recorded or catalogue.is_foreign(series)
                        self.assertTrue(known_one or catalogue.base(series, known) in known)

    def test_every_threshold_is_set_once_used_and_documented(self):
        set_ones = [tuple(rule["labels"][label] for label in ("alert", "severity", "limit"))
                    for rule in shipped.recorded() if rule["record"] == "switchboard:threshold"]
        self.assertEqual(len(set_ones), len(set(set_ones)), "a threshold stands there twice")
        compared = {found for rule in shipped.alerts() for found in THRESHOLD.findall(rule["expr"])}
        told = {found for rule in shipped.alerts() for found in THRESHOLD.findall(rule["annotations"].get("threshold", ""))}
        self.assertEqual(compared, set(set_ones))
        self.assertLessEqual(told, compared)
        page = (REPOSITORY / "docs" / "alerts.md").read_text()
        for alert, _, limit in set_ones:
            self.assertRegex(page, rf"(?m)^\| \[?{alert}\b.*`{limit}`")

    def test_the_documented_numbers_are_those_of_the_file(self):
        page = (REPOSITORY / "docs" / "alerts.md").read_text()
        for rule in shipped.recorded():
            if rule["record"] == "switchboard:threshold":
                alert, severity, limit = (rule["labels"][label] for label in ("alert", "severity", "limit"))
                number = re.fullmatch(r"vector\((.+)\)", rule["expr"])[1]
                self.assertRegex(page, rf"(?m)^\| \[{alert}\]\S* \| {severity} \| `{limit}` \| {re.escape(number)} \|")

    def test_the_page_lists_every_alert(self):
        page = (REPOSITORY / "docs" / "alerts.md").read_text()
        for rule in shipped.alerts():
            self.assertIn(f"[{rule['alert']}](runbooks/{rule['alert']}.md)", page)


class Alertmanager(unittest.TestCase):
    def rendered(self, hooks):
        home = home_of(self, "rendered")
        (home / "url").write_text("http://127.0.0.1:9/x\n")
        values = {name: home / "url" for name in hooks}
        return shipped.render_alertmanager(home / "config", **values)

    def test_amtool_accepts_it_with_every_choice_of_hooks(self):
        for choice in range(2 ** len(EVERY_HOOK)):
            hooks = [name for at, name in enumerate(EVERY_HOOK) if choice >> at & 1]
            with self.subTest(hooks):
                config = self.rendered(hooks)
                shipped.tool("amtool", "check-config", config)
                receivers = yaml.safe_load(config.read_text())["receivers"]
                chats = [len(receiver.get("slack_configs", [])) for receiver in receivers[:3]]
                self.assertEqual(chats, [sum(name in hooks for name in EVERY_HOOK[:2])] * 3)
                programs = ["webhook_configs" in receiver for receiver in receivers]
                self.assertEqual(programs, ["WEBHOOK_URL_FILE" in hooks] * 3 + ["WATCHDOG_URL_FILE" in hooks])

    def test_mail_goes_where_it_should_and_only_encrypted(self):
        config = yaml.safe_load(self.rendered([]).read_text())
        self.assertEqual(config["global"]["smtp_smarthost"], "smtp.office365.com:587")
        self.assertIs(config["global"]["smtp_require_tls"], True)
        self.assertIn("smtp_auth_password_file", config["global"])
        for receiver in config["receivers"][:3]:
            self.assertEqual([mail["to"] for mail in receiver["email_configs"]], ["dataplex@dataplextechnology.net"])

    def test_a_value_with_a_quote_stays_one_value(self):
        config = shipped.render_alertmanager(home_of(self, "rendered"), SMTP_USERNAME="o'neill: #1", SMTP_PASSWORD_FILE="/a b")
        self.assertEqual(yaml.safe_load(config.read_text())["global"]["smtp_auth_username"], "o'neill: #1")

    # Alertmanager takes a pattern that matches no file, and then sends mails without a text.
    def test_the_templates_are_found_and_define_what_is_used(self):
        config = self.rendered(EVERY_HOOK)
        files = [path for pattern in yaml.safe_load(config.read_text())["templates"] for path in config.parent.glob(pattern)]
        texts = [path.read_text() for path in files]
        defined = set(re.findall(r'define "([\w.]+)"', "".join(texts)))
        used = set(re.findall(r'template "([\w.]+)"', "".join([config.read_text(), *texts])))
        self.assertTrue(files)
        self.assertEqual(used - defined, set())

    def test_templates_escape_in_html_and_tell_everything_in_both(self):
        for kind, text in self.told(RUNBOOK_BASE_URL="https://git.example.org/s/", INSTALLATION="Acme", LIVE_PAGE_URL="https://INSTANCE/",
                                    GRAFANA_URL="https://ops.example.org/grafana"):
            for words in ("It burns.", "i:1 (job j) (Acme)", "2026-01-02 03:04:05 UTC", "critical (threshold: 2 s)", "Put it out.",
                          "https://git.example.org/s/docs/runbooks/X.md", "https://i:1/",
                          "https://ops.example.org/grafana/d/switchboard-overview?var-instance=i%3A1"):
                self.assertIn(words, text)
            self.assertIn("<b> & more" if kind == "text" else "&lt;b&gt; &amp; more", text)
            self.assertIn("http://p/graph?a=1&b=2" if kind == "text" else "http://p/graph?a=1&amp;b=2", text)

    def test_what_has_no_address_has_no_link(self):
        for _, text in self.told():
            self.assertIn("docs/runbooks/X.md", text)
            self.assertIn("http://p/graph", text)
            for word in ("Dashboard", "Live page", "(Acme)", "href=\"docs"):
                self.assertNotIn(word, text)

    def told(self, **settings):
        """A mail about one alert, as text and as HTML."""
        notes = {"summary": "It burns.", "description": "<b> & more", "threshold": "2 s", "action": "Put it out.",
                 "runbook_url": "docs/runbooks/X.md", "dashboard": "switchboard-overview"}
        labels = {"alertname": "X", "severity": "critical", "job": "j", "instance": "i:1"}
        alert = {"status": "firing", "labels": labels, "annotations": notes, "startsAt": "2026-01-02T03:04:05Z",
                 "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://p/graph?a=1&b=2"}
        data = {"receiver": "critical", "status": "firing", "alerts": [alert], "groupLabels": {}, "commonLabels": labels,
                "commonAnnotations": {}, "externalURL": "http://am"}
        config = shipped.render_alertmanager(home_of(self, "rendered"), **settings)
        (config.parent / "data.json").write_text(json.dumps(data))
        for kind in ("text", "html"):
            yield kind, shipped.tool("amtool", "template", "render", f"--template.glob={config.parent}/templates/*.tmpl",
                                     f"--template.data={config.parent}/data.json", f"--template.type={kind}",
                                     f'--template.text={{{{ template "switchboard.{kind}" . }}}}')

    def refused(self, **settings):
        with self.assertRaises(subprocess.CalledProcessError) as refusal:
            shipped.render_alertmanager(home_of(self, "rendered"), **settings)
        return refusal.exception.stderr

    def test_an_unusable_address_or_name_is_refused(self):
        for url in ("ftp://x/", "https://x", 'https://x"/', "https://{{x}}/", "https://x y/"):
            with self.subTest(url):
                self.assertIn("RUNBOOK_BASE_URL", self.refused(RUNBOOK_BASE_URL=url))
        for name, value in (("GRAFANA_URL", "x.example.org"), ("LIVE_PAGE_URL", "http://{{.}}/"), ("INSTALLATION", "a{{b")):
            with self.subTest(name):
                self.assertIn(name, self.refused(**{name: value}))

    def test_settings_of_an_older_file_are_enough(self):
        home = home_of(self, "rendered")
        text = (shipped.ALERTMANAGER / "alertmanager.env").read_text()
        (home / "old.env").write_text(re.sub(r"(?m)^(INSTALLATION|GRAFANA_URL|LIVE_PAGE_URL)=.*\n", "", text).rstrip("\n"))
        subprocess.run([shipped.ALERTMANAGER / "render.sh", home / "config", home / "old.env"], check=True, stderr=subprocess.PIPE)
        shipped.tool("amtool", "check-config", home / "config" / "alertmanager.yml")

    def test_what_the_environment_says_of_links_wins(self):
        with mock.patch.dict(os.environ, INSTALLATION="Acme", GRAFANA_URL="https://g.example.org/"):
            config = shipped.render_alertmanager(home_of(self, "rendered"), INSTALLATION="Other")
        links = (config.parent / "templates" / "links.tmpl").read_text()
        self.assertIn("(Acme)", links)
        self.assertNotIn("Other", links)
        self.assertIn("https://g.example.org/d/", links)

    # echo writes a line end, Notepad a byte order mark, PowerShell UTF-16.
    def test_what_surrounds_a_secret_is_no_part_of_it(self):
        secret = home_of(self, "secret") / "file"
        for text in (b"pw", b"pw\n", b"pw\r\n", b"\xef\xbb\xbfpw\r\n", b" pw \n", b"\n\npw\n\n", b"\tpw"):
            with self.subTest(text):
                secret.write_bytes(text)
                config = shipped.render_alertmanager(home_of(self, "rendered"), SMTP_PASSWORD_FILE=secret)
                used = Path(yaml.safe_load(config.read_text())["global"]["smtp_auth_password_file"])
                self.assertEqual(used.read_bytes(), b"pw")
                self.assertEqual(used.stat().st_mode & 0o077, 0)
        for hook in EVERY_HOOK:
            for text in (b"http://127.0.0.1:9/x\r\n", b"\xef\xbb\xbfhttp://127.0.0.1:9/x \n"):
                with self.subTest(hook, text=text):
                    secret.write_bytes(text)
                    config = shipped.render_alertmanager(home_of(self, "rendered"), **{hook: secret})
                    shipped.tool("amtool", "check-config", config)
                    if hook.startswith(("SLACK", "DISCORD")):
                        chat = yaml.safe_load(config.read_text())["receivers"][0]["slack_configs"][0]
                        self.assertEqual(Path(chat["api_url_file"]).read_bytes(), b"http://127.0.0.1:9/x")
                    else:
                        self.assertIn("'http://127.0.0.1:9/x'", config.read_text())

    def test_what_cannot_be_a_secret_is_refused_in_words(self):
        secret = home_of(self, "secret") / "file"
        for name in ("SMTP_PASSWORD_FILE", *EVERY_HOOK):
            for text, words in ((b"one\ntwo\n", "more than one line"), ("pw\n".encode("utf-16"), "UTF-16"), (b"a\rb", "carriage return")):
                with self.subTest(name, text=text):
                    secret.write_bytes(text)
                    said = self.refused(**{name: secret})
                    self.assertIn(words, said)
                    self.assertIn(name, said)
                    self.assertNotIn("two", said)
        for hook in EVERY_HOOK:
            for text, words in ((b"", "is empty"), (b"hooks.example.org", "no address")):
                with self.subTest(hook, text=text):
                    secret.write_bytes(text)
                    self.assertIn(words, self.refused(**{hook: secret}))
            with self.subTest(hook, missing=True):
                self.assertIn("cannot read", self.refused(**{hook: secret.with_name("nothing")}))

    def test_a_password_that_is_not_there_yet_is_told_and_stops_nothing(self):
        empty = home_of(self, "secret") / "file"
        empty.write_text("")
        for path, words in ((empty, "is empty"), (empty.with_name("nothing"), "there is no")):
            with self.subTest(words):
                home = home_of(self, "rendered")
                text = re.sub(r"(?m)^SMTP_PASSWORD_FILE=.*$", f"SMTP_PASSWORD_FILE={path}", (shipped.ALERTMANAGER / "alertmanager.env").read_text())
                (home / "env").write_text(text)
                done = subprocess.run([shipped.ALERTMANAGER / "render.sh", home / "config", home / "env"], check=True, stderr=subprocess.PIPE, text=True)
                self.assertIn(words, done.stderr)
                self.assertIn("no mail can be sent", done.stderr)
                shipped.tool("amtool", "check-config", home / "config" / "alertmanager.yml")

    def test_every_alert_goes_to_the_receiver_of_its_severity(self):
        config = self.rendered([])
        for rule in shipped.alerts():
            severity = rule["labels"]["severity"]
            with self.subTest(rule["alert"], severity=severity):
                wanted = "watchdog" if severity == "none" else severity
                shipped.tool("amtool", "config", "routes", "test", f"--config.file={config}",
                             f"--verify.receivers={wanted}", f"alertname={rule['alert']}", f"severity={severity}")


class Scripts(unittest.TestCase):
    def test_shellcheck_finds_nothing(self):
        here = REPOSITORY / "tests" / "monitoring" / "run.sh"
        shipped.tool("shellcheck", shipped.ALERTMANAGER / "render.sh", here)
