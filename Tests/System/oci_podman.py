"""Drives an OCI runtime through podman: the same runtime, asked by an engine that people use.

    python3 Tests/System/oci_podman.py 'path/to/rondo oci' [WORD ...]
    python3 Tests/System/oci_podman.py 'path/to/rondo oci --systemd-cgroup' [WORD ...]      systemd makes the groups

Needs root, podman, conmon, catatonit and busybox-static. Storage, state and control groups are of this run; the image
is made of busybox, containers have no network, nothing is downloaded and no settings of the machine are read.
"""

import json
import os
import shlex
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import TESTS, at_end, check, clean, equal, eventually, finish, run_tests  # noqa: E402
from oci_bundle import call, case, make_rootfs, need_machine, parse_arguments, read, top, write  # noqa: E402
from oci_console import Terminal  # noqa: E402
from oci_groups import check_limits  # noqa: E402
from oci_parallel import at_once  # noqa: E402
from oci_process import capability_sets, mask  # noqa: E402

IMAGE = "localhost/rondo-test:1"

# Limits that a machine without CAP_SYS_RESOURCE can set, and nothing that asks systemd or the network.
SETTINGS = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=32768:32768"]
netns = "none"
log_driver = "k8s-file"
[engine]
cgroup_manager = "%s"
events_logger = "file"
"""


class Podman:
    """podman with a folder of its own and a wrapper as its runtime."""

    def begin(self):
        self.path = os.path.join(top.path, "podman")
        os.mkdir(self.path)
        # conmon leaves a file "oom" in the folder it was started from.
        os.chdir(self.path)
        self.calls = 0
        state = os.path.join(self.path, "state")
        # podman itself tells the runtime.
        words = [each for each in top.command if each != "--systemd-cgroup"] + ["--root", state]
        manager = "systemd" if top.systemd else "cgroupfs"
        script = '#!/bin/sh\nexec %s "$@"\n' % shlex.join(words)
        self.runtime = write(os.path.join(self.path, "runtime"), script, 0o755)
        settings = write(os.path.join(self.path, "containers.conf"), SETTINGS % manager)
        self.environment = {**os.environ, "CONTAINERS_CONF": settings}
        self.command = ["podman", "--runtime", self.runtime, "--cgroup-manager", manager, "--events-backend", "file"]
        for option, name in (("--root", "root"), ("--runroot", "run"), ("--tmpdir", "tmp")):
            self.command += [option, os.path.join(self.path, name)]
        self.parent = ["--cgroup-parent", top.slice if top.systemd else "/" + top.marker]
        at_end(self.end)
        rootfs = os.path.join(self.path, "rootfs")
        make_rootfs(rootfs)
        subprocess.run(["tar", "-C", rootfs, "-cf", rootfs + ".tar", "."], check=True, timeout=30)
        self("import", rootfs + ".tar", IMAGE).ok()

    def __call__(self, *arguments, **options):
        self.calls += 1
        files = os.path.join(self.path, "call%d" % self.calls)
        return call([*self.command, *arguments], files, env=self.environment, **options)

    def run(self, *arguments, **options):
        """Runs a container in this run's control group: options, image or `-`, command."""
        words = [IMAGE if each == "-" else each for each in arguments]
        return self("run", *self.parent, *words, **options)

    def start(self, *arguments):
        """Starts a container in the background; returns its id."""
        return self.run("-d", *arguments).ok().out.strip()

    def inspect(self, name, words):
        return self("inspect", "--format", "{{%s}}" % words, name).ok().out.strip()

    def status(self, name):
        return self.inspect(name, ".State.Status")

    def pid(self, name):
        return int(self.inspect(name, ".State.Pid"))

    def tidy(self):
        self("pod", "rm", "--all", "--force", "--time", "0", limit=60).ok()
        # A container that has just ended is being tidied by an engine of its own, which may hold its mounts.
        eventually(lambda: self("rm", "--all", "--force", "--time", "0", limit=60).ok(), 10, "all are gone")
        self("volume", "rm", "--all", "--force").ok()

    def end(self):
        self("system", "reset", "--force", limit=60)


podman = Podman()


def podman_case(function):
    """A case after which podman has no container any more, and the runtime neither."""

    def tidied(box):
        box.root = os.path.join(podman.path, "state")
        try:
            function(box)
        finally:
            podman.tidy()

    tidied.__doc__, tidied.__name__ = function.__doc__, function.__name__
    return case(tidied)


@podman_case
def run_code(box):
    """run shows output and exits with the process's code"""
    result = podman.run("--rm", "-", "sh", "-c", "echo out; echo err >&2; exit 7")
    equal((result.code, result.out, result.err), (7, "out\n", "err\n"), "code and output")


