"""The images of Images/: made, pushed to Debian's registry by skopeo, pulled by `rondo image pull`, and run.

    python3 Tests/System/recipes.py path/to/rondo [WORD ...]

Needs root, docker-registry, skopeo, and a network for apt the first time; what was made is kept in .build/images. Programs
of the images run in mount namespaces of this run on their unpacked files, and listen on loopback.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "Clients"))
sys.path.insert(0, HERE)

from dev_cluster import DevCluster  # noqa: E402
from harness import Failed, TESTS, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402

ROOT = os.path.join(HERE, os.pardir, os.pardir)


def run(command, timeout=60, environment=None):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL,
        env=dict(os.environ, **(environment or {})))
    return done.returncode, done.stdout, done.stderr


def ok(*command, timeout=60):
    code, out, err = run(list(command), timeout)
    check(code == 0, " ".join(command), "ended with", code, out[-400:], err[-800:])
    return out


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Bench:
    """The folder of this run, the registry, and the images as they are pulled."""

    def __init__(self, program):
        self.program = program
        self.path = tempfile.mkdtemp(prefix="rondo-recipes-", dir=os.environ.get("TMPDIR", "/tmp"))
        at_end(lambda: shutil.rmtree(self.path, ignore_errors=True))
        self.store = os.path.join(self.path, "node")
        os.mkdir(self.store)
        self.images = {}

    def start_registry(self):
        self.registry = "127.0.0.1:%d" % free_port()
        config = os.path.join(self.path, "registry.yml")
        with open(config, "w") as out:
            json.dump({
                "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                "storage": {"filesystem": {"rootdirectory": os.path.join(self.path, "registry")}},
                "http": {"addr": self.registry}}, out)
        process = subprocess.Popen(
            ["docker-registry", "serve", config], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        at_end(lambda: (process.kill(), process.wait()))
        eventually(lambda: get("http://%s/v2/" % self.registry) is not None, 10, "the registry")

    def image(self, *words):
        return ok(self.program, "image", *words, "--data", self.store, timeout=300)

    def pulled(self, name):
        """The image by way of the registry: its description."""
        if name not in self.images:
            archive = built(name)
            target = "docker://%s/%s:1" % (self.registry, name)
            ok("skopeo", "copy", "--quiet", "--dest-tls-verify=false", "oci-archive:" + archive, target, timeout=300)
            reference = "%s/%s:1" % (self.registry, name)
            self.image("pull", reference)
            found = json.loads(self.image("inspect", reference, "--output", "json"))
            found["directories"] = self.image("inspect", reference, "--layers").split()
            self.images[name] = found
        return self.images[name]


def built(name):
    return ok(os.path.join(ROOT, "Images", "build"), bench.program, name, timeout=600).strip()


def get(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.read().decode()
    except OSError:
        return None


ENTER = """
set -e
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
ip link set lo up
# Overlay does not stack on every overlay: what is written goes to memory.
mount -t tmpfs tmpfs "$WORK"
mkdir "$WORK/upper" "$WORK/work" "$WORK/root"
mount -t overlay overlay -o "lowerdir=$LOWER,upperdir=$WORK/upper,workdir=$WORK/work" "$WORK/root"
cd "$WORK/root"
mount -t proc proc proc
mount -t tmpfs -o mode=755 dev dev
for each in null zero random urandom; do touch dev/$each; mount --bind /dev/$each dev/$each; done
mkdir dev/shm
mount -t tmpfs -o mode=1777 shm dev/shm
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
export PATH=$IMAGE_PATH
exec /usr/sbin/"$@"
"""


class Container:
    """A program of an image, on its files with a layer to write on, in namespaces of its own."""

    count = 0

    def __init__(self, name, *words, environment=None):
        image = bench.pulled(name)
        Container.count += 1
        work = os.path.join(bench.path, "c%d" % Container.count)
        os.mkdir(work)
        variables = dict(each.split("=", 1) for each in image["env"])
        variables.update(environment or {})
        variables["IMAGE_PATH"] = variables.pop("PATH", "/usr/bin")
        variables.update(LOWER=":".join(image["directories"]), WORK=work)
        command = ["chroot", *self.user(image), work + "/root", *image["entrypoint"], *(words or image["cmd"])]
        self.log = os.path.join(bench.path, "c%d.log" % Container.count)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-c", ENTER, "sh", *command],
                env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        at_end(self.kill)

    @staticmethod
    def user(image):
        """The user by number: chroot cannot look a name up in files below."""
        if not image["user"]:
            return []
        with open(os.path.join(image["directories"][0], "etc/passwd")) as lines:
            parts = next(line.split(":") for line in lines if line.startswith(image["user"] + ":"))
        return ["--userspec=+%s:+%s" % (parts[2], parts[3]), "--groups="]

    def inner(self):
        with open("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid)) as children:
            found = children.read().split()
        check(found, "the namespaces are not made yet")
        return found[0]

    def enter(self, *command, whole=True, timeout=60):
        """A command inside: of the image, or one of this machine in the container's network only."""
        kinds = ["--net", "--mount", "--pid", "--root", "--wd"] if whole else ["--net"]
        return run(["nsenter", "--target", self.inner(), *kinds, "--", *command], timeout)

    def ask(self, *words, timeout=60):
        """A command of the image, with the environment of its program."""
        with open("/proc/%s/environ" % self.inner(), "rb") as variables:
            environment = [each for each in variables.read().decode().split("\0") if each]
        return self.enter("/usr/bin/env", "-i", *environment, *words, timeout=timeout)

    def curl(self, place, *words):
        """What this machine's curl gets from a port of the container."""
        code, out, err = self.enter("curl", "-sSg", *words, "http://127.0.0.1:" + place, whole=False)
        equal(code, 0, "curl %s: %s" % (place, err))
        return out

    def until(self, wanted, what, *command, **options):
        def look():
            check(self.process.poll() is None, what, "but it has ended:", self.words())
            return wanted in self.enter(*command, **options)[1]

        eventually(look, 30, what, pause=0.2)

    def words(self):
        with open(self.log, errors="replace") as log:
            return log.read()

    def stop(self, number=signal.SIGTERM):
        """Ends the program and returns its code. A first process gets only the signals that it has asked for."""
        os.kill(int(self.inner()), number)
        return self.process.wait(20)

    def kill(self):
        if self.process.poll() is None:
            # By itself: a process that became another user is not told of its parent's end.
            try:
                os.kill(int(self.inner()), signal.SIGKILL)
            except (OSError, Failed):
                pass
            self.process.kill()
        self.process.wait()


