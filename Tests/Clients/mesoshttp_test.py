"""Drives a running server with mesoshttp, unmodified: a client that reads the stream by lines and counts characters.

    MASTER=127.0.0.1:5050 .build/clients/bin/python Tests/Clients/mesoshttp_test.py [WORD ...]

It handles an event only when the next one has begun, up to a heartbeat (15 s) later; a question twice a second about a
task that nobody knows keeps the stream moving.
"""

import logging
import threading

from mesoshttp.client import MesosClient

from harness import Mailbox, check, equal, eventually, main, need, test
from mesos_client import TERMINAL, amount, command_task
from wire import get_json

logging.getLogger("mesoshttp").setLevel(logging.CRITICAL)
logging.getLogger("mesoshttp.client").setLevel(logging.CRITICAL)
MASTER = need("MASTER", "host:port of a running master")
PATIENCE = 20


class Framework:
    """A mesoshttp client whose callbacks end up in a mailbox as (name, value)."""

    def __init__(self, name):
        self.seen = Mailbox()
        self.client = MesosClient(["http://" + MASTER], frameworkName=name, max_reconnect=1)
        self.client.set_failover_timeout(60)
        self.client.add_capability("TASK_KILLING_STATE")
        for kind in (
            MesosClient.SUBSCRIBED,
            MesosClient.OFFERS,
            MesosClient.UPDATE,
            MesosClient.ERROR,
            MesosClient.HEARTBEAT,
        ):
            self.client.on(kind, self.putter(kind))

    def putter(self, kind):
        def put(value):
            self.seen.put((kind, value))

        return put

    def __enter__(self):
        threading.Thread(target=self.client.register, daemon=True).start()
        self.driver = self.wait(MesosClient.SUBSCRIBED)
        self.over = threading.Event()
        threading.Thread(target=self.nudge, daemon=True).start()
        return self

    def nudge(self):
        while not self.over.wait(0.5):
            self.driver.reconcile([{"task_id": {"value": "nudge"}}])

    def __exit__(self, *_):
        self.over.set()
        self.client.stop = True
        self.driver.tearDown()

    def wait(self, kind, wanted=lambda value: True, since=0):
        def look(items):
            return [value for name, value in items[since:] if name == kind and wanted(value)]

        return self.seen.wait(look, PATIENCE, kind)[0]

    def big(self, offers):
        """The first offer with room for the tests' tasks."""
        return next((each for each in offers if amount(each.get_offer()["resources"], "cpus") >= 0.3), None)

    def wait_state(self, task_id, *states):
        def wanted(update):
            status = update["status"]
            return status["task_id"]["value"] == task_id and status["state"] in states

        return self.wait(MesosClient.UPDATE, wanted)["status"]


@test
def whole_life():
    """a mesoshttp framework subscribes, runs tasks, kills, reconciles and tears down"""
    with Framework("mesoshttp") as one:
        check(one.client.frameworkId, "no framework id")
        check(one.client.get_master_info(), "no master info")
        offer = one.big(one.wait(MesosClient.OFFERS, one.big))
        agent = offer.get_offer()["agent_id"]["value"]
        # Without slave_id the client adds one itself, beside agent_id.
        tasks = [
            command_task("h-true", agent, "true"),
            command_task("h-three", agent, "exit 3"),
            command_task("h-sleep", agent, "sleep 1000"),
        ]
        offer.accept(tasks)
        one.wait_state("h-sleep", "TASK_RUNNING")
        one.driver.kill(agent, "h-sleep")
        equal(one.wait_state("h-true", *TERMINAL)["state"], "TASK_FINISHED", "state of 'true'")
        equal(one.wait_state("h-three", *TERMINAL)["state"], "TASK_FAILED", "state of 'exit 3'")
        equal(one.wait_state("h-sleep", *TERMINAL)["state"], "TASK_KILLED", "state of the task killed")
        one.driver.reconcile([{"task_id": {"value": "h-unknown"}}])
        equal(one.wait_state("h-unknown", "TASK_LOST")["reason"], "REASON_RECONCILIATION", "reason of an unknown task")
        framework_id = one.client.frameworkId
    eventually(
        lambda: framework_id in {each["id"] for each in get_json(MASTER, "/frameworks")["completed_frameworks"]},
        5,
        "the framework among the completed",
    )


if __name__ == "__main__":
    main()