@podman_case
def refusals(box):
    """a missing program exits with 127, one that cannot run with 126"""
    equal(podman.run("--rm", "-", "nosuchprogram").code, 127, "code of a missing one")
    equal(podman.run("--rm", "-", "/bin/nosuchprogram").code, 127, "code of a missing path")
    equal(podman.run("--rm", "-", "/etc/passwd").code, 126, "code of one that cannot run")
    name = podman.start("-", "sleep", "100")
    equal(podman("exec", name, "nosuchprogram").code, 127, "code of a missing one in exec")
    equal(podman("exec", name, "/etc/passwd").code, 126, "code of one that cannot run in exec")


@podman_case
def input_passes(box):
    """run -i and exec -i pass standard input"""
    text = "a line\n" * 5000
    equal(len(podman.run("--rm", "-i", "-", "cat", input=text).ok().out), len(text), "bytes through run")
    name = podman.start("-", "sleep", "100")
    equal(len(podman("exec", "-i", name, "cat", input=text).ok().out), len(text), "bytes through exec")


@podman_case
def settings(box):
    """user, folder, environment, host name, limits, kernel settings and devices arrive"""
    script = "id -u; id -g; pwd; echo $X; hostname; ulimit -n; cat /proc/sys/net/ipv4/ip_forward; ls -l /dev/mine"
    options = ["--user", "1000:1000", "--workdir", "/tmp", "--env", "X=a b", "--hostname", "named"]
    options += ["--ulimit", "nofile=500:600", "--ulimit", "nproc=1000:1000", "--sysctl", "net.ipv4.ip_forward=1"]
    options += ["--device", "/dev/zero:/dev/mine:r"]
    lines = podman.run("--rm", *options, "-", "sh", "-c", script).ok().lines()
    equal(lines[:7], ["1000", "1000", "/tmp", "a b", "named", "500", "1"], "what the process found")
    check(lines[7].startswith("c"), "the device is", lines[7])


@podman_case
def exec_process(box):
    """exec runs in the container with its code, user, folder and environment"""
    name = podman.start("-", "sleep", "100")
    script = "id -u; pwd; echo $X; exit 9"
    result = podman("exec", "--user", "1000", "--workdir", "/tmp", "--env", "X=1", name, "sh", "-c", script)
    equal((result.code, result.lines()), (9, ["1000", "/tmp", "1"]), "code and output")
    podman("exec", "-d", name, "sh", "-c", "echo >/tmp/done").ok()
    eventually(lambda: podman("exec", name, "test", "-e", "/tmp/done").code == 0, 5, "the end of one in the background")
    check(podman("top", name, "pid", "args").ok().out.count("sleep 100") == 1, "top does not show the process")


@podman_case
def on_terminal(box):
    """run -it and exec -it work on a terminal and take its size"""
    name = podman.start("-", "sleep", "100")
    start = ["run", "--rm", *podman.parent, "-it", IMAGE]
    for words in (start, ["exec", "-it", name]):
        terminal = Terminal()
        box.finally_do.append(terminal.close)
        terminal.resize(31, 91)
        process = subprocess.Popen(
            [*podman.command, *words, "sh"],
            stdin=terminal.slave,
            stdout=terminal.slave,
            stderr=terminal.slave,
            env={**podman.environment, "TERM": "dumb"},
            start_new_session=True,
        )
        terminal.read_until("# ")
        eventually(lambda: sized(terminal), 5, "the size of the terminal")
        terminal.type("exit 4\r")
        equal(process.wait(10), 4, "exit code of " + words[0])


def sized(terminal):
    """Whether the shell on a terminal knows its size, which engines set after the start."""
    terminal.type("stty size; echo en''d\r")
    return "31 91" in terminal.read_until("end\r\n")


@podman_case
def logs(box):
    """logs shows both streams of a container, with --follow until its end"""
    name = podman.start("-", "sh", "-c", "echo first; echo second >&2; sleep 0.5; echo third")
    result = podman("logs", "--follow", name).ok()
    equal((result.out, result.err), ("first\nthird\n", "second\n"), "logs")
    equal(podman("wait", name).ok().out, "0\n", "code")