def out_of(name, *words):
    container = Container(name, *words)
    equal(container.process.wait(30), 0, "the code of %s in %s: %s" % (words, name, container.words()))
    return container.words()


@test
def same_twice():
    """the same recipe gives the same image, and what is there is not made again"""
    path = built("busybox")
    before = os.stat(path).st_mtime_ns
    equal((built("busybox"), os.stat(path).st_mtime_ns), (path, before), "the image that was there")

    def digest():
        with open(path, "rb") as file:
            return hashlib.sha256(file.read()).hexdigest()

    first = digest()
    os.unlink(path)
    equal((built("busybox"), digest()), (path, first), "the image that is made again")


@test
def busybox():
    """busybox has a shell and its programs, and takes less than 3 MB"""
    found = out_of("busybox", "sh", "-c", "echo $((6 * 7)) | sed s/4/x/; test -d /tmp && whoami")
    equal(found, "x2\nroot\n", "what the shell says")
    check(bench.pulled("busybox")["size"] < 3 << 20, "the size is", bench.pulled("busybox")["size"])


@test
def job():
    """busybox as a job: its image is pulled by the agent, its words are what the container runs"""
    bench.pulled("busybox")
    with DevCluster(bench.program, agents=1, log=os.path.join(bench.path, "dev.log")) as cluster:
        def rondo(*words):
            return ok(bench.program, "job", words[0], "--master", cluster.master, *words[1:])

        image = bench.registry + "/busybox:1"
        rondo("add", "inside", "--image", image, "--env", "PLACE=inside", "--", "sh", "-c", "echo $PLACE $(ls /etc)")
        rondo("run", "inside")
        found = rondo("log", "inside").split()
        check(found[0] == "inside" and "os-release" in found and "debian_version" not in found, "what it saw:", found)


