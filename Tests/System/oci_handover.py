"""What is handed to a container: descriptors, sockets of a service manager, network devices, news of its memory."""

import array
import json
import os
import select
import socket
import subprocess
import sys

from harness import check, equal, eventually
from oci_bundle import ends, case, read, top, write

# Says READY=1 to the container's socket; busybox cannot write datagrams to a path.
NOTIFY = """
import os, socket, sys, time
client = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
client.connect(sys.argv[1])
client.send(b"STATUS=nearly\\nMAINPID=1\\n")
client.send(b"READY=1\\nSTATUS=done")
"""


class Manager:
    """A service manager's end of NOTIFY_SOCKET."""

    def __init__(self, box, name=None):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.name = name or os.path.join(box.path, "manager.sock")
        self.socket.bind("\0" + name[1:] if name else self.name)
        box.finally_do.append(self.socket.close)

    def environment(self):
        return dict(os.environ, NOTIFY_SOCKET=self.name)

    def next(self):
        """One message, and whether a descriptor came along, which is closed."""
        check(select.select([self.socket], [], [], 10)[0], "the service manager heard nothing for 10 s")
        data, control, _, _ = self.socket.recvmsg(4096, socket.CMSG_SPACE(4))
        came = False
        for _, kind, content in control:
            if kind == socket.SCM_RIGHTS:
                came = True
                for each in array.array("i", content):
                    os.close(each)
        return data.decode().rstrip("\n"), came

    def said(self):
        """All until the barrier, which is answered."""
        lines = []
        while True:
            text, came = self.next()
            lines.append(text)
            if came:
                return lines

    def is_silent(self):
        return not select.select([self.socket], [], [], 0)[0]


def notifying(box):
    """A container that waits for a file before a helper on the host says that it is ready, in its place."""
    bundle = box.bundle("echo $NOTIFY_SOCKET >/tmp/place; ls $NOTIFY_SOCKET >/tmp/there; exec sleep 100")
    bundle.process["env"].append("NOTIFY_SOCKET=/somewhere/else")
    return bundle


def say_ready(bundle):
    """From the host, through the container's root: the socket is what counts, not who writes."""
    eventually(lambda: os.path.exists(bundle.inside("tmp/there")) and read(bundle.inside("tmp/there")), 5, "the socket")
    path = "/proc/%d/root%s" % (bundle.pid(), read(bundle.inside("tmp/place")).strip())
    subprocess.run([sys.executable, "-c", NOTIFY, path], check=True, timeout=10)


def background(bundle, *arguments, **options):
    """A command of the runtime that does not end at once."""
    out = open(os.path.join(bundle.path, "background.out"), "wb")
    command = [*bundle.box.command, "--root", bundle.box.root, *arguments]
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True, **options
    )
    out.close()
    bundle.box.finally_do.append(lambda: (process.poll() is None and process.kill(), process.wait()))
    return process


@case
def ready_after_start(box):
    """start with NOTIFY_SOCKET waits for the container's READY=1, and tells the manager that and the pid of init"""
    manager = Manager(box)
    bundle = notifying(box)
    bundle.create(env=manager.environment()).ok()
    process = background(bundle, "start", bundle.id, env=manager.environment())
    eventually(lambda: bundle.state()["status"] == "running", 5, "a running container")
    say_ready(bundle)
    equal(manager.said(), ["READY=1", "MAINPID=%d" % bundle.pid(), "BARRIER=1"], "what the manager heard")
    check(ends(process, 10), "start went on after the container was ready")
    equal(process.returncode if process.poll() is not None else process.wait(), 0, "exit status of start")
    equal(read(bundle.inside("tmp/place")).strip(), "/run/notify/notify.sock", "NOTIFY_SOCKET inside")


@case
def ready_in_the_background(box):
    """run --detach with NOTIFY_SOCKET, an abstract one here, does the same"""
    manager = Manager(box, "@%s-%d" % (top.marker, box.number))
    bundle = notifying(box)
    bundle.save()
    process = background(bundle, "run", "--detach", "--bundle", bundle.path, bundle.id, env=manager.environment())
    eventually(lambda: bundle.verb("state", bundle.id).code == 0 and bundle.state()["status"] == "running", 5, "a start")
    say_ready(bundle)
    equal(manager.said(), ["READY=1", "MAINPID=%d" % bundle.pid(), "BARRIER=1"], "what the manager heard")
    check(ends(process, 10), "run --detach went on after the container was ready")
    equal(process.wait(), 0, "exit status of run")


