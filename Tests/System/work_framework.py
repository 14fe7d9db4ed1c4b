"""A framework that gets units of work done, each exactly once, and may be killed at any moment.

    python3 Tests/System/work_framework.py MASTER DIRECTORY UNITS SECONDS [AUTHORITY ADMINISTRATOR]

AUTHORITY and ADMINISTRATOR are files of the master's data directory: whom to trust, and what to show.

It keeps a journal in DIRECTORY: a launch is written before its ACCEPT, an update before its ACKNOWLEDGE. Started again
with the same DIRECTORY it takes up its framework id, asks what became of what it launched, and goes on. A unit is tried
again, under a new task id, only when the cluster said that the task before it never ran or is lost. Ends with 0 when
every unit has finished.
"""

import json
import os
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from mesos_client import Scheduler, amount, command_task  # noqa: E402
from wire import WireError, secure  # noqa: E402

# States after which the unit is launched anew: the task did not run, or nobody knows it.
AGAIN = {"TASK_DROPPED", "TASK_LOST", "TASK_UNKNOWN", "TASK_GONE", "TASK_GONE_BY_OPERATOR", "TASK_ERROR"}
ENDS = AGAIN | {"TASK_FINISHED", "TASK_FAILED", "TASK_KILLED"}
CPUS, MEM = 0.1, 16


class Journal:
    """Lines of JSON, one write each, so that a killed process leaves whole lines behind."""

    def __init__(self, path):
        self.path = path
        self.file = None

    def read(self):
        if not os.path.exists(self.path):
            return []
        with open(self.path) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def write(self, **entry):
        if self.file is None:
            self.file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        os.write(self.file, json.dumps(entry).encode() + b"\n")


class Work:
    def __init__(self, master, directory, units, seconds):
        self.master, self.directory, self.seconds = master, directory, seconds
        self.journal = Journal(os.path.join(directory, "journal"))
        self.lock = threading.RLock()
        self.framework_id = None
        self.unit_of = {}  # task id -> unit
        self.state_of = {}  # task id -> newest state, None before the first
        self.touched = {}  # task id -> when something was heard or asked last
        self.attempts = {unit: 0 for unit in range(units)}
        self.finished = set()
        self.broken = None
        for entry in self.journal.read():
            if "framework" in entry:
                self.framework_id = entry["framework"]
            elif "launch" in entry:
                self.launched(entry["unit"], entry["launch"])
            elif "update" in entry:
                self.state_of[entry["update"]] = entry["state"]
        self.settle()

    def launched(self, unit, task_id):
        self.unit_of[task_id] = unit
        self.state_of[task_id] = None
        self.touched[task_id] = time.monotonic()
        self.attempts[unit] += 1

    def settle(self):
        """Works out which units wait for a launch."""
        busy = {self.unit_of[task] for task, state in self.state_of.items() if state not in AGAIN}
        self.finished = {self.unit_of[task] for task, state in self.state_of.items() if state == "TASK_FINISHED"}
        self.waiting = [unit for unit in self.attempts if unit not in busy]

    def open_tasks(self):
        return [task for task, state in self.state_of.items() if state not in ENDS]

    # Events

    def identify(self):
        """Writes the framework id down before anything is done under it."""
        with self.lock:
            if self.framework_id is None:
                self.framework_id = self.scheduler.framework_id
                self.journal.write(framework=self.framework_id)

    def use(self, offers):
        self.identify()
        with self.lock:
            for offer in offers:
                room = int(
                    min(amount(offer["resources"], "cpus") / CPUS, amount(offer["resources"], "mem") / MEM) + 1e-6
                )
                tasks = []
                while self.waiting and len(tasks) < min(room, 10):
                    unit = self.waiting.pop(0)
                    task_id = "unit-%03d.%d" % (unit, self.attempts[unit])
                    self.journal.write(launch=task_id, unit=unit, agent=offer["agent_id"]["value"])
                    self.launched(unit, task_id)
                    tasks.append(command_task(task_id, offer["agent_id"]["value"], self.script(task_id), CPUS, MEM))
                try:
                    if tasks:
                        self.scheduler.launch([offer], tasks, 0 if self.waiting else 60)
                    else:
                        self.scheduler.decline([offer], 60)
                except (OSError, WireError):
                    pass  # The stream ends too, or reconciliation tells what became of it.

    def script(self, task_id):
        """One line per start and per end in files of the task's own: what really ran can be counted."""
        return "echo start >>%s/runs/%s.starts; sleep %s; echo end >>%s/runs/%s.ends" % (
            self.directory,
            task_id,
            self.seconds,
            self.directory,
            task_id,
        )

    def update(self, status):
        task_id, state = status["task_id"]["value"], status["state"]
        with self.lock:
            self.journal.write(
                update=task_id,
                state=state,
                uuid=status.get("uuid"),
                reason=status.get("reason"),
                message=status.get("message"),
                agent=status.get("agent_id", {}).get("value"),
            )
            if task_id not in self.state_of:
                self.broken = "an update for %s, which was never launched" % task_id
                return
            if self.state_of[task_id] not in ENDS:
                self.state_of[task_id] = state
            self.touched[task_id] = time.monotonic()
            had = len(self.waiting)
            self.settle()
            if len(self.waiting) > had:
                self.revive = True

    # Life

    def run(self, deadline):
        self.revive = False
        while time.monotonic() < deadline:
            try:
                if self.session(deadline):
                    return 0
            except (OSError, WireError) as problem:
                print("subscribing again: %s" % problem, file=sys.stderr)
                time.sleep(0.2)
            if self.broken:
                break
        print(
            self.broken
            or "not done in time: %d of %d; open %s" % (len(self.finished), len(self.attempts), self.open_tasks()[:10]),
            file=sys.stderr,
        )
        return 1

    def session(self, deadline):
        """One subscription. True when all is done."""
        self.scheduler = Scheduler(
            self.master,
            "work",
            self.framework_id,
            capabilities=["PARTITION_AWARE"],
            checkpoint=True,
            failover_timeout=600.0,
        )
        self.scheduler.on_offers, self.scheduler.on_update = self.use, self.update
        self.scheduler.start()
        self.identify()
        try:
            self.reconcile(0)
            while not self.scheduler.ended.wait(0.1):
                with self.lock:
                    done = len(self.finished) == len(self.attempts) and not self.open_tasks()
                    revive, self.revive = self.revive, False
                if done:
                    self.journal.write(done=True)
                    self.scheduler.stop()
                    return True
                if self.broken or time.monotonic() > deadline:
                    return False
                if revive:
                    self.scheduler.call("REVIVE")
                self.reconcile(3)
            errors = [each for each in self.scheduler.events.items if each["type"] == "ERROR"]
            raise WireError("the stream ended %s %s" % (errors, self.scheduler.problem or ""))
        finally:
            self.scheduler.disconnect()

    def reconcile(self, quiet):
        """Asks about open tasks of which nothing was heard for some seconds."""
        with self.lock:
            now = time.monotonic()
            asked = [task for task in self.open_tasks() if now - self.touched.get(task, 0) >= quiet]
            for task in asked:
                self.touched[task] = now
        if asked:
            self.scheduler.reconcile(asked)


def main():
    master, directory, units, seconds = sys.argv[1:5]
    if len(sys.argv) > 5:
        secure(master, *sys.argv[5:7])
    os.makedirs(os.path.join(directory, "runs"), exist_ok=True)
    code = Work(master, directory, int(units), seconds).run(time.monotonic() + 90)
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
