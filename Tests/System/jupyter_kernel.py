"""A kernel of a Jupyter server, spoken to as a notebook's page does: by the server's calls, and by messages in a WebSocket."""

import base64
import json
import os
import socket
import struct
import uuid

from harness import check, equal

# The frames of WebSockets (RFC 6455) that are used here.
TEXT, CLOSE, PING = 1, 8, 9


class Kernel:
    """A kernel that runs. `call` is METHOD, PATH, BODY -> the document that the server answers with."""

    def __init__(self, call, port, token):
        self.call = call
        self.id = call("POST", "/api/kernels", {"name": "python3"})["id"]
        self.session = uuid.uuid4().hex
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall((
            "GET /api/kernels/%s/channels?session_id=%s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
            "Connection: Upgrade\r\nSec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\nAuthorization: token %s\r\n\r\n"
            % (self.id, self.session, port, key, token)).encode())
        status = self.stream.readline().decode()
        check(" 101 " in status, "the answer to a WebSocket is", status)
        while self.stream.readline().strip():
            pass

    def run(self, code):
        """Runs code; what it prints, and the representation of its value."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "session": self.session,
                  "version": "5.3", "date": "2026-01-01T00:00:00Z"}
        self.send(json.dumps({
            "channel": "shell", "header": header, "parent_header": {}, "metadata": {}, "buffers": [],
            "content": {"code": code, "silent": False, "store_history": True, "user_expressions": {},
                        "allow_stdin": False, "stop_on_error": True}}).encode())
        printed, value, ended = "", None, set()
        while ended != {"reply", "idle"}:
            message = json.loads(self.receive())
            if message["parent_header"].get("msg_id") != header["msg_id"]:
                continue
            kind, content = message["msg_type"], message["content"]
            if kind == "stream":
                printed += content["text"]
            elif kind == "execute_result":
                value = content["data"]["text/plain"]
            elif kind == "execute_reply":
                equal(content["status"], "ok", "the end of the code: %s" % content.get("evalue"))
                ended.add("reply")
            elif kind == "status" and content["execution_state"] == "idle":
                ended.add("idle")
        return printed, value

    def end(self):
        self.socket.close()
        self.call("DELETE", "/api/kernels/" + self.id, None)

    def send(self, payload, kind=TEXT):
        mask = os.urandom(4)
        length = (bytes([0x80 | len(payload)]) if len(payload) < 126 else b"\xfe" + struct.pack(">H", len(payload)))
        self.socket.sendall(bytes([0x80 | kind]) + length + mask + bytes(b ^ mask[i % 4] for i, b in enumerate(payload)))

    def receive(self):
        """The next whole message."""
        whole = b""
        while True:
            first, second = self.read(2)
            length = second & 0x7F
            if length >= 126:
                length = int.from_bytes(self.read(2 if length == 126 else 8), "big")
            payload = self.read(length)
            kind = first & 0x0F
            check(kind != CLOSE, "the kernel's stream was closed", payload[2:])
            if kind == PING:
                self.send(payload, 10)
            elif kind <= 2:
                whole += payload
                if first & 0x80:
                    return whole

    def read(self, count):
        data = self.stream.read(count)
        check(len(data) == count, "the kernel's stream has ended")
        return data
