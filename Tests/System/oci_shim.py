"""Drives the program as containerd's shim: all cases of oci_containerd.py, and what only the shim itself decides.

    python3 Tests/System/oci_shim.py 'path/to/rondo oci' [WORD ...]

Needs what oci_containerd.py needs. Some cases speak the shim's protocol themselves, in containerd's place.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

import oci_containerd  # noqa: E402
from harness import TESTS, at_end, check, clean, equal, eventually, finish, run_tests  # noqa: E402
from oci_bundle import case, call, make_rootfs, need_machine, parse_arguments, read, top, write  # noqa: E402
from oci_config import base_config  # noqa: E402
from oci_containerd import containerd, ctr_case, restart  # noqa: E402
from shim_client import (  # noqa: E402
    Connection,
    Events,
    decode,
    encode,
    first,
    proportional_set_size,
    start,
)

NAME = "containerd-shim-rondo-v2"
RUNNING, STOPPED, PAUSED = 2, 3, 4


def shims(namespace=None):
    """Processes of shims by their number."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = read("/proc/%s/cmdline" % name).split("\0")
        except OSError:
            continue
        if command[0].endswith(NAME) and (namespace or top.marker) in command:
            found[int(name)] = command
    return found


def sockets():
    return set(os.listdir("/run/containerd/s")) if os.path.isdir("/run/containerd/s") else set()


# Through containerd


@ctr_case
def events_of_a_life(box):
    """containerd is told of every step, in order"""
    path = os.path.join(box.path, "events")
    with open(path, "wb") as file:
        listener = subprocess.Popen([*containerd.command, "events"], stdout=file, stdin=subprocess.DEVNULL)
    try:
        time.sleep(0.5)  # nothing tells when ctr has subscribed
        name = containerd.start("sh", "-c", "trap 'exit 3' USR1; while :; do sleep 0.05; done")
        containerd("tasks", "exec", "--exec-id", "e1", name, "sh", "-c", "exit 9")
        containerd("tasks", "pause", name).ok()
        containerd("tasks", "resume", name).ok()
        containerd("tasks", "kill", "--signal", "SIGUSR1", name).ok()
        eventually(lambda: containerd.status(name) == "STOPPED", 10, "the end")
        containerd("tasks", "delete", name)
        eventually(lambda: "/tasks/delete" in read(path), 10, "the last event")
    finally:
        listener.kill()
        listener.wait()
    lines = [line.split(" ", 6) for line in read(path).split("\n") if "/tasks/" in line]
    topics = [word.rsplit("/", 1)[1] for line in lines for word in line if word.startswith("/tasks/")]
    wanted = ["create", "start", "exec-added", "exec-started", "exit", "paused", "resumed", "exit", "delete"]
    equal(topics[: len(wanted)], wanted, "events")
    exits = [json.loads(line[-1]) for line in lines if "/tasks/exit" in line]
    equal([(each["id"], each.get("exit_status", 0)) for each in exits][:2], [("e1", 9), (name, 3)], "exits")


@ctr_case
def end_without_daemon(box):
    """a task that ends while containerd is away has its exit code afterwards"""
    name = containerd.start("sh", "-c", "trap 'exit 5' USR1; while :; do sleep 0.05; done")
    pid = containerd.tasks()[name][0]
    before = set(shims())

    def meanwhile():
        os.kill(pid, signal.SIGUSR1)
        eventually(lambda: not os.path.exists("/proc/%d" % pid), 10, "the end")

    restart(meanwhile)
    box.mine = {containerd.daemon.pid}
    eventually(lambda: containerd.tasks().get(name, (0, ""))[1] == "STOPPED", 20, "the task")
    equal(set(shims()), before, "shims")
    check("exit code 5" in containerd("tasks", "delete", name).err, "the code is another")


