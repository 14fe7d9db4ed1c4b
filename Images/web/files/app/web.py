"""A web application that says who it is, and can be told to be slow, ill or slow to start.

PORT0 or PORT (8080), VERSION (1), START_SECONDS (0): how long it is not ready after its start; STOP_SECONDS (0): how long
it still answers after SIGTERM while it says that it is not healthy, so that whoever sends requests can go elsewhere.
"""

import os
import signal
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PORT = int(os.environ.get("PORT0") or os.environ.get("PORT") or 8080)
VERSION = os.environ.get("VERSION", "1")
READY_AT = time.monotonic() + float(os.environ.get("START_SECONDS", "0"))
STOP_SECONDS = float(os.environ.get("STOP_SECONDS", "0"))
state = {"healthy": True, "stopping": False}


def health():
    if state["stopping"]:
        return 503, "stopping"
    if time.monotonic() < READY_AT:
        return 503, "starting"
    return (200, "ok") if state["healthy"] else (503, "ill")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        url = urlsplit(self.path)
        status, text = 200, "version %s on %s" % (VERSION, socket.gethostname())
        if url.path == "/health":
            status, text = health()
        elif url.path in ("/fail", "/heal"):
            state["healthy"] = url.path == "/heal"
            text = "ok"
        elif url.path == "/slow":
            time.sleep(min(60.0, float(parse_qs(url.query).get("seconds", ["1"])[0])))
        elif url.path != "/":
            status, text = 404, "there is nothing here"
        body = (text + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        if state["stopping"]:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, format, *words):
        print("%s %s" % (self.address_string(), format % words))


class Server(ThreadingHTTPServer):
    address_family = socket.AF_INET6
    request_queue_size = 1024
    daemon_threads = True

    def server_bind(self):
        # Both families, where there are two.
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()


class Server4(ThreadingHTTPServer):
    request_queue_size = 1024
    daemon_threads = True


def main():
    try:
        server = Server(("::", PORT), Handler)
    except OSError:
        server = Server4(("0.0.0.0", PORT), Handler)

    def end():
        time.sleep(STOP_SECONDS)
        server.shutdown()

    def stop(*_):
        if not state["stopping"]:
            state["stopping"] = True
            threading.Thread(target=end).start()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    print("version %s listens on port %d" % (VERSION, PORT))
    server.serve_forever(poll_interval=0.05)
    print("ended")


if __name__ == "__main__":
    main()