@test
def nginx():
    """nginx serves pages and its health, and ends with its requests at SIGQUIT"""
    image = bench.pulled("nginx")
    equal((image["exposedPorts"], image["stopSignal"]), (["80/tcp"], "SIGQUIT"), "the image")
    server = Container("nginx")
    server.until("nginx on Rondo", "the page", "curl", "-s", "http://127.0.0.1/", whole=False)
    equal(server.enter("curl", "-s", "http://[::1]/health", whole=False)[1], "ok\n", "the health")
    check("GET / " in server.words(), "the log is not on standard output:", server.words())
    equal(server.stop(signal.SIGQUIT), 0, "the code after SIGQUIT")


@test
def redis():
    """redis keeps what redis-cli gives it"""
    server = Container("redis")
    server.until("PONG", "the answer", "/usr/bin/redis-cli", "ping")
    server.enter("/usr/bin/redis-cli", "set", "a", "b")
    equal(server.enter("/usr/bin/redis-cli", "get", "a")[1], "b\n", "the value")
    equal(server.stop(), 0, "the code after SIGTERM")
    closed = Container("redis", environment={"REDIS_PASSWORD": 'a "b\\c'})

    def ask(password):
        return ("/usr/bin/env", "REDISCLI_AUTH=" + password, "/usr/bin/redis-cli", "ping")

    closed.until("PONG", "the answer to who knows the password", *ask('a "b\\c'))
    check("PONG" not in closed.enter(*ask("wrong"))[1], "a wrong password is taken")


@test
def postgresql():
    """postgresql makes its database, takes the password and answers psql; without a password it says what to do"""
    lacking = Container("postgresql")
    equal(lacking.process.wait(20), 78, "the code without a password")
    check("POSTGRES_PASSWORD" in lacking.words(), "what to do is not said:", lacking.words())
    server = Container("postgresql", environment={"POSTGRES_PASSWORD": "a b'c"})

    def psql(password):
        return ("/usr/bin/env", "PGPASSWORD=" + password, "/usr/lib/postgresql/15/bin/psql", "-h", "127.0.0.1", "-U",
                "postgres", "-Atc", "select sum(n) from generate_series(1, 100) n")

    server.until("5050", "the sum", *psql("a b'c"))
    check("authentication failed" in server.enter(*psql("wrong"))[2], "a wrong password is taken")
    equal(server.stop(signal.SIGINT), 0, "the code after SIGINT: " + server.words()[-400:])
    other = Container("postgresql", environment={"POSTGRES_PASSWORD_GENERATE": "yes"})
    made = eventually(
        lambda: re.search(r"password of the user postgres is (\S+)", other.words()), 30, "a password that is made")
    other.until("5050", "the sum", *psql(made[1]))


@test
def python():
    """python has its standard library"""
    found = out_of(
        "python", "-c", "import ssl, sqlite3, json, lzma, bz2, ctypes, decimal, asyncio, zoneinfo, uuid, curses, readline;"
        " print(sqlite3.connect(':memory:').execute('select 6 * 7').fetchone(), zoneinfo.ZoneInfo('Asia/Tokyo'))")
    equal(found, "(42,) Asia/Tokyo\n", "what it says")


