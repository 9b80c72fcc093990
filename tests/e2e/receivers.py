"""Who is notified: an HTTP receiver, a mail server, and a real Alertmanager, each on a port of 127.0.0.1 of its own.

All three end with their `with`, or by close(). What came is kept, with the time of its arrival, and awaited by wait().
"""
import email
import email.policy
import hashlib
import hmac
import http.client
import http.server
import json
import os
import threading
import time
import warnings
from email.message import EmailMessage

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from ingest_house import PATIENCE
from millrace_local import ALERTMANAGER, Process, free_ports

OLDEST_SIGNATURE = 300  # seconds


class Kept:
    """A list that a server's threads add to and a test waits on."""

    def __init__(self):
        self._items, self._changed = [], threading.Condition()

    def add(self, item):
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def all(self):
        with self._changed:
            return list(self._items)

    def wait(self, wanted, seconds=PATIENCE):
        """All of them, as soon as wanted(all) is true; wanted may be a number of them."""
        enough = (lambda items: len(items) >= wanted) if isinstance(wanted, int) else wanted
        with self._changed:
            if not self._changed.wait_for(lambda: enough(self._items), seconds):
                raise AssertionError(f"not within {seconds} s: {len(self._items)} came: {self._items[-3:]}")
            return list(self._items)


def signature_fault(secret, header, body, now=None):
    """Why a receiver would not take a webhook for ours, or None: by its documentation, not by our code."""
    try:
        parts = dict(part.split("=", 1) for part in header.split(","))
        at, given = int(parts["t"]), parts["v1"]
    except (AttributeError, KeyError, ValueError):
        return f"no signature: {header!r}"
    if abs((time.time() if now is None else now) - at) > OLDEST_SIGNATURE:
        return f"signed at {at}, too long ago"
    wanted = hmac.new(secret, b"%d." % at + body, hashlib.sha256).hexdigest()
    return None if hmac.compare_digest(wanted, given) else "the signature is not of this body, time and secret"


class Hook:
    """One request that came."""

    def __init__(self, path, headers, body, fault, answered):
        self.at, self.path, self.headers, self.body = time.time(), path, headers, body
        self.fault = fault        # of the signature; None: it is fine, or not looked at
        self.answered = answered  # the status; None: none, the client was let hang
        try:
            self.json = json.loads(body)
        except ValueError:
            self.json = None

    @property
    def key(self):
        return self.headers.get("Idempotency-Key")

    def __repr__(self):
        return f"<{self.path} {self.key} {self.answered} {(self.json or {}).get('status')}>"


class HookServer:
    """Answers as `behaviour` says at the time: "ok"; "hang", until release() or close(); a status such as 500; or ("later", S), a 429 with
    `Retry-After: S` for the first request after it was set, and ok then. secret: bytes; every request is then checked, and one that is not signed by
    it is answered with 403."""

    def __init__(self, secret=None, behaviour="ok", port=0):
        self.secret, self.kept = secret, Kept()
        self._behaviour, self._lock, self._released = behaviour, threading.Lock(), threading.Event()
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    def behave(self, behaviour):
        with self._lock:
            self._behaviour = behaviour

    def release(self):
        """Those that hang are closed without an answer, and later ones will not hang but find it closed."""
        self._released.set()

    def _next(self):
        with self._lock:
            now = self._behaviour
            if isinstance(now, tuple):
                self._behaviour = "ok"
            return now

    def _handler(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                behaviour = outer._next()
                fault = signature_fault(outer.secret, self.headers.get("Millrace-Signature"), body) if outer.secret is not None else None
                status = {"ok": 200, "hang": None}.get(behaviour, behaviour) if not isinstance(behaviour, tuple) else 429
                if fault and status == 200:
                    status = 403
                outer.kept.add(Hook(self.path, dict(self.headers), body, fault, status))
                if status is None:
                    outer._released.wait()
                    self.close_connection = True
                    return
                self.send_response(status)
                if isinstance(behaviour, tuple):
                    self.send_header("Retry-After", str(behaviour[1]))
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        return Handler

    def all(self):
        return self.kept.all()

    def wait(self, wanted, seconds=PATIENCE):
        return self.kept.wait(wanted, seconds)

    def close(self):
        self.release()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Mail:
    """One mail that was taken."""

    def __init__(self, envelope, login):
        self.at, self.sender, self.recipients, self.login = time.time(), envelope.mail_from, envelope.rcpt_tos, login
        self.raw = envelope.original_content
        self.message: EmailMessage = email.message_from_bytes(self.raw, policy=email.policy.default)

    @property
    def subject(self):
        return str(self.message["Subject"])

    @property
    def text(self):
        return self.message.get_content().replace("\r\n", "\n")

    def __repr__(self):
        return f"<{self.recipients} {self.subject!r}>"


class _Taker:
    def __init__(self, server):
        self.server = server

    async def handle_RCPT(self, _server, _session, envelope, address, _options):
        if address in self.server.unknown:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, session, envelope):
        if self.server.answer:
            return self.server.answer
        self.server.kept.add(Mail(envelope, session.auth_data.login.decode() if session.auth_data else None))
        return "250 taken"


