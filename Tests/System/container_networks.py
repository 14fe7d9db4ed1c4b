"""Networks and names of tasks' containers as people use them: a node and a client on machines of their own, images of
busybox, published ports, names; the agent killed in the middle, everything gone in the end.

    python3 Tests/System/container_networks.py path/to/rondo [WORD ...]

Needs root, iproute2, nft and busybox-static: the machines are network namespaces.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import Footprint  # noqa: E402
from harness import TESTS, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from machines import PORT, init_command, leave_command  # noqa: E402
from netns import Network, ip, links  # noqa: E402
from resolver import SRV, World, ask  # noqa: E402
from wire import get_json, secure  # noqa: E402

HOST6, CLIENT6 = "fd77::1", "fd77::2"
PAGE = "served by a container\n"


class Node:
    """The machine with the node, and what runs on it."""

    def __init__(self, rondo):
        self.rondo = os.path.abspath(rondo)
        self.network = Network(2)
        self.footprint = Footprint(self.rondo)
        self.directory = tempfile.mkdtemp(prefix="container-networks-", dir="/var/tmp")
        os.chmod(self.directory, 0o755)
        self.data = os.path.join(self.directory, "node")
        self.address, self.client = self.network.address(1), self.network.address(2)
        self.master = "%s:%d" % (self.address, PORT)
        self.process, self.runs = None, []
        secure(self.master, os.path.join(self.data, "authority.crt"), os.path.join(self.data, "administrator"))

    def create(self):
        self.network.create()
        for number, address in ((1, HOST6), (2, CLIENT6)):
            ip("-n", self.network.names[number - 1], "address", "add", address + "/64", "dev", "eth0", "nodad")
        self.network.enter_hub()
        self.dns = World("10.77.0.254")
        self.resolvers = os.path.join(self.directory, "resolv.conf")
        with open(self.resolvers, "w") as file:
            file.write("nameserver 10.77.0.254\nsearch example.test\n")
        root = os.path.join(self.directory, "root")
        for name in ("bin", "etc", "www", "tmp"):
            os.makedirs(os.path.join(root, name))
        shutil.copy(shutil.which("busybox"), os.path.join(root, "bin"))
        subprocess.run([os.path.join(root, "bin/busybox"), "--install", "-s", os.path.join(root, "bin")], check=False)
        for name in os.listdir(os.path.join(root, "bin")):
            path = os.path.join(root, "bin", name)
            if os.path.islink(path):
                os.unlink(path)
                os.symlink("busybox", path)
        with open(os.path.join(root, "www/index.html"), "w") as file:
            file.write(PAGE)
        self.root = root

    def command(self, words):
        """On the node's machine, with its resolvers."""
        script = 'mount --make-rprivate / && mount --bind "%s" /etc/resolv.conf && exec "$@"' % self.resolvers
        return self.network.inside(1, ["unshare", "-m", "sh", "-c", script, "sh"] + words)

    def start(self):
        words = init_command(self.rondo, self.address, self.data)
        words += ["--resources", "cpus:8;mem:4096;disk:4096;ports:[8000-8999]"]
        with open(os.path.join(self.directory, "node.log"), "ab") as log:
            self.process = subprocess.Popen(
                self.command(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        eventually(lambda: self.alive() and [
            each for each in get_json(self.master, "/slaves", timeout=3)["slaves"] if each["active"]], 20, "the node")

    def log(self):
        with open(os.path.join(self.directory, "node.log"), errors="replace") as file:
            return file.read()

    def alive(self):
        check(self.process.poll() is None, "the node has ended:", self.log()[-1500:])
        return True

    def kill(self):
        self.process.kill()
        self.process.wait()

    def rondo_run(self, name, options, command, wait=True, expect=0):
        """`rondo run` of the image; what it writes, or a process that goes on."""
        words = [self.rondo, "run", "--data", self.data, "--image", "box:1", "--name", name] + options
        words = self.network.inside(1, words + ["--"] + command)
        if not wait:
            path = os.path.join(self.directory, name + ".log")
            with open(path, "wb") as log:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
            self.runs.append(process)
            return process
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=40)
        equal(done.returncode, expect, "exit of %s (%s %s)" % (name, done.stdout[-800:], done.stderr[-800:]))
        return done.stdout

    def output(self, name):
        with open(os.path.join(self.directory, name + ".log"), errors="replace") as file:
            return file.read()

    def tasks(self, name):
        """Running tasks of a name, as `/state` has them."""
        state = get_json(self.master, "/state")
        return [
            task for framework in state["frameworks"] for task in framework["tasks"]
            if task["name"] == name and task["state"] == "TASK_RUNNING"
        ]

    def running(self, name):
        return eventually(lambda: self.tasks(name), 15, "a running %s (%s)" % (name, self.output(name)[-600:]))[0]

    def addresses(self, name):
        status = self.running(name)["statuses"][-1]["container_status"]
        return [each["ip_address"] for info in status["network_infos"] for each in info["ip_addresses"]]

    def left(self):
        """What of networks is on the machine beyond the bridge."""
        found = links(self.network.names[0])
        lines = ["link " + each for each in found if each not in ("lo", "eth0", "rondo0")]
        table = self.nft("list table inet rondo0", None)
        lines += ["map element " + each for each in re.findall(r"elements = \{[^}]*\}", table)]
        for place in ("network/attachments", "netns"):
            path = os.path.join(self.data, "agent", place)
            lines += ["file %s/%s" % (place, each) for each in os.listdir(path)] if os.path.isdir(path) else []
        return lines

    def nft(self, line, expect=0):
        words = self.network.inside(1, ["nft"] + line.split())
        done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if expect is not None:
            equal(done.returncode, expect, "nft %s (%s)" % (line, done.stdout))
        return done.stdout

    def end(self):
        for process in self.runs + [self.process]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for number in (1, 2):
            for pid in self.network.processes(number):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        places = os.path.join(self.data, "agent/netns")
        for name in os.listdir(places) if os.path.isdir(places) else []:
            subprocess.run(["umount", "-l", os.path.join(places, name)], stderr=subprocess.DEVNULL)
        self.dns.stop()
        self.network.delete()
        if os.environ.get("KEEP"):
            print("      kept: %s" % self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def fetch(machine, place, expect=0):
    """A page, by curl on a machine."""
    words = node.network.inside(machine, ["curl", "-sS", "-g", "--max-time", "4", "http://%s/" % place])
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=20)
    if expect == 0:
        check(done.returncode == 0, "curl %s: %s" % (place, done.stderr))
    else:
        check(done.returncode != 0, "curl %s has an answer: %s" % (place, done.stdout))
    return done.stdout


def everyone(port):
    """The page, from the client and from the node itself, over both families."""
    for machine, place in ((2, node.address), (2, "[%s]" % HOST6), (1, node.address), (1, "127.0.0.1")):
        equal(fetch(machine, "%s:%d" % (place, port)), PAGE, "the page at %s:%d from machine %d" % (place, port, machine))


@test
def formation():
    """a node with an image from a directory"""
    node.settings = sysctls()
    node.start()
    words = [node.rondo, "image", "build-from-rootfs", node.root, "--as", "box:1", "--data", node.data]
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    equal(done.returncode, 0, "rondo image build-from-rootfs (%s)" % done.stdout)
    equal(node.left(), [], "what networks leave before there is one")


def sysctls():
    words = node.network.inside(1, ["sysctl", "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"])
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


@test
def a_published_port():
    """a published port of a container answers clients, the node and 127.0.0.1, over IPv4 and IPv6"""
    node.web = node.rondo_run("web", ["--publish", "8080:80"], ["httpd", "-f", "-vv", "-p", "80", "-h", "/www"], False)
    node.running("web")
    eventually(lambda: fetch(2, node.address + ":8080"), 5, "the first page")
    everyone(8080)
    seen = eventually(lambda: re.findall(r"\[?(?:::ffff:)?(10\.77\.0\.2)\]?:\d+", node.output("web")), 5,
                      "the client's own address in the server's log (%s)" % node.output("web")[-400:])
    check(seen, "the client's address")


@test
def what_is_told():
    """updates carry the container's own addresses, and names lead to them"""
    own = node.addresses("web")
    equal(len(own), 2, "addresses of the container %s" % own)
    check(node.address not in own, "the node's address is told:", own)
    listed = get_json(node.master, "/mesos_dns/v1/hosts/web.rondo")
    equal({each["ip"] for each in listed}, set(own), "web.rondo over HTTP")
    code, found = ask(node.network.names[0], "127.82.111.1", "_web._tcp.runweb.mesos", SRV)
    equal((code, [port for _, port in found]), (0, [80]), "the port of web")
    code, found = ask(node.network.names[0], "127.82.111.1", "_web._tcp.runweb.slave.mesos", SRV)
    equal((code, [port for _, port in found]), (0, [8080]), "the port of web on its node")


@test
def from_inside():
    """a container finds others by name and by the published port, itself too, and the world by the node's resolvers"""
    script = (
        "cat /etc/resolv.conf; hostname; wget -qO- http://web.rondo/ && wget -qO- http://web.runweb.mesos/ && "
        "wget -qO- http://%s:8080/ && nslookup leader.mesos && nslookup www.example.test" % node.address
    )
    out = node.rondo_run("look", ["--network", "bridge"], ["sh", "-c", script])
    equal(out.count(PAGE), 3, "pages in %r" % out)
    check(node.address in out, "leader.mesos is not in", out)
    check(World.ADDRESS in out, "www.example.test is not in", out)
    check("search example.test" in out and "10.77.0.254" not in out.split("search")[0], "resolv.conf:", out)
    script = "httpd -p 80 -h /www; wget -qO- http://%s:8081/" % node.address
    out = node.rondo_run("self", ["--publish", "8081:80"], ["sh", "-c", script])
    equal(out, PAGE, "what a container says to itself over its published port")
    out = node.rondo_run("onhost", [], ["sh", "-c", "wget -qO- http://web.rondo/"])
    equal(out, PAGE, "what a container with the node's network finds by name")


@test
def others_interfere():
    """rules that others flush and a bridge that they remove while the agent runs are there again after seconds"""
    own = node.addresses("web")
    for what, destroy in (
        ("rules", lambda: node.nft("flush ruleset")),
        ("bridge", lambda: ip("-n", node.network.names[0], "link", "delete", "rondo0")),
    ):
        began = time.monotonic()
        destroy()
        eventually(lambda: fetch(2, node.address + ":8080"), 30, "the page again without the " + what)
        print("      the %s are there again after %.1f s" % (what, time.monotonic() - began))
        everyone(8080)
    equal(node.addresses("web"), own, "the container's addresses")
    check("is put right" in node.log(), "the log does not speak of it:", node.log()[-800:])
    out = node.rondo_run("afterwards", ["--network", "bridge"], ["wget", "-qO-", "http://web.rondo/"])
    equal(out, PAGE, "what a new container finds by name")


@test
def the_agent_dies():
    """a killed agent takes nothing from containers, and what was removed meanwhile is there again when it is back"""
    own = node.addresses("web")
    node.kill()
    everyone(8080)
    ip("-n", node.network.names[0], "link", "delete", "rondo0")
    node.nft("flush ruleset")
    fetch(2, node.address + ":8080", expect=1)
    node.start()
    eventually(lambda: fetch(2, node.address + ":8080"), 10, "the page again")
    everyone(8080)
    listed = eventually(
        lambda: {each["ip"] for each in get_json(node.master, "/mesos_dns/v1/hosts/web.rondo")} - {""}, 5, "web.rondo")
    equal(listed, set(own), "the container's addresses")
    out = node.rondo_run("again", ["--network", "bridge"], ["wget", "-qO-", "http://web.rondo/"])
    equal(out, PAGE, "what a new container finds by name")


@test
def a_container_dies():
    """a killed container's port is closed at once and can be had by the next"""
    pids = [
        pid for pid in map(int, subprocess.run(
            ["pgrep", "-f", "httpd -f -vv -p 80"], stdout=subprocess.PIPE, text=True).stdout.split())
        if inhabits(pid)
    ]
    check(pids, "no process of the container was found")
    kill_all(pids)
    eventually(lambda: node.web.poll() is not None, 10, "the end of web")
    fetch(2, node.address + ":8080", expect=1)
    equal(node.left(), [], "what is left of its network")
    for _ in range(3):
        node.rondo_run("short", ["--publish", "8080:80"], ["true"])
    equal(node.left(), [], "what is left of short ones")


def kill_all(pids):
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # Gone with the one before.


CLIENT = """
import socket, sys, time
began = time.monotonic()
try:
    socket.create_connection((sys.argv[1], 8082), 25)
    print("connected", flush=True)
except OSError as error:
    print(type(error).__name__, time.monotonic() - began, flush=True)
"""


@test
def a_connection_to_what_goes_away():
    """a client that knocks while the container goes away is told so, and is not kept waiting"""
    process = node.rondo_run("sink", ["--publish", "8082:80"], ["sh", "-c", "exec nc -l -p 80 >/dev/null"], False)
    other = node.rondo_run("other", ["--network", "bridge"], ["sleep", "1000"], False)
    node.running("sink")
    node.running("other")
    # No answer comes out of the container, as when its side of the network is gone already.
    for line in ("add table inet mute", "add chain inet mute in { type filter hook prerouting priority -300 ; }",
                 "add rule inet mute in tcp sport 80 drop"):
        node.nft(line)
    client = subprocess.Popen(
        node.network.inside(2, [sys.executable, "-c", CLIENT, node.address]), stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        kill_all(inhabitants("^nc -l -p 80"))
        eventually(lambda: process.poll() is not None, 20, "the end of sink")
        eventually(lambda: len(node.left()) < 4, 20, "the end of its network")
        node.nft("delete table inet mute")
        words = client.stdout.readline().split()
        equal(words[0], "ConnectionRefusedError", "what the client is told (%s)" % words)
        print("      the client was told after %.1f s" % float(words[1]))
    finally:
        client.kill()
        client.communicate()
        kill_all(inhabitants("^sleep 1000"))
        other.wait(20)


def inhabitants(pattern):
    """Processes of containers that are on this run's networks, by their command line."""
    done = subprocess.run(["pgrep", "-f", pattern], stdout=subprocess.PIPE, text=True)
    return [pid for pid in map(int, done.stdout.split()) if inhabits(pid)]


def inhabits(pid):
    """Whether a process is in a namespace that this run's agent has made."""
    places = os.path.join(node.data, "agent/netns")
    try:
        own = os.stat("/proc/%d/ns/net" % pid).st_ino
    except OSError:
        return False
    # Seen from the node's table of mounts; the file is the namespace there.
    root = "/proc/%d/root" % node.process.pid
    return own in {os.stat(root + os.path.join(places, name)).st_ino for name in os.listdir(root + places)}


@test
def refusals():
    """a port that a process of the node listens on, and a network that there is not, are refused with the reason"""
    server = subprocess.Popen(
        node.network.inside(1, ["busybox", "nc", "-l", "-p", "8090"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        time.sleep(0.3)
        node.rondo_run("taken", ["--publish", "8090:80"], ["true"], False).wait(20)
        check("listens on it" in node.output("taken"), "the reason is not told:", node.output("taken"))
    finally:
        server.kill()
        server.wait()
        server.stdin.close()
        server.stdout.close()
    node.rondo_run("named", ["--network", "there-is-none"], ["true"], False).wait(20)
    check("there-is-none" in node.output("named"), "the reason is not told:", node.output("named"))
    equal(node.left(), [], "what is left of refused ones")


@test
def ended_while_away():
    """a container that ends while the agent is away leaves nothing when it is back"""
    node.rondo_run("brief", ["--publish", "8080:80"], ["sleep", "3"], False)
    node.running("brief")
    node.kill()
    time.sleep(3.5)
    node.start()
    eventually(lambda: node.left() == [], 10, "nothing left of the ended container")


@test
def the_end():
    """leaving with --purge removes the bridge, the rules and the files, and puts the kernel's settings back"""
    words = node.network.inside(1, leave_command(node.rondo, node.data))
    done = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=40)
    equal(done.returncode, 0, "rondo cluster leave --purge (%s)" % done.stdout)
    equal(sorted(links(node.network.names[0])), ["eth0", "lo"], "interfaces")
    check("rondo" not in node.nft("list ruleset"), "rules are left:", node.nft("list ruleset"))
    equal(sysctls(), node.settings, "settings of the kernel")
    equal(os.listdir(node.data) if os.path.isdir(node.data) else [], [], "files of the node")
    left = [each for each in node.footprint.left(kinds={"cgroup", "mount", "process"}) if "/run/netns" not in each]
    equal(left, [], "what is left on the machine")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    node = Node(sys.argv[1])
    at_end(node.end)
    try:
        node.create()
        result = run_tests(TESTS, sys.argv[2:], 60)
    except BaseException:
        node.end()
        raise
    finish(*result)