@ctr_case
def shim_is_killed(box):
    """containerd cleans up after a shim that was killed"""
    before = sockets()
    name = containerd.start("sleep", "100")
    pid = containerd.tasks()[name][0]
    (shim,) = shims()
    os.kill(shim, signal.SIGKILL)
    eventually(lambda: name not in containerd.tasks(), 10, "the task's removal")
    check(not os.path.exists("/proc/%d" % pid) or " Z " in read("/proc/%d/stat" % pid), "the process lives on")
    eventually(lambda: sockets() == before, 10, "the socket's removal")


@ctr_case
def nothing_left(box):
    """after many tasks there is no shim, socket or bundle"""
    before = sockets()
    for number in range(5):
        containerd.run("sh", "-c", "exit %d" % number)
    equal(len(shims()), 0, "shims")
    equal(sockets(), before, "sockets")
    state = os.path.join(containerd.path, "state/io.containerd.runtime.v2.task", top.marker)
    equal(os.listdir(state), [], "bundles")


@ctr_case
def much_output(box):
    """a flood of output arrives whole, and the shim does not grow"""
    size = 32 << 20
    name = containerd.start("sleep", "100")
    (shim,) = shims()
    before = proportional_set_size(shim)
    words = [*containerd.command, "tasks", "exec", "--exec-id", "e1", name, "sh", "-c", "head -c %d /dev/zero" % size]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    count, greatest = 0, 0
    while True:
        part = process.stdout.read(1 << 20)
        if not part:
            break
        count += len(part)
        greatest = max(greatest, proportional_set_size(shim))
    equal((process.wait(20), count), (0, size), "code and bytes")
    check(greatest < before + 256, "the shim took %d KiB instead of %d" % (greatest, before))


@ctr_case
def nothing_stays_open(box):
    """after many processes a shim has no more open files than before"""
    name = containerd.start("sleep", "100")
    (shim,) = shims()
    containerd("tasks", "exec", "--exec-id", "e", name, "true").ok()
    before = len(os.listdir("/proc/%d/fd" % shim))
    for number in range(12):
        containerd("tasks", "exec", "--exec-id", "e%d" % number, name, "sh", "-c", "echo x; echo y >&2").ok()
    containerd("tasks", "exec", "--exec-id", "f", name, "nosuchprogram").refused()
    equal(len(os.listdir("/proc/%d/fd" % shim)), before, "open files")


@ctr_case
def metrics(box):
    """metrics have numbers of memory, processor and processes"""
    name = containerd.start("sh", "-c", "x=0; while [ $x -lt 20000 ]; do x=$((x+1)); done; sleep 100")
    found = json.loads(containerd("tasks", "metrics", "--format", "json", name).ok().out)
    text = json.dumps(found)
    check('"usage"' in text and "memory" in text, "metrics are", text[:300])
    if "pids" in found and os.path.isdir("/sys/fs/cgroup/pids"):
        check(found["pids"].get("current", 0) >= 1, "pids are", found["pids"])
        check(int(found["cpu"]["usage"]["total"]) > 0, "cpu is", found["cpu"])
        check(int(found["memory"]["usage"]["usage"]) > 0, "memory is", found["memory"])


@ctr_case
def oom_event(box):
    """a process killed for want of memory is told as such"""
    path = os.path.join(box.path, "events")
    with open(path, "wb") as file:
        listener = subprocess.Popen([*containerd.command, "events"], stdout=file, stdin=subprocess.DEVNULL)
    try:
        time.sleep(0.5)  # nothing tells when ctr has subscribed
        script = "sleep 0.3; tail -c 300000000 /dev/zero; exit 0"
        name = containerd.start("sh", "-c", script, options=["--memory-limit", str(16 << 20)])
        eventually(lambda: "/tasks/oom" in read(path), 20, "the event")
        eventually(lambda: containerd.status(name) == "STOPPED", 10, "the end")
    finally:
        listener.kill()
        listener.wait()


