"""Drives an OCI runtime through containerd's shim, with ctr as the client.

    python3 Tests/System/oci_containerd.py 'path/to/rondo oci' [WORD ...]

Needs root, containerd (with ctr and its shim) and busybox-static. The daemon is one of this run, with folders and a
socket of its own and without anything for Kubernetes; containers run from a folder, nothing is downloaded.
"""

import json
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import TESTS, at_end, check, clean, equal, eventually, finish, run_tests  # noqa: E402
from oci_bundle import call, case, make_rootfs, need_machine, parse_arguments, read, top, write  # noqa: E402
from oci_config import base_config  # noqa: E402
from oci_console import Terminal  # noqa: E402
from oci_parallel import at_once  # noqa: E402
from oci_process import capability_sets  # noqa: E402

SETTINGS = """
version = 2
root = "%(path)s/root"
state = "%(path)s/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
  address = "%(path)s/socket"
[ttrpc]
  address = "%(path)s/socket.ttrpc"
"""


class Containerd:
    """A daemon and its client."""

    # The folder with a shim of the program's own, which is used instead of containerd's then.
    shim = None

    def begin(self):
        self.path = os.path.join(top.path, "ctrd")
        os.mkdir(self.path)
        self.calls = self.count = 0
        script = '#!/bin/sh\nexec %s "$@"\n' % shlex.join(top.command)
        self.runtime = write(os.path.join(self.path, "runtime"), script, 0o755)
        self.rootfs = os.path.join(self.path, "rootfs")
        make_rootfs(self.rootfs)
        settings = write(os.path.join(self.path, "config.toml"), SETTINGS % {"path": self.path})
        self.log = open(os.path.join(self.path, "log"), "wb")
        self.start_daemon(["containerd", "--config", settings])
        at_end(self.end)
        self.command = ["ctr", "--address", os.path.join(self.path, "socket"), "--namespace", top.marker]
        eventually(lambda: self("version").code == 0, 20, "an answer of containerd")

    def start_daemon(self, command):
        path = os.environ["PATH"] if self.shim is None else self.shim + ":" + os.environ["PATH"]
        self.daemon = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
            env={**os.environ, "PATH": path},
        )

    def __call__(self, *arguments, **options):
        self.calls += 1
        return call([*self.command, *arguments], os.path.join(self.path, "call%d" % self.calls), **options)

    def states(self):
        """Where the runtime keeps its containers."""
        return "/run/containerd/rondo" if self.shim else os.path.join(self.path, "states")

    def place(self):
        if self.shim:
            return ["--runtime", "io.containerd.rondo.v2"]
        return ["--runc-binary", self.runtime, "--runc-root", self.states()]

    def words(self, name, options, command):
        words = ["run", *self.place(), "--env", "RONDO_TEST=" + top.marker, "--env", "PATH=/bin"]
        # The default limit of open files is more than a machine without CAP_SYS_RESOURCE can give.
        return [*words, "--cgroup", "/%s/%s" % (top.marker, name), *options, "--rootfs", self.rootfs, name, *command]

    def name(self):
        self.count += 1
        return "ctr-%d" % self.count

    def run(self, *command, options=(), **more):
        return self(*self.words(self.name(), ("--rm", *options), command), **more)

    def start(self, *command, options=()):
        name = self.name()
        self(*self.words(name, ("--detach", *options), command)).ok()
        return name

    def tasks(self):
        """Name, pid and status of every task."""
        rows = [line.split() for line in self("tasks", "ls").ok().lines()[1:]]
        return {row[0]: (int(row[1]), row[2]) for row in rows}

    def status(self, name):
        return self.tasks()[name][1]

    def remove(self, name):
        self("tasks", "kill", "--signal", "SIGKILL", name)
        eventually(lambda: self.status(name) == "STOPPED", 10, "the end of " + name)
        self("tasks", "delete", name)
        self("containers", "delete", name).ok()

    def tidy(self):
        for name in self("containers", "ls", "--quiet").ok().lines():
            self("tasks", "resume", name)
            self("tasks", "delete", "--force", name)
            self("containers", "delete", name)
        equal(self("containers", "ls", "--quiet").ok().out, "", "containers")

    def end(self):
        self.daemon.terminate()
        try:
            self.daemon.wait(10)
        except subprocess.TimeoutExpired:
            self.daemon.kill()
            self.daemon.wait()
        self.log.close()


containerd = Containerd()


