"""Packages on three nodes: Uninstalling ends whatever is lost, and says what could not be cleaned up; Prometheus collects
the figures of the nodes and of the cluster itself.

    python3 Tests/System/catalog_cluster.py path/to/rondo [WORD ...]

Needs root, iproute2 and nft; for Prometheus what Images/build needs. The machines are network namespaces.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "Clients"))
sys.path.insert(0, HERE)

from harness import TESTS, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from hold_cluster import Hold, environment, fetch, kill, pids  # noqa: E402
from wire import connect, credential, get_json, request  # noqa: E402

ROOT = os.path.join(HERE, os.pardir, os.pardir)
CATALOG = os.path.join(ROOT, "Catalog")
# The longest that an uninstallation may take when nothing but a node is lost, in seconds: until the master notices (4 s by
# the settings of these machines), and what follows.
BOUND = 30
SLEEPER = {
    "id": "{{service.name}}", "cmd": "{{service.command}}", "cpus": 0.05, "mem": "MEM", "instances": 3,
    "constraints": [["hostname", "MAX_PER", "1"]], "taskKillGracePeriodSeconds": 20, "labels": {},
}
SCHEMA = {
    "type": "object",
    "properties": {"service": {"type": "object", "properties": {
        "name": {"type": "string", "default": "sleeper"},
        "command": {"type": "string", "default": "exec sleep 1000"},
        "mem": {"type": "integer", "default": 16}}}},
}


def publish(tree, name, **more):
    place = os.path.join(tree, "packages", name[0].upper(), name, "0")
    os.makedirs(place)
    app = json.dumps(dict(SLEEPER, **more)).replace('"MEM"', "{{service.mem}}")
    schema = json.dumps(SCHEMA).replace('"sleeper"', '"%s"' % name)
    package = {
        "packagingVersion": "4.0", "name": name, "version": "1", "maintainer": "people@example.org",
        "description": "Sleeps.", "tags": [], "postUninstallNotes": "it is awake",
    }
    for file, text in (("package.json", json.dumps(package)), ("config.json", schema), ("marathon.json.mustache", app)):
        with open(os.path.join(place, file), "w") as out:
            out.write(text)


# ---- the cluster, and both command lines


def rondo(*words, seconds=90, fails=False, stdin=None):
    """The program on the master's machine: its output and its errors."""
    done = subprocess.run(
        cluster.network.inside(1, [cluster.rondo, *words, "--data", cluster.machines[0].data]),
        input=stdin or "", capture_output=True, text=True, timeout=seconds)
    equal(done.returncode != 0, fails, "failure of rondo %s: %s" % (" ".join(words[:4]), done.stderr[-800:]))
    return done.stdout, done.stderr