@ctr_case
def memory_of_shims(box):
    """four shims with a task each take little memory"""
    for _ in range(4):
        containerd.start("sleep", "100")
    equal(len(shims()), 4, "shims")
    time.sleep(1)  # an idle shim gives back what it does not need
    sizes = [proportional_set_size(pid) for pid in shims()]
    print("      idle shims of %s KiB" % ", ".join(map(str, sizes)))
    # A program that is not the shipped file may have more.
    check(max(sizes) < 2048, "shims take", sizes)


# Without containerd


class Direct:
    """A container made by requests to a shim."""

    def __init__(
        self, box, name, script, annotations=None, terminal=False, fifos=True, mounts=(), change=None, options=None
    ):
        self.box, self.name = box, "%s-%s" % (top.marker, name)
        self.bundle = box.folder("bundles", self.name)
        self.rootfs = os.path.join(self.bundle, "rootfs")
        config = base_config(top.marker, "/%s/%s" % (top.marker, self.name))
        config["process"]["args"] = ["/bin/sh", "-c", script]
        config["process"]["terminal"] = terminal
        config["root"]["path"] = "rootfs"
        config["annotations"] = annotations or {}
        if change:
            change(config)
        write(os.path.join(self.bundle, "config.json"), json.dumps(config))
        if not mounts:
            make_rootfs(self.rootfs)
        # containerd makes it and reads it into its own log.
        log = os.path.join(self.bundle, "log")
        os.mkfifo(log)
        self.files = {"log": os.open(log, os.O_RDWR | os.O_NONBLOCK)}
        any_options = [(1, "containerd.runc.v1.Options"), (2, options or [])]
        self.socket = start(
            program(),
            self.bundle,
            top.marker,
            self.name,
            environment={"TTRPC_ADDRESS": box.events.path},
            stdin=encode(*any_options) if options else b"",
        )
        self.paths = {}
        if fifos:
            for each in ("in", "out") if terminal else ("in", "out", "err"):
                self.paths[each] = os.path.join(box.path, "%s.%s" % (self.name, each))
                os.mkfifo(self.paths[each])
                self.files[each] = os.open(self.paths[each], (os.O_RDWR if each == "in" else os.O_RDONLY) | os.O_NONBLOCK)
        self.shim = Connection(self.socket)
        box.finally_do.append(self.end)
        self.request = [
            (1, self.name),
            (2, self.bundle),
            *((3, mount) for mount in mounts),
            (4, int(terminal)),
            (5, self.paths.get("in", "")),
            (6, self.paths.get("out", "")),
            (7, self.paths.get("err", "")),
            *([(10, any_options)] if options else []),
        ]

    def create(self):
        self.pid = first(self.shim.call("Create", *self.request), 1)
        return self

    def call(self, method, *fields, **options):
        return self.shim.call(method, (1, self.name), *fields, **options)

    def refused(self, method, *fields):
        return self.shim.refused(method, (1, self.name), *fields)

    def run(self):
        self.create()
        self.call("Start")
        return self

    def state(self, *fields):
        return first(self.call("State", *fields), 4)

    def wait(self, *fields):
        return first(self.call("Wait", *fields), 1)

    def say(self, data):
        while data:
            try:
                data = data[os.write(self.files["in"], data) :]
            except BlockingIOError:
                time.sleep(0.01)

    def close_input(self):
        self.call("CloseIO", (3, 1))
        os.close(self.files.pop("in"))

    def read_until(self, stream, wanted):
        """Bytes of a stream until these words, or to its end for none."""
        data = b""
        deadline = time.monotonic() + 20
        while wanted is None or wanted not in data:
            check(time.monotonic() < deadline, "no %r, only %r" % (wanted, data[-200:]))
            try:
                part = os.read(self.files[stream], 1 << 16)
            except BlockingIOError:
                time.sleep(0.005)
                continue
            if not part:
                return data
            data += part
        return data

    def end(self):
        try:
            self.shim.close()
            last = Connection(self.socket)
            try:
                last.call("Kill", (1, self.name), (3, 9), (4, 1))
                last.call("Wait", (1, self.name))
            except Exception:
                pass
            try:
                last.call("Delete", (1, self.name))
            except Exception:
                pass
            last.call("Shutdown", (1, self.name))
            last.close()
            eventually(lambda: not os.path.exists(self.socket), 10, "the socket's removal")
        except (OSError, AssertionError):
            pass
        for each in self.files.values():
            os.close(each)
        self.files = {}