@test
def web():
    """web says which version it is, gets ill and well when told, and is not healthy while it ends"""
    server = Container("web", environment={"VERSION": "7", "STOP_SECONDS": "2"})

    def ask(path):
        return server.enter("curl", "-s", "-w", "%{http_code}", "http://127.0.0.1:8080" + path, whole=False)[1]

    server.until("version 7", "the answer", "curl", "-s", "http://127.0.0.1:8080/", whole=False)
    equal(ask("/health"), "ok\n200", "the health")
    equal((ask("/fail"), ask("/health")), ("ok\n200", "ill\n503"), "the health of what is ill")
    equal((ask("/heal"), ask("/health")), ("ok\n200", "ok\n200"), "the health of what is well again")
    os.kill(int(server.inner()), signal.SIGTERM)
    eventually(lambda: ask("/health") == "stopping\n503", 5, "the health of what ends")
    check("version 7" in ask("/"), "what ends does not answer")
    equal(server.process.wait(10), 0, "the code after SIGTERM")


@test
def memcached():
    """memcached keeps what it is given, and takes its own flags"""
    server = Container("memcached", "-m", "16", "-v")
    talk = (
        "import socket; s = socket.create_connection(('127.0.0.1', 11211), 5); f = s.makefile('rwb');"
        " f.write(b'set a 0 0 1\\r\\nb\\r\\nget a\\r\\nstats settings\\r\\nquit\\r\\n'); f.flush(); print(f.read())")
    server.until("STORED", "the answer", "python3", "-c", talk, whole=False)
    said = server.enter("python3", "-c", talk, whole=False)[1]
    check("VALUE a 0 1\\r\\nb" in said and "STAT maxbytes 16777216" in said, "the answers:", said)
    equal(server.stop(), 0, "the code after SIGTERM")


@test
def etcd():
    """etcd keeps what etcdctl gives it, and says how it is"""
    server = Container("etcd")
    server.until('"true"', "its health", "curl", "-s", "http://127.0.0.1:2379/health", whole=False)
    equal(server.enter("/usr/bin/etcdctl", "put", "a", "b")[1], "OK\n", "put")
    equal(server.enter("/usr/bin/etcdctl", "get", "a", "--print-value-only")[1], "b\n", "the value")
    server.stop()


@test
def mosquitto():
    """mosquitto passes on what mosquitto_pub says, and lets in only who knows the password"""
    server = Container("mosquitto", environment={"MOSQUITTO_USERNAME": "anna", "MOSQUITTO_PASSWORD": "a b"})
    place = ("-h", "127.0.0.1", "-t", "news", "-u", "anna")

    def publish(password):
        return server.enter("/usr/bin/mosquitto_pub", *place, "-P", password, "-r", "-m", "hello")

    eventually(lambda: publish("a b")[0] == 0, 30, "a message", pause=0.2)
    heard = server.enter("/usr/bin/mosquitto_sub", *place, "-P", "a b", "-C", "1", "-W", "10")
    equal(heard[1], "hello\n", "what is heard: " + heard[2])
    check(publish("wrong")[0] != 0, "a wrong password is taken")
    check("New client connected" in server.words(), "the log is not on standard output:", server.words())
    equal(server.stop(), 0, "the code after SIGTERM")
    open_one = Container("mosquitto")
    eventually(
        lambda: open_one.enter("/usr/bin/mosquitto_pub", "-h", "127.0.0.1", "-t", "a", "-m", "b")[0] == 0, 30,
        "a message to a broker without a password", pause=0.2)


@test
def haproxy():
    """haproxy sends on to what it is told, says its health and its figures, and refuses what it cannot understand"""
    wrong = Container("haproxy", environment={"HAPROXY_SERVERS": "nowhere"})
    equal(wrong.process.wait(20), 78, "the code")
    check("'nowhere' is neither" in wrong.words(), "what is wrong is not said:", wrong.words())
    # To its own page, for want of others.
    server = Container("haproxy", environment={"HAPROXY_SERVERS": "127.0.0.1:8404"})
    server.until("200", "its health", "curl", "-s", "-w", "%{http_code}", "http://127.0.0.1:8404/health", whole=False)
    server.until("Statistics Report", "a page through it", "curl", "-s", "http://127.0.0.1:8080/", whole=False)
    check("haproxy_backend_http_responses_total" in server.curl("8404/metrics"), "it has no figures")
    check("GET / " in server.words(), "the log is not on standard output:", server.words())
    equal(server.stop(signal.SIGUSR1), 0, "the code after SIGUSR1")


