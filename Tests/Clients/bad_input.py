"""Sends a running server everything it must refuse, and looks whether it is still well afterwards.

    MASTER=127.0.0.1:5050 [SERVER_PID=123] python3 Tests/Clients/bad_input.py [WORD ...]

The table is in bad_cases.py. With SERVER_PID the server's memory and open files are held under a limit as well.
"""

import json
import os
import re
import socket
import sys
import time

from bad_cases import table
from bad_request import CLOSED, ERROR
from harness import Failed, Skipped, check, equal, eventually, main, need, test
from mesos_client import Scheduler, amount, command_task
from wire import Records, Wire, WireError, connect, get_json, open_stream, request

MASTER = need("MASTER", "host:port of a running master")
PID = os.environ.get("SERVER_PID")
# What a server may keep of it all: allocators do not give everything back, and a thread's arena is some MiB.
GROWTH_LIMIT = 64 << 20
# What one framework that does not read may cost while it is flooded, on top of that.
FLOOD_LIMIT = 48 << 20
ONLY = [word for word in os.environ.get("CASES", "").split(",") if word]
before = {}


def memory():
    """The server's resident bytes."""
    with open("/proc/%s/statm" % PID) as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files():
    return len(os.listdir("/proc/%s/fd" % PID))


def note_start():
    """Measures once the server has served a little, so that what it loads lazily does not count."""
    for path in ("/state", "/metrics/snapshot", "/tasks", "/slaves"):
        request(MASTER, "GET", path)
    if PID:
        before.update(memory=memory(), files=open_files())


def judge(sent, statuses, words):
    """Sends one case and says what is wrong with the answer, or None."""
    wire = Wire(connect(MASTER))
    try:
        try:
            wire.send(sent)
        except (ConnectionResetError, BrokenPipeError):
            pass  # It may refuse before all is sent; its answer is still to be read.
        try:
            status, headers = wire.head(6)
            if status == 200 and headers.get("transfer-encoding", "").lower() == "chunked" and b'"SUBSCRIBE"' in sent:
                event = json.loads(Records(wire).next(5) or b"{}")
                if event.get("type") != "ERROR":
                    return "was granted: the first event is %s" % event.get("type")
                found, text = ERROR, event["error"]["message"]
            else:
                found, text = status, body_of(wire, status, headers)
        except socket.timeout:
            return "no answer in time"
        except (OSError, WireError) as error:
            if CLOSED in statuses:
                return None
            return "no answer: %s" % error
    finally:
        wire.close()
    if found not in statuses:
        return "answered %s %r, wanted %s" % (found, text[:200], "/".join(sorted(map(str, statuses))))
    text = text.strip()
    if len(text) < 10 or " " not in text:
        return "the message of %s does not explain: %r" % (found, text)
    if words and not re.search(words, text, re.I):
        return "the message of %s does not speak of %r: %r" % (found, words, text[:200])
    if re.search(r"\.swift\b|Fatal error|0x[0-9a-f]{8}|Optional\(", text):
        return "the message shows the program's inside: %r" % text[:200]
    if len(text) > 4096:
        return "the message has %d characters" % len(text)
    return None


def body_of(wire, status, headers):
    """The text of an answer whose head was read."""
    if "content-length" in headers:
        length = int(headers["content-length"])
        deadline = time.monotonic() + 10
        while len(wire.buffer) < length:
            if not wire.fill(deadline):
                raise WireError("the body ended early")
        return wire.buffer[:length].decode("utf-8", "replace")
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body, deadline = b"", time.monotonic() + 10
        while True:
            piece = wire.chunk_data(deadline)
            if piece is None:
                return body.decode("utf-8", "replace")
            body += piece
    return ""


@test
def bad_requests():
    """every bad request is refused with the right status and words that explain it"""
    note_start()
    wrong, count = [], 0
    with Scheduler(MASTER, "victim", roles=["victim"], capabilities=["MULTI_ROLE"]) as victim:
        victim.call("SUPPRESS")
        for name, sent, statuses, words in table(victim.framework_id, victim.stream_id):
            if ONLY and not any(word.lower() in name.lower() for word in ONLY):
                continue
            count += 1
            try:
                problem = judge(sent, statuses, words)
            except ConnectionRefusedError:
                raise Failed("the server is gone after %d cases; the last was %s" % (count, name))
            if problem:
                wrong.append(name)
                print("bad   %s: %s" % (name, problem))
                sys.stdout.flush()
        check(victim.problem is None and not victim.ended.is_set(), "the framework's own stream ended meanwhile")
        victim.call("REVIVE")
    print("      %d bad requests, %d answered wrongly" % (count, len(wrong)))
    check(ONLY or count >= 300, "only", count, "cases")
    check(not wrong, len(wrong), "of", count, "were answered wrongly; see the lines above")


