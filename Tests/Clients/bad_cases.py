"""The table of bad requests: bodies, subscriptions and protobuf here, the rest in bad_calls.py and bad_http.py."""

import random

import protobuf_frames as frames
from bad_calls import calls, operator_calls
from bad_http import broken_http, oversize, paths, queries
from bad_request import BAD, ERROR, OPERATOR, SCHEDULER, http, shown
from wire import PROTOBUF


def malformed():
    """Bodies that are no JSON object in UTF-8, for every endpoint that reads calls."""
    good = '{"type":"GET_HEALTH"}'
    bodies = [
        b"",
        b"   ",
        b"null",
        b"true",
        b"1",
        b'"GET_HEALTH"',
        b"[]",
        b"[" + good.encode() + b"]",
        b"{",
        b"}",
        b"{]",
        b'{"type"}',
        b'{"type":}',
        b'{"type":"GET_HEALTH",}',
        b"{'type':'GET_HEALTH'}",
        b'{type:"GET_HEALTH"}',
        b'/* x */ {"type":"GET_HEALTH"}',
        good.encode() * 2,
        good.encode() + b" x",
        b"\xef\xbb\xbf" + good.encode(),
        good.encode("utf-16"),
        b'{"type":"GET_HEALTH"}\0',
        b'{"type":"GET\nHEALTH"}',
        b'{"type":"GET_HEALTH',
        b"\xff\xfe\xfd",
        b'{"type":"GET_\xff"}',
        b'{"type":"\xc0\xaf"}',
        b'{"type":"\xed\xa0\x80"}',
        b'{"type":"\xe2\x82"}',
        b'{"type":"\xf4\x90\x80\x80"}',
        b'{"type":"\\x41"}',
        b'{"type":"\\ud800"}',
        b'{"type":"\\u12"}',
        b'{"type":"GET_HEALTH" "a":1}',
        b'{"a":1 "type":"GET_HEALTH"}',
        b'{"type":"GET_HEALTH","a":[1,]}',
        b'{"type":"GET_HEALTH","a":' + b"[" * 5000 + b"]" * 5000 + b"}",
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
        b"[" * 100000,
        b"{" * 100000,
        b'{"a":' * 100000,
    ]
    for path in (SCHEDULER, OPERATOR):
        for body in bodies:
            yield "%s with body %s" % (path, shown(body)), http("POST", path, body), BAD, ""
    for body in bodies[:4]:
        path = "/api/v1/operator"
        yield "%s with body %s" % (path, shown(body)), http("POST", path, body), BAD, ""
    parts = b'{"type":"GET_HEALTH","a":[' + b"{}," * 1000000 + b"{}]}"
    yield "a million empty objects", http("POST", OPERATOR, parts), {400, 413}, ""


def numbers():
    """Numbers that are none, or do not fit, in a call that is good otherwise."""
    for text in (
        "NaN",
        "Infinity",
        "-Infinity",
        "nan",
        "0x10",
        "01",
        "+1",
        "1.",
        ".5",
        "1e",
        "--1",
        "1e999",
        "1.5",
        "9223372036854775808",
        "1" * 400,
        '"abc"',
        '"NaN"',
        "true",
        "{}",
        "[]",
        "[1]",
    ):
        body = '{"type":"GET_METRICS","get_metrics":{"timeout":{"nanoseconds":%s}}}' % text
        yield "nanoseconds " + shown(text), http("POST", OPERATOR, body), BAD, ""
    for text in ("NaN", "Infinity", "1e999", '"x"', '"NaN"', '"Infinity"', "true", "{}", "[]", "-1", "-1e300"):
        body = (
            '{"type":"SUBSCRIBE","subscribe":{"framework_info":{"user":"r","name":"n","failover_timeout":%s}}}' % text
        )
        yield "failover_timeout " + text, http("POST", SCHEDULER, body), {400, ERROR}, ""


