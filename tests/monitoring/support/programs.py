"""Programs that a test started: their output line by line, their end, and waiting with a deadline."""

import collections
import json
import signal
import socket
import subprocess
import threading
import time
import urllib.request

DEADLINE = 60.0
POLL = 0.05


def until(what, probe, deadline=DEADLINE):
    """Asks `probe` until it answers something true, and returns that. An OSError counts as "not yet".

    `what` is a text, or makes one when there is something to complain about."""
    end = time.monotonic() + deadline
    while True:
        try:
            last = probe()
            if last:
                return last
        except OSError as error:
            last = error
        if time.monotonic() > end:
            what = what() if callable(what) else what
            raise AssertionError(f"within {deadline} s not: {what}; last seen: {last!r}")
        time.sleep(POLL)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def get(url):
    with urllib.request.urlopen(url, timeout=10) as answer:
        return answer.read().decode()


def get_json(url):
    return json.loads(get(url))


class Program:
    """Ends with the test, at the latest. Nothing else is ever signalled."""

    def __init__(self, test, command, **options):
        self.name = command[0]
        self.lines = collections.deque(maxlen=5000)
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        test.addCleanup(self.kill)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(line.rstrip("\n"))

    def tail(self):
        return "\n".join(list(self.lines)[-20:])

    def line(self, what, find):
        """What `find` makes of the first line for which it returns something true."""

        def look():
            ended = self.process.poll() is not None
            for line in list(self.lines):
                found = find(line)
                if found:
                    return found
            if ended:
                raise AssertionError(f"{self.name} ended before: {what}\n{self.tail()}")
            return None

        return until(f"{what}, from {self.name}", look)

    def answers(self, url):
        """Waits until `url` answers 200, for as long as the program runs."""

        def look():
            if self.process.poll() is not None:
                raise AssertionError(f"{self.name} ended:\n{self.tail()}")
            return get(url) is not None

        until(f"{url} answers", look)

    def terminate(self):
        self.process.send_signal(signal.SIGTERM)

    def wait(self):
        return self.process.wait(timeout=DEADLINE)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stdout.close()
