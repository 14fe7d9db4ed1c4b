"""Tests of launches that are refused, and of offers for several roles, with pymesos. Run by pymesos_test.py."""

import re

from harness import check, equal, eventually, test
from mesos_client import amount, command_task
from pymesos_framework import Framework, agents_at_rest


def refused(one, task_id, change, cpus=0.1):
    """Launches a task changed by `change(task, offer)`, which must come back as TASK_ERROR; returns the status."""
    offer = one.big_offer()
    task = command_task(task_id, offer["agent_id"]["value"], "true", cpus=cpus)
    change(task, offer)
    one.driver.launchTasks(one.take(offer), [task], {"refuse_seconds": 0})
    status = one.wait_state(task["task_id"]["value"], "TASK_ERROR", seconds=10)
    equal((status.get("source"), status.get("uuid")), ("SOURCE_MASTER", None), "source and uuid")
    check(len(status.get("message", "")) > 15, "the message does not explain:", status.get("message"))
    return status


@test
def task_error():
    """tasks that cannot be are TASK_ERROR with a message that names the fault"""
    executor = {"executor_id": {"value": "own"}, "command": {"value": "true"}, "resources": []}
    cases = [
        ("too-big", lambda task, offer: task["resources"][0]["scalar"].update(value=10000.0), "resource|offer|cpus"),
        ("with-executor", lambda task, offer: (task.pop("command"), task.update(executor=executor)), "executor"),
        ("wrong-agent", lambda task, offer: task.update(agent_id={"value": "elsewhere"}), "agent"),
        ("no-resources", lambda task, offer: task.update(resources=[]), "resource"),
        ("sl/ash", lambda task, offer: None, "id|/"),
        ("neither", lambda task, offer: task.pop("command"), "command|executor"),
    ]
    with Framework("task-error") as one:
        for name, change, words in cases:
            status = refused(one, name, change)
            equal(status["reason"], "REASON_TASK_INVALID", "reason of " + name)
            check(re.search(words, status["message"], re.I), name, "is explained with", status["message"])
        eventually(agents_at_rest, 5, "nothing used after refused tasks")


@test
def duplicate_id():
    """a second task with the id of a live one is TASK_ERROR and leaves the first alone"""
    with Framework("duplicate-id") as one:
        one.run("same", "sleep 1000")
        one.wait_state("same", "TASK_RUNNING")
        refused(one, "same", lambda task, offer: None)
        mark = one.seen.mark()
        one.driver.reconcileTasks([])
        one.wait_state("same", "TASK_RUNNING", since=mark)


@test
def task_group():
    """a task group runs, and one that is not as Mesos has them gets the status Mesos gives"""
    with Framework("task-group") as one:
        for names, more in ((("in-group", "beside"), {}), (("refused",), {"command": {"value": "true"}})):
            offer = one.big_offer()
            tasks = [command_task(name, offer["agent_id"]["value"], "true") for name in names]
            executor = {
                "type": "DEFAULT",
                "executor_id": {"value": "pod-of-" + names[0]},
                "framework_id": {"value": one.id},
                "resources": tasks[0]["resources"],
                **more,
            }
            group = {"type": "LAUNCH_GROUP", "launch_group": {"executor": executor, "task_group": {"tasks": tasks}}}
            one.driver.acceptOffers(one.take(offer), [group], {"refuse_seconds": 0})
            for name in names if not more else ():
                one.wait_state(name, "TASK_FINISHED")
        status = one.wait_state("refused", "TASK_ERROR")
        check(status["reason"] in ("REASON_TASK_GROUP_INVALID", "REASON_TASK_INVALID"), "reason", status["reason"])
        check("command" in status.get("message", ""), "message", status.get("message"))
        one.big_offer()


@test
def over_accept():
    """of tasks that together ask for more than the offer, those that fit run and the rest are TASK_ERROR"""
    with Framework("over-accept") as one:
        offer = one.big_offer()
        agent, whole = offer["agent_id"]["value"], amount(offer["resources"], "cpus")
        tasks = [command_task("fits", agent, "true", cpus=whole), command_task("rest", agent, "true", cpus=whole)]
        one.driver.launchTasks(one.take(offer), tasks, {"refuse_seconds": 0})
        one.wait_state("rest", "TASK_ERROR")
        one.wait_state("fits", "TASK_FINISHED")


@test
def stale_offer():
    """tasks on a used offer are lost, or dropped for the partition-aware, with REASON_INVALID_OFFERS"""
    for capabilities, state in (((), "TASK_LOST"), (("PARTITION_AWARE",), "TASK_DROPPED")):
        with Framework("stale-offer", capabilities=capabilities) as one:
            offer = one.big_offer()
            agent = offer["agent_id"]["value"]
            one.decline([offer], 0)
            unknown = {"value": "no-such-offer"}
            for name, ids in (("used", [offer["id"]]), ("unknown", [unknown])):
                one.driver.launchTasks(ids, [command_task(name, agent, "true")])
                status = one.wait_state(name, state, seconds=10)
                equal(
                    (status.get("reason"), status.get("source"), status.get("uuid")),
                    ("REASON_INVALID_OFFERS", "SOURCE_MASTER", None),
                    "reason, source and uuid",
                )
                check(len(status.get("message", "")) > 15, "the message does not explain:", status.get("message"))


@test
def one_bad_offer_spoils_all():
    """an accept that names one valid and one unknown offer launches nothing and gives the valid one back"""
    with Framework("spoilt") as one:
        offer = one.big_offer()
        mark = one.seen.mark()
        ids = one.take(offer) + [{"value": "no-such-offer"}]
        task = command_task("spoilt", offer["agent_id"]["value"], "true")
        one.driver.launchTasks(ids, [task], {"refuse_seconds": 0})
        equal(one.wait_state("spoilt", seconds=10)["reason"], "REASON_INVALID_OFFERS", "reason")
        agent = offer["agent_id"]["value"]
        one.wait("offers", since=mark, wanted=lambda v: any(o["agent_id"]["value"] == agent for o in v[1]), seconds=10)


@test
def roles():
    """a framework with two roles gets offers for each, of one role each, and runs tasks under both"""
    with Framework("roles", capabilities=("MULTI_ROLE",), roles=["red", "blue"]) as one:
        for role in ("red", "blue"):
            # Given back at once, so that both roles get their turn.
            def use(offers, role=role):
                other = [each for each in offers if each["allocation_info"]["role"] != role]
                if other:
                    one.decline(other, 1)

            one.recorder.on_offers = use
            use(list(one.recorder.offers.values()))
            one.driver.reviveOffers()
            offers = one.offers(
                wanted=lambda found: [o for o in found if o["allocation_info"]["role"] == role],
                what="offer for role " + role,
            )
            offer = next(each for each in offers if each["allocation_info"]["role"] == role)
            equal({each["allocation_info"]["role"] for each in offer["resources"]}, {role}, "roles of its resources")
            task = command_task("task-" + role, offer["agent_id"]["value"], "true", cpus=0.1)
            one.driver.launchTasks(one.take(offer), [task], {"refuse_seconds": 0})
            one.wait_state("task-" + role, "TASK_FINISHED")
