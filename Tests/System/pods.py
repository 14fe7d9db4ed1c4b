"""Task groups: tasks that start together in one network, share directories and end together, on a node of one's own.

    python3 Tests/System/pods.py path/to/rondo [WORD ...]

Needs root, iproute2, nft and busybox-static.
"""

import glob
import os
import shutil
import signal
import sys
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import Footprint, interfaces  # noqa: E402
from harness import TESTS, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
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