def program():
    return os.path.join(containerd.shim, NAME)


def direct_case(function):
    def with_events(box):
        box.root = os.path.join("/run/containerd/rondo", top.marker)
        box.mine = {containerd.daemon.pid}
        box.events = Events(os.path.join(box.path, "events.sock"))
        box.finally_do.append(box.events.close)
        function(box)

    with_events.__doc__, with_events.__name__ = function.__doc__, function.__name__
    return case(with_events)


@direct_case
def whole_life_by_requests(box):
    """create, start, wait, delete and shutdown do what they say, with events in order"""
    task = Direct(box, "life", "echo out; echo err >&2; exit 7")
    task.create()
    equal(task.state(), 1, "status")
    equal(first(task.call("Connect"), 2), task.pid, "pid")
    task.call("Start")
    equal(task.wait(), 7, "code")
    equal((task.read_until("out", b"\n"), task.read_until("err", b"\n")), (b"out\n", b"err\n"), "output")
    equal(task.state(), STOPPED, "status")
    deleted = task.call("Delete")
    equal((first(deleted, 1), first(deleted, 2)), (task.pid, 7), "pid and code")
    equal(task.read_until("out", None), b"", "rest of the output")
    equal(task.refused("State").code, 5, "refusal")
    task.call("Shutdown")
    eventually(lambda: not shims(), 10, "the shim's end")
    box.events.wait("create", "start", "exit", "delete")


@direct_case
def closed_input(box):
    """input ends only when it is closed, and then at once"""
    task = Direct(box, "input", "cat; echo end").run()
    data = os.urandom(300_000).hex().encode()
    task.say(data[:100])
    equal(task.read_until("out", data[:100]), data[:100], "first part")
    # A client that goes and one that comes: the input goes on.
    os.close(task.files["in"])
    task.files["in"] = os.open(task.paths["in"], os.O_WRONLY | os.O_NONBLOCK)
    sent, got = 100, b""
    while len(got) < len(data) - 100:
        try:
            sent += os.write(task.files["in"], data[sent : sent + 4096])
        except BlockingIOError:
            pass
        try:
            got += os.read(task.files["out"], 1 << 16)
        except BlockingIOError:
            pass
    equal(got == data[100:], True, "the same bytes")
    task.close_input()
    equal(task.read_until("out", b"end\n"), b"end\n", "the end")
    equal(task.wait(), 0, "code")


@direct_case
def slow_reader(box):
    """output that nobody reads makes the container wait, not the shim grow; then all of it arrives"""
    size = 20 << 20
    task = Direct(box, "slow", "head -c %d /dev/zero; echo done >&2" % size).run()
    (shim,) = shims()
    before = proportional_set_size(shim)
    time.sleep(0.5)
    check(proportional_set_size(shim) < before + 128, "the shim grows")
    equal(task.state(), RUNNING, "status")
    count = 0
    while count < size:
        try:
            count += len(os.read(task.files["out"], 1 << 20))
        except BlockingIOError:
            time.sleep(0.001)
    equal(task.wait(), 0, "code")
    task.call("Delete")
    equal((count, task.read_until("out", None)), (size, b""), "bytes")


