"""The packages of Catalog/: each is installed from an image of Images/, gets healthy, is used through its own client, comes
back after its process was killed, and is removed.

    python3 Tests/System/catalog_apps.py path/to/rondo [WORD ...]

Needs root, curl, skopeo, and what Images/build needs.
"""

import base64
import http.client
import json
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
from hold_cluster import environment, inner, kill, pids  # noqa: E402
from local_node import LocalNode  # noqa: E402

ROOT = os.path.join(HERE, os.pardir, os.pardir)
CATALOG = os.path.join(ROOT, "Catalog", "packages")
PASSWORD = 'only for "this" test'
# Where it stands in lines of others' making.
PLAIN = "only-for-this-test"
# Where a program is slow to start: Java and Erlang beside other tests.
PATIENCE = 180


# ---- templates


def defaults(schema):
    """What a schema says where nobody else does."""
    if "default" in schema:
        return schema["default"]
    found = {name: defaults(each) for name, each in schema.get("properties", {}).items()}
    return {name: value for name, value in found.items() if value is not None} or None


def merged(below, above):
    if not isinstance(below, dict) or not isinstance(above, dict):
        return above
    both = {**below, **above}
    return {name: merged(below.get(name, {}), above[name]) if name in above else below[name] for name in both}


def look_up(name, scope):
    for part in name.split("."):
        scope = scope.get(part) if isinstance(scope, dict) else None
    return scope


SECTION = re.compile(r"{{([#^])([\w.-]+)}}(.*?){{/\2}}", re.S)


def rendered(template, scope):
    """A template with values: variables in the escapes of JSON, sections that are there when a value is, or is not."""
    def section(found):
        is_there = look_up(found[2], scope) not in (None, False, "", [])
        return rendered(found[3], scope) if is_there == (found[1] == "#") else ""

    def variable(found):
        value = look_up(found[1], scope)
        if value is None:
            raise Failed("the template uses %s, which is nothing" % found[1])
        return json.dumps(value)[1:-1] if isinstance(value, str) else json.dumps(value)

    return re.sub(r"{{([\w.-]+)}}", variable, SECTION.sub(section, template))


# ---- packages


class Package:
    """A package in its folder."""

    def __init__(self, name):
        folder = os.path.join(CATALOG, name[0].upper(), name)
        folder = os.path.join(folder, max(os.listdir(folder), key=int))

        def read(file):
            with open(os.path.join(folder, file), encoding="utf-8") as text:
                return text.read()

        self.name = name
        self.package, self.config, self.resource = [
            json.loads(read(each + ".json")) for each in ("package", "config", "resource")]
        self.template = read("marathon.json.mustache")

    def images(self):
        return sorted(self.resource["assets"]["container"]["docker"].values())

    def app(self, options):
        scope = dict(merged(defaults(self.config), options), resource=self.resource)
        return json.loads(rendered(self.template, scope))


class Bench:
    """The node of this run."""

    def __init__(self, program):
        self.program = program
        self.path = tempfile.mkdtemp(prefix="rondo-catalog-", dir=os.environ.get("TMPDIR", "/tmp"))
        at_end(lambda: shutil.rmtree(self.path, ignore_errors=True))
        self.node = LocalNode(program, os.path.join(self.path, "node"))
        self.there = set()

    def start(self):
        at_end(self.node.end)
        self.node.start()
        self.framework = self.node.call("GET", "/v2/info")[1]["frameworkId"]

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
        for reference in self.package.images():
            bench.take(reference)
        self.app = self.package.app(options)
        self.id = self.app["id"]
        bench.rondo("service", "deploy", "-", "--detach", stdin=json.dumps(self.app))
        at_end(lambda: self.remove("--force"))
        self.await_healthy()

    def tasks(self):
        return bench.node.call("GET", "/v2/apps/%s/tasks" % self.id)[1]["tasks"]

    def await_healthy(self, without=()):
        """Until all instances are well, and none of these is there; gives them."""
        def look():
            found = [each for each in self.tasks() if each["id"] not in without]
            well = [each for each in found if [one for one in each.get("healthCheckResults", []) if one["alive"]]]
            return well if len(well) == len(found) == self.app["instances"] else None

        try:
            return eventually(look, PATIENCE, "healthy instances of " + self.id, pause=0.2)
        except Failed as reason:
            raise Failed("%s\n%s\nits log:\n%s" % (reason, json.dumps(self.tasks())[:800], self.log()[-2500:]))

    def log(self):
        return "".join(bench.rondo("service", "log", self.id, whole=True)[1:])

    def execute(self, *words, stdin=None):
        """A command in the container of the first instance; code, output and errors."""
        return bench.rondo(
            "task", "exec", *(["-i"] if stdin is not None else []), self.tasks()[0]["id"], "--",
            *words, stdin=stdin, whole=True)

    def ok(self, *words, stdin=None):
        code, out, err = self.execute(*words, stdin=stdin)
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

    def remove(self, *words):
        if self.id is None:
            return
        name, self.id = self.id, None
        bench.rondo("service", "rm", name, *words)
        eventually(lambda: bench.node.call("GET", "/v2/apps/" + name)[0] == 404, 60, "the end of " + name)
        mine = {"MARATHON_APP_ID": "/" + name.strip("/"), "MESOS_FRAMEWORK_ID": bench.framework}
        eventually(
            lambda: not [pid for pid in pids() if mine.items() <= environment(pid).items()], 60,
            "the end of the processes of " + name, pause=0.2)