def ctr_case(function):
    """A case after which containerd has no container any more; only the daemon itself goes on."""

    def tidied(box):
        box.root = os.path.join(containerd.states(), top.marker)
        box.mine = {containerd.daemon.pid}
        try:
            function(box)
        finally:
            containerd.tidy()

    tidied.__doc__, tidied.__name__ = function.__doc__, function.__name__
    return case(tidied)


@ctr_case
def run_code(box):
    """run shows output and exits with the process's code"""
    result = containerd.run("sh", "-c", "echo out; echo err >&2; exit 7")
    equal((result.code, result.out, result.err), (7, "out\n", "err\n"), "code and output")


@ctr_case
def refusals(box):
    """a missing program is told by its name"""
    result = containerd.run("nosuchprogram").refused()
    check("nosuchprogram" in result.err, "the error is", result.err)


@ctr_case
def settings(box):
    """environment, folder and mounts arrive"""
    folder = box.folder("shared")
    write(os.path.join(folder, "file"), "from the host\n")
    options = ["--env", "X=a b", "--cwd", "/tmp", "--mount", "type=bind,src=%s,dst=/mnt,options=rbind:ro" % folder]
    result = containerd.run("sh", "-c", "echo $X; pwd; cat /mnt/file; touch /mnt/x; exit 0", options=options).ok()
    equal(result.lines(), ["a b", "/tmp", "from the host"], "output")
    check("Read-only" in result.err, "errors are", result.err)


@ctr_case
def whole_life(box):
    """a task is running, gets signals, stops and is deleted"""
    name = containerd.start("sh", "-c", "trap 'exit 5' USR1; while :; do sleep 0.05; done")
    equal(containerd.status(name), "RUNNING", "status")
    containerd("tasks", "exec", "--exec-id", "e1", name, "true").ok()
    containerd("tasks", "kill", "--signal", "SIGUSR1", name).ok()
    eventually(lambda: containerd.status(name) == "STOPPED", 10, "the end")
    check("exit code 5" in containerd("tasks", "delete", name).err, "the code is another")
    containerd("containers", "delete", name).ok()


@ctr_case
def exec_process(box):
    """exec runs in the container with its code, user and folder"""
    name = containerd.start("sleep", "100")
    words = ["tasks", "exec", "--exec-id", "e1", "--user", "1000:1000", "--cwd", "/tmp", name]
    result = containerd(*words, "sh", "-c", "id -u; pwd; echo err >&2; exit 9")
    equal((result.code, result.lines(), result.err), (9, ["1000", "/tmp"], "err\n"), "code and output")
    containerd("tasks", "exec", "--exec-id", "e2", name, "nosuchprogram").refused()
    equal(containerd.status(name), "RUNNING", "status afterwards")


@ctr_case
def many_exec(box):
    """eight further processes run at once"""
    name = containerd.start("sleep", "100")

    def one(number):
        # ctr stops copying when it hears of the end: what a process says just before that may be lost.
        line = "echo %d; sleep 0.5; exit %d" % (number, number)
        words = ["tasks", "exec", "--exec-id", "e%d" % number, name, "sh", "-c", line]
        result = call([*containerd.command, *words], os.path.join(box.path, "exec%d" % number))
        return result.code, result.out

    found = at_once([lambda number=number: one(number) for number in range(8)])
    equal(found, [(number, "%d\n" % number) for number in range(8)], "codes and output")


@ctr_case
def on_terminal(box):
    """run and exec work on a terminal"""
    name = containerd.start("sleep", "100")
    run = containerd.words(containerd.name(), ("--rm", "--tty"), ["sh"])
    for words in (run, ["tasks", "exec", "--tty", "--exec-id", "e1", name, "sh"]):
        terminal = Terminal()
        box.finally_do.append(terminal.close)
        terminal.resize(31, 91)
        process = subprocess.Popen(
            [*containerd.command, *words],
            stdin=terminal.slave,
            stdout=terminal.slave,
            stderr=terminal.slave,
            env={**os.environ, "TERM": "dumb"},
            start_new_session=True,
        )
        terminal.read_until("# ")
        terminal.type("tty; echo en''d\r")
        check("/dev/" in terminal.read_until("end"), "tty names no device")
        terminal.type("exit 4\r")
        equal(process.wait(10), 4, "exit code")


@ctr_case
def pause(box):
    """pause and resume stop and continue a task"""
    name = containerd.start("sleep", "100")
    containerd("tasks", "pause", name).ok()
    equal(containerd.status(name), "PAUSED", "status")
    containerd("tasks", "resume", name).ok()
    equal(containerd.status(name), "RUNNING", "status afterwards")