@direct_case
def readers_change(box):
    """a client that reads output may go, and another come"""
    task = Direct(box, "readers", "echo one; read x; echo two; sleep 100").run()
    equal(task.read_until("out", b"\n"), b"one\n", "first")
    os.close(task.files["out"])
    task.say(b"\n")
    time.sleep(0.2)
    task.files["out"] = os.open(task.paths["out"], os.O_RDONLY | os.O_NONBLOCK)
    equal(task.read_until("out", b"\n"), b"two\n", "second")
    equal(task.state(), RUNNING, "status")


@direct_case
def late_reader(box):
    """create waits for whoever is to read the output"""
    task = Direct(box, "late", "echo here")
    os.close(task.files["out"])
    stream = task.shim.ask("Create", *task.request)
    time.sleep(0.3)
    task.files["out"] = os.open(task.paths["out"], os.O_RDONLY | os.O_NONBLOCK)
    check(first(task.shim.answer(stream), 1) > 0, "no pid")
    task.call("Start")
    equal(task.wait(), 0, "code")
    task.call("Delete")
    equal(task.read_until("out", None), b"here\n", "output")


@direct_case
def group(box):
    """the containers of a pod share a shim, which goes with the last of them"""
    annotations = {"io.kubernetes.cri.sandbox-id": "pod"}
    one = Direct(box, "one", "sleep 100", annotations=annotations).run()
    two = Direct(box, "two", "exit 4", annotations=annotations).run()
    alone = Direct(box, "alone", "sleep 100").run()
    equal((one.socket == two.socket, one.socket == alone.socket), (True, False), "same sockets")
    equal(first(one.call("Connect"), 1), first(two.call("Connect"), 1), "shim")
    equal(two.wait(), 4, "code")
    two.call("Delete")
    two.call("Shutdown")
    equal(one.state(), RUNNING, "status of the other")
    one.call("Kill", (3, 9))
    equal(one.wait(), 137, "code")
    one.call("Delete")
    one.call("Shutdown")
    eventually(lambda: not os.path.exists(one.socket), 10, "the socket's removal")
    equal(alone.state(), RUNNING, "status of the third")


@direct_case
def added_processes(box):
    """exec starts processes that can be asked, killed, waited for and deleted"""
    task = Direct(box, "added", "sleep 100").run()
    spec = json.loads(read(os.path.join(task.bundle, "config.json")))["process"]
    spec["args"] = ["/bin/sh", "-c", "echo added; trap 'exit 6' TERM; while :; do sleep 0.05; done"]
    out = os.path.join(box.path, "added.out")
    os.mkfifo(out)
    task.files["added"] = os.open(out, os.O_RDONLY | os.O_NONBLOCK)
    any_spec = [(1, "types.containerd.io/opencontainers/runtime-spec/1/Process"), (2, json.dumps(spec))]
    task.call("Exec", (2, "e1"), (5, out), (7, any_spec))
    equal(task.refused("Exec", (2, "e1"), (5, out), (7, any_spec)).code, 6, "refusal of the same name")
    equal(task.refused("Exec", (2, "../x"), (7, any_spec)).code, 3, "refusal of a path")
    equal(task.state((2, "e1")), 1, "status")
    pid = first(task.call("Start", (2, "e1")), 1)
    equal(task.read_until("added", b"\n"), b"added\n", "output")
    equal(task.refused("Delete", (2, "e1")).code, 9, "refusal to delete")
    infos = [decode(each) for each in task.call("Pids").get(1, [])]
    named = {first(info, 1): first(decode(first(decode(first(info, 2, b"")), 2, b"")), 1, b"") for info in infos}
    equal(named.get(pid), b"e1", "name in the list of processes")
    check(task.pid in named, "the first process is not in the list")
    waiting = task.shim.ask("Wait", (1, task.name), (2, "e1"))
    task.call("Kill", (2, "e1"), (3, signal.SIGTERM))
    equal(first(task.shim.answer(waiting), 1), 6, "code")
    equal(task.refused("Kill", (2, "e1"), (3, 9)).code, 5, "refusal to kill")
    equal(first(task.call("Delete", (2, "e1")), 2), 6, "code")
    equal(task.refused("State", (2, "e1")).code, 5, "refusal afterwards")
    spec["args"] = ["/bin/sh", "-c", "exit 8"]
    task.call("Exec", (2, "config"), (7, [(1, "x"), (2, json.dumps(spec))]))
    task.call("Start", (2, "config"))
    equal(task.wait((2, "config")), 8, "code of a process named as a file of the bundle")
    task.call("Delete", (2, "config"))
    check("args" in read(os.path.join(task.bundle, "config.json")), "the bundle's configuration is another")
    spec["args"] = ["/nosuchprogram"]
    task.call("Exec", (2, "e2"), (7, [(1, "x"), (2, json.dumps(spec))]))
    check("nosuchprogram" in task.refused("Start", (2, "e2")).text, "the name is missing")
    task.call("Delete", (2, "e2"))
    equal(task.state(), RUNNING, "status")
    one = ["exec-added", "exec-started", "exit"]
    box.events.wait("create", "start", *one, *one, "exec-added")


