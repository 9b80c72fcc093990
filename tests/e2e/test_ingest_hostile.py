#!/usr/bin/env python3
"""Clients that mean harm, or are merely broken, against one millrace-ingest: each is told what it gets, and somebody else is served meanwhile.

The deadlines are short here, so that every one of them is met; their proportions are those of the defaults.
"""
import concurrent.futures
import contextlib
import gzip
import io
import json
import signal
import socket
import sys
import tempfile
import threading
import time
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "deploy" / "local"), str(Path(__file__).resolve().parent)]
import cases  # noqa: E402
from ingest_house import PLAIN, House, exchange  # noqa: E402
from millrace_local import free_base_port  # noqa: E402

KEY = House.new_key()
BODY = json.dumps({"metrics": [{"name": "m", "kind": "gauge", "tags": {}, "points": [{"v": 1}]}]}).encode()
HEADER_S, BODY_S, IDLE_S = 1.5, 3, 4
CONNECTIONS_MAX = 400
SLACK_S = 2  # a busy machine


def head(*lines, length=len(BODY), method="POST", path="/v1/push"):
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", f"X-Api-Key: {KEY}", "Content-Type: application/json",
                        *([f"Content-Length: {length}"] if length is not None else []), *lines, "", ""]).encode()


class Somebody:
    """An ordinary client: it keeps its connection, and makes another when an idle one was closed, as every HTTP client does."""

    def __init__(self, house):
        self.house, self.connection, self.answers = house, house.main.connect(timeout=10), []

    def post(self):
        begun = time.monotonic()
        try:
            status = self.house.main.push(KEY, BODY, self.connection).status
        except OSError:
            self.connection.close()
            self.connection = self.house.main.connect(timeout=10)
            status = self.house.main.push(KEY, BODY, self.connection).status
        self.answers.append((time.monotonic() - begun, status))

    def post_until(self, stop):
        while not stop.wait(0.02) or len(self.answers) < 5:
            self.post()
        self.connection.close()


@contextlib.contextmanager
def somebody_is_served(house):
    """Somebody else posts all the while; every answer must be a 202, and soon."""
    stop, client = threading.Event(), Somebody(house)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        posting = pool.submit(client.post_until, stop)
        try:
            yield
        finally:
            stop.set()
        posting.result(20)
    assert {status for _, status in client.answers} == {202}, client.answers[-3:]
    assert sorted(client.answers)[len(client.answers) * 9 // 10][0] < 1, sorted(client.answers)[-3:]


def connect(house):
    return socket.create_connection(("127.0.0.1", house.main.push_port), timeout=30)


def trickle(connection, data, every=0.05):
    """Sends a byte at a time until all is sent or the other side has had enough; then what came back."""
    connection.settimeout(every)
    answer = b""
    for byte in data:
        try:
            connection.sendall(bytes([byte]))
            piece = connection.recv(4096)
            answer += piece
            if not piece:
                break
        except TimeoutError:
            continue
        except OSError:
            break
    connection.settimeout(10)
    with contextlib.suppress(OSError):
        while piece := connection.recv(4096):
            answer += piece
    return answer


def closed_after(connection, seconds):
    """The other side closes within this time, without a word."""
    connection.settimeout(seconds)
    begun = time.monotonic()
    assert connection.recv(100) == b""
    return time.monotonic() - begun


def test_it_serves(house):
    house.create_topics("main")
    house.put_cell("main")
    house.put_site("shop", [KEY])
    house.main = house.ingest("ingest", f"push.header_timeout={HEADER_S * 1000:.0f}", f"push.body_timeout={BODY_S * 1000:.0f}",
                              f"push.idle_timeout={IDLE_S * 1000:.0f}", f"push.connections_max={CONNECTIONS_MAX}",
                              "push.message_timeout=8s").wait_ready()
    assert house.main.push(KEY, BODY).status == 202


def test_headers_a_byte_at_a_time_are_a_408(house):
    with somebody_is_served(house), connect(house) as slow:
        slow.sendall(b"POST /v1/push HTTP/1.1\r\n")
        begun = time.monotonic()
        answer = trickle(slow, b"X-Slow: " + b"a" * 2000)
        assert answer.startswith(b"HTTP/1.1 408 ") and b'"headers_too_slow"' in answer, answer
        assert HEADER_S - 0.2 < time.monotonic() - begun < HEADER_S + SLACK_S
    assert house.main.metric("refused_requests_total", reason="headers_too_slow") == 1


def test_a_body_a_byte_at_a_time_is_a_408(house):
    with somebody_is_served(house), connect(house) as slow:
        slow.sendall(head(length=5000))
        begun = time.monotonic()
        answer = trickle(slow, b" " * 4000)
        assert answer.startswith(b"HTTP/1.1 408 ") and b'"body_too_slow"' in answer, answer
        assert BODY_S - 0.2 < time.monotonic() - begun < BODY_S + SLACK_S
    assert house.main.metric("refused_requests_total", reason="body_too_slow", site="shop") == 1
    house.main.settled()


def test_a_first_line_that_never_ends_is_closed(house):
    with somebody_is_served(house), connect(house) as slow:
        begun = time.monotonic()
        assert trickle(slow, b"POST /v1/" + b"a" * 3000) == b""
        assert time.monotonic() - begun < IDLE_S + SLACK_S


def test_a_half_open_connection_is_closed(house):
    """Nothing was ever said, or nothing is said any more after an answer."""
    with somebody_is_served(house), connect(house) as silent, connect(house) as polite:
        answered = exchange(polite, head() + BODY)
        assert answered.status == 202
        assert closed_after(silent, IDLE_S + SLACK_S) < IDLE_S + SLACK_S
        closed_after(polite, SLACK_S)


def bomb(size):
    """gzip of zeros, made piece by piece."""
    out, piece = io.BytesIO(), bytes(1 << 20)
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9) as packer:
        for _ in range(size >> 20):
            packer.write(piece)
    return out.getvalue()