@test
def bad_launches():
    """launches that are well-formed and impossible are answered 202 and then by a status that explains"""
    many = [{"begin": 2 * n, "end": 2 * n} for n in range(20000)]

    def resources(*each):
        return lambda task, offer: task.update(resources=list(each))

    def scalar(name, value):
        return {"name": name, "type": "SCALAR", "scalar": {"value": value}}

    cases = [
        ("cpus 1e15", resources(scalar("cpus", 1e15), scalar("mem", 32))),
        ("cpus 1e300", resources(scalar("cpus", 1e300), scalar("mem", 32))),
        ("cpus -1", resources(scalar("cpus", -1.0), scalar("mem", 32))),
        ("cpus 0", resources(scalar("cpus", 0.0))),
        (
            "twice 0.6 of all cpus",
            lambda task, offer: task.update(
                resources=[scalar("cpus", amount(offer["resources"], "cpus") * 0.6)] * 2 + [scalar("mem", 32)]
            ),
        ),
        ("an unknown resource", resources(scalar("cpus", 0.1), scalar("mem", 32), scalar("unobtainium", 1.0))),
        (
            "a scalar as ranges",
            resources({"name": "cpus", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 2}]}}),
        ),
        (
            "ports back to front",
            resources(
                scalar("cpus", 0.1),
                scalar("mem", 32),
                {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 32000, "end": 31000}]}},
            ),
        ),
        (
            "ports that are not offered",
            resources(
                scalar("cpus", 0.1),
                scalar("mem", 32),
                {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 1, "end": 1}]}},
            ),
        ),
        (
            "all ports there can be",
            resources(
                scalar("cpus", 0.1),
                scalar("mem", 32),
                {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": 0, "end": (1 << 64) - 1}]}},
            ),
        ),
        (
            "twenty thousand port ranges",
            resources(
                scalar("cpus", 0.1), scalar("mem", 32), {"name": "ports", "type": "RANGES", "ranges": {"range": many}}
            ),
        ),
        ("another's agent", lambda task, offer: task.update(agent_id={"value": "nobody"})),
        (
            "an executor",
            lambda task, offer: (
                task.pop("command"),
                task.update(executor={"executor_id": {"value": "e"}, "command": {"value": "true"}}),
            ),
        ),
        ("neither command nor executor", lambda task, offer: task.pop("command")),
        ("an id with a slash", lambda task, offer: task.update(task_id={"value": "a/../../b"})),
        ("an id of dots", lambda task, offer: task.update(task_id={"value": ".."})),
        ("an empty id", lambda task, offer: task.update(task_id={"value": ""})),
        ("an id with a line feed", lambda task, offer: task.update(task_id={"value": "a\nb"})),
        ("an id of 300 letters", lambda task, offer: task.update(task_id={"value": "x" * 300})),
    ]
    wrong = []
    with Scheduler(MASTER, "impossible") as one:
        for name, change in cases:
            offer = one.wait_offers(wanted=lambda offers: [o for o in offers if amount(o["resources"], "cpus") >= 0.2])[
                0
            ]
            task = command_task("impossible", offer["agent_id"]["value"], "true")
            change(task, offer)
            call = {
                "type": "ACCEPT",
                "framework_id": {"value": one.framework_id},
                "accept": {
                    "offer_ids": [offer["id"]],
                    "filters": {"refuse_seconds": 0},
                    "operations": [{"type": "LAUNCH", "launch": {"task_infos": [task]}}],
                },
            }
            mark = one.events.mark()
            answer = one.post(call)
            if answer.status == 202:
                one.offers.pop(offer["id"]["value"], None)
                try:
                    status = one.wait_state(task["task_id"]["value"], seconds=5, since=mark)
                    explains = len(status.get("message", "")) > 15
                    good = (status["state"], status.get("reason")) == ("TASK_ERROR", "REASON_TASK_INVALID") and explains
                    if not good:
                        wrong.append("%s: %r" % (name, status))
                except Failed as problem:
                    wrong.append("%s: %s" % (name, problem))
            elif answer.status != 400 or len(answer.text) < 15:
                # Refusing the whole call is as good, as long as nothing of it happened.
                wrong.append("%s: %r" % (name, answer))
        for name, ids in (
            ("a used offer", [offer["id"]]),
            ("an unknown offer", [{"value": "none"}]),
            ("no offer", []),
            ("one offer twice", None),
        ):
            fresh = one.wait_offers()[0]
            mark = one.events.mark()
            body = {
                "offer_ids": [fresh["id"], fresh["id"]] if ids is None else ids,
                "filters": {"refuse_seconds": 0},
                "operations": [
                    {
                        "type": "LAUNCH",
                        "launch": {"task_infos": [command_task("stale", fresh["agent_id"]["value"], "true")]},
                    }
                ],
            }
            if ids is None:
                one.offers.pop(fresh["id"]["value"], None)
            one.call("ACCEPT", body)
            status = one.wait_state("stale", seconds=5, since=mark)
            if (status["state"], status.get("reason")) != ("TASK_LOST", "REASON_INVALID_OFFERS") or not status.get(
                "message"
            ):
                wrong.append("%s: %r" % (name, status))
    check(not wrong, "; ".join(wrong))
    eventually(
        lambda: all(each["used_resources"]["cpus"] == 0 for each in get_json(MASTER, "/slaves")["slaves"]),
        5,
        "nothing used after refused launches",
    )


