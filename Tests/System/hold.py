"""What must hold while parts of a cluster are lost: forty instances under load on three nodes.

    python3 Tests/System/hold.py path/to/rondo [WORD ...]

Needs root, iproute2, nft, busybox-static, docker-registry and skopeo: the machines are network namespaces, each with a
registry on its loopback. After each loss the instances are counted by what the master says and by the processes that
there are, and what exists on the machines is compared with what runs.
"""

import os
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hold_cluster import Client, Hold, Wrk, kill, parent, web  # noqa: E402
from harness import TESTS, at_end, check, equal, finish, run_tests, test  # noqa: E402

COUNT = 40
APP = "/hold"


class Load:
    """Clients on all machines for as long as a `with` lasts."""

    def __init__(self, pause=0.02):
        self.pause = pause

    def __enter__(self):
        self.clients = [Client(hold, number, "hold", self.pause) for number in (1, 2)]
        return self

    def __exit__(self, *_):
        for each in self.clients:
            each.stop()
        self.count = sum(each.count for each in self.clients)
        self.failed = [words for each in self.clients for words in each.failed]


def heals(what, victims, began, load=None):
    """Waits until all instances are there again and nothing else is. Returns the tasks."""
    tasks = hold.well(APP, COUNT, without=victims)
    took = time.monotonic() - began
    hold.one_each(tasks)
    hold.at_rest(tasks)
    print("      %s: %d instances again after %.1f s, nothing else after %.1f s" % (
        what, COUNT, took, time.monotonic() - began))
    return tasks


@test
def formation():
    """three nodes pull an image from a registry and run forty instances"""
    hold.begin()
    for number in (1, 2, 3):
        hold.start_registry(number)
    hold.push("true")
    began = time.monotonic()
    hold.deploy("POST", "/v2/apps", web(APP, COUNT, hold.marker, constraints=[["hostname", "MAX_PER", "25"]]))
    tasks = hold.well(APP, COUNT)
    print("      %d healthy instances after %.1f s" % (COUNT, time.monotonic() - began))
    hold.one_each(tasks)
    hold.at_rest(tasks)
    equal({each["host"] for each in tasks.values()}, {"node1", "node2", "node3"}, "nodes in use")
    with Load() as load:
        time.sleep(2)
    check(load.count > 20 and not load.failed, load.count, "pages,", len(load.failed), "failures", load.failed[:3])
    print("      %d pages by name while nothing happened" % load.count)


@test
def a_rolling_update():
    """no request fails while an app with health checks is updated with one spare instance"""
    more = {"upgradeStrategy": {"minimumHealthCapacity": 1.0, "maximumOverCapacity": 0.25}}
    hold.deploy("POST", "/v2/apps", web("/roll", 4, hold.marker, **more))
    before = hold.well("/roll", 4)
    clients = [Client(hold, number, "roll", 0.01) for number in (1, 2, 3)] + [Wrk(hold, 1, "roll")]
    try:
        began = time.monotonic()
        hold.deploy("PUT", "/v2/apps/roll", {"env": {"HOLD": hold.marker, "VERSION": "2"}})
        hold.well("/roll", 4, without=before, seconds=140)
        took = time.monotonic() - began
    finally:
        for each in clients:
            each.stop()
    pages = [sum(each.pages.get("version %d" % number, 0) for each in clients[:3]) for number in (1, 2)]
    print("      4 instances replaced in %.1f s: %d + %d pages and %d requests of wrk, %d failures" % (
        took, *pages, clients[3].count, sum(len(each.failed) for each in clients)))
    wrong = [words for each in clients for words in each.failed]
    check(not wrong, len(wrong), "requests failed:", "; ".join(wrong[:6]))
    check(min(pages) > 10 and clients[3].count > 10, "too few pages")
    hold.deploy("DELETE", "/v2/apps/roll", None)
    tasks = hold.well(APP, COUNT)
    hold.one_each(tasks)
    hold.at_rest(tasks)


@test
def a_container_is_killed():
    """a container whose first process is killed is replaced, and nothing of it is left"""
    pid, victim = sorted(hold.census().items())[0]
    with Load():
        began = time.monotonic()
        kill(pid)
        heals("killed container", [victim], began)


@test
def a_monitor_is_killed():
    """a container whose monitor is killed ends, is replaced, and nothing of it is left"""
    pid, victim = sorted(hold.census().items())[1]
    with Load():
        began = time.monotonic()
        kill(parent(pid))
        heals("killed monitor", [victim], began)


def goes_on(what, machine, before):
    """Kills a machine's process and starts it again: most instances live on."""
    check(before, "nothing runs there")
    with Load():
        began = time.monotonic()
        machine.kill()
        machine.start(machine.command)
        hold.await_agents()
        same = before & set(heals(what, [], began))
    print("      %d of %d instances are the same" % (len(same), len(before)))
    check(len(same) > len(before) / 2, "only", len(same), "of", len(before), "instances went on")


@test
def an_agent_is_killed():
    """instances go on while their agent is killed and started again"""
    before = {key for key, each in hold.well(APP, COUNT).items() if each["host"] == "node2"}
    goes_on("killed agent", hold.machines[1], before)


@test
def an_agent_stays_away():
    """instances of an agent that stays away are replaced, and end when it comes back"""
    second = hold.machines[1]
    before = {key for key, each in hold.well(APP, COUNT).items() if each["host"] == "node2"}
    check(before, "nothing runs on node2")
    with Load():
        began = time.monotonic()
        second.kill()
        after = hold.well(APP, COUNT, without=before)
        print("      %d instances replaced after %.1f s" % (len(before), time.monotonic() - began))
        check(set(hold.census().values()) >= set(after), "what replaces them does not run")
        began = time.monotonic()
        second.start(second.command)
        hold.await_agents()
        heals("agent that was away", before, began)


@test
def the_master_is_killed():
    """instances go on while the master is killed and started again"""
    goes_on("killed master", hold.machines[0], set(hold.well(APP, COUNT)))


@test
def a_node_is_lost():
    """instances of a machine that is gone are replaced, and when it is back it has nothing of them"""
    third = hold.machines[2]
    before = {key for key, each in hold.well(APP, COUNT).items() if each["host"] == "node3"}
    check(before, "nothing runs on node3")
    with Load():
        began = time.monotonic()
        hold.tear_down(third)
        after = hold.well(APP, COUNT, without=before)
        print("      %d instances replaced after %.1f s" % (len(before), time.monotonic() - began))
        equal({each["host"] for each in after.values()}, {"node1", "node2"}, "nodes in use")
        began = time.monotonic()
        hold.set_up(third)
        hold.await_agents()
        heals("node that was lost", before, began)


@test
def the_end():
    """an app that is removed leaves nothing on any machine"""
    hold.deploy("DELETE", "/v2/apps" + APP, None)
    hold.one_each({}, 60)
    hold.at_rest({})
    for each in reversed(hold.machines):
        problem = each.stop()
        check(not problem, problem)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    hold = Hold(sys.argv[1])
    at_end(hold.end)
    try:
        hold.create()
        result = run_tests(TESTS, sys.argv[2:], 170)
        hold.watch.stopped = True
    except BaseException:
        hold.end()
        raise
    finish(*result)
