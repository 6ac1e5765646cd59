"""Every expression of every rule, asked of a real Prometheus that scraped a server under mixed load."""

import re
import threading
import unittest
import urllib.error

from websockets.exceptions import InvalidStatus

from support import shipped
from support.programs import get, until
from support.stack import Prometheus
from support.switchboard import Server

# What returns nothing while all is well, and why.
EMPTY = {
    "switchboard:leaving": "no server is going",
    "switchboard:rollout": "no server went",
    "switchboard:fractured_rooms:ratio": "no client reports",
    "switchboard:failing_rooms:ratio": "no client reports",
    "client_reconnection_success_rate": "no client reports",
    "switchboard:redis_command_seconds:p95": "the server is alone",
    "switchboard:redis_command_seconds:samples5m": "the server is alone",
}
QUIET = {
    "SignalingServerDown": "the server answers and its heart beats",
    "ServerPanicked": "nothing panicked",
    "RestartStateRefused": "nothing restarted",
    "ServerRestarted": "nothing restarted",
    "StuckDraining": "no server is going",
    "ZeroConnections": "there are connections",
    "ZeroThroughputWithConnections": "messages flow",
    "CertificateExpiresSoon": "the server speaks no TLS",
    "DiskSpaceLow": "no node_exporter is scraped",
    "LogLinesDropped": "every line is written",
    "FracturedMesh": "no client reports",
    "PairFailureRatio": "no client reports",
    "WebhookFailing": "nobody is told by webhooks",
    "WebhookEventsDropped": "nobody is told by webhooks",
    "RedisDown": "the server is alone",
    "RedisSlow": "the server is alone",
    "ConfigReloadFailed": "nothing was reloaded",
    "NotificationsFailing": "no Alertmanager is scraped",
    "RuleEvaluationFailing": "every rule can be evaluated",
}


# What tells rules of one name apart.
NAMING = ("alertname", "severity", "of", "mailbox", "percentile")


def _name(rule):
    labels = {"alertname": rule["alert"], **rule["labels"]}
    return tuple(labels.get(label) for label in NAMING)


def afraid(name, text):
    """Rules that fire at anything: no number is low enough, and nothing has to last."""
    if name == "thresholds.yml":
        return re.sub(r"vector\([\d.]+\)", "vector(-1)", text)
    return re.sub(r"\n +for: .*", "", text)


class Load:
    """A little of everything, again and again, until the test is over."""

    def __init__(self, test, server):
        self._test, self._server = test, server
        self._over = threading.Event()
        self.failure = None
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        test.addCleanup(self.stop)

    def stop(self):
        self._over.set()
        self._thread.join()

    def _run(self):
        try:
            while not self._over.is_set():
                self._round()
        except Exception as failure:  # noqa: BLE001: a thread's failure has to be carried to the test.
            self.failure = failure

    def _round(self):
        # One after the other: no more than half of the connections may be in no room.
        clients = []
        for _ in range(3):
            clients.append(self._server.client())
            clients[-1].join("busy", attempt=1)  # the third is refused: two are the cap
        first, second, third = clients
        third.send(type="join", room="other", attempt=1, resume={"token": "nobody's", "ack": 0})
        third.next("error")
        third.join("other")
        for _ in range(40):
            first.send(type="signal", to="*", kind="app", data={"x": 1})
            second.next("signal")
        first.send(type="signal", to="0" * 32, kind="app", data=1)
        first.next("error")
        third.send(type="no_such_type")
        third.next("error")
        third.send(type="ping", t=1)
        third.next("pong")
        self._one_too_many()
        for path in ("healthz", "health", "nowhere"):
            try:
                get(f"http://{self._server.public}/{path}")
            except urllib.error.HTTPError as error:
                assert path == "nowhere" and error.code == 404, (path, error)
        for client in clients:
            client.close()

    def _one_too_many(self):
        try:
            self._server.client()
        except InvalidStatus as refused:
            assert refused.response.status_code == 503, refused
        else:
            raise AssertionError("the server has room for one more")


class Expressions(unittest.TestCase):
    def setUp(self):
        # One resident and three visitors are all that fit in.
        # And a STUN server that is not there.
        self.server = Server(self, limits__peers_per_room=2, server__max_connections=4,
                             ice__servers='[{"urls": "stun:127.0.0.1:1"}]', ice__check_interval_ms=500)
        # A run before this one, for what is known only after the end.
        self.server.program.terminate()
        self.server.program.wait()
        self.server.restart()
        self.resident = self.server.client()
        self.resident.join("resident")
        self.calm = Prometheus(self, [self.server])
        self.nervous = Prometheus(self, [self.server], edit_rules=afraid)
        self.load = Load(self, self.server)

    def check_load(self):
        if self.load.failure:
            raise self.load.failure

    def test_all_can_be_computed_and_return_what_they_should(self):
        self.check_recorded()
        self.check_alerts()
        self.check_errors()
        self.check_runbooks()
        self.check_load()

    def check_recorded(self):
        """Recording rules return numbers, under the load, and not NaN."""
        for rule in shipped.recorded():
            name, labels = rule["record"], rule.get("labels", {})
            if name in EMPTY:
                self.assertEqual(self.calm.query(name), [], EMPTY[name])
                continue
            selector = name + "{" + ",".join(f'{label}="{value}"' for label, value in labels.items()) + "}"
            self.calm.reaches(f"{selector} == {selector}")
            self.calm.reaches(shipped.faster(rule["expr"]))

    def check_alerts(self):
        """With thresholds that everything exceeds every alert fires, and finds words for it."""
        wanted = {_name(rule) for rule in shipped.alerts() if rule["alert"] not in QUIET}
        seen = {}
        # A kind of error that the load does not make.
        self.assertEqual(self.resident.join("resident")["code"], "already_joined")

        def missing():
            self.check_load()
            for alert in self.nervous.api("alerts")["alerts"]:
                if alert["state"] == "firing":
                    seen[tuple(alert["labels"].get(label) for label in NAMING)] = alert["annotations"]
            return wanted - set(seen)

        until(lambda: f"every alert has fired that can; {missing()} did not", lambda: not missing())
        self.assertEqual({name for name, *_ in seen} & set(QUIET), set())
        for (name, *_), notes in seen.items():
            for note, text in notes.items():
                with self.subTest(name, note=note):
                    self.assertNotRegex(text, r"[{}<>]|NaN|no value|%!")

    def check_errors(self):
        for prometheus in (self.calm, self.nervous):
            for group in prometheus.api("rules")["groups"]:
                for rule in group["rules"]:
                    with self.subTest(rule["name"]):
                        self.assertEqual((rule["health"], rule.get("lastError")), ("ok", None))

    def check_runbooks(self):
        """What they tell to ask can be asked; whether there is an answer depends on the trouble."""
        for page in sorted(shipped.RUNBOOKS.glob("*.md")):
            for block in re.findall(r"```promql\n(.*?)```", page.read_text(), re.DOTALL):
                for expression in block.splitlines():
                    with self.subTest(page.stem, expression=expression):
                        self.calm.query(expression)