def package(name, options=None, secret=None, volume=False):
    """Registers the life of a package. The function uses it once, and is called again when it came back: with what it
    returned the first time."""
    def register(use):
        def life():
            wanted = json.loads(json.dumps(options or {}))
            if secret:
                bench.secret("catalog/" + name, PLAIN if name in ("jupyter", "spark") else PASSWORD)
                group, option = secret.split(".")
                wanted = merged(wanted, {group: {option: "catalog/" + name}})
            if volume:
                wanted = merged(wanted, {"storage": {"volume": "catalog-" + name}})
            installed = Installed(name, wanted)
            known = use(installed, None)
            installed.kill()
            use(installed, known or True)
            installed.remove()

        life.__doc__ = "%s: %s" % (name, use.__doc__)
        life.__name__ = name
        return test(life)

    return register


# ---- all of them


def names():
    return sorted(name for letter in os.listdir(CATALOG) for name in os.listdir(os.path.join(CATALOG, letter)))


@test
def templates():
    """every template gives an app with the defaults, and with every option that is a text set"""
    for name in names():
        each = Package(name)
        app = each.app({})
        equal((app["id"], app["instances"], app["labels"]["RONDO_CATALOG"]), (name, 1, "built-in"), "the app of " + name)
        options = {}
        for group, schema in each.config["properties"].items():
            for option, kind in schema["properties"].items():
                if kind["type"] == "string" and "enum" not in kind:
                    options.setdefault(group, {})[option] = kind["default"] or "a/b"
        check(each.app(options)["id"] == name, "the app of", name)
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
        behind = Installed("nginx", {})
        eventually(lambda: "nginx on Rondo" in here.http("/")[1], 60, "a page through it", pause=0.5)
        behind.kill()
        eventually(lambda: "nginx on Rondo" in here.http("/")[1], 60, "a page of the one in its place", pause=0.5)
        return behind
    eventually(lambda: "nginx on Rondo" in here.http("/")[1], 60, "a page", pause=0.5)
    check("haproxy_server_status" in here.page("/metrics", index=1), "there are no figures")
    again.remove()


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


@package("spark", secret="spark.secret", options={"networking": {"port": 27077, "web_port": 27078}})
def spark(here, again):
    """two workers find the master by name; spark-submit computes pi and counts the words of a text on them"""
    def alive():
        return json.loads(here.page("/json/", index=1))["aliveworkers"]

    def submit(program, *words):
        return here.ok(
            "spark-submit", "--conf", "spark.executor.memory=512m", "/opt/spark/examples/" + program, *words)

    workers = again
    if not again:
        workers = Installed("spark-worker", {
            "service": {"instances": 2, "cpus": 0.3},
            "spark": {"master": "spark.marathon.mesos:27077", "secret": "catalog/spark"}})
    eventually(lambda: alive() == 2, 120, "two workers", pause=0.5)
    said = submit("pi.py", "4")
    check("Pi is roughly 3.1" in said, "what it says:", said)
    if not again:
        workers.kill()
        eventually(lambda: alive() == 2, 120, "two workers again", pause=0.5)
        return workers
    text = "/usr/share/doc/bash/copyright"
    counted = submit("wordcount.py", "file://" + text)
    wanted = sum(line.split(" ").count("the") for line in here.ok("cat", text).split("\n"))
    check(wanted > 3 and "the: %d\n" % wanted in counted, "how often 'the' is there:", wanted, counted[-300:])
    workers.remove()


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
