"""The service that `rondo cluster init` and `join` make, under the real systemd of a machine that is thrown away.

    python3 Tests/System/unit.py path/to/rondo [WORD ...]

Needs root and what booted.py needs.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from booted import Booted  # noqa: E402
from harness import TESTS, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from releases import PROVISIONING, UNIT, Release, read, succeeds, write  # noqa: E402

ADDRESS = "10.77.3.1"
PROGRAM = "/usr/local/bin/rondo"
ENVIRONMENT = "/etc/rondo/rondo.env"
MASTER = "/srv/master"
PYTHON = "/usr/bin/python3"
TAKE = """
import socket, time
taken = [socket.socket(family, kind) for family in (2, 10) for kind in (1, 2)]
for each in taken:
    if each.family == 10: each.setsockopt(41, 26, 1)
    each.bind(("::" if each.family == 10 else "0.0.0.0", 7999))
    if each.type == 1: each.listen()
print("taken", flush=True)
time.sleep(60)
"""


class Machine(Booted):
    """A booted machine with an address and the program on it."""

    def __init__(self, installed=True):
        super().__init__()
        at_end(self.end)
        self.start()
        if installed:
            shutil.copy(program, self.path(PROGRAM))
            os.chmod(self.path(PROGRAM), 0o755)
        network = "ip link add eth0 type veth peer name cable; ip address add %s/24 dev eth0" % ADDRESS
        network += "".join("; ip link set %s addrgenmode none up" % each for each in ("eth0", "cable"))
        succeeds(self.run(["sh", "-ec", network]))
        self.before = self.picture()

    def rondo(self, *words, code=0, timeout=60, **settings):
        result = self.run([PROGRAM, *words], settings, timeout=timeout)
        equal(result.returncode, code, "exit of rondo %s (%s)" % (" ".join(words), result.stdout[-900:]))
        return result.stdout

    def systemctl(self, *words):
        return self.run(["systemctl", *words], timeout=60).stdout.strip()

    def node(self):
        return int(self.systemctl("show", "--value", "--property=MainPID", "rondo"))

    def journal(self):
        return self.run(["journalctl", "--unit=rondo", "--output=cat", "--no-pager"]).stdout

    def members(self, *words):
        """How many nodes the cluster of this machine's socket has that can run tasks."""
        result = self.run([PROGRAM, "node", "list", "--output", "json", *words])
        return len(re.findall('"state" *: *"(?:connected|active)"', result.stdout))

    def unit(self):
        return self.systemctl("is-active", "rondo"), self.systemctl("is-enabled", "rondo")

    def expect_service(self):
        equal(self.unit(), ("active", "enabled"), "unit")
        equal(os.stat(self.path(ENVIRONMENT)).st_mode & 0o7777, 0o600, "mode of the settings")

    def groups_inside(self):
        top = self.path("/sys/fs/cgroup")
        return sorted(place[len(top) :] for place, _, _ in os.walk(top) if "rondo" in place[len(top) :])

    def picture(self):
        """Files, units, processes but for systemd's, control groups, network, what is in /run."""
        lines = [each for each in self.processes().values() if "systemd" not in each]
        shown = "ip -o address; ip route show table all; ip rule; nft list ruleset 2>&1; ls /run"
        shown += "; systemctl list-unit-files --no-legend; systemctl list-units --all --no-legend 'rondo*'"
        return {
            "files": self.changes(),
            "processes": sorted(lines),
            "groups": self.groups_inside(),
            "shown": self.run(["sh", "-c", shown]).stdout.splitlines(),
        }

    def expect_untouched(self):
        def same():
            now = self.picture()
            # A master that runs elsewhere on the machine goes on writing.
            if MASTER + "/" in self.before["files"]:
                for path in [each for each in now["files"] if each.startswith(MASTER)]:
                    now["files"][path] = self.before["files"].get(path, "new")
            for each in ("files", "processes", "groups", "shown"):
                was, found = self.before[each], now[each]
                left = [line for line in found if line not in was]
                left += ["%s is gone" % line for line in was if line not in found]
                if each == "files":
                    both = [path for path in found if path in was]
                    left += ["%s: %s" % (path, found[path]) for path in both if found[path] != was[path]]
                equal(left, [], "what is different of %s" % each)
            return True

        eventually(same, 5, "the machine as it was", pause=0.3)


def new_machine(**words):
    if os.geteuid() != 0:
        raise Skipped("a machine of its own needs root")
    return Machine(**words)


