"""Calls of a connected framework and of operators, each with one fault."""

from bad_request import BAD, OPERATOR, SCHEDULER, http, shown


def calls(framework_id, stream_id):
    """Calls of a framework that is connected, each with one fault."""

    def call(kind, body=None, **top):
        message = {"type": kind, "framework_id": {"value": framework_id}}
        if body is not None:
            message[kind.lower()] = body
        message.update(top)
        message = {key: value for key, value in message.items() if value is not None}
        return http("POST", SCHEDULER, message, {"Mesos-Stream-Id": stream_id})

    yield "no type", call("X", type=None), BAD, "type"
    for value in ("", "NOPE", "UNKNOWN", "accept", "SUBSCRIBED", 99, -1, 1.5, None, True, {}, []):
        raw = {"type": value, "framework_id": {"value": framework_id}}
        yield "type %r" % value, http("POST", SCHEDULER, raw, {"Mesos-Stream-Id": stream_id}), BAD, ""
    yield "no framework_id", call("REVIVE", framework_id=None), BAD, "framework"
    for value in ("x", 5, [], {}, {"value": 5}, {"value": ""}, {"value": None}):
        yield "framework_id is %r" % value, call("REVIVE", framework_id=value), BAD, ""
    for value in ("nobody", "../" + framework_id, framework_id + " ", framework_id.upper() + "X", "x" * 100000):
        yield "call of framework " + shown(value), call("REVIVE", framework_id={"value": value}), BAD, "framework"
    for value in (None, "", "wrong", stream_id + "x", "x" * 10000, "ü"):
        message = {"type": "REVIVE", "framework_id": {"value": framework_id}}
        yield "stream id %s" % shown(value), http("POST", SCHEDULER, message, {"Mesos-Stream-Id": value}), BAD, "stream"
    for kind in (
        "ACCEPT",
        "DECLINE",
        "KILL",
        "ACKNOWLEDGE",
        "RECONCILE",
        "MESSAGE",
        "SHUTDOWN",
        "ACCEPT_INVERSE_OFFERS",
        "DECLINE_INVERSE_OFFERS",
        "RECONCILE_OPERATIONS",
        "ACKNOWLEDGE_OPERATION_STATUS",
    ):
        yield kind + " without its body", call(kind), BAD, kind.lower()
        yield kind + " with a list as body", call(kind, []), BAD, ""
        yield kind + " with a text as body", call(kind, "x"), BAD, ""
    for kind in ("ACCEPT", "DECLINE"):
        for value in ("x", 5, {"value": "x"}, ["x"], [5], [{"value": 5}], [{}], [[]]):
            yield "%s with offer_ids %r" % (kind, value), call(kind, {"offer_ids": value, "operations": []}), BAD, ""
        for value in (5, [], "x", {"refuse_seconds": "x"}, {"refuse_seconds": {}}, {"refuse_seconds": "NaN"}):
            yield "%s with filters %r" % (kind, value), call(
                kind, {"offer_ids": [{"value": "none"}], "operations": [], "filters": value}
            ), BAD, ""
    id_ = {"value": "x"}
    task = {"name": "n", "task_id": id_, "agent_id": id_, "resources": [], "command": {"value": "true"}}
    scalar = {"name": "cpus", "type": "SCALAR", "scalar": {"value": 1}}
    ports = {"name": "ports", "type": "RANGES"}
    changes = [
        ("name", None),
        ("name", 5),
        ("task_id", None),
        ("task_id", "x"),
        ("task_id", {}),
        ("task_id", {"value": 5}),
        ("agent_id", None),
        ("agent_id", "x"),
        ("agent_id", {"value": []}),
        ("command", "true"),
        ("command", []),
        ("command", {"value": 5}),
        ("command", {"shell": "yes", "value": "x"}),
        ("command", {"arguments": "x", "value": "x"}),
        ("command", {"arguments": [5], "value": "x"}),
        ("command", {"value": "x", "environment": []}),
        ("command", {"value": "x", "environment": {"variables": [{"value": "x"}]}}),
        ("command", {"value": "x", "environment": {"variables": {"A": "b"}}}),
        ("command", {"value": "x", "uris": "http://x"}),
        ("command", {"value": "x", "uris": [{}]}),
        ("resources", {}),
        ("resources", "cpus:1"),
        ("resources", [5]),
        ("resources", [{}]),
        ("resources", [{"type": "SCALAR", "scalar": {"value": 1}}]),
        ("resources", [dict(scalar, type="NOPE")]),
        ("resources", [dict(scalar, type=5.5)]),
        ("resources", [dict(scalar, scalar={"value": "x"})]),
        ("resources", [dict(scalar, scalar={})]),
        ("resources", [dict(scalar, scalar=5)]),
        ("resources", [dict(scalar, scalar={"value": "NaN"})]),
        ("resources", [dict(scalar, scalar={"value": "Infinity"})]),
        ("resources", [dict(ports, ranges={"range": [{"begin": -1, "end": 5}]})]),
        ("resources", [dict(ports, ranges={"range": [{"begin": 1.5, "end": 5}]})]),
        ("resources", [dict(ports, ranges={"range": [{"begin": 1}]})]),
        ("resources", [dict(ports, ranges={"range": [{"begin": 1, "end": 1 << 64}]})]),
        ("resources", [dict(ports, ranges={"range": 5})]),
        ("kill_policy", 5),
        ("kill_policy", {"grace_period": {}}),
        ("kill_policy", {"grace_period": {"nanoseconds": "x"}}),
        ("labels", []),
        ("data", "not base64!"),
        ("data", 5),
    ]
    for name, value in changes:
        changed = dict(task, **{name: value})
        if value is None:
            del changed[name]
        operation = {"type": "LAUNCH", "launch": {"task_infos": [changed]}}
        yield "a task with %s %s" % (name, shown(value)), call(
            "ACCEPT", {"offer_ids": [{"value": "none"}], "operations": [operation]}
        ), BAD, ""
    for value in (
        5,
        "x",
        {},
        [5],
        [{}],
        [{"type": "NOPE"}],
        [{"type": "LAUNCH"}],
        [{"type": "LAUNCH", "launch": 5}],
        [{"type": "LAUNCH", "launch": {"task_infos": 5}}],
        [{"type": "LAUNCH", "launch": {"task_infos": [5]}}],
        [{"type": "LAUNCH_GROUP"}],
        [{"type": "LAUNCH_GROUP", "launch_group": {}}],
    ):
        yield "operations %s" % shown(value), call(
            "ACCEPT", {"offer_ids": [{"value": "none"}], "operations": value}
        ), BAD, ""
    uuid = "AAAAAAAAAAAAAAAAAAAAAA=="
    for name, body in (
        ("KILL without task_id", {}),
        ("KILL with text as task_id", {"task_id": "x"}),
        ("KILL with policy 5", {"task_id": id_, "kill_policy": 5}),
        ("KILL of ''", {"task_id": {"value": ""}}),
    ):
        yield name, call("KILL", body), BAD, "task_id|kill" if "task_id" not in body else ""
    for name, body in (
        ("no agent_id", {"task_id": id_, "uuid": uuid}),
        ("no task_id", {"agent_id": id_, "uuid": uuid}),
        ("no uuid", {"agent_id": id_, "task_id": id_}),
        ("uuid 5", {"agent_id": id_, "task_id": id_, "uuid": 5}),
        ("uuid not base64", {"agent_id": id_, "task_id": id_, "uuid": "%%%%"}),
        ("uuid of 3 bytes", {"agent_id": id_, "task_id": id_, "uuid": "AAAA"}),
        ("uuid of 1 MiB", {"agent_id": id_, "task_id": id_, "uuid": "AAAA" * (1 << 18)}),
        ("agent_id a text", {"agent_id": "x", "task_id": id_, "uuid": uuid}),
    ):
        yield "ACKNOWLEDGE with " + name, call("ACKNOWLEDGE", body), BAD, ""
    for value in ("x", {}, 5, [5], [{}], [{"task_id": "x"}], [{"task_id": id_, "agent_id": "x"}]):
        yield "RECONCILE with tasks %r" % value, call("RECONCILE", {"tasks": value}), BAD, ""
    for body in (
        {"agent_id": id_, "executor_id": id_},
        {"agent_id": id_, "data": "AA=="},
        {"executor_id": id_, "data": "AA=="},
        {"agent_id": id_, "executor_id": id_, "data": "***"},
    ):
        yield "MESSAGE %s" % sorted(body), call("MESSAGE", body), BAD, ""
    yield "SHUTDOWN without executor_id", call("SHUTDOWN", {"agent_id": id_}), BAD, "executor_id"
    yield "SHUTDOWN without agent_id", call("SHUTDOWN", {"executor_id": id_}), BAD, "agent_id"
    for kind in ("REVIVE", "SUPPRESS"):
        for value in ("x", [5], {}, [{}]):
            yield "%s with roles %r" % (kind, value), call(kind, {"roles": value}), BAD, ""
    # Whichever of two equal keys is read, this is no good call.
    twice = '{"type":"REVIVE","type":"NOPE","framework_id":{"value":"x"},"framework_id":{"value":"y"}}'
    yield "duplicate keys", http("POST", SCHEDULER, twice, {"Mesos-Stream-Id": stream_id}), BAD, ""
    twice = '{"type":"NOPE","framework_id":{"value":"%s","value":"%s"}}' % (framework_id, framework_id)
    yield "duplicate keys inside", http("POST", SCHEDULER, twice, {"Mesos-Stream-Id": stream_id}), BAD, ""


