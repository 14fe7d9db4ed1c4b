"""What the golden frames say, by message type and name; see make_golden.py. Values are ours, fields are the wire's."""
import base64


def b64(data):
    return base64.b64encode(data).decode()


def ident(text):
    return {"value": text}


def scalar(name, value, **more):
    return {"name": name, "type": "SCALAR", "scalar": {"value": value}, **more}


UUID = b64(bytes(range(16)))
FRAMEWORK = ident("6f1c-0001")
AGENT = ident("6f1c-S3")
OFFERS = [ident("6f1c-O1"), ident("6f1c-O2")]
TASK = ident("count.7")
EXECUTOR = ident("default")
LABELS = {"labels": [{"key": "tier", "value": "back"}, {"key": "bare"}]}
PORTS = {"name": "ports", "type": "RANGES",
         "ranges": {"range": [{"begin": 31000, "end": 31999}, {"begin": 33000, "end": 33000}]}}
NAMES = {"name": "licences", "type": "SET", "set": {"item": ["alpha", "beta"]}}
UNAVAILABLE = {"start": {"nanoseconds": 1700000000000000123}, "duration": {"nanoseconds": 3600000000000}}
ALLOCATION = {"allocation_info": {"role": "eng/web"}}
OLD_STATIC = scalar("cpus", 1.5, role="eng")
OLD_DYNAMIC = scalar("mem", 512.0, role="eng", reservation={"principal": "ops", "labels": LABELS})
REFINED = scalar("mem", 64.25, reservations=[
    {"type": "STATIC", "role": "eng"}, {"type": "DYNAMIC", "role": "eng/web", "principal": "ops", "labels": LABELS}],
    **ALLOCATION)
VOLUME = scalar("disk", 128.0, reservations=[{"type": "DYNAMIC", "role": "eng", "principal": "ops"}], disk={
    "persistence": {"id": "db-1", "principal": "ops"}, "volume": {"mode": "RW", "container_path": "data"},
    "source": {"type": "MOUNT", "mount": {"root": "/srv/d1"}}}, shared={})
MAP = {"cpus": {"value": 0.5}, "disk": {"value": 1.0}, "mem": {"value": 32.0}}
FRAMEWORK_INFO = {
    "user": "nobody", "name": "wörter zählen 🎉", "id": FRAMEWORK, "failover_timeout": 604800.5, "checkpoint": True,
    "roles": ["eng", "eng/web"], "hostname": "h1.example", "principal": "counter", "webui_url": "http://h1.example:80/",
    "capabilities": [{"type": "MULTI_ROLE"}, {"type": "PARTITION_AWARE"}, {"type": "RESERVATION_REFINEMENT"}],
    "labels": LABELS,
    "offer_filters": {"eng": {"min_allocatable_resources": {"quantities": [{"quantities": MAP}]}}}}
COMMAND = {
    "uris": [{"value": "http://h1.example/a.tgz", "executable": False, "extract": True, "output_file": "a"}],
    "environment": {"variables": [{"name": "A", "value": "tab\there \"and\" back\\slash"},
                                  {"name": "S", "type": "SECRET", "secret": {"type": "REFERENCE",
                                                                            "reference": {"name": "s1"}}}]},
    "value": "wc -w *", "user": "nobody", "shell": False, "arguments": ["wc", "-w", "日本"]}
CONTAINER = {
    "type": "MESOS", "hostname": "c1",
    "mesos": {"image": {"type": "DOCKER", "docker": {"name": "debian:12"}, "cached": False}},
    "volumes": [{"mode": "RO", "container_path": "/in", "host_path": "/srv/in"},
                {"mode": "RW", "container_path": "/v", "source": {
                    "type": "CSI_VOLUME", "csi_volume": {"plugin_name": "p", "static_provisioning": {
                        "volume_id": "v", "volume_context": {"a": "b", "c": "d"},
                        "volume_capability": {"mount": {"fs_type": "ext4"},
                                              "access_mode": {"mode": "SINGLE_NODE_WRITER"}}}}}}],
    "network_infos": [{"name": "net", "groups": ["g"], "port_mappings": [
        {"host_port": 31000, "container_port": 80, "protocol": "tcp"}]}],
    "linux_info": {"effective_capabilities": {"capabilities": ["NET_RAW", "BPF"]}, "shm_size": 64},
    "rlimit_info": {"rlimits": [{"type": "RLMT_NOFILE", "hard": 18446744073709551615, "soft": 1024}]},
    "tty_info": {"window_size": {"rows": 24, "columns": 80}}}
