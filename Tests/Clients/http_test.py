"""Tests of the wire itself, on sockets: what clients of all sorts rely on and no library shows.

    MASTER=127.0.0.1:5050 python3 Tests/Clients/http_test.py [WORD ...]

Needs Python only, and a cluster with nothing else running on it.
"""

import json
import re
import socket
import time

import protobuf_frames as frames
from harness import Failed, check, equal, eventually, main, test, within
from http_common import MASTER, SCHEDULER, SUBSCRIBE, explained, need_keys, subscribe
from mesos_client import Scheduler, command_task
from wire import JSON, PROTOBUF, Wire, connect, get, get_json, operator, request

# The stream


@test
def subscribe_answer():
    """SUBSCRIBE is answered with a chunked 200, a short Mesos-Stream-Id and the asked media type"""
    wire, headers, _ = subscribe()
    wire.close()
    within(
        [
            (
                headers.get("transfer-encoding", "").lower() == "chunked",
                "Transfer-Encoding %r" % headers.get("transfer-encoding"),
            ),
            ("content-length" not in headers, "it has a Content-Length"),
            (0 < len(headers.get("mesos-stream-id", "")) <= 128, "Mesos-Stream-Id %r" % headers.get("mesos-stream-id")),
            (headers.get("content-type", "").startswith(JSON), "Content-Type %r" % headers.get("content-type")),
        ],
        "headers",
    )


@test
def first_events():
    """SUBSCRIBED is followed at once by a HEARTBEAT without body"""
    wire, _, records = subscribe()
    began = time.monotonic()
    first = json.loads(records.next(5))
    second = json.loads(records.next(5))
    waited = time.monotonic() - began
    wire.close()
    equal(first["type"], "SUBSCRIBED", "first event")
    check(waited < 1, "the heartbeat came after %.1f s" % waited)
    subscribed = first["subscribed"]
    info = subscribed.get("master_info", {})
    within(
        [
            (subscribed.get("framework_id", {}).get("value"), "no framework_id"),
            (
                subscribed.get("heartbeat_interval_seconds") == 15,
                "interval %r" % subscribed.get("heartbeat_interval_seconds"),
            ),
            (info.get("hostname"), "master_info.hostname"),
            (info.get("id"), "master_info.id"),
            (isinstance(info.get("port"), int), "master_info.port %r" % info.get("port")),
            (isinstance(info.get("ip"), int), "master_info.ip %r" % info.get("ip")),
            (re.fullmatch(r"\d+(\.\d+)+", info.get("version", "")), "master_info.version %r" % info.get("version")),
        ],
        "SUBSCRIBED",
    )
    equal(second, {"type": "HEARTBEAT"}, "second event")


@test
def next_heartbeat():
    """an idle stream has a heartbeat every fifteen seconds"""
    call = {
        "type": "SUBSCRIBE",
        "subscribe": {
            "framework_info": {
                "user": "root",
                "name": "idle",
                "roles": ["idle"],
                "capabilities": [{"type": "MULTI_ROLE"}],
            },
            "suppressed_roles": ["idle"],
        },
    }
    wire, _, records = subscribe(call)
    try:
        beats = []
        while len(beats) < 2:
            event = json.loads(records.next(20))
            if event["type"] == "HEARTBEAT":
                beats.append(time.monotonic())
            else:
                check(event["type"] == "SUBSCRIBED", "a suppressed framework got", event["type"])
        check(13 <= beats[1] - beats[0] <= 17, "heartbeats are %.1f s apart" % (beats[1] - beats[0]))
    finally:
        wire.close()


@test
def one_line():
    """records are JSON on one line in plain ASCII; other characters are escaped"""
    name = "Größe 試験 🚀 \u2028 end"
    with Scheduler(MASTER, name, acknowledge=True) as one:
        offer = one.wait_offers()[0]
        one.launch([offer], [command_task("task-ü-🚀", offer["agent_id"]["value"], "exit 7")])
        one.wait_state("task-ü-🚀")
        # The reader decodes as ASCII, so whatever was not escaped has ended it.
        check(one.problem is None, "the stream broke:", one.problem)
        framework = next(each for each in get_json(MASTER, "/state")["frameworks"] if each["id"] == one.framework_id)
        equal(framework["name"], name, "the name in /state")
    wire, _, records = subscribe()
    try:
        for _ in range(3):
            record = records.next(10)
            check(b"\n" not in record and all(0x20 <= byte < 0x7F for byte in record), "record", record[:200])
    finally:
        wire.close()


