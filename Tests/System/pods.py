"""Task groups: tasks that start together in one network, share directories and end together, on a node of one's own.

    python3 Tests/System/pods.py path/to/rondo [WORD ...]

Needs root, iproute2, nft and busybox-static.
"""

import base64
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import Footprint, interfaces  # noqa: E402
from harness import TESTS, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from mesos_client import TERMINAL, Scheduler, amount, scalar  # noqa: E402
from secured_nodes import Node, root, run, world  # noqa: E402

APPLETS = "cat chmod echo false grep httpd id ls mkdir pwd rm sh sleep stat test touch true wget"
# Patience for what takes as long as the machine is busy.
LONG = 40


def make_image(name):
    """A root with busybox and a file that says which image it is, as an image of the node."""
    top = world.path("root-" + name)
    for each in ("bin", "etc", "tmp", "www"):
        os.makedirs(os.path.join(top, each))
    shutil.copy("/bin/busybox", top + "/bin/busybox")
    for each in APPLETS.split():
        os.symlink("busybox", top + "/bin/" + each)
    for path, text in (("etc/image", name), ("www/index.html", "page of " + name), ("etc/passwd", PASSWD)):
        with open(os.path.join(top, path), "w") as file:
            file.write(text)
    done = run(world.rondo, "image", "build-from-rootfs", top, "--as", name, "--data", bench.node.data, seconds=60)
    equal(done.returncode, 0, "image %s: %s" % (name, done.stderr[-300:]))


PASSWD = "root:x:0:0:root:/:/bin/sh\napp:x:1234:2345::/:/bin/sh\n"


