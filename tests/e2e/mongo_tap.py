"""A tap on the way to a database: it passes MongoDB's protocol on, byte by byte, and notes what each insert carried and how long its
answer took, from the first byte of the request to the last of the reply. So latencies are measured outside of who sends and who answers."""
import socket
import socketserver
import struct
import threading
import time

import bson

OP_MSG = 2013
TAKE = 1 << 16


class Insert:
    """One insert on its way: times are of time.monotonic(); ended is None until it is answered, which it may never be."""

    def __init__(self, begun, documents, size):
        self.begun, self.documents, self.size = begun, documents, size
        self.ended = None

    @property
    def seconds(self):
        return self.ended - self.begun


def documents_in(message):
    """How many documents an OP_MSG inserts; None when it is no insert. Flags, the command (kind 0), documents (kind 1)."""
    size = struct.unpack_from("<i", message, 21)[0]
    if "insert" not in bson.decode(message[21:21 + size]):
        return None
    at = 21 + size
    end = at + 1 + struct.unpack_from("<i", message, at + 1)[0]
    at = message.index(b"\0", at + 5) + 1
    count = 0
    while at < end:
        at += struct.unpack_from("<i", message, at)[0]
        count += 1
    return count


class Tap(socketserver.ThreadingTCPServer):
    """Listens on 127.0.0.1:port for as long as it is entered; inserts, oldest first, are the list to look at."""
    allow_reuse_address = daemon_threads = True

    def __init__(self, upstream_port):
        super().__init__(("127.0.0.1", 0), self.serve)
        self.upstream_port = upstream_port
        self.port = self.server_address[1]
        self.inserts = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()

    def answered(self, since=0):
        """Inserts that were answered, from the one numbered since on."""
        return [insert for insert in self.inserts[since:] if insert.ended]

    def serve(self, client, *_):
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream_port), timeout=5)
        except OSError:
            client.close()
            return
        server.settimeout(None)
        open_requests = {}
        back = threading.Thread(target=self.pump, args=(server, client, lambda begun, message: self.on_reply(open_requests, message)))
        back.start()
        self.pump(client, server, lambda begun, message: self.on_request(open_requests, begun, message))
        back.join()
        client.close()
        server.close()

    def on_request(self, open_requests, begun, message):
        _, request, _, op = struct.unpack_from("<iiii", message)
        documents = documents_in(message) if op == OP_MSG else None
        if documents is not None:
            open_requests[request] = Insert(begun, documents, len(message))
            self.inserts.append(open_requests[request])

    def on_reply(self, open_requests, message):
        insert = open_requests.pop(struct.unpack_from("<i", message, 8)[0], None)
        if insert:
            insert.ended = time.monotonic()

    @staticmethod
    def pump(source, sink, on_message):
        """Passes on what arrives at once, and tells of each whole message, just before its end goes out, and of when it began."""
        pending, begun = b"", 0
        try:
            while data := source.recv(TAKE):
                begun = begun if pending else time.monotonic()
                pending += data
                while len(pending) >= 16 and len(pending) >= (size := struct.unpack_from("<i", pending)[0]):
                    on_message(begun, pending[:size])
                    pending, begun = pending[size:], time.monotonic()
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