def operator_calls():
    """Operator calls: unknown, without what they need, about what does not exist, or not built yet."""

    def call(kind, body=None, **top):
        message = {"type": kind}
        if body is not None:
            message[str(kind).lower()] = body
        message.update(top)
        return http("POST", OPERATOR, message)

    for value in ("", "NOPE", "UNKNOWN", "get_health", "GET_HEALTH ", "GET_HEALTH\0", 9999, -1, True, {}, [], None):
        yield "operator type %r" % value, http("POST", OPERATOR, {"type": value}), BAD, ""
    yield "operator call without type", http("POST", OPERATOR, {"get_health": {}}), BAD, "type"
    yield "operator call {}", http("POST", OPERATOR, {}), BAD, "type"
    for kind in ("READ_FILE", "LIST_FILES"):
        yield kind + " without body", call(kind), BAD, kind.lower()
        yield kind + " without path", call(kind, {}), BAD, "path"
        yield kind + " of 5", call(kind, {"path": 5, "offset": 0}), BAD, ""
        for path in (
            "",
            "/nothing",
            "/etc/passwd",
            "/master/log/../../etc/passwd",
            "../../etc/passwd",
            "/master/log/",
            "\0",
        ):
            yield "%s of %r" % (kind, path), call(kind, {"path": path, "offset": 0}), {400, 403, 404}, ""
    yield "READ_FILE without offset", call("READ_FILE", {"path": "/master/log"}), BAD, "offset"
    yield "READ_FILE with offset -1", call("READ_FILE", {"path": "/master/log", "offset": -1}), BAD, ""
    yield "READ_FILE with offset x", call("READ_FILE", {"path": "/master/log", "offset": "x"}), BAD, ""
    yield "READ_FILE with offset 2^64", call("READ_FILE", {"path": "/master/log", "offset": 1 << 64}), BAD, ""
    for body in (None, {}, 5, {"agent_id": "x"}, {"agent_id": {}}):
        yield "MARK_AGENT_GONE with %r" % body, call("MARK_AGENT_GONE", body), {400, 501}, ""
    yield "MARK_AGENT_GONE of nobody", call("MARK_AGENT_GONE", {"agent_id": {"value": "nobody"}}), {400, 404, 501}, ""
    for body in (
        None,
        {},
        {"weight_infos": 5},
        {"weight_infos": [{"role": "x"}]},
        {"weight_infos": [{"weight": 1.0}]},
        {"weight_infos": [{"role": "x", "weight": -1.0}]},
        {"weight_infos": [{"role": "x", "weight": 0.0}]},
        {"weight_infos": [{"role": "x", "weight": "NaN"}]},
        {"weight_infos": [{"role": "a/../b", "weight": 1.0}]},
    ):
        yield "UPDATE_WEIGHTS with %r" % body, call("UPDATE_WEIGHTS", body), {400, 501}, ""
    for kind in (
        "RESERVE_RESOURCES",
        "UNRESERVE_RESOURCES",
        "CREATE_VOLUMES",
        "DESTROY_VOLUMES",
        "SET_QUOTA",
        "REMOVE_QUOTA",
        "UPDATE_MAINTENANCE_SCHEDULE",
        "START_MAINTENANCE",
        "STOP_MAINTENANCE",
        "SET_LOGGING_LEVEL",
    ):
        yield kind + " without body", call(kind), {400, 501}, ""
        yield kind + " with a list", call(kind, []), {400, 501}, ""
    for kind in ("LAUNCH_NESTED_CONTAINER", "GET_CONTAINERS", "ATTACH_CONTAINER_OUTPUT"):
        yield kind + " on the master", call(kind, {}), {400, 501}, ""
