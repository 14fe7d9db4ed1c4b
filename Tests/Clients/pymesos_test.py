"""Drives a running server with pymesos, unmodified: its scheduler driver and its operator drivers.

    MASTER=127.0.0.1:5050 .build/clients/bin/python Tests/Clients/pymesos_test.py [WORD ...]

Needs the environment of setup.sh, and a cluster with at least two agents and nothing else running on it. Every wait
ends with an event or fails at a deadline; only where a filter's time itself is tested does a clock decide.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time

from harness import Failed, check, equal, eventually, main, test, within
from mesos_client import TERMINAL, amount, command_task
from pymesos_framework import Framework, agent_ids, agents_at_rest, state_of

HOUR = 3600.0


@test
def registration():
    """a framework registers and is told its id and a version that clients can parse"""
    with Framework("registration") as one:
        framework_id, master = one.wait("registered")
        check(framework_id, "the framework id is empty")
        check(all(part.isdigit() for part in master["version"].split(".")), "version is", master["version"])
        one.wait("heartbeat", seconds=5)
        where, state = eventually(lambda: state_of(framework_id), 5, "the framework in /state")
        equal(
            (where, state["name"], state["active"], state["connected"]),
            ("frameworks", "registration", True, True),
            "the framework in /state",
        )


@test
def offer_fields():
    """offers name agent, framework, address and allocated resources"""
    with Framework("offer-fields") as one:
        offers = one.offers(wanted=lambda offers: {o["agent_id"]["value"] for o in offers} >= agent_ids())
        for offer in offers:
            names = {each["name"]: each for each in offer["resources"]}
            at = offer.get("url", {}).get("address", {})
            within(
                [
                    (offer["framework_id"]["value"] == one.id, "framework_id is %r" % offer["framework_id"]),
                    (offer.get("hostname"), "no hostname"),
                    (at.get("ip") and at.get("port"), "url.address is %r" % at),
                    ({"cpus", "mem", "disk", "ports"} <= set(names), "resources are %s" % sorted(names)),
                    (
                        offer.get("allocation_info", {}).get("role") == "*",
                        "allocation_info %r" % offer.get("allocation_info"),
                    ),
                    (
                        all(each.get("allocation_info", {}).get("role") == "*" for each in offer["resources"]),
                        "a resource without allocation_info",
                    ),
                    (
                        names.get("ports", {}).get("type") == "RANGES" and names["ports"]["ranges"]["range"],
                        "ports have no range",
                    ),
                    (amount(offer["resources"], "cpus") > 0, "no cpus"),
                ],
                "offer %s" % offer["id"]["value"],
            )


# Fifty tasks of five kinds: what to run, how it must end, and what the last status' message must hold.
KINDS = [
    ("true", "TASK_FINISHED", ""),
    (
        ["/bin/sh", "-c", 'test "$0" = one && test $# = 2 && test "$2" = \'with space\'', "one", "two", "with space"],
        "TASK_FINISHED",
        "",
    ),
    ("exit 3", "TASK_FAILED", "3"),
    ('test "$GREETING" = \'hello world\' && test "$PWD" -ef "$MESOS_SANDBOX"', "TASK_FINISHED", ""),
    ("kill -9 $$", "TASK_FAILED", "Killed"),
]


def run_fifty(one, acknowledge):
    """Launches fifty tasks of all kinds over whatever offers come; returns when all have ended."""
    waiting = [("task-%02d" % number,) + KINDS[number % len(KINDS)] for number in range(50)]
    wanted = {name: (state, words) for name, _, state, words in waiting}
    agents = set()

    # The driver's thread and this one both bring offers; each offer is used once.
    turn = threading.Lock()

    def use(offers):
        with turn:
            for offer in offers:
                if offer["id"]["value"] in one.recorder.offers:
                    spend(offer)

    def spend(offer):
        tasks = []
        room = min(amount(offer["resources"], "cpus") / 0.1, amount(offer["resources"], "mem") / 32)
        # Few at a time, so that the work spreads over the agents and over several rounds of offers.
        while waiting and len(tasks) < min(int(room + 1e-6), 5):
            name, command, _, _ = waiting.pop(0)
            environment = {"GREETING": "hello world"}
            tasks.append(command_task(name, offer["agent_id"]["value"], command, environment=environment))
        if tasks:
            agents.add(offer["agent_id"]["value"])
        one.driver.launchTasks(one.take(offer), tasks, {"refuse_seconds": 0 if waiting else HOUR})

    one.recorder.on_offers = use
    one.recorder.on_update = acknowledge
    one.driver.reviveOffers()
    use(list(one.recorder.offers.values()))

    def ended(items):
        names = {v["task_id"]["value"] for k, v in items if k == "update" and v["state"] in TERMINAL}
        return names >= set(wanted)

    one.seen.wait(ended, 60, "end of all fifty tasks")
    for name, (state, words) in sorted(wanted.items()):
        statuses = one.statuses(name)
        states = list(dict.fromkeys(each["state"] for each in statuses))
        last = statuses[-1]
        within(
            [
                (last["state"] == state, "ended %s (%s), not %s" % (last["state"], last.get("message"), state)),
                (states[:-1] == ["TASK_STARTING", "TASK_RUNNING"], "went through %s" % states),
                (words in last.get("message", ""), "message %r does not tell %r" % (last.get("message"), words)),
                (
                    state != "TASK_FAILED" or last.get("reason") == "REASON_COMMAND_EXECUTOR_FAILED",
                    "reason %r" % last.get("reason"),
                ),
                (all(each.get("uuid") for each in statuses), "a status without uuid"),
                (last.get("executor_id", {}).get("value") == name, "executor_id %r" % last.get("executor_id")),
                (last.get("agent_id", {}).get("value") in agents, "agent_id %r" % last.get("agent_id")),
                (
                    last.get("container_status", {}).get("container_id", {}).get("value"),
                    "no container_status.container_id",
                ),
                (abs(last.get("timestamp", 0) - time.time()) < 120, "timestamp %r" % last.get("timestamp")),
            ],
            name,
        )
    return agents


@test
def fifty_explicit():
    """fifty tasks of all kinds run and end as they should, acknowledged explicitly"""
    with Framework("fifty-explicit", explicit=True) as one:
        agents = run_fifty(one, one.driver.acknowledgeStatusUpdate)
        equal(agents, agent_ids(), "the agents that got work")
        eventually(
            lambda: not state_of(one.id)[1]["tasks"], 10, "no live task in /state after the last acknowledgement"
        )
        equal(len(state_of(one.id)[1]["completed_tasks"]), 50, "completed tasks in /state")
        eventually(agents_at_rest, 5, "no resource used after the last task")


@test
def fifty_implicit():
    """fifty tasks run with the driver's own acknowledgements"""
    with Framework("fifty-implicit") as one:
        run_fifty(one, None)
        seen = [each["uuid"] for each in one.statuses()]
        equal(len(seen), len(set(seen)), "acknowledged updates are not sent again; distinct uuids")