HEALTH = {"type": "HTTP", "http": {"port": 80, "path": "/up", "statuses": [200, 204], "protocol": "IPv6"},
          "delay_seconds": 0.5, "consecutive_failures": 2}
DISCOVERY = {"visibility": "CLUSTER", "name": "count", "ports": {"ports": [
    {"number": 31000, "name": "web", "protocol": "tcp", "labels": LABELS}]}}
TASK_INFO = {
    "name": "count words", "task_id": TASK, "agent_id": AGENT, "resources": [scalar("cpus", 0.1), PORTS],
    "command": COMMAND, "container": CONTAINER, "health_check": HEALTH,
    "check": {"type": "COMMAND", "command": {"command": {"value": "true"}}, "timeout_seconds": 3.0},
    "kill_policy": {"grace_period": {"nanoseconds": 5000000000}}, "data": b64(b"\x00\xff\x10"), "labels": LABELS,
    "discovery": DISCOVERY, "max_completion_time": {"nanoseconds": 60000000000}, "limits": MAP}
SIMPLE_TASK = {"name": "t", "task_id": TASK, "agent_id": AGENT, "resources": [scalar("mem", 32.0)],
               "command": {"value": "sleep 1"}}
EXECUTOR_INFO = {"type": "DEFAULT", "executor_id": EXECUTOR, "framework_id": FRAMEWORK, "name": "pod",
                 "resources": [scalar("cpus", 0.1)], "shutdown_grace_period": {"nanoseconds": 1}, "labels": LABELS}
STATUS = {
    "task_id": TASK, "state": "TASK_FAILED", "data": b64(b"tail"), "message": "exited with status 3 – ende",
    "agent_id": AGENT, "timestamp": 1700000000.25, "executor_id": TASK, "healthy": False, "source": "SOURCE_EXECUTOR",
    "reason": "REASON_COMMAND_EXECUTOR_FAILED", "uuid": UUID, "labels": LABELS,
    "container_status": {
        "network_infos": [{"ip_addresses": [{"protocol": "IPv4", "ip_address": "10.0.0.7"}]}],
        "cgroup_info": {"net_cls": {"classid": 7}}, "executor_pid": 4711,
        "container_id": {"value": "c-2", "parent": {"value": "c-1"}}},
    "unreachable_time": {"nanoseconds": 5},
    "check_status": {"type": "COMMAND", "command": {"exit_code": -1}},
    "limitation": {"resources": [scalar("mem", 32.0)]}}
DOMAIN = {"fault_domain": {"region": {"name": "north"}, "zone": {"name": "r2"}}}
ATTRIBUTES = [{"name": "rack", "type": "TEXT", "text": {"value": "r2"}},
              {"name": "slots", "type": "SCALAR", "scalar": {"value": 4.0}},
              {"name": "vlans", "type": "RANGES", "ranges": {"range": [{"begin": 0, "end": 9223372036854775808}]}}]
OFFER = {
    "id": OFFERS[0], "framework_id": FRAMEWORK, "agent_id": AGENT, "hostname": "n1",
    "resources": [OLD_STATIC, REFINED, VOLUME, PORTS, NAMES, scalar("gpus", 1.0, revocable={})],
    "executor_ids": [EXECUTOR], "attributes": ATTRIBUTES,
    "url": {"scheme": "http", "address": {"hostname": "n1", "ip": "10.0.0.1", "port": 5051}, "path": "/slave(1)",
            "query": [{"key": "a", "value": "b"}], "fragment": "f"},
    "unavailability": UNAVAILABLE, "allocation_info": {"role": "eng/web"}, "domain": DOMAIN}
INVERSE = {"id": OFFERS[0], "framework_id": FRAMEWORK, "agent_id": AGENT, "unavailability": UNAVAILABLE,
           "resources": [scalar("cpus", 1.0)]}
MASTER = {"id": "m-1", "ip": 16777343, "port": 5050, "pid": "master@127.0.0.1:5050", "hostname": "n0",
          "version": "1.11.0", "address": {"hostname": "n0", "ip": "127.0.0.1", "port": 5050}, "domain": DOMAIN,
          "capabilities": [{"type": "AGENT_UPDATE"}, {"type": "QUOTA_V2"}]}
