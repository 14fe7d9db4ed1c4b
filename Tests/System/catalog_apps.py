"""The packages of Catalog/: each is installed by `rondo package install` from an image of Images/, gets healthy, is used
through its own client, upgraded to another version of its package with other options, killed, used again each time, and
uninstalled, after which nothing of it is left but its volume.

    python3 Tests/System/catalog_apps.py path/to/rondo [WORD ...]

Needs root, curl, skopeo, and what Images/build needs.
"""

import base64
import collections
import glob
import http.client
import json
import math
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "Clients"))
sys.path.insert(0, HERE)

from harness import Failed, TESTS, at_end, check, clean, equal, eventually, finish, run_tests, test  # noqa: E402
from hold_cluster import environment, inner, kill, mounts_below, pids  # noqa: E402
from jupyter_kernel import Kernel  # noqa: E402
from local_node import LocalNode  # noqa: E402

ROOT = os.path.join(HERE, os.pardir, os.pardir)
CATALOG = os.path.join(ROOT, "Catalog", "packages")
PASSWORD = 'only for "this" test'
# Where it stands in lines of others' making.
PLAIN = "only-for-this-test"
# What is long enough to count the words of.
TEXT = "/usr/share/common-licenses/GPL-3"
# Where a program is slow to start: Java and Erlang beside other tests.
PATIENCE = 180
# How much more memory the next version of each package takes, in MB.
MORE = 16
LIVE = ("TASK_STAGING", "TASK_STARTING", "TASK_RUNNING", "TASK_KILLING")


# ---- packages


class Package:
    """A package in its folder."""

    def __init__(self, name):
        self.folder = os.path.join(CATALOG, name[0].upper(), name)
        self.revision = max(os.listdir(self.folder), key=int)
        self.name = name
        self.package, self.config, self.resource = [
            json.loads(self.read(each + ".json")) for each in ("package", "config", "resource")]
        self.template = self.read("marathon.json.mustache")
        self.version = self.package["version"]

    def read(self, file):
        with open(os.path.join(self.folder, self.revision, file), encoding="utf-8") as text:
            return text.read()

    def images(self):
        return sorted(self.resource["assets"]["container"]["docker"].values())

    @property
    def memory(self):
        return self.config["properties"]["service"]["properties"]["mem"]["default"]

    @property
    def next_version(self):
        return self.version + "-next"

    def publish_next(self, tree):
        """Puts the version that comes after this one into a folder: it takes more memory, and says so in its app."""
        place = os.path.join(tree, "packages", self.name[0].upper(), self.name, str(int(self.revision) + 1))
        shutil.copytree(os.path.join(self.folder, self.revision), place)
        config = json.loads(json.dumps(self.config))
        config["properties"]["service"]["properties"]["mem"]["default"] += MORE
        template = self.template.replace('"labels": {', '"labels": {"REVISION": "next", ', 1)
        check(template != self.template, "the template of", self.name, "has no labels")
        for file, text in (
                ("package.json", json.dumps(dict(self.package, version=self.next_version))),
                ("config.json", json.dumps(config)), ("marathon.json.mustache", template)):
            with open(os.path.join(place, file), "w", encoding="utf-8") as out:
                out.write(text)


def settings(options):
    """Options as words of the command line."""
    words = []
    for group, values in options.items():
        for option, value in values.items():
            words += ["--set", "%s.%s=%s" % (group, option, json.dumps(value))]
    return words