@test
def slow_reader():
    """a framework that never reads is dropped with ERROR while others are served and memory stays bounded"""
    start = memory() if PID else 0
    highest = 0
    watchers = [open_stream(MASTER, {"type": "SUBSCRIBE"}, "/api/v1", receive_buffer=4096)[0] for _ in range(8)]
    call = {
        "type": "SUBSCRIBE",
        "subscribe": {"framework_info": {"user": "root", "name": "never-reads", "failover_timeout": 60.0}},
    }
    wire, status, headers, records = open_stream(MASTER, call, receive_buffer=4096)
    try:
        equal(status, 200, "status of SUBSCRIBE")
        framework_id = json.loads(records.next(5))["subscribed"]["framework_id"]["value"]
        # From here on nothing more is read. Every question makes two thousand answers.
        question = json.dumps(
            {
                "type": "RECONCILE",
                "framework_id": {"value": framework_id},
                "reconcile": {
                    "tasks": [
                        {"task_id": {"value": "unknown-task-with-quite-a-long-name-%06d" % n}} for n in range(2000)
                    ]
                },
            }
        ).encode()
        fields = {"Content-Type": "application/json", "Mesos-Stream-Id": headers["mesos-stream-id"]}
        dropped, asked, slowest = None, 0, 0.0
        while dropped is None and asked < 300:
            answer = request(MASTER, "POST", "/api/v1/scheduler", question, fields)
            asked += 1
            if answer.status != 202:
                dropped = answer
            if asked % 5 == 0:
                began = time.monotonic()
                equal(request(MASTER, "GET", "/version").status, 200, "status of /version meanwhile")
                slowest = max(slowest, time.monotonic() - began)
            if PID:
                highest = max(highest, memory())
        check(dropped, "not dropped after", asked * 2000, "updates, some", asked * 2000 * 300 >> 20, "MiB")
        equal(dropped.status, 403, "status of calls after the stream was dropped")
        check(slowest < 2, "others waited %.1f s" % slowest)
        if PID:
            grown = highest - start
            check(grown < FLOOD_LIMIT, "the server grew by %d MiB" % (grown >> 20))
        frameworks = get_json(MASTER, "/frameworks")["frameworks"]
        mine = next(each for each in frameworks if each["id"] == framework_id)
        equal(mine["connected"], False, "connected in /frameworks")
        # Now it reads what was under way: whole records, and ERROR as the last of them.
        last, count = None, 0
        try:
            while True:
                record = records.next(10)
                if record is None:
                    break
                last, count = json.loads(record), count + 1
        except (OSError, WireError) as problem:
            raise Failed("after %d records the stream was cut instead of ended with ERROR: %s" % (count, problem))
        check(last and last["type"] == "ERROR", "the last record of", count, "is", last and last["type"])
        check(len(last["error"]["message"]) > 15, "the message does not explain:", last["error"]["message"])
        # And may come back.
        again = Scheduler(MASTER, "never-reads", framework_id=framework_id).start()
        again.stop()
    finally:
        for each in [wire] + watchers:
            each.close()


@test
def many_subscribers():
    """five hundred subscriptions that are cut at once leave nothing behind"""
    for _ in range(5):
        wires = []
        for number in range(100):
            call = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "root", "name": "cut-%d" % number}}}
            wires.append(open_stream(MASTER, call)[0])
        for each in wires:
            each.close()

    def none_left():
        return not [each for each in get_json(MASTER, "/frameworks")["frameworks"] if each["name"].startswith("cut-")]

    eventually(none_left, 15, "no framework left of those cut")


@test
def still_well():
    """after all of it the server runs tasks, and its memory and open files are what they were"""
    with Scheduler(MASTER, "afterwards") as one:
        offer = one.wait_offers()[0]
        one.launch([offer], [command_task("afterwards", offer["agent_id"]["value"], "true")])
        equal(one.wait_state("afterwards")["state"], "TASK_FINISHED", "state")
    if not PID:
        raise Skipped("memory is not measured without SERVER_PID")
    if not before:
        raise Skipped("memory is measured when the bad requests ran before")
    grown = memory() - before["memory"]
    print(
        "      memory: %d MiB at first, %+.1f MiB; open files: %d at first, %d now"
        % (before["memory"] >> 20, grown / (1 << 20), before["files"], open_files())
    )
    check(grown < GROWTH_LIMIT, "resident memory grew by %d MiB" % (grown >> 20))
    eventually(lambda: open_files() <= before["files"] + 10, 15, "as many open files as before (%d)" % before["files"])


if __name__ == "__main__":
    main(limit=180)
