"""Three machines on one cable lose all their addresses at once and get others, with workloads running: the cluster is
healthy again within a minute, with no command, no new node certificate and no task restarted.

    python3 Tests/System/addresses.py path/to/rondo [WORD ...]

Needs root and iproute2. There is no default route, no DNS and nothing else on the cable. Each test goes on from the
addresses that the one before has left.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import marked  # noqa: E402
from harness import TESTS, Failed, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from netns import Network, ip  # noqa: E402

COUNT = 3
PORT = 5050
# From the change of addresses until all is well.
HEALTHY = 60
# How a node that takes part is listed.
GOOD = ("connected", "active")
# Files of a node's data directory that hold its own certificate; the one for browsers is reissued and not meant.
CERTIFICATES = ("node.crt",)

# The command lines, all in one place.


def init_command(data):
    return ["cluster", "init", "--data", data]


def join_command(master, token, data):
    return ["cluster", "join", master, "--token", token, "--data", data]


def start_command(number, data):
    """How a node that is in a cluster is started again."""
    return ["cluster", "init" if number == 1 else "join", "--data", data]


JOIN_LINE = re.compile(r"cluster join (\S+:\d+)\b.*--token[ =](\S+)")


class Node:
    def __init__(self, number):
        self.number = number
        self.data = os.path.join(work, "node%d" % number)
        self.log = os.path.join(work, "node%d.log" % number)
        self.process = None

    def command(self, words):
        return network.inside(self.number, [rondo, *words])

    def start(self, words):
        with open(self.log, "ab") as log:
            quiet = {"stdin": subprocess.DEVNULL, "stdout": log, "stderr": log, "start_new_session": True}
            self.process = subprocess.Popen(self.command(words), **quiet)

    def run(self, *words, timeout=30):
        """A command on this machine, by its node's socket: no address in it."""
        place = words.index("--") if "--" in words else len(words)
        words = [*words[:place], "--data", self.data, *words[place:]]
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        try:
            return subprocess.run(self.command(words), text=True, timeout=timeout, **quiet)
        except subprocess.TimeoutExpired:
            raise Failed("no end of rondo %s after %d s" % (" ".join(words), timeout))

    def output(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def certificates(self):
        found = {}
        for name in CERTIFICATES:
            path = os.path.join(self.data, name)
            # A master may keep none: it has the authority itself.
            check(os.path.exists(path) or self.number == 1, path, "is not there")
            if os.path.exists(path):
                with open(path, "rb") as file:
                    found[name] = hashlib.sha256(file.read()).hexdigest()
        return found

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(15)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def status():
    result = nodes[0].run("cluster", "status", "--output", "json", timeout=10)
    check(result.returncode == 0, "cluster status ended with", result.returncode, result.stderr[-300:])
    return json.loads(result.stdout)


def listed():
    """Nodes by their addresses, as the first machine's node has them."""
    return {each["address"]: each["state"] for each in status()["nodes"]}


def healthy():
    """All machines take part and do new work."""
    for each in nodes:
        check(each.process.poll() is None, "node", each.number, "ended:", each.output()[-300:])
    now = listed()
    check(len(now) == COUNT and set(now.values()) <= set(GOOD), "nodes are listed as", now)
    result = nodes[0].run("run", "--instances", str(2 * COUNT), "--timeout", "20s", "--", "sh", "-c", "echo ok")
    equal((result.returncode, result.stdout.count("ok")), (0, 2 * COUNT), "new work (%s)" % result.stderr[-300:])
    return True


def known(addresses):
    """Machines are listed at the addresses that they have."""
    equal(sorted(listed()), sorted(addresses), "addresses of nodes")
    equal(status()["cluster"]["leader"]["address"], addresses[0], "the master's own address")
    return True


class Workload:
    """Tasks on all machines that write down every fifth of a second that they live."""

    def __init__(self):
        self.marker = "marker-%s" % os.urandom(4).hex()
        self.folder = tempfile.mkdtemp(prefix="ticks-", dir=work)
        os.chmod(self.folder, 0o777)
        line = "export MARKER=%s; while :; do date +%%s >>%s/$RONDO_INSTANCE; sleep 0.2; done"
        words = ["run", "--data", nodes[0].data, "--instances", str(2 * COUNT), "--cpus", "0.05", "--mem", "16"]
        words += ["--", "sh", "-c", line % (self.marker, self.folder)]
        with open(os.path.join(work, "workload.log"), "ab") as log:
            self.command = subprocess.Popen(nodes[0].command(words), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: len(os.listdir(self.folder)) == 2 * COUNT, 20, "running tasks")
        self.shells = self.running()
        equal(len(self.shells), 2 * COUNT, "processes of tasks")

    def running(self):
        """The tasks' shells; what they fork for a moment looks like them."""
        looks = []
        for _ in range(4):
            looks.append({pid for pid, line in marked(self.marker).items() if line.startswith("sh ")})
            time.sleep(0.1)
        return set.intersection(*looks)

    def expect_undisturbed(self):
        equal(self.running(), self.shells, "the tasks' processes")
        for name in os.listdir(self.folder):
            path = os.path.join(self.folder, name)
            check(time.time() - os.stat(path).st_mtime < 2, "task", name, "stands still")
            with open(path) as file:
                ticks = [int(each) for each in file.read().split()]
            gaps = [after - before for before, after in zip(ticks, ticks[1:])]
            check(max(gaps, default=0) <= 3, "task", name, "stood still for", max(gaps), "s")
        check(self.command.poll() is None, "the command that runs them has ended")

    def end(self):
        self.command.send_signal(signal.SIGINT)
        try:
            self.command.wait(20)
        except subprocess.TimeoutExpired:
            self.command.kill()
            self.command.wait()


def change(addresses, hardware=None):
    """Takes all addresses from all machines and gives them these, at once. `hardware` replaces that address too."""
    batches = []
    for number, address in enumerate(addresses, 1):
        lines = ["address flush dev eth0 scope global"]
        if hardware is not None:
            # The link-local address of version 6 comes from it, and goes with it.
            lines += ["link set eth0 down", "link set eth0 address 02:00:00:00:%02x:%02x" % (hardware, number)]
            lines += ["link set eth0 up"]
        lines += ["address add %s/24 dev eth0" % address]
        words = ["ip", "-n", network.names[number - 1], "-batch", "-"]
        batches.append((subprocess.Popen(words, stdin=subprocess.PIPE, text=True), "\n".join(lines) + "\n"))
    for process, text in batches:
        process.stdin.write(text)
        process.stdin.close()
    for process, _ in batches:
        equal(process.wait(5), 0, "exit of ip")


def survive(addresses, act):
    """With workloads running, `act` changes the network; afterwards all is as it should be."""
    workload = Workload()
    try:
        certificates = [each.certificates() for each in nodes]
        began = time.monotonic()
        act()
        eventually(healthy, HEALTHY, "a healthy cluster", pause=0.5)
        print("      healthy after %.1f s" % (time.monotonic() - began))
        workload.expect_undisturbed()
        eventually(lambda: known(addresses), 5, "a list of nodes with their addresses")
        equal([each.certificates() for each in nodes], certificates, "the nodes' certificates")
    finally:
        workload.end()


def subnet(prefix):
    return ["%s.%d" % (prefix, 10 + number) for number in range(1, COUNT + 1)]


@test
def formed():
    """three machines without a default route and without DNS form a cluster"""
    first = nodes[0]
    first.start(init_command(first.data))
    line = eventually(lambda: JOIN_LINE.search(first.output()), 20, "a join line")
    for each in nodes[1:]:
        each.start(join_command(line.group(1), line.group(2), each.data))
    addresses = [network.address(number) for number in range(1, COUNT + 1)]
    eventually(healthy, 30, "a healthy cluster", pause=0.5)
    known(addresses)


@test
def other_addresses():
    """all addresses of version 4 are replaced at once"""
    addresses = subnet("10.78.0")
    survive(addresses, lambda: change(addresses))


@test
def other_hardware():
    """all addresses of both versions, and those of the hardware, are replaced at once"""
    addresses = subnet("10.79.0")
    survive(addresses, lambda: change(addresses, hardware=1))


@test
def exchanged():
    """machines that get each other's addresses are not taken for each other"""
    addresses = subnet("10.79.0")
    addresses = addresses[1:] + addresses[:1]
    survive(addresses, lambda: change(addresses, hardware=2))


@test
def version_four_alone():
    """all addresses are replaced where there is no version 6"""
    for number in range(1, COUNT + 1):
        path = "/proc/sys/net/ipv6/conf/all/disable_ipv6"
        words = network.inside(number, ["sh", "-c", "echo 1 >" + path])
        if subprocess.run(words, stderr=subprocess.DEVNULL).returncode != 0:
            raise Skipped("version 6 cannot be switched off here")
    addresses = subnet("10.80.0")
    survive(addresses, lambda: change(addresses))


@test
def twice():
    """addresses that are replaced again before all have heard of the first change"""
    addresses = subnet("10.82.0")

    def act():
        change(subnet("10.81.0"))
        time.sleep(2)
        change(addresses)

    survive(addresses, act)


@test
def while_off():
    """machines that were off while all their addresses changed find each other when they start"""
    for each in nodes:
        each.stop()
    addresses = subnet("10.83.0")
    change(addresses, hardware=3)
    certificates = [each.certificates() for each in nodes]
    for each in reversed(nodes):
        each.start(start_command(each.number, each.data))
    eventually(healthy, HEALTHY, "a healthy cluster", pause=0.5)
    eventually(lambda: known(addresses), 5, "a list of nodes with their addresses")
    equal([each.certificates() for each in nodes], certificates, "the nodes' certificates")


def end():
    for each in reversed(nodes):
        if each.process is not None and each.process.poll() is None:
            try:
                each.run("cluster", "leave", "--purge", "--force", timeout=20)
                each.process.wait(10)
            except (subprocess.TimeoutExpired, Failed):
                each.process.kill()
                each.process.wait()
    for number in range(1, COUNT + 1):
        for pid in network.processes(number):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
    network.delete()
    if os.environ.get("KEEP"):
        print("      kept: %s" % work)
    else:
        shutil.rmtree(work, ignore_errors=True)


def main():
    global rondo, network, nodes, work
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: addresses.py path/to/rondo [WORD ...]")
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nsenter"):
        sys.exit("network namespaces need root, iproute2 and nsenter (util-linux)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rondo = os.path.abspath(sys.argv[1])
    work = tempfile.mkdtemp(prefix="rondo-addresses-", dir="/var/tmp")
    os.chmod(work, 0o711)
    network = Network(COUNT)
    nodes = [Node(number) for number in range(1, COUNT + 1)]
    at_end(end)
    network.create()
    # The hub is the cable; nobody else is on it.
    ip("-n", network.hub, "address", "flush", "dev", "bridge")
    # Formation is what everything else stands on.
    words = sys.argv[2:] + (["form a cluster"] if sys.argv[2:] else [])
    finish(*run_tests(TESTS, words, limit=2 * HEALTHY))


if __name__ == "__main__":
    main()