@test
def base64_and_numbers():
    """uuids are base64 of sixteen bytes, numbers are numbers, enums are names"""
    with Scheduler(MASTER, "types") as one:
        offer = one.wait_offers()[0]
        ports = next(each for each in offer["resources"] if each["name"] == "ports")
        check(
            all(type(each[edge]) is int for each in ports["ranges"]["range"] for edge in ("begin", "end")),
            "ports",
            ports,
        )
        one.launch([offer], [command_task("types", offer["agent_id"]["value"], "true")])
        one.wait_state("types")
        for status in one.statuses("types"):
            within(
                [
                    (re.fullmatch(r"[A-Za-z0-9+/]{22}==", status.get("uuid", "")), "uuid %r" % status.get("uuid")),
                    (isinstance(status["timestamp"], float), "timestamp %r" % status["timestamp"]),
                    (status["state"].startswith("TASK_"), "state %r" % status["state"]),
                    (status["source"] in ("SOURCE_EXECUTOR", "SOURCE_AGENT"), "source %r" % status["source"]),
                    (None not in status.values(), "a null in %r" % status),
                ],
                status["state"],
            )


@test
def protobuf_both_ways():
    """protobuf in and protobuf out, RecordIO frames of Event messages"""
    with_stream(frames.subscribe(), PROTOBUF, PROTOBUF)


@test
def protobuf_in():
    """protobuf in and JSON out"""
    with_stream(frames.subscribe(), PROTOBUF, JSON)


@test
def protobuf_out():
    """JSON in and protobuf out"""
    with_stream(json.dumps(SUBSCRIBE).encode(), JSON, PROTOBUF)


def with_stream(body, sent, accepted):
    """Subscribes, reconciles an unknown task in both encodings, tears down."""
    wire, headers, records = subscribe(body, {"Content-Type": sent, "Accept": accepted})
    try:
        check(headers.get("content-type", "").startswith(accepted), "Content-Type", headers.get("content-type"))

        def read(kind):
            for _ in range(50):
                record = records.next(10)
                if accepted == JSON:
                    event = json.loads(record)
                    names = {frames.SUBSCRIBED: "SUBSCRIBED", frames.HEARTBEAT: "HEARTBEAT", frames.UPDATE: "UPDATE"}
                    if event["type"] == names[kind]:
                        return event
                else:
                    event = frames.decode(record)
                    if event[1] == [kind]:
                        return event
            raise Failed("no event %d among fifty" % kind)

        first = read(frames.SUBSCRIBED)
        if accepted == JSON:
            framework_id = first["subscribed"]["framework_id"]["value"]
        else:
            framework_id = frames.decode(frames.decode(first[2][0])[1][0])[1][0].decode()
        read(frames.HEARTBEAT)
        fields = {"Content-Type": PROTOBUF, "Mesos-Stream-Id": headers["mesos-stream-id"]}
        for number, content in enumerate(
            (
                frames.reconcile(framework_id, "asked-0"),
                json.dumps(
                    {
                        "type": "RECONCILE",
                        "framework_id": {"value": framework_id},
                        "reconcile": {"tasks": [{"task_id": {"value": "asked-1"}}]},
                    }
                ).encode(),
            )
        ):
            fields["Content-Type"] = PROTOBUF if number == 0 else JSON
            equal(
                request(MASTER, "POST", SCHEDULER, content, fields).status,
                202,
                "RECONCILE in " + fields["Content-Type"],
            )
            update = read(frames.UPDATE)
            if accepted == JSON:
                asked = update["update"]["status"]["task_id"]["value"]
            else:
                asked = frames.decode(frames.decode(frames.decode(update[5][0])[1][0])[1][0])[1][0].decode()
            equal(asked, "asked-%d" % number, "task of the UPDATE")
        fields["Content-Type"] = PROTOBUF
        equal(request(MASTER, "POST", SCHEDULER, frames.teardown(framework_id), fields).status, 202, "TEARDOWN")
    finally:
        wire.close()


