"""A combined node on loopback that can be killed and started again, reached by its own socket as root reaches it."""

import http.client
import json
import os
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from dev_cluster import free_port  # noqa: E402
from harness import Failed, eventually  # noqa: E402


class Local(http.client.HTTPConnection):
    """A connection to a node's own socket, which root opens without logging in."""

    def __init__(self, path):
        super().__init__("localhost", timeout=20)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)


class LocalNode:
    """The node; everything of it is in a directory."""

    def __init__(self, rondo, data, *options):
        self.rondo, self.data = rondo, data
        self.log = data + ".log"
        ports = [str(free_port()) for _ in range(3)]
        self.command = [rondo, "cluster", "init", "--foreground", "--advertise", "127.0.0.1", "--data", data]
        self.command += ["--master-port", ports[0], "--agent-port", ports[1], "--gossip-port", ports[2]]
        self.command += ["--recovery-window", "2s"] + list(options)
        self.process = None

    def start(self):
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        eventually(lambda: self.call("GET", "/v2/info")[0] == 200, 30, "a node that answers")

    def get(self, path):
        """A document of the master."""
        return self.call("GET", path, base="")[1]

    def call(self, method, path, body=None, base="/service/marathon"):
        connection = Local(os.path.join(self.data, "rondo.sock"))
        try:
            kind = {} if body is None else {"Content-Type": "application/json"}
            connection.request(method, base + path, None if body is None else json.dumps(body), kind)
            answer = connection.getresponse()
            text = answer.read()
        except OSError as error:
            raise Failed("the node does not answer: %r" % error)
        finally:
            connection.close()
        return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text

    def run(self, *words, given=b""):
        """A command on this node: exit code, output and errors."""
        made = subprocess.run(
            [self.rondo, *words], input=given, capture_output=True, timeout=60,
            env=dict(os.environ, RONDO_MASTER="unix:" + os.path.join(self.data, "rondo.sock")))
        return made.returncode, made.stdout.decode(), made.stderr.decode()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.kill()
        subprocess.run([self.rondo, "cluster", "leave", "--purge", "--data", self.data], capture_output=True, timeout=30)