AGENT_INFO = {"hostname": "n1", "port": 5051, "resources": [scalar("cpus", 8.0), PORTS], "attributes": ATTRIBUTES,
              "id": AGENT, "domain": DOMAIN}
OPERATION_STATUS = {"operation_id": ident("op-1"), "state": "OPERATION_DROPPED", "message": "no", "uuid": {"value": UUID},
                    "agent_id": AGENT, "converted_resources": [VOLUME], "resource_provider_id": ident("rp")}
CONSTRAINTS = {"role_constraints": {"eng": {"groups": [{"attribute_constraints": [
    {"selector": {"attribute_name": "rack"}, "predicate": {"text_equals": {"value": "r2"}}},
    {"selector": {"pseudoattribute_type": "HOSTNAME"}, "predicate": {"exists": {}}}]}]}}}


def call(kind, body=None, **more):
    fields = {"framework_id": FRAMEWORK, "type": kind, **more}
    return fields if body is None else {**fields, kind.lower(): body}


def typed(kind, body=None):
    return {"type": kind} if body is None else {"type": kind, kind.lower(): body}


LAUNCH = {"type": "LAUNCH", "launch": {"task_infos": [TASK_INFO, SIMPLE_TASK]}}
OPERATIONS = [
    LAUNCH,
    {"type": "LAUNCH_GROUP", "launch_group": {"executor": EXECUTOR_INFO, "task_group": {"tasks": [SIMPLE_TASK]}}},
    {"type": "RESERVE", "id": ident("op-1"), "reserve": {"resources": [REFINED], "source": [OLD_STATIC]}},
    {"type": "UNRESERVE", "unreserve": {"resources": [OLD_DYNAMIC]}},
    {"type": "CREATE", "create": {"volumes": [VOLUME]}},
    {"type": "DESTROY", "destroy": {"volumes": [VOLUME]}},
    {"type": "GROW_VOLUME", "grow_volume": {"volume": VOLUME, "addition": scalar("disk", 1.0)}},
    {"type": "SHRINK_VOLUME", "shrink_volume": {"volume": VOLUME, "subtract": {"value": 1.0}}},
    {"type": "CREATE_DISK", "create_disk": {"source": VOLUME, "target_type": "BLOCK", "target_profile": "fast"}},
    {"type": "DESTROY_DISK", "destroy_disk": {"source": VOLUME}}]
CALLS = [
    call("SUBSCRIBE", {"framework_info": FRAMEWORK_INFO, "suppressed_roles": ["eng"],
                       "offer_constraints": CONSTRAINTS}),
    call("TEARDOWN"),
    call("ACCEPT", {"offer_ids": OFFERS, "operations": OPERATIONS, "filters": {"refuse_seconds": 0.0}}),
    call("DECLINE", {"offer_ids": OFFERS, "filters": {"refuse_seconds": 3600.0}}),
    call("ACCEPT_INVERSE_OFFERS", {"inverse_offer_ids": OFFERS, "filters": {}}),
    call("DECLINE_INVERSE_OFFERS", {"inverse_offer_ids": OFFERS}),
    call("REVIVE", {"roles": ["eng"]}),
    call("SUPPRESS", {"roles": []}),
    call("KILL", {"task_id": TASK, "agent_id": AGENT, "kill_policy": {"grace_period": {"nanoseconds": 0}}}),
    call("SHUTDOWN", {"executor_id": EXECUTOR, "agent_id": AGENT}),
    call("ACKNOWLEDGE", {"agent_id": AGENT, "task_id": TASK, "uuid": UUID}),
    call("ACKNOWLEDGE_OPERATION_STATUS", {"agent_id": AGENT, "uuid": UUID, "operation_id": ident("op-1")}),
    call("RECONCILE", {"tasks": [{"task_id": TASK, "agent_id": AGENT}, {"task_id": ident("x")}]}),
    call("RECONCILE_OPERATIONS", {"operations": [{"operation_id": ident("op-1"), "agent_id": AGENT}]}),
    call("MESSAGE", {"agent_id": AGENT, "executor_id": EXECUTOR, "data": b64(bytes(range(256)))}),
    call("REQUEST", {"requests": [{"agent_id": AGENT, "resources": [scalar("cpus", 2.0)]}]}),
    call("UPDATE_FRAMEWORK", {"framework_info": FRAMEWORK_INFO, "suppressed_roles": ["eng/web"]})]
