"""Nodes that are hard to reach: behind a pulled cable, behind address translation, and copied to a second machine.

    python3 Tests/System/reach.py path/to/rondo [WORD ...]

Needs root, iproute2, nft and openssl. A master, two agents, a router with a machine behind it, and a spare machine, each
a network namespace. The master waits a minute for silent agents, so that whatever is noticed sooner was noticed by
gossip.
"""

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

from harness import TESTS, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from machines import JOIN_LINE  # noqa: E402
from mesos_client import Scheduler, command_task  # noqa: E402
from netns import Network, ip  # noqa: E402
from wire import get_json, secure  # noqa: E402

PORT = 5050
# What the master waits for a silent agent.
SILENCE = 60
MASTER, FIRST, SECOND, ROUTER, SPARE = 1, 2, 3, 4, 5
INNER = "192.168.77.%d"


class Node:
    """One daemon with its data directory, on a machine by its number or in a namespace by its name."""

    def __init__(self, name, machine, data=None):
        self.name, self.machine = name, machine
        self.data = data or os.path.join(work, name)
        self.printed = os.path.join(work, name + ".out")
        self.process = None
        nodes.append(self)

    def inside(self, words):
        if isinstance(self.machine, int):
            return network.inside(self.machine, words)
        return ["nsenter", "--net=/run/netns/" + self.machine, "--"] + words

    def start(self, *words):
        words = [rondo, "cluster", *words, "--data", self.data, "--hostname", self.name, "--log-level", "info"]
        with open(self.printed, "ab") as output:
            quiet = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": output, "start_new_session": True}
            self.process = subprocess.Popen(self.inside(words), **quiet)
        return self

    def join(self, *words):
        return self.start("join", master_address, "--token", token(), *words)

    def output(self):
        """What it printed, logs from info on among it."""
        with open(self.printed, errors="replace") as file:
            return file.read()

    def alive(self):
        check(self.process.poll() is None, self.name, "ended:", self.output()[-400:])
        return True

    def kill(self):
        self.process.kill()
        self.process.wait()

    def kept(self):
        with open(os.path.join(self.data, "node.json")) as file:
            return json.load(file)

    def registrations(self):
        return self.output().count("registered as")

    def copy(self, name):
        """What a careless administrator makes of its data directory."""
        target = os.path.join(work, name)
        shutil.copytree(self.data, target, ignore=lambda _, names: [each for each in names if each.endswith(".sock")])
        return target


def token():
    return JOIN_LINE.findall(master.output())[-1][1]


def slaves():
    return {each["hostname"]: each for each in get_json(master_address, "/slaves", timeout=3)["slaves"]}


def is_active(node):
    return node.alive() and slaves().get(node.name, {}).get("active")


def agent_id(node):
    return slaves()[node.name]["id"]


def start_task(one, node, name, command="sleep 1000"):
    """Starts a task on one agent and waits until it runs."""
    wanted = agent_id(node)

    def fitting(offers):
        return [each for each in offers if each["agent_id"]["value"] == wanted]

    offer = fitting(one.wait_offers(wanted=fitting))[0]
    one.launch([offer], [command_task(name, wanted, command)])
    one.wait_state(name, "TASK_RUNNING")


def cable(number, state):
    ip("-n", network.hub, "link", "set", "port%d" % number, state)


def nft(machine, script):
    words = ["nsenter", "--net=/run/netns/" + machine, "--", "nft", "-f", "-"]
    result = subprocess.run(words, input=script, text=True, stderr=subprocess.PIPE, timeout=10)
    if result.returncode != 0:
        raise Skipped("nft: " + result.stderr.strip().splitlines()[0])


def lines(node, *words):
    return [each for each in node.output().splitlines() if all(word in each for word in words)]


@test
def formed():
    """a master and two agents form a cluster"""
    master.start("init", "--role", "master", "--unreachable-after", "%ds" % SILENCE)
    eventually(lambda: master.alive() and JOIN_LINE.search(master.output()), 20, "the line to join with")
    for each in (first, second):
        each.join()
    eventually(lambda: is_active(first) and is_active(second), 20, "two active agents")
    equal([each.kept().get("foundBehindNAT") for each in (first, second)], [False, False], "behind NAT")