@test
def resent():
    """an update without acknowledgement holds back the next and is sent again, the same, after ten seconds"""
    with Framework("resent", explicit=True) as one:
        one.run("held", "true")
        first = one.wait_state("held", "TASK_STARTING", "TASK_RUNNING")
        mark, sent = one.seen.mark(), time.monotonic()
        again = one.wait_state("held", first["state"], seconds=15, since=mark)
        waited = time.monotonic() - sent
        check(8.5 <= waited <= 13, "resent after %.1f s, not 10" % waited)
        equal((again["uuid"], again["timestamp"]), (first["uuid"], first["timestamp"]), "uuid and time of the copy")
        equal(
            {each["state"] for each in one.statuses("held")}, {first["state"]}, "states told before the acknowledgement"
        )
        one.recorder.on_update = one.driver.acknowledgeStatusUpdate
        one.driver.acknowledgeStatusUpdate(first)
        one.wait_state("held", "TASK_FINISHED", seconds=8)


@test
def kill():
    """a kill ends a running task as TASK_KILLED, through TASK_KILLING for those who know it"""
    for capabilities in ((), ("TASK_KILLING_STATE",)):
        with Framework("kill", capabilities=capabilities) as one:
            one.run("victim", "sleep 1000")
            one.wait_state("victim", "TASK_RUNNING")
            one.driver.killTask({"value": "victim"})
            one.wait_state("victim", "TASK_KILLED", seconds=10)
            killing = any(each["state"] == "TASK_KILLING" for each in one.statuses("victim"))
            equal(killing, bool(capabilities), "TASK_KILLING was told")
    eventually(agents_at_rest, 5, "no resource used after the kills")


