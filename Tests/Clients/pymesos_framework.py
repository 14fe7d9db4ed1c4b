"""A framework on pymesos' scheduler driver, with what tests need to wait for its callbacks."""

import logging
import os
import time

from pymesos import MesosSchedulerDriver, Scheduler

from harness import Mailbox, need
from mesos_client import TERMINAL, amount, command_task
from wire import get_json, secure

logging.getLogger("pymesos").setLevel(logging.CRITICAL)
MASTER = need("MASTER", "host:port of a running master")
# With a master that asks who is there: a user of its own, and a file with a credential for looking at /state.
PRINCIPAL, SECRET = os.environ.get("MASTER_PRINCIPAL"), os.environ.get("MASTER_SECRET")
if "MASTER_ADMINISTRATOR" in os.environ:
    secure(MASTER, administrator=os.environ["MASTER_ADMINISTRATOR"])


class Recorder(Scheduler):
    """Puts every callback of pymesos into one mailbox, as (name, value)."""

    def __init__(self):
        self.seen = Mailbox()
        self.offers = {}
        self.on_offers = None
        self.on_update = None

    def registered(self, driver, framework_id, master_info):
        self.seen.put(("registered", (framework_id["value"], master_info)))

    def reregistered(self, driver, master_info):
        self.seen.put(("reregistered", master_info))

    def disconnected(self, driver):
        self.seen.put(("disconnected", None))

    def processHeartBeat(self, driver):
        self.seen.put(("heartbeat", time.monotonic()))

    def resourceOffers(self, driver, offers):
        for offer in offers:
            self.offers[offer["id"]["value"]] = offer
        if self.on_offers:
            self.on_offers(offers)
        self.seen.put(("offers", (time.monotonic(), offers)))

    def offerRescinded(self, driver, offer_id):
        self.offers.pop(offer_id["value"], None)
        self.seen.put(("rescinded", offer_id["value"]))

    def statusUpdate(self, driver, status):
        if self.on_update:
            self.on_update(status)
        self.seen.put(("update", status))

    def slaveLost(self, driver, agent_id):
        self.seen.put(("lost", agent_id["value"]))

    def error(self, driver, message):
        self.seen.put(("error", message))
        # As a real framework does: it has been replaced, so it must not subscribe again.
        driver.stop(failover=True)


class Framework:
    """A pymesos driver with its recorder, to be used in `with`; leaving tears the framework down."""

    def __init__(self, name, explicit=False, capabilities=(), framework_id=None, failover_timeout=60.0, **info):
        self.recorder = Recorder()
        self.seen = self.recorder.seen
        described = {"user": "root", "name": name, "failover_timeout": failover_timeout}
        described["capabilities"] = [{"type": each} for each in capabilities]
        described.update(info)
        if framework_id:
            described["id"] = {"value": framework_id}
        self.driver = MesosSchedulerDriver(
            self.recorder, described, MASTER, implicit_acknowledgements=not explicit, principal=PRINCIPAL, secret=SECRET
        )

    def __enter__(self):
        self.driver.start()
        self.wait("registered", "reregistered", seconds=15)
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, failover=False):
        self.driver.stop(failover)
        self.driver.join()

    @property
    def id(self):
        return self.driver.framework_id

    def wait(self, *kinds, seconds=15, since=0, wanted=None):
        """Waits for a callback of one of the kinds (whose value is as wanted); returns its value."""

        def look(items):
            for kind, value in items[since:]:
                if kind in kinds and (wanted is None or wanted(value)):
                    return (kind, value)

        return self.seen.wait(look, seconds, "/".join(kinds))[1]

    def offers(self, seconds=20, wanted=None, what="offers"):
        """Waits until the offers in hand satisfy `wanted` (default: there are some); returns them as a list."""
        found = []

        def look(_):
            found[:] = list(self.recorder.offers.values())
            return wanted(found) if wanted else found

        self.seen.wait(look, seconds, what)
        return list(found)

    def big_offer(self, cpus=0.5):
        """An offer with at least so many cpus."""

        def enough(offers):
            return any(amount(each["resources"], "cpus") >= cpus for each in offers)

        offers = self.offers(wanted=enough, what="offer of %g cpus" % cpus)
        return max(offers, key=lambda each: amount(each["resources"], "cpus"))

    def take(self, *offers):
        """Takes offers out of hand and returns their ids."""
        for each in offers:
            self.recorder.offers.pop(each["id"]["value"], None)
        return [each["id"] for each in offers]

    def run(self, task_id, command, **more):
        """Launches one task on the next fitting offer."""
        offer = self.big_offer(more.get("cpus", 0.1))
        task = command_task(task_id, offer["agent_id"]["value"], command, **more)
        self.driver.launchTasks(self.take(offer), [task], {"refuse_seconds": 0})
        return task

    def decline(self, offers, refuse_seconds):
        self.driver.declineOffer(self.take(*offers), {"refuse_seconds": refuse_seconds})

    def statuses(self, task_id=None):
        return [
            value
            for kind, value in self.seen.items
            if kind == "update" and task_id in (None, value["task_id"]["value"])
        ]

    def wait_state(self, task_id, *states, seconds=20, since=0):
        states = states or TERMINAL

        def wanted(status):
            return status["task_id"]["value"] == task_id and status["state"] in states

        return self.wait("update", seconds=seconds, since=since, wanted=wanted)


def state_of(framework_id):
    """The framework as /state has it: ("frameworks" or "completed_frameworks", the object), or None."""
    state = get_json(MASTER, "/state")
    for part in ("frameworks", "completed_frameworks"):
        for each in state[part]:
            if each["id"] == framework_id:
                return part, each


def agents_at_rest():
    """Whether nothing is used on any agent."""
    return all(each["used_resources"]["cpus"] == 0 for each in get_json(MASTER, "/slaves")["slaves"])


def agent_ids():
    return {each["id"] for each in get_json(MASTER, "/slaves")["slaves"] if each["active"]}
