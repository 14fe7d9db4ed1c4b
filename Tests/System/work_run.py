"""Two hundred units of work by work_framework.py in a process of its own, and what came of them."""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import check, equal, eventually  # noqa: E402

UNITS, SECONDS = 200, "1"


class Run:
    """Two hundred units of work by a framework of its own, and what came of them."""

    def __init__(self, cluster, name):
        self.cluster = cluster
        self.directory = os.path.join(cluster.directory, name)
        os.makedirs(os.path.join(self.directory, "runs"))
        self.start()

    def start(self):
        here = os.path.dirname(os.path.abspath(__file__))
        command = [
            sys.executable,
            os.path.join(here, "work_framework.py"),
            self.cluster.master,
            self.directory,
            str(UNITS),
            SECONDS,
            self.cluster.authority,
            self.cluster.administrator,
        ]
        with open(os.path.join(self.directory, "log"), "ab") as output:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        self.cluster.frameworks.append(self.process)

    def journal(self):
        path = os.path.join(self.directory, "journal")
        if not os.path.exists(path):
            return []
        with open(path) as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    def wait_middle(self):
        """Waits until a third has finished and at least ten tasks run: the middle of the work."""

        def middle():
            states = {}
            for entry in self.journal():
                if "update" in entry:
                    states[entry["update"]] = entry["state"]
            done = sum(1 for each in states.values() if each == "TASK_FINISHED")
            return done >= UNITS // 3 and sum(1 for each in states.values() if each == "TASK_RUNNING") >= 10

        eventually(middle, 45, "the middle of the work")
        check(self.process.poll() is None, "the framework ended before the middle")

    def wait_end(self, seconds):
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = "no end within %d s" % seconds
        with open(os.path.join(self.directory, "log"), errors="replace") as file:
            words = file.read().strip().splitlines()[-4:]
        equal(code, 0, "exit of the framework %s" % words)

    def verdict(self):
        """Checks journal and traces: each unit done once, each task ended once, nothing ran that was given up."""
        launched, ends = {}, {}
        for entry in self.journal():
            if "launch" in entry:
                check(entry["launch"] not in launched, "launched twice:", entry["launch"])
                launched[entry["launch"]] = entry
            elif "update" in entry and entry["state"] not in (
                "TASK_STAGING",
                "TASK_STARTING",
                "TASK_RUNNING",
                "TASK_UNREACHABLE",
            ):
                # The same update may come again, and reconciliation repeats a state; another end may not.
                ends.setdefault(entry["update"], []).append(entry)
        wrong, done, again = [], {}, 0
        for task, entry in launched.items():
            starts, finishes = self.trace(task, "starts"), self.trace(task, "ends")
            states = {each["state"] for each in ends.get(task, [])}
            uuids = {each["uuid"] for each in ends.get(task, []) if each["uuid"]}
            if len(states) != 1 or len(uuids) > 1:
                wrong.append("%s ended %d times: %s" % (task, len(states), sorted(states)))
            elif states == {"TASK_FINISHED"}:
                done.setdefault(entry["unit"], []).append(task)
                if (starts, finishes) != (1, 1):
                    wrong.append("%s is finished and started %d, ended %d times" % (task, starts, finishes))
            elif states & {"TASK_FAILED", "TASK_KILLED", "TASK_ERROR"}:
                wrong.append("%s: %s" % (task, {k: ends[task][-1][k] for k in ("state", "reason", "message")}))
            else:
                again += 1
                if starts:
                    wrong.append("%s was said to be %s and ran" % (task, sorted(states)))
        wrong += [
            "unit %d was done %d times" % (unit, len(done.get(unit, [])))
            for unit in range(UNITS)
            if len(done.get(unit, [])) != 1
        ]
        check(not wrong, len(wrong), "faults:", "; ".join(wrong[:8]))
        agents = {}
        for task, entry in launched.items():
            agents[entry["agent"]] = agents.get(entry["agent"], 0) + 1
        print(
            "      %d tasks for %d units over %s agents%s"
            % (
                len(launched),
                UNITS,
                "/".join(map(str, sorted(agents.values()))),
                ", %d never ran" % again if again else "",
            )
        )
        return agents

    def trace(self, task, kind):
        try:
            with open(os.path.join(self.directory, "runs", "%s.%s" % (task, kind))) as file:
                return len(file.readlines())
        except FileNotFoundError:
            return 0
