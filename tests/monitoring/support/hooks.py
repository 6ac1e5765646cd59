"""Stands in for Slack, Discord, and whatever else takes alerts as JSON: keeps what is posted, by path."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from .programs import until
from .stack import home_of


class Hooks:
    def __init__(self, test):
        self.posts = []
        hooks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                hooks.posts.append((self.path, json.loads(body)))
                self.send_response(200)
                self.end_headers()
                self.wfile.write(b"ok")

            def log_message(self, *_):
                pass

        self._home = home_of(test, "hooks")
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        thread.start()

        def stop():
            self._server.shutdown()
            self._server.server_close()
            thread.join()

        test.addCleanup(stop)

    def file(self, path):
        """A file that holds the address of `path`, as a secret would be kept."""
        file = self._home / path.strip("/").replace("/", "-")
        file.write_text(f"http://127.0.0.1:{self._server.server_port}{path}")
        return file

    def receives(self, path, what, wanted):
        """Waits for a post to `path` that is `wanted`, and returns it."""

        def look():
            return [body for at, body in list(self.posts) if at == path and wanted(body)]

        return until(f"{what} at {path}", look)[0]