def test_a_gzip_bomb_is_a_413(house):
    data = bomb(1 << 30)
    assert len(data) < 2 << 20
    before = house.main.rss_mib()
    with somebody_is_served(house):
        for _ in range(3):
            answer = house.main.push(KEY, data, Content_Encoding="gzip")
            assert (answer.status, answer.error) == (413, "inflated_too_large"), answer
        small = zlib.compress(bytes(10 << 20), 9)  # below the largest size, and a thousand times its own
        answer = house.main.push(KEY, small, Content_Encoding="deflate")
        assert (answer.status, answer.error) == (413, "inflate_ratio"), answer
    assert not PLAIN or house.main.rss_mib() - before < 64, (before, house.main.rss_mib())
    house.main.settled()


def test_two_lengths_are_a_400(house):
    with somebody_is_served(house):
        for lines in ((f"Content-Length: {len(BODY)}",), ("Content-Length: 3",), ("Transfer-Encoding: chunked",)):
            answer = house.main.raw(head(*lines) + BODY)
            assert (answer.status, answer.error) == (400, "bad_framing"), (lines, answer)
            assert answer.headers["Connection"] == "close"
        answer = house.main.raw(head("Transfer-Encoding: gzip, chunked", length=None) + BODY)
        assert (answer.status, answer.error) == (400, "bad_framing"), answer
        answer = house.main.raw(head("Transfer-Encoding: chunked", "Transfer-Encoding: chunked", length=None) + BODY)
        assert (answer.status, answer.error) == (400, "bad_framing"), answer


def test_ten_megabytes_of_headers_are_a_431(house):
    lines = b"".join(b"X-%d: %s\r\n" % (i, b"y" * 1000) for i in range(10_000))
    with somebody_is_served(house), connect(house) as wide:
        def send():
            with contextlib.suppress(OSError):
                wide.sendall(b"POST /v1/push HTTP/1.1\r\nHost: x\r\n" + lines + b"\r\n")
        sender = threading.Thread(target=send)
        sender.start()
        line = wide.makefile("rb").readline()
        assert line.split()[1] == b"431", line
        wide.close()
        sender.join()