@direct_case
def terminal(box):
    """a terminal has its size, gives and takes, and its end is its process's"""
    task = Direct(box, "terminal", "echo ready; read x; stty size; tty; exit 5", terminal=True).create()
    task.call("ResizePty", (3, 91), (4, 31))
    task.call("Start")
    task.read_until("out", b"ready")
    task.say(b"\n")
    text = task.read_until("out", b"/dev/")
    check(b"31 91" in text, "the size is", text)
    equal(task.wait(), 5, "code")
    task.call("Delete")
    check((text + task.read_until("out", None)).endswith(b"\r\n"), "the end is missing")


@direct_case
def overlay(box):
    """the root is mounted as the request says, and unmounted at the end"""
    lower, upper, work = box.folder("lower"), box.folder("upper"), box.folder("work")
    shutil.rmtree(lower)
    make_rootfs(lower)
    options = ["index=off", "workdir=" + work, "upperdir=" + upper, "lowerdir=" + lower]
    mount = [(1, "overlay"), (2, "overlay"), *((4, each) for each in options)]
    task = Direct(box, "overlay", "echo x > /tmp/file", mounts=[mount]).run()
    equal(task.wait(), 0, "code")
    check(task.rootfs in read("/proc/self/mountinfo"), "no mount")
    task.call("Delete")
    check(task.rootfs not in read("/proc/self/mountinfo"), "the mount is still there")
    equal((read(os.path.join(upper, "tmp/file")), os.path.exists(os.path.join(lower, "tmp/file"))), ("x\n", False), "files")
    broken = [(1, "overlay"), (2, "overlay"), (4, "lowerdir=/nosuchfolder")]
    task = Direct(box, "broken", "true", mounts=[broken])
    check("overlay" in task.shim.refused("Create", *task.request).text, "no word of overlay")


@direct_case
def limits(box):
    """pause, update and stats reach the container's groups"""
    task = Direct(box, "limits", "sleep 100").run()
    task.call("Pause")
    equal(task.state(), PAUSED, "status")
    equal(task.refused("Pause").code, 9, "refusal")
    task.call("Resume")
    equal(task.state(), RUNNING, "status")
    resources = {"pids": {"limit": 77}}
    task.call("Update", (2, [(1, "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources"), (2, json.dumps(resources))]))
    stats = decode(first(task.call("Stats"), 1))
    kind = first(stats, 1).decode()
    check(kind.startswith("io.containerd.cgroups.v") and kind.endswith(".Metrics"), "the type is", kind)
    pids = decode(first(decode(first(stats, 2)), 2 if ".v1." in kind else 1))
    equal((first(pids, 1), first(pids, 2)), (1, 77), "processes and their limit")