@case
def ready_in_the_foreground(box):
    """run in the foreground tells the manager to watch the runtime, which stays with the container"""
    manager = Manager(box)
    bundle = notifying(box)
    bundle.save()
    process = background(bundle, "run", "--bundle", bundle.path, bundle.id, env=manager.environment())
    eventually(lambda: bundle.verb("state", bundle.id).code == 0 and bundle.state()["status"] == "running", 5, "a start")
    say_ready(bundle)
    said = manager.said()
    equal(said[0], "READY=1", "what the manager heard first")
    check("MAINPID=%d" % process.pid in said, "the manager heard", said, "and not the pid of the runtime", process.pid)
    equal(process.poll(), None, "end of run")
    bundle.kill(bundle.id, "KILL").ok()
    check(ends(process, 10), "run did not end with the container")
    equal(process.wait(), 137, "exit status of run")


@case
def never_ready(box):
    """start ends when a container ends that never was ready"""
    manager = Manager(box)
    bundle = box.bundle("exit 0")
    bundle.create(env=manager.environment()).ok()
    bundle.verb("start", bundle.id, env=manager.environment(), limit=10)
    bundle.wait("stopped")
    check(manager.is_silent(), "the manager heard something")


# Stands in for systemd: descriptors 3 and 4, with the pid of the runtime that it becomes.
ACTIVATE = """
import os, sys
os.dup2(os.open("/dev/null", os.O_RDONLY), 4)
first = os.open(sys.argv[1], os.O_RDONLY)
os.dup2(first, 3)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="2", LISTEN_FDNAMES="one:two")
os.execvp(sys.argv[2], sys.argv[2:])
"""


@case
def activated_descriptors(box):
    """descriptors of socket activation reach the first process, which is told of them as sd_listen_fds wants it"""
    path = write(os.path.join(box.path, "handed"), "handed on\n")
    bundle = box.bundle("cat <&3; echo $LISTEN_FDS $LISTEN_PID; ls /proc/$$/fd; echo end; exec sleep 100")
    bundle.create(prefix=[sys.executable, "-c", ACTIVATE, path]).ok()
    bundle.start().ok()
    eventually(lambda: bundle.output().endswith("end\n"), 5, "output")
    equal(bundle.output().splitlines(), ["handed on", "2 1", "0", "1", "2", "3", "4", "end"], "what it found")


@case
def activated_and_preserved(box):
    """--preserve-fds counts from behind the descriptors of socket activation"""
    path = write(os.path.join(box.path, "handed"), "handed on\n")
    last = write(os.path.join(box.path, "last"), "the last\n")
    also = "import os, sys; os.dup2(os.open(%r, os.O_RDONLY), 5); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    bundle = box.bundle("cat <&3; cat <&5; echo $LISTEN_FDS; ls /proc/$$/fd; exit 0")
    prefix = [sys.executable, "-c", also % last, "-c", ACTIVATE, path]
    result = bundle.run("--preserve-fds", "1", prefix=prefix).ok()
    equal(result.lines(), ["handed on", "the last", "2", "0", "1", "2", "3", "4", "5"], "what it found")


@case
def activation_of_others(box):
    """LISTEN_FDS that are meant for another process are not passed on"""
    bundle = box.bundle("echo .$LISTEN_FDS.$LISTEN_PID.; ls /proc/$$/fd; exit 0")
    environment = dict(os.environ, LISTEN_PID="1", LISTEN_FDS="1")
    result = bundle.run(env=environment, prefix=["/bin/sh", "-c", 'exec 3</dev/null; exec "$@"', "sh"]).ok()
    equal(result.lines(), ["...", "0", "1", "2"], "what it found")


