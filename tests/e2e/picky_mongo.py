"""A server that refuses documents one by one, like a collection with a validator, which the local database has not."""
import socketserver
import struct
import threading

import bson


class PickyServer(socketserver.ThreadingTCPServer):
    """Takes inserts in MongoDB's protocol as far as the driver needs it, and refuses documents like a collection's validator.

    The local database has no validators. Documents whose _id is in refused get code 121; the others are kept by _id."""
    allow_reuse_address = daemon_threads = True
    HELLO = {"ok": 1, "ismaster": True, "maxBsonObjectSize": 1 << 24, "maxMessageSizeBytes": 48_000_000,
             "maxWriteBatchSize": 100_000, "minWireVersion": 0, "maxWireVersion": 9}

    def __init__(self, refused):
        super().__init__(("127.0.0.1", 0), self.handle)
        self.refused, self.kept, self.lock = refused, {}, threading.Lock()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def handle(self, connection, *_):
        while len(head := connection.recv(16, 256)) == 16:  # MSG_WAITALL
            length, request, _, op = struct.unpack("<iiii", head)
            body = connection.recv(length - 16, 256)
            if op == 2004:  # OP_QUERY: the driver's greeting
                reply = bson.encode(self.HELLO)
                connection.sendall(struct.pack("<iiiiiqii", 36 + len(reply), 1, request, 1, 0, 0, 0, 1) + reply)
                continue
            reply = bson.encode(self.answer(body))
            connection.sendall(struct.pack("<iiiiIB", 21 + len(reply), 1, request, 2013, 0, 0) + reply)

    def answer(self, body):
        """OP_MSG: flags, the command (kind 0), then an insert's documents (kind 1)."""
        size = struct.unpack_from("<i", body, 5)[0]
        command = bson.decode(body[5:5 + size])
        if "listIndexes" in command:
            return {"ok": 0, "code": 26, "errmsg": "ns does not exist"}
        if "insert" not in command:
            return self.HELLO
        documents = bson.decode_all(body[body.index(b"\0", 5 + size + 5) + 1:])
        with self.lock:
            errors = [{"index": i, "code": 121, "errmsg": "Document failed validation"} if d["_id"] in self.refused else
                      {"index": i, "code": 11000, "keyPattern": {"_id": 1}, "errmsg": "E11000"}
                      for i, d in enumerate(documents) if d["_id"] in self.refused or d["_id"] in self.kept]
            bad = {e["index"] for e in errors}
            self.kept |= {d["_id"]: d for i, d in enumerate(documents) if i not in bad}
        return {"ok": 1, "n": len(documents) - len(errors), **({"writeErrors": errors} if errors else {})}