def take(machine):
    """Somebody else's process at port 7999."""
    log = os.path.join(work, "other.log")
    write(log, "")
    process = machine.spawn([PYTHON, "-c", TAKE], log)
    eventually(lambda: "taken" in read(log), 10, "a taken port")

    def give_back():
        machine.run(["kill", *[str(pid) for pid, line in machine.processes().items() if "taken" in line]])
        process.wait(10)

    return give_back


class Task:
    """A task that runs on; its command, which talks to the master of this machine, ends with that."""

    def __init__(self, machine, seconds):
        self.machine, self.log, self.line = machine, os.path.join(work, "task.log"), "sleep %d" % seconds
        write(self.log, "")
        words = [PROGRAM, "run", "--", "sh", "-c", "echo begun; %s; echo ended" % self.line]
        self.command = machine.spawn(words, self.log)
        eventually(lambda: "begun" in read(self.log), 15, "a running task")
        self.pids = eventually(self.running, 5, "the task's process")

    def running(self):
        return [pid for pid, line in self.machine.processes().items() if line == self.line]

    def expect_alive(self, when):
        equal(self.running(), self.pids, "the task's process after %s" % when)


@test
def served():
    """`cluster init` makes a service whose tasks outlive restarts and kills, and `leave --purge` takes it away"""
    machine = new_machine()
    words = ["cluster", "init", "--advertise", ADDRESS, "--attributes", 'note:a "b" $HOME']
    output = machine.rondo(*words)
    for each in ("is made", "cluster join %s:5050 --token" % ADDRESS, "rondo login", "journalctl -u rondo"):
        check(each in output, "no %r in" % each, output)
    machine.expect_service()
    tokens = re.findall("--token ([^\\s]+)", output)
    kept = read(machine.path(ENVIRONMENT)) + machine.journal()
    check(len(tokens) == 2 and not any(each in kept for each in tokens), "a token is kept:", kept)
    eventually(lambda: machine.members() == 1, 10, "an agent")
    listed = machine.rondo("node", "list", "--output", "json")
    check('"a \\"b\\" $HOME"' in listed, "the attribute was changed on its way:", listed)
    check("from a task" in machine.rondo("run", "--", "echo", "from a task"), "no output of a task")

    first = machine.node()
    check("runs already" in machine.rondo(*words), "a second run says otherwise")
    equal(machine.node(), first, "process after a second run")
    task = Task(machine, 301)
    succeeds(machine.run(["systemctl", "restart", "rondo"]))
    # systemd has waited until it was ready, so nobody else has to.
    check("laboratory" not in machine.rondo("cluster", "status"), "status")
    check(machine.node() not in (0, first), "the old process still runs")
    second = machine.node()
    machine.run(["kill", "-9", str(second)])
    eventually(lambda: machine.node() not in (0, second) and machine.unit()[0] == "active", 10, "a new process")
    task.expect_alive("restart and kill")
    machine.rondo("cluster", "init", "--zone", "b", "--region", "r")
    check("RONDO_ZONE=b" in read(machine.path(ENVIRONMENT)), read(machine.path(ENVIRONMENT)))
    check("RONDO_ADVERTISE=" in read(machine.path(ENVIRONMENT)), "settings of the first time are lost")
    machine.systemctl("stop", "rondo")
    equal(machine.systemctl("is-active", "rondo"), "inactive", "state")
    check("was there already" in machine.rondo("cluster", "init"), "a stopped service is not started again")
    machine.rondo("cluster", "leave", "--purge")
    equal(task.running(), [], "the task's process after leaving")
    check(task.command.wait(20) != 0, "the task's command was not told")
    machine.expect_untouched()
    machine.end()