EVENTS = [
    typed("SUBSCRIBED", {"framework_id": FRAMEWORK, "heartbeat_interval_seconds": 15.0, "master_info": MASTER}),
    typed("OFFERS", {"offers": [OFFER, OFFER]}), typed("INVERSE_OFFERS", {"inverse_offers": [INVERSE]}),
    typed("RESCIND", {"offer_id": OFFERS[0]}), typed("RESCIND_INVERSE_OFFER", {"inverse_offer_id": OFFERS[0]}),
    typed("UPDATE", {"status": STATUS}), typed("UPDATE_OPERATION_STATUS", {"status": OPERATION_STATUS}),
    typed("MESSAGE", {"agent_id": AGENT, "executor_id": EXECUTOR, "data": b64(b"hello")}),
    typed("FAILURE", {"agent_id": AGENT, "executor_id": EXECUTOR, "status": -9}),
    typed("ERROR", {"message": "framework failed over"}), typed("HEARTBEAT")]
MACHINE = {"hostname": "n1", "ip": "10.0.0.1"}
SCHEDULE = {"windows": [{"machine_ids": [MACHINE], "unavailability": UNAVAILABLE}]}
OPERATOR_CALLS = [
    typed("GET_STATE"), typed("GET_METRICS", {"timeout": {"nanoseconds": 1000000000}}),
    typed("SET_LOGGING_LEVEL", {"level": 2, "duration": {"nanoseconds": 60000000000}}),
    typed("LIST_FILES", {"path": "/x"}), typed("READ_FILE", {"path": "/x", "offset": 18446744073709551615, "length": 0}),
    typed("UPDATE_WEIGHTS", {"weight_infos": [{"weight": 2.5, "role": "eng"}]}),
    typed("RESERVE_RESOURCES", {"agent_id": AGENT, "resources": [REFINED], "source": [OLD_STATIC]}),
    typed("UNRESERVE_RESOURCES", {"agent_id": AGENT, "resources": [OLD_DYNAMIC]}),
    typed("CREATE_VOLUMES", {"agent_id": AGENT, "volumes": [VOLUME]}),
    typed("DESTROY_VOLUMES", {"agent_id": AGENT, "volumes": [VOLUME]}),
    typed("GROW_VOLUME", {"agent_id": AGENT, "volume": VOLUME, "addition": scalar("disk", 1.0)}),
    typed("SHRINK_VOLUME", {"agent_id": AGENT, "volume": VOLUME, "subtract": {"value": 1.0}}),
    typed("UPDATE_MAINTENANCE_SCHEDULE", {"schedule": SCHEDULE}), typed("START_MAINTENANCE", {"machines": [MACHINE]}),
    typed("STOP_MAINTENANCE", {"machines": [MACHINE]}), typed("DEACTIVATE_AGENT", {"agent_id": AGENT}),
    typed("DRAIN_AGENT", {"agent_id": AGENT, "mark_gone": True}), typed("REACTIVATE_AGENT", {"agent_id": AGENT}),
    typed("UPDATE_QUOTA", {"force": True, "quota_configs": [{"role": "eng", "guarantees": MAP, "limits": MAP}]}),
    typed("SET_QUOTA", {"quota_request": {"role": "eng", "guarantee": [scalar("cpus", 1.0)]}}),
    typed("REMOVE_QUOTA", {"role": "eng"}), typed("TEARDOWN", {"framework_id": FRAMEWORK}),
    typed("MARK_AGENT_GONE", {"agent_id": AGENT})]
TIME = {"nanoseconds": 1700000000000000123}
KNOWN_TASK = {"name": "t", "task_id": TASK, "framework_id": FRAMEWORK, "executor_id": ident(""), "agent_id": AGENT,
              "state": "TASK_RUNNING", "resources": [scalar("cpus", 0.1)], "statuses": [STATUS],
              "status_update_state": "TASK_STARTING", "status_update_uuid": UUID, "labels": LABELS,
              "discovery": DISCOVERY, "container": CONTAINER, "user": "nobody", "health_check": HEALTH, "limits": MAP}