@test
def behind_nat():
    """a machine behind address translation finds that out, joins, works, and is read through the master"""
    router = network.names[ROUTER - 1]
    ip("netns", "add", inner)
    ip("-n", inner, "link", "set", "lo", "up")
    ip("-n", router, "link", "add", "inner", "type", "veth", "peer", "name", "eth0", "netns", inner)
    ip("-n", router, "address", "add", INNER % 1 + "/24", "dev", "inner")
    ip("-n", router, "link", "set", "inner", "up")
    ip("-n", inner, "address", "add", INNER % 2 + "/24", "dev", "eth0")
    ip("-n", inner, "link", "set", "eth0", "up")
    ip("-n", inner, "route", "add", "default", "via", INNER % 1)
    subprocess.run(network.inside(ROUTER, ["sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward"]), check=True)
    nft(
        router,
        "table ip nat {\nchain out {\ntype nat hook postrouting priority 100;\noifname eth0 masquerade\n}\n}\n"
        "table ip closed {\nchain in {\ntype filter hook forward priority 0;\niifname eth0 ct state new drop\n}\n}\n",
    )
    hidden.join()
    eventually(lambda: is_active(hidden), 20, "the hidden agent")
    said = hidden.output()
    check("sees this machine at " + network.address(ROUTER) in said, "it says:", said[-400:])
    equal(hidden.kept().get("foundBehindNAT"), True, "behind NAT")
    with Scheduler(master_address, "hider", failover_timeout=60.0) as one:
        start_task(one, hidden, "hidden-task", "echo out of the hidden; sleep 1000")
        words = ["task", "log", "hidden-task", "--data", master.data]
        eventually(lambda: "out of the hidden" in run(master, *words), 10, "output of its task")
        # A restart keeps it, and what its operator says counts more.
        for more, wanted in ((("--behind-nat",), True), ((), True), (("--no-behind-nat",), False)):
            before = hidden.registrations()
            hidden.kill()
            hidden.start("join", *more)
            eventually(lambda: hidden.registrations() > before and is_active(hidden), 20, "the agent that is back")
            equal(hidden.kept().get("behindNAT"), wanted, "what is kept after " + " ".join(more))
        hidden.kill()
        hidden.start("join", "--behind-nat")
        eventually(lambda: is_active(hidden), 20, "the agent that is back")
        equal(one.statuses("hidden-task")[-1]["state"], "TASK_RUNNING", "the task's state")
    hidden.id = agent_id(hidden)
    hidden.seen = len(master.output())
    time.sleep(1)
    hidden.kill()
    hidden.silent = time.monotonic()


def run(node, *words):
    result = subprocess.run(
        node.inside([rondo, *words]), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, timeout=20,
    )
    return result.stdout


@test
def pulled_cable():
    """an agent behind a pulled cable gets no offers as soon as gossip misses it, and goes on when it is back"""
    with Scheduler(master_address, "puller", failover_timeout=60.0) as one:
        start_task(one, first, "stays")
        told = len(one.statuses("stays"))
        before = first.registrations()
        cable(FIRST, "down")
        try:
            began = time.monotonic()
            eventually(lambda: not slaves()[first.name]["active"], SILENCE / 2, "an agent that is not active")
            print("      noticed after %.1f s, of the %d s that the master waits" % (time.monotonic() - began, SILENCE))
            check(lines(master, "does not answer within", agent_id(first)), "the master does not say so")
            equal(len(one.statuses("stays")), told, "updates of its task")
        finally:
            cable(FIRST, "up")
        began = time.monotonic()
        eventually(lambda: is_active(first), 40, "the agent that is back")
        print("      back after %.1f s" % (time.monotonic() - began))
        equal(len(one.statuses("stays")), told, "updates of its task")
        check(first.registrations() > before, "no new registration")


@test
def false_alarm():
    """an agent that gossip takes for dead and that answers the master goes on undisturbed"""
    machine, its_id, registrations = network.names[SECOND - 1], agent_id(second), second.registrations()
    seen = len(master.output())
    rules = "".join(
        "chain %s {\ntype filter hook %s priority 0;\nmeta l4proto { tcp, udp } th dport 7946-7947 drop\n"
        "meta l4proto { tcp, udp } th sport 7946-7947 drop\n}\n" % (hook, hook)
        for hook in ("input", "output")
    )
    nft(machine, "table inet cut {\n%s}\n" % rules)
    try:
        eventually(lambda: "gossip: node %s is dead" % its_id in master.output()[seen:], 40, "that gossip gives it up")
        until = time.monotonic() + 5
        while time.monotonic() < until:
            check(is_active(second), "the agent is not active")
            time.sleep(0.2)
    finally:
        nft(machine, "delete table inet cut\n")
    equal(second.registrations(), registrations, "registrations")
    check(not lines(master, "does not answer within", its_id), "the master ended its session")
    eventually(lambda: "gossip: node %s answers again" % its_id in master.output()[seen:], 60, "gossip with it")


