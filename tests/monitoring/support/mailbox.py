"""A real SMTP server that insists on STARTTLS and a password, and keeps what it gets."""

import asyncio
import email
import email.policy
import logging
import ssl
import threading

from aiosmtpd.smtp import SMTP, AuthResult

from .programs import until
from .shipped import tool
from .stack import home_of


# It warns of its own use of what it deprecates.
logging.getLogger("mail.log").setLevel(logging.ERROR)


class _Server(SMTP):
    # Alertmanager knows no other words than these for AUTH LOGIN.
    AuthLoginUsernameChallenge = "Username:"
    AuthLoginPasswordChallenge = "Password:"


class Mailbox:
    """Listens on a port of its own; `mails` are email.message.EmailMessage, in the order of their arrival."""

    def __init__(self, test, username, password="correct horse: battery 'staple'"):
        home = home_of(test, "mailbox")
        self.certificate, self.password_file = home / "certificate.pem", home / "password"
        # As `echo` leaves it: a line end is no part of a password.
        self.password_file.write_text(password + "\n")
        tool("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=mailbox",
             "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", home / "key.pem", "-out", self.certificate)
        self._tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._tls.load_cert_chain(self.certificate, home / "key.pem")
        self._login = (username.encode(), password.encode())
        self.mails = []
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = self._run(self._listen())
        self.address = "127.0.0.1:%d" % self._server.sockets[0].getsockname()[1]
        test.addCleanup(self._stop)

    def _run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(timeout=10)

    async def _listen(self):
        return await self._loop.create_server(self._session, "127.0.0.1", 0)

    def _session(self):
        return _Server(self, tls_context=self._tls, require_starttls=True, auth_required=True,
                       authenticator=self._check, loop=self._loop)

    def _check(self, server, session, envelope, mechanism, login):
        return AuthResult(success=(login.login, login.password) == self._login)

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        mail.recipients, mail.sender = envelope.rcpt_tos, envelope.mail_from
        mail.encrypted = session.ssl is not None
        self.mails.append(mail)
        return "250 OK"

    def _stop(self):
        async def close():
            self._server.close()
            for task in asyncio.all_tasks():
                if task is not asyncio.current_task():
                    task.cancel()

        self._run(close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def subjects(self):
        return [mail["Subject"] for mail in self.mails]

    def of(self, subject_start):
        return [mail for mail in self.mails if mail["Subject"].startswith(subject_start)]

    def receives(self, subject_start):
        """Waits for a mail whose subject begins so, and returns the first."""
        return until(f"a mail {subject_start}; there are {self.subjects()}", lambda: self.of(subject_start))[0]