KNOWN_AGENT = {"agent_info": AGENT_INFO, "active": True, "version": "1.11.0", "pid": "slave(1)@10.0.0.1:5051",
               "registered_time": TIME, "total_resources": [VOLUME], "allocated_resources": [REFINED],
               "capabilities": [{"type": "MULTI_ROLE"}], "deactivated": False,
               "drain_info": {"state": "DRAINING", "config": {"mark_gone": True}}}
KNOWN_FRAMEWORK = {"framework_info": FRAMEWORK_INFO, "active": True, "connected": False, "recovered": False,
                   "registered_time": TIME, "offers": [OFFER], "inverse_offers": [INVERSE],
                   "allocated_resources": [REFINED], "offer_constraints": CONSTRAINTS}
STATE = {"get_tasks": {"tasks": [KNOWN_TASK], "completed_tasks": [KNOWN_TASK]},
         "get_executors": {"executors": [{"executor_info": EXECUTOR_INFO, "agent_id": AGENT}]},
         "get_frameworks": {"frameworks": [KNOWN_FRAMEWORK], "recovered_frameworks": [FRAMEWORK_INFO]},
         "get_agents": {"agents": [KNOWN_AGENT], "recovered_agents": [AGENT_INFO]}}
RESPONSES = [
    typed("GET_HEALTH", {"healthy": True}), typed("GET_FLAGS", {"flags": [{"name": "a", "value": "b"}, {"name": "c"}]}),
    typed("GET_VERSION", {"version_info": {"version": "1.11.0", "build_time": 1700000000.0, "git_sha": "abc"}}),
    typed("GET_METRICS", {"metrics": [{"name": "master/uptime_secs", "value": 1e16}]}),
    typed("GET_LOGGING_LEVEL", {"level": 0}),
    typed("LIST_FILES", {"file_infos": [{"path": "/x", "nlink": 1, "size": 9007199254740993, "mtime": TIME,
                                         "mode": 33188, "uid": "root", "gid": "root"}]}),
    typed("READ_FILE", {"size": 3, "data": b64(b"abc")}), typed("GET_STATE", STATE),
    typed("GET_ROLES", {"roles": [{"name": "eng", "weight": 1.0, "frameworks": [FRAMEWORK],
                                   "resources": [scalar("cpus", 1.0)]}]}),
    typed("GET_WEIGHTS", {"weight_infos": [{"weight": 2.5, "role": "eng"}]}),
    typed("GET_MASTER", {"master_info": MASTER, "start_time": 1700000000.125, "elected_time": 1700000001.0}),
    typed("GET_MAINTENANCE_STATUS", {"status": {
        "draining_machines": [{"id": MACHINE, "statuses": [
            {"status": "ACCEPT", "framework_id": FRAMEWORK, "timestamp": TIME}]}], "down_machines": [MACHINE]}}),
    typed("GET_MAINTENANCE_SCHEDULE", {"schedule": SCHEDULE}),
    typed("GET_QUOTA", {"status": {"configs": [{"role": "eng", "limits": MAP}]}}),
    typed("GET_OPERATIONS", {"operations": [{"framework_id": FRAMEWORK, "agent_id": AGENT, "info": OPERATIONS[4],
                                             "latest_status": OPERATION_STATUS, "uuid": {"value": UUID}}]})]
OPERATOR_EVENTS = [
    typed("SUBSCRIBED", {"get_state": STATE, "heartbeat_interval_seconds": 15.0}),
    typed("TASK_ADDED", {"task": KNOWN_TASK}),
    typed("TASK_UPDATED", {"framework_id": FRAMEWORK, "status": STATUS, "state": "TASK_FAILED"}),
    typed("AGENT_ADDED", {"agent": KNOWN_AGENT}), typed("AGENT_REMOVED", {"agent_id": AGENT}),
    typed("FRAMEWORK_ADDED", {"framework": KNOWN_FRAMEWORK}), typed("FRAMEWORK_UPDATED", {"framework": KNOWN_FRAMEWORK}),
    typed("FRAMEWORK_REMOVED", {"framework_info": FRAMEWORK_INFO}), typed("HEARTBEAT")]

CASES = {
    f"{kind}.{fields['type'].lower()}": fields
    for kind, many in [("scheduler-call", CALLS), ("scheduler-event", EVENTS), ("operator-call", OPERATOR_CALLS),
                       ("operator-response", RESPONSES), ("operator-event", OPERATOR_EVENTS)]
    for fields in many
}