@ctr_case
def processes(box):
    """ps lists the processes of a task"""
    name = containerd.start("sh", "-c", "sleep 101 & sleep 102; true")
    eventually(lambda: len(containerd("tasks", "ps", name).ok().lines()) == 4, 5, "three processes")
    check(str(containerd.tasks()[name][0]) in containerd("tasks", "ps", name).ok().out, "the first is not among them")


@ctr_case
def limits(box):
    """a limit of memory is set, and metrics show it"""
    name = containerd.start("sleep", "100", options=["--memory-limit", str(64 << 20), "--cpus", "0.5"])
    group = "/%s/%s" % (top.marker, name)
    equal(read("/sys/fs/cgroup/memory%s/memory.limit_in_bytes" % group).strip(), str(64 << 20), "memory")
    equal(read("/sys/fs/cgroup/cpu%s/cpu.cfs_quota_us" % group).strip(), "50000", "quota")
    check("memory" in containerd("tasks", "metrics", name).ok().out, "metrics say nothing about memory")


@ctr_case
def privileged(box):
    """--privileged gives all capabilities of the caller"""
    text = containerd.run("cat", "/proc/self/status", options=["--privileged"]).ok().out
    equal(capability_sets(text)["Eff"], capability_sets(read("/proc/self/status"))["Eff"], "effective set")


@ctr_case
def seccomp(box):
    """the default filter and one from a file are loaded"""
    script = "grep ^Seccomp: /proc/self/status; mkdir /tmp/x && rmdir /tmp/x"
    equal(containerd.run("sh", "-c", script, options=["--seccomp"]).ok().out.split()[1], "2", "state")
    calls = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100}]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": calls}
    path = write(os.path.join(box.path, "filter"), json.dumps(profile))
    result = containerd.run("sh", "-c", script, options=["--seccomp", "--seccomp-profile", path]).refused()
    check("Network is down" in result.err, "errors are", result.err)


@ctr_case
def read_only(box):
    """--read-only makes the root read-only"""
    result = containerd.run("touch", "/x", options=["--read-only"]).refused()
    check("Read-only" in result.err, "errors are", result.err)


@ctr_case
def own_config(box):
    """run --config takes a whole configuration from a file"""
    config = base_config(top.marker, "/%s/ctr-own" % top.marker)
    config["root"]["path"] = containerd.rootfs
    config["process"]["args"] = ["hostname"]
    path = write(os.path.join(box.path, "config.json"), json.dumps(config))
    words = ["run", "--rm", *containerd.place(), "--config", path, "ctr-own"]
    equal(containerd(*words).ok().out, "box\n", "output")


@ctr_case
def joined(box):
    """a task joins a namespace of another"""
    name = containerd.start("sleep", "100")
    path = "/proc/%d/ns/net" % containerd.tasks()[name][0]
    found = containerd.run("readlink", "/proc/self/ns/net", options=["--with-ns", "network:" + path]).ok()
    equal(found.out.strip(), os.readlink(path), "namespace")


def restart(meanwhile=lambda: None):
    """Kills the daemon and starts another."""
    containerd.daemon.kill()
    containerd.daemon.wait()
    meanwhile()
    containerd.start_daemon(containerd.daemon.args)


@ctr_case
def daemon_restarts(box):
    """tasks outlive the daemon and are found again by the next"""
    name = containerd.start("sleep", "100")
    pid = containerd.tasks()[name][0]
    restart()
    box.mine = {containerd.daemon.pid}
    eventually(lambda: containerd.tasks().get(name) == (pid, "RUNNING"), 20, "the task")
    containerd("tasks", "exec", "--exec-id", "e1", name, "true").ok()


@ctr_case
def many(box):
    """eight tasks run at once"""

    def one(number):
        words = containerd.words("ctr-many%d" % number, ("--rm",), ["sh", "-c", "echo %d; exit %d" % (number, number)])
        result = call([*containerd.command, *words], os.path.join(box.path, "many%d" % number), limit=60)
        return result.code, result.out

    found = at_once([lambda number=number: one(number) for number in range(8)])
    equal(found, [(number, "%d\n" % number) for number in range(8)], "codes and output")


def main():
    command, words = parse_arguments("oci_containerd.py")
    need_machine("containerd", "ctr", "containerd-shim-runc-v2")
    mine = [each for each in TESTS if each.__module__ == __name__]
    try:
        top.begin(command)
        containerd.begin()
        print(top.version)
        counts = run_tests(mine, words, limit=90)
    except BaseException:
        clean()
        raise
    finish(*counts)


if __name__ == "__main__":
    main()