def dcos(*words, fails=False):
    home = cluster.path("dcos")
    if not os.path.isdir(home):
        os.mkdir(home, 0o700)
        token = credential(cluster.master)["Authorization"].split("=", 1)[1]
        with open(os.open(os.path.join(home, "dcos.toml"), os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
            out.write(
                '[core]\ndcos_url = "https://%s"\ndcos_acs_token = "%s"\nssl_verify = "%s"\nreporting = false\n'
                "timeout = 30\n" % (cluster.master, token, cluster.authority))
    program = os.path.join(os.path.dirname(sys.executable), "dcos")
    done = subprocess.run(
        [program, "package", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=90,
        env=dict(os.environ, DCOS_CONFIG=os.path.join(home, "dcos.toml"), DCOS_DIR=home, HOME=home, PYTHONWARNINGS="ignore"))
    equal(done.returncode != 0, fails, "failure of dcos package %s: %s" % (" ".join(words), (done.stdout + done.stderr)[-800:]))
    return done.stdout + done.stderr


def install(name="sleeper", *words):
    rondo("package", "install", name, *words)
    return cluster.app("/" + name)["tasks"]


def uninstalled(name="sleeper"):
    """Nothing of it is left in the cluster, and it cannot be uninstalled again."""
    def look():
        return cluster.app("/" + name) is None and cluster.call("GET", "/v2/deployments")[1] == []

    eventually(look, BOUND, "the end of " + name)
    left = [each for each in cluster.call("GET", "/v2/tasks")[1]["tasks"] if each["appId"] == "/" + name]
    equal(left, [], "tasks of it")
    check("not installed" in rondo("package", "uninstall", name, fails=True)[1], "it is still installed")


def processes(name="sleeper"):
    """The tasks of a service that have processes on any of the machines."""
    found = [environment(pid) for pid in pids()]
    return {each.get("MESOS_TASK_ID") for each in found if each.get("MARATHON_APP_ID") == "/" + name}


def bounded(began, what):
    took = time.monotonic() - began
    print("      %s: %.1f s" % (what, took))
    check(took < BOUND, what, "took", took, "s")


def lose(machine):
    """An agent is killed, and does not come back by itself. What it runs goes on where it is."""
    machine.kill()


def come_back(machine):
    cluster.launch(machine, machine.command)
    cluster.await_agents()


def states():
    return {each["hostname"]: each["state"] for each in get_json(cluster.master, "/rondo/v1/nodes")["nodes"]}


# ---- uninstalling


@test
def uninstall_with_a_node_that_is_about_to_be_lost():
    """uninstall waits until the master knows that a node is lost, names what was there, and that ends with its return"""
    third = cluster.machines[2]
    tasks = install()
    equal(processes(), {each["id"] for each in tasks}, "what has processes")
    lose(third)
    began = time.monotonic()
    out, said = rondo("package", "uninstall", "sleeper")
    bounded(began, "with a node that was just killed")
    equal(out.strip(), "/sleeper", "what is uninstalled")
    lost = [each["id"] for each in tasks if each["host"] == "node3"]
    check("could not be cleaned up" in said and lost[0] in said and "node3" in said, "what it says:", said)
    uninstalled()
    equal(processes(), set(lost), "what nobody can end yet")
    come_back(third)
    eventually(lambda: not processes(), BOUND, "the end of what was left on the node that came back")


@test
def uninstall_with_a_lost_node():
    """dcos package uninstall ends at once when a node is known to be lost, and says what was there"""
    third = cluster.machines[2]
    tasks = install("patient")
    install()
    lose(third)
    eventually(lambda: states().get("node3") != "connected", BOUND, "the loss of a node")
    lost = [each["id"] for each in tasks if each["host"] == "node3"][0]
    eventually(
        lambda: [each["state"] for each in cluster.call("GET", "/v2/tasks")[1]["tasks"] if each["id"] == lost]
        == ["TASK_UNREACHABLE"], BOUND, "the loss of a task")
    began = time.monotonic()
    said = dcos("uninstall", "patient", "--yes")
    bounded(began, "with a node that is known to be lost")
    check("Could not be reached: " + lost + " on node3" in said and "it is awake" in said, "what it says:", said)
    uninstalled("patient")
    # What was given up when its node was lost is in nobody's books; its successor waits for a node.
    began = time.monotonic()
    rondo("package", "uninstall", "sleeper")
    bounded(began, "with an instance that was given up")
    uninstalled()
    come_back(third)
    for name in ("patient", "sleeper"):
        eventually(lambda: not processes(name), BOUND, "the end of what was left on the node that came back")


@test
def uninstall_that_takes_long():
    """uninstall ends when its time is over, with the instances that have not; they end later by themselves"""
    install("sleeper", "--set", "service.command=trap '' TERM; while :; do sleep 1; done")
    began = time.monotonic()
    said = rondo("package", "uninstall", "sleeper", "--timeout", "3", fails=True)[1]
    check(time.monotonic() - began < 10, "it took too long")
    check("has not ended after 3 s" in said and "sleeper." in said and "on node" in said, "what it says:", said)
    eventually(lambda: not processes(), 40, "the end of what takes long")
    uninstalled()


@test
def uninstall_of_what_is_stuck():
    """uninstall ends what waits for resources that no node has, in its first deployment or in an upgrade"""
    rondo("package", "install", "sleeper", "--set", "service.mem=1000000", "--detach")
    check(cluster.app("/sleeper")["deployments"], "it is not stuck")
    began = time.monotonic()
    rondo("package", "uninstall", "sleeper")
    bounded(began, "stuck in its first deployment")
    uninstalled()
    install()
    rondo("package", "update", "sleeper", "--set", "service.mem=1000000", "--detach")
    check(cluster.app("/sleeper")["deployments"], "it is not stuck")
    began = time.monotonic()
    dcos("uninstall", "sleeper", "--yes")
    bounded(began, "stuck in an upgrade")
    uninstalled()
    eventually(lambda: not processes(), BOUND, "the end of the old instances")


def register(name):
    """A framework that is registered, and whose scheduler dies."""
    info = {"user": "nobody", "name": name, "roles": ["*"], "failover_timeout": 3600,
            "capabilities": [{"type": "MULTI_ROLE"}]}
    body = json.dumps({"type": "SUBSCRIBE", "subscribe": {"framework_info": info}}).encode()
    one = connect(cluster.master)
    fields = dict(credential(cluster.master), **{
        "Host": cluster.master, "Content-Type": "application/json", "Accept": "application/json",
        "Content-Length": str(len(body))})
    lines = "".join("%s: %s\r\n" % each for each in fields.items())
    one.sendall(("POST /api/v1/scheduler HTTP/1.1\r\n%s\r\n" % lines).encode() + body)
    seen = b""
    while b"framework_id" not in seen:
        more = one.recv(65536)
        check(more, "the scheduler was refused:", seen[:400])
        seen += more
    one.close()


def frameworks(name):
    found = get_json(cluster.master, "/rondo/v1/frameworks")["frameworks"]
    return [each["state"] for each in found if each["name"] == name]


@test
def uninstall_of_a_framework_without_scheduler():
    """uninstall ends the framework of a package whose scheduler is dead, and says when it cannot tell which one it is"""
    install("framework")
    register("dead")
    eventually(lambda: frameworks("dead") == ["disconnected"], BOUND, "a framework without scheduler")
    began = time.monotonic()
    rondo("package", "uninstall", "framework")
    bounded(began, "with a framework without scheduler")
    uninstalled("framework")
    check("disconnected" not in frameworks("dead"), "its framework is still there:", frameworks("dead"))
    install("framework")
    register("dead")
    register("dead")
    said = dcos("uninstall", "framework", "--yes", fails=True)
    check("multiple framework ids" in said, "what it says:", said)
    uninstalled("framework")


@test
def uninstall_without_repository():
    """uninstall does not need the repository that a package came from"""
    install()
    rondo("catalog", "remove", "tests")
    try:
        dcos("uninstall", "sleeper", "--yes")
        uninstalled()
    finally:
        rondo("catalog", "add", "tests", "file://" + cluster.path("tree"))


# ---- Prometheus


def built(name):
    return subprocess.run(
        [os.path.join(ROOT, "Images", "build"), cluster.rondo, name], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        check=True, text=True, timeout=600).stdout.strip()


@test
def prometheus():
    """Prometheus finds the exporters of all nodes by name, and collects the cluster's own figures by TLS with a token"""
    for name in ("node-exporter", "prometheus"):
        archive = built(name)
        for machine in cluster.machines:
            cluster.tool("image", "import", archive, "--data", machine.data)
    rondo("user", "add", "monitoring", "--role", "viewer")
    token = rondo("user", "token", "monitoring")[0].strip()
    with open(cluster.authority) as file:
        authority = file.read()
    rondo("secret", "put", "monitoring/token", stdin=token)
    rondo("secret", "put", "monitoring/authority", stdin=authority)
    # A port that these nodes offer.
    rondo(
        "package", "install", "node-exporter", "--set", "service.instances=3", "--set", "networking.port=20150", seconds=120)
    rondo(
        "package", "install", "prometheus", "--set", "prometheus.interval=1s",
        "--set", "prometheus.cluster=leader.mesos:5050", "--set", "prometheus.cluster_token_secret=monitoring/token",
        "--set", "prometheus.cluster_authority_secret=monitoring/authority", seconds=120)
    [task] = cluster.app("/prometheus")["tasks"]
    address = cluster.network.address(int(task["host"][-1]))

    def ask(query):
        page = fetch(address, task["ports"][0], "/api/v1/query?query=" + urllib.parse.quote(query))
        return {each["metric"].get("instance"): float(each["value"][1]) for each in json.loads(page)["data"]["result"]}

    exporters = {"%s:20150" % machine.address for machine in cluster.machines}

    def up():
        found = ask('up{job="nodes"}')
        # SRV records name hosts; those of the nodes are all there is.
        return len(found) == 3 and set(found.values()) == {1} and ask('up{job="cluster"}') == {cluster.master: 1}

    eventually(up, 60, "three exporters and the master that are up", pause=0.5)
    memory = ask("node_memory_MemTotal_bytes")
    equal(len(memory), len(exporters), "nodes with figures")
    check(min(memory.values()) > 2 ** 28, "memory of the nodes:", memory)
    connected = ask('rondo_agents{state="connected"}')
    equal(connected, {cluster.master: 3}, "agents, as the cluster says itself")
    # What it says is true of the moment: a node more or less is seen.
    lose(cluster.machines[2])
    eventually(
        lambda: ask('rondo_agents{state="connected"}') == {cluster.master: 2}, 60, "the loss of a node in the figures", pause=0.5)
    come_back(cluster.machines[2])
    for name in ("prometheus", "node-exporter"):
        rondo("package", "uninstall", name)
        eventually(lambda: not processes(name), BOUND, "the end of " + name)


@test
def uninstall_with_a_node_that_is_gone():
    """uninstall ends when a node was marked gone, and nothing is left to say"""
    third = cluster.machines[2]
    install()
    id = [each["id"] for each in get_json(cluster.master, "/rondo/v1/nodes")["nodes"] if each["hostname"] == "node3"][0]
    left = {pid for pid in cluster.inhabitants(3) if environment(pid).get("MARATHON_APP_ID") == "/sleeper"}
    lose(third)
    call = {"type": "MARK_AGENT_GONE", "mark_agent_gone": {"agent_id": {"value": id}}}
    answer = request(cluster.master, "POST", "/api/v1", call)
    check(answer.status in (200, 202), "the answer is", answer)
    began = time.monotonic()
    rondo("package", "uninstall", "sleeper")
    bounded(began, "with a node that is marked gone")
    uninstalled()
    # That machine was thrown away.
    for pid in left | cluster.inhabitants(3):
        kill(pid)


@test
def the_end():
    """the nodes that are left end in order"""
    for each in reversed(cluster.machines):
        problem = each.stop()
        check(not problem, problem)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cluster = Hold(sys.argv[1])
    at_end(cluster.end)
    try:
        cluster.create()
        cluster.begin()
        tree = cluster.path("tree")
        publish(tree, "sleeper")
        publish(tree, "framework", labels={"DCOS_PACKAGE_FRAMEWORK_NAME": "dead"})
        # Waits for its nodes, as what has data on them does.
        publish(tree, "patient", unreachableStrategy={"inactiveAfterSeconds": 3600, "expungeAfterSeconds": 7200})
        rondo("catalog", "add", "tests", "file://" + cluster.path("tree"))
        result = run_tests(TESTS, sys.argv[2:], 300)
        cluster.watch.stopped = True
    except BaseException:
        cluster.end()
        raise
    finish(*result)
