"""Three nodes in network namespaces, and an eye on what their master says."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import Footprint  # noqa: E402
from harness import check  # noqa: E402
from netns import Network  # noqa: E402
from wire import get_json, secure  # noqa: E402

PORT = 5050

# The command lines, all in one place.


def init_command(rondo, address, data):
    return [rondo, "cluster", "init", "--role", "combined", "--advertise", address, "--data", data]


# What `init` prints for the others: address with port, and token.
JOIN_LINE = re.compile(r"cluster join (\S+:\d+)\b.*--token[ =](\S+)")


def join_command(rondo, master, token, address, data):
    return [rondo, "cluster", "join", master, "--token", token, "--data", data, "--advertise", address]


def status_command(rondo, data):
    return [rondo, "cluster", "status", "--output", "json", "--data", data]


def leave_command(rondo, data):
    return [rondo, "cluster", "leave", "--purge", "--data", data]


class Machine:
    """One node: a namespace, a data directory and the daemon that runs there."""

    def __init__(self, cluster, number):
        self.cluster, self.number = cluster, number
        self.address = cluster.network.address(number)
        self.data = os.path.join(cluster.directory, "node%d" % number)
        self.log = os.path.join(cluster.directory, "node%d.log" % number)
        self.process = None
        self.command = None

    def start(self, command):
        self.command = command
        with open(self.log, "ab") as output:
            self.process = subprocess.Popen(
                self.cluster.network.inside(self.number, command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def output(self):
        with open(self.log, errors="replace") as file:
            return file.read()

    def alive(self):
        """True, or the test has failed with the daemon's last words."""
        if self.process.poll() is not None:
            words = "\n      ".join(self.output().splitlines()[-12:])
            check(False, "node", self.number, "ended with", self.process.returncode, "\n      " + words)
        return True

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self, seconds=15):
        """Ends the daemon in good order; what is wrong with that, or None."""
        if self.process is None or self.process.poll() is not None:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return "node %d did not end within %d s of SIGTERM" % (self.number, seconds)


class Cluster:
    def __init__(self, rondo):
        self.rondo = os.path.abspath(rondo)
        self.network = Network(3)
        self.footprint = Footprint(self.rondo)
        self.directory = tempfile.mkdtemp(prefix="three-nodes-", dir="/var/tmp")
        self.machines = [Machine(self, number) for number in (1, 2, 3)]
        self.master = "%s:%d" % (self.machines[0].address, PORT)
        self.authority = os.path.join(self.machines[0].data, "authority.crt")
        self.administrator = os.path.join(self.machines[0].data, "administrator")
        secure(self.master, self.authority, self.administrator)
        self.frameworks = []
        self.watch = None

    def create(self):
        self.network.create()
        self.network.enter_hub()
        self.watch = Watch(self.master)

    def agents(self):
        return [each for each in get_json(self.master, "/slaves", timeout=3)["slaves"] if each["active"]]

    def end(self):
        """Removes all of it, whatever state it is in."""
        for process in self.frameworks + [each.process for each in self.machines]:
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
        for number in (1, 2, 3):
            # A suite may have entered a machine's network itself.
            for pid in self.network.processes(number) - {os.getpid()}:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
        self.network.delete()
        if os.environ.get("KEEP"):
            print("      kept: %s" % self.directory)
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


class Watch(threading.Thread):
    """Looks at /state all the time: no agent may have more in use than it has, or count anything twice."""

    LIVE = {"TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING"}

    def __init__(self, master):
        super().__init__(daemon=True)
        self.master, self.wrong, self.looks, self.stopped = master, [], 0, False
        self.start()

    def run(self):
        while not self.stopped:
            try:
                self.look(get_json(self.master, "/state", timeout=3))
                self.looks += 1
            except Exception as problem:
                if not isinstance(problem, (OSError, AssertionError)):
                    self.wrong.append("looking at /state: %r" % problem)
            time.sleep(0.15)

    def look(self, state):
        counted, whole = {}, True
        for framework in state["frameworks"]:
            whole = whole and framework["connected"]
            for task in framework["tasks"]:
                if task["state"] in self.LIVE:
                    of_agent = counted.setdefault(task["slave_id"], {"cpus": 0, "mem": 0})
                    of_agent["cpus"] += task["resources"]["cpus"]
                    of_agent["mem"] += task["resources"]["mem"]
        for agent in state["slaves"]:
            for name in ("cpus", "mem"):
                total, used = agent["resources"][name], agent["used_resources"][name]
                tasks = counted.get(agent["id"], {}).get(name, 0)
                if used > total + 0.001 or tasks > total + 0.001:
                    self.wrong.append(
                        "%s of %s: %g in use, %g by tasks, of %g" % (name, agent["id"], used, tasks, total)
                    )
                # A framework that is away may not be listed with all its tasks.
                if whole and abs(used - tasks) > 0.001:
                    self.wrong.append("%s of %s: %g counted as used, tasks use %g" % (name, agent["id"], used, tasks))