@test
def kill_stubborn():
    """a task that ignores SIGTERM is ended when its grace period is over, with all its children"""
    with Framework("kill-stubborn") as one:
        policy = {"grace_period": {"nanoseconds": 1000000000}}
        with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
            # TASK_RUNNING says that the shell started, not that it has come as far as ignoring anything.
            ready = os.path.join(directory, "ready")
            script = "trap '' TERM; : >%s; sleep 1000 & while :; do sleep 1000; done" % ready
            one.run("stubborn", script, kill_policy=policy)
            one.wait_state("stubborn", "TASK_RUNNING")
            eventually(lambda: os.path.exists(ready), 10, "the task's trap")
        started = time.monotonic()
        one.driver.killTask({"value": "stubborn"})
        one.wait_state("stubborn", "TASK_KILLED", seconds=10)
        waited = time.monotonic() - started
        check(0.9 <= waited < 3, "a grace period of 1 s took %.1f s" % waited)


@test
def kill_unknown():
    """a kill of an unknown task is answered like its reconciliation"""
    for capabilities, state in (((), "TASK_LOST"), (("PARTITION_AWARE",), "TASK_UNKNOWN")):
        with Framework("kill-unknown", capabilities=capabilities) as one:
            one.driver.killTask({"value": "nobody"})
            status = one.wait_state("nobody", state, seconds=10)
            check("uuid" not in status, "a status of the master's own has a uuid")


@test
def decline_filter():
    """a declined agent is not offered before refuse_seconds are over, and is after"""
    with Framework("decline-filter") as one:
        offers = one.offers(wanted=lambda offers: {o["agent_id"]["value"] for o in offers} >= agent_ids())
        target = offers[0]["agent_id"]["value"]
        filtered = [each for each in offers if each["agent_id"]["value"] == target]
        others = [each for each in offers if each["agent_id"]["value"] != target]
        mark = one.seen.mark()
        refuse = 4.0
        began = time.monotonic()
        one.decline(filtered, refuse)
        one.decline(others, 0)

        def offered(agents):
            def look(value):
                return any(offer["agent_id"]["value"] in agents for offer in value[1])

            return look

        # The other agents come again at once, which also shows that allocation goes on meanwhile.
        at, _ = one.wait("offers", since=mark, wanted=offered({o["agent_id"]["value"] for o in others}), seconds=refuse)
        check(at - began < refuse - 0.5, "an agent declined for 0 s came back after %.1f s" % (at - began))
        at, _ = one.wait("offers", since=mark, wanted=offered({target}), seconds=refuse + 6)
        check(at - began >= refuse - 0.05, "the filtered agent was offered after %.2f s of %.0f" % (at - began, refuse))


@test
def default_filter():
    """what an accept leaves over is filtered for five seconds when it names no filter"""
    with Framework("default-filter") as one:
        offer = one.big_offer(0.2)
        agent = offer["agent_id"]["value"]
        others = [each for each in one.recorder.offers.values() if each is not offer]
        if others:
            one.decline(others, HOUR)
        mark, began = one.seen.mark(), time.monotonic()
        one.driver.launchTasks(one.take(offer), [command_task("short", agent, "sleep 1000", cpus=0.1)])

        def same_agent(value):
            return any(each["agent_id"]["value"] == agent for each in value[1])

        at, _ = one.wait("offers", since=mark, wanted=same_agent, seconds=12)
        check(4.9 <= at - began <= 9, "the rest was offered after %.1f s, not 5" % (at - began))