@test
def registry():
    """registry takes an image from skopeo and lets in only who knows the password"""
    server = Container("registry", environment={"REGISTRY_USER": "anna", "REGISTRY_PASSWORD": "a b"})
    server.until("401", "its answer", "curl", "-s", "-w", "%{http_code}", "http://127.0.0.1:5000/v2/", whole=False)

    def push(password):
        return server.enter(
            "skopeo", "copy", "--quiet", "--dest-tls-verify=false", "--dest-creds", "anna:" + password,
            "oci-archive:" + built("busybox"), "docker://127.0.0.1:5000/own/busybox:1", whole=False)

    check(push("wrong")[0] != 0, "a wrong password is taken")
    code, _, err = push("a b")
    equal(code, 0, "a push: " + err)
    equal(json.loads(server.curl("5000/v2/_catalog", "-u", "anna:a b")), {"repositories": ["own/busybox"]}, "what it has")
    server.stop()


@test
def prometheus():
    """prometheus asks itself and what it is told to, and shows its pages"""
    server = Container("prometheus", environment={"PROMETHEUS_TARGETS": "again=127.0.0.1:9090", "PROMETHEUS_INTERVAL": "1s"})
    query = "http://127.0.0.1:9090/api/v1/query?query=sum(up)"
    server.until('"2"]', "two targets that are up", "curl", "-s", "-g", query, whole=False)
    check("Healthy" in server.curl("9090/-/healthy"), "its health")
    check("<title>" in server.curl("9090/graph", "-L"), "a page")
    check("jQuery" in server.curl("9090/classic/static/jquery/jquery.min.js"), "a script of the page")
    equal(server.stop(), 0, "the code after SIGTERM: " + server.words()[-400:])
    wrong = Container("prometheus", environment={"PROMETHEUS_TARGETS": "nowhere"})
    equal(wrong.process.wait(20), 78, "the code for a target without a place")


@test
def node_exporter():
    """node-exporter tells figures of its node"""
    server = Container("node-exporter")
    server.until("node_memory_MemTotal_bytes", "figures", "curl", "-s", "http://127.0.0.1:9100/metrics", whole=False)
    server.stop()


@test
def victoria_metrics():
    """victoria-metrics keeps InfluxDB's lines and answers Prometheus' questions about them"""
    server = Container("victoria-metrics", "-search.latencyOffset=1s")
    server.until("OK", "its health", "curl", "-s", "http://127.0.0.1:8428/health", whole=False)
    server.curl("8428/write", "-d", "room,floor=2 heat=21.5")
    server.until('"21.5"]', "the figure", "curl", "-s", "http://127.0.0.1:8428/api/v1/query?query=room_heat", whole=False)
    equal(server.stop(), 0, "the code after SIGTERM: " + server.words()[-400:])


@test
def jre():
    """jre runs Java"""
    said = out_of("jre", "-XshowSettings:properties", "-version")
    check("java.specification.version = 17" in said, "what it says:", said)


@test
def zookeeper():
    """zookeeper keeps what zkCli gives it"""
    server = Container("zookeeper")
    ruok = ("sh", "-c", "echo ruok | nc 127.0.0.1 2181")
    server.until("imok", "its health", *ruok)
    code, _, err = server.enter("/usr/local/bin/zkCli", "create", "/a", "b")
    check("Created /a" in err, "create:", code, err)
    check("b\n" in server.enter("/usr/local/bin/zkCli", "get", "/a")[1], "the value")
    check("binding to port" in server.words(), "the log is not on standard output:", server.words())
    server.stop()


