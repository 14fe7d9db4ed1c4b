"""HTTP as it is on the wire: requests, answers, chunks and RecordIO records, each read exactly as it came.

This is the strict sort of reader: whatever is not as the interface has it raises WireError with what was seen.
"""

import http.client
import json
import socket
import ssl
import threading
import time

from harness import Failed

JSON = "application/json"
PROTOBUF = "application/x-protobuf"


class WireError(Failed):
    """The server sent something that the interface does not allow."""


class Response:
    """An answer: status, headers by lower-case name, body as bytes."""

    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode("utf-8", "replace")

    @property
    def json(self):
        try:
            return json.loads(self.body.decode("utf-8"))
        except ValueError as error:
            raise WireError("the body is not JSON (%s): %r" % (error, self.body[:300]))

    def __repr__(self):
        return "<%s %r %r>" % (self.status, self.headers, self.body[:300])


class Secured:
    """How to reach one master that wants TLS, a credential, or both. Files are read when they are first needed: a test
    names those of a node that is yet to be started."""

    def __init__(self, authority=None, administrator=None, authorization=None):
        self.authority, self.administrator, self.authorization = authority, administrator, authorization
        self.lock = threading.Lock()
        self.made = None

    def context(self):
        with self.lock:
            if self.made is None and self.authority:
                self.made = ssl.create_default_context(cafile=self.authority)
            return self.made

    def credential(self):
        with self.lock:
            if self.authorization is None and self.administrator:
                with open(self.administrator) as file:
                    self.authorization = "token=" + file.read().strip()
            return self.authorization


# Masters by "host:port"; those that are not here speak plain HTTP to everybody.
SECURED = {}


def secure(master, authority=None, administrator=None, authorization=None):
    """Has all requests to a master go over TLS, trusting a file of certificates, and show a credential: the content of
    the file `administrator`, or `authorization` as it is."""
    SECURED[master] = Secured(authority, administrator, authorization)


def address(master):
    host, _, port = master.rpartition(":")
    return host, int(port)


def credential(master):
    """The Authorization header that a master wants, as a dict."""
    secured = SECURED.get(master)
    shown = secured.credential() if secured else None
    return {"Authorization": shown} if shown else {}


def http_connection(master, timeout=20):
    """A connection of http.client, with TLS where the master wants that."""
    secured = SECURED.get(master)
    context = secured.context() if secured else None
    if context:
        return http.client.HTTPSConnection(*address(master), timeout=timeout, context=context)
    return http.client.HTTPConnection(*address(master), timeout=timeout)


def connect(master, timeout=10, receive_buffer=None):
    """A connection; `receive_buffer` is set before connecting, so that it bounds the window."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if receive_buffer:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    sock.settimeout(timeout)
    sock.connect(address(master))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    secured = SECURED.get(master)
    context = secured.context() if secured else None
    return context.wrap_socket(sock, server_hostname=address(master)[0]) if context else sock


def request(master, method, path, body=None, headers=None, timeout=20):
    """One request on a connection of its own. Dicts and lists are sent as JSON."""
    headers = dict(credential(master), **(headers or {}))
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", JSON)
    connection = http_connection(master, timeout)
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    finally:
        connection.close()


def get(master, path, timeout=20):
    return request(master, "GET", path, timeout=timeout)


def get_json(master, path, timeout=20):
    answer = get(master, path, timeout)
    if answer.status != 200:
        raise WireError("GET %s answered %r" % (path, answer))
    return answer.json


def operator(master, kind, arguments=None, path="/api/v1"):
    """An operator call; returns what its answer holds under the call's name in lower case."""
    call = {"type": kind}
    if arguments is not None:
        call[kind.lower()] = arguments
    answer = request(master, "POST", path, call, {"Accept": JSON})
    if answer.status != 200:
        raise WireError("%s answered %r" % (kind, answer))
    body = answer.json
    if body.get("type") != kind:
        raise WireError("%s was answered with type %r" % (kind, body.get("type")))
    return body.get(kind.lower(), {})