@case
def preserved_but_closed(box):
    """--preserve-fds of a descriptor that is not open is refused"""
    box.older("runc version 1.1", "it does not look")
    bundle = box.bundle("true")
    bundle.run("--preserve-fds", "3").refused()
    sleeper = box.sleeper()
    sleeper.exec("/bin/true", options=["--preserve-fds", "3"]).refused()


def veth(box, prefix):
    """A pair of interfaces in network namespaces of this test. Returns the command prefix and the first name."""
    here = "%s%d" % (prefix, os.getpid() % 100000)
    holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"], stdin=subprocess.DEVNULL)
    box.mine.add(holder.pid)
    box.finally_do.append(lambda: (holder.kill(), holder.wait()))
    own = os.readlink("/proc/self/ns/net")
    eventually(lambda: os.readlink("/proc/%d/ns/net" % holder.pid) != own, 5, "a network namespace")
    enter = ["nsenter", "-t", str(holder.pid), "-n"]

    def ip(*words):
        subprocess.run([*enter, "ip", *words], check=True, timeout=10)

    ip("link", "add", here, "type", "veth", "peer", "name", "peer0")
    ip("link", "set", "peer0", "up")
    ip("link", "set", here, "up", "mtu", "1400")
    ip("addr", "add", "10.77.0.2/24", "brd", "+", "dev", here)
    ip("addr", "add", "10.77.9.2", "peer", "10.77.9.1/32", "dev", here)
    ip("addr", "add", "10.78.0.2/24", "scope", "link", "dev", here)
    ip("addr", "add", "10.79.0.2/24", "valid_lft", "900", "preferred_lft", "900", "dev", here)
    ip("addr", "add", "fd77::2/64", "nodad", "dev", here)
    return enter, here, ip


def inside_addresses(bundle, name):
    listed = subprocess.run(
        ["nsenter", "-t", str(bundle.pid()), "-n", "ip", "-j", "addr", "show", "dev", name],
        check=True, timeout=10, capture_output=True,
    )
    return json.loads(listed.stdout)[0]


@case
def network_devices(box):
    """an interface of linux.netDevices is moved, renamed and brought up, and keeps its permanent global addresses"""
    box.older("runc version 1.1", "it does not know linux.netDevices")
    enter, here, ip = veth(box, "rn")
    bundle = box.bundle("exec sleep 100")
    bundle.config["ociVersion"] = "1.3.0"
    bundle.linux["netDevices"] = {here: {"name": "inner0"}}
    bundle.create(prefix=enter).ok()
    bundle.start().ok()
    found = inside_addresses(bundle, "inner0")
    check("UP" in found["flags"], "the interface is not up:", found["flags"])
    equal(found["mtu"], 1400, "MTU")
    listed = sorted((each["local"], each["prefixlen"]) for each in found["addr_info"] if each["scope"] == "global")
    equal(listed, [("10.77.0.2", 24), ("10.77.9.2", 32), ("fd77::2", 64)], "global addresses")
    locals_ = [each["local"] for each in found["addr_info"]]
    check("10.78.0.2" not in locals_ and "10.79.0.2" not in locals_, "addresses that were to stay:", locals_)
    check(any(each.get("address") == "10.77.9.1" for each in found["addr_info"]), "the other end's address is lost")
    check(any(each.get("broadcast") == "10.77.0.255" for each in found["addr_info"]), "the broadcast address is lost")
    left = subprocess.run([*enter, "ip", "link", "show", "dev", here], timeout=10, capture_output=True)
    check(left.returncode != 0, "the interface is still outside")


@case
def network_devices_wrong(box):
    """an interface that is not there, or whose name is taken inside, is refused, and nothing is left"""
    box.older("runc version 1.1", "it does not know linux.netDevices")
    enter, here, ip = veth(box, "rw")
    bundle = box.bundle("true")
    bundle.config["ociVersion"] = "1.3.0"
    bundle.linux["netDevices"] = {"nosuch0": {}}
    check("nosuch0" in bundle.run(prefix=enter).refused().err, "the interface is not named")
    bundle.linux["netDevices"] = {here: {"name": "lo"}}
    bundle.run(prefix=enter).refused()
    equal(subprocess.run([*enter, "ip", "link", "show", "dev", here], timeout=10, capture_output=True).returncode, 0,
          "exit status of ip: the interface is to stay where it was")
    bundle.linux["netDevices"] = {here: {}}
    bundle.without_namespace("network")
    bundle.run(prefix=enter).refused()


