"""A machine before `rondo cluster init` and after `rondo cluster leave --purge`: nothing may be different.

    python3 Tests/System/purge.py path/to/rondo [WORD ...]

Each case has a machine of its own, thrown away at its end (throwaway.py), with the usual folders /var/lib/rondo and
/run/rondo. A picture holds files with mode, owner and content, links, addresses, routes, rules, firewall, kernel
settings of the network, mounts, control groups, processes and IPC objects. Needs root.
"""

import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import TESTS, Failed, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from throwaway import UNIFIED, Throwaway  # noqa: E402

ADDRESS = "10.77.2.1"
PROGRAM = "/usr/local/bin/rondo"
PYTHON = "/usr/bin/python3"
TAKE = """
import socket, time
taken = socket.create_server(("::", 5050), family=socket.AF_INET6, dualstack_ipv6=True)
print("taken", flush=True)
time.sleep(60)
"""
DATA = "/var/lib/rondo"
CONFIG = "/etc/rondo/config.yaml"
SHOWN = {
    "links": "ip -o link",
    "addresses": "ip -o address",
    "routes": "ip route show table all; ip -6 route show table all",
    "rules": "ip rule; ip -6 rule",
    "neighbours": "ip neighbour show nud permanent",
    "traffic control": "tc qdisc 2>/dev/null",
    "firewall": "nft list ruleset; iptables-save 2>/dev/null | grep -v '^#'",
    "network settings": "cd /proc/sys/net && grep -rs . . | grep -vE '^./(netfilter/nf_conntrack_count|core/netdev_)'",
    "network namespaces": "ls /run/netns 2>/dev/null",
    "IPC": "tail -n +2 -q /proc/sysvipc/*",
    "users": "getent passwd; getent group",
    "services": "find /etc/systemd /run/systemd /usr/lib/systemd/system | sort",
    "machine": "hostname; cat /proc/sys/kernel/core_pattern /proc/sys/kernel/domainname",
}