class Bench:
    """The node of this run."""

    def __init__(self, program):
        self.program = program
        self.path = tempfile.mkdtemp(prefix="rondo-catalog-", dir=os.environ.get("TMPDIR", "/tmp"))
        at_end(lambda: shutil.rmtree(self.path, ignore_errors=True))
        config = os.path.join(self.path, "config.yaml")
        with open(config, "w") as out:
            # Nobody uses a service while it is upgraded here.
            out.write("frameworks:\n  drain: 0s\n")
        self.node = LocalNode(program, os.path.join(self.path, "node"), "--config", config)
        self.there = set()

    def start(self):
        at_end(self.node.end)
        self.node.start()
        self.framework = self.node.call("GET", "/v2/info")[1]["frameworkId"]
        # Where the next versions come from.
        tree = os.path.join(self.path, "tree")
        for name in names():
            Package(name).publish_next(tree)
        self.rondo("catalog", "add", "next", "file://" + tree)

    def rondo(self, *words, stdin=None, seconds=300, whole=False):
        """The program's output, or also its code and errors."""
        given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
        done = subprocess.run(
            [self.program, *words, "--data", self.node.data] if "--" not in words else
            [self.program, *words[:2], "--data", self.node.data, *words[2:]],
            capture_output=True, text=True, timeout=seconds, **given)
        if whole:
            return done.returncode, done.stdout, done.stderr
        said = "%s %s" % (done.stdout[-600:], done.stderr[-800:])
        equal(done.returncode, 0, "the code of rondo %s: %s" % (" ".join(words[:6]), said))
        return done.stdout

    def take(self, reference):
        """Makes an image, and takes it in under the name that a package has for it."""
        if reference in self.there:
            return
        name = reference.split("/")[1].split(":")[0]
        archive = subprocess.run(
            [os.path.join(ROOT, "Images", "build"), self.program, name], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, check=True, text=True, timeout=600).stdout.strip()
        self.rondo("image", "import", archive)
        known = json.loads(self.rondo("image", "inspect", reference, "--output", "json"))
        equal(known["labels"]["org.opencontainers.image.version"], reference.split(":")[1], "the version of " + name)
        self.there.add(reference)

    def secret(self, path, value):
        self.rondo("secret", "put", path, stdin=value)


