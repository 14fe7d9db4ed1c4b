"""Tests of the endpoints that tools read, with every field that some client looks for. Run by http_test.py."""

import re

from harness import check, equal, eventually, test
from http_common import MASTER, explained, need_keys, subscribe
from mesos_client import Scheduler, command_task
from wire import get, get_json, request

SCHEDULER = "/api/v1/scheduler"


@test
def version():
    """/version answers without credentials with digits and dots"""
    answer = get_json(MASTER, "/version")
    check(re.fullmatch(r"\d+\.\d+\.\d+", answer.get("version", "")), "version", answer)


@test
def state():
    """/state has every field that clients read"""
    with Scheduler(
        MASTER,
        "state",
        roles=["state-role"],
        capabilities=["MULTI_ROLE"],
        webui_url="http://x/",
        hostname="scheduler.example",
    ) as one:
        offer = one.wait_offers()[0]
        task = command_task(
            "state-task", offer["agent_id"]["value"], "sleep 1000", environment={"SECRET": "hidden-value"}
        )
        one.launch([offer], [task])
        one.wait_state("state-task", "TASK_RUNNING")
        answer = get(MASTER, "/state")
        body = answer.json
        need_keys(
            body,
            "/state",
            "id pid leader hostname version cluster start_time activated_slaves flags slaves "
            "frameworks completed_frameworks",
        )
        check(re.fullmatch(r"master@[\d.]+:\d+", body["pid"]), "pid", body["pid"])
        check(isinstance(body["start_time"], (int, float)), "start_time", body["start_time"])
        framework = next(each for each in body["frameworks"] if each["id"] == one.framework_id)
        need_keys(
            framework,
            "framework",
            "id name user active connected hostname webui_url resources tasks completed_tasks "
            "roles capabilities failover_timeout",
        )
        need_keys(framework["resources"], "framework.resources", "cpus mem disk gpus")
        equal(
            (framework["roles"], framework["webui_url"], framework["hostname"], framework["failover_timeout"]),
            (["state-role"], "http://x/", "scheduler.example", 60.0),
            "roles, webui_url, hostname, failover_timeout",
        )
        listed = framework["tasks"][0]
        need_keys(listed, "task", "id name framework_id executor_id slave_id state resources statuses")
        equal(
            (listed["id"], listed["executor_id"], listed["state"], listed["slave_id"], listed["framework_id"]),
            ("state-task", "", "TASK_RUNNING", offer["agent_id"]["value"], one.framework_id),
            "the task",
        )
        equal((listed["resources"]["cpus"], listed["resources"]["mem"]), (0.1, 32), "its cpus and mem")
        check(
            listed["statuses"]
            and all({"state", "timestamp", "container_status"} <= set(each) for each in listed["statuses"]),
            "statuses",
            listed["statuses"],
        )
        check(listed["statuses"][0]["container_status"]["container_id"]["value"], "no container id in the first status")
        used = next(each for each in body["slaves"] if each["id"] == listed["slave_id"])
        equal(used["used_resources"]["cpus"], 0.1, "used_resources.cpus of its agent")
        check("hidden-value" not in answer.text, "/state without credentials shows a command's environment")
    done = next(each for each in get_json(MASTER, "/state")["completed_frameworks"] if each["id"] == one.framework_id)
    check(isinstance(done.get("tasks"), list) and isinstance(done.get("completed_tasks"), list), "task lists of", done)


@test
def slaves():
    """/slaves tells each agent's address, resources and attributes"""
    for each in get_json(MASTER, "/slaves")["slaves"]:
        need_keys(each, "agent", "id pid hostname active resources used_resources attributes")
        check(re.fullmatch(r"slave\(\d+\)@[\d.]+:\d+", each["pid"]), "pid", each["pid"])
        need_keys(each["resources"], "resources", "cpus mem disk ports")
        check(
            re.fullmatch(r"\[\d+-\d+(, ?\d+-\d+)*\]", each["resources"]["ports"]), "ports", each["resources"]["ports"]
        )
        check(isinstance(each["attributes"], dict), "attributes", each["attributes"])