@test
def joined():
    """`cluster join` makes a service with no trace of the token; what is refused is said at once and leaves nothing"""
    machine = new_machine()
    log = os.path.join(work, "master.log")
    words = ["cluster", "init", "--role", "master", "--data", MASTER, "--gossip-port", "7960"]
    master = machine.spawn([PROGRAM, *words], log)
    eventually(lambda: os.path.exists(machine.path(MASTER + "/rondo.sock")), 15, "the master's socket")
    own = machine.before
    machine.before = machine.picture()

    def token(*words):
        line = machine.rondo("cluster", "token", "create", "--data", MASTER, *words)
        return re.search("--token ([^\\s]+)", line).group(1)

    good = token()
    wrong = good[:-6] + ("AAAAAA" if not good.endswith("AAAAAA") else "BBBBBB")
    for words, settings, code in (
        (["127.0.0.1:5050", "--token", "none"], {}, 64),
        (["127.0.0.1:5050"], {}, 64),
        (["127.0.0.1:5050", "--token", wrong], {}, None),
        (["127.0.0.1:1", "--token", good], {}, 69),
        (["127.0.0.1:5050", "--role", "master"], {}, 1),
    ):
        result = machine.run([PROGRAM, "cluster", "join", *words], settings)
        check(result.returncode != 0 and code in (None, result.returncode), words, result.returncode, result.stdout)
        machine.rondo("cluster", "start", code=69)
    for path in ("/etc/rondo", UNIT, "/var/lib/rondo"):
        check(not os.path.exists(machine.path(path)), path, "was made")

    give_back = take(machine)
    output = machine.rondo("cluster", "join", "127.0.0.1:5050", "--gossip-port", "7999", code=1, RONDO_TOKEN=token())
    check("7999" in output and "has joined all the same" in output, output)
    check(not os.path.exists(machine.path("/etc/rondo")), "settings were left")
    give_back()
    machine.rondo("cluster", "leave", "--purge")

    output = machine.rondo("cluster", "join", "127.0.0.1:5050", "--hostname", "one", RONDO_TOKEN=good)
    check("has joined the cluster" in output and "runs as rondo.service" in output, output)
    machine.expect_service()
    check(good not in read(machine.path(ENVIRONMENT)) + machine.journal(), "the token is kept")
    result = machine.run(["sh", "-c", "cat /proc/%d/environ" % machine.node()])
    check("RONDO_TOKEN" not in result.stdout and "RONDO_HOSTNAME=one" in result.stdout, result.stdout)
    eventually(lambda: machine.members("--data", MASTER) == 1, 10, "an agent")
    machine.rondo("cluster", "leave")
    equal(machine.unit(), ("inactive", "disabled"), "unit")
    machine.rondo("cluster", "join", "127.0.0.1:5050", RONDO_TOKEN=token())
    machine.expect_service()
    machine.rondo("cluster", "leave", "--purge")
    machine.expect_untouched()

    # As an image has it that was prepared elsewhere: the service joins when it first starts.
    fresh = token()
    shutil.copy(os.path.join(PROVISIONING, "rondo.service"), machine.path(UNIT))
    os.mkdir(machine.path("/etc/rondo"))
    lines = 'RONDO_NODE="join 127.0.0.1:5050 --zone a"\nRONDO_REGION=r\nRONDO_TOKEN=%s\n' % fresh
    write(machine.path(ENVIRONMENT), lines, 0o600)
    succeeds(machine.run(["systemctl", "start", "rondo"]))
    equal(read(machine.path(ENVIRONMENT)), "RONDO_REGION=r\nRONDO_NODE=start\nRONDO_ZONE=a\n", "settings")
    machine.rondo("cluster", "leave", "--purge")
    check(os.path.exists(machine.path(UNIT)), "a unit of somebody else was removed")
    shutil.rmtree(machine.path("/etc/rondo"))
    os.unlink(machine.path(UNIT))
    machine.systemctl("daemon-reload")
    machine.expect_untouched()
    machine.before = own
    machine.rondo("cluster", "leave", "--purge", "--data", MASTER)
    equal(master.wait(15), 0, "exit of the master")
    machine.expect_untouched()
    machine.end()


@test
def failed():
    """a service that does not start is reported with what it said, and taken back"""
    machine = new_machine()
    give_back = take(machine)
    machine.before = machine.picture()
    output = machine.rondo("cluster", "init", "--gossip-port", "7999", code=1)
    check("did not start" in output and "7999" in output and "taken back" in output, output)
    machine.expect_untouched()
    output = machine.rondo("cluster", "init", "--certificate-lifetime", "1s", code=64)
    machine.expect_untouched()
    # A service that runs goes on as it was.
    machine.rondo("cluster", "init", "--log-level", "warning")
    before = read(machine.path(ENVIRONMENT))
    machine.rondo("cluster", "init", "--gossip-port", "7999", code=1)
    equal(read(machine.path(ENVIRONMENT)), before, "settings")
    eventually(lambda: machine.members() == 1, 15, "the agent as before")
    machine.expect_service()
    machine.rondo("cluster", "leave", "--purge")
    machine.expect_untouched()
    give_back()
    machine.end()


