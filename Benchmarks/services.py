"""A service of containers from nothing to fifty: Rondo beside Docker Swarm, each in namespaces of its own, in turns.

    services.py RONDO DIRECTORY [ROUNDS]

One image of Debian's static busybox, local to both; both are asked over their unix sockets by the same client, every
20 ms. First container: from the start of the daemon to one that runs, with the cluster made in between (`cluster init`;
`dockerd` and `swarm init`). Then 20 of them, from 20 to 50, and one that is killed and replaced, without a pause
before the restart on either side. Memory is that of all processes of a kind. A ratio is the median of the ratios of
the rounds: ours by theirs, so less is better.

Needs root, busybox-static, and for Swarm Debian's docker.io and containerd; without these Rondo is measured alone.
"""

import http.client
import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time
import urllib.parse

ROUNDS = 3
PAUSE = 0.02
COMMAND = ["/bin/busybox", "sleep", "100000"]
BUSYBOX = "/bin/busybox"
AIMS = {"first_container_s": 0.4, "create20_s": 0.125, "scale20to50_s": 0.125, "replace_s": 0.5}
# A network and mounts of one's own; forwarding, and a bridge for dockerd to advertise itself on.
ENTER = ("mount -t tmpfs tmpfs /run; ip link set lo up; ip link add d0 type bridge; ip addr add 10.99.0.1/24 dev d0; "
         'ip link set d0 up; exec "$@"')
ALONE = ["unshare", "--net", "--mount", "--propagation", "private", "sh", "-c", ENTER, "sh"]


def tell(**line):
    print(json.dumps(line), flush=True)


def wait(probe, seconds, what):
    """The time until the probe is true."""
    start = time.monotonic()
    while True:
        try:
            if probe():
                return time.monotonic() - start
        except (OSError, http.client.HTTPException):
            pass
        if time.monotonic() - start > seconds:
            sys.exit("%s did not happen within %d s" % (what, seconds))
        time.sleep(PAUSE)


class Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path):
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(30)
        self.sock.connect(self.path)


def call(path, method, target, body=None):
    connection = Connection(path)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, target, text, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
    finally:
        connection.close()
    if answer.status >= 400:
        raise OSError("%s %s: %d %s" % (method, target, answer.status, content[:300]))
    return json.loads(content) if content.strip() else None


def memory(pids):
    """Resident and proportional MiB of processes."""
    sums = {"Rss": 0, "Pss": 0}
    for pid in pids:
        try:
            with open("/proc/%d/smaps_rollup" % pid) as file:
                for line in file:
                    name, _, rest = line.partition(":")
                    if name in sums:
                        sums[name] += int(rest.split()[0])
        except OSError:
            pass
    return {name.lower() + "_mib": round(value / 1024, 2) for name, value in sums.items()}


def processes():
    """Command lines of all processes, by pid."""
    found = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open("/proc/%s/cmdline" % name, "rb") as file:
                    found[int(name)] = file.read().decode(errors="replace").split("\0")[:-1]
            except OSError:
                pass
    return found


def instances():
    """The processes of the service, by what they run."""
    return [pid for pid, words in processes().items() if words == COMMAND]


class Daemon:
    def __init__(self, directory, command, environment=None):
        self.directory = directory
        self.log = open(os.path.join(directory, "log"), "w")
        self.start = time.monotonic()
        self.process = subprocess.Popen(ALONE + command, stdout=self.log, stderr=self.log, stdin=subprocess.DEVNULL,
                                        env=environment, start_new_session=True)

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


class Rondo(Daemon):
    name = "rondo"

    def __init__(self, directory, program):
        self.data, self.runtime = os.path.join(directory, "data"), os.path.join(directory, "run")
        self.socket = os.path.join(self.runtime, "rondo.sock")
        root = os.path.join(directory, "root", "bin")
        os.makedirs(root)
        shutil.copy(BUSYBOX, root)
        subprocess.run([program, "image", "build-from-rootfs", os.path.dirname(root), "--as", "bb:1", "--data", self.data],
                       check=True, capture_output=True)
        super().__init__(directory, [program, "cluster", "init", "--foreground", "--data", self.data, "--runtime",
                                     self.runtime, "--advertise", "10.99.0.1", "--services"])

    def ready(self):
        wait(lambda: call(self.socket, "GET", "/service/marathon/v2/info"), 60, "the start of rondo")

    def create(self, count):
        call(self.socket, "POST", "/service/marathon/v2/apps", {
            "id": "/w", "args": COMMAND, "instances": count, "cpus": 0.01, "mem": 8, "backoffSeconds": 0,
            "container": {"type": "MESOS", "docker": {"image": "bb:1"}}})

    def scale(self, count):
        call(self.socket, "PUT", "/service/marathon/v2/apps//w", {"instances": count})

    def running(self):
        tasks = call(self.socket, "GET", "/service/marathon/v2/apps//w/tasks")["tasks"]
        return {task["id"] for task in tasks if task["state"] == "TASK_RUNNING"}

    def remove(self):
        call(self.socket, "DELETE", "/service/marathon/v2/apps//w")
        wait(lambda: not instances(), 60, "the end of the service")

    def own(self):
        return [self.process.pid]

    def beside(self):
        return [pid for pid, words in processes().items()
                if len(words) > 1 and words[0].rpartition("/")[2] == "rondo" and words[1] in ("monitor", "task-init")]