def subscriptions():
    """Subscriptions with fields that are missing, of the wrong type or contradictory."""
    info = {"user": "root", "name": "bad"}

    def subscribe(**top):
        return http("POST", SCHEDULER, dict({"type": "SUBSCRIBE"}, **top))

    def described(**fields):
        return subscribe(subscribe={"framework_info": dict(info, **fields)})

    yield "SUBSCRIBE without subscribe", subscribe(), BAD, "subscribe"
    yield "SUBSCRIBE without framework_info", subscribe(subscribe={}), BAD, "framework_info"
    yield "framework_info without user", subscribe(subscribe={"framework_info": {"name": "x"}}), {400, ERROR}, "user"
    yield "framework_info without name", subscribe(subscribe={"framework_info": {"user": "x"}}), {400, ERROR}, "name"
    for value in (5, True, "x", [], [{}]):
        yield "subscribe is %r" % value, subscribe(subscribe=value), BAD, ""
        yield "framework_info is %r" % value, subscribe(subscribe={"framework_info": value}), BAD, ""
    for name, values in {
        "user": (5, [], {}, True),
        "name": (5, ["x"], {"value": "x"}),
        "id": ("x", 5, [], {"value": 5}, {}),
        "checkpoint": ("yes", 1, {}, []),
        "roles": ("x", {}, [5], [{}]),
        "role": (5, [], {}),
        "capabilities": ({}, "x", [5], [["x"]]),
        "hostname": (5, {}),
        "labels": (5, [], {"labels": 5}, {"labels": [{}]}),
    }.items():
        for value in values:
            yield "%s is %s" % (name, shown(value)), described(**{name: value}), {400, ERROR}, ""
    multi = [{"type": "MULTI_ROLE"}]
    yield "roles without MULTI_ROLE", described(roles=["a", "b"]), {400, ERROR}, "role"
    yield "role and roles", described(role="a", roles=["b"], capabilities=multi), {400, ERROR}, "role"
    yield "the same role twice", described(roles=["a", "a"], capabilities=multi), {400, ERROR}, "role"
    for role in (
        "",
        ".",
        "..",
        "-x",
        "a b",
        "a\tb",
        "a\\b",
        "a//b",
        "/a",
        "a/",
        "a/../b",
        "a/./b",
        "*/a",
        "a/*",
        "\x00",
    ):
        yield "role %r" % role, described(roles=[role], capabilities=multi), {400, ERROR}, "role"
    yield "a name of 1 MiB", described(name="x" * (1 << 20)), {400, 413, ERROR}, ""
    # Neither fits into a record of the registry, which is bounded.
    roles = ["role-%06d" % number for number in range(100000)]
    yield "a hundred thousand roles", described(roles=roles, capabilities=multi), {400, 413, ERROR}, ""
    yield "two ids that differ", subscribe(
        framework_id={"value": "a"}, subscribe={"framework_info": dict(info, id={"value": "b"})}
    ), BAD, "framework_id"
    for value in ("", "a/b", "..", "a\\b", "a\nb", "x" * 300):
        yield "framework_id %s" % shown(value), subscribe(
            framework_id={"value": value}, subscribe={"framework_info": dict(info, id={"value": value})}
        ), {400, ERROR}, ""
    good = {"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}
    for value in ("x", "", "x" * 200, "00000000-0000-0000-0000-000000000000"):
        yield "SUBSCRIBE with stream id %s" % shown(value), http(
            "POST", SCHEDULER, good, {"Mesos-Stream-Id": value}
        ), BAD, "stream"
    for value in ("text/html", "application/xml", "image/*", "application/json;q=0", "x", ";", "application/recordio"):
        yield "SUBSCRIBE accepting " + value, http("POST", SCHEDULER, good, {"Accept": value}), {
            406
        }, "application/json"
        yield "GET_HEALTH accepting " + value, http("POST", OPERATOR, {"type": "GET_HEALTH"}, {"Accept": value}), {
            406
        }, "application/json"


def protobuf():
    """Bodies that claim to be protobuf."""
    subscribe = frames.subscribe()
    deep = b""
    for _ in range(20000):
        deep = b"\x1a" + frames.varint(len(deep)) + deep
    cases = [
        ("empty", b""),
        ("no type", frames.message((1, frames.identifier("x")))),
        ("type 0", frames.message((2, 0))),
        ("type 99", frames.message((2, 99))),
        ("a cut varint", b"\x10\xff"),
        ("a varint of 11 bytes", b"\x10" + b"\xff" * 10 + b"\x01"),
        ("field 0", b"\x02\x01x"),
        ("wire type 7", b"\x17\x01"),
        ("wire type 6", b"\x16\x01"),
        ("a length beyond the end", b"\x1a\x7fabc"),
        ("a length of 4 GiB", b"\x1a\xff\xff\xff\xff\x0fabc"),
        ("a length of 2^63", b"\x1a" + b"\xff" * 9 + b"\x01abc"),
        ("type as text", frames.message((2, b"SUBSCRIBE"))),
        ("subscribe as number", frames.message((2, 1), (3, 5))),
        ("an end without group", b"\x1c"),
        ("a group without end", b"\x1b\x08\x01"),
        ("a cut message", subscribe[:-3]),
        ("twenty thousand levels", deep),
        ("a hundred thousand groups", b"\x1b" * 100000),
        ("JSON", b'{"type":"GET_HEALTH"}'),
        ("a name that is no UTF-8", frames.subscribe(name="x").replace(b"\x12\x01x", b"\x12\x01\xff")),
        ("subscribe without info", frames.message((2, 1), (3, b""))),
        ("info without user", frames.message((2, 1), (3, frames.message((1, frames.message((2, "n"))))))),
        ("a call of nobody", frames.reconcile("nobody", "x")),
        ("no framework id", frames.message((2, 9), (9, b""))),
    ]
    for name, body in cases:
        wanted = {400, ERROR} if name == "info without user" else BAD
        yield "protobuf, " + name, http("POST", SCHEDULER, body, {"Content-Type": PROTOBUF}), wanted, ""
    source = random.Random(20)
    for number in range(20):
        body = bytes(source.randrange(256) for _ in range(source.randrange(1, 200)))
        yield "protobuf, noise %d" % number, http("POST", SCHEDULER, body, {"Content-Type": PROTOBUF}), BAD, ""
    for number in range(20):
        body = bytearray(frames.reconcile("nobody", "task"))
        body[source.randrange(len(body))] ^= 1 << source.randrange(8)
        yield "protobuf, one bit %d" % number, http("POST", SCHEDULER, bytes(body), {"Content-Type": PROTOBUF}), BAD, ""
    yield "JSON that is protobuf", http("POST", SCHEDULER, subscribe), BAD, ""


def table(framework_id, stream_id):
    """All cases."""
    for group in (
        malformed(),
        numbers(),
        subscriptions(),
        calls(framework_id, stream_id),
        operator_calls(),
        paths(),
        queries(),
        protobuf(),
        oversize(),
        broken_http(),
    ):
        yield from group