@podman_case
def stop(box):
    """stop lets a process end in good order, or kills it"""
    good = podman.start("-", "sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done")
    eventually(lambda: "up" in podman("logs", good).out, 5, "the trap")
    podman("stop", "--time", "10", good).ok()
    equal(podman.inspect(good, ".State.ExitCode"), "5", "code of one that listens")
    bad = podman.start("-", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done")
    eventually(lambda: "up" in podman("logs", bad).out, 5, "the trap")
    podman("stop", "--time", "1", bad).ok()
    equal(podman.inspect(bad, ".State.ExitCode"), "137", "code of one that does not")
    podman("start", good).ok()
    equal(podman.status(good), "running", "status after a second start")


@podman_case
def kill(box):
    """kill sends signals"""
    name = podman.start("-", "sh", "-c", "trap 'echo usr1' USR1; echo up; while :; do sleep 0.05; done")
    eventually(lambda: "up" in podman("logs", name).out, 5, "the trap")
    podman("kill", "--signal", "USR1", name).ok()
    eventually(lambda: "usr1" in podman("logs", name).out, 5, "an answer")
    podman("kill", name).ok()
    equal(podman("wait", name).ok().out, "137\n", "code")


@podman_case
def pause(box):
    """pause and unpause stop and continue a container"""
    name = podman.start("-", "sleep", "100")
    podman("pause", name).ok()
    equal(podman.status(name), "paused", "status")
    podman("exec", name, "true").refused()
    podman("unpause", name).ok()
    equal(podman.status(name), "running", "status afterwards")
    podman("exec", name, "true").ok()


@podman_case
def stats(box):
    """stats shows what a container uses"""
    name = podman.start("--memory", "64m", "-", "sleep", "100")
    found = json.loads(podman("stats", "--no-stream", "--format", "json", name).ok().out)[0]
    check(found["pids"] == "1" or found.get("pids") == 1, "processes are", found["pids"])
    check("67.11MB" in found["mem_usage"], "memory is", found["mem_usage"])


@podman_case
def health(box):
    """health checks run in the container and tell its health"""
    options = ["--health-cmd", "test -e /tmp/well", "--health-interval", "disable", "--health-retries", "1"]
    name = podman.start(*options, "-", "sleep", "100")
    podman("healthcheck", "run", name).refused()
    equal(podman.inspect(name, ".State.Health.Status"), "unhealthy", "health before")
    podman("exec", name, "touch", "/tmp/well").ok()
    podman("healthcheck", "run", name).ok()
    equal(podman.inspect(name, ".State.Health.Status"), "healthy", "health afterwards")


@podman_case
def volumes(box):
    """volumes, folders and tmpfs are mounted as asked for"""
    folder = box.folder("shared")
    write(os.path.join(folder, "file"), "from the host\n")
    options = ["-v", "named:/var/named", "-v", folder + ":/mnt:ro", "--tmpfs", "/var/mine:size=64k"]
    script = "echo kept >/var/named/file; cat /mnt/file; touch /mnt/x; grep -c '/var/mine tmpfs.*=64k' /proc/mounts"
    result = podman.run("--rm", *options, "-", "sh", "-c", script).ok()
    equal(result.lines(), ["from the host", "1"], "output")
    check("Read-only" in result.err, "errors are", result.err)
    equal(podman.run("--rm", "-v", "named:/mnt", "-", "cat", "/mnt/file").ok().out, "kept\n", "the volume's content")


@podman_case
def limits(box):
    """limits of memory, processors and processes are set"""
    options = ["--memory", "64m", "--cpus", "0.5", "--cpu-shares", "256", "--pids-limit", "44", "--cpuset-cpus", "0"]
    name = podman.start(*options, "-", "sleep", "100")
    check_limits(podman.pid(name), memory=64 << 20, quota=50000, shares=256, cpus=0, processes=44)


@podman_case
def out_of_memory(box):
    """a container that needs more memory than it has is killed and marked so"""
    command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"]
    equal(podman.run("--name", "hungry", "--memory", "16m", "--memory-swap", "16m", "-", *command).code, 137, "code")


@podman_case
def read_only(box):
    """--read-only makes the root read-only and leaves /tmp writable"""
    result = podman.run("--rm", "--read-only", "-", "sh", "-c", "touch /tmp/x && echo tmp; touch /etc/x")
    equal((result.code, result.out), (1, "tmp\n"), "code and output")
    check("Read-only" in result.err, "errors are", result.err)


@podman_case
def capabilities(box):
    """--cap-drop and --cap-add decide what root may do, --privileged gives all"""
    options = ["--cap-drop", "all", "--cap-add", "chown"]
    sets = capability_sets(podman.run("--rm", *options, "-", "cat", "/proc/self/status").ok().out)
    chown = mask("CAP_CHOWN")
    equal((sets["Eff"], sets["Prm"], sets["Bnd"]), (chown, chown, chown), "sets")
    sets = capability_sets(podman.run("--rm", "--privileged", "-", "cat", "/proc/self/status").ok().out)
    own = capability_sets(read("/proc/self/status"))
    equal(sets["Eff"], own["Eff"], "effective set of a privileged one")


@podman_case
def seccomp(box):
    """the engine's own filter and a custom one are loaded"""
    script = "grep ^Seccomp: /proc/self/status; mkdir /tmp/x"
    equal(podman.run("--rm", "-", "sh", "-c", script).ok().out.split()[1], "2", "state with the engine's filter")
    calls = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100}]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": calls}
    path = write(os.path.join(box.path, "filter"), json.dumps(profile))
    result = podman.run("--rm", "--security-opt", "seccomp=" + path, "-", "sh", "-c", script).refused()
    check("Network is down" in result.err, "errors are", result.err)