class Wire:
    """One connection, read exactly: head, then either a counted body or chunks, each as it came."""

    def __init__(self, sock):
        self.sock = sock
        self.buffer = b""
        self.ended = False
        self.left_in_chunk = 0
        self.chunks = []

    def send(self, data):
        self.sock.sendall(data)

    def close(self):
        try:
            self.sock.close()
        except OSError:
            pass

    def fill(self, deadline):
        """Reads more into the buffer; False at the end of the connection."""
        left = deadline - time.monotonic()
        if left <= 0:
            raise socket.timeout("nothing came in time")
        self.sock.settimeout(left)
        data = self.sock.recv(65536)
        self.buffer += data
        return bool(data)

    def line(self, deadline):
        while b"\r\n" not in self.buffer:
            if len(self.buffer) > 1 << 20:
                raise WireError("a line without end: %r" % self.buffer[:100])
            if not self.fill(deadline):
                raise WireError("the connection ended inside of a line: %r" % self.buffer[:200])
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def head(self, seconds=10):
        """Reads status and headers of an answer (interim answers are skipped)."""
        deadline = time.monotonic() + seconds
        while True:
            status_line = self.line(deadline).decode("latin-1")
            words = status_line.split(" ", 2)
            if not words[0].startswith("HTTP/1.") or len(words) < 2 or not words[1].isdigit():
                raise WireError("not an HTTP answer: %r" % status_line)
            headers = {}
            while True:
                line = self.line(deadline).decode("latin-1")
                if not line:
                    break
                name, _, value = line.partition(":")
                headers[name.strip().lower()] = value.strip()
            if int(words[1]) >= 200:
                return int(words[1]), headers

    def response(self, seconds=10, method="POST"):
        """Reads a whole answer."""
        deadline = time.monotonic() + seconds
        status, headers = self.head(seconds)
        body = b""
        if method == "HEAD" or status in (204, 304):
            pass
        elif headers.get("transfer-encoding", "").lower() == "chunked":
            while True:
                data = self.chunk_data(deadline)
                if data is None:
                    break
                body += data
        elif "content-length" in headers:
            length = int(headers["content-length"])
            while len(self.buffer) < length:
                if not self.fill(deadline):
                    raise WireError("the body ended after %d of %d bytes" % (len(self.buffer), length))
            body, self.buffer = self.buffer[:length], self.buffer[length:]
        else:
            while self.fill(deadline):
                pass
            body, self.buffer = self.buffer, b""
        return Response(status, headers, body)

    def chunk_data(self, deadline):
        """The next piece of a chunked body, or None at its end. Sizes of chunks are kept in `chunks`."""
        if self.ended:
            return None
        if self.left_in_chunk == 0:
            size_line = self.line(deadline).split(b";")[0].strip()
            try:
                size = int(size_line, 16)
            except ValueError:
                raise WireError("a chunk size that is no hexadecimal number: %r" % size_line)
            self.chunks.append(size)
            if size == 0:
                while self.line(deadline):
                    pass
                self.ended = True
                return None
            self.left_in_chunk = size
        if not self.buffer and not self.fill(deadline):
            raise WireError("the connection ended inside of a chunk")
        piece, self.buffer = self.buffer[: self.left_in_chunk], self.buffer[self.left_in_chunk :]
        self.left_in_chunk -= len(piece)
        if self.left_in_chunk == 0:
            if self.line(deadline):
                raise WireError("a chunk is longer than it says")
        return piece


class Records:
    """RecordIO records over the chunks of an answer."""

    def __init__(self, wire):
        self.wire = wire
        self.data = b""

    def next(self, seconds):
        """The next record's bytes, None at the end of the stream; socket.timeout when there is none in time."""
        deadline = time.monotonic() + seconds
        while True:
            if b"\n" in self.data[:21]:
                length, rest = self.data.split(b"\n", 1)
                if not length.isdigit():
                    raise WireError("a record's length line is %r" % length[:40])
                if len(rest) >= int(length):
                    self.data = rest[int(length) :]
                    return rest[: int(length)]
            elif len(self.data) > 20:
                raise WireError("no length line at the start of a record: %r" % self.data[:60])
            piece = self.wire.chunk_data(deadline)
            if piece is None:
                if self.data:
                    raise WireError("the stream ended inside of a record: %r" % self.data[:60])
                return None
            self.data += piece


def open_stream(master, call, path="/api/v1/scheduler", headers=None, receive_buffer=None, seconds=10):
    """Posts a call whose answer is a stream. Returns (wire, status, headers, records)."""
    body = call if isinstance(call, bytes) else json.dumps(call).encode()
    fields = {"Host": master, "Content-Type": JSON, "Accept": JSON, "Content-Length": str(len(body))}
    fields.update(credential(master))
    fields.update(headers or {})
    head = "POST %s HTTP/1.1\r\n%s\r\n" % (
        path,
        "".join("%s: %s\r\n" % field for field in fields.items() if field[1] is not None),
    )
    wire = Wire(connect(master, receive_buffer=receive_buffer))
    wire.send(head.encode("latin-1") + body)
    status, answer = wire.head(seconds)
    return wire, status, answer, Records(wire)
