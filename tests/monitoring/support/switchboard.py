"""The real server, on ports of its own choice, and clients for it."""

import functools
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from .programs import DEADLINE, Program

REPOSITORY = Path(__file__).resolve().parents[3]

# Variables that would change the server under the tests' feet.
FOREIGN = re.compile(r"SWITCHBOARD__.*|HOST|PORT|MAX_CONNECTIONS|HEARTBEAT_INTERVAL|CONNECTION_TIMEOUT|LOG_LEVEL")


@functools.cache
def binary():
    """Building is left to cargo, which does nothing when nothing changed."""
    if os.environ.get("SWITCHBOARD_BIN"):
        return os.environ["SWITCHBOARD_BIN"]
    cargo = functools.partial(subprocess.run, cwd=REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)
    cargo(["cargo", "build", "--quiet", "--locked", "--bin", "switchboard"])
    metadata = cargo(["cargo", "metadata", "--no-deps", "--locked", "--format-version", "1"]).stdout
    return str(Path(json.loads(metadata)["target_directory"]) / "debug" / "switchboard")


class Server:
    """`settings` are keys of docs/configuration.md, such as limits__peers_per_room=1."""

    def __init__(self, test, **settings):
        self._test = test
        self._settings = settings
        self._home = test.enterContext(tempfile.TemporaryDirectory(prefix="switchboard-"))
        self.start()

    def start(self):
        own = {"server__host": "127.0.0.1", "server__port": 0, "server__ready_delay_ms": 0, "ops__port": 0,
               # All tests come from one address.
               "limits__exempt_loopback": "true"}
        environment = {name: value for name, value in os.environ.items() if not FOREIGN.fullmatch(name)}
        for key, value in {**own, **self._settings}.items():
            environment["SWITCHBOARD__" + key.upper()] = str(value)
        self.program = Program(self._test, [binary()], cwd=self._home, env=environment)
        started = self.program.line("it started", _started)
        self.public, self.ops = started["public"], started["ops"]

    def restart(self):
        """After its end, under the addresses it had."""
        self._settings["ops__port"] = self.ops.rpartition(":")[2]
        self._settings["server__port"] = self.public.rpartition(":")[2]
        self.start()

    def client(self):
        return Client(self._test, self.public)


def _started(line):
    entry = json.loads(line) if line.startswith("{") else {}
    return entry if entry.get("event") == "server_started" else None


class Client:
    """One WebSocket, welcomed."""

    def __init__(self, test, address):
        self._socket = test.enterContext(
            connect(f"ws://{address}/ws", subprotocols=["switchboard.v1"], open_timeout=DEADLINE, close_timeout=2)
        )
        self.next("welcome")

    def send(self, **frame):
        self._socket.send(json.dumps(frame))

    def next(self, *types):
        """The next frame of one of these types; others are passed over."""
        while True:
            frame = json.loads(self._socket.recv(timeout=DEADLINE))
            if frame["type"] in types:
                return frame

    def join(self, room, attempt=0):
        """Returns the answer: joined, or an error."""
        self.send(type="join", room=room, attempt=attempt)
        return self.next("joined", "error")

    def outlast(self):
        """Reads on until the server has closed the connection."""
        try:
            while True:
                self._socket.recv(timeout=DEADLINE)
        except ConnectionClosed:
            pass

    def close(self):
        self._socket.close()
