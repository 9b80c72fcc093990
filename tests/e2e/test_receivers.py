#!/usr/bin/env python3
"""The receivers that tests of notifications look at: each does what it says, so that a test that finds nothing wrong has looked."""
import hashlib
import hmac
import http.client
import json
import smtplib
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from receivers import Alertmanager, HookServer, MailServer, signature_fault  # noqa: E402

BODY = b'{"status": "firing"}'


def post(server, body=BODY, headers=None, timeout=5):
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=timeout)
    try:
        connection.request("POST", "/hook", body, headers or {})
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders())
    finally:
        connection.close()


def signed(secret, body=BODY, at=None):
    at = int(time.time()) if at is None else at
    return {"Millrace-Signature": f"t={at},v1={hmac.new(secret, b'%d.' % at + body, hashlib.sha256).hexdigest()}"}


def raises(kind, call):
    try:
        call()
    except kind:
        return
    raise AssertionError(f"no {kind.__name__}")


def test_hooks_are_kept(_):
    with HookServer() as server:
        before = time.time()
        assert post(server, headers={"Idempotency-Key": "a-b-1"})[0] == 200
        [hook] = server.wait(1)
        assert (hook.path, hook.key, hook.json, hook.fault, hook.answered) == ("/hook", "a-b-1", {"status": "firing"}, None, 200)
        assert before - 1 < hook.at < time.time() + 1
        raises(AssertionError, lambda: server.wait(2, 0.2))


def test_hooks_behave(_):
    with HookServer(behaviour=500) as server:
        assert post(server)[0] == 500
        server.behave(("later", 7))
        status, headers = post(server)
        assert (status, headers["Retry-After"]) == (429, "7")
        assert post(server)[0] == 200
        server.behave("hang")
        raises(OSError, lambda: post(server, timeout=0.5))
        assert [hook.answered for hook in server.all()] == [500, 429, 200, None]


def test_signatures_are_looked_at(_):
    assert signature_fault(b"secret", signed(b"secret")["Millrace-Signature"], BODY) is None
    assert signature_fault(b"secret", signed(b"secret", at=1700000000)["Millrace-Signature"], BODY, now=1700000299) is None
    assert signature_fault(b"secret", signed(b"secret", at=1700000000)["Millrace-Signature"], BODY, now=1700000301)
    assert signature_fault(b"secret", signed(b"other")["Millrace-Signature"], BODY)
    assert signature_fault(b"secret", signed(b"secret")["Millrace-Signature"], BODY + b" ")
    assert signature_fault(b"secret", None, BODY) and signature_fault(b"secret", "t=x,v1=", BODY)
    with HookServer(secret=b"secret") as server:
        assert post(server, headers=signed(b"secret"))[0] == 200
        assert post(server, headers=signed(b"other"))[0] == 403
        assert [bool(hook.fault) for hook in server.all()] == [False, True]


def test_mails_are_kept(_):
    with MailServer() as server, smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client:
        client.sendmail("a@b.example", ["c@d.example"], "Subject: =?utf-8?Q?caf=C3=A9?=\r\nContent-Type: text/plain; charset=utf-8\r\n"
                                                         "Content-Transfer-Encoding: quoted-printable\r\n\r\n=E2=82=AC\r\n")
        [mail] = server.wait(1)
        assert (mail.sender, mail.recipients, mail.subject, mail.text, mail.login) == ("a@b.example", ["c@d.example"], "café", "€\n", None)
        server.unknown.add("x@y.example")
        raises(smtplib.SMTPRecipientsRefused, lambda: client.sendmail("a@b.example", ["x@y.example"], "Subject: x\r\n\r\n"))
        server.answer = "451 later"
        raises(smtplib.SMTPDataError, lambda: client.sendmail("a@b.example", ["c@d.example"], "Subject: x\r\n\r\n"))
        assert len(server.all()) == 1


def test_mails_may_need_a_login(_):
    with MailServer(login=("me", "word")) as server, smtplib.SMTP("127.0.0.1", server.port, timeout=5) as client:
        raises(smtplib.SMTPException, lambda: client.sendmail("a@b.example", ["c@d.example"], "Subject: x\r\n\r\n"))
        raises(smtplib.SMTPAuthenticationError, lambda: client.login("me", "wrong"))
        client.login("me", "word")
        client.sendmail("a@b.example", ["c@d.example"], "Subject: x\r\n\r\n")
        assert server.wait(1)[0].login == "me"


def test_alertmanager_takes_and_refuses(directory):
    """Bodies of the form that tests/unit/notify/test_webhook_body.c holds the notifier to."""
    labels = {"alertname": "slow", "site": "shop", "severity": "critical", "metric": "m", "cell": "eu", "tag_a_b": "c"}
    alert = {"status": "firing", "labels": labels, "annotations": {"summary": "s", "description": "d"}, "startsAt": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
             "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "https://m.example/incidents/00", "fingerprint": "0" * 32}
    with Alertmanager(directory) as manager:
        assert manager.alerts() == []
        manager.post_alerts({"alerts": [alert, {**alert, "labels": {**labels, "host": "b"}, "generatorURL": ""}]})
        held = manager.alerts()
        assert sorted(json.dumps(each["labels"], sort_keys=True) for each in held) == \
            sorted(json.dumps(each, sort_keys=True) for each in (labels, {**labels, "host": "b"})), held
        assert {each["status"]["state"] for each in held} <= {"active", "unprocessed"}, held
        manager.post_alerts({"alerts": [{**alert, "status": "resolved", "endsAt": alert["startsAt"]}]})
        assert [each["labels"].get("host") for each in manager.alerts()] == ["b"]
        raises(AssertionError, lambda: manager.post_alerts({"alerts": [{**alert, "labels": {"9 lives": "x"}}]}))
    assert manager.process.pid is None


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="millrace-receivers-") as name:
        cases.run(globals(), Path(name))
