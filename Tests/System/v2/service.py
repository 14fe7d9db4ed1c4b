"""The installed service under the real systemd: started, restarted, killed, wrong, upgraded, removed without a rest.

    python3 Tests/System/v2/boot.py --binary RONDO=rondo -- python3 Tests/System/v2/service.py /job/bin/rondo

Tests go on from one another, and change the machine they run on.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir))
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, "Clients"))

from footprint import marked  # noqa: E402
from harness import TESTS, check, equal, eventually, finish, run_tests, test  # noqa: E402
from releases import SCRIPT, Release, read, succeeds, write  # noqa: E402

MASTER = "/srv/master"
PROGRAM = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else sys.exit(__doc__)
# What runs on a machine writes here all the time.
APART = ("/proc", "/sys", "/dev", "/run", "/tmp", "/job", "/srv", "/var/log", "/var/lib/systemd", "/var/cache")


def run(*words, timeout=90, **settings):
    return subprocess.run(
        words,
        env={**os.environ, **settings},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
    )


def install(*words, **settings):
    return run("sh", SCRIPT, *words, **{"RONDO_FILE": release.file, **settings})


def state(key="ActiveState"):
    return run("systemctl", "show", "--value", "--property", key, "rondo").stdout.strip()


def files():
    found = {}
    for place, folders, names in os.walk("/"):
        folders[:] = [each for each in folders if os.path.join(place, each) not in APART]
        for name in folders + names:
            facts = os.lstat(os.path.join(place, name))
            found[os.path.join(place, name)] = (facts.st_mode, facts.st_uid, facts.st_size if name in names else 0)
    return found


def machine():
    """What a service could leave in the running system."""
    shown = ["ip -o address", "ip rule", "ip route show table all", "nft list ruleset", "cat /proc/mounts"]
    shown += ["find /sys/fs/cgroup -type d -name '*rondo*'", "systemctl list-unit-files --no-legend", "ls /run"]
    shown += ["systemctl list-units --all --no-legend 'rondo*'"]
    return {each: run("sh", "-c", each).stdout for each in shown}


def master(*words, code=0):
    place = words.index("--") if "--" in words else len(words)
    result = run(PROGRAM, *words[:place], "--data", MASTER, *words[place:])
    equal(result.returncode, code, "exit of %s (%s)" % (" ".join(words), result.stdout[-300:]))
    return result.stdout


def agents():
    nodes = json.loads(master("cluster", "status", "--output", "json"))["nodes"]
    return [each for each in nodes if each["state"] in ("connected", "active")]


class Task:
    """A task that runs for a while, watched from outside and by its command."""

    def __init__(self, seconds):
        self.marker, self.log = "marker-%s" % os.urandom(4).hex(), "/tmp/task.log"
        line = "export MARKER=%s; echo begun; sleep %d; echo ended" % (self.marker, seconds)
        with open(self.log, "w") as log:
            words = [PROGRAM, "run", "--data", MASTER, "--", "sh", "-c", line]
            self.command = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        eventually(lambda: "begun" in read(self.log), 20, "a running task")
        self.pids = self.running()

    def running(self):
        return {pid for pid, line in marked(self.marker).items() if line.startswith(("sh", "sleep"))}

    def end(self):
        equal(self.command.wait(100), 0, "exit of the task's command (%s)" % read(self.log)[-300:])
        check("ended" in read(self.log), read(self.log)[-300:])


@test
def installed():
    """the script installs, enables and starts a service that joins"""
    global before, first
    before, first = files(), machine()
    log = open("/tmp/master.log", "w")
    # A port that the machine's own node does not look for.
    words = [PROGRAM, "cluster", "init", "--role", "master", "--data", MASTER, "--gossip-port", "7960"]
    globals()["foreground"] = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    eventually(lambda: os.path.exists(MASTER + "/rondo.sock"), 20, "the master's socket")
    token = json.loads(master("cluster", "token", "create", "--output", "json"))["token"]
    succeeds(install(JOIN="127.0.0.1:5050", TOKEN=token), "rondo cluster status")
    equal((state(), state("UnitFileState")), ("active", "enabled"), "state of the unit")
    eventually(lambda: len(agents()) == 1, 20, "an agent")
    check(token not in read("/etc/rondo/rondo.env"), "the token is still in the settings")
    result = run("journalctl", "-u", "rondo", "-o", "cat")
    check("agent" in result.stdout and token not in result.stdout, "journal:", result.stdout[-500:])


@test
def inherited():
    """tasks get an ordinary umask and priority at being killed, and may not do what the unit forbids"""
    words = master("run", "--", "sh", "-c", "umask; cat /proc/self/oom_score_adj; grep CapBnd /proc/self/status")
    equal(re.findall("^(\\d+)$", words, re.M), ["0022", "0"], "umask and oom_score_adj")
    bounding = int(re.search("CapBnd:\\s*(\\w+)", words).group(1), 16)
    spaces = {os.readlink("/proc/%s/ns/mnt" % pid) for pid in ("1", state("MainPID"))}
    equal(len(spaces), 1, "mount namespaces of the machine and its service")
    equal(bounding & (1 << 16 | 1 << 22 | 1 << 25), 0, "modules, reboot and clock in the bounding set")


@test
def restarted():
    """tasks live on when the service is restarted, stopped, and killed"""
    task = Task(60)
    for act in (["systemctl", "restart", "rondo"], ["systemctl", "stop", "rondo"]):
        equal(run(*act).returncode, 0, "exit of %s" % " ".join(act))
        equal(task.running(), task.pids, "the task's processes after %s" % act[1])
    equal(state(), "inactive", "state after stop")
    equal(run("systemctl", "start", "rondo").returncode, 0, "exit of start")
    eventually(lambda: len(agents()) == 1, 20, "an agent")
    old = state("MainPID")
    run("systemctl", "kill", "--kill-whom=main", "--signal=KILL", "rondo")
    eventually(lambda: state() == "active" and state("MainPID") not in ("0", old), 20, "a service that is back")
    equal(task.running(), task.pids, "the task's processes after a kill")
    task.end()


@test
def hungry():
    """a task that is ended for its memory does not end the service"""
    pid = state("MainPID")
    words = ["run", "--data", MASTER, "--mem", "32", "--", "dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1"]
    result = run(PROGRAM, *words)
    check(result.returncode != 0 and "emory" in result.stdout, "it ended otherwise:", result.stdout[-300:])
    time.sleep(1)
    equal((state(), state("MainPID")), ("active", pid), "the service")


@test
def upgraded():
    """another release takes over the tasks of the one before"""
    task = Task(60)
    release.change()
    succeeds(install(), "/usr/local/bin/rondo")
    equal(task.running(), task.pids, "the task's processes")
    succeeds(install(), "nothing to do")
    task.end()


@test
def wrong():
    """a wrong setting fails the service at once and for good, and says so"""
    environment = read("/etc/rondo/rondo.env")
    write("/etc/rondo/rondo.env", environment + "RONDO_AGENT_PORT=none\n", 0o600)
    run("systemctl", "restart", "rondo")
    eventually(lambda: state() == "failed", 10, "a failed service")
    time.sleep(4)
    equal((state(), state("NRestarts")), ("failed", "0"), "state and restarts")
    write("/etc/rondo/rondo.env", environment, 0o600)
    succeeds(install(), "rondo cluster status")
    eventually(lambda: len(agents()) == 1, 20, "an agent")


@test
def removed():
    """leaving and removing it restores the machine, and systemd knows nothing of it any more"""
    result = install("--uninstall")
    equal(result.returncode, 1, "exit while it is in a cluster (%s)" % result.stdout[-300:])
    succeeds(install("--uninstall", "--purge"))
    eventually(lambda: not agents(), 20, "a cluster without it")
    master("cluster", "leave", "--purge")
    equal(foreground.wait(30), 0, "exit of the master")
    equal(machine(), first, "the running system")
    now = files()
    different = [each for each in set(now) | set(before) if now.get(each) != before.get(each)]
    equal([each for each in sorted(different) if "__pycache__" not in each], [], "files that are not as before")


def main():
    global release
    shutil.rmtree("/srv/release", ignore_errors=True)
    release = Release("/srv/release", PROGRAM)
    finish(*run_tests(TESTS, sys.argv[2:], limit=120))


if __name__ == "__main__":
    main()
