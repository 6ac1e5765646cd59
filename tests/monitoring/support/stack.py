"""Real Prometheus and Alertmanager, running copies of the shipped files."""

import shutil
import tempfile
import urllib.parse
from pathlib import Path

from . import shipped
from .programs import Program, free_port, get_json, until


def home_of(test, name):
    return Path(test.enterContext(tempfile.TemporaryDirectory(prefix=f"switchboard-{name}-")))


class Alertmanager:
    """`values` are those of alertmanager.env."""

    def __init__(self, test, **values):
        home = home_of(test, "alertmanager")
        config = shipped.copy_alertmanager(home / "config", **values)
        self.address = f"127.0.0.1:{free_port()}"
        # Debian's name, and everybody else's.
        name = "prometheus-alertmanager" if shutil.which("prometheus-alertmanager") else "alertmanager"
        self.program = Program(test, [
            name, f"--config.file={config}", f"--storage.path={home / 'data'}",
            f"--web.listen-address={self.address}", "--cluster.listen-address=",
        ])
        self.program.answers(f"http://{self.address}/-/ready")

    def raise_alert(self, name, **labels):
        """An alert of the test's own, for a notification that must come after all that were on their way."""
        words = [f"{key}={value}" for key, value in labels.items()]
        shipped.tool("amtool", f"--alertmanager.url=http://{self.address}", "alert", "add", name, *words)


class Prometheus:
    """Watches `servers`; alerts go to `alertmanager`, an address."""

    def __init__(self, test, servers, alertmanager="127.0.0.1:1", edit_rules=lambda name, text: text, external_url=""):
        home = home_of(test, "prometheus")
        self.address = f"127.0.0.1:{free_port()}"
        config = shipped.copy_prometheus(home / "config", servers, alertmanager, self.address, edit_rules)
        self.program = Program(test, [
            "prometheus", f"--config.file={config}", f"--storage.tsdb.path={home / 'data'}",
            f"--web.listen-address={self.address}",
            # As in compose: it is known by another address than it serves at.
            *([f"--web.external-url={external_url}", "--web.route-prefix=/"] if external_url else []),
            # Its default is 1m, and it counts when the first alert finds Alertmanager not discovered yet.
            f"--rules.alert.resend-delay={60 // shipped.FASTER}s",
        ])
        self.program.answers(f"http://{self.address}/-/ready")

    def api(self, path, **parameters):
        query = urllib.parse.urlencode(parameters)
        answer = get_json(f"http://{self.address}/api/v1/{path}?{query}")
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression):
        """The result of an instant query: a list of {metric, value}."""
        data = self.api("query", query=expression)
        if data["resultType"] == "scalar":
            return [{"metric": {}, "value": data["result"]}]
        return data["result"]

    def value(self, expression):
        """The number that the expression has, if it is exactly one."""
        result = self.query(expression)
        return float(result[0]["value"][1]) if len(result) == 1 else None

    def reaches(self, expression, **options):
        """Waits until the expression returns anything."""
        return until(f"{expression} returns something", lambda: self.query(expression), **options)