class Installed:
    """A package that was installed, as a service."""

    def __init__(self, name, options):
        self.package = Package(name)
        self.id = None
        # Packages that were installed for this one, and go with it.
        self.beside = []
        for reference in self.package.images():
            bench.take(reference)
        at_end(self.remove)
        self.id = bench.rondo(
            "package", "install", name, "--package-version", self.package.version, "--detach", *settings(options)).strip()
        self.await_healthy()
        # The definition as the package made it, and what is on the node because of it.
        self.app = self.definition()
        equal(self.app["labels"]["DCOS_PACKAGE_VERSION"], self.package.version, "the version that is installed")
        kept = json.loads(base64.b64decode(self.app["labels"]["DCOS_PACKAGE_OPTIONS"]))
        equal(kept, options, "the options that it keeps")

    def definition(self):
        return bench.node.call("GET", "/v2/apps" + self.id)[1]["app"]

    def upgrade(self):
        """To the next version of the package and another option: all instances are replaced."""
        old = [each["id"] for each in self.tasks()]
        cpus = self.app["cpus"] + 0.01
        bench.rondo(
            "package", "update", self.id, "--package-version", self.package.next_version,
            *settings({"service": {"cpus": cpus}}))
        self.await_healthy(without=old)
        before, self.app = self.app, self.definition()
        for name, wanted in (("cpus", cpus), ("mem", before["mem"] + MORE), ("env", before["env"])):
            equal(self.app[name], wanted, name + " after the upgrade")
        labels = self.app["labels"]
        equal((labels["DCOS_PACKAGE_VERSION"], labels["REVISION"]), (self.package.next_version, "next"), "its labels")

    def tasks(self):
        return bench.node.call("GET", "/v2/apps%s/tasks" % self.id)[1]["tasks"]

    def await_healthy(self, without=()):
        """Until all instances are well, and none of these is there; gives them."""
        def look():
            found = [each for each in self.tasks() if each["id"] not in without]
            well = [each for each in found if [one for one in each.get("healthCheckResults", []) if one["alive"]]]
            return well if len(well) == len(found) == self.definition()["instances"] else None

        try:
            return eventually(look, PATIENCE, "healthy instances of " + self.id, pause=0.2)
        except Failed as reason:
            raise Failed("%s\n%s\nits log:\n%s" % (reason, json.dumps(self.tasks())[:800], self.log()[-2500:]))

    def log(self):
        return "".join(bench.rondo("service", "log", self.id, whole=True)[1:])

    def execute(self, *words, stdin=None, index=0):
        """A command in the container of an instance; code, output and errors."""
        return bench.rondo(
            "task", "exec", *(["-i"] if stdin is not None else []), self.tasks()[index]["id"], "--",
            *words, stdin=stdin, whole=True)

    def ok(self, *words, stdin=None, index=0):
        code, out, err = self.execute(*words, stdin=stdin, index=index)
        equal(code, 0, "the code of %s: %s %s" % (" ".join(words[:4]), out[-400:], err[-800:]))
        return out

    def port(self, index=0):
        return self.tasks()[0]["ports"][index]

    def http(self, path, method="GET", body=None, index=0, headers=None):
        """An answer at a port that the service publishes on this machine: status and text."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port(index), timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read().decode("utf-8", "replace")
        except http.client.HTTPException as error:
            raise Failed("HTTP: %r" % error)
        finally:
            connection.close()

    def page(self, path, **options):
        status, text = self.http(path, **options)
        check(status in (200, 201, 204), "the answer to", path, "is", status, text[:300])
        return text

    def kill(self):
        """Kills the first process of an instance, and waits for the one in its place."""
        victim = self.tasks()[0]["id"]
        found = [pid for pid in pids() if inner(pid) == 1 and environment(pid).get("MESOS_TASK_ID") == victim]
        check(len(found) == 1, "first processes of", victim, ":", found)
        kill(found[0])
        self.await_healthy(without=[victim])

    def remains(self):
        """What the node and the cluster have of it beside its volume."""
        name = self.id.strip("/")
        mine = {"MARATHON_APP_ID": self.id, "MESOS_FRAMEWORK_ID": bench.framework}
        lines = ["process %d" % pid for pid in pids() if mine.items() <= environment(pid).items()]
        if bench.node.call("GET", "/v2/apps/" + name)[0] != 404:
            lines.append("the service")
        # Container's directories are named by their ids; a task's work directory says which those are.
        mine = {os.path.basename(each) for each in glob.glob("%s/agent/work/*/%s.*/*" % (bench.node.data, name))}
        for place in ("run", "network/attachments", "netns"):
            path = os.path.join(bench.node.data, "agent", place)
            have = {each.rsplit(".json", 1)[0] for each in (os.listdir(path) if os.path.isdir(path) else [])}
            lines += ["%s/%s" % (place, each) for each in sorted(have & mine)]
        lines += ["mount " + each for each in mounts_below(bench.node.data) if any(id in each for id in mine)]
        for each in bench.node.get("/tasks")["tasks"]:
            if each["name"].startswith(name) and each["state"] in LIVE:
                lines.append("task %s is %s" % (each["id"], each["state"]))
        return lines

    def names(self):
        """The addresses that its names lead to."""
        host = self.id.strip("/")
        found = []
        for name in (host + ".rondo", host + ".marathon.mesos"):
            answer = bench.node.get("/mesos_dns/v1/hosts/" + name)
            found += [each["ip"] for each in answer if each["ip"]]
        return found

    def remove(self):
        """Uninstalls it and what was installed for it; nothing may be left."""
        while self.beside:
            self.beside.pop().remove()
        if self.id is None:
            return
        name = self.id
        try:
            eventually(self.names, 20, "a name of " + name, pause=0.2)
            equal(bench.rondo("package", "uninstall", self.package.name, "--app-id", name).strip(), name, "what ends")

            def nothing():
                left = self.remains()
                check(not left, "of", name, "is left:", "; ".join(left[:6]))
                check(not self.names(), name, "still has addresses")
                return True

            eventually(nothing, 30, "the end of " + name, pause=0.2)
            check(name + " " not in bench.rondo("package", "list"), name, "is listed as installed")
        finally:
            self.id = None


def package(name, options=None, secret=None, volume=False):
    """Registers the life of a package. The function uses it, and is called again when it was upgraded and when it came
    back; what it kept must be there then."""
    def register(use):
        def life():
            wanted = json.loads(json.dumps(options or {}))
            if secret:
                bench.secret("catalog/" + name, PLAIN if name in ("jupyter", "spark") else PASSWORD)
                group, option = secret.split(".")
                wanted.setdefault(group, {})[option] = "catalog/" + name
            if volume:
                wanted["storage"] = {"volume": "catalog-" + name}
            installed = Installed(name, wanted)
            use(installed, False)
            installed.upgrade()
            use(installed, True)
            installed.kill()
            use(installed, True)
            installed.remove()
            if volume:
                # As its notes promise: data stays on its node.
                kept = glob.glob(os.path.join(bench.node.data, "agent", "**", "catalog-" + name), recursive=True)
                check(kept and any(files for _, _, files in os.walk(kept[0])), "the volume is gone or empty:", kept)

        life.__doc__ = "%s: %s" % (name, use.__doc__)
        life.__name__ = name
        return test(life)

    return register


# ---- all of them


def names():
    return sorted(name for letter in os.listdir(CATALOG) for name in os.listdir(os.path.join(CATALOG, letter)))


@test
def templates():
    """every package is rendered with its defaults, with every option that is a text set, and takes no other options"""
    # Workers of Spark are part of its test.
    equal({each.__name__ for each in TESTS} - {"templates"}, set(names()) - {"spark-worker"}, "packages with a test")
    for name in names():
        each = Package(name)
        app = json.loads(bench.rondo("package", "install", name, "--dry-run", "--package-version", each.version))
        equal((app["id"].strip("/"), app["instances"], app["mem"]), (name, 1, each.memory), "the app of " + name)
        equal(app["labels"]["RONDO_CATALOG"], "built-in", "a label of " + name)
        options = {}
        for group, schema in each.config["properties"].items():
            for option, kind in schema["properties"].items():
                if kind["type"] == "string" and "enum" not in kind:
                    fitting = [each for each in ("a/b", "a", "a:1") if re.search(kind.get("pattern", ""), each)]
                    options.setdefault(group, {})[option] = kind["default"] or fitting[0]
        words = ["package", "install", name, "--dry-run", *settings(options)]
        equal(json.loads(bench.rondo(*words))["id"].strip("/"), name, "the app of " + name)
        code, _, said = bench.rondo(*words, "--set", "service.nothing=1", whole=True)
        check(code != 0 and "service" in said, name, "takes an option that is not there:", said)
        # An option that a template does not use, or a misspelt one, would never be noticed.
        for path in re.findall(r"{{[#^]?([\w.-]+)}}", each.template):
            schema = each.config
            for part in path.split(".") if not path.startswith("resource.") else []:
                schema = schema["properties"].get(part)
                check(schema, name, "has no option", path)


# ---- each of them


@package("redis", secret="redis.password_secret", volume=True, options={"redis": {"append_only": True}})
def redis(here, again):
    """redis-cli sets a key with the password of a secret, and finds it after a restart"""
    def cli(*words):
        return here.ok("env", "REDISCLI_AUTH=" + PASSWORD, "redis-cli", *words)

    check("NOAUTH" in here.ok("redis-cli", "get", "a"), "it answers without a password")
    if not again:
        equal(cli("set", "a", "b"), "OK\n", "set")
    equal(cli("get", "a"), "b\n", "the value")


@package("memcached")
def memcached(here, again):
    """a client of its protocol sets and gets"""
    with socket.create_connection(("127.0.0.1", here.port()), 10) as connection:
        stream = connection.makefile("rwb")
        stream.write(b"set a 0 0 1\r\nb\r\nget a\r\nquit\r\n")
        stream.flush()
        answer = stream.read()
    equal(answer, b"STORED\r\nVALUE a 0 1\r\nb\r\nEND\r\n", "the answers")


@package("etcd", volume=True)
def etcd(here, again):
    """etcdctl puts a key, and gets it after a restart"""
    if not again:
        equal(here.ok("etcdctl", "put", "a", "b"), "OK\n", "put")
    equal(here.ok("etcdctl", "get", "--print-value-only", "a"), "b\n", "the value")


@package("mosquitto", secret="mosquitto.password_secret", volume=True)
def mosquitto(here, again):
    """mosquitto_pub says something with the password of a secret, mosquitto_sub hears it, and strangers do not"""
    place = ["-h", "127.0.0.1", "-t", "news", "-u", "mosquitto"]
    here.ok("mosquitto_pub", *place, "-P", PASSWORD, "-r", "-m", "hello")
    equal(here.ok("mosquitto_sub", *place, "-P", PASSWORD, "-C", "1", "-W", "20"), "hello\n", "what is heard")
    check(here.execute("mosquitto_pub", *place, "-P", "wrong", "-m", "hello")[0] != 0, "a wrong password is taken")


@package("nginx")
def nginx(here, again):
    """it serves a page"""
    check("nginx on Rondo" in here.page("/"), "the page")


@package("haproxy", options={"haproxy": {"servers": "_http._tcp.nginx.rondo"}})
def haproxy(here, again):
    """it finds the instances of another service by name, and goes on when they are others"""
    if not again:
        here.beside.append(Installed("nginx", {}))
        eventually(lambda: "nginx on Rondo" in here.http("/")[1], 60, "a page through it", pause=0.5)
        here.beside[0].kill()
    eventually(lambda: "nginx on Rondo" in here.http("/")[1], 60, "a page", pause=0.5)
    check("haproxy_server_status" in here.page("/metrics", index=1), "there are no figures")


@package("registry", secret="registry.password_secret", volume=True)
def registry(here, again):
    """skopeo pushes an image with the password of a secret, and finds it after a restart"""
    place = "docker://127.0.0.1:%d/own/busybox:1" % here.port()
    archive = subprocess.run(
        [os.path.join(ROOT, "Images", "build"), bench.program, "busybox"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        check=True, text=True, timeout=300).stdout.strip()

    def skopeo(*words):
        return subprocess.run(
            ["skopeo", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)

    if not again:
        def push(password):
            return skopeo(
                "copy", "-q", "--dest-tls-verify=false", "--dest-creds", "registry:" + password,
                "oci-archive:" + archive, place)

        check(push("wrong").returncode != 0, "a wrong password is taken")
        done = push(PASSWORD)
        equal(done.returncode, 0, "a push: " + done.stderr)
    done = skopeo("inspect", "--tls-verify=false", "--creds", "registry:" + PASSWORD, place)
    check(done.returncode == 0 and "sha256:" in done.stdout, "the image:", done.stderr)


def value(here, query, path="/api/v1/query"):
    found = json.loads(here.page(path + "?query=" + urllib.parse.quote(query)))["data"]["result"]
    return float(found[0]["value"][1]) if found else None


@package("prometheus", volume=True, options={"prometheus": {"targets": "own=_http._tcp.prometheus.rondo", "interval": "1s"}})
def prometheus(here, again):
    """it finds a service by name, and answers for what it has collected"""
    eventually(lambda: value(here, "sum(up)") == 2, 60, "two targets that are up", pause=0.5)
    check("<title>" in here.page("/classic/graph"), "a page")


@package("node-exporter")
def node_exporter(here, again):
    """it tells this machine's name, memory and interfaces"""
    said = here.page("/metrics")
    check('nodename="%s"' % os.uname().nodename in said, "the name:", [line for line in said.split("\n") if "uname" in line])
    for each in ("node_memory_MemTotal_bytes", "node_filesystem_size_bytes", 'node_network_up{device="'):
        check(each in said, "there is no", each)