class Machine(Throwaway):
    """A machine with the program on it, and its picture."""

    def __init__(self):
        super().__init__()
        at_end(self.end)
        self.start()
        shutil.copy(program, self.path(PROGRAM))
        os.chmod(self.path(PROGRAM), 0o755)
        os.symlink("rondo", self.path("/usr/local/bin/rondo-oci"))
        os.makedirs(self.path("/etc/rondo"))
        with open(self.path(CONFIG), "w") as file:
            file.write("name: laboratory\n")
        cable = "ip link add eth0 type veth peer name cable; ip address add %s/24 dev eth0" % ADDRESS
        cable += "".join("; ip link set %s addrgenmode none up" % each for each in ("eth0", "cable"))
        # What is there already must still be there afterwards.
        rules = "table inet kept { chain input { type filter hook input priority 0; tcp dport 9 drop; }; }"
        cable += "; nft '%s'; ip route add 10.99.0.0/16 via 10.77.2.2; ip rule add from 10.99.0.1 lookup 99" % rules
        result = self.run(["sh", "-ec", cable])
        equal(result.returncode, 0, "exit of what makes the network (%s)" % result.stdout)
        self.nodes = []
        self.before = self.picture()

    # -- what it does ------------------------------------------------------------------------------------------------

    def rondo(self, *words, timeout=40, code=0):
        result = self.run([PROGRAM, *words], timeout=timeout)
        equal(result.returncode, code, "exit of rondo %s (%s)" % (" ".join(words), result.stdout[-400:]))
        return result.stdout

    def node(self, *words, data=DATA, wait=True):
        """Starts a node in the foreground, and waits for its socket."""
        log = os.path.join(work, "node.log")
        open(log, "w").close()
        words = [PROGRAM, "cluster", *words, *(["--data", data] if data != DATA else [])]
        process = self.spawn(words, log)
        process.log = log
        self.nodes.append(process)
        socket = "/run/rondo/rondo.sock" if data == DATA else data + "/rondo.sock"

        def ready():
            if process.poll() is not None:
                raise AssertionError("it ended with %d: %s" % (process.returncode, text(log)[-400:]))
            return self.answers(socket)

        if wait:
            eventually(ready, 15, "an answer at %s" % socket)
        return process

    def answers(self, socket):
        if not os.path.exists(self.path(socket)):
            return False
        words = ["cluster", "status", "--data", os.path.dirname(socket) if socket.startswith("/srv") else DATA]
        return self.run([PROGRAM, *words]).returncode == 0

    def pids(self, *words):
        """Processes of the program by the words of their command lines, as seen in the machine."""
        return [pid for pid, line in self.processes().items() if all(each in line for each in words)]

    def kill(self, *words):
        pids = self.pids(*words)
        check(pids, "no process with", words, "is there to kill:", self.processes())
        self.run(["kill", "-9", *map(str, pids)])
        eventually(lambda: not set(pids) & set(self.processes()), 5, "the end of killed processes")

    def kill_until_gone(self, words, process):
        """Kills a process that may not have come as far as to be there."""
        while process.poll() is None:
            self.run(["kill", "-9", *map(str, self.pids(words)), "999999"])

    def work(self, *more):
        """Real tasks: some end well, one badly, one as another user; some run on with what they have started."""
        output = self.rondo("run", "--instances", "4", *more, "--", "sh", "-c", "echo done; echo x >kept")
        equal(output.count("done"), 4, "lines of output")
        self.rondo("run", *more, "--", "sh", "-c", "exit 3", code=3)
        self.rondo("run", *more, "--user", "nobody", "--", "sh", "-c", "id -u; mkfifo pipe; ln -s / root")
        log = os.path.join(work, "tasks.log")
        open(log, "w").close()
        # Sleeps for longer than the test lasts, with a child that has left its session and does not hear.
        line = "echo begun; trap '' TERM; setsid sh -c 'trap \"\" TERM INT HUP; exec sleep 300' & sleep 300; sleep 300"
        self.client = self.spawn([PROGRAM, "run", "--instances", "2", *more, "--", "sh", "-c", line], log)
        eventually(lambda: text(log).count("begun") == 2, 15, "two running tasks")

    # -- what it looks like ------------------------------------------------------------------------------------------

    def picture(self):
        found = {"file %s" % path: what for path, what in self.changes().items()}
        for path, what in list(found.items()):
            if what.startswith("file of"):
                found[path] = what + " " + digest(self.path(path[len("file ") :]))
        for place in ("/run", "/sys/fs/cgroup", "/dev/mqueue", "/dev/shm"):
            found.update(self.listing(place))
        for name, command in SHOWN.items():
            for line in sorted(set(self.run(["sh", "-c", command]).stdout.splitlines())):
                found["%s: %s" % (name, line)] = "there"
        with open("/proc/%d/mountinfo" % self.pid) as file:
            for line in file:
                fields = line.split()
                found["mount %s" % fields[4]] = " ".join(fields[5:])
        for line in self.processes().values():
            found["process %s" % line] = "runs"
        return found

    def listing(self, top):
        found, start = {}, self.path(top)
        for place, folders, names in os.walk(start):
            inside = place[len(start) :]
            for name in folders + ([] if top == "/sys/fs/cgroup" else names):
                path = top + inside + "/" + name
                # On a machine with one tree, groups of others come and go beside ours.
                if top == "/sys/fs/cgroup" and UNIFIED and "rondo" not in path:
                    continue
                try:
                    facts = os.lstat(os.path.join(place, name))
                except OSError:
                    continue
                if not top.startswith("/dev") or facts.st_mtime >= self.made:
                    found["entry %s" % path] = "%s %d" % (stat.filemode(facts.st_mode), facts.st_uid)
        return found

    @property
    def made(self):
        return os.stat(self.folder).st_mtime

    def expect_the_same(self, seconds=3):
        """The picture is the one from before; what is about to go gets a moment."""

        def same():
            now, lines = self.picture(), []
            for each in sorted(set(now) | set(self.before)):
                was, is_now = self.before.get(each), now.get(each)
                if was is None:
                    lines.append("left: %s (%s)" % (each, is_now))
                elif was != is_now:
                    lines.append("changed: %s was %s, is %s" % (each, was, is_now))
            if lines:
                raise Failed("%d differences:\n        %s" % (len(lines), "\n        ".join(lines[:25])))
            return True

        eventually(same, seconds, "the machine as it was", pause=0.3)

    def close(self):
        """Every process of a passed case has ended by itself."""
        for each in self.nodes:
            check(each.poll() is not None, "a node still runs")
        self.end()


def text(path):
    with open(path, errors="replace") as file:
        return file.read()


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()[:16]


def new_machine():
    if os.geteuid() != 0:
        raise Skipped("a machine of its own needs root")
    return Machine()


