"""What the shim answers to requests: its whole service, without containerd."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import check, equal, eventually  # noqa: E402
from oci_bundle import call, make_rootfs, read, top, write  # noqa: E402
from oci_config import base_config  # noqa: E402
from shim_client import Connection, decode, first, memory  # noqa: E402
from shim_direct import PAUSED, RUNNING, STOPPED, Direct, direct_case, program, shims  # noqa: E402


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
    before = memory(shim)
    time.sleep(0.5)
    check(memory(shim) < before + 128, "the shim grows")
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
    equal(read(os.path.join(upper, "tmp/file")), "x\n", "the upper file")
    check(not os.path.exists(os.path.join(lower, "tmp/file")), "the lower layer was written")
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
    resources = [(1, "types.containerd.io/opencontainers/runtime-spec/1/LinuxResources")]
    task.call("Update", (2, [*resources, (2, json.dumps({"pids": {"limit": 77}}))]))
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


def removed(group):
    try:
        os.rmdir(group)
    except OSError as reason:
        if reason.errno != errno.EBUSY:
            raise
        return False
    return True


@direct_case
def own_group(box):
    """the options' control group has the shim, their folder the runtime's states, their user the pipes"""
    group = "/%s/%s-shim" % (top.marker, top.marker)
    roots = [each for each in ("memory", "pids") if os.path.isdir("/sys/fs/cgroup/" + each)]
    folders = ["/sys/fs/cgroup/%s%s" % (each, group) for each in roots or [""]]
    for each in folders:
        os.makedirs(each)
        # A group is busy until the kernel has done with the shim that was told to end.
        box.finally_do.append(lambda each=each: eventually(lambda: removed(each), 5, each + " without processes"))
    states = box.folder("other-states")
    options = [(3, group), (4, 1000), (5, 1001), (7, states)]

    def as_user(config):
        config["process"]["user"] = {"uid": 1000, "gid": 1000}

    task = Direct(box, "group", "sleep 100", options=options, change=as_user).run()
    (shim,) = shims()
    check(group in read("/proc/%d/cgroup" % shim), "the shim's groups are", read("/proc/%d/cgroup" % shim))
    check(group not in read("/proc/%d/cgroup" % task.pid), "the container is in the shim's group")
    equal(os.listdir(os.path.join(states, top.marker)), [task.name], "states")
    # What is the user's already is left as it is by the runtime.
    pipe = os.stat("/proc/%d/fd/1" % task.pid)
    equal((pipe.st_uid, pipe.st_gid), (1000, 1001), "owner of the output")


@direct_case
def file_output(box):
    """output goes to files and programs as containerd names them"""
    path = os.path.join(box.path, "logs/out")
    script = '#!/bin/sh\necho "$CONTAINER_ID $1 $2" > "$2"; exec cat <&3 >> "$2"\n'
    write(os.path.join(box.path, "logger"), script, 0o755)
    for name, uri in (("file", "file://" + path), ("binary", "binary://%s/logger?to=%s.b" % (box.path, path))):
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
    for number, words in enumerate(("start", "-namespace x", "-namespace x -id a/b start", "-x")):
        call([program(), *words.split()], os.path.join(box.path, "wrong%d" % number)).refused()