class Swarm(Daemon):
    name = "swarm"

    def __init__(self, directory, program):
        self.socket = os.path.join(directory, "socket")
        options = ["--host", "unix://" + self.socket]
        for option in ("data-root", "exec-root", "pidfile"):
            options += ["--" + option, os.path.join(directory, option)]
        super().__init__(directory, [program] + options)

    def ready(self):
        wait(lambda: call(self.socket, "GET", "/version"), 60, "the start of dockerd")
        spent = time.monotonic()
        root = os.path.join(self.directory, "root", "bin")
        os.makedirs(root)
        shutil.copy(BUSYBOX, root)
        tar = subprocess.run(["tar", "-C", os.path.dirname(root), "-c", "."], check=True, capture_output=True).stdout
        connection = Connection(self.socket)
        connection.request("POST", "/images/create?fromSrc=-&repo=bb&tag=1", tar)
        connection.getresponse().read()
        connection.close()
        # The image is there before on the other side as well.
        self.start += time.monotonic() - spent
        call(self.socket, "POST", "/swarm/init", {"AdvertiseAddr": "10.99.0.1", "ListenAddr": "10.99.0.1:2377"})

    def create(self, count):
        self.service = {
            "Name": "w", "Mode": {"Replicated": {"Replicas": count}},
            "TaskTemplate": {"ContainerSpec": {"Image": "bb:1", "Command": COMMAND},
                             "RestartPolicy": {"Condition": "any", "Delay": 0}}}
        call(self.socket, "POST", "/services/create", self.service)

    def scale(self, count):
        self.service["Mode"]["Replicated"]["Replicas"] = count
        version = call(self.socket, "GET", "/services/w")["Version"]["Index"]
        call(self.socket, "POST", "/services/w/update?version=%d" % version, self.service)

    def running(self):
        words = json.dumps({"label": ["com.docker.swarm.service.name=w"], "status": ["running"]})
        found = call(self.socket, "GET", "/containers/json?filters=" + urllib.parse.quote(words))
        return {each["Id"] for each in found}

    def remove(self):
        call(self.socket, "DELETE", "/services/w")
        wait(lambda: not call(self.socket, "GET", "/containers/json"), 120, "the end of the service")

    def own(self):
        words = processes()
        return [pid for pid, each in words.items()
                if pid == self.process.pid or each and "containerd" in each[0] and self.directory in " ".join(each)
                and "shim" not in each[0]]

    def beside(self):
        return [pid for pid, each in processes().items()
                if each and "containerd-shim" in each[0] and self.directory in " ".join(each)]


def once(kind, directory, program):
    os.makedirs(directory)
    found = {}
    peer = kind(directory, program)
    try:
        peer.ready()
        peer.create(1)
        wait(lambda: len(peer.running()) >= 1, 60, "the first container")
        found["first_container_s"] = time.monotonic() - peer.start
        peer.remove()
        time.sleep(2)
        idle = memory(peer.own())
        found["idle_rss_mib"], found["idle_pss_mib"] = idle["rss_mib"], idle["pss_mib"]
        start = time.monotonic()
        peer.create(20)
        wait(lambda: len(peer.running()) >= 20, 120, "20 containers")
        found["create20_s"] = time.monotonic() - start
        start = time.monotonic()
        peer.scale(50)
        wait(lambda: len(peer.running()) >= 50, 180, "50 containers")
        found["scale20to50_s"] = time.monotonic() - start
        time.sleep(1)
        found["daemon_pss_mib_with_50"] = memory(peer.own())["pss_mib"]
        found["pss_mib_per_container"] = round(memory(peer.beside())["pss_mib"] / 50, 3)
        before = peer.running()
        victim = instances()[0]
        start = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait(lambda: len(peer.running() - before) >= 1, 60, "a replacement")
        found["replace_s"] = time.monotonic() - start
        start = time.monotonic()
        peer.remove()
        found["remove50_s"] = time.monotonic() - start
    finally:
        peer.end()
        for _ in range(20):
            shutil.rmtree(directory, ignore_errors=True)
            if not os.path.exists(directory):
                break
            time.sleep(0.3)
    return found


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    directory = os.path.abspath(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else ROUNDS
    kinds = {Rondo: os.path.abspath(sys.argv[1])}
    dockerd = shutil.which("dockerd")
    if dockerd and shutil.which("containerd"):
        kinds[Swarm] = dockerd
    results = {kind: [] for kind in kinds}
    for number in range(rounds):
        for kind in list(kinds) if number % 2 == 0 else list(reversed(list(kinds))):
            place = os.path.join(directory, "%s-%d" % (kind.name, number))
            results[kind].append(once(kind, place, kinds[kind]))
            rounded = {key: round(value, 4) for key, value in results[kind][-1].items()}
            tell(benchmark="services", peer=kind.name, round=number, **rounded)
    if Swarm not in results:
        return
    for key in results[Rondo][0]:
        ratios = [ours[key] / theirs[key] for ours, theirs in zip(results[Rondo], results[Swarm])]
        line = {"aim": AIMS[key]} if key in AIMS else {}
        tell(benchmark="services", measure=key, beside="swarm", ratio=round(statistics.median(ratios), 3),
             all=[round(each, 3) for each in ratios], **line)


main()