def test_five_thousand_idle_connections(house):
    """Far beyond the limit: those that have been idle for longest make room, and whoever posts is served."""
    idle = []
    try:
        with somebody_is_served(house):
            for number in range(5000):
                idle.append(connect(house))
                if number % 500 == 499:
                    assert house.main.push(KEY, BODY).status == 202
            house.main.process.wait_until(lambda: house.main.metric("connections_evicted_total") >= 5000 - CONNECTIONS_MAX - 10, 10, "evicting")
        assert house.main.metric("connections") <= CONNECTIONS_MAX + 2
        assert idle[0].recv(1) == b""  # the oldest has gone
    finally:
        for connection in idle:
            connection.close()


def test_an_empty_body_is_a_400(house):
    with somebody_is_served(house):
        for form, error in (("application/json", "bad_json"), ("application/x-protobuf", "empty_payload")):
            answer = house.main.push(KEY, b"", Content_Type=form)
            assert (answer.status, answer.error) == (400, error), answer
        answer = house.main.push(KEY, b"", Content_Encoding="gzip")
        assert (answer.status, answer.error) == (400, "bad_encoding"), answer


def test_a_body_cut_off_is_told_and_counted(house):
    before = house.main.metric("refused_requests_total", reason="body_cut_off", site="shop")
    with somebody_is_served(house):
        with connect(house) as half:
            half.sendall(head(length=1000) + b'{"metrics"')
            house.main.process.wait_until(lambda: house.main.metric("inflight_bytes") >= 1000, 10, "reading")
            half.shutdown(socket.SHUT_WR)  # its other side still listens
            answer = half.makefile("rb").read()
            assert answer.startswith(b"HTTP/1.1 400 ") and b'"body_cut_off"' in answer, answer
        house.main.settled()  # the gauge must not tell of the first one when the second is waited for
        with connect(house) as gone:
            gone.sendall(head(length=1000) + b'{"metrics"')
            house.main.process.wait_until(lambda: house.main.metric("inflight_bytes") >= 1000, 10, "reading")
            gone.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")  # a reset
        house.main.process.wait_until(
            lambda: house.main.metric("refused_requests_total", reason="body_cut_off", site="shop") == before + 2, 10, "counting")
    house.main.settled()


def test_wrong_keys_at_a_high_rate_are_401s(house):
    def guess(number):
        connection = house.main.connect()
        statuses = {house.main.push(f"mr_{number}_{i}", BODY, connection).status for i in range(300)}
        connection.close()
        return statuses

    with somebody_is_served(house), concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert set().union(*pool.map(guess, range(8))) == {401}
    assert house.main.metric("refused_requests_total", reason="unauthorized", site="__none__") >= 2400


def test_expect_is_answered_before_the_body(house):
    with somebody_is_served(house), connect(house) as patient:
        patient.sendall(head("Expect: 100-continue"))
        assert patient.recv(100).startswith(b"HTTP/1.1 100 ")
        answer = exchange(patient, BODY)
        assert answer.status == 202, answer
    with connect(house) as refused:
        refused.sendall(head("Expect: 100-continue").replace(KEY.encode(), b"mr_wrong"))
        answer = exchange(refused, b"")
        assert (answer.status, answer.error) == (401, "unauthorized"), answer


def test_it_has_lived_through_all_of_this(house):
    house.main.settled()
    assert house.main.admin("/health/ready")[0] == 200
    assert not PLAIN or house.main.rss_mib() < 128, house.main.rss_mib()
    house.main.process.signal(signal.SIGTERM)
    assert house.main.process.wait_end(15) and house.main.process.exit_code == 0, house.main.process.exit_code


def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with tempfile.TemporaryDirectory(prefix="millrace-hostile-") as directory, House(directory, free_base_port()) as house:
        cases.run(globals(), house)


if __name__ == "__main__":
    main()