@test
def summary():
    """/state-summary tells cluster, agents and frameworks"""
    body = get_json(MASTER, "/master/state-summary")
    need_keys(body, "/state-summary", "cluster hostname slaves frameworks")
    for each in body["slaves"]:
        need_keys(each, "agent", "id pid hostname")


@test
def tasks():
    """/tasks lists live and ended tasks, with limit, order and task_id"""
    with Scheduler(MASTER, "list") as one:
        for number in range(3):
            offer = one.wait_offers()[0]
            one.launch([offer], [command_task("list-%d" % number, offer["agent_id"]["value"], "true")])
            one.wait_state("list-%d" % number)

        def ended():
            listed = get_json(MASTER, "/tasks?limit=-1")["tasks"]
            mine = [each for each in listed if each["framework_id"] == one.framework_id]
            return len(mine) == 3 and all(each["state"] == "TASK_FINISHED" and each["statuses"] for each in mine)

        eventually(ended, 5, "three finished tasks in /tasks?limit=-1")
        equal(len(get_json(MASTER, "/tasks?limit=2")["tasks"]), 2, "tasks with limit=2")
        equal(len(get_json(MASTER, "/tasks?limit=0")["tasks"]), 0, "tasks with limit=0")
        equal(
            [each["id"] for each in get_json(MASTER, "/tasks?task_id=list-1&limit=-1")["tasks"]], ["list-1"], "task_id="
        )
        up = [each["id"] for each in get_json(MASTER, "/tasks?order=asc&limit=-1")["tasks"]]
        down = [each["id"] for each in get_json(MASTER, "/tasks?order=des&limit=-1")["tasks"]]
        equal(up, down[::-1], "order=asc and order=des")


@test
def frameworks():
    """/frameworks lists those there and those gone"""
    with Scheduler(MASTER, "listed") as one:
        body = get_json(MASTER, "/master/frameworks/")
        mine = [each for each in body["frameworks"] if each["id"] == one.framework_id]
        check(mine, "the framework is not listed")
        need_keys(mine[0], "framework", "id active hostname name webui_url")
    check(
        any(each["id"] == one.framework_id for each in get_json(MASTER, "/frameworks")["completed_frameworks"]),
        "completed_frameworks lack the framework torn down",
    )


@test
def path_forms():
    """reads exist with and without /master, with .json and with a slash at the end"""
    for name in ("state", "state-summary", "slaves", "tasks", "frameworks", "version", "health", "metrics/snapshot"):
        forms = ["/" + name, "/master/" + name, "/" + name + "/", "/master/" + name + "/"]
        if name in ("state", "slaves", "tasks", "frameworks"):
            forms += ["/master/%s.json" % name, "/%s.json" % name]
        for path in forms:
            equal((path, get(MASTER, path).status), (path, 200), "path and status")
    for path in ("/api/v1", "/api/v1/", "/api/v1/operator", "/master/api/v1", "/master/api/v1/"):
        answer = request(MASTER, "POST", path, {"type": "GET_HEALTH"})
        equal((path, answer.status), (path, 200), "path and status")
    wire, _, _ = subscribe(path="/master" + SCHEDULER)
    wire.close()


@test
def metrics():
    """/metrics/snapshot is flat JSON numbers with Mesos' names, /metrics is Prometheus text"""
    body = get_json(MASTER, "/metrics/snapshot")
    check(body and all(type(each) in (int, float) for each in body.values()), "values", list(body.items())[:5])
    for name in (
        "master/uptime_secs",
        "master/slaves_active",
        "master/frameworks_active",
        "master/tasks_running",
        "master/cpus_total",
        "master/elected",
    ):
        check(name in body, "no", name, "in", sorted(body)[:40])
    answer = get(MASTER, "/metrics")
    equal(answer.status, 200, "status of /metrics")
    check(answer.headers["content-type"].startswith("text/plain"), "Content-Type", answer.headers["content-type"])
    line = re.compile(r"^(#.*|[a-zA-Z_:][a-zA-Z0-9_:]*(\{[^}]*\})? [-+0-9.eEInfNa]+( \d+)?)?$")
    bad = [each for each in answer.text.split("\n") if not line.match(each)]
    check(not bad, "not Prometheus lines:", bad[:3])
    check(len(answer.text.split("\n")) > 10, "few metrics:", answer.text)