@package("rabbitmq", secret="rabbitmq.password_secret", volume=True)
def rabbitmq(here, again):
    """a durable message outlives the broker; rabbitmqctl and the pages know the queue"""
    headers = {"Authorization": "Basic " + base64.b64encode(("admin:" + PASSWORD).encode()).decode(),
               "Content-Type": "application/json"}

    def call(method, path, **body):
        return json.loads(here.page(
            "/api/" + path, method=method, body=json.dumps(body) if body else None, index=1, headers=headers) or "null")

    equal(here.http("/api/overview", index=1)[0], 401, "the status without a password")
    if not again:
        call("PUT", "queues/%2F/work", durable=True)
        sent = call(
            "POST", "exchanges/%2F/amq.default/publish", properties={"delivery_mode": 2}, routing_key="work", payload="hello",
            payload_encoding="string")
        equal(sent, {"routed": True}, "a message that is sent")
    found = eventually(
        lambda: call("POST", "queues/%2F/work/get", count=1, ackmode="ack_requeue_true", encoding="auto"), 30, "a message")
    equal(found[0]["payload"], "hello", "the message")
    check("work" in here.ok("rabbitmqctl", "--quiet", "list_queues", "name"), "rabbitmqctl does not know the queue")


@package("zookeeper", volume=True)
def zookeeper(here, again):
    """zkCli makes a node, and gets it after a restart"""
    if not again:
        here.ok("zkCli", "create", "/a", "b")
    check("b\n" in here.ok("zkCli", "get", "/a"), "the value")