def resctrl():
    with open("/proc/self/mountinfo") as mounts:
        found = [line.split() for line in mounts if " - resctrl " in line]
    return found[-1][4] if found else None


@case
def caches(box):
    """a class of caches is the container's own and goes with it; without resctrl it is refused, and nothing is left"""
    box.older("runc version 1.1", "it knows only the older fields")
    bundle = box.bundle("exec sleep 100")
    bundle.linux["intelRdt"] = {"enableMonitoring": True}
    place = resctrl()
    if place is None:
        err = bundle.run().refused().err
        check("resctrl" in err and "remove intelRdt" in err, "the words do not help:", err)
        bundle.linux["intelRdt"] = {"closID": "gold"}
        bundle.run().refused()
        return
    bundle.launch()
    own = os.path.join(place, bundle.id)
    for directory in (own, os.path.join(own, "mon_groups", bundle.id)):
        check(str(bundle.pid()) in read(os.path.join(directory, "tasks")).split(), "init is not in", directory)
    bundle.delete("--force").ok()
    check(not os.path.exists(own), "the class is left")


@case
def state_from_a_hook(box):
    """the runtime asked from a hook at create tells that the container is creating, and the pid of its init"""
    box.older("runc version 1.1", "its hooks at create do not find the container")
    for kind in ("prestart", "createRuntime"):
        bundle = box.bundle("exec sleep 100")
        command = " ".join(["'%s'" % each for each in (*box.command, "--root", box.root, "state", bundle.id)])
        path = os.path.join(box.path, "state-" + kind)
        hook = {"path": "/bin/sh", "args": ["sh", "-c", "cat >%s.in; %s >%s 2>&1" % (path, command, path)]}
        hook["env"] = ["PATH=/usr/sbin:/usr/bin:/bin"]
        bundle.config["hooks"] = {kind: [hook]}
        bundle.launch()
        found = json.loads(read(path))
        equal((found["status"], found["pid"]), ("creating", bundle.pid()), "status and pid from " + kind)
        equal(json.loads(read(path + ".in"))["pid"], found["pid"], "pid that the hook was given")


@case
def hooks_numbered(box):
    """a warning or an error about a hook has its kind and its number"""
    box.older("runc version 1.1", "it does not say the kind of the hook")
    bundle = box.bundle("exec sleep 100")
    good, bad = {"path": "/bin/true"}, {"path": "/bin/false"}
    bundle.config["hooks"] = {"createRuntime": [good, good, bad]}
    check("createRuntime hook #2" in bundle.create().refused().err, "the number of the third hook is missing")
    bundle = box.bundle("exec sleep 100")
    bundle.config["hooks"] = {"poststop": [good, bad]}
    bundle.launch().end()
    check("poststop hook #1" in bundle.delete().err, "the number of the second hook is missing")


@case
def out_of_memory(box):
    """events tells of a process that the kernel killed for want of memory"""
    bundle = box.bundle("while [ ! -e /tmp/go ]; do sleep 0.05; done; tail /dev/zero; exec sleep 100")
    bundle.linux["resources"]["memory"] = {"limit": 16 << 20, "swap": 16 << 20}
    bundle.launch()
    bundle.cgroup("memory")
    process = background(bundle, "events", "--interval", "100ms", bundle.id)
    path = os.path.join(bundle.path, "background.out")
    eventually(lambda: '"stats"' in read(path), 10, "statistics")
    write(bundle.inside("tmp/go"), "")

    def told():
        lines = [json.loads(each) for each in read(path).split("\n")[:-1]]
        return any(each["type"] == "oom" and each["id"] == bundle.id for each in lines)

    eventually(told, 15, "an event of the type oom")
    bundle.end()
    box.older("runc version 1.1", "its events goes on after the container's end")
    check(ends(process, 10), "events did not end with the container")
    equal(process.wait(), 0, "exit status of events")