class MailServer:
    """login: (user, password), without which nothing is taken. answer: what mails are answered with instead of being kept, "451 later" say; unknown:
    addresses that are refused. Plain text, no TLS."""

    def __init__(self, login=None, port=None):
        self.kept, self.answer, self.unknown = Kept(), None, set()
        self.port = port or free_ports(1)[0]
        self.url = f"smtp://127.0.0.1:{self.port}"

        def authenticate(_server, _session, _envelope, _mechanism, data):
            good = isinstance(data, LoginPassword) and login and (data.login, data.password) == tuple(word.encode() for word in login)
            return AuthResult(success=bool(good), handled=False, auth_data=data if good else None)

        self._controller = Controller(_Taker(self), hostname="127.0.0.1", port=self.port, authenticator=authenticate, auth_required=login is not None,
                                      auth_require_tls=False)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that a login goes in plain text: it is a test's
            self._controller.start()

    def all(self):
        return self.kept.all()

    def wait(self, wanted, seconds=PATIENCE):
        return self.kept.wait(wanted, seconds)

    def close(self):
        self._controller.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Alertmanager:
    """Debian's, alone, in directory. Its own notifications go nowhere. Debian's build reads its templates from /usr/share, where it is not installed: it gets a view
    of the files of its own, in which they are there."""

    def __init__(self, directory):
        self.port, = free_ports(1)
        config = directory / "alertmanager.yml"
        config.write_text("route: {receiver: none}\nreceivers: [{name: none}]\n")
        share = ALERTMANAGER.parents[1] / "share"
        view = ["unshare", "--mount", *([] if os.geteuid() == 0 else ["--map-root-user"]), "sh", "-c", 'mount --bind "$0" /usr/share && exec "$@"', share]
        self.process = Process("alertmanager", directory).start(
            [*view, ALERTMANAGER, f"--config.file={config}", f"--storage.path={directory / 'alertmanager'}", f"--web.listen-address=127.0.0.1:{self.port}",
             "--cluster.listen-address=", "--log.level=warn"])
        try:
            self.process.wait_until(self._is_ready, PATIENCE, "ready")
        except BaseException:
            self.close()
            raise

    def _ask(self, method, path, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _is_ready(self):
        try:
            return self._ask("GET", "/-/ready")[0] == 200
        except OSError:
            return False

    def post_alerts(self, webhook):
        """Hands on the alerts of a webhook's body as they are; an AssertionError tells what Alertmanager has against them."""
        status, body = self._ask("POST", "/api/v2/alerts", json.dumps(webhook["alerts"]))
        assert status == 200, (status, body)

    def alerts(self):
        """What it holds: active ones, by its API."""
        status, body = self._ask("GET", "/api/v2/alerts")
        assert status == 200, (status, body)
        return json.loads(body)

    def close(self):
        self.process.terminate()
        if not self.process.wait_end(PATIENCE):
            raise AssertionError("Alertmanager does not end")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