def leave(machine, *words):
    return machine.rondo("cluster", "leave", "--purge", *words)


# -- cases -------------------------------------------------------------------------------------------------------------


@test
def sensitive():
    """the picture shows what a program may leave"""
    machine = new_machine()
    machine.expect_the_same()
    for command, seen in (
        ("echo >/etc/left", "/etc/left"),
        ("mkdir -p /var/cache/left/deep", "/var/cache/left"),
        ("echo 'name: other' >%s" % CONFIG, CONFIG),
        ("rm %s" % CONFIG, CONFIG),
        ("chmod 600 /usr/local/bin/rondo", PROGRAM),
        ("mkdir /run/left", "/run/left"),
        ("ip link add left type bridge", "left"),
        ("ip address add 10.98.0.1/32 dev lo", "10.98.0.1"),
        ("ip route add 10.98.0.0/24 via 10.77.2.3", "10.98.0.0/24"),
        ("nft add table inet left", "left"),
        ("nft delete table inet kept", "kept"),
        ("echo 1 >/proc/sys/net/ipv4/ip_forward", "ip_forward"),
        ("mount -t tmpfs left /mnt", "/mnt"),
        ("cd /sys/fs/cgroup; if [ -d pids ]; then cd pids; fi; mkdir rondo-left", "rondo-left"),
        ("useradd --system left 2>/dev/null || echo left:x:999:999::/:/bin/sh >>/etc/passwd", "left"),
        ("(exec setsid sleep 60) >/dev/null 2>&1 &", "sleep 60"),
        ("ipcmk -S 1 >/dev/null", "IPC"),
    ):
        equal(machine.run(["sh", "-c", command]).returncode, 0, "exit of %s" % command)
        before, now = machine.before, machine.picture()
        different = [each for each in set(before) | set(now) if before.get(each) != now.get(each)]
        check(any(seen in each for each in different), command, "is not seen, but", different[:5])
    machine.run(["rmdir", "/sys/fs/cgroup/rondo-left"])
    machine.end()


@test
def in_order():
    """a node that leaves in good order, with tasks that ran and tasks that run, leaves nothing"""
    machine = new_machine()
    node = machine.node("init", "--advertise", ADDRESS)
    machine.work()
    leave(machine)
    equal(node.wait(15), 0, "exit of the node (%s)" % text(node.log)[-300:])
    equal(machine.client.wait(15) != 0, True, "whether the tasks' command was told")
    machine.expect_the_same()
    machine.close()


@test
def killed():
    """a node that was killed in the middle leaves nothing once it is purged"""
    machine = new_machine()
    machine.node("init")
    machine.work()
    machine.kill("cluster init")
    leave(machine)
    machine.client.wait(30)
    machine.expect_the_same()
    machine.close()


@test
def killed_and_back():
    """a node that was killed, came back and left leaves nothing"""
    machine = new_machine()
    machine.node("init")
    machine.work()
    machine.kill("cluster init")
    machine.node("init")
    leave(machine)
    machine.client.wait(30)
    machine.expect_the_same()
    machine.close()


@test
def all_killed():
    """a node that was killed with its monitors leaves nothing once it is purged"""
    machine = new_machine()
    machine.node("init")
    machine.work()
    machine.kill("rondo")
    leave(machine)
    machine.expect_the_same()
    machine.close()


@test
def monitors_killed():
    """a node whose monitors were killed leaves nothing"""
    machine = new_machine()
    machine.node("init")
    machine.work()
    machine.kill("rondo monitor")
    leave(machine)
    machine.client.wait(30)
    machine.expect_the_same()
    machine.close()


@test
def stopped():
    """a node that was stopped, and one that left before, leave nothing once they are purged"""
    machine = new_machine()
    node = machine.node("init")
    machine.work()
    machine.run(["kill", *map(str, machine.pids("cluster init"))])
    equal(node.wait(15), 0, "exit of the node (%s)" % text(node.log)[-300:])
    leave(machine)
    machine.client.wait(30)
    machine.expect_the_same()
    node = machine.node("init")
    machine.rondo("cluster", "leave")
    equal(node.wait(15), 0, "exit of the node (%s)" % text(node.log)[-300:])
    leave(machine)
    machine.expect_the_same()
    machine.close()