@test
def foreground():
    """with --foreground, --data or a unit of its own, the command is the node itself; in a script of systemd's not"""
    machine = new_machine()
    for words in (["--foreground"], ["--data", "/srv/own"]):
        log = os.path.join(work, "foreground.log")
        write(log, "")
        node = machine.spawn([PROGRAM, "cluster", "init", *words], log)
        eventually(lambda: "Ctrl-C stops" in read(log), 15, "the node's words")
        check(not os.path.exists(machine.path(UNIT)), "there is a unit")
        if words == ["--foreground"]:
            output = machine.rondo("cluster", "init", code=1)
            check("is no service" in output, output)
        machine.rondo("cluster", "leave", "--purge", *([] if words == ["--foreground"] else words))
        equal(node.wait(15), 0, "exit of the node (%s)" % read(log)[-300:])
        machine.expect_untouched()
    unit = "[Service]\nExecStart=%s cluster init\n" % PROGRAM
    write(machine.path("/run/units/own.service"), unit)
    machine.systemctl("daemon-reload")
    machine.systemctl("start", "own")
    eventually(lambda: machine.members() == 1, 15, "a node in somebody's own unit")
    check(not os.path.exists(machine.path(UNIT)), "there is a unit")
    machine.rondo("cluster", "leave", "--purge")
    eventually(lambda: machine.systemctl("is-active", "own") == "inactive", 10, "the end of that unit")
    # A script that systemd runs, as cloud-init's, is somebody else.
    line = "/bin/sh -c '%s cluster init; echo ended with $?'" % PROGRAM
    write(machine.path("/run/units/own.service"), "[Service]\nType=oneshot\nExecStart=%s\n" % line.replace("$", "$$"))
    machine.systemctl("daemon-reload")
    succeeds(machine.run(["systemctl", "start", "own"]))
    machine.expect_service()
    said = machine.run(["journalctl", "--output=cat", "--no-pager", "--unit=own"]).stdout
    check("ended with 0" in said and "--token" not in said, "what it said:", said)
    machine.rondo("cluster", "leave", "--purge")
    os.unlink(machine.path("/run/units/own.service"))
    machine.systemctl("daemon-reload")
    machine.expect_untouched()
    machine.end()


@test
def scripted():
    """what install.sh has put in place is used, and stays for its --uninstall; an image makes its node on first boot"""
    machine = new_machine(installed=False)
    shutil.copytree(release.folder, machine.path("/srv/release"))
    shutil.copytree(PROVISIONING, machine.path("/srv/Provisioning"))
    machine.before = machine.picture()

    def install(*words, **settings):
        settings = {"RONDO_FILE": "/srv/release/rondo-linux-amd64", **settings}
        return machine.run(["sh", "/srv/Provisioning/install.sh", *words], settings)

    succeeds(install())
    machine.rondo("cluster", "init", "--advertise", ADDRESS)
    machine.expect_service()
    machine.rondo("cluster", "leave", "--purge")
    check(os.path.exists(machine.path(UNIT)), "the script's unit is gone")
    check(not os.path.exists(machine.path(ENVIRONMENT)), "settings are left")
    equal(machine.systemctl("is-enabled", "rondo"), "disabled", "unit")

    succeeds(install("--advertise", ADDRESS, ROLE="combined"), "is made", "rondo cluster join")
    machine.expect_service()
    succeeds(install("--advertise", ADDRESS, ROLE="combined"), "nothing to do", "runs already")
    succeeds(install("--uninstall", "--purge"))
    machine.expect_untouched()

    succeeds(install(ROLE="combined", SKIP_START="1"), "systemctl restart rondo")
    check('RONDO_NODE="init --role combined"' in read(machine.path(ENVIRONMENT)), read(machine.path(ENVIRONMENT)))
    succeeds(machine.run(["systemctl", "start", "rondo"]))
    eventually(lambda: machine.members() == 1, 10, "an agent")
    check("RONDO_NODE=start" in read(machine.path(ENVIRONMENT)), read(machine.path(ENVIRONMENT)))
    succeeds(install("--uninstall", "--purge"))
    machine.expect_untouched()
    machine.end()


def main():
    global work, program, release
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: unit.py path/to/rondo [WORD ...]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = tempfile.mkdtemp(prefix="rondo-unit-", dir="/var/tmp")
    at_end(lambda: shutil.rmtree(work, ignore_errors=True))
    program = os.path.join(work, "rondo")
    if subprocess.run(["strip", "-o", program, sys.argv[1]], stderr=subprocess.DEVNULL).returncode != 0:
        shutil.copy(sys.argv[1], program)
    release = Release(os.path.join(work, "release"), program)
    finish(*run_tests(TESTS, sys.argv[2:], limit=60))


if __name__ == "__main__":
    main()