@podman_case
def init(box):
    """--init puts a reaper before the process"""
    result = podman.run("--rm", "--init", "-", "sh", "-c", "cat /proc/1/comm; exit 3")
    equal(result.code, 3, "code")
    check(result.out.strip() in ("podman-init", "catatonit"), "the first process is", result.out)


@podman_case
def user_namespace(box):
    """--uidmap runs the container in a user namespace"""
    options = ["--uidmap", "0:100000:65536", "--gidmap", "0:200000:65536"]
    name = podman.start(*options, "-", "sh", "-c", "cat /proc/self/uid_map; touch /tmp/x && echo made; sleep 100")
    eventually(lambda: "made" in podman("logs", name).out, 5, "a file")
    status = read("/proc/%d/status" % podman.pid(name))
    check("Uid:\t100000\t" in status and "Gid:\t200000\t" in status, "the host sees", status)
    equal(podman("exec", name, "id", "-u").ok().out, "0\n", "user of a further process")


@podman_case
def restarts(box):
    """--restart on-failure starts a failing container again, as often as it says"""
    name = podman.start("--restart", "on-failure:2", "-", "sh", "-c", "echo run; exit 3")
    eventually(lambda: podman("logs", name).out.count("run") == 3, 10, "three runs")
    eventually(lambda: podman.status(name) == "exited", 10, "the end")
    equal(podman("logs", name).out.count("run"), 3, "runs")
    equal(podman.inspect(name, ".State.ExitCode"), "3", "code")


@podman_case
def pod(box):
    """two containers of a pod share network, message queues and host name, and nothing else"""
    podman("pod", "create", "--name", "pod", *podman.parent, "--network", "none", limit=60).ok()
    script = "cd /proc/self/ns; for each in net ipc uts pid mnt; do readlink $each; done; exec sleep 100"
    names = [podman("run", "-d", "--pod", "pod", IMAGE, "sh", "-c", script).ok().out.strip() for _ in range(2)]
    found = [
        eventually(lambda name=name: len(lines := podman("logs", name).out.split()) == 5 and lines, 5, "output")
        for name in names
    ]
    same = [first == second for first, second in zip(*found)]
    equal(same, [True, True, True, False, False], "what they share of net, ipc, uts, pid and mnt")
    podman("pod", "stop", "--time", "0", "pod").ok()


@podman_case
def shared_namespaces(box):
    """containers join the processes and the network of others, and of the host"""
    name = podman.start("-", "sleep", "123")
    joined = ["--pid", "container:" + name, "--network", "container:" + name]
    check("sleep 123" in podman.run("--rm", *joined, "-", "ps").ok().out, "the other's process is not seen")
    host = ["--pid", "host", "--ipc", "host", "--uts", "host"]
    found = podman.run("--rm", *host, "-", "readlink", "/proc/self/ns/pid").ok()
    equal(found.out.strip(), os.readlink("/proc/self/ns/pid"), "namespace of processes")


@podman_case
def removed_running(box):
    """rm --force removes a running and a paused container"""
    running, paused = podman.start("-", "sleep", "100"), podman.start("-", "sleep", "100")
    podman("pause", paused).ok()
    podman("rm", "--force", "--time", "0", running, paused).ok()
    equal(podman("ps", "--all", "--quiet").ok().out, "", "containers")


@podman_case
def many(box):
    """eight containers run at once"""
    files = [os.path.join(box.path, "many%d" % number) for number in range(8)]

    def one(number):
        words = ["run", "--rm", *podman.parent, IMAGE, "sh", "-c"]
        words.append("echo %d; exit %d" % (number, number))
        result = call([*podman.command, *words], files[number], env=podman.environment, limit=60)
        return result.code, result.out, result.err

    found = at_once([lambda number=number: one(number) for number in range(8)])
    equal(found, [(number, "%d\n" % number, "") for number in range(8)], "codes and output")


def main():
    command, words = parse_arguments("oci_podman.py")
    need_machine("podman", "conmon", "tar")
    mine = [each for each in TESTS if each.__module__ == __name__]
    try:
        top.begin(command)
        podman.begin()
        print(top.version)
        counts = run_tests(mine, words, limit=90)
    except BaseException:
        clean()
        raise
    finish(*counts)


if __name__ == "__main__":
    main()
