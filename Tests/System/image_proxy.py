"""A registry in front of the real one that fails as it is told, and remembers what it was asked."""

import base64
import http.client
import http.server
import socket
import struct
import threading
import time


class Proxy:
    """Listens on a free port of loopback; every fault is a field that a test sets."""

    def __init__(self, registry, tls=None):
        self.registry = registry
        self.seen = []
        self.lock = threading.Lock()
        # Seconds before each answer; bytes a second of blobs, and in pieces of how many.
        self.delay = 0
        self.pace = None
        self.piece = 64 << 10
        # Every how many requests for blobs and manifests are answered 500.
        self.fail_every = None
        # Blobs stop after their head and nothing more comes.
        self.silence = False
        # How many answers break off, after how many bytes, and how many seconds they stand still before that.
        self.cuts = 0
        self.cut_after = 0
        self.stall = 0
        # Whether ranges are known.
        self.ranges = True
        # Whether blobs have other bytes.
        self.lie = False
        # "once", "circle", or an address.
        self.redirect = None
        # A name and a password.
        self.basic = None
        self.stopping = threading.Event()
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                proxy.answer(self)

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.name = "127.0.0.1:%d" % self.port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.server.shutdown()
        self.server.server_close()

    def answer(self, handler):
        path = handler.path
        span = handler.headers.get("Range")
        with self.lock:
            self.seen.append((handler.command, path, span))
            count = len(self.seen)
        time.sleep(self.delay)
        if self.basic:
            right = "Basic " + base64.b64encode(":".join(self.basic).encode()).decode()
            if handler.headers.get("Authorization") != right:
                return self.short(handler, 401, {"WWW-Authenticate": 'Basic realm="test"'})
        if self.redirect and "/blobs/" in path:
            if self.redirect == "circle":
                return self.short(handler, 307, {"Location": path})
            if self.redirect != "once":
                return self.short(handler, 307, {"Location": self.redirect})
            if not path.startswith("/moved"):
                return self.short(handler, 307, {"Location": "/moved" + path})
        if self.fail_every and count % self.fail_every == 0:
            return self.short(handler, 500, {})
        self.pass_on(handler, path.removeprefix("/moved"), span if self.ranges else None)

    def pass_on(self, handler, path, span):
        connection = http.client.HTTPConnection(self.registry, timeout=20)
        try:
            headers = {"Accept": handler.headers.get("Accept", "*/*")}
            if span:
                headers["Range"] = span
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        finally:
            connection.close()
        is_blob = "/blobs/" in path and answer.status in (200, 206)
        handler.send_response(answer.status)
        for name in ("Content-Type", "Content-Range", "Docker-Content-Digest"):
            if answer.getheader(name):
                handler.send_header(name, answer.getheader(name))
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        if is_blob and self.silence:
            self.stopping.wait(30)
            handler.close_connection = True
            return
        if is_blob and self.lie:
            body = bytes(len(body))
        if is_blob and len(body) > self.cut_after:
            with self.lock:
                cut = self.cuts > 0
                self.cuts -= cut
            if cut:
                handler.wfile.write(body[: self.cut_after])
                handler.close_connection = True
                if self.stall:
                    self.stopping.wait(self.stall)
                    # The connection is reset when it is closed, not ended.
                    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
        start = 0
        while start < len(body):
            # Slow until the test has it be quick.
            step = self.piece if is_blob and self.pace else 64 << 10
            handler.wfile.write(body[start : start + step])
            start += step
            if is_blob and self.pace:
                self.stopping.wait(step / self.pace)

    @staticmethod
    def short(handler, status, headers):
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()