@test
def chunked_request():
    """a request body in chunks of any size is read as one"""
    body = json.dumps(SUBSCRIBE).encode()
    wire = Wire(connect(MASTER))
    try:
        wire.send(
            (
                "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"
                % (SCHEDULER, MASTER, JSON)
            ).encode()
        )
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            wire.send(b"%x;note=1\r\n%s\r\n" % (len(piece), piece))
        wire.send(b"0\r\n\r\n")
        equal(wire.head()[0], 200, "status")
    finally:
        wire.close()


@test
def slow_request():
    """a request that comes byte by byte is read like any other"""
    text = "GET /version HTTP/1.1\r\nHost: %s\r\n\r\n" % MASTER
    wire = Wire(connect(MASTER))
    try:
        for byte in text.encode():
            wire.send(bytes([byte]))
        equal(wire.response(method="GET").json["version"].count("."), 2, "dots in the version")
    finally:
        wire.close()


@test
def pipelined():
    """requests sent at once on one connection are answered in order"""
    wire = Wire(connect(MASTER))
    try:
        wire.send(
            b"".join(
                b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"/version", b"/nothing-here", b"/version")
            )
        )
        equal([wire.response(method="GET").status for _ in range(3)], [200, 404, 200], "statuses in order")
    finally:
        wire.close()


@test
def expect_continue():
    """a client that waits for 100 Continue gets it, or the final answer"""
    body = json.dumps({"type": "GET_HEALTH"}).encode()
    wire = Wire(connect(MASTER))
    try:
        wire.send(
            (
                "POST /api/v1 HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nContent-Length: %d\r\n"
                "Expect: 100-continue\r\n\r\n" % (MASTER, JSON, len(body))
            ).encode()
        )
        wire.fill(time.monotonic() + 5)
        check(wire.buffer.startswith(b"HTTP/1.1 100"), "the server sent", wire.buffer[:60])
        wire.send(body)
        equal(wire.response().status, 200, "status")
    finally:
        wire.close()


@test
def accepted_calls():
    """calls other than SUBSCRIBE are answered 202 with Content-Length 0 on a connection that stays open"""
    with Scheduler(MASTER, "kept-alive") as one:
        wire = Wire(connect(MASTER))
        try:
            for kind in ("SUPPRESS", "REVIVE", "SUPPRESS"):
                body = json.dumps({"type": kind, "framework_id": {"value": one.framework_id}}).encode()
                wire.send(
                    (
                        "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: %s\r\nMesos-Stream-Id: %s\r\n"
                        "Content-Length: %d\r\n\r\n" % (SCHEDULER, MASTER, JSON, one.stream_id, len(body))
                    ).encode()
                    + body
                )
                answer = wire.response()
                equal((answer.status, answer.headers.get("content-length"), answer.body), (202, "0", b""), kind)
        finally:
            wire.close()


@test
def ignored_fields():
    """fields that are not known are ignored at every level"""
    with Scheduler(MASTER, "unknown-fields", no_such_field={"deep": [1, {"er": None}]}) as one:
        offer = one.wait_offers()[0]
        task = command_task("unknown", offer["agent_id"]["value"], "true")
        task["slave_id"] = task["agent_id"]
        task["resources"][0]["unheard_of"] = 1
        one.accept([offer], [{"type": "LAUNCH", "launch": {"task_infos": [task]}, "comment": "x"}])
        equal(one.wait_state("unknown")["state"], "TASK_FINISHED", "state")


@test
def split_streams():
    """every stream of a framework has its own id, and only the newest may call"""
    with Scheduler(MASTER, "two-streams") as one:
        two = Scheduler(MASTER, "two-streams", framework_id=one.framework_id).start()
        try:
            equal(one.wait_event("ERROR")["error"]["message"], "Framework failed over", "ERROR on the old stream")
            check(one.ended.wait(5), "the old stream goes on after ERROR")
            check(one.stream_id != two.stream_id, "both streams have the id", one.stream_id)
            call = {"type": "REVIVE", "framework_id": {"value": one.framework_id}}
            explained(two.post(call, {"Mesos-Stream-Id": one.stream_id}), 400, "stream")
            equal(two.post(call).status, 202, "the new stream's call")
        finally:
            two.stop()


