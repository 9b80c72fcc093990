#!/usr/bin/env python3
"""The Push API over TLS: certificates, client authorities, and a reload without a cut connection. Python's ssl is the client, openssl makes the
certificates."""
import http.client
import json
import signal
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from ingest_house import ENVIRONMENT, House  # noqa: E402
from millrace_local import free_base_port  # noqa: E402

KEY = House.new_key()
BODY = json.dumps({"metrics": [{"name": "m", "kind": "gauge", "tags": {}, "points": [{"v": 1}]}]})
HEADERS = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}


def openssl(*words):
    subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=60)


def authority(directory, name):
    """A self-signed authority: (certificate, key)."""
    cert, key = directory / f"{name}.pem", directory / f"{name}.key"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", 2, "-subj", f"/CN={name}",
            "-keyout", key, "-out", cert)
    return cert, key


def certificate(directory, name, issuer, usage):
    """A certificate for 127.0.0.1 of an authority: (certificate, key)."""
    cert, key, request, extensions = (directory / f"{name}{end}" for end in (".pem", ".key", ".csr", ".ext"))
    extensions.write_text(f"subjectAltName=IP:127.0.0.1\nextendedKeyUsage={usage}\n")
    openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}", "-keyout", key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", issuer[0], "-CAkey", issuer[1], "-CAcreateserial", "-days", 2, "-extfile", extensions,
            "-out", cert)
    return cert, key


class Tls:
    """The files, and clients that trust one authority."""

    def __init__(self, directory):
        self.directory = directory
        self.first, self.second, self.clients = (authority(directory, name) for name in ("first", "second", "clients"))
        self.cert, self.key = directory / "server.pem", directory / "server.key"
        self.agent = certificate(directory, "agent", self.clients, "clientAuth")
        self.stranger = certificate(directory, "stranger", self.first, "clientAuth")
        self.issue(self.first)

    def issue(self, issuer):
        cert, key = certificate(self.directory, "new", issuer, "serverAuth")
        self.cert.write_bytes(cert.read_bytes())
        self.key.write_bytes(key.read_bytes())

    def connect(self, port, trusted, own=None):
        context = ssl.create_default_context(cafile=trusted[0])
        if own:
            context.load_cert_chain(*own)
        return http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)


def push(connection, keep=False):
    connection.request("POST", "/v1/push", BODY, HEADERS)
    answer = connection.getresponse()
    body = json.loads(answer.read())
    if not keep:
        connection.close()
    return answer.status, body.get("error")


def settings(tls, *more):
    return (f"push.tls_cert_file={tls.cert}", f"push.tls_key_file={tls.key}", *more)


def test_it_speaks_tls(house):
    house.create_topics("main")
    house.put_cell("main")
    house.put_site("shop", [KEY])
    house.tls = Tls(house.directory)
    house.main = house.ingest("tls", *settings(house.tls)).wait_ready()
    assert push(house.tls.connect(house.main.push_port, house.tls.first)) == (202, None)
    try:
        push(house.tls.connect(house.main.push_port, house.tls.second))
        raise AssertionError("a stranger's certificate was accepted")
    except ssl.SSLCertVerificationError:
        pass
    plain = http.client.HTTPConnection("127.0.0.1", house.main.push_port, timeout=10)
    try:
        plain.request("GET", "/v1/auth")
        assert plain.getresponse().status >= 400
    except (OSError, http.client.HTTPException):
        pass
    assert push(house.tls.connect(house.main.push_port, house.tls.first)) == (202, None)  # nobody else minds


def test_a_reload_changes_the_certificate_and_cuts_nobody(house):
    old = house.tls.connect(house.main.push_port, house.tls.first)
    assert push(old, keep=True) == (202, None)
    house.tls.key.write_text("not a key")
    house.main.process.signal(signal.SIGHUP)
    house.main.process.wait_until(lambda: "reload_refused" in house.main.log(), 10, "refusing a bad key")
    assert push(house.tls.connect(house.main.push_port, house.tls.first)) == (202, None)  # the old one is in force
    house.tls.issue(house.tls.second)
    house.main.process.signal(signal.SIGHUP)
    house.main.process.wait_until(lambda: house.main.log().count("event=reloaded") == 2, 10, "reloading both threads")
    assert push(house.tls.connect(house.main.push_port, house.tls.second)) == (202, None)
    assert push(old, keep=True) == (202, None)  # the last answer on an open connection
    assert old.sock is None  # and then it was closed
    house.main.settled()


def test_clients_show_a_certificate_where_one_is_asked_for(house):
    own = house.ingest("mutual", *settings(house.tls, f"push.tls_client_ca_file={house.tls.clients[0]}")).wait_ready()
    assert push(house.tls.connect(own.push_port, house.tls.second, house.tls.agent)) == (202, None)
    assert push(house.tls.connect(own.push_port, house.tls.second)) == (403, "client_certificate")
    assert push(house.tls.connect(own.push_port, house.tls.second, house.tls.stranger)) == (403, "client_certificate")


def test_bad_settings_are_refused_before_the_start(house):
    for words, complaint in (((f"push.tls_cert_file={house.tls.cert}",), "push.tls_key_file"),
                             ((f"push.tls_key_file={house.tls.key}",), "push.tls_cert_file"),
                             (settings(house.tls, "push.tls_key_file=" + str(house.tls.first[1])), str(house.tls.cert)),
                             (settings(house.tls, "push.tls_client_ca_file=/nothing"), "/nothing")):
        done = subprocess.run([house.main.command[0], "--check-config", *(w for s in words for w in ("--set", s))], capture_output=True,
                              text=True, timeout=30, env=ENVIRONMENT)
        assert done.returncode != 0 and complaint in done.stderr, (words, done.stderr)


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="millrace-tls-") as directory, House(directory, free_base_port()) as house:
        cases.run(globals(), house)


if __name__ == "__main__":
    main()