@direct_case
def shared_processes(box):
    """without a pid namespace of its own, what a container has left behind is killed with it"""

    def share(config):
        spaces = config["linux"]["namespaces"]
        config["linux"]["namespaces"] = [each for each in spaces if each["type"] != "pid"]

    task = Direct(box, "shared", "sleep 4711 & exit 3", fifos=False, change=share).run()
    equal(task.wait(), 3, "code")
    task.call("Delete")
    left = [name for name in os.listdir("/proc") if name.isdigit() and os.path.exists("/proc/%s/cmdline" % name)]
    for name in left:
        try:
            command = read("/proc/%s/cmdline" % name)
        except OSError:
            continue
        check("sleep\x004711" not in command, "a process is left")


@direct_case
def refusals_of_requests(box):
    """what cannot be done is refused with the code for it, and harms nobody"""
    task = Direct(box, "refusals", "sleep 100").run()
    equal(task.refused("Checkpoint", (2, "/x")).code, 12, "checkpoint")
    equal(task.refused("Nothing").code, 12, "unknown method")
    equal(task.shim.refused("State", (1, task.name), service="other.Service").code, 12, "unknown service")
    equal(first(task.call("State", service="containerd.task.v3.Task"), 4), RUNNING, "the newer service")
    equal(task.shim.refused("State", (1, "other")).code, 5, "unknown container")
    equal(task.shim.refused("State", raw=b"\xff").code, 3, "malformed message")
    equal(task.shim.refused("Create", *task.request).code, 6, "the same container")
    equal(task.refused("Start").code, 9, "start of what runs")
    equal(task.refused("Delete").code, 9, "delete of what runs")
    wrong = [(1, "x.Options"), (2, b"")]
    equal(task.shim.refused("Create", (1, "new"), (2, task.bundle), (10, wrong)).code, 3, "unknown options")
    for garbage in (b"\xff" * 4096, b"\0" * 10, b"\0\0\0\x05\0\0\0\x01\x01\0abc", b"GET / HTTP/1.1\r\n\r\n"):
        other = Connection(task.socket)
        other.socket.sendall(garbage)
        other.close()
    many = [Connection(task.socket) for _ in range(50)]
    for each in many:
        each.ask("Wait", (1, task.name))
        each.close()
    task.call("Shutdown")
    equal(task.state(), RUNNING, "status after all")


@direct_case
def oom_score(box):
    """the shim is the kernel's choice before containerd, not after"""
    Direct(box, "score", "sleep 100").run()
    (shim,) = shims()
    equal(int(read("/proc/%d/oom_score_adj" % shim)), min(int(read("/proc/self/oom_score_adj")) + 1, 1000), "score")


@direct_case
def own_group(box):
    """the options' control group has the shim, their folder the runtime's states, their user the pipes"""
    group = "/%s/%s-shim" % (top.marker, top.marker)
    roots = [each for each in ("memory", "pids") if os.path.isdir("/sys/fs/cgroup/" + each)]
    folders = ["/sys/fs/cgroup/%s%s" % (each, group) for each in roots or [""]]
    for each in folders:
        os.makedirs(each)
        box.finally_do.append(lambda each=each: os.rmdir(each))
    states = box.folder("other-states")
    options = [(3, group), (4, 1000), (5, 1000), (7, states)]
    task = Direct(box, "group", "stat -c %u:%g /proc/self/fd/1; sleep 100", options=options).run()
    (shim,) = shims()
    check(group in read("/proc/%d/cgroup" % shim), "the shim's groups are", read("/proc/%d/cgroup" % shim))
    check(group not in read("/proc/%d/cgroup" % task.pid), "the container is in the shim's group")
    equal(os.listdir(os.path.join(states, top.marker)), [task.name], "states")
    # The runtime gives the streams to the container's user, but not to its group.
    equal(os.stat("/proc/%d/fd/1" % task.pid).st_gid, 1000, "group of the output")


