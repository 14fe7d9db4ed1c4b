"""Nodes of secured clusters for tests: the real program in a network namespace of its own, and ways to talk to it."""

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import Footprint  # noqa: E402
from harness import check, equal, eventually  # noqa: E402
from machines import JOIN_LINE  # noqa: E402
from netns import Network  # noqa: E402
from wire import JSON, Response, WireError  # noqa: E402

# Ends of a process that are faults of the program and not refusals.
TRAPS = (-signal.SIGABRT, -signal.SIGILL, -signal.SIGSEGV, -signal.SIGTRAP, -signal.SIGBUS, -signal.SIGKILL, 70)


class World:
    """What all tests share: the program, a directory, namespaces, and every process that was started."""

    def create(self, rondo):
        self.rondo = os.path.abspath(rondo)
        self.footprint = Footprint(self.rondo)
        self.directory = tempfile.mkdtemp(prefix="secured-", dir="/var/tmp")
        # Tasks of users without rights run below it.
        os.chmod(self.directory, 0o711)
        self.network = Network(2)
        self.nodes, self.processes = {}, []
        self.contexts = {}
        self.network.create()
        # Ports and loopback addresses of the hub are nobody else's.
        self.network.enter_hub()

    def path(self, *names):
        return os.path.join(self.directory, *names)

    def end(self):
        """Removes all of it, whatever state it is in."""
        for process in self.processes + [each.process for each in self.nodes.values()]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for name in [self.network.hub] + self.network.names:
            for pid in self.network.inhabitants(name) - {os.getpid()}:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        self.network.delete()
        if os.environ.get("KEEP"):
            print("      kept: %s" % self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


world = World()
world.refused = 0
world.patience = 20
# How long certificates last in the cluster whose certificates are short, in seconds.
world.lifetime = 6


class Node:
    """One daemon with its data directory. A master has a port; an agent has a master."""

    def __init__(self, name, at, master=None, port=None, plain=None, options=(), machine=None, data=None):
        self.name, self.at, self.master, self.port, self.plain = name, at, master, port, plain
        self.options, self.machine = list(options), machine
        self.data = data or world.path(name)
        self.output_path = world.path(name + ".log")
        self.process = None
        world.nodes[name] = self

    @property
    def address(self):
        return "%s:%d" % (self.at, self.port)

    def file(self, name):
        return os.path.join(self.data, name)

    def read(self, name):
        with open(self.file(name), "rb") as file:
            return file.read()

    def secret(self):
        return self.read("administrator").decode().strip()

    def command(self, token=None):
        if self.master is None:
            command = [world.rondo, "cluster", "init", "--master-port", str(self.port)]
            command += ["--plain-listen", self.plain] if self.plain else []
        else:
            command = [world.rondo, "cluster", "join", self.master.address] + (["--token", token] if token else [])
        command += ["--data", self.data] + self.options
        command += ["--advertise", self.at] if self.machine is None else []
        return command if self.machine is None else world.network.inside(self.machine, command)

    def start(self, token=None):
        """Starts it; a master is waited for, an agent that is expected to join is waited for by its caller."""
        with open(self.output_path, "ab") as output:
            self.process = subprocess.Popen(
                self.command(token), stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        if self.master is None:
            before = self.output().count("look at it")
            eventually(lambda: self.alive() and self.output().count("look at it") >= max(before, 1), 20, "the master")
            eventually(lambda: root(self, "GET", "/rondo/v1/health").status == 200, 10, "an answer of the master")
        return self

    def output(self):
        try:
            with open(self.output_path, errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def log(self):
        """What the node has logged in its directory, beside what it printed."""
        try:
            return self.read("node.log").decode("utf-8", "replace")
        except FileNotFoundError:
            return ""

    def alive(self):
        """True, or the test has failed with the daemon's last words."""
        if self.process.poll() is not None:
            words = "\n      ".join(self.output().splitlines()[-12:])
            check(False, self.name, "ended with", self.process.returncode, "\n      " + words)
        return True

    def ended(self, seconds):
        """Waits for the end of the process; returns its code."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            words = "\n      ".join(self.output().splitlines()[-6:])
            check(False, self.name, "goes on after %d s" % seconds, "\n      " + words)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.kill()
                check(False, self.name, "did not end within 15 s of SIGTERM")

    def join_token(self):
        """The token of the line that `cluster init` printed last."""
        return JOIN_LINE.findall(self.output())[-1][1]

    def id(self):
        """The node's id: the beginning of the hash of its key, as its certificate says."""
        text = openssl("x509", "-noout", "-subject", "-in", self.file("node.crt"))
        return text.split("CN = ")[1].split(",")[0].strip()

    def serial(self):
        return openssl("x509", "-noout", "-serial", "-in", self.file("node.crt")).strip()


def agents(master, only_active=True):
    """Mesos' ids of a master's agents."""
    slaves = root(master, "GET", "/slaves").json["slaves"]
    return {each["id"] for each in slaves if each["active"] or not only_active}


def add_agent(name, master, at, **more):
    """A new agent with a fresh token, waited for."""
    known = agents(master)
    node = Node(name, at, master, **more)
    node.start(make_token(master)["token"])
    eventually(lambda: node.alive() and len(agents(master) - known) == 1, 15, name + " among the agents")
    node.agent_id = (agents(master) - known).pop()
    return node


def make_token(master, **wanted):
    answer = root(master, "POST", "/rondo/v1/tokens", wanted)
    equal(answer.status, 201, "status of POST tokens %s" % answer.text[:200])
    return answer.json


def member(master, node_id):
    """What the master knows of a node by the id of its key; None for nobody."""
    members = root(master, "GET", "/rondo/v1/members").json["members"]
    return next((each for each in members if each["id"] == node_id), None)


# Programs


def run(*command, seconds=20, machine=None):
    """Runs a command to its end."""
    command = [str(each) for each in command]
    return subprocess.run(
        command if machine is None else world.network.inside(machine, command),
        timeout=seconds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def openssl(*arguments, data=None):
    result = subprocess.run(
        ["openssl"] + [str(each) for each in arguments],
        input=data,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=20,
    )
    check(result.returncode == 0, "openssl", " ".join(map(str, arguments)), "failed:", result.stderr[-300:])
    return result.stdout if data is not None else result.stdout.decode()


def join_refused(master_address, token, words, data=None, seconds=20, options=()):
    """Joins as a new node, which must be refused with these words, and leave nothing. Returns what was said."""
    world.refused += 1
    data = data or world.path("refused%d" % world.refused)
    existed = os.path.exists(data)
    command = [world.rondo, "cluster", "join", master_address, "--token", token, "--data", data]
    try:
        result = run(*command, "--advertise", "127.0.0.9", *options, seconds=seconds)
    except subprocess.TimeoutExpired as late:
        check(False, "no refusal with '%s' within %d s:" % (words, seconds), (late.stdout or b"")[-300:])
    said = result.stderr.strip()
    check(result.returncode not in (0,) + TRAPS, "exit is", result.returncode, said[-300:])
    check(any(word in said for word in words.split("|")), "'%s' is not in: %s" % (words, said[-400:]))
    if not existed:
        check(not os.path.exists(data), "a refused node leaves", os.listdir(data) if os.path.isdir(data) else data)
    return said


# Requests


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path, timeout):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


def context(authority, certificate=None):
    """A TLS context that trusts an authority's file and shows a certificate, (file, file of the key)."""
    made = ssl.create_default_context(cafile=authority)
    if certificate:
        made.load_cert_chain(*certificate)
    return made


def ask(node, method, path, body=None, shows=None, how="tls", source=None, headers=None, tls=None, at=None):
    """One request: over TLS trusting the node's authority, `plain`, or its unix socket. `shows` is the Authorization
    header, `source` the address it comes from, `tls` another context, `at` another address of the node."""
    headers = dict(headers or {})
    if isinstance(body, (dict, list)):
        body = json.dumps(body).encode()
        headers.setdefault("Content-Type", JSON)
    if shows:
        headers["Authorization"] = shows
    bound = (source, 0) if source else None
    if how == "socket":
        connection = SocketConnection(node.file("rondo.sock"), 20)
    elif how == "plain":
        host, port = node.plain.split(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=world.patience, source_address=bound)
    else:
        if tls is None:
            key = node.read("authority.crt")
            tls = world.contexts.setdefault(key, None) or context(node.file("authority.crt"))
            world.contexts[key] = tls
        connection = http.client.HTTPSConnection(
            at or node.at, node.port, timeout=world.patience, context=tls, source_address=bound
        )
    try:
        connection.request(method, path, body=body, headers=headers)
        answer = connection.getresponse()
        return Response(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())
    except http.client.HTTPException as error:
        raise WireError("%s %s: %r" % (method, path, error))
    finally:
        connection.close()


def root(node, method, path, body=None):
    """A request with the administrator's credential."""
    return ask(node, method, path, body, shows="token=" + node.secret())


def refused_handshake(node, tls):
    """Connects with a context, which the node must refuse before it answers anything. Returns the reason TLS gives."""
    try:
        answer = ask(node, "GET", "/version", tls=tls)
    except (ssl.SSLError, ConnectionError, WireError) as error:
        return repr(error)
    check(False, "the connection was taken and answered", repr(answer))