@test
def odd_ids():
    """a task id may have letters, dots, dashes, colons and spaces, a hundred of them"""
    name = "a.b_c-d e:" + "x" * 80
    with Scheduler(MASTER, "odd-ids") as one:
        offer = one.wait_offers()[0]
        one.launch([offer], [command_task(name, offer["agent_id"]["value"], "true")])
        equal(one.wait_state(name)["state"], "TASK_FINISHED", "state")


@test
def teardown_form():
    """POST /master/teardown ends a framework by a body without form type"""
    one = Scheduler(MASTER, "to-be-torn-down").start()
    answer = request(MASTER, "POST", "/master/teardown", b"frameworkId=" + one.framework_id.encode())
    equal(answer.status, 200, "status")
    check(one.ended.wait(10), "the framework's stream goes on")
    explained(request(MASTER, "POST", "/master/teardown", b"frameworkId=nobody"), 400, "framework")


@test
def operator_stream():
    """the operator's SUBSCRIBE opens with the whole state and has heartbeats"""
    wire, headers, records = subscribe({"type": "SUBSCRIBE"}, path="/api/v1")
    try:
        equal(headers.get("transfer-encoding", "").lower(), "chunked", "Transfer-Encoding")
        first = json.loads(records.next(5))
        equal(first["type"], "SUBSCRIBED", "first event")
        need_keys(first["subscribed"]["get_state"], "get_state", "get_agents get_frameworks get_tasks get_executors")
        with Scheduler(MASTER, "seen") as one:
            for _ in range(20):
                event = json.loads(records.next(10))
                if event["type"] == "FRAMEWORK_ADDED":
                    equal(
                        event["framework_added"]["framework"]["framework_info"]["id"]["value"],
                        one.framework_id,
                        "its id",
                    )
                    break
            else:
                raise Failed("no FRAMEWORK_ADDED among twenty events")
    finally:
        wire.close()


@test
def operator_answers():
    """operator calls answer in JSON or protobuf as asked"""
    check(operator(MASTER, "GET_HEALTH")["healthy"], "not healthy")
    answer = request(MASTER, "POST", "/api/v1", {"type": "GET_HEALTH"}, {"Accept": PROTOBUF})
    equal((answer.status, answer.headers.get("content-type")), (200, PROTOBUF), "status and type")
    # Response: type 1 (GET_HEALTH is 1), get_health 2 {healthy 1}.
    equal(frames.decode(answer.body)[1], [1], "type of the protobuf answer")
    equal(frames.decode(frames.decode(answer.body)[2][0]), {1: [1]}, "get_health of the protobuf answer")
    answer = request(MASTER, "POST", "/api/v1", frames.message((1, 1)), {"Content-Type": PROTOBUF, "Accept": JSON})
    equal(answer.json, {"type": "GET_HEALTH", "get_health": {"healthy": True}}, "the answer in JSON")


@test
def many_connections():
    """two hundred open connections and half requests do not keep others from being served"""
    idle = [connect(MASTER) for _ in range(200)]
    try:
        for each in idle[::2]:
            each.sendall(b"POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Le")
        began = time.monotonic()
        equal(get(MASTER, "/version").status, 200, "status")
        check(time.monotonic() - began < 2, "it took %.1f s" % (time.monotonic() - began))
    finally:
        for each in idle:
            each.close()


@test
def cut_connections():
    """streams cut with a reset are noticed"""
    wire, _, records = subscribe()
    framework_id = json.loads(records.next(5))["subscribed"]["framework_id"]["value"]
    wire.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    wire.close()

    def gone():
        body = get_json(MASTER, "/frameworks")
        return any(each["id"] == framework_id for each in body["completed_frameworks"])

    eventually(gone, 10, "end of a framework without failover_timeout whose connection was reset")


import http_reads  # noqa: E402,F401  Their tests follow these.
import http_statuses  # noqa: E402,F401

if __name__ == "__main__":
    main()
