"""From symptom to mailbox: real server, real Prometheus, real Alertmanager, real SMTP with STARTTLS and a password."""

import unittest

from support import catalogue, shipped
from support.hooks import Hooks
from support.mailbox import Mailbox
from support.programs import until
from support.stack import Alertmanager, Prometheus
from support.switchboard import Server

ADDRESS = "dataplex@dataplextechnology.net"
RUNBOOKS = "https://git.example.org/switchboard/blob/main/"
GRAFANA, LIVE_PAGE = "https://ops.example.org/grafana/", "https://INSTANCE/"
PROMETHEUS = "https://ops.example.org/prometheus"
RED, AMBER, GREEN = "#c62828", "#ef6c00", "#2e7d32"


def colour(body):
    return body["attachments"][0]["color"]


class FromSymptomToMailbox(unittest.TestCase):
    def watch(self, *servers, **settings):
        self.mailbox = Mailbox(self, username=ADDRESS)
        self.alertmanager = Alertmanager(
            self, SMTP_SMARTHOST=self.mailbox.address, SMTP_PASSWORD_FILE=self.mailbox.password_file,
            SMTP_CA_FILE=self.mailbox.certificate, RUNBOOK_BASE_URL=RUNBOOKS, GRAFANA_URL=GRAFANA, LIVE_PAGE_URL=LIVE_PAGE,
            **settings,
        )
        self.prometheus = Prometheus(self, servers, self.alertmanager.address, external_url=PROMETHEUS)
        self.prometheus.reaches(f"count(up{{job='switchboard'}} == 1) == {len(servers)}")
        # What looks back must have something to look at, and thresholds must have been computed.
        self.prometheus.reaches("count_over_time(switchboard_connections[6s]) >= 5 and on () switchboard:threshold")

    def all_mails(self):
        """Every subject, once all that was on its way has arrived: alerts of the test's own come after it."""
        for severity in ("critical", "warning"):
            self.alertmanager.raise_alert("TheLast", severity=severity, symptom=severity)
        self.mailbox.receives("[CRITICAL] TheLast")
        self.mailbox.receives("[WARNING] TheLast")
        return [subject for subject in self.mailbox.subjects() if "TheLast" not in subject]

    def test_a_killed_server_is_told_of_and_so_is_its_return(self):
        server, hooks = Server(self), Hooks(self)
        self.watch(server, INSTALLATION="Acme", SLACK_URL_FILE=hooks.file("/slack"), DISCORD_URL_FILE=hooks.file("/discord/slack"),
                   WEBHOOK_URL_FILE=hooks.file("/program"), WATCHDOG_URL_FILE=hooks.file("/watchdog"))
        hooks.receives("/watchdog", "the watchdog", lambda body: body["alerts"][0]["labels"]["alertname"] == "Watchdog")

        server.program.kill()
        mail = self.mailbox.receives("[CRITICAL] SignalingServerDown")
        self.assertEqual(mail["Subject"], f"[CRITICAL] SignalingServerDown: {server.ops} (Acme)")
        self.assertEqual(mail.recipients, [ADDRESS])
        self.assertEqual((mail["To"], mail["From"]), (ADDRESS, ADDRESS))
        self.assertTrue(mail.encrypted)
        self.tells_everything(mail, server)
        down = {path: hooks.receives(path, "the alert", lambda body: body["attachments"]) for path in ("/slack", "/discord/slack")}
        for body in down.values():
            self.assertEqual(colour(body), RED)
            self.assertIn("SignalingServerDown", body["attachments"][0]["title"])
        hooks.receives("/program", "the alert", lambda body: body["status"] == "firing")

        server.restart()
        mail = self.mailbox.receives("[RESOLVED] SignalingServerDown")
        self.assertEqual(mail["Subject"], f"[RESOLVED] SignalingServerDown: {server.ops} (Acme)")
        self.assertIn("OVER: 1", mail.get_body(("plain",)).get_content())
        for path in down:
            hooks.receives(path, "the end", lambda body: colour(body) == GREEN)
        hooks.receives("/program", "the end", lambda body: body["status"] == "resolved")
        self.assertEqual([subject.split(":")[0] for subject in self.all_mails()],
                         ["[CRITICAL] SignalingServerDown", "[RESOLVED] SignalingServerDown"])
        self.series_of_others_exist()

    def series_of_others_exist(self):
        """Those of Prometheus and Alertmanager. node_exporter's are not: it need not be there."""
        names = {name for rule in shipped.alerts() for name in catalogue.used(rule["expr"]) if catalogue.is_foreign(name)}
        for name in names - {"ALERTS", "node_filesystem_avail_bytes", "node_filesystem_size_bytes"}:
            self.assertTrue(self.prometheus.query(name), name)

    def tells_everything(self, mail, server):
        """What, where, since when, how bad, what to do, and the runbook, in both forms of the text."""
        plain, html = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
        for text in (plain, html):
            for words in ("A signaling server is down.", f"{server.ops} (job switchboard)", " UTC", "critical",
                          "start it again", RUNBOOKS + "docs/runbooks/SignalingServerDown.md", f"https://{server.ops}/",
                          f"{GRAFANA}d/switchboard-overview?var-instance=127.0.0.1%3A", f"{PROMETHEUS}/graph?g0.expr="):
                self.assertIn(words, text)
        self.assertIn(f'href="{RUNBOOKS}docs/runbooks/SignalingServerDown.md"', html)
        self.assertIn("FIRING: 1", plain)

    def test_a_storm_on_a_full_room_is_one_mail_and_its_end_another(self):
        server, hooks = Server(self, limits__peers_per_room=1), Hooks(self)
        self.watch(server, SLACK_URL_FILE=hooks.file("/slack"))
        self.assertEqual(server.client().join("full")["type"], "joined")
        knocking = server.client()
        # Until the mail is there: a storm, not a burst.
        until("the mail about refusals", lambda: self.knock(knocking) and self.mailbox.of("[WARNING] RoomCapacityExceeded"))
        self.mailbox.receives("[RESOLVED] RoomCapacityExceeded")
        mails = [subject for subject in self.all_mails() if "NewErrorType" not in subject]
        self.assertEqual(mails, [f"[{state}] RoomCapacityExceeded: {server.ops}" for state in ("WARNING", "RESOLVED")])
        hooks.receives("/slack", "the alert", lambda body: colour(body) == AMBER)

    def knock(self, client):
        for _ in range(3):
            self.assertEqual(client.join("full")["code"], "room_full")
        return True

    def test_every_new_kind_of_error_is_told_once_also_beside_a_warning(self):
        server = Server(self)
        self.watch(server)
        client = server.client()
        client.join("here")
        self.assertEqual(client.join("here")["code"], "already_joined")
        first = self.mailbox.receives("[INFO] NewErrorType")
        self.alertmanager.raise_alert("Beside", severity="warning", symptom="beside", job="switchboard", instance=server.ops)
        client.send(type="no_such_type")
        self.assertEqual(client.next("error")["code"], "unknown_type")
        until("the mail about the second kind", lambda: len(self.mailbox.of("[INFO] NewErrorType")) == 2)
        second = self.mailbox.of("[INFO] NewErrorType")[1]
        for mail, kinds in ((first, "1"), (second, "2")):
            text = mail.get_body(("plain",)).get_content()
            self.assertIn("FIRING: 1", text)
            self.assertIn(f"new since its start: {kinds} kinds by now", text)
        # Kinds that are known are no news, and nothing is told again.
        client.send(type="no_such_type")
        client.next("error")
        self.prometheus.reaches('absent(ALERTS{alertname="NewErrorType",alertstate="firing"})')
        self.assertEqual([subject for subject in self.all_mails() if "NewErrorType" in subject],
                         [f"[INFO] NewErrorType: {server.ops}"] * 2)

    def test_what_clients_cause_is_a_warning_and_pages_nobody(self):
        server = Server(self)
        self.watch(server)
        client = server.client()

        def err():
            for _ in range(3):
                client.send(type="no_such_type")
                self.assertEqual(client.next("error")["code"], "unknown_type")
            return True

        until("the mail about clients' errors", lambda: err() and self.mailbox.of("[WARNING] ClientErrorsHigh"))
        mail = self.mailbox.receives("[WARNING] ClientErrorsHigh")
        self.assertIn("most of them unknown_type", " ".join(mail.get_body(("plain",)).get_content().split()))
        mails = {subject.split(":")[0] for subject in self.all_mails()} - {"[INFO] NewErrorType"}
        self.assertEqual(mails, {"[WARNING] ClientErrorsHigh"})

    def test_a_planned_drain_is_told_to_nobody(self):
        # Longer than a scrape takes to come by, shorter than what the copy, ten times as fast, takes for stuck.
        leaving, staying = Server(self, server__drain_ms=2500), Server(self)
        self.watch(leaving, staying)
        guests = [leaving.client() for _ in range(60)]
        for number, guest in enumerate(guests):
            self.assertEqual(guest.join(f"room {number // 6}")["type"], "joined")
        self.prometheus.reaches(f'switchboard_connections{{instance="{leaving.ops}"}} == {len(guests)}')

        leaving.program.terminate()
        places = [guest.next("bye")["retryAfterMs"] for guest in guests]
        for _, number in sorted(zip(places, range(len(guests)))):
            guests[number].outlast()
            self.assertEqual(staying.client().join(f"room {number // 6}", attempt=1)["type"], "joined")
        self.assertEqual(leaving.program.wait(), 0)
        # There was everything to complain about, and for longer than any `for` …
        self.prometheus.reaches("switchboard:reconnections:increase1m > 50")
        self.prometheus.reaches('min_over_time(up{job="switchboard"}[9s]) == max_over_time(up{job="switchboard"}[9s]) and up == 0')
        # … and nobody did.
        self.assertEqual(self.all_mails(), [])
        self.assertEqual(self.prometheus.query('max_over_time(ALERTS{alertname!~"Watchdog|TheLast",alertstate="firing"}[10m])'), [])