@direct_case
def file_output(box):
    """output goes to files and programs as containerd names them"""
    path = os.path.join(box.path, "logs/out")
    script = write(os.path.join(box.path, "logger"), '#!/bin/sh\necho "$CONTAINER_ID $1 $2" > "$2"; exec cat <&3 >> "$2"\n', 0o755)
    for name, uri in (("file", "file://" + path), ("binary", "binary://%s?to=%s.b" % (script, path))):
        task = Direct(box, name, "echo out; echo err >&2", fifos=False)
        task.request = [each for each in task.request if each[0] not in (6, 7)] + [(6, uri), (7, uri)]
        task.run()
        equal(task.wait(), 0, "code")
        task.call("Delete")
    equal(sorted(read(path).split()), ["err", "out"], "the file")
    wanted = "%s-binary to %s.b\nout\n" % (top.marker, path)
    eventually(lambda: os.path.exists(path + ".b") and read(path + ".b") == wanted, 10, "the program's file")


@direct_case
def publish_program(box):
    """without a socket for events, containerd's program gets them"""
    out = os.path.join(box.path, "published")
    script = write(os.path.join(box.path, "publish"), '#!/bin/sh\necho "$@" >> %s; cat > /dev/null\n' % out, 0o755)
    bundle = box.folder("bundle")
    make_rootfs(os.path.join(bundle, "rootfs"))
    name = top.marker + "-published"
    config = base_config(top.marker, "/%s/%s" % (top.marker, name))
    config["process"]["args"] = ["true"]
    write(os.path.join(bundle, "config.json"), json.dumps(config))
    words = ["-namespace", top.marker, "-address", "/a", "-publish-binary", script, "-id", name, "start"]
    environment = {key: value for key, value in os.environ.items() if key != "TTRPC_ADDRESS"}
    result = call([program(), *words], os.path.join(box.path, "start"), cwd=bundle, env=environment).ok()
    shim = Connection(result.out[len("unix://") :])
    shim.call("Create", (1, name), (2, bundle))
    shim.call("Start", (1, name))
    equal(first(shim.call("Wait", (1, name)), 1), 0, "code")
    shim.call("Delete", (1, name))
    shim.call("Shutdown", (1, name))
    eventually(lambda: not shims(), 10, "the shim's end")
    lines = read(out).split("\n")[:-1]
    equal(lines[0], "--address /a publish --topic /tasks/create --namespace " + top.marker, "the first call")
    equal([line.split()[4].rsplit("/", 1)[1] for line in lines], ["create", "start", "exit", "delete"], "events")


@direct_case
def flags(box):
    """-v and -info say what this is, and wrong calls are refused"""
    result = call([program(), "-v"], os.path.join(box.path, "v")).ok()
    check(result.out, "no version")
    found = subprocess.run([program(), "-info"], input=b"", capture_output=True, timeout=10)
    info = decode(found.stdout)
    equal(first(info, 1), b"io.containerd.rondo.v2", "name")
    features = json.loads(first(decode(first(info, 4)), 2))
    check("linux" in features, "features are", features)
    for number, words in enumerate((["start"], ["-namespace", "x"], ["-namespace", "x", "-id", "a/b", "start"], ["-x"])):
        call([program(), *words], os.path.join(box.path, "wrong%d" % number)).refused()


def main():
    command, words = parse_arguments("oci_shim.py")
    need_machine("containerd", "ctr")
    mine = [each for each in TESTS if each.__module__ in (__name__, oci_containerd.__name__)]
    try:
        top.begin(command)
        containerd.shim = os.path.join(top.path, "bin")
        os.mkdir(containerd.shim)
        os.symlink(command[0], program())
        at_end(remove_states)
        containerd.begin()
        print(top.version)
        counts = run_tests(mine, words, limit=90)
    except BaseException:
        clean()
        raise
    finish(*counts)


def remove_states():
    try:
        os.rmdir(os.path.join(containerd.states(), top.marker))
    except OSError:
        pass


if __name__ == "__main__":
    main()
