"""Agents for tests, many in one process: persistent connections on asyncio, payloads with identity, answers taken at their word.

Light on purpose, as they share the machine with what they test: an answer costs its status, Retry-After and length, and bodies come from a
template. LoopLag tells whether the agents themselves were late.
"""
import asyncio
import json
import re
import threading

import push_pb

ENCODING = "pb"  # "pb" once ingest takes application/x-protobuf
TYPES = {"json": "application/json", "pb": "application/x-protobuf"}
ANSWER = re.compile(rb"HTTP/1\.1 (\d{3}) ")
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.I)
RETRY_AFTER = re.compile(rb"\r\nretry-after: *([^\r]*)\r\n", re.I)
CLOSE = re.compile(rb"\r\nconnection: *close\r\n", re.I)


class Answer:
    """Status, Retry-After as it was spelt (None: not there), body."""

    def __init__(self, head, body):
        self.status = int(ANSWER.match(head).group(1))
        wait = RETRY_AFTER.search(head)
        self.retry_after = wait and wait.group(1).decode()
        self.closes = bool(CLOSE.search(head))
        self.body = bytes(body)

    def wait_s(self):
        """What a refused agent must wait: an integer from 1 to 30."""
        assert self.retry_after and self.retry_after.isdigit() and 1 <= int(self.retry_after) <= 30, (self, self.retry_after)
        return int(self.retry_after)

    def __repr__(self):
        return f"{self.status} {self.body[:200]}"


class Wire(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(self):
        self.transport = self.answer = self.first_byte = None
        self.data = bytearray()
        self.ended = False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        self.data += data
        if self.first_byte and not self.first_byte.done():
            self.first_byte.set_result(True)
        end = self.data.find(b"\r\n\r\n")
        if end < 0 or not self.answer or self.answer.done():
            return
        head = bytes(self.data[:end + 2])
        whole = end + 4 + int(LENGTH.search(head).group(1))
        if len(self.data) >= whole:
            self.answer.set_result(Answer(head, self.data[end + 4:whole]))
            del self.data[:whole]

    def connection_lost(self, error):
        self.ended = True
        for waiting in (self.answer, self.first_byte):
            if waiting and not waiting.done():
                waiting.set_exception(error or ConnectionResetError("closed before an answer"))


class Channel:
    """A client's way to one port, connected when it is needed. ConnectionError (or OSError, when nobody listens): no answer, try again."""

    def __init__(self, port):
        self.port, self.wire = port, None

    async def _open(self):
        if self.wire is None or self.wire.ended or self.wire.transport.is_closing():
            _, self.wire = await asyncio.get_running_loop().create_connection(Wire, "127.0.0.1", self.port)
        return self.wire

    async def exchange(self, request):
        """Sends a request and returns its answer."""
        wire = await self._open()
        wire.answer = asyncio.get_running_loop().create_future()
        wire.transport.write(request)
        answer = await wire.answer
        if answer.closes:
            self.close()
        return answer

    async def send_and_lose(self, request, wait):
        """Sends a request and goes away: at once, or (wait) when its answer has begun to arrive, which nobody reads."""
        wire = await self._open()
        wire.answer, wire.first_byte = None, asyncio.get_running_loop().create_future()
        wire.transport.write(request)
        try:
            if wait:
                await wire.first_byte
        finally:
            wire.first_byte = None
            self.close()

    def close(self):
        """What has been written still goes out."""
        if self.wire:
            self.wire.transport.close()
            self.wire = None


def request(port, key, body, created_at, sent_at, encoding=ENCODING):
    """One POST with the two headers of an agent that knows its clock."""
    return (f"POST /v1/push HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {key}\r\nContent-Type: {TYPES[encoding]}\r\n"
            f"Millrace-Created-At: {created_at}\r\nMillrace-Sent-At: {sent_at}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body


def encode(payload, encoding=ENCODING):
    return push_pb.encode(payload) if encoding == "pb" else json.dumps(payload, separators=(",", ":")).encode()


class Template:
    """Payloads that differ in identity and time alone. metrics: one point each, without t."""

    MARK_MS = 1_999_999_999_999  # spelt in 13 digits or a varint of 6 bytes, as every time of our days

    def __init__(self, metrics, encoding=ENCODING):
        self.encoding = encoding
        marked = [{**m, "points": [{"t": self.MARK_MS, **point} for point in m["points"]]} for m in metrics]
        self.body = encode({"metrics": marked}, encoding)
        self.samples = len(metrics)

    def payload(self, agent_id, seq, floor, created_at):
        """The body; the points' time is created_at too."""
        identity = {"agent_id": agent_id, "seq": seq, "floor": floor, "created_at": created_at}
        if self.encoding == "pb":
            return self.body.replace(push_pb.varint(self.MARK_MS), push_pb.varint(created_at)) + push_pb.encode(identity)
        return encode(identity, "json")[:-1] + b"," + self.body.replace(b"%d" % self.MARK_MS, b"%d" % created_at)[1:]


class LoopLag:
    """How late the event loop comes to what is due, looked at 50 times a second: what agents measure is wrong by as much."""

    def __init__(self):
        self.late_s = []

    async def watch(self):
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + 0.02
            await asyncio.sleep(0.02)
            self.late_s.append(loop.time() - due)


def percentile(values, p):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]


class Background:
    """A coroutine in a thread with a loop of its own; result() waits for it and raises what it raised."""

    def __init__(self, coroutine):
        self.value = self.error = None
        self.thread = threading.Thread(target=self._run, args=(coroutine,), daemon=True)
        self.thread.start()

    def _run(self, coroutine):
        try:
            self.value = asyncio.run(coroutine)
        except BaseException as error:
            self.error = error

    def running(self):
        return self.thread.is_alive()

    def result(self, seconds):
        self.thread.join(seconds)
        assert not self.running(), f"the agents have not ended within {seconds} s"
        if self.error:
            raise self.error
        return self.value