@test
def files_of_a_task():
    """a task's output is browsed and read through the master, by offset, to the end, and as size only"""
    with Scheduler(MASTER, "files") as one:
        offer = one.wait_offers()[0]
        agent = offer["agent_id"]["value"]
        one.launch(
            [offer], [command_task("files", agent, "printf 'one\\ntwo gr\\303\\274n\\nthree\\n'; echo oops >&2")]
        )
        one.wait_state("files", "TASK_FINISHED")
        root = "/agent/%s" % agent
        state = get_json(MASTER, root + "/state")
        need_keys(state, "agent state", "id frameworks completed_frameworks")
        equal(state["id"], agent, "id of the agent's state")
        directory = None
        for framework in state["frameworks"] + state["completed_frameworks"]:
            need_keys(framework, "framework of the agent", "id executors completed_executors")
            for executor in framework["executors"] + framework["completed_executors"]:
                need_keys(executor, "executor", "id directory tasks completed_tasks queued_tasks")
                if framework["id"] == one.framework_id and executor["id"] == "files":
                    directory = executor["directory"]
        check(directory, "the agent's state does not tell the task's directory")
        listed = get_json(MASTER, "%s/files/browse?path=%s" % (root, directory))
        names = {each["path"].rsplit("/", 1)[-1]: each for each in listed}
        check({"stdout", "stderr"} <= set(names), "browse lists", sorted(names))
        need_keys(names["stdout"], "file", "path nlink size mtime mode uid gid")
        equal(names["stdout"]["size"], 20, "size of stdout")
        check(re.match(r"-rw", names["stdout"]["mode"]), "mode", names["stdout"]["mode"])

        def read(arguments, name="stdout", path="files/read"):
            return get_json(MASTER, "%s/%s?path=%s/%s%s" % (root, path, directory, name, arguments))

        equal(read("&offset=0&length=4"), {"data": "one\n", "offset": 0}, "the first four bytes")
        equal(read("&offset=4&length=100"), {"data": "two grün\nthree\n", "offset": 4}, "from the fourth on")
        equal(read("&offset=0&length=-1")["data"], "one\ntwo grün\nthree\n", "all of it")
        equal(read("&offset=-1"), {"data": "", "offset": 20}, "offset=-1 tells the size")
        equal(read("&offset=1000&length=10")["data"], "", "beyond the end")
        equal(read("&offset=0&length=4", path="files/read.json"), {"data": "one\n", "offset": 0}, "read.json")
        equal(read("&offset=0&length=10", name="stderr")["data"], "oops\n", "stderr")
        # A cut through the two bytes of ü: nothing broken is sent.
        check("\ufffd" not in read("&offset=0&length=11")["data"], "half a character was sent")
        explained(get(MASTER, "%s/files/read?path=%s/nothing" % (root, directory)), 404)
        explained(get(MASTER, "%s/files/browse?path=%s/nothing" % (root, directory)), 404)
        explained(get(MASTER, root + "/files/read"), 400, "path")
        equal(get(MASTER, "/slave/%s/state" % agent).status, 200, "the same under /slave")


@test
def master_log():
    """the master's log is at /master/log"""
    body = get_json(MASTER, "/files/read?path=/master/log&offset=0&length=50")
    check(body["data"] and body["offset"] == 0, "the log's first bytes:", body)
    size = get_json(MASTER, "/files/read.json?path=/master/log&offset=-1")
    check(size["data"] == "" and size["offset"] > 0, "offset=-1 of the log:", size)
    equal([each["path"] for each in get_json(MASTER, "/files/browse?path=/master/log")], ["/master/log"], "browse")
