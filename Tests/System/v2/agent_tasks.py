"""An agent's tasks on a machine with cgroup version 2 alone: their limits, their ends, and what stays behind.

    python3 Tests/System/dev_cluster.py RONDO --agents 2 -- python3 Tests/System/v2/agent_tasks.py RONDO

Needs MASTER, which dev_cluster.py sets; that also looks for what the whole cluster leaves on the machine.
"""

import json
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir))
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, "Clients"))

from footprint import cgroups, marked  # noqa: E402
from harness import check, equal, eventually, finish, need, run_tests, test, TESTS  # noqa: E402
from oci_groups import UNIFIED, check_limits, folder, text  # noqa: E402

MASTER = need("MASTER", "run this under dev_cluster.py")
RONDO = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else sys.exit(__doc__)
UNITS = 20


def command(*words, cpus="0.2", mem="64"):
    return [RONDO, "run", "--master", MASTER, "--cpus", cpus, "--mem", mem, "--timeout", "40s", "--", *words]


def run(*words, **sizes):
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    return subprocess.run(command(*words, **sizes), stdin=subprocess.DEVNULL, text=True, timeout=60, **both)


def groups():
    """Groups of tasks that there are now."""
    return [each for each in cgroups() if "/rondo" in each and text(os.path.join(each, "cgroup.procs"))]


def process(marker):
    """The process of a task that has a marker in its command line and is not the client or the monitor."""
    found = [pid for pid, line in marked(marker).items() if line.startswith("sleep")]
    return found[0] if found else None


class Running:
    """A task that sleeps, with a marker by which the host finds it."""

    def __init__(self, **sizes):
        self.marker = "marker-%s" % os.urandom(4).hex()
        words = command("sh", "-c", "export MARKER=%s; exec sleep 30" % self.marker, **sizes)
        quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.client = subprocess.Popen(words, **quiet)

    def __enter__(self):
        self.pid = eventually(lambda: process(self.marker), 15, "the task")
        return self

    def __exit__(self, *_):
        # As Ctrl-C ends it, with its task.
        self.client.send_signal(2)
        self.client.wait(20)


@test
def pure():
    """the machine has version 2 alone"""
    check(UNIFIED, "this machine has version 1 trees")


@test
def output():
    """a task's output and exit code arrive"""
    result = run("sh", "-c", "echo hello; exit 7")
    equal((result.returncode, "hello" in result.stdout), (7, True), "code and output (%s)" % result.stdout[-300:])


@test
def limits():
    """a running task has a group of its own with limits of memory and processors"""
    with Running(cpus="0.5", mem="48") as task:
        check(folder(task.pid) not in ("", folder("self")), "it is in the agent's group")
        check_limits(task.pid, memory=48 << 20)
        weight, quota = text(folder(task.pid) + "/cpu.weight"), text(folder(task.pid) + "/cpu.max")
        check(weight != "100" or not quota.startswith("max"), "no limit of processors:", weight, quota)
        equal(text(folder(task.pid) + "/memory.swap.max"), "0", "swap")
        group = folder(task.pid)
    eventually(lambda: not os.path.exists(group), 10, "the end of its group")


@test
def hungry():
    """a task that needs more memory than it asked for is ended, and the reason is told"""
    result = run("dd", "if=/dev/zero", "of=/dev/null", "bs=200M", "count=1", mem="32")
    check(result.returncode != 0, "it ended well:", result.stdout[-300:])
    check("emory" in result.stdout, "memory is not named in", result.stdout[-300:])


@test
def descendants():
    """what a task has started ends with it"""
    marker = "marker-%s" % os.urandom(4).hex()
    result = run("sh", "-c", "MARKER=%s setsid sleep 300 >/dev/null 2>&1 & sleep 0.2; echo done" % marker)
    equal(result.returncode, 0, "code (%s)" % result.stdout[-300:])
    eventually(lambda: not process(marker), 10, "the end of what it has left running")


@test
def many():
    """units of work are done once each on two agents"""
    with tempfile.TemporaryDirectory() as place:
        words = [sys.executable, os.path.join(HERE, os.pardir, "work_framework.py"), MASTER, place, str(UNITS), "0.2"]
        result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=100)
        equal(result.returncode, 0, "exit of the framework (%s)" % result.stdout[-400:])
        with open(os.path.join(place, "journal")) as file:
            entries = [json.loads(line) for line in file]
        names = {each["launch"] for each in entries if "launch" in each}
        counts = {each: len(open(os.path.join(place, "runs", each + ".ends")).readlines()) for each in names}
        equal(set(counts.values()), {1}, "how often units were done")


@test
def nothing_left():
    """afterwards no task has a group or a process"""
    eventually(lambda: not groups(), 10, "the end of all groups")


if __name__ == "__main__":
    finish(*run_tests(TESTS, sys.argv[2:], limit=110))