@package("victoria-metrics", volume=True, options={"victoria_metrics": {"latency": "1s"}})
def victoria_metrics(here, again):
    """it takes a line of InfluxDB's and answers a question of Prometheus' with it"""
    here.page("/write", method="POST", body="room,floor=2 heat=21.5")
    eventually(lambda: value(here, "room_heat") == 21.5, 60, "the figure", pause=0.5)


@package("postgresql", secret="postgresql.password_secret", volume=True)
def postgresql(here, again):
    """psql makes a table, and finds its row after a restart"""
    def psql(statement):
        return here.ok(
            "env", "PGPASSWORD=" + PASSWORD, "psql", "-h", "127.0.0.1", "-U", "postgres", "-Atc", statement)

    if not again:
        psql("create table kept (word text); insert into kept values ('still there')")
    equal(psql("select word from kept"), "still there\n", "the row")


@package("jupyter", secret="jupyter.token_secret", volume=True)
def jupyter(here, again):
    """who has the token of a secret keeps a notebook, and runs it after a restart"""
    headers = {"Authorization": "token " + PLAIN, "Content-Type": "application/json"}
    equal(here.http("/api/contents")[0], 403, "the status without the token")
    if not again:
        cell = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "source": "print(6 * 7)"}
        cell["execution_count"] = None
        notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
        body = json.dumps({"type": "notebook", "content": notebook})
        here.page("/api/contents/a.ipynb", method="PUT", body=body, headers=headers)
    said = here.ok("python3", "-m", "nbconvert", "--to", "markdown", "--execute", "--stdout", "/data/a.ipynb")
    check("    42" in said, "what the notebook says:", said)

    def call(method, path, body):
        text = here.page(path, method=method, body=None if body is None else json.dumps(body), headers=headers)
        return json.loads(text or "null")

    kernel = Kernel(call, here.port(), PLAIN)
    equal(kernel.run("n = sum(range(10)); print('n is', n)"), ("n is 45\n", None), "what a kernel prints")
    equal(kernel.run("n * 2"), ("", "90"), "a value that a kernel kept from one cell to the next")
    kernel.end()


