"""A client of containerd's shim protocol: ttrpc over a Unix socket, with messages as lists of fields."""

import os
import socket
import struct
import subprocess
import threading

from harness import Failed, check, eventually

TASK = "containerd.task.v2.Task"


def varint(value):
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out + bytearray([value]))


def encode(*fields):
    """A message of (number, value) with whole numbers, text, bytes, or messages as lists of such pairs."""
    out = b""
    for number, value in fields:
        if isinstance(value, int):
            out += varint(number << 3) + varint(int(value))
            continue
        if isinstance(value, str):
            value = value.encode()
        elif isinstance(value, list):
            value = encode(*value)
        out += varint(number << 3 | 2) + varint(len(value)) + value
    return out


def decode(data):
    """A message as {number: [value, ...]}, values being numbers or bytes."""
    fields, at = {}, 0

    def number():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = number()
        value = number()
        if tag & 7 == 2:
            value, at = data[at : at + value], at + value
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def first(fields, number, default=0):
    return fields.get(number, [default])[-1]


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__("%d: %s" % (code, text))
        self.code, self.text = code, text


class Connection:
    """One connection; answers may come in any order."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        self.stream, self.answers = 1, {}

    def ask(self, method, *fields, service=TASK, raw=None):
        """Sends a request; returns its stream."""
        stream, self.stream = self.stream, self.stream + 2
        payload = encode((1, service), (2, method), (3, encode(*fields) if raw is None else raw))
        self.socket.sendall(struct.pack(">IIBB", len(payload), stream, 1, 0) + payload)
        return stream

    def exactly(self, count):
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise Failed("the shim has closed the connection")
            data += part
        return data

    def answer(self, stream):
        """The answer's fields; raises what the shim refuses."""
        while stream not in self.answers:
            length, number, _, _ = struct.unpack(">IIBB", self.exactly(10))
            self.answers[number] = decode(self.exactly(length))
        fields = self.answers.pop(stream)
        status = decode(first(fields, 1, b""))
        if first(status, 1):
            raise Refused(first(status, 1), first(status, 2, b"").decode())
        return decode(first(fields, 2, b""))

    def call(self, method, *fields, **options):
        return self.answer(self.ask(method, *fields, **options))

    def refused(self, method, *fields, **options):
        """The code and text of a refusal that must come."""
        try:
            self.call(method, *fields, **options)
        except Refused as refusal:
            return refusal
        raise Failed("%s went well" % method)

    def close(self):
        self.socket.close()


class Events:
    """The end of containerd that takes events."""

    def __init__(self, path):
        self.path, self.seen = path, []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.take, args=[connection], daemon=True).start()

    def take(self, connection):
        file = connection.makefile("rb")
        while True:
            header = file.read(10)
            if len(header) < 10:
                return
            length, stream, _, _ = struct.unpack(">IIBB", header)
            request = decode(file.read(length))
            envelope = decode(first(decode(first(request, 3)), 1))
            event = decode(first(envelope, 4))
            self.seen.append((first(envelope, 3).decode(), decode(first(event, 2, b""))))
            connection.sendall(struct.pack(">IIBB", 0, stream, 2, 0))

    def topics(self):
        return [topic.rsplit("/", 1)[1] for topic, _ in self.seen]

    def wait(self, *topics):
        eventually(lambda: self.topics() == list(topics), 10, "the events %s; seen: %s" % (topics, self.topics()))

    def close(self):
        self.listener.close()


def start(program, bundle, namespace, identifier, address="/none", environment=None, stdin=b""):
    """Runs the action `start`; returns the path of the shim's socket."""
    words = ["-namespace", namespace, "-address", address, "-publish-binary", "/bin/false", "-id", identifier]
    result = subprocess.run(
        [program, *words, "start"],
        cwd=bundle,
        input=stdin,
        capture_output=True,
        timeout=20,
        env={**os.environ, **(environment or {})},
    )
    check(result.returncode == 0, "start ended with", result.returncode, result.stderr)
    address = result.stdout.decode()
    check(address.startswith("unix:///run/containerd/s/"), "the address is", address)
    with open(os.path.join(bundle, "address")) as file:
        check(file.read() == address, "the file address is another")
    return address[len("unix://") :]


def memory(pid, kind="Anonymous"):
    """Memory of a process in KiB: what is its own, or its share in all."""
    with open("/proc/%d/smaps_rollup" % pid) as file:
        return next(int(line.split()[1]) for line in file if line.startswith(kind + ":"))