@test
def agent():
    """an agent, and the master that it joined, leave nothing with data in places of their own"""
    machine = new_machine()
    # A port that the agent does not look for.
    master = machine.node("init", "--role", "master", "--gossip-port", "7960", data="/srv/master")
    line = next(each for each in text(master.log).splitlines() if "cluster join" in each)
    words = line.split("cluster join", 1)[1].split(" --data")[0].split()
    agent = machine.node("join", *words, data="/srv/agent")
    machine.work("--data", "/srv/master")
    leave(machine, "--data", "/srv/agent")
    equal(agent.wait(15), 0, "exit of the agent (%s)" % text(agent.log)[-300:])
    leave(machine, "--data", "/srv/master")
    equal(master.wait(15), 0, "exit of the master (%s)" % text(master.log)[-300:])
    machine.client.wait(30)
    machine.expect_the_same()
    machine.close()


@test
def others():
    """files of others in the node's folders stay"""
    machine = new_machine()
    os.makedirs(machine.path(DATA))
    with open(machine.path(DATA + "/mine"), "w") as file:
        file.write("mine")
    machine.before = machine.picture()
    node = machine.node("init")
    machine.rondo("run", "--", "true")
    leave(machine)
    equal(node.wait(15), 0, "exit of the node (%s)" % text(node.log)[-300:])
    machine.expect_the_same()
    machine.close()


@test
def deep():
    """folders that were made on the way to the node's data go with it"""
    machine = new_machine()
    node = machine.node("init", data="/srv/made/for/it")
    leave(machine, "--data", "/srv/made/for/it")
    equal(node.wait(15), 0, "exit of the node (%s)" % text(node.log)[-300:])
    machine.expect_the_same()
    machine.close()


@test
def refused():
    """a node that could not join a cluster leaves nothing"""
    machine = new_machine()
    for words in (["127.0.0.1:1", "--token", "none"], ["127.0.0.1:1"], []):
        process = machine.node("join", *words, wait=False)
        check(process.wait(20) != 0, "it started")
        machine.expect_the_same()
    machine.close()


@test
def not_made():
    """a cluster that could not be made leaves nothing"""
    machine = new_machine()
    if not os.path.exists(PYTHON):
        raise Skipped("%s, which takes the master's port, is not installed" % PYTHON)
    other = machine.spawn([PYTHON, "-c", TAKE], os.path.join(work, "other.log"))
    eventually(lambda: "taken" in text(os.path.join(work, "other.log")), 10, "a taken port")
    machine.before = machine.picture()
    process = machine.node("init", wait=False)
    check(process.wait(20) != 0, "it started")
    machine.expect_the_same()
    other.kill()
    machine.close()


@test
def killed_early():
    """a node that was killed while it was made, or while it left, leaves nothing once it is purged"""
    machine, wrong = new_machine(), []

    def purged(moment):
        left = machine.run([PROGRAM, "cluster", "leave", "--purge"])
        check(left.returncode in (0, 69), "leave ended with", left.returncode, left.stdout[-300:])
        try:
            machine.expect_the_same(0)
        except Failed as reason:
            wrong.append("%s: %s" % (moment, ", ".join(str(reason).split("\\n")[1:4])))
            machine.run(["rm", "-rf", DATA, "/run/rondo"])

    for milliseconds in (0, 5, 10, 15, 20, 30, 50, 80, 130):
        process = machine.node("init", wait=False)
        time.sleep(milliseconds / 1000)
        machine.kill_until_gone("cluster init", process)
        purged("killed %d ms after its start" % milliseconds)
    for milliseconds in (0, 2, 5, 10, 20):
        process = machine.node("init")
        leaving = machine.spawn([PROGRAM, "cluster", "leave", "--purge"], os.path.join(work, "leave.log"))
        time.sleep(milliseconds / 1000)
        machine.kill_until_gone("cluster init", process)
        leaving.wait(30)
        purged("killed %d ms after it was to leave" % milliseconds)
    check(not wrong, len(wrong), "moments:", "; ".join(wrong))
    machine.close()


def main():
    global work, program
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: purge.py path/to/rondo [WORD ...]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = tempfile.mkdtemp(prefix="rondo-purge-", dir="/var/tmp")
    at_end(lambda: shutil.rmtree(work, ignore_errors=True))
    program = os.path.join(work, "rondo")
    if subprocess.run(["strip", "-o", program, sys.argv[1]], stderr=subprocess.DEVNULL).returncode != 0:
        shutil.copy(sys.argv[1], program)
    finish(*run_tests(TESTS, sys.argv[2:], limit=60))


if __name__ == "__main__":
    main()