@test
def copied():
    """a copied data directory on a second machine is refused, is named once in each log, and disturbs nothing"""
    its_id, data = agent_id(second), second.copy("copy")
    with Scheduler(master_address, "owner", failover_timeout=60.0) as one:
        start_task(one, second, "undisturbed")
        told, registrations = len(one.statuses("undisturbed")), second.registrations()
        seen, before = len(master.output()), slaves()[second.name]
        copy = Node("copy", SPARE, data).start("join")
        eventually(lambda: lines(copy, "another machine runs with this node's key"), 15, "the reason in the copy's log")
        until = time.monotonic() + 15
        while time.monotonic() < until:
            now = slaves()
            check(copy.name not in now, "the copy is listed")
            equal(
                [now[second.name][key] for key in ("id", "pid", "active")],
                [before[key] for key in ("id", "pid", "active")],
                "the agent",
            )
            time.sleep(0.3)
        equal(second.registrations(), registrations, "registrations of the first")
        equal(copy.registrations(), 0, "registrations of the copy")
        equal(len(one.statuses("undisturbed")), told, "updates of the task")
        its_address = "%s at %s" % (second.name, network.address(SECOND))
        equal(len(lines(copy, "another machine", its_address)), 1, "lines in the copy's log")
        where = "%s at %s" % (copy.name, network.address(SPARE))
        equal(len(lines(second, "another machine", where)), 1, "lines in the first one's log")
        equal(len(lines(master, its_id, where, "is refused")), 1, "lines in the master's log")
        flaps = len(re.findall("gossip: node %s is at" % its_id, master.output()[seen:]))
        print("      the copy moved its name %d times" % flaps)
        check(flaps <= 6, "the copy moved its name", flaps, "times")
        check("gossip: node %s is dead" % its_id not in master.output()[seen:], "it was given up")
        # What the copy does in the end is its own business.
        leave = copy.inside([rondo, "cluster", "leave", "--purge", "--data", data])
        result = subprocess.run(leave, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=30)
        equal(result.returncode, 0, "exit of leave: " + result.stdout[-300:])
        check(is_active(second), "the first is gone with the copy")
        # Killed and started at once, the first is there again.
        second.kill()
        second.start("join")
        began = time.monotonic()
        eventually(lambda: second.registrations() > registrations and is_active(second), 10, "the first again")
        print("      after kill -9 it is back after %.1f s" % (time.monotonic() - began))
        equal(len(one.statuses("undisturbed")), told, "updates of the task")


@test
def moved_disk():
    """a node whose disk runs in another machine is let in, since the first does not answer any more"""
    eventually(lambda: not os.listdir(os.path.join(second.data, "agent", "run")), 15, "an agent without tasks")
    data = second.copy("moved")
    cable(SECOND, "down")
    try:
        moved = Node("moved", SPARE, data).start("join")
        began = time.monotonic()
        eventually(lambda: is_active(moved), 15, "the node in its new machine")
        print("      let in after %.1f s" % (time.monotonic() - began))
    finally:
        second.kill()
        cable(SECOND, "up")
    moved.kill()


@test
def silent_client():
    """a silent machine behind address translation is stale and never dead"""
    check(hasattr(hidden, "silent"), "there is none")
    words = "gossip: nothing is heard from node %s" % hidden.id
    eventually(lambda: words in master.output()[hidden.seen:], 85, "that it is stale", pause=0.5)
    print("      stale after %.0f s" % (time.monotonic() - hidden.silent))
    check("gossip: node %s is dead" % hidden.id not in master.output()[hidden.seen:], "it is called dead")


def end():
    for each in nodes:
        if each.process is not None and each.process.poll() is None:
            each.kill()
    for name in network.names + [inner]:
        for pid in network.inhabitants(name):
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
    network.delete()
    if os.path.exists("/run/netns/" + inner):
        ip("netns", "delete", inner, check=False)
    if os.environ.get("KEEP"):
        print("      kept: %s" % work)
    else:
        shutil.rmtree(work, ignore_errors=True)


def main():
    global rondo, network, nodes, work, inner, master_address, master, first, second, hidden
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: reach.py path/to/rondo [WORD ...]")
    if os.geteuid() != 0 or not all(shutil.which(each) for each in ("ip", "nsenter", "nft")):
        sys.exit("network namespaces need root, iproute2, nsenter (util-linux) and nft")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rondo = os.path.abspath(sys.argv[1])
    work = tempfile.mkdtemp(prefix="rondo-reach-", dir="/var/tmp")
    os.chmod(work, 0o711)
    network, nodes = Network(5), []
    inner = network.prefix + "inner"
    at_end(end)
    network.create()
    network.enter_hub()
    master_address = "%s:%d" % (network.address(MASTER), PORT)
    master, first, second = Node("master", MASTER), Node("first", FIRST), Node("second", SECOND)
    hidden = Node("hidden", inner)
    secure(master_address, os.path.join(master.data, "authority.crt"), os.path.join(master.data, "administrator"))
    words = sys.argv[2:] + (["form a cluster"] if sys.argv[2:] else [])
    finish(*run_tests(TESTS, words, limit=120))


if __name__ == "__main__":
    main()