@package("spark", secret="spark.secret", options={"networking": {"port": 27077, "web_port": 27078}})
def spark(here, again):
    """two workers find the master by name; spark-submit computes pi and counts the words of a licence on them"""
    def alive():
        return json.loads(here.page("/json/", index=1))["aliveworkers"]

    def submit(program, *words):
        return here.ok(
            "spark-submit", "--conf", "spark.executor.memory=512m", "/opt/spark/examples/" + program, *words)

    if not again:
        here.beside.append(Installed("spark-worker", {
            "service": {"instances": 2, "cpus": 0.3},
            "spark": {"master": "spark.marathon.mesos:27077", "secret": "catalog/spark"}}))
    workers = here.beside[0]
    eventually(lambda: alive() == 2, 120, "two workers", pause=0.5)
    found = re.search(r"Pi is roughly ([\d.]+)", submit("pi.py", "4"))
    check(found and abs(float(found[1]) - math.pi) < 0.05, "what it takes for pi:", found and found[1])
    if not again:
        workers.upgrade()
        workers.kill()
        return
    # A file that each machine has: that of the driver, and those of the workers.
    with open(TEXT, encoding="utf-8") as file:
        text = file.read()
    for each, count in ((here, 1), (workers, 2)):
        for index in range(count):
            each.ok("sh", "-c", "cat > /tmp/text", stdin=text, index=index)
    # Its log comes by the same way, with the time in front.
    said = submit("wordcount.py", "file:///tmp/text").split("\n")
    lines = [each for each in said if not re.match(r"\d{4}-\d\d-\d\d ", each)]
    counted = {word: int(count) for word, _, count in (line.rpartition(": ") for line in lines) if count.isdigit()}
    # As the program counts: by blanks alone, line by line.
    wanted = collections.Counter(word for line in text.splitlines() for word in line.split(" "))
    check(wanted["the"] > 100, "a text of", len(text), "characters")
    different = [word for word in wanted if counted.get(word) != wanted[word]]
    equal((len(counted), different[:5]), (len(wanted), []), "words, and those that it counts otherwise")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(os.path.abspath(sys.argv[1]))
    try:
        bench.start()
        result = run_tests(TESTS, sys.argv[2:], limit=900)
    except BaseException:
        clean()
        raise
    finish(*result)
