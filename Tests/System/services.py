"""Services as their users have them: Marathon's interface through its own Python client and DC/OS' command line, both
unmodified, and a master that is killed in the middle of a deployment.

    python3 Tests/System/services.py RONDO [WORD ...]

Needs the clients of Tests/Clients/setup.sh; works on loopback and leaves nothing.
"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from dev_cluster import DevCluster, free_port  # noqa: E402
from harness import TESTS, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from local_node import LocalNode  # noqa: E402

RONDO = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else sys.exit(__doc__)
WORK = tempfile.mkdtemp(prefix="rondo-services-")
at_end(lambda: shutil.rmtree(WORK, ignore_errors=True))
CLUSTER = DevCluster(RONDO, agents=2, log=os.path.join(WORK, "dev.log"))


def call(method, path, body=None, base=None):
    """Status and JSON of a request to Marathon's interface."""
    request = urllib.request.Request(
        (base or "http://%s/service/marathon" % CLUSTER.master) + path,
        data=None if body is None else json.dumps(body).encode(),
        method=method,
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            text = answer.read()
            return answer.status, json.loads(text) if text[:1] in (b"{", b"[") else text
    except urllib.error.HTTPError as error:
        text = error.read()
        return error.code, json.loads(text) if text[:1] in (b"{", b"[") else text


def app(name, base=None):
    status, body = call("GET", "/v2/apps" + name, base=base)
    return body["app"] if status == 200 else None


def running(name, count, base=None):
    """The app once nothing deploys it and so many of its tasks run."""

    def probe():
        found = app(name, base)
        well = found and not found["deployments"] and found["tasksRunning"] == count == len(found["tasks"])
        return found if well else None

    return eventually(probe, 20, "%d running tasks of %s" % (count, name))


def ids(found):
    return {each["id"] for each in found["tasks"]}


def gone(name, base=None):
    eventually(lambda: app(name, base) is None, 20, "end of %s" % name)
    eventually(lambda: call("GET", "/v2/deployments", base=base)[1] == [], 20, "end of all deployments")


# ---- by hand


@test
def by_hand():
    """An app is started, scaled, upgraded, rolled back, restarted and ended, and a task that dies is replaced"""
    status, made = call("POST", "/v2/apps", {"id": "/hand/app", "cmd": "sleep 1000", "cpus": 0.05, "mem": 16})
    equal(status, 201, "status of POST")
    first = made["version"]
    running("/hand/app", 1)
    equal(call("PUT", "/v2/apps/hand/app", {"instances": 4})[0], 200, "status of PUT")
    before = ids(running("/hand/app", 4))
    equal(call("PUT", "/v2/apps/hand/app", {"cmd": "sleep 1001"})[0], 200, "status of PUT")
    after = running("/hand/app", 4)
    check(not before & ids(after), "an upgrade left old tasks")
    equal(call("PUT", "/v2/apps/hand/app", {"version": first})[0], 200, "status of a rollback")
    back = running("/hand/app", 1)
    equal(back["cmd"], "sleep 1000", "the command after the rollback")
    call("PUT", "/v2/apps/hand/app", {"instances": 2})
    before = ids(running("/hand/app", 2))
    equal(call("POST", "/v2/apps/hand/app/restart")[0], 200, "status of a restart")
    eventually(lambda: not before & ids(app("/hand/app")), 20, "other tasks after a restart")
    before = ids(running("/hand/app", 2))
    victim = sorted(before)[0]
    equal(call("DELETE", "/v2/apps/hand/app/tasks/" + victim)[1]["task"]["id"], victim, "the killed task")
    eventually(lambda: victim not in ids(app("/hand/app")), 20, "end of a killed task")
    running("/hand/app", 2)
    call("DELETE", "/v2/apps/hand/app")
    gone("/hand/app")


@test
def failing():
    """An app that fails is started again with a growing delay, and the queue says why it waits"""
    call("POST", "/v2/apps", {"id": "/fails", "cmd": "exit 3", "cpus": 0.05, "mem": 16, "backoffSeconds": 30})
    failure = eventually(lambda: (app("/fails") or {}).get("lastTaskFailure"), 20, "a failure")
    equal(failure["state"], "TASK_FAILED", "the last failure")

    def queued():
        queue = call("GET", "/v2/queue")[1]["queue"]
        return [each for each in queue if each["app"]["id"] == "/fails" and not each["delay"]["overdue"]]

    delay = eventually(queued, 10, "a delay in the queue")[0]["delay"]["timeLeftSeconds"]
    check(20 <= delay <= 30, "the delay is", delay)
    call("POST", "/v2/apps", {"id": "/huge", "cmd": "sleep 1", "cpus": 5000, "mem": 16})

    def reason():
        for each in call("GET", "/v2/queue?embed=lastUnusedOffers")[1]["queue"]:
            if each["app"]["id"] == "/huge" and each.get("lastUnusedOffers"):
                return each["lastUnusedOffers"][0]["reason"]
        return None

    equal(eventually(reason, 20, "an unused offer"), ["InsufficientCpus"], "why the offer was not used")
    for name in ("/fails", "/huge"):
        equal(call("DELETE", "/v2/apps%s?force=true" % name)[0], 200, "status of DELETE")
    for name in ("/fails", "/huge"):
        gone(name)


@test
def heads():
    """HEAD is answered as GET, without a body"""
    for path, wanted in [
        ("/service/marathon/v2/apps", 200), ("/v2/info", 200), ("/v2/apps/none", 404), ("/v2/events", 200),
        ("/service/metronome/v1/jobs", 200), ("/state", 200), ("/rondo/v1/tasks", 200), ("/v2/apps/a/restart", 405),
    ]:
        connection = http.client.HTTPConnection(CLUSTER.master, timeout=20)
        connection.request("HEAD", path)
        answer = connection.getresponse()
        equal((path, answer.status), (path, wanted), "status of HEAD")
        equal(answer.read(), b"", "body of HEAD " + path)
        connection.close()


@test
def refused():
    """What the cluster cannot do is refused with its path, never left out"""
    plain = {"id": "/no", "cmd": "sleep 1"}
    for more, path in [
        ({"container": {"type": "LXC", "docker": {"image": "nginx"}}}, "/container/type"),
        ({"container": {"volumes": [{"containerPath": "a", "hostPath": "/b"}]}}, "/container/volumes(0)"),
        ({"readinessChecks": [{"portName": "none"}]}, "/readinessChecks(0)/portName"),
        ({"resourceLimits": {"mem": 1}}, "/resourceLimits/mem"),
        ({"tty": "yes"}, "/tty"),
        ({"residency": {}}, "/residency"),
        ({"isolation": "microvm"}, "/isolation"),
        ({"cpus": "much"}, "/cpus"),
    ]:
        status, body = call("POST", "/v2/apps", dict(plain, **more))
        equal(status, 422, "status of %s" % more)
        check(path in [each["path"] for each in body["details"]], more, body)


# ---- the Python client


@test
def python_client():
    """The marathon client creates, lists, scales, kills and deletes apps and groups"""
    from marathon import MarathonClient
    from marathon.models import MarathonApp, MarathonConstraint, MarathonGroup
    from marathon.models.app import MarathonUnreachableStrategy

    client = MarathonClient("http://%s/service/marathon" % CLUSTER.master)
    check(client.ping() in (b"pong", "pong"), client.ping())
    equal(client.get_info().name, "marathon", "the name")
    check(client.get_leader()["leader"], "no leader")
    seen = []

    def follow():
        for event in MarathonClient("http://%s/service/marathon" % CLUSTER.master).event_stream():
            seen.append(type(event).__name__)

    threading.Thread(target=follow, daemon=True).start()
    eventually(lambda: "MarathonEventStreamAttached" in seen, 10, "the first event")
    made = client.create_app(
        "/py/web",
        MarathonApp(
            cmd="sleep 1000", cpus=0.05, mem=16, instances=2, constraints=[MarathonConstraint("hostname", "UNIQUE")]
        ),
    )
    equal(made.id, "/py/web", "the new app's id")
    running("/py/web", 2)
    shown = client.get_app("/py/web")
    equal({each.host for each in shown.tasks}, {"agent1", "agent2"}, "the hosts of an app with UNIQUE")
    equal([each.id for each in client.list_apps(embed_counts=True)], ["/py/web"], "the list of apps")
    client.scale_app("/py/web", instances=1)
    running("/py/web", 1)
    client.update_app("/py/web", MarathonApp(cmd="sleep 1001", constraints=[]))
    found = running("/py/web", 1)
    equal(found["cmd"], "sleep 1001", "the command after an update")
    versions = client.list_versions("/py/web")
    check(len(versions) >= 3, versions)
    equal(client.get_version("/py/web", versions[-1]).instances, 2, "the first version's instances")
    before = ids(found)
    client.restart_app("/py/web")
    eventually(lambda: not before & ids(app("/py/web")), 20, "other tasks after a restart")
    running("/py/web", 1)
    tasks = client.list_tasks("/py/web")
    client.kill_task("/py/web", tasks[0].id)
    eventually(lambda: tasks[0].id not in ids(app("/py/web")), 20, "end of a killed task")
    running("/py/web", 1)
    check(len(client.list_tasks()) == 1 and len(client.list_endpoints()) == 1, "tasks and endpoints")
    equal(client.list_queue(), [], "the queue")
    client.create_group(
        MarathonGroup(id="/py/group", apps=[MarathonApp(id="a", cmd="sleep 1", instances=0, cpus=0.05, mem=16)])
    )
    check(client.get_group("/py/group").apps, "a group without apps")
    eventually(lambda: client.list_deployments() == [], 20, "end of all deployments")
    past = client.get_group("/py/group")
    changed = client.get_group("/py/group")
    changed.apps[0].cmd = "sleep 2"
    client.update_group("/py/group", changed, force=True)
    equal(client.get_app("/py/group/a").cmd, "sleep 2", "the command after an update of the group")
    client.rollback_group("/py/group", past.version, force=True)
    equal(client.get_app("/py/group/a").cmd, "sleep 1", "the command after the group was rolled back")
    # All fields, also those that it knows by an older name and that are null.
    strategy = MarathonUnreachableStrategy(unreachable_inactive_after_seconds=3, unreachable_expunge_after_seconds=5)
    client.update_app("/py/group/a", MarathonApp(unreachable_strategy=strategy), force=True)
    whole = client.get_app("/py/group/a")
    equal(whole.unreachable_strategy.expunge_after_seconds, 5, "when an instance is forgotten")
    client.update_app("/py/group/a", whole, minimal=False, force=True)
    eventually(lambda: client.list_deployments() == [], 20, "end of all deployments")
    client.scale_group("/py/group", 2)
    check(client.list_groups(), "no groups")
    client.delete_group("/py/group", force=True)
    client.create_app("/py/huge", MarathonApp(cmd="sleep 1", cpus=5000, mem=16))
    plan = eventually(client.list_deployments, 10, "a deployment")
    equal(plan[0].current_actions[0].action, "ScaleApplication", "the current action")
    equal(client.list_queue()[0].app.id, "/py/huge", "what is in the queue")
    client.delete_deployment(plan[0].id)
    gone("/py/huge")
    client.delete_app("/py/web")
    gone("/py/web")
    client.get_metrics()
    wanted = {
        "MarathonStatusUpdateEvent",
        "MarathonDeploymentInfo",
        "MarathonDeploymentStepSuccess",
        "MarathonDeploymentSuccess",
        "MarathonGroupChangeSuccess",
        "MarathonAppTerminatedEvent",
        "MarathonInstanceChangedEvent",
        "MarathonApiPostEvent",
    }
    eventually(lambda: wanted <= set(seen), 10, "all kinds of events, of which came %s" % sorted(set(seen)))


# ---- DC/OS' command line


def dcos(*words, stdin=None, fails=False):
    """Output of a command of DC/OS' command line."""
    home = os.path.join(WORK, "dcos")
    os.makedirs(home, exist_ok=True)
    config = os.path.join(home, "dcos.toml")
    if not os.path.exists(config):
        with open(config, "w") as file:
            file.write(
                '[core]\ndcos_url = "http://%s"\ndcos_acs_token = "none"\nreporting = false\ntimeout = 20\n'
                % CLUSTER.master
            )
        os.chmod(config, 0o600)
    program = os.path.join(os.path.dirname(sys.executable), "dcos")
    environment = dict(os.environ, DCOS_CONFIG=config, DCOS_DIR=home, HOME=home, PYTHONWARNINGS="ignore")
    done = subprocess.run(
        [program] + list(words), input=stdin, env=environment, capture_output=True, text=True, timeout=60
    )
    if (done.returncode != 0) != fails:
        raise Failed("dcos %s: %d\n%s%s" % (" ".join(words), done.returncode, done.stdout, done.stderr[-1500:]))
    return done.stderr if fails else done.stdout


@test
def command_line():
    """The command line of DC/OS adds, lists, updates, restarts, debugs and removes apps"""
    definition = {"id": "/cli/web", "cmd": "sleep 1000", "cpus": 0.05, "mem": 16, "instances": 1}
    check("Created deployment" in dcos("marathon", "app", "add", stdin=json.dumps(definition)), "app add")
    running("/cli/web", 1)
    check("already exists" in dcos("marathon", "app", "add", stdin=json.dumps(definition), fails=True), "app add twice")
    check("/cli/web" in dcos("marathon", "app", "list"), "app list")
    equal(json.loads(dcos("marathon", "app", "show", "/cli/web"))["instances"], 1, "app show")
    dcos("marathon", "app", "update", "/cli/web", "instances=2", "mem=17")
    running("/cli/web", 2)
    dcos("marathon", "app", "update", "/cli/web", stdin='{"env": {"A": "1"}}')
    running("/cli/web", 2)
    equal(len(json.loads(dcos("marathon", "app", "version", "list", "/cli/web"))), 3, "app version list")
    lines = dcos("marathon", "task", "list", "/cli/web").splitlines()
    equal(len(lines), 3, "lines of task list")
    task = json.loads(dcos("marathon", "task", "list", "--json", "/cli/web"))[0]["id"]
    equal(json.loads(dcos("marathon", "task", "show", task))["id"], task, "task show")
    check("Killed tasks" in dcos("marathon", "task", "kill", task), "task kill")
    running("/cli/web", 2)
    check("Killed tasks" in dcos("marathon", "app", "kill", "/cli/web"), "app kill")
    running("/cli/web", 2)
    dcos("marathon", "app", "restart", "/cli/web")
    running("/cli/web", 2)
    check("does not exist" in dcos("marathon", "app", "show", "/none", fails=True), "app show /none")
    group = {"id": "/cli/group", "apps": [{"id": "a", "cmd": "sleep 1000", "cpus": 0.05, "mem": 16}]}
    dcos("marathon", "group", "add", stdin=json.dumps(group))
    running("/cli/group/a", 1)
    check("/cli/group" in dcos("marathon", "group", "list"), "group list")
    dcos("marathon", "group", "scale", "/cli/group", "2")
    running("/cli/group/a", 2)
    dcos("marathon", "group", "remove", "/cli/group")
    gone("/cli/group/a")
    huge = {"id": "/cli/huge", "cmd": "sleep 1", "cpus": 5000, "mem": 16}
    dcos("marathon", "app", "add", stdin=json.dumps(huge))
    eventually(
        lambda: any(
            each["app"]["id"] == "/cli/huge" and each["processedOffersSummary"]["processedOffersCount"]
            for each in call("GET", "/v2/queue")[1]["queue"]
        ),
        20,
        "an offer for the queue",
    )
    check("/cli/huge" in dcos("marathon", "debug", "list"), "debug list")
    check("CPUS" in dcos("marathon", "debug", "summary", "/cli/huge"), "debug summary")
    check("agent" in dcos("marathon", "debug", "details", "/cli/huge"), "debug details")
    deployment = json.loads(dcos("marathon", "deployment", "list", "--json"))[0]["id"]
    check("scale" in dcos("marathon", "deployment", "list"), "deployment list")
    dcos("marathon", "deployment", "rollback", deployment)
    gone("/cli/huge")
    equal(json.loads(dcos("marathon", "about"))["name"], "marathon", "about")
    dcos("marathon", "pod", "list")
    # By the name marathon.mesos, which must be an address that people can use.
    eventually(lambda: "127.0.0.1" in dcos("marathon", "leader", "show"), 20, "leader show")
    eventually(lambda: "stdout" in dcos("task", "ls", "cli_web"), 20, "task ls without a path")
    dcos("marathon", "app", "remove", "/cli/web")
    gone("/cli/web")


def pod(name):
    status, body = call("GET", "/v2/pods%s::status" % name)
    return body if status == 200 else None


@test
def pods():
    """The command line of DC/OS adds, lists, shows, updates, kills and removes pods, whose containers end together"""

    def definition(instances, seconds=1000):
        commands = [("one", "sleep %d" % seconds), ("two", "sleep 1000")]
        return {
            "id": "/cli/pod",
            "containers": [
                {"name": each, "resources": {"cpus": 0.05, "mem": 16}, "exec": {"command": {"shell": line}}}
                for each, line in commands
            ],
            "networks": [{"mode": "host"}],
            "scaling": {"kind": "fixed", "instances": instances},
            "executorResources": {"cpus": 0.05, "mem": 32, "disk": 0},
        }

    def stable(count):
        def probe():
            found = pod("/cli/pod")
            well = found and found["status"] == "STABLE" and len(found["instances"]) == count
            return {each["id"] for each in found["instances"]} if well else None

        return eventually(probe, 40, "%d stable instances" % count)

    check("Created deployment" in dcos("marathon", "pod", "add", stdin=json.dumps(definition(1))), "pod add")
    first = stable(1)
    # The client has one sentence for everything that is answered with 409.
    again = dcos("marathon", "pod", "add", stdin=json.dumps(definition(1)), fails=True)
    check("Changes blocked" in again, "add twice:", again)
    status, answer = call("POST", "/v2/pods", definition(1))
    equal((status, "already exists" in answer["message"]), (409, True), "add twice")
    listed = dcos("marathon", "pod", "list")
    check("/cli/pod" in listed and "|-one" in listed and "STABLE" in listed, "pod list:", listed)
    shown = json.loads(dcos("marathon", "pod", "show", "/cli/pod"))
    states = {each["name"]: each["status"] for each in shown["instances"][0]["containers"]}
    equal(states, {"one": "TASK_RUNNING", "two": "TASK_RUNNING"}, "pod show")
    check("deployment" in dcos("marathon", "pod", "update", "/cli/pod", stdin=json.dumps(definition(2))), "pod update")
    both = stable(2)
    check(first <= both, "another number of instances ended one", first, both)
    dcos("marathon", "pod", "kill", "/cli/pod", sorted(first)[0])
    eventually(lambda: not first & stable(2), 40, "another instance in place of the killed one")
    before = stable(2)
    victim = pod("/cli/pod")["instances"][0]
    # A container that dies takes the other one with it.
    task = victim["containers"][0]["containerId"]
    end = subprocess.run(
        [RONDO, "task", "kill", task, "--master", CLUSTER.master], capture_output=True, text=True, timeout=60)
    equal(end.returncode, 0, "rondo task kill: %s%s" % (end.stdout, end.stderr))
    eventually(lambda: victim["id"] not in stable(2), 40, "another instance in place of the broken one")
    check(len(before & stable(2)) == 1, "only one instance was replaced")
    status, answer = call("PUT", "/v2/pods/cli/pod", {"id": "/cli/pod", "containers": [{"name": "x"}]})
    equal(status, 422, "status of a wrong pod")
    check("/containers(0)/resources" in [each["path"] for each in answer["details"]], answer)
    dcos("marathon", "pod", "remove", "/cli/pod")
    eventually(lambda: pod("/cli/pod") is None, 40, "the end of the pod")
    eventually(lambda: call("GET", "/v2/deployments")[1] == [], 40, "the end of its deployment")


# ---- images, and a master that is killed


@test
def from_image():
    """An app is nothing but an image, and another one runs its own command in it"""
    if os.geteuid() != 0 or not os.path.exists("/bin/busybox"):
        raise Skipped("containers need root, and the image Debian's busybox-static")
    root = os.path.join(WORK, "root")
    os.makedirs(os.path.join(root, "bin"))
    shutil.copy("/bin/busybox", os.path.join(root, "bin", "busybox"))
    for name in ("sh", "sleep", "httpd"):
        os.symlink("busybox", os.path.join(root, "bin", name))
    with open(os.path.join(root, "page"), "w") as file:
        file.write("of the image")
    node = LocalNode(RONDO, os.path.join(WORK, "node"))
    at_end(node.end)
    node.start()
    made = subprocess.run(
        [RONDO, "image", "build-from-rootfs", root, "--as", "demo:1", "--data", node.data]
        + ["--cmd", "sh", "--cmd", "-c", "--cmd", "exec httpd -f -p $PORT0 -h /"],
        capture_output=True,
        text=True,
        timeout=30,
    )
    equal(made.returncode, 0, "exit of image build-from-rootfs: %s" % made.stderr[-300:])
    for name, more in [("plain", {}), ("own", {"cmd": "exec httpd -f -p $PORT0 -h /"})]:
        image = {"type": "MESOS" if name == "plain" else "DOCKER", "docker": {"image": "demo:1"}}
        wanted = dict(id="/" + name, container=image, cpus=0.05, mem=16, **more)
        equal(node.call("POST", "/v2/apps", wanted)[0], 201, "status of POST")

        def page():
            tasks = node.call("GET", "/v2/apps/%s/tasks" % name)[1]["tasks"]
            if not tasks or tasks[0]["state"] != "TASK_RUNNING":
                return None
            with urllib.request.urlopen("http://127.0.0.1:%d/page" % tasks[0]["ports"][0], timeout=5) as answer:
                return answer.read().decode()

        equal(eventually(page, 20, "a page from the container"), "of the image", "the page")
        node.call("DELETE", "/v2/apps/" + name)
    eventually(lambda: not node.call("GET", "/v2/deployments")[1], 20, "end of all deployments")
    node.end()


def lives(node):
    return node.call("GET", "/v2/apps/lives")[1].get("app")


@test
def killed():
    """A deployment goes on after its master and agent were killed in the middle, and no task runs twice"""
    if os.geteuid() != 0:
        raise Skipped("a node of a cluster needs root")
    node = LocalNode(RONDO, os.path.join(WORK, "node"))
    at_end(node.end)
    node.start()
    wanted = {
        "id": "/lives",
        "cmd": "trap : TERM; while :; do sleep 0.2; done",
        "cpus": 0.05,
        "mem": 16,
        "instances": 4,
        "taskKillGracePeriodSeconds": 2,
        "upgradeStrategy": {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0},
    }
    equal(node.call("POST", "/v2/apps", wanted)[0], 201, "status of POST")
    first = ids(eventually(lambda: lives(node) if lives(node)["tasksRunning"] == 4 else None, 20, "four tasks"))
    equal(node.call("PUT", "/v2/apps/lives", {"labels": {"a": "b"}})[0], 200, "status of PUT")
    eventually(lambda: lives(node)["tasksRunning"] == 2 and lives(node)["deployments"], 10, "the middle of an upgrade")
    node.process.kill()
    node.process.wait()
    node.start()
    equal(len(node.call("GET", "/v2/deployments")[1]), 1, "deployments after the restart")
    most = []

    def over():
        found = lives(node)
        most.append(len(found["tasks"]))
        return found if not found["deployments"] and found["tasksRunning"] == 4 else None

    last = ids(eventually(over, 40, "end of the deployment"))
    check(max(most) <= 4, "there were %d tasks at once" % max(most))
    check(not first & last, "old tasks run on")
    node.call("DELETE", "/v2/apps/lives")
    eventually(lambda: lives(node) is None and not node.call("GET", "/v2/deployments")[1], 20, "end of the app")
    node.end()


def main():
    CLUSTER.start()
    at_end(CLUSTER.stop)
    counts = run_tests(TESTS, sys.argv[2:])
    wrong = CLUSTER.stop()
    for each in wrong:
        print("FAIL  rondo dev after Ctrl-C: %s" % each)
    finish(counts[0], counts[1] + len(wrong), counts[2])


if __name__ == "__main__":
    # A timeout's TERM must not leave the cluster running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
