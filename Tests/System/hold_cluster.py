"""Three nodes, each with a registry on its loopback, that serve a small web application from many containers; what is
counted on them, and clients that ask for it by name."""

import glob
import http.client
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "Clients"))
sys.path.insert(0, HERE)

from footprint import cgroups  # noqa: E402
from harness import check, equal, eventually  # noqa: E402
from machines import JOIN_LINE, Cluster, init_command, join_command  # noqa: E402
from netns import enter, ip, links  # noqa: E402
from resolver import A, SRV, parse, question  # noqa: E402
from wire import request  # noqa: E402

REGISTRY = "127.0.0.1:5000"
IMAGE = REGISTRY + "/web:1"
SERVER = "127.82.111.1"
# How long an answer of it may be kept, in seconds.
KEPT = 2
# Serves a page that says which version it is.
SERVE = "echo version $VERSION > /www/index.html; exec httpd -f -p 80 -h /www"


class Hold(Cluster):
    """The cluster, what runs on it, and what it leaves."""

    def __init__(self, rondo):
        super().__init__(rondo)
        os.chmod(self.directory, 0o755)
        self.marker = "hold-%d" % os.getpid()
        self.config = self.path("config.yaml")
        with open(self.config, "w") as file:
            file.write("agent:\n  unreachable_after: 4s\n")
        self.before = cgroups()
        self.others = []

    def path(self, *names):
        return os.path.join(self.directory, *names)

    # Nodes

    def settings(self, number):
        resources = "cpus:8;mem:4096;disk:9999;ports:[20000-20199]"
        return ["--config", self.config, "--hostname", "node%d" % number, "--resources", resources]

    def first_command(self):
        first = self.machines[0]
        return init_command(self.rondo, first.address, first.data) + self.settings(1)

    def begin(self):
        """Makes the cluster."""
        first = self.machines[0]
        self.launch(first, self.first_command())
        line = eventually(lambda: first.alive() and JOIN_LINE.search(first.output()), 30, "the line to join with")
        for each in self.machines[1:]:
            joins = join_command(self.rondo, line.group(1), line.group(2), each.address, each.data)
            self.launch(each, joins + self.settings(each.number))
        self.await_agents()

    def launch(self, machine, command):
        """Starts a machine's node."""
        machine.start(command)

    def await_agents(self, count=3):
        eventually(lambda: len(self.agents()) == count, 60, "%d active agents" % count)

    def start_registry(self, number):
        """Debian's registry on a machine's loopback; all of them serve the same files."""
        config = self.path("registry.json")
        if not os.path.exists(config):
            with open(config, "w") as out:
                json.dump({
                    "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
                    "storage": {"filesystem": {"rootdirectory": self.path("registry")}},
                    "http": {"addr": REGISTRY}}, out)
        self.background(self.network.inside(number, ["docker-registry", "serve", config]))

    def background(self, command):
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True)
        self.others.append(process)
        return process

    def push(self, *command, name=IMAGE, root=None):
        """Makes an image of busybox that runs a command, and has it in the registry."""
        root = root or self.path("root")
        if not os.path.isdir(root):
            for each in ("bin", "etc", "www", "tmp"):
                os.makedirs(os.path.join(root, each))
            shutil.copy(shutil.which("busybox"), os.path.join(root, "bin"))
            for each in "sh httpd echo sleep cat yes dd".split():
                os.symlink("busybox", os.path.join(root, "bin", each))
        archive = self.path("image.tar")
        words = [each for word in command for each in ("--cmd", word)]
        self.tool("image", "build-from-rootfs", root, "--as", "own:1", "--data", self.path("store"), *words)
        self.tool("image", "export", "own:1", archive, "--data", self.path("store"))
        done = subprocess.run(
            self.network.inside(1, [
                "skopeo", "copy", "--quiet", "--dest-tls-verify=false", "oci-archive:" + archive, "docker://" + name]),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        equal(done.returncode, 0, "skopeo copy (%s)" % done.stderr[-400:])
        os.unlink(archive)

    def tool(self, *words):
        done = subprocess.run(
            self.network.inside(1, [self.rondo, *words]), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=60)
        equal(done.returncode, 0, "rondo %s (%s)" % (" ".join(words[:3]), done.stderr[-600:]))
        return done.stdout

    def tear_down(self, machine):
        """A machine is gone: all that runs on it ends at once, and then its network."""
        # Nobody sees another one end: all stand still before the first is killed.
        self.signal_all(machine, signal.SIGSTOP)
        for _ in range(50):
            if not self.signal_all(machine, signal.SIGKILL):
                break
            time.sleep(0.02)
        machine.process.wait()
        ip("netns", "delete", self.network.names[machine.number - 1])

    def signal_all(self, machine, number):
        """Sends all that runs on a machine a signal, also what was begun meanwhile; returns whether there was any."""
        sent = set()
        while True:
            more = self.inhabitants(machine.number) - sent
            for pid in more:
                kill(pid, number)
            sent |= more
            if not more:
                return bool(sent)

    def set_up(self, machine):
        """The machine is there again, as after a loss of power: with its disk, and without all else."""
        number = machine.number
        self.forget(machine)
        name = self.network.names[number - 1]
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
        hub = self.network.hub
        # It goes with the other end, some time after that machine's network.
        ip("-n", hub, "link", "delete", "port%d" % number, check=False)
        ip("-n", hub, "link", "add", "port%d" % number, "type", "veth", "peer", "name", "eth0", "netns", name)
        ip("-n", hub, "link", "set", "port%d" % number, "master", "bridge", "up")
        ip("-n", name, "address", "add", machine.address + "/24", "dev", "eth0")
        ip("-n", name, "link", "set", "eth0", "up")
        self.start_registry(number)
        self.launch(machine, machine.command)

    def forget(self, machine):
        """Takes away what the kernel of a real machine would have lost with it."""
        for place in mounts_below(machine.data):
            subprocess.run(["umount", "-l", place], stderr=subprocess.DEVNULL)
        self.remove_cgroups(machine.data + "/agent/run/*")

    def remove_cgroups(self, pattern):
        """Those of the containers whose directories fit."""
        ids = {os.path.basename(each) for each in glob.glob(pattern)}
        for each in sorted(cgroups() - self.before, key=len, reverse=True):
            if any(id in each for id in ids):
                try:
                    os.rmdir(each)
                except OSError:
                    pass

    def inhabitants(self, number):
        """All processes of a machine: in its network, and in containers below those."""
        children = {}
        for pid in pids():
            children.setdefault(parent(pid), set()).add(pid)
        found, more = set(), self.network.processes(number) - {os.getpid()}
        while more:
            found |= more
            more = set().union(*(children.get(each, set()) for each in more)) - found
        return found

    # What runs

    def call(self, method, path, body=None):
        answer = request(self.master, method, "/service/marathon" + path, body)
        return answer.status, (answer.json if answer.body[:1] in (b"{", b"[") else answer.text)

    def app(self, name):
        status, body = self.call("GET", "/v2/apps" + name)
        return body["app"] if status == 200 else None

    def deploy(self, method, path, body):
        status, answer = self.call(method, path, body)
        check(status in (200, 201), method, path, "was answered with", status, str(answer)[:600])
        return answer

    def well(self, name, count, without=(), seconds=120):
        """Waits until so many instances of an app run, are healthy and are all there is of it, none of them one of
        `without`. Returns tasks by id."""

        def probe():
            found = self.app(name)
            if not found:
                return None
            tasks = {each["id"]: each for each in found["tasks"]}
            states = [found["deployments"], found["tasksRunning"], found["tasksHealthy"], len(tasks)]
            check(states == [[], count, count, count], "deployments, running, healthy, listed:", states)
            check(not set(without) & set(tasks), "old ones are left")
            return tasks

        return eventually(probe, seconds, "%d well instances of %s" % (count, name), pause=0.1)

    def census(self, marker=None):
        """First processes of containers with the marker in their environment: {pid: task id}."""
        found = {}
        for pid in pids():
            if inner(pid) != 1:
                continue
            words = environment(pid)
            if words.get("HOLD") == (marker or self.marker):
                found[pid] = words.get("MESOS_TASK_ID")
        return found

    def one_each(self, tasks, seconds=60):
        """Waits until exactly these tasks run, each once."""

        def probe():
            found = self.census()
            equal(sorted(found.values()), sorted(tasks), "tasks by their processes")
            return True

        eventually(probe, seconds, "one process for each task", pause=0.2)

    def at_rest(self, tasks, seconds=90):
        """Waits until nothing is on the machines that belongs to none of these tasks."""

        def probe():
            left = self.remains(tasks)
            check(not left, len(left), "things are left:", "; ".join(left[:6]))
            return True

        eventually(probe, seconds, "machines without remains", pause=0.3)

    def remains(self, tasks):
        lines, everything = [], set()
        for machine in self.machines:
            if machine.process is None:
                continue
            mine = {key: each for key, each in tasks.items() if each["host"] == "node%d" % machine.number}
            ids = set()
            for key in mine:
                ids |= {os.path.basename(each) for each in glob.glob("%s/agent/work/*/%s/*" % (machine.data, key))}
            everything |= ids
            lines += ["node%d: %s" % (machine.number, each) for each in self.remains_of(machine, mine, ids)]
        gone = {os.path.basename(each) for each in glob.glob(self.directory + "/node*/agent/work/*/*/*")} - everything
        for each in sorted(cgroups() - self.before):
            if any(id in each for id in gone):
                lines.append("cgroup " + each)
        return lines

    def remains_of(self, machine, tasks, ids):
        lines = []
        for place in ("run", "network/attachments", "netns"):
            path = machine.data + "/agent/" + place
            have = os.listdir(path) if os.path.isdir(path) else []
            have = {each.rsplit(".json", 1)[0] for each in have}
            lines += ["%s %s is missing" % (place, each) for each in sorted(ids - have)]
            lines += ["%s %s" % (place, each) for each in sorted(have - ids)]
        for each in self.mounts(machine):
            if not any(id in each for id in ids):
                lines.append("mount " + each)
        name = self.network.names[machine.number - 1]
        ports = [each for each in links(name) if each not in ("lo", "eth0", "rondo0")]
        if len(ports) != len(ids):
            lines.append("%d ports on the bridge for %d containers" % (len(ports), len(ids)))
        table = subprocess.run(
            self.network.inside(machine.number, ["nft", "list", "map", "inet", "rondo0", "tcp4"]),
            capture_output=True, text=True).stdout
        published = {int(each) for each in re.findall(r"(\d+) : ", table)}
        wanted = {port for each in tasks.values() for port in each["ports"]}
        if published != wanted:
            lines.append("published %s, wanted %s" % (sorted(published), sorted(wanted)))
        for pid in self.network.processes(machine.number):
            words = command_line(pid)
            if words and os.path.basename(words[0]) == "rondo" and pid != machine.process.pid:
                if not any(id in " ".join(words) for id in ids):
                    lines.append("process %d %s" % (pid, " ".join(words)[:200]))
        return lines

    def mounts(self, machine):
        """What is mounted below a machine's directory."""
        return mounts_below(machine.data)

    def end(self):
        for number in (1, 2, 3):
            if os.path.exists("/run/netns/" + self.network.names[number - 1]):
                for _ in range(50):
                    found = self.inhabitants(number)
                    for pid in found:
                        kill(pid)
                    if not found:
                        break
                    time.sleep(0.05)
        for process in self.others + [each.process for each in self.machines]:
            if process is not None:
                kill(process.pid)
                process.wait()
        for place in mounts_below(self.directory):
            subprocess.run(["umount", "-l", place], stderr=subprocess.DEVNULL)
        self.remove_cgroups(self.directory + "/node*/agent/run/*")
        super().end()


# Processes and mounts


def pids():
    return [int(each) for each in os.listdir("/proc") if each.isdigit()]


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except OSError:
        pass


def parent(pid):
    try:
        with open("/proc/%d/stat" % pid) as file:
            return int(file.read().rsplit(")", 1)[1].split()[1])
    except OSError:
        return None


def inner(pid):
    """The number that a process has in its own namespace; None for one that is gone."""
    try:
        with open("/proc/%d/status" % pid) as file:
            line = next((each for each in file if each.startswith("NSpid:")), "")
    except OSError:
        return None
    numbers = line.split()[1:]
    return int(numbers[-1]) if len(numbers) > 1 else None


def environment(pid):
    try:
        with open("/proc/%d/environ" % pid, "rb") as file:
            words = file.read().decode("utf-8", "replace").split("\0")
    except OSError:
        return {}
    return dict(each.split("=", 1) for each in words if "=" in each)


def command_line(pid):
    try:
        with open("/proc/%d/cmdline" % pid, "rb") as file:
            return file.read().decode("utf-8", "replace").split("\0")[:-1]
    except OSError:
        return []


def mounts_below(directory, pid="self"):
    with open("/proc/%s/mountinfo" % pid) as file:
        found = [line.split()[4].replace("\\040", " ") for line in file]
    return sorted((each for each in found if each.startswith(directory + "/")), key=len, reverse=True)


# Clients


class Client(threading.Thread):
    """Asks for a service all the time as a careful user would, on one of the machines: it asks the node's own name
    server where an instance is, and asks that one, once; a request that is not answered with a page has failed. Nothing
    is tried again and nothing is kept between two requests."""

    def __init__(self, cluster, number, service, pause=0.0):
        super().__init__(daemon=True)
        self.place = "/run/netns/" + cluster.network.names[number - 1]
        self.service, self.pause = service, pause
        self.pages, self.failed, self.nameless, self.slowest = {}, [], 0, 0.0
        self.ending = threading.Event()
        self.start()

    def run(self):
        descriptor = os.open(self.place, os.O_RDONLY | os.O_CLOEXEC)
        enter(descriptor)
        os.close(descriptor)
        while not self.ending.is_set():
            where = None
            began = time.monotonic()
            try:
                where = self.resolve()
                # An answer may be kept that long: on a machine that stands still the question is asked again.
                if where is None or time.monotonic() - began > KEPT:
                    self.nameless += 1
                    time.sleep(0.05)
                    continue
                page = fetch(*where)
                self.pages[page] = self.pages.get(page, 0) + 1
            except Exception as error:
                self.failed.append("%s %s: %r after %.2f s" % (
                    time.strftime("%H:%M:%S"), where, error, time.monotonic() - began))
            self.slowest = max(self.slowest, time.monotonic() - began)
            if self.pause:
                time.sleep(self.pause)

    def ask(self, name, kind):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            one.settimeout(5)
            one.sendto(question(name, kind), (SERVER, 53))
            return parse(one.recv(4096))[1]

    def resolve(self):
        """An address and a port; None when there is none, or the instance went between two questions."""
        found = self.ask("_%s._tcp.marathon.slave.mesos" % self.service, SRV)
        if not found:
            return None
        target, port = random.choice(sorted(found))
        addresses = self.ask(target, A)
        return (sorted(addresses)[0], port) if addresses else None

    def stop(self):
        self.ending.set()
        self.join(30)
        return self

    @property
    def count(self):
        return sum(self.pages.values())


class Wrk(threading.Thread):
    """`wrk` on one of the machines, for a second at a time on one instance that the name server gives."""

    def __init__(self, cluster, number, service):
        super().__init__(daemon=True)
        self.place = "/run/netns/" + cluster.network.names[number - 1]
        self.service = service
        self.count, self.failed = 0, []
        self.ending = threading.Event()
        self.start()

    resolve, ask = Client.resolve, Client.ask

    def run(self):
        descriptor = os.open(self.place, os.O_RDONLY | os.O_CLOEXEC)
        enter(descriptor)
        os.close(descriptor)
        while not self.ending.is_set():
            try:
                where = self.resolve()
            except OSError as error:
                self.failed.append("names: %r" % error)
                continue
            if where is None:
                time.sleep(0.05)
                continue
            began = time.monotonic()
            said = subprocess.run(
                ["wrk", "-t1", "-c2", "-d1s", "--timeout", "10s", "http://%s:%d/" % where],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
            found = re.search(r"(\d+) requests in", said.stdout)
            wrong = re.search(r"(Socket errors|Non-2xx).*", said.stdout)
            self.count += int(found.group(1)) if found else 0
            if (wrong or not found) and time.monotonic() - began < 1 + KEPT:
                self.failed.append("%s %s: %s after %.2f s" % (
                    time.strftime("%H:%M:%S"), where, wrong.group(0) if wrong else said.stderr,
                    time.monotonic() - began))

    stop = Client.stop


def fetch(host, port, path="/", timeout=10):
    connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        page = answer.read().decode("utf-8", "replace").strip()
        if answer.status != 200:
            raise OSError("status %d" % answer.status)
        return page
    finally:
        connection.close()


def web(name, count, marker, **more):
    """The definition of the application."""
    definition = {
        "id": name,
        "instances": count,
        "cpus": 0.02,
        "mem": 16,
        "cmd": SERVE,
        "env": {"HOLD": marker, "VERSION": "1"},
        "container": {
            "type": "MESOS",
            "docker": {"image": IMAGE},
            "portMappings": [{"containerPort": 80, "hostPort": 0, "name": "http"}],
        },
        "networks": [{"mode": "container/bridge"}],
        "healthChecks": [{
            "protocol": "MESOS_HTTP", "path": "/", "portIndex": 0, "intervalSeconds": 1, "timeoutSeconds": 10,
            "gracePeriodSeconds": 60, "maxConsecutiveFailures": 6, "delaySeconds": 0,
        }],
        "backoffSeconds": 1,
    }
    definition.update(more)
    return definition