@test
def rabbitmq():
    """rabbitmq passes on messages, lets in who knows the password, and makes one where it is given none"""
    server = Container("rabbitmq", environment={"RABBITMQ_PASSWORD": 'a "b\\c'})
    address = "15672/api/exchanges/%2F/amq.default/publish"
    user = ("-u", 'admin:a "b\\c')
    message = json.dumps({"properties": {}, "routing_key": "work", "payload": "hello", "payload_encoding": "string"})
    queue = ("15672/api/queues/%2F/work", *user)
    eventually(
        lambda: server.enter("curl", "-sSf", *user, "http://127.0.0.1:15672/api/overview", whole=False)[0] == 0, 90,
        "the interface", pause=1)
    server.curl(*queue, "-X", "PUT", "-d", '{"durable": true}')
    equal(json.loads(server.curl(address, *user, "-d", message)), {"routed": True}, "a message that is sent")
    taken = json.loads(server.curl(
        "15672/api/queues/%2F/work/get", *user, "-d", '{"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}'))
    equal(taken[0]["payload"], "hello", "the message")
    listed = server.ask("rabbitmqctl", "--quiet", "list_queues", "name")
    check("work" in listed[1], "the queues:", listed)
    refused = server.curl("15672/api/overview", "-u", "admin:wrong", "-w", "%{http_code}")
    check(refused.endswith("401"), "a wrong password is taken:", refused)
    check("rabbitmq_identity_info" in server.curl("15692/metrics"), "its figures")
    equal(server.stop(), 0, "the code after SIGTERM: " + server.words()[-400:])
    other = Container("rabbitmq")
    made = eventually(lambda: re.search(r"password of the user admin is (\S+)", other.words()), 30, "a password that is made")
    eventually(
        lambda: other.enter(
            "curl", "-sSf", "-u", "admin:" + made[1], "http://127.0.0.1:15672/api/overview", whole=False)[0] == 0, 90,
        "the interface", pause=1)


NOTEBOOK = {
    "cells": [{"cell_type": "code", "execution_count": None, "id": "a", "metadata": {}, "outputs": [],
               "source": "import sqlite3, ssl\nprint(6 * 7)"}],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}


@test
def jupyter():
    """jupyter lets in who has the token, keeps a notebook, and runs it"""
    server = Container("jupyter", environment={"JUPYTER_TOKEN": "a+b"})
    server.until('"version"', "its answer", "curl", "-s", "http://127.0.0.1:8888/api", whole=False)
    refused = server.curl("8888/api/contents", "-w", "%{http_code}")
    check(refused.endswith("403"), "it answers without the token:", refused)
    token = ("-H", "Authorization: token a+b")
    server.curl("8888/api/contents/a.ipynb", *token, "-X", "PUT", "-d", json.dumps({"type": "notebook", "content": NOTEBOOK}))
    check("<title>" in server.curl("8888/lab", *token), "the page")
    code, out, err = server.ask(
        "python3", "-m", "nbconvert", "--to", "markdown", "--execute", "--stdout", "/data/a.ipynb", timeout=200)
    check(code == 0 and "    42" in out, "what the notebook says:", code, out, err[-800:])
    equal(server.stop(), 0, "the code after SIGTERM")
    other = Container("jupyter")
    eventually(lambda: re.search(r"token=[0-9a-f]{32}", other.words()), 90, "a token that is made")


@test
def spark():
    """spark computes pi, counts words, and its master says who works for it"""
    server = Container("spark")
    server.until('"ALIVE"', "its answer", "curl", "-s", "http://127.0.0.1:8080/json/", whole=False)
    code, out, err = server.ask("spark-submit", "--master", "local[1]", "/opt/spark/examples/pi.py", "2", timeout=160)
    check(code == 0 and "Pi is roughly 3.1" in out, "what it says:", code, out[-400:], err[-1500:])
    server.stop()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    bench = Bench(os.path.abspath(sys.argv[1]))
    bench.start_registry()
    finish(*run_tests(TESTS, sys.argv[2:], limit=900))
