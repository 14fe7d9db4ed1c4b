"""Drives the program as containerd's shim: all cases of oci_containerd.py, and what only the shim itself decides.

    python3 Tests/System/oci_shim.py 'path/to/rondo oci' [WORD ...]

Needs what oci_containerd.py needs. Some cases speak the shim's protocol themselves, in containerd's place.
"""

import json
import os
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

import oci_containerd  # noqa: E402
import shim_direct  # noqa: E402
import shim_requests  # noqa: E402
from harness import TESTS, at_end, check, clean, equal, eventually, finish, run_tests  # noqa: E402
from oci_bundle import need_machine, parse_arguments, read, top  # noqa: E402
from oci_containerd import containerd, ctr_case, restart  # noqa: E402
from shim_client import memory  # noqa: E402
from shim_direct import program, shims, sockets  # noqa: E402


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
    before = memory(shim)
    words = [*containerd.command, "tasks", "exec", "--exec-id", "e1", name, "sh", "-c", "head -c %d /dev/zero" % size]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    count, greatest = 0, 0
    while True:
        part = process.stdout.read(1 << 20)
        if not part:
            break
        count += len(part)
        greatest = max(greatest, memory(shim))
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
    sizes = [memory(pid, "Pss") for pid in shims()]
    print("      idle shims of %s KiB" % ", ".join(map(str, sizes)))
    # A program that is not the shipped file may have more.
    check(max(sizes) < 3072, "shims take", sizes)


def main():
    command, words = parse_arguments("oci_shim.py")
    need_machine("containerd", "ctr")
    # Cases belong to the module that wraps them.
    modules = (__name__, oci_containerd.__name__, shim_requests.__name__, shim_direct.__name__)
    mine = [each for each in TESTS if each.__module__ in modules]
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