@test
def suppress():
    """a suppressed framework gets no offers until it revives, which also clears filters"""
    with Framework("suppress") as one:
        offers = one.offers(wanted=lambda offers: {o["agent_id"]["value"] for o in offers} >= agent_ids())
        one.driver.suppressOffers()
        one.decline(offers[:1], 0)
        one.decline(offers[1:], HOUR)
        mark = one.seen.mark()
        try:
            one.wait("offers", since=mark, seconds=3)
            raise AssertionError("offers came to a suppressed framework")
        except Failed:
            pass
        one.driver.reviveOffers()
        one.offers(
            wanted=lambda offers: {o["agent_id"]["value"] for o in offers} >= agent_ids(),
            seconds=4,
            what="offers of all agents, filtered for an hour, after revive",
        )


@test
def failover():
    """a second driver with the same id takes over: the first gets ERROR, tasks go on"""
    with Framework("failover", explicit=True) as one:
        one.recorder.on_update = one.driver.acknowledgeStatusUpdate
        framework_id = one.id
        one.run("survivor", "sleep 1000")
        one.wait_state("survivor", "TASK_RUNNING")
        second = subprocess.Popen(
            [sys.executable, __file__, "--second", framework_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            first_line = read_line(second, 20, "the second driver's registration")
            equal(first_line, {"event": "reregistered", "id": framework_id}, "what the second driver saw first")
            equal(one.wait("error", seconds=10), "Framework failed over", "the first driver's ERROR")
            equal(
                read_line(second, 15, "reconciliation"),
                {"event": "update", "task": "survivor", "state": "TASK_RUNNING"},
                "the second driver's view of the task",
            )
            equal(
                read_line(second, 15, "kill"),
                {"event": "update", "task": "survivor", "state": "TASK_KILLED"},
                "the end of the task under its second driver",
            )
            second.stdin.close()
            equal(second.wait(20), 0, "exit of the second driver")
        finally:
            if second.poll() is None:
                second.kill()
                second.wait()
        eventually(lambda: state_of(framework_id)[0] == "completed_frameworks", 5, "torn down by the second driver")


def read_line(process, seconds, what):
    lines = []
    reader = threading.Thread(target=lambda: lines.append(process.stdout.readline()), daemon=True)
    reader.start()
    reader.join(seconds)
    check(lines and lines[0], "no line about", what, "within", seconds, "s; exit", process.poll())
    return json.loads(lines[0])


def second_driver(framework_id):
    """The other process of the failover test: takes over, reconciles, kills, tears down."""

    def tell(**line):
        print(json.dumps(line), flush=True)

    with Framework("failover", framework_id=framework_id) as two:
        two.wait("reregistered")
        tell(event="reregistered", id=two.id)
        two.driver.reconcileTasks([])
        two.wait_state("survivor", "TASK_RUNNING")
        tell(event="update", task="survivor", state="TASK_RUNNING")
        two.driver.killTask({"value": "survivor"})
        two.wait_state("survivor", "TASK_KILLED")
        tell(event="update", task="survivor", state="TASK_KILLED")
        sys.stdin.read()


@test
def comes_back():
    """a framework that went away comes back with its id within failover_timeout and finds its tasks"""
    one = Framework("comes-back", failover_timeout=60.0)
    with_id = None
    try:
        one.__enter__()
        with_id = one.id
        one.run("waiting", "sleep 1000")
        one.wait_state("waiting", "TASK_RUNNING")
    finally:
        one.stop(failover=True)
    eventually(lambda: not state_of(with_id)[1]["connected"], 10, "connected:false after the stream ended")
    where, state = state_of(with_id)
    equal((where, state["active"]), ("frameworks", False), "the framework while it is away")
    with Framework("comes-back", framework_id=with_id) as two:
        two.wait("reregistered")
        two.driver.reconcileTasks([])
        two.wait_state("waiting", "TASK_RUNNING")


@test
def stays_away():
    """a framework away for longer than failover_timeout is removed with its tasks, and refused for good"""
    one = Framework("stays-away", failover_timeout=0.5)
    try:
        one.__enter__()
        framework_id = one.id
        one.run("doomed", "sleep 1000")
        one.wait_state("doomed", "TASK_RUNNING")
    finally:
        one.stop(failover=True)
    eventually(lambda: state_of(framework_id)[0] == "completed_frameworks", 10, "removal after failover_timeout")
    eventually(agents_at_rest, 10, "end of the removed framework's task")
    two = Framework("stays-away", framework_id=framework_id)
    two.driver.start()
    try:
        equal(two.wait("error", seconds=15), "Framework has been removed", "the answer to a removed framework")
    finally:
        two.stop(failover=True)


@test
def reconcile():
    """reconciliation tells of running, all and unknown tasks, from the master, without uuid"""
    for capabilities, unknown in (((), "TASK_LOST"), (("PARTITION_AWARE",), "TASK_UNKNOWN")):
        with Framework("reconcile", capabilities=capabilities) as one:
            one.run("live", "sleep 1000")
            one.wait_state("live", "TASK_RUNNING")
            for asked in ([{"task_id": {"value": "live"}}], []):
                mark = one.seen.mark()
                one.driver.reconcileTasks(asked)
                status = one.wait_state("live", "TASK_RUNNING", since=mark)
                equal(
                    (status.get("source"), status.get("reason"), status.get("uuid")),
                    ("SOURCE_MASTER", "REASON_RECONCILIATION", None),
                    "source, reason and uuid",
                )
            one.driver.reconcileTasks([{"task_id": {"value": "never-seen"}}])
            status = one.wait_state("never-seen", unknown)
            equal(status.get("reason"), "REASON_RECONCILIATION", "reason of an unknown task")


@test
def teardown():
    """teardown kills the framework's tasks and gives everything back"""
    with Framework("teardown") as one:
        framework_id = one.id
        one.run("last", "sleep 1000")
        one.wait_state("last", "TASK_RUNNING")
    where, state = eventually(lambda: state_of(framework_id), 5, "the framework in /state")
    equal((where, state["active"]), ("completed_frameworks", False), "the framework after teardown")
    eventually(agents_at_rest, 10, "no resource used after teardown")
    tasks = [each for each in state_of(framework_id)[1]["completed_tasks"] if each["id"] == "last"]
    check(tasks and tasks[0]["state"] == "TASK_KILLED", "the task after teardown:", tasks)


@test
def calls_without_effect():
    """messages, shutdowns, requests and the calls of later features are received"""
    with Framework("no-effect") as one:
        agent, executor = {"value": sorted(agent_ids())[0]}, {"value": "nobody"}
        one.driver.sendFrameworkMessage(executor, agent, "aGVsbG8=")
        one.driver.requestResources([])
        one.driver._send(
            {
                "type": "SHUTDOWN",
                "framework_id": {"value": one.id},
                "shutdown": {"executor_id": executor, "agent_id": agent},
            }
        )
        one.driver.acceptInverseOffers([{"value": "none"}])
        one.driver.declineInverseOffer([{"value": "none"}])
        one.driver.reconcileOperations([])
        one.run("after", "true")
        one.wait_state("after", "TASK_FINISHED")


import pymesos_refusals  # noqa: E402,F401  Their tests follow these.
import pymesos_operator  # noqa: E402,F401

if __name__ == "__main__":
    if sys.argv[1:2] == ["--second"]:
        second_driver(sys.argv[2])
    else:
        main()
