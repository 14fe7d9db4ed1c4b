"""Tests of the statuses that refusals have. Run by http_test.py."""

import json

from harness import check, equal, eventually, test
from http_common import MASTER, SCHEDULER, SUBSCRIBE, explained, raw, subscribe
from mesos_client import Scheduler
from wire import JSON, Wire, connect, get_json, request


@test
def not_post():
    """methods other than POST are 405 and say which is allowed"""
    for path in (SCHEDULER, "/api/v1"):
        for method in ("GET", "PUT", "DELETE", "PATCH"):
            answer = request(MASTER, method, path, b"{}" if method != "GET" else None, {"Content-Type": JSON})
            equal((method, path, answer.status), (method, path, 405), "method, path, status")
            equal(answer.headers.get("allow"), "POST", "Allow of %s %s" % (method, path))


@test
def content_type():
    """no Content-Type is 400, another is 415, parameters are tolerated"""
    body = json.dumps({"type": "GET_HEALTH"}).encode()
    for path in (SCHEDULER, "/api/v1"):
        explained(raw("POST %s HTTP/1.1\nHost: x\nContent-Length: 2\n\n" % path, b"{}"), 400, "content-type")
        for kind in ("text/plain", "application/jsonx", "application/recordio", "multipart/form-data; boundary=x"):
            explained(request(MASTER, "POST", path, body, {"Content-Type": kind}), 415, "application/json")
    for kind in ("application/json; charset=utf-8", "Application/JSON"):
        equal(request(MASTER, "POST", "/api/v1", body, {"Content-Type": kind}).status, 200, kind)


@test
def accept():
    """an Accept that names neither encoding is 406; lists, wildcards and none are fine"""
    for path, body in ((SCHEDULER, SUBSCRIBE), ("/api/v1", {"type": "GET_HEALTH"})):
        for kind in ("text/html", "application/xml, text/plain"):
            explained(request(MASTER, "POST", path, body, {"Accept": kind}), 406, "application/json")
    for kind in ("*/*", "application/*", "text/html, application/json;q=0.5", None):
        wire, headers, _ = subscribe(headers={"Accept": kind})
        wire.close()
        check(headers["content-type"].startswith(JSON), "Accept", kind, "got", headers["content-type"])


@test
def stream_ids():
    """SUBSCRIBE with a stream id, and other calls without or with a wrong one, are 400"""
    explained(request(MASTER, "POST", SCHEDULER, SUBSCRIBE, {"Mesos-Stream-Id": "x"}), 400, "stream")
    with Scheduler(MASTER, "stream-ids") as one:
        call = {"type": "REVIVE", "framework_id": {"value": one.framework_id}}
        explained(request(MASTER, "POST", SCHEDULER, call), 400, "stream")
        explained(one.post(call, {"Mesos-Stream-Id": "wrong"}), 400, "stream")
        explained(one.post(call, {"Mesos-Stream-Id": ""}), 400, "stream")
        with Scheduler(MASTER, "another") as another:
            explained(one.post(call, {"Mesos-Stream-Id": another.stream_id}), 400, "stream")


@test
def unknown_framework():
    """calls for a framework that never was, or is gone, are 400"""
    call = {"type": "REVIVE", "framework_id": {"value": "no-such-framework"}}
    explained(request(MASTER, "POST", SCHEDULER, call, {"Mesos-Stream-Id": "x"}), 400, "framework cannot be found")
    one = Scheduler(MASTER, "soon-gone").start()
    one.stop()
    call["framework_id"]["value"] = one.framework_id
    explained(request(MASTER, "POST", SCHEDULER, call, {"Mesos-Stream-Id": one.stream_id}), 400, "framework")


@test
def not_connected():
    """calls for a framework without stream are 403"""
    one = Scheduler(MASTER, "away").start()
    one.disconnect()

    def away():
        framework = next(each for each in get_json(MASTER, "/state")["frameworks"] if each["id"] == one.framework_id)
        return not framework["connected"]

    eventually(away, 10, "connected:false after the connection was cut")
    call = {"type": "REVIVE", "framework_id": {"value": one.framework_id}}
    explained(request(MASTER, "POST", SCHEDULER, call, {"Mesos-Stream-Id": one.stream_id}), 403, "subscribe")
    equal(
        request(MASTER, "POST", "/master/teardown", b"frameworkId=" + one.framework_id.encode()).status, 200, "teardown"
    )


@test
def body_limit():
    """a body of five MiB is read, a longer one is 413, whether its length is told or not"""
    limit = 5 << 20
    start, end = b'{"type":"GET_HEALTH","comment":"', b'"}'
    exact = start + b"x" * (limit - len(start) - len(end)) + end
    equal(request(MASTER, "POST", "/api/v1", exact, {"Content-Type": JSON}).status, 200, "status of a body of 5 MiB")
    wire = Wire(connect(MASTER))
    try:
        wire.send(
            (
                "POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n" % (JSON, limit + 1)
            ).encode()
        )
        explained(wire.response(), 413, "5242880|5 MiB|bytes")
    finally:
        wire.close()
    wire = Wire(connect(MASTER))
    try:
        wire.send(
            (
                "POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n" % JSON
            ).encode()
        )
        try:
            for _ in range(6):
                wire.send(b"100000\r\n" + b"x" * (1 << 20) + b"\r\n")
        except OSError:
            pass  # It may answer and stop listening before all is sent.
        explained(wire.response(), 413)
    finally:
        wire.close()
