"""What apps and their agents can have besides a command: images of registries that want to know who asks, readiness
checks, several health checks, checks, limits, ports of servers, terminals, drains; and what a restarted master knows.

    python3 Tests/System/apps.py RONDO [WORD ...]

Needs root, Debian's docker-registry and busybox-static; works on loopback and leaves nothing.
"""

import base64
import glob
import hashlib
import http.client
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.parse
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from dev_cluster import free_port  # noqa: E402
from harness import TESTS, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from local_node import Local, LocalNode  # noqa: E402

RONDO = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else sys.exit(__doc__)
WORK = tempfile.mkdtemp(prefix="rondo-apps-")
at_end(lambda: shutil.rmtree(WORK, ignore_errors=True))
NODE = LocalNode(RONDO, os.path.join(WORK, "node"))
USER, PASSWORD = "robot", "hunter2-of-the-registry"
BASIC = "Basic " + base64.b64encode(("%s:%s" % (USER, PASSWORD)).encode()).decode()
# Of bcrypt, which is all that the registry knows.
HASH = "$2b$04$VQ.QvZD5jgzsPcYqi1.rwudOpiu4PeQhCn.Etx.WFthh3WMbV/Zg."
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"


# ---- images and registries


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def image(text):
    """Manifest, configuration and layer of an image with busybox and a file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.add(os.path.realpath("/bin/busybox"), "bin/busybox")
        for name in ("sh", "sleep"):
            link = tarfile.TarInfo("bin/" + name)
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
        member = tarfile.TarInfo("text")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    layer = packed.getvalue()
    config = json.dumps({
        "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(os.uname().machine, os.uname().machine), "os": "linux",
        "config": {"Cmd": ["sleep", "1000"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(layer)]},
    }).encode()
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": DOCKER,
        "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "digest": digest(config),
                   "size": len(config)},
        "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar", "digest": digest(layer),
                    "size": len(layer)}],
    }).encode()
    return manifest, config, layer


class Registry:
    """Debian's registry, which shows nothing to those who do not say who they are."""

    def __init__(self):
        self.name = "127.0.0.1:%d" % free_port()
        with open(os.path.join(WORK, "htpasswd"), "w") as file:
            file.write("%s:%s\n" % (USER, HASH))
        with open(os.path.join(WORK, "registry.yml"), "w") as file:
            json.dump({
                "version": 0.1, "log": {"level": "warn"},
                "storage": {"filesystem": {"rootdirectory": os.path.join(WORK, "registry")}},
                "auth": {"htpasswd": {"realm": "test", "path": os.path.join(WORK, "htpasswd")}},
                "http": {"addr": self.name},
            }, file)
        with open(os.path.join(WORK, "registry.log"), "wb") as log:
            self.process = subprocess.Popen(
                ["docker-registry", "serve", os.path.join(WORK, "registry.yml")],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        at_end(self.end)

        def answers():
            try:
                return self.request("GET", "/v2/")[0] == 200
            except OSError:
                return False

        eventually(answers, 30, "the registry")

    def request(self, method, target, content=None, kind="application/octet-stream"):
        connection = http.client.HTTPConnection(self.name, timeout=20)
        try:
            connection.request(method, target, content, {"Authorization": BASIC, "Content-Type": kind})
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers
        finally:
            connection.close()

    def push(self, name, tag, parts):
        manifest, *blobs = parts
        for blob in blobs:
            status, headers = self.request("POST", "/v2/%s/blobs/uploads/" % name, b"")
            equal(status, 202, "status of an upload's begin")
            place = urllib.parse.urlsplit(headers["Location"])
            target = "%s?%s&digest=%s" % (place.path, place.query, digest(blob))
            equal(self.request("PUT", target, blob)[0], 201, "status of an upload")
        equal(self.request("PUT", "/v2/%s/manifests/%s" % (name, tag), manifest, DOCKER)[0], 201, "status of a manifest")

    def end(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)


class TokenRegistry:
    """A registry that shows things to those with a token, which another address gives to those with a password."""

    def __init__(self, parts):
        outer = self
        self.tokens = 0
        content = {"/v2/app/manifests/1": (parts[0], DOCKER)}
        for blob in parts[1:]:
            content["/v2/app/blobs/" + digest(blob)] = (blob, "application/octet-stream")

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                shown = self.headers.get("Authorization")
                if self.path.startswith("/token?"):
                    if shown != BASIC:
                        return self.answer(401, b"{}")
                    outer.tokens += 1
                    return self.answer(200, b'{"token":"the-token"}')
                if shown != "Bearer the-token":
                    return self.answer(401, b"{}", {
                        "WWW-Authenticate": 'Bearer realm="http://%s/token",service="test",scope="repository:app:pull"'
                        % outer.name})
                if self.path not in content:
                    return self.answer(404, b"{}")
                body, kind = content[self.path]
                self.answer(200, body, {"Content-Type": kind})

            def answer(self, status, body, headers=()):
                self.send_response(status)
                for name, value in dict(headers).items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.name = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        at_end(self.server.shutdown)


class World:
    registry = None


# ---- apps


def put(name, **more):
    status, body = NODE.call("PUT", "/v2/apps/%s?force=true" % name, dict({"cpus": 0.05, "mem": 32}, **more))
    check(status in (200, 201), "status of PUT", status, body)


def app(name, embed="apps.tasks,apps.counts,apps.deployments,apps.lastTaskFailure"):
    query = "&".join("embed=" + each for each in embed.split(","))
    return NODE.call("GET", "/v2/apps/%s?%s" % (name, query))[1].get("app")


def running(name, count=1):
    def probe():
        found = app(name)
        return found if not found["deployments"] and found["tasksRunning"] == count == len(found["tasks"]) else None

    return eventually(probe, 60, "%d running tasks of %s" % (count, name))


def removed(*names):
    for name in names:
        NODE.call("DELETE", "/v2/apps/%s?force=true" % name)
    eventually(lambda: not NODE.call("GET", "/v2/deployments")[1], 60, "end of all deployments")


def failure(name, words):
    """Waits until a task of an app has failed with these words."""

    def probe():
        last = (app(name) or {}).get("lastTaskFailure") or {}
        return last if words in last.get("message", "") else None

    return eventually(probe, 60, "a failure that says '%s'" % words)


def sandbox(task):
    """The work directory of a task."""
    return eventually(lambda: glob.glob("%s/agent/work/*/%s/*" % (NODE.data, task)), 60, "the task's directory")[0]


def login(registry, password=PASSWORD):
    code, _, errors = NODE.run(
        "image", "login", registry, "--user", USER, "--password-stdin", given=password.encode() + b"\n")
    equal(code, 0, "exit of image login: " + errors)


def nowhere():
    """Neither password nor what is sent of it is in any file of the node, nor in what the master shows."""
    secrets = [PASSWORD.encode(), BASIC.split()[1].encode()]
    for directory, _, files in os.walk(NODE.data):
        for name in files:
            path = os.path.join(directory, name)
            if not os.path.isfile(path) or os.path.islink(path):
                continue
            with open(path, "rb") as file:
                content = file.read()
            check(not any(each in content for each in secrets), "the password is in", path)
    with open(NODE.log, "rb") as file:
        content = file.read()
    check(not any(each in content for each in secrets), "the password is in the log")
    for path in ("/state", "/tasks", "/service/marathon/v2/apps?embed=apps.tasks", "/rondo/v1/tasks"):
        shown = json.dumps(NODE.get(path)).encode()
        check(not any(each in shown for each in secrets), "the password is in", path)


@test
def ports():
    """A node offers ports of servers, and tasks that want any port get a high one"""
    offered = NODE.get("/state")["slaves"][0]["resources"]["ports"]
    equal(offered, "[80-80, 443-443, 1024-5049, 5060-7945, 7956-32000]", "the node's ports")
    # Not one of those that programs like to use.
    wanted = 18000 + os.getpid() % 1000
    put("fixed", cmd="sleep 1000", requirePorts=True, portDefinitions=[{"port": wanted}, {"port": 443}])
    put("any", cmd="sleep 1000", instances=3, portDefinitions=[{"port": 0}, {"port": 0}])
    equal(running("fixed")["tasks"][0]["ports"], [wanted, 443], "the fixed ports")
    found = [port for task in running("any", 3)["tasks"] for port in task["ports"]]
    check(len(set(found)) == 6 and all(31000 <= port <= 32000 for port in found), "ports", found)
    removed("fixed", "any")


@test
def private():
    """Agents have images of a registry that wants to know who asks, once the cluster has a credential for it"""
    registry = World.registry
    registry.push("team/app", "1", image("one"))
    name = registry.name + "/team/app:1"
    put("private", container={"type": "DOCKER", "docker": {"image": name}}, backoffSeconds=0, maxLaunchDelaySeconds=1)
    last = failure("private", "wants a user and a password")
    check("rondo image login " + registry.name in last["message"], last)
    login(registry.name)
    running("private")
    code, shown, _ = NODE.run("image", "logins")
    equal((code, shown.split()), (0, ["REGISTRY", registry.name]), "image logins")
    paths = NODE.run("secret", "list", "registries")[1].split()
    equal(paths[1:], ["registries/" + registry.name.replace(":", "_")], "secret list")
    nowhere()
    audit = b"".join(open(each, "rb").read() for each in glob.glob(NODE.data + "/master/audit/*") if os.path.isfile(each))
    check(b"secret.create" in audit and b"registries/127.0.0.1_" in audit, "the audit log does not know of it")
    # Who asks for what is there asks with it as well.
    put("again", container={"type": "MESOS", "docker": {"image": name, "forcePullImage": True}})
    running("again")
    removed("private", "again")
    equal(NODE.run("image", "logout", registry.name)[0], 0, "exit of image logout")
    equal(NODE.run("image", "logins")[1].split(), ["REGISTRY"], "image logins after logout")
    check(NODE.run("image", "logout", registry.name)[0] != 0, "a second logout")
    put("later", container={"type": "MESOS", "docker": {"image": name, "forcePullImage": True}})
    failure("later", "wants a user and a password")
    removed("later")


@test
def pull_secret():
    """An app brings a credential of its own by a secret"""
    registry = World.registry
    registry.push("team/app", "2", image("two"))
    image_name = registry.name + "/team/app:2"
    config = {"auths": {"elsewhere.example.org": {"auth": "eDp5"}, registry.name: {"auth": BASIC.split()[1]}}}
    equal(NODE.run("secret", "put", "apps/pull", given=json.dumps(config).encode())[0], 0, "exit of secret put")
    equal(NODE.run("secret", "put", "apps/wrong", given=b"no json")[0], 0, "exit of secret put")
    docker = {"image": image_name, "pullConfig": {"secret": "pull"}}
    put("wrong", container={"type": "MESOS", "docker": docker}, secrets={"pull": {"source": "apps/wrong"}})
    failure("wrong", "is not of the form of docker's config.json")
    put("pulls", container={"type": "MESOS", "docker": docker}, secrets={"pull": {"source": "apps/pull"}})
    running("pulls")
    equal(app("pulls")["container"]["docker"]["pullConfig"], {"secret": "pull"}, "the definition")
    container = {"name": "a", "resources": {"cpus": 0.05, "mem": 32}, "exec": {"command": {"shell": "sleep 1000"}}}
    container["image"] = {"kind": "DOCKER", "id": image_name, "forcePull": True, "pullConfig": {"secret": "pull"}}
    pod = {"id": "/pod", "containers": [container], "secrets": {"pull": {"source": "apps/pull"}}}
    status, body = NODE.call("POST", "/v2/pods", pod)
    equal(status, 201, "status of POST %s" % body)
    eventually(lambda: NODE.call("GET", "/v2/pods/pod::status")[1]["status"] == "STABLE", 60, "a pod that runs")
    nowhere()
    NODE.call("DELETE", "/v2/pods/pod?force=true")
    removed("wrong", "pulls")
    for name in ("pull", "wrong"):
        NODE.run("secret", "rm", "apps/" + name)


@test
def token():
    """A registry that sends its users to a server of tokens is understood"""
    registry = TokenRegistry(image("three"))
    login(registry.name)
    put("token", container={"type": "DOCKER", "docker": {"image": registry.name + "/app:1"}})
    running("token")
    check(registry.tokens > 0, "nobody asked for a token")
    removed("token")
    NODE.run("image", "logout", registry.name)


@test
def readiness():
    """A deployment waits until its instances say that they are ready, and shows what they answer"""
    check_ready = {
        "name": "page", "portName": "web", "path": "/ready", "intervalSeconds": 1, "timeoutSeconds": 0,
        "httpStatusCodesForReady": [200], "preserveLastResponse": True,
    }
    status, body = NODE.call("POST", "/v2/apps", {"id": "/ready", "cmd": "true", "readinessChecks": [check_ready]})
    equal(status, 422, "status of an app with wrong times")
    check_ready.update(intervalSeconds=2, timeoutSeconds=1)
    serves = "mkdir -p www; exec busybox httpd -f -p $PORT0 -h www"
    put("ready", cmd=serves, portDefinitions=[{"port": 0, "name": "web"}], readinessChecks=[check_ready])
    task = eventually(lambda: (app("ready")["tasks"] or [None])[0], 60, "a task")["id"]

    def results():
        found = NODE.call("GET", "/v2/deployments")[1]
        shown = found[0]["currentActions"][0]["readinessCheckResults"] if found else []
        return shown if shown and shown[0].get("lastResponse") else None

    shown = eventually(results, 60, "results of the readiness check")[0]
    equal((shown["name"], shown["taskId"], shown["ready"]), ("page", task, False), "the result")
    equal(shown["lastResponse"]["status"], 404, "status of the last answer")
    check("404" in shown["lastResponse"]["body"], shown)
    equal(app("ready", "apps.readiness")["readinessCheckResults"], [shown], "readinessCheckResults of the app")
    check(app("ready")["deployments"], "the deployment ended before its instance was ready")
    with open(os.path.join(sandbox(task), "www", "ready"), "w") as file:
        file.write("yes")
    running("ready")
    # An upgrade ends the old instance only when the new one is ready.
    put("ready", cmd=serves + " ", portDefinitions=[{"port": 0, "name": "web"}], readinessChecks=[check_ready])
    both = eventually(lambda: app("ready")["tasksRunning"] == 2 and app("ready")["tasks"], 60, "both instances")
    eventually(results, 60, "results of the readiness check")
    equal(app("ready")["tasksRunning"], 2, "instances as long as the new one is not ready")
    new = next(each["id"] for each in both if each["id"] != task)
    with open(os.path.join(sandbox(new), "www", "ready"), "w") as file:
        file.write("yes")
    equal(running("ready")["tasks"][0]["id"], new, "the instance that is left")
    removed("ready")


@test
def several_checks():
    """An instance is healthy when all of its health checks are, and ends when one fails too often"""
    quick = {"intervalSeconds": 1, "timeoutSeconds": 10, "delaySeconds": 0, "gracePeriodSeconds": 0,
             "maxConsecutiveFailures": 2}
    put("well", cmd="mkdir -p www; echo a > www/index.html; exec busybox httpd -f -p $PORT0 -h www",
        healthChecks=[
            dict(quick, protocol="MESOS_HTTP", path="/", portIndex=0, gracePeriodSeconds=60),
            dict(quick, protocol="COMMAND", command={"value": "test ! -e sick"}, gracePeriodSeconds=60),
        ])
    eventually(lambda: app("well")["tasksHealthy"] == 1, 60, "a healthy instance")
    task = running("well")["tasks"][0]
    equal(len(app("well")["healthChecks"]), 2, "the definition")
    with open(os.path.join(sandbox(task["id"]), "sick"), "w"):
        pass
    last = failure("well", "health checks in a row failed")
    equal(last["taskId"], task["id"], "the task that failed")
    eventually(lambda: app("well")["tasksHealthy"] == 1, 60, "another healthy instance")
    removed("well")


class Calls:
    """The calls of the agent's interface about a container of a task."""

    def __init__(self, container):
        state = NODE.get("/state")
        self.path = "/slave/%s/api/v1" % state["slaves"][0]["id"]
        self.container = {"value": container}

    def post(self, body, headers):
        connection = Local(os.path.join(NODE.data, "rondo.sock"))
        connection.request("POST", self.path, body, headers)
        return connection, connection.getresponse()

    def say(self, kind):
        return self.post(json.dumps({"type": kind, kind.lower(): {"container_id": self.container}}),
                         {"Content-Type": "application/json"})[1]

    def type(self, text):
        data = {"type": "DATA", "data": {"type": "STDIN", "data": base64.b64encode(text.encode()).decode()}}
        body = b""
        for each in [{"type": "CONTAINER_ID", "container_id": self.container}, {"type": "PROCESS_IO", "process_io": data}]:
            record = json.dumps({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": each}).encode()
            body += b"%d\n%s" % (len(record), record)
        connection, answer = self.post(body, {"Content-Type": "application/recordio"})
        text = answer.read()
        connection.close()
        equal(answer.status, 200, "status of input: %s" % text[:300])


def written(directory, text):
    """Waits until a task has written a text to its standard output."""

    def probe():
        try:
            with open(directory + "/stdout", "rb") as file:
                return text.encode() in file.read()
        except FileNotFoundError:
            return False

    eventually(probe, 60, "the output " + text)


@test
def terminals():
    """Apps and pods have terminals, in images and without, which are there after a restart of the agent"""
    registry = World.registry
    registry.push("team/tty", "1", image("four"))
    login(registry.name)
    name = registry.name + "/team/tty:1"
    line = "/bin/busybox tty; /bin/busybox stty size; exec /bin/sh"
    put("plain", cmd=line, tty=True)
    put("imaged", cmd=line, tty=True, container={"type": "MESOS", "docker": {"image": name}})
    put("docker", cmd=line, tty=True, container={"type": "DOCKER", "docker": {"image": name}}, user="root")
    pod = {"id": "/pod", "containers": [
        {"name": "a", "exec": {"command": {"shell": line}}, "tty": True, "image": {"kind": "DOCKER", "id": name},
         "resources": {"cpus": 0.05, "mem": 32}},
        {"name": "b", "exec": {"command": {"shell": line}}, "tty": True, "resources": {"cpus": 0.05, "mem": 32}}]}
    status, body = NODE.call("POST", "/v2/pods", pod)
    equal(status, 201, "status of the pod: %s" % body)
    tasks = {each: running(each)["tasks"][0]["id"] for each in ("plain", "imaged", "docker")}
    equal(app("plain")["tty"], True, "the definition")

    def members():
        instances = NODE.call("GET", "/v2/pods/pod::status")[1]["instances"]
        found = {each["name"]: each["containerId"] for one in instances for each in one["containers"]}
        return found if len(found) == 2 and instances[0]["status"] == "STABLE" else None

    places = {each: sandbox(task) for each, task in tasks.items()}
    for each, task in eventually(members, 60, "a stable pod").items():
        places["pod " + each] = eventually(
            lambda: glob.glob("%s/agent/work/*/*/*/tasks/%s" % (NODE.data, task)), 60, "the directory of " + task)[0]
        tasks["pod " + each] = task

    def container(task):
        every = [each for framework in NODE.get("/state")["frameworks"] for each in framework["tasks"]]
        found = next((each for each in every if each["id"] == task and each["statuses"]), None)
        return found and found["statuses"][-1]["container_status"]["container_id"]["value"]

    for each, place in places.items():
        written(place, "/dev/pts/")
        written(place, "24 80\r\n")
        with open(place + "/stdout") as file:
            first = file.read().split()[0]
        # A container with an image has terminals of its own.
        check(first == "/dev/pts/0" or each in ("plain", "pod b"), each, "is on", first)
        Calls(container(tasks[each])).type("echo before''%s\n" % each.replace(" ", ""))
        written(place, "before" + each.replace(" ", "") + "\r\n")
    NODE.kill()
    NODE.start()
    for each, place in places.items():
        calls = Calls(eventually(lambda: container(tasks[each]), 60, "the task on the restarted node"))
        eventually(lambda: calls.say("ATTACH_CONTAINER_OUTPUT").status == 200, 60, "a reader after the restart")
        calls.type("echo after''%s\n" % each.replace(" ", ""))
        written(place, "after" + each.replace(" ", "") + "\r\n")
    removed("plain", "imaged", "docker")
    NODE.call("DELETE", "/v2/pods/pod?force=true")
    eventually(lambda: NODE.call("GET", "/v2/pods/pod::status")[0] == 404, 60, "the end of the pod")
    NODE.run("image", "logout", registry.name)


@test
def checks():
    """A check of an app is shown where it changes, and says nothing of its health"""

    def results(task):
        every = NODE.call("POST", "/api/v1", {"type": "GET_TASKS"}, base="")[1]["get_tasks"]["tasks"]
        found = next((each for each in every if each["task_id"]["value"] == task), {"statuses": []})
        return [each.get("check_status") for each in found["statuses"] if each["state"] == "TASK_RUNNING"]

    quick = {"intervalSeconds": 1, "timeoutSeconds": 10, "delaySeconds": 0}
    serve = "mkdir -p www; echo a > www/up; exec busybox httpd -f -p $PORT0 -h www"
    put("asked", cmd=serve, portDefinitions=[{"port": 0}], check=dict(quick, http={"portIndex": 0, "path": "/up"}))
    put("opened", cmd=serve, portDefinitions=[{"port": 0}], check=dict(quick, tcp={"portIndex": 0}))
    put("ran", cmd="sleep 1000", check=dict(quick, exec={"command": {"shell": "exit $(cat code || echo 7)"}}))
    wanted = {"asked": {"http": {"status_code": 200}}, "opened": {"tcp": {"succeeded": True}},
              "ran": {"command": {"exit_code": 7}}}
    tasks = {each: running(each)["tasks"][0]["id"] for each in wanted}
    for each, found in wanted.items():
        last = eventually(
            lambda: next((one for one in results(tasks[each])[-1:] if one and dict(one, **found) == one), None), 60,
            "what %s finds; seen %s" % (each, results(tasks[each])))
        equal(last["type"], {"asked": "HTTP", "opened": "TCP", "ran": "COMMAND"}[each], "the type")
    with open(os.path.join(sandbox(tasks["ran"]), "code"), "w") as file:
        file.write("3")
    eventually(lambda: results(tasks["ran"])[-1].get("command") == {"exit_code": 3}, 60, "another code")
    count = len(results(tasks["ran"]))
    found = app("ran")
    equal((found["tasksRunning"], found["tasksHealthy"], found["tasksUnhealthy"]), (1, 0, 0), "how the task is")
    equal(found["tasks"][0]["id"], tasks["ran"], "the task")
    check(count <= 4, "updates although nothing changed:", results(tasks["ran"]))
    with open(os.path.join(sandbox(tasks["asked"]), "www", "up"), "r"):
        os.unlink(os.path.join(sandbox(tasks["asked"]), "www", "up"))
    eventually(lambda: results(tasks["asked"])[-1].get("http") == {"status_code": 404}, 60, "another status")
    removed(*wanted)


@test
def drained():
    """How long an instance is drained is said by a label; with 0 it ends at once"""
    quick = {"intervalSeconds": 1, "timeoutSeconds": 10, "delaySeconds": 0, "gracePeriodSeconds": 60}

    def scaled(name, **more):
        put(name, cmd="trap 'echo $(date +%s) > $MESOS_SANDBOX/told; exit' TERM; while :; do sleep 0.1; done", instances=1,
            healthChecks=[dict(quick, protocol="COMMAND", command={"value": "true"})], **more)
        eventually(lambda: app(name)["tasksHealthy"] == 1, 60, "a healthy instance")
        place = sandbox(running(name)["tasks"][0]["id"])
        began = time.time()
        status, body = NODE.call("PUT", "/v2/apps/" + name, {"instances": 0})
        equal(status, 200, "status of scaling: %s" % body)
        told = eventually(lambda: os.path.exists(place + "/told") and open(place + "/told").read().strip(), 60, "TERM")
        return int(told) - began

    waited = scaled("slow", labels={"RONDO_DRAIN_SECONDS": "12"})
    check(waited >= 10, "drained for %.1f s" % waited)
    code, _, errors = NODE.run("service", "update", "slow", "--drain", "0")
    equal((code, app("slow")["labels"]), (0, {"RONDO_DRAIN_SECONDS": "0"}), "the label: " + errors)
    waited = scaled("quick", labels={"RONDO_DRAIN_SECONDS": "0"})
    check(waited < 10, "drained for %.1f s" % waited)
    removed("slow", "quick")


@test
def held_ports():
    """A replacement that needs its predecessor's port says what it waits for, and how it goes on"""
    port = 17000 + os.getpid() % 1000
    code, _, errors = NODE.run(
        "service", "run", "--name", "fixed", "--cmd", "exec busybox httpd -f -p $PORT0", "--publish", str(port))
    equal(code, 0, "exit of service run: " + errors)
    equal(app("fixed")["upgradeStrategy"], {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}, "the strategy")
    before = running("fixed")["tasks"][0]["id"]
    equal(NODE.run("service", "restart", "fixed")[0], 0, "exit of service restart")
    after = running("fixed")["tasks"][0]
    check(after["id"] != before and after["ports"] == [port], "not replaced:", after)
    put("stuck", cmd="sleep 1000", requirePorts=True, portDefinitions=[{"port": port + 1}])
    running("stuck")
    put("stuck", cmd="sleep 1001")

    def why():
        every = NODE.call("GET", "/v2/deployments?embed=waitsFor")[1]
        return [each.get("waitsFor") or "" for one in every for each in one["currentActions"]]

    eventually(lambda: any("Port %d of a node is held by an old instance" % (port + 1) in each for each in why()), 60,
               "the reason")
    code, _, errors = NODE.run("service", "update", "stuck", "--stop-first", "--force")
    equal(code, 0, "exit of the remedy: " + errors)
    equal(running("stuck")["tasks"][0]["ports"], [port + 1], "the port")
    removed("fixed", "stuck")


@test
def limits():
    """A task with limits of its own may use more than its resources"""
    put("limits", cmd="sleep 1000", mem=32, resourceLimits={"mem": 64, "cpus": 0.5})
    put("unlimited", cmd="sleep 1000", mem=32, resourceLimits={"mem": "unlimited"})
    found = {}
    for name in ("limits", "unlimited"):
        container = os.path.basename(sandbox(running(name)["tasks"][0]["id"]))
        for file in glob.glob("/sys/fs/cgroup/**/%s/*" % container, recursive=True):
            short = os.path.basename(file)
            if short in ("memory.limit_in_bytes", "memory.max"):
                found[name] = open(file).read().strip()
            if short in ("cpu.cfs_quota_us", "cpu.max"):
                found[name + " cpu"] = open(file).read().split()[0]
    equal(found.get("limits"), str(64 << 20), "the limit of memory (%s)" % found)
    check(found.get("unlimited") == "max" or int(found.get("unlimited") or 0) > 1 << 40, "no limit of memory", found)
    check(found["unlimited cpu"] in ("max", "-1"), "a limit of processor time", found)
    equal(found["limits cpu"], "50000", "the limit of processor time")
    removed("limits", "unlimited")


@test
def restarted():
    """A master that was killed shows at once how tasks are that nothing happens to"""
    put("calm", cmd="sleep 1000")
    task = running("calm")["tasks"][0]["id"]

    def statuses():
        every = [each for framework in NODE.get("/state")["frameworks"] for each in framework["tasks"]]
        return next((each["statuses"] for each in every if each["id"] == task), None)

    before = statuses()[-1]
    NODE.kill()
    NODE.start()
    after = eventually(statuses, 60, "the task on the restarted master")
    equal(after[-1]["state"], "TASK_RUNNING", "the state")
    equal(
        after[0]["container_status"]["container_id"], before["container_status"]["container_id"], "the container")
    removed("calm")


def main():
    if os.geteuid() != 0:
        print("skip  apps: a node with containers needs root\n0 passed, 0 failed, 1 skipped")
        return
    missing = [name for name in ("docker-registry", "busybox") if not shutil.which(name)]
    if missing:
        print("skip  apps: without %s (Debian: docker-registry busybox-static)\n0 passed, 0 failed, 1 skipped"
              % " and ".join(missing))
        return
    at_end(NODE.end)
    NODE.start()
    World.registry = Registry()
    finish(*run_tests(TESTS, sys.argv[2:]))


if __name__ == "__main__":
    # A timeout's TERM must not leave the node running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
