"""The operator's API against its own description: schemathesis calls a live server in thousands of ways, right and wrong."""

import json
import os
import subprocess
import sys
import tempfile
import unittest
import urllib.request
from pathlib import Path

from support.programs import until
from support.switchboard import Server

TOKEN = "correct-horse-battery-staple"
# They end the server, or make it fall silent: tests/it/ops_api.rs calls them one by one.
ONE_BY_ONE = ["/admin/v1/drain", "/admin/v1/undrain", "/admin/v1/close", "/admin/v1/log-level"]
MOST_SECONDS = 60
# What a schema cannot say (exactly one of three fields, lengths in bytes) is answered with 422.
CONFIGURATION = """
[checks]
positive_data_acceptance.expected-statuses = ["2xx", "401", "403", "404", "409", "422", "429"]
"""


class OpsApi(unittest.TestCase):
    def setUp(self):
        home = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="ops-api-")))
        token = home / "token"
        token.write_text(TOKEN + "\n")
        # Whether calls without the token are refused is tried again and again.
        self.server = Server(self, ops__token_file=token, ops__token_failures_per_minute=1_000_000)
        self.home = home

    def get(self, path, **headers):
        request = urllib.request.Request(f"http://{self.server.ops}{path}", headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def api(self, path):
        return json.loads(self.get(f"/admin/v1/{path}", Authorization=f"Bearer {TOKEN}"))

    def test_every_call_is_answered_as_the_description_says(self):
        peers = [self.server.client() for _ in range(3)]
        for peer, room in zip(peers, ["lobby", "lobby", "0"]):
            self.assertEqual(peer.join(room)["type"], "joined")
        paths = self.api("openapi.json")["paths"]
        command = [
            str(Path(sys.executable).with_name("schemathesis")), "run", f"http://{self.server.ops}/admin/v1/openapi.json",
            "--header", f"Authorization: Bearer {TOKEN}", "--checks", "all", "--phases", "examples,coverage,fuzzing",
            "--max-examples", "25", "--seed", "417", "--no-color", "--warnings", "off", "--suppress-health-check", "all",
        ]
        for path in ONE_BY_ONE:
            if path in paths:
                command += ["--exclude-path", path]
        (self.home / "schemathesis.toml").write_text(CONFIGURATION)
        environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(self.home / "hypothesis")}
        done = subprocess.run(
            command, cwd=self.home, env=environment, timeout=MOST_SECONDS * 3, capture_output=True, text=True
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

        # Nobody noticed: the server is as it was, and so are the peers that no call has named.
        self.assertEqual(self.get("/readyz"), "ready")
        self.assertIn("switchboard_panics_total 0", self.get("/metrics"))
        for peer in peers:
            peer.send(type="ping")
            peer.next("pong")
        names = [room["name"] for room in self.api("rooms")["rooms"]]
        self.assertEqual(names, ["0", "lobby"])
        until("calls are counted", lambda: self.calls("rooms") > 20)

    def calls(self, kind):
        series = f'switchboard_ops_calls_total{{call="{kind}"}} '
        lines = [line for line in self.get("/metrics").splitlines() if line.startswith(series)]
        return float(lines[0].removeprefix(series)) if lines else 0


if __name__ == "__main__":
    unittest.main()