class Bench:
    """The node, a framework on it, and groups by number."""

    count = 0

    def connect(self, framework_id=None):
        self.scheduler = Scheduler(
            self.node.plain, name="groups", framework_id=framework_id, checkpoint=True, authorization=self.shown)
        self.scheduler.start(30)

    def restart(self):
        """Kills the node with all of its processes but the tasks', and starts it again."""
        self.node.kill()
        self.node.start()
        self.scheduler.disconnect()
        self.connect(self.scheduler.framework_id)

    def group(self, *tasks, network=None, mappings=(), ports=(), executor=None, change=None):
        """Starts a group; returns the ids of its tasks. A task is (image, command, other fields)."""
        # What ended tasks gave back comes in offers of its own.
        offers = self.scheduler.wait_offers(
            LONG, lambda found: sum(amount(each["resources"], "cpus") for each in found) > 0.5, "offers of 0.5 cpus")
        offer = offers[0]
        Bench.count += 1
        name = executor or "pod%d" % Bench.count
        info = {
            "type": "DEFAULT",
            "executor_id": {"value": name},
            "framework_id": {"value": self.scheduler.framework_id},
            "resources": [scalar("cpus", 0.1), scalar("mem", 32)],
        }
        if ports:
            info["resources"].append(
                {"name": "ports", "type": "RANGES", "ranges": {"range": [{"begin": each, "end": each} for each in ports]}})
        if network:
            mapped = [{"host_port": host, "container_port": inside, "protocol": "tcp"} for host, inside in mappings]
            info["container"] = {"type": "MESOS", "network_infos": [{"name": network, "port_mappings": mapped}]}
        infos = []
        for index, (image, command, more) in enumerate(tasks):
            task = {
                "name": "t%d" % index,
                "task_id": {"value": "%s.%d" % (name, index) if not executor else "p%d.%d" % (Bench.count, index)},
                "agent_id": offer["agent_id"],
                "resources": [scalar("cpus", 0.05), scalar("mem", 32)],
                "command": {"shell": True, "value": command},
            }
            if image:
                volumes = more.pop("volumes", [])
                task["container"] = {
                    "type": "MESOS",
                    "mesos": {"image": {"type": "DOCKER", "docker": {"name": image}}},
                    "volumes": volumes,
                }
            task.update(more)
            infos.append(task)
        if change:
            change(info, infos)
        self.executor = name
        operation = {"type": "LAUNCH_GROUP", "launch_group": {"executor": info, "task_group": {"tasks": infos}}}
        self.scheduler.accept(offers, [operation], 0)
        return [each["task_id"]["value"] for each in infos]

    def running(self, ids):
        found = [self.scheduler.wait_state(each, "TASK_RUNNING", *TERMINAL, seconds=LONG) for each in ids]
        for each in found:
            equal(each["state"], "TASK_RUNNING", "the state of %s" % {key: each.get(key) for key in ("task_id", "message")})
        return found

    def ended(self, task_id, state):
        status = self.scheduler.wait_state(task_id, seconds=LONG)
        found = {key: status.get(key) for key in ("state", "reason", "message")}
        equal(status["state"], state, "the end of %s: %s, errors %r" % (task_id, found, self.output(task_id, "stderr")))
        return status

    def place(self, task_id):
        found = glob.glob("%s/agent/work/*/*/*/tasks/%s" % (self.node.data, task_id))
        return found[0] if found else None

    def output(self, task_id, name="stdout"):
        try:
            with open(os.path.join(self.place(task_id) or "", name), errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def says(self, task_id, word):
        eventually(lambda: word in self.output(task_id), LONG, "%r of %s" % (word, task_id))

    def go(self, task_id):
        with open(os.path.join(self.place(task_id), "go"), "w"):
            pass

    def used(self):
        """What the master and the agent say is used, which must be the same."""
        state = root(self.node, "GET", "/state").json
        agent = state["slaves"][0]
        own = root(self.node, "GET", "/agent/%s/state" % agent["id"]).json
        names = ("cpus", "mem")
        master = [agent["used_resources"].get(each, 0) for each in names]
        check(master == [own["used_resources"].get(each, 0) for each in names], "not yet the same")
        return tuple(master)

    def uses(self, cpus, mem):
        def probe():
            try:
                found = self.used()
            except Exception:
                return False
            return abs(found[0] - cpus) < 1e-6 and abs(found[1] - mem) < 1e-6

        eventually(probe, LONG, "%s cpus and %s mem in use" % (cpus, mem))

    def all_gone(self):
        """Nothing of any group but its work directories."""
        eventually(lambda: not os.listdir(self.node.file("agent/run")), LONG, "the end of all containers")
        self.uses(0, 0)
        netns = self.node.file("agent/netns")
        eventually(lambda: not os.path.isdir(netns) or not os.listdir(netns), LONG, "the end of all networks")


bench = Bench()
WAIT = "echo up; while [ ! -e /mnt/mesos/sandbox/go ]; do sleep 0.1; done"


def shared(place, path="data", mode="RW"):
    source = {"type": "SANDBOX_PATH", "sandbox_path": {"type": "PARENT", "path": path}}
    return {"container_path": place, "mode": mode, "source": source}


@test
def two_images():
    """Two tasks of different images talk over their own loopback, and share a directory, whoever they run as"""
    server = (
        "cat /etc/image; httpd -f -p 127.0.0.1:8080 -h /www & echo $(cat /etc/image) > /data/name; echo up; "
        "while [ ! -e /data/done ]; do sleep 0.1; done; kill $!")
    client = (
        "cat /etc/image; while [ ! -e /in/name ]; do sleep 0.1; done; cat /in/name; "
        "until wget -q -O - http://127.0.0.1:8080/index.html; do sleep 0.1; done; id -u; touch /in/done")
    ids = bench.group(
        ("one", server, {"volumes": [shared("/data")]}),
        ("two", client, {"volumes": [shared("/in")], "command": {"shell": True, "value": client, "user": "app"}}),
        network="bridge")
    for each in ids:
        status = bench.ended(each, "TASK_FINISHED")
        equal(status["executor_id"]["value"], bench.executor, "the executor")
    equal(bench.output(ids[0]).replace("\n", ""), "oneup", "what the server wrote")
    equal(bench.output(ids[1]).replace("\n", ""), "twoonepage of one1234", "what the client wrote")
    bench.all_gone()


@test
def published():
    """A group's published port leads to whichever of its tasks listens, and both have the group's address"""
    ids = bench.group(
        ("one", "echo up; httpd -f -p 80 -h /www", {}), ("two", "echo up; sleep 1000", {}),
        network="bridge", mappings=[(31005, 80)], ports=[31005])
    addresses = [status["container_status"]["network_infos"] for status in bench.running(ids)]
    equal(addresses[0], addresses[1], "the addresses of both")

    def page():
        try:
            with urllib.request.urlopen("http://127.0.0.1:31005/", timeout=5) as answer:
                return answer.read()
        except OSError:
            return None

    equal(eventually(page, LONG, "the page"), b"page of one", "the page")
    bench.scheduler.kill(ids[0], grace_seconds=1)
    for each in ids:
        bench.ended(each, "TASK_KILLED")
    bench.all_gone()


@test
def fate():
    """A task that fails takes its group with it, one that ends well does not, and a killed one does"""
    ids = bench.group(("one", WAIT, {}), ("two", WAIT + "; exit 3", {}), (None, "echo up; sleep 1000", {}))
    bench.running(ids)
    for each in ids:
        bench.says(each, "up")
    bench.go(ids[0])
    bench.ended(ids[0], "TASK_FINISHED")
    equal(bench.scheduler.statuses(ids[2])[-1]["state"], "TASK_RUNNING", "the state of another")
    bench.go(ids[1])
    bench.ended(ids[1], "TASK_FAILED")
    status = bench.ended(ids[2], "TASK_KILLED")
    check("task '%s' of its group has ended with TASK_FAILED" % ids[1] in status["message"], status["message"])
    ids = bench.group(("one", WAIT, {}), ("two", WAIT, {}))
    bench.running(ids)
    bench.scheduler.kill(ids[1], grace_seconds=0)
    for each in ids:
        bench.ended(each, "TASK_KILLED")
    ids = bench.group(("one", WAIT, {}), ("not-there", WAIT, {}))
    status = bench.ended(ids[1], "TASK_FAILED")
    check("cannot have the image not-there" in status["message"], status["message"])
    bench.ended(ids[0], "TASK_KILLED")
    equal(bench.output(ids[0]), "", "what a task wrote whose group could not start")
    bench.all_gone()


@test
def books():
    """The executor's resources are counted once, and given back when the last task has ended"""
    bench.uses(0, 0)
    ids = bench.group(("one", WAIT, {}), ("two", WAIT, {}))
    bench.running(ids)
    bench.uses(0.2, 96)
    answer = root(bench.node, "POST", "/api/v1", {"type": "GET_EXECUTORS"}).json["get_executors"]["executors"]
    equal([each["executor_info"]["executor_id"]["value"] for each in answer], [bench.executor], "GET_EXECUTORS")
    equal(amount(answer[0]["executor_info"]["resources"], "mem"), 32, "the executor's memory")
    tasks = root(bench.node, "POST", "/api/v1", {"type": "GET_TASKS"}).json["get_tasks"]["tasks"]
    mine = {each["task_id"]["value"]: each["executor_id"]["value"] for each in tasks if each["task_id"]["value"] in ids}
    equal(mine, {each: bench.executor for each in ids}, "GET_TASKS")
    agent = root(bench.node, "GET", "/slaves").json["slaves"][0]["id"]
    state = root(bench.node, "GET", "/agent/%s/state" % agent).json
    executors = [each for framework in state["frameworks"] for each in framework["executors"]]
    equal([(each["id"], each["type"]) for each in executors], [(bench.executor, "DEFAULT")], "the agent's executors")
    equal({each["id"] for each in executors[0]["tasks"]}, set(ids), "their tasks")
    equal(executors[0]["directory"] + "/tasks/" + ids[0], bench.place(ids[0]), "where a task's files are")
    containers = root(bench.node, "GET", "/agent/%s/containers" % agent).json
    equal([each["executor_id"] for each in containers], [bench.executor] * 2, "/containers")
    listed = run(world.rondo, "task", "list", "--data", bench.node.data)
    check(all(each in listed.stdout for each in ids), "rondo task list:", listed.stdout + listed.stderr)
    log = run(world.rondo, "task", "log", ids[0], "--data", bench.node.data)
    check("up" in log.stdout, "rondo task log:", log.stdout + log.stderr)
    bench.go(ids[0])
    bench.ended(ids[0], "TASK_FINISHED")
    bench.uses(0.15, 64)
    bench.go(ids[1])
    bench.ended(ids[1], "TASK_FINISHED")
    bench.all_gone()


@test
def health():
    """Health checks ask in the group's network, and a task that is ill takes its group with it"""
    check_ = {
        "type": "HTTP", "http": {"port": 8099, "path": "/"}, "delay_seconds": 0, "interval_seconds": 0.2,
        "timeout_seconds": 5, "grace_period_seconds": 60, "consecutive_failures": 3,
    }
    server = "echo up; httpd -f -p 127.0.0.1:8099 -h /www & while [ ! -e /mnt/mesos/sandbox/go ]; do sleep 0.1; done; kill $!; sleep 1000"
    ids = bench.group(("one", server, {"health_check": check_}), ("two", "sleep 1000", {}), network="bridge")
    bench.running(ids)

    def healthy(wanted):
        return lambda: any(each.get("healthy") is wanted for each in bench.scheduler.statuses(ids[0]))

    eventually(healthy(True), LONG, "health")
    bench.go(ids[0])
    status = bench.ended(ids[0], "TASK_KILLED")
    check("health checks in a row failed" in status["message"], status["message"])
    bench.ended(ids[1], "TASK_KILLED")
    bench.all_gone()


@test
def killed_agent():
    """A group outlives its agent, which counts it again, and still shares its fate afterwards"""
    before = interfaces()
    ids = bench.group(
        ("one", WAIT + "; httpd -f -p 127.0.0.1:8081 -h /www", {}),
        ("two", WAIT + "; until wget -q -O - http://127.0.0.1:8081/index.html; do sleep 0.1; done; exit 4", {}),
        ("two", "true", {}), network="bridge")
    bench.running(ids)
    bench.ended(ids[2], "TASK_FINISHED")
    for each in ids[:2]:
        bench.says(each, "up")
    bench.restart()
    bench.uses(0.2, 96)
    equal(rondo("task", "exec", ids[1], "--", "cat", "/etc/image"), "two", "rondo task exec after the restart")
    bench.go(ids[0])
    bench.go(ids[1])
    bench.ended(ids[1], "TASK_FAILED")
    bench.ended(ids[0], "TASK_KILLED")
    check("page of one" in bench.output(ids[1]), "what it read:", bench.output(ids[1]))
    bench.all_gone()
    # The bridge stays, the containers' ends do not.
    eventually(lambda: len(interfaces()) <= len(before) + 1, LONG, "the end of interfaces")


@test
def ended_meanwhile():
    """A task that fails while its agent is away takes its group with it when the agent is back"""
    ids = bench.group(("one", WAIT + "; exit 5", {}), ("two", "echo up; sleep 1000", {}))
    bench.running(ids)
    bench.says(ids[0], "up")
    bench.node.kill()
    bench.go(ids[0])
    place = glob.glob("%s/agent/run/*.0" % bench.node.data)[0]
    eventually(lambda: os.path.exists(place + "/exit"), LONG, "the end of a task")
    bench.node.start()
    bench.scheduler.disconnect()
    bench.connect(bench.scheduler.framework_id)
    bench.ended(ids[0], "TASK_FAILED")
    bench.ended(ids[1], "TASK_KILLED")
    bench.all_gone()


# ---- commands in the containers of a group


def nested(name, container):
    return {"value": name, "parent": container}


def session(agent, container, *command):
    """Runs a command by the agent's interface: the status of the answer, what it wrote or was said, and its wait status."""
    call = {
        "container_id": nested("session-%d" % Bench.count, container),
        "command": {"shell": False, "value": command[0], "arguments": list(command)},
    }
    Bench.count += 1
    path = "/agent/%s/api/v1" % agent
    answer = root(
        bench.node, "POST", path,
        {"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": call})
    if answer.status != 200:
        return answer.status, answer.text, None
    output, rest = b"", answer.body
    while rest:
        length, rest = rest.split(b"\n", 1)
        record, rest = json.loads(rest[: int(length)]), rest[int(length):]
        output += base64.b64decode(record["data"]["data"])
    waited = root(
        bench.node, "POST", path, {"type": "WAIT_CONTAINER", "wait_container": {"container_id": call["container_id"]}})
    return answer.status, output.decode(), waited.json["wait_container"]["exit_status"]


def rondo(*words, code=0, data=None):
    done = subprocess.run(
        [world.rondo, *words[:2], "--data", bench.node.data, *words[2:]], input=data, timeout=60,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    equal(done.returncode, code, "the code of rondo %s: %s" % (" ".join(words), done.stderr[-400:]))
    return done.stdout


@test
def sessions():
    """Commands run in the container of the task that is named, not in another one of its group"""
    talks = "echo up; cd /mnt/mesos/sandbox; while [ ! -e go ]; do [ ! -e say ] || echo again; sleep 0.1; done"
    ids = bench.group(("one", WAIT, {}), ("two", talks, {}), network="bridge")
    bench.running(ids)
    for each in ids:
        bench.says(each, "up")
    agent = root(bench.node, "GET", "/slaves").json["slaves"][0]["id"]
    names = {}
    for number, each in enumerate(ids):
        chain = bench.scheduler.statuses(each)[-1]["container_status"]["container_id"]
        equal(chain["value"], "%s.%d" % (chain["parent"]["value"], number), "the container of " + each)
        names[each] = chain
        tasks = [task for framework in root(bench.node, "GET", "/state").json["frameworks"] for task in framework["tasks"]]
        shown = next(task for task in tasks if task["id"] == each)["statuses"][-1]["container_status"]["container_id"]
        equal(shown, chain, "the container in the master's state")
        own = root(bench.node, "GET", "/agent/%s/state" % agent).json
        tasks = [task for framework in own["frameworks"] for one in framework["executors"] for task in one["tasks"]]
        shown = next(task for task in tasks if task["id"] == each)["statuses"][-1]["container_status"]["container_id"]
        equal(shown, chain, "the container in the agent's state")
        equal(root(bench.node, "GET", "/rondo/v1/tasks/" + each).json["container"], chain["value"], "the container")
    containers = root(bench.node, "GET", "/agent/%s/containers" % agent).json
    found = {each["container_id"]: each["status"]["container_id"] for each in containers}
    equal(found, {each["value"]: each for each in names.values()}, "/containers")
    for each, image in zip(ids, ("one", "two")):
        equal(session(agent, names[each], "cat", "/etc/image"), (200, image, 0), "a session in " + each)
        equal(session(agent, {"value": names[each]["value"]}, "sh", "-c", "exit 5"), (200, "", 5 << 8), "by its own name")
        equal(rondo("task", "exec", each, "--", "cat", "/etc/image"), image, "rondo task exec")
        equal(rondo("task", "exec", "-i", each, "--", "cat", data="input"), "input", "input of rondo task exec")
        rondo("task", "exec", each, "--", "sh", "-c", "exit 7", code=7)
    group = {"value": names[ids[0]]["parent"]["value"]}
    status, words, _ = session(agent, group, "true")
    equal((status, "is a group's" in words), (400, True), "a session in the group itself: " + words)
    equal(session(agent, {"value": group["value"] + ".7", "parent": group}, "true")[0], 404, "a task that is not there")
    table = rondo("task", "top", "--once")
    check(all(each in table for each in ids), "rondo task top:", table)
    dcos_sessions(ids)
    rondo("task", "exec", ids[1], "--", "touch", "/mnt/mesos/sandbox/say")
    watching = subprocess.Popen(
        [world.rondo, "task", "attach", "--data", bench.node.data, ids[1]], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        equal(watching.stdout.readline(), "again\n", "what rondo task attach shows")
        for each in ids:
            bench.go(each)
        equal(watching.wait(LONG), 0, "the code of rondo task attach")
    finally:
        watching.kill()
        watching.wait()
    for each in ids:
        bench.ended(each, "TASK_FINISHED")
    bench.all_gone()


def dcos(*words, data=None, code=0):
    """The command line of DC/OS, as it is on PyPI."""
    setup = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients", "setup.sh")
    made = subprocess.run([setup], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=50, text=True)
    if made.returncode != 0:
        raise Skipped((made.stderr.strip().splitlines() or ["no clients"])[-1])
    home = world.path("dcos")
    os.makedirs(home, exist_ok=True)
    config = os.path.join(home, "dcos.toml")
    with open(os.open(config, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        file.write(
            '[core]\ndcos_url = "http://%s"\ndcos_acs_token = "%s"\nreporting = false\ntimeout = 20\n'
            % (bench.node.plain, bench.node.secret()))
    environment = dict(
        os.environ, DCOS_CONFIG=config, DCOS_DIR=home, HOME=home, PYTHONWARNINGS="ignore", LC_ALL="C.UTF-8")
    program = os.path.join(os.path.dirname(made.stdout.strip()), "dcos")
    done = subprocess.run(
        [program, *words], input=data, stdin=None if data is not None else subprocess.DEVNULL, env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60)
    equal(done.returncode, code, "the code of dcos %s: %s%s" % (" ".join(words), done.stdout, done.stderr[-800:]))
    return done.stdout


def dcos_sessions(ids):
    try:
        check(all(each in dcos("task") for each in ids), "dcos task")
    except Skipped as why:
        print("      without the command line of DC/OS: %s" % why)
        return
    for each, image in zip(ids, ("one", "two")):
        equal(dcos("task", "exec", each, "cat", "/etc/image"), image, "dcos task exec")
        equal(dcos("task", "exec", "-i", each, "cat", data="input\n"), "input\n", "dcos task exec -i")
        equal(dcos("task", "log", each), "up\n", "dcos task log")
        # Of a task of a group it lists the directory that the group has together, as with Mesos.
        check("tasks" in dcos("task", "ls", each).split(), "dcos task ls")
        listed = dcos("task", "ls", each, "tasks/" + each).split()
        check({"stdout", "stderr"} <= set(listed), "dcos task ls of the task's directory:", listed)


# ---- the end of a group by its executor or its framework


@test
def shut_down():
    """An executor that is shut down ends its tasks, each in its own way, and nothing of another group"""
    obeys = "trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.1; done"
    stubborn = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    policy = {"kill_policy": {"grace_period": {"nanoseconds": 500_000_000}}}
    other = bench.group(("two", WAIT, {}))
    ids = bench.group(("one", obeys, {}), ("two", stubborn, policy), network="bridge")
    bench.running(ids + other)
    for each in ids:
        bench.says(each, "up")
    agent = root(bench.node, "GET", "/slaves").json["slaves"][0]["id"]
    bench.scheduler.call("SHUTDOWN", {"executor_id": {"value": bench.executor}, "agent_id": {"value": agent}})
    for each in ids:
        status = bench.ended(each, "TASK_KILLED")
        check("of its group" not in status.get("message", ""), "the message:", status["message"])
    check("bye" in bench.output(ids[0]), "what the first wrote:", bench.output(ids[0]))
    bench.uses(0.15, 64)
    equal(bench.scheduler.statuses(other[0])[-1]["state"], "TASK_RUNNING", "the state of another group's task")
    bench.go(other[0])
    bench.ended(other[0], "TASK_FINISHED")
    bench.all_gone()


@test
def torn_down():
    """A framework that is torn down, by itself or by an operator, takes its groups with it"""
    mine = bench.scheduler
    mine.call("SUPPRESS")
    mine.decline(list(mine.offers.values()), 0)
    before = Footprint(world.rondo)
    try:
        for ends in (lambda: bench.scheduler.call("TEARDOWN"),
                     lambda: rondo("framework", "teardown", bench.scheduler.framework_id)):
            bench.connect()
            try:
                ids = bench.group(("one", WAIT, {"volumes": [shared("/data")]}), ("two", WAIT, {}), network="bridge")
                bench.running(ids)
                for each in ids:
                    bench.says(each, "up")
                ends()
                bench.all_gone()
            finally:
                bench.scheduler.disconnect()
    finally:
        bench.scheduler = mine
        mine.call("REVIVE")
    equal(before.left(seconds=30, kinds=("cgroup", "mount", "process")), [], "what is left")


def changed(path, value):
    """Changes the executor or the tasks at a place such as tasks.0.command."""

    def change(executor, tasks):
        place = {"executor": executor, "tasks": tasks}
        *names, last = path.split(".")
        for name in names:
            place = place[int(name) if name.isdigit() else name]
        place[last] = value

    return change


REFUSALS = [
    ("executor.type", "CUSTOM", "executors of type CUSTOM are not supported"),
    ("executor.command", {"value": "true"}, "'ExecutorInfo.command' must not be set for 'DEFAULT' executor"),
    ("executor.container", {"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": "one"}}}},
     "'ExecutorInfo.container.mesos.image' must not be set for 'DEFAULT' executor"),
    ("executor.framework_id", {"value": "another"}, "ExecutorInfo has an invalid FrameworkID"),
    ("executor.resources", [scalar("cpus", 0.1)], "uses less mem (0) than the minimum required (32)"),
    ("executor.resources", [scalar("cpus", 10000), scalar("mem", 32)], "more than its offers have left"),
    ("tasks.1.task_id", None, "two tasks with the ID"),
    ("tasks.0.container", {"type": "DOCKER", "docker": {"image": "one"}}, "Docker ContainerInfo is not supported"),
    ("tasks.0.container", {"type": "MESOS", "network_infos": [{"name": "bridge"}],
                           "mesos": {"image": {"type": "DOCKER", "docker": {"name": "one"}}}},
     "NetworkInfos must not be set on the task"),
    ("tasks.0.resources", [], "the task uses no resources"),
]


@test
def refusals():
    """Groups that are not as Mesos has them get TASK_ERROR for each task, with the reason"""
    for path, value, words in REFUSALS:
        def change(executor, tasks, path=path, value=value):
            changed(path, value if value is not None else tasks[0]["task_id"])(executor, tasks)

        ids = bench.group(("one", "true", {}), ("two", "true", {}), change=change)
        for each in ids:
            status = bench.ended(each, "TASK_ERROR")
            equal(status["reason"], "REASON_TASK_GROUP_INVALID", "the reason of " + path)
            check(words in status["message"], path, "is refused with", status["message"])
    first = bench.group(("one", WAIT, {}), executor="same")
    bench.running(first)
    second = bench.group(("two", WAIT, {}), executor="same")
    status = bench.ended(second[0], "TASK_ERROR")
    check("has a task group on the agent already" in status["message"], status["message"])
    bench.go(first[0])
    bench.ended(first[0], "TASK_FINISHED")
    bench.all_gone()


def marathon(method, path, body=None):
    return root(bench.node, method, "/service/marathon/v2/pods" + path, body)


@test
def services():
    """A pod by Marathon's interface: images, a published port, a shared volume, health, replacement, an end"""
    container = {"resources": {"cpus": 0.05, "mem": 32}, "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    web = dict(
        container, name="web", image={"kind": "DOCKER", "id": "one"},
        exec={"command": {"shell": "until [ -e /data/index.html ]; do sleep 0.1; done; exec httpd -f -p 80 -h /data"}},
        endpoints=[{"name": "http", "containerPort": 80, "hostPort": 0, "protocol": ["tcp"]}],
        healthCheck={"http": {"endpoint": "http", "path": "/"}, "intervalSeconds": 2, "timeoutSeconds": 1, "delaySeconds": 0})
    side = dict(
        container, name="side", image={"kind": "DOCKER", "id": "two"},
        exec={"command": {"shell": "cat /etc/image > /data/index.html; sleep 1000"}})
    definition = {
        "id": "/shop", "containers": [web, side], "volumes": [{"name": "data"}], "networks": [{"mode": "container/bridge"}],
        "scaling": {"kind": "fixed", "instances": 1},
    }
    bench.scheduler.call("SUPPRESS")
    bench.scheduler.decline(list(bench.scheduler.offers.values()), 0)
    try:
        made = marathon("POST", "", definition)
        equal(made.status, 201, "status of POST: %s" % made.text[:400])

        def stable():
            found = marathon("GET", "/shop::status").json
            return found["instances"][0] if found["status"] == "STABLE" else None

        instance = eventually(stable, LONG, "a stable pod")
        check(instance["networks"][0]["addresses"], "its addresses:", instance["networks"])

        def page():
            found = stable()
            port = found and found["containers"][0]["endpoints"][0]["allocatedHostPort"]
            try:
                with urllib.request.urlopen("http://127.0.0.1:%d/" % port, timeout=5) as answer:
                    return answer.read()
            except (OSError, TypeError):
                return None

        equal(eventually(page, LONG, "the page"), b"two", "the page that the other container wrote")
        healthy = lambda: any(each["conditions"] for each in (stable() or instance)["containers"])  # noqa: E731
        eventually(healthy, LONG, "health")
        equal(marathon("DELETE", "/shop::instances/" + instance["id"]).status, 200, "status of a kill")
        eventually(lambda: (stable() or instance)["id"] != instance["id"], LONG, "another instance")
        equal(eventually(page, LONG, "the page again"), b"two", "the page of the second instance")
        equal(marathon("DELETE", "/shop").status, 202, "status of DELETE")
        eventually(lambda: marathon("GET", "/shop").status == 404, LONG, "the end of the pod")
    finally:
        bench.scheduler.call("REVIVE")
    bench.all_gone()


def quiet(action):
    """Does something while no framework but the services wants offers."""
    bench.scheduler.call("SUPPRESS")
    bench.scheduler.decline(list(bench.scheduler.offers.values()), 0)
    try:
        action()
    finally:
        marathon("DELETE", "/shop?force=true")
        eventually(lambda: marathon("GET", "/shop").status == 404, LONG, "the end of the pod")
        bench.scheduler.call("REVIVE")
    bench.all_gone()


def pod_status(wanted="STABLE"):
    found = marathon("GET", "/shop::status").json
    return found if found["status"] == wanted and found["instances"] else None


def pod(*containers, **more):
    definition = {
        "id": "/shop", "containers": list(containers), "scaling": {"kind": "fixed", "instances": 1},
        "networks": [{"mode": "container/bridge"}],
        "scheduling": {"backoff": {"backoff": 0.1, "backoffFactor": 1.0, "maxLaunchDelay": 1}},
    }
    definition.update(more)
    made = marathon("POST", "", definition)
    equal(made.status, 201, "status of POST: %s" % made.text[:400])


def container(name, command, image="one", **more):
    return dict(
        {"name": name, "image": {"kind": "DOCKER", "id": image}, "resources": {"cpus": 0.05, "mem": 32},
         "exec": {"command": {"shell": command}}}, **more)


@test
def service_checks():
    """Containers of a pod are checked by HTTP, TCP and a command; a pod that fails one is replaced, and says why"""
    soon = {"intervalSeconds": 3, "timeoutSeconds": 2, "delaySeconds": 0, "gracePeriodSeconds": 60}

    def story():
        serve = "exec httpd -f -p %d -h /www"
        pod(
            container("web", serve % 80, endpoints=[{"name": "http", "containerPort": 80, "hostPort": 0}],
                      healthCheck=dict(soon, http={"endpoint": "http", "path": "/index.html"})),
            container("tcp", serve % 81, endpoints=[{"name": "tcp", "containerPort": 81}],
                      healthCheck=dict(soon, tcp={"endpoint": "tcp"})),
            container("own", "touch /tmp/well; sleep 1000", image="two",
                      healthCheck=dict(soon, maxConsecutiveFailures=1,
                                       exec={"command": {"shell": "test -e /tmp/well"}})))

        def healthy():
            found = pod_status()
            conditions = found and [each["conditions"] for each in found["instances"][0]["containers"]]
            return found if conditions and all(each and each[0]["value"] == "true" for each in conditions) else None

        first = eventually(healthy, LONG, "three healthy containers")
        equal(first["terminationHistory"], [], "the history of a pod that is well")
        one = first["instances"][0]
        task = next(each["containerId"] for each in one["containers"] if each["name"] == "own")
        rondo("task", "exec", task, "--", "rm", "/tmp/well")

        def replaced():
            found = healthy()
            return found if found and found["instances"][0]["id"] != one["id"] else None

        second = eventually(replaced, LONG, "another healthy instance")
        ended = second["terminationHistory"][0]
        equal(ended["instanceID"], one["id"], "the instance that ended")
        words = {each["containerId"]: each["termination"]["message"] for each in ended["containers"]}
        check("health checks in a row failed" in words[task], "the message:", words[task])
        check(ended["startedAt"] < ended["terminatedAt"], "the times", ended["startedAt"], ended["terminatedAt"])

    quiet(story)


@test
def service_history():
    """The status of a pod says how its last instances ended, with exit codes; the command line of DC/OS shows it"""

    def story():
        pod(
            container("brief", "sleep 0.2; exit 3", lifecycle={"killGracePeriodSeconds": 1}),
            container("long", "sleep 1000", lifecycle={"killGracePeriodSeconds": 1}))

        def three():
            found = marathon("GET", "/shop::status").json["terminationHistory"]
            return found if len(found) >= 3 else None

        history = eventually(three, LONG, "three instances that ended")
        equal(len({each["instanceID"] for each in history}), len(history), "different instances")
        ended = history[0]
        check("exited with status 3" in ended["message"], "the message:", ended["message"])
        states = sorted(each["lastKnownState"] for each in ended["containers"])
        equal(states, ["TASK_FAILED", "TASK_KILLED"], "how both ended")
        failed = next(each for each in ended["containers"] if each["lastKnownState"] == "TASK_FAILED")
        equal(failed["termination"]["exitCode"], 3, "the exit code")
        try:
            shown = json.loads(dcos("marathon", "pod", "show", "/shop"))
            check(shown["terminationHistory"], "dcos marathon pod show:", shown)
            check("/shop" in dcos("marathon", "pod", "list"), "dcos marathon pod list")
        except Skipped as why:
            print("      without the command line of DC/OS: %s" % why)

    quiet(story)


@test
def service_limits():
    """Containers of a pod may use more than their resources, each as far as it says"""

    def story():
        pod(
            container("some", "sleep 1000", resourceLimits={"cpus": 0.5, "mem": 64}),
            container("all", "sleep 1000", resourceLimits={"mem": "unlimited"}))
        one = eventually(pod_status, LONG, "a stable pod")["instances"][0]
        found = {}
        for each in one["containers"]:
            name = root(bench.node, "GET", "/rondo/v1/tasks/" + each["containerId"]).json["container"]
            for file in glob.glob("/sys/fs/cgroup/**/%s/*" % name, recursive=True):
                kind = {"memory.limit_in_bytes": "mem", "memory.max": "mem", "cpu.cfs_quota_us": "cpu", "cpu.max": "cpu"}
                if os.path.basename(file) in kind:
                    with open(file) as text:
                        found[each["name"], kind[os.path.basename(file)]] = text.read().split()[0]
        equal((found["some", "mem"], found["some", "cpu"]), (str(64 << 20), "50000"), "the limits")
        check(found["all", "mem"] == "max" or int(found["all", "mem"]) > 1 << 40, "no limit of memory:", found)
        bad = {"id": "/shop", "containers": [container("a", "true", resourceLimits={"cpus": 0.01})]}
        answer = marathon("PUT", "/shop", bad)
        equal(answer.status, 422, "status of a limit below the resources")
        check("/containers(0)/resourceLimits/cpus" in [each["path"] for each in answer.json["details"]], answer.text)

    quiet(story)


@test
def leaves_nothing():
    """What groups leave are their work directories and nothing else"""
    before = Footprint(world.rondo)
    ids = bench.group(("one", WAIT, {"volumes": [shared("/data")]}), ("two", WAIT, {}), network="bridge")
    bench.running(ids)
    for each in ids:
        bench.says(each, "up")
        bench.go(each)
    for each in ids:
        bench.ended(each, "TASK_FINISHED")
    bench.all_gone()
    equal(before.left(seconds=30, kinds=("cgroup", "mount", "process")), [], "what is left")


def start():
    world.create(sys.argv[1])
    bench.node = Node("node", "127.0.0.1", port=5050, plain="127.0.0.1:5091")
    for each in ("one", "two"):
        make_image(each)
    bench.node.start()
    bench.shown = "token=" + bench.node.secret()
    bench.connect()


def main():
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: pods.py path/to/rondo [WORD ...]")
    needed = ("ip", "nft", "busybox")
    if os.geteuid() != 0 or not all(shutil.which(each) for each in needed):
        sys.exit("needs root, " + ", ".join(needed))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    at_end(world.end)
    try:
        began = time.monotonic()
        start()
        print("a node with images after %.1f s" % (time.monotonic() - began))
        counts = run_tests(TESTS, sys.argv[2:], limit=150)
        bench.scheduler.stop()
        bench.node.stop()
    except BaseException:
        world.end()
        raise
    finish(*counts)


if __name__ == "__main__":
    main()
