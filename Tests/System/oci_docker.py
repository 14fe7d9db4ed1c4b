"""Drives an OCI runtime through dockerd: the same runtime, asked by the engine that most people know.

    python3 Tests/System/oci_docker.py 'path/to/rondo oci' [WORD ...]

Needs root, dockerd with its client and docker-init, containerd with its shim, and busybox-static. The daemon is one of
this run, with folders and a socket of its own, in a mount and a network namespace of its own: it makes no bridge and
writes no firewall rules. The image is made of busybox, nothing is downloaded.
"""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import marked  # noqa: E402
from harness import TESTS, at_end, check, clean, equal, eventually, finish, run_tests  # noqa: E402
from oci_bundle import call, case, ends, make_rootfs, need_machine, parse_arguments, read, top, write  # noqa: E402
from oci_console import Terminal  # noqa: E402
from oci_parallel import at_once  # noqa: E402
from oci_process import capability_sets, mask  # noqa: E402

IMAGE = "rondo-test:1"
FILE_LIMIT = "nofile=20000:20000"

# The shim of containerd listens below /run, whatever its daemon was told.
# Without forwarding, here in a network of its own, the client warns at every call.
ENTER = 'mount -t tmpfs tmpfs /run && ip link set lo up && echo 1 >/proc/sys/net/ipv4/ip_forward && exec "$@"'


class Docker:
    """A daemon with one runtime, and its client."""

    def begin(self):
        self.path = os.path.join(top.path, "docker")
        os.mkdir(self.path)
        self.calls = 0
        script = '#!/bin/sh\nexec %s "$@"\n' % shlex.join(top.command)
        runtime = write(os.path.join(self.path, "runtime"), script, 0o755)
        socket = "unix://" + os.path.join(self.path, "socket")
        self.states = os.path.join(self.path, "exec-root/runtime-tested/moby")
        options = ["--host", socket, "--add-runtime", "tested=" + runtime, "--default-runtime", "tested"]
        for option in ("data-root", "exec-root", "pidfile", "config-file"):
            options += ["--" + option, os.path.join(self.path, option)]
        settings = {"deprecated-key-path": os.path.join(self.path, "key")}
        write(os.path.join(self.path, "config-file"), json.dumps(settings))
        options += ["--bridge", "none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"]
        options += ["--cgroup-parent", "/" + top.marker, "--exec-opt", "native.cgroupdriver=cgroupfs"]
        options += ["--storage-driver", "overlay2", "--init-path", shutil.which("docker-init")]
        options += ["--oom-score-adjust", "0", "--default-ulimit", FILE_LIMIT]
        self.log = open(os.path.join(self.path, "log"), "wb")
        self.daemon = subprocess.Popen(
            ["unshare", "--mount", "--net", "sh", "-c", ENTER, "sh", "dockerd", *options],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        at_end(self.end)
        folder = os.path.join(self.path, "client")
        self.environment = {**os.environ, "DOCKER_CONFIG": folder, "HOME": self.path}
        self.command = ["docker", "--host", socket]
        eventually(lambda: self("version").code == 0, 30, "an answer of dockerd")
        # The daemon and its containerd.
        self.mine = set(marked(top.marker))
        rootfs = os.path.join(self.path, "rootfs")
        make_rootfs(rootfs)
        subprocess.run(["tar", "-C", rootfs, "-cf", rootfs + ".tar", "."], check=True, timeout=30)
        self("import", rootfs + ".tar", IMAGE).ok()

    def __call__(self, *arguments, **options):
        self.calls += 1
        files = os.path.join(self.path, "call%d" % self.calls)
        return call([*self.command, *arguments], files, env=self.environment, **options)

    def words(self, *arguments):
        """The words of `run`: options, image or `-`, command."""
        named = [IMAGE if each == "-" else each for each in arguments]
        return ["run", "--env", "RONDO_TEST=" + top.marker, *named]

    def run(self, *arguments, **options):
        return self(*self.words(*arguments), **options)

    def start(self, *arguments):
        """Starts a container in the background; returns its id."""
        return self.run("-d", *arguments).ok().out.strip()

    def inspect(self, name, words):
        return self("inspect", "--format", "{{%s}}" % words, name).ok().out.strip()

    def status(self, name):
        return self.inspect(name, ".State.Status")

    def control(self, name, controller, file):
        """A file of the container's group in a v1 hierarchy."""
        for line in read("/proc/%s/cgroup" % self.inspect(name, ".State.Pid")).splitlines():
            if controller in line.split(":")[1].split(","):
                return read("/sys/fs/cgroup/%s%s/%s" % (controller, line.split(":")[2], file)).strip()
        return check(False, "no group of", controller)

    def said(self, name, word):
        eventually(lambda: word in self("logs", name).out, 10, "the word %r" % word)

    def tidy(self):
        names = self("ps", "--all", "--quiet").ok().lines()
        if names:
            self("rm", "--force", "--volumes", *names, limit=60).ok()
        self("volume", "prune", "--force").ok()

    def end(self):
        self.daemon.terminate()
        if self.daemon.poll() is None and not ends(self.daemon, 20):
            os.killpg(self.daemon.pid, signal.SIGKILL)
        self.daemon.wait()
        self.log.close()


docker = Docker()


def docker_case(function):
    """A case after which dockerd has no container any more, and the runtime neither."""

    def tidied(box):
        box.root, box.mine = docker.states, docker.mine
        try:
            function(box)
        finally:
            docker.tidy()

    tidied.__doc__, tidied.__name__ = function.__doc__, function.__name__
    return case(tidied)


@docker_case
def run_code(box):
    """run shows output and exits with the process's code"""
    result = docker.run("--rm", "-", "sh", "-c", "echo out; echo err >&2; exit 7")
    equal((result.code, result.out, result.err), (7, "out\n", "err\n"), "code and output")


@docker_case
def refusals(box):
    """a missing program exits with 127, one that cannot run with 126"""
    for word in ("nosuchprogram", "/bin/nosuchprogram"):
        equal(docker.run("--rm", "-", word).code, 127, "code of " + word)
    result = docker.run("--rm", "-", "/etc/passwd")
    check(result.code == 126, "code of one that cannot run is", result.code, "and the error", result.err)
    name = docker.start("-", "sleep", "100")
    # Older daemons say 126 here, whatever the runtime says.
    code = docker("exec", name, "nosuchprogram").code
    check(code in (126, 127), "code of a missing one in exec is", code)
    equal(docker("exec", name, "/etc/passwd").code, 126, "code of one that cannot run in exec")


@docker_case
def input_passes(box):
    """run -i and exec -i pass standard input"""
    text = "a line\n" * 5000
    equal(len(docker.run("--rm", "-i", "-", "cat", input=text).ok().out), len(text), "bytes through run")
    name = docker.start("-", "sleep", "100")
    equal(len(docker("exec", "-i", name, "cat", input=text).ok().out), len(text), "bytes through exec")


@docker_case
def settings(box):
    """user, groups, folder, environment, host name, limits, kernel settings and devices arrive"""
    script = "id -u; id -G; pwd; echo $X; hostname; ulimit -n; cat /proc/sys/kernel/msgmax; stat -c %t:%T /dev/mine"
    options = ["--user", "1000:1000", "--group-add", "2000", "--workdir", "/tmp", "--env", "X=a b"]
    options += ["--hostname", "named", "--ulimit", "nofile=500:600", "--sysctl", "kernel.msgmax=9000"]
    options += ["--device", "/dev/zero:/dev/mine:r"]
    lines = docker.run("--rm", *options, "-", "sh", "-c", script).ok().lines()
    wanted = ["1000", "1000 2000", "/tmp", "a b", "named", "500", "9000", "1:5"]
    equal(lines, wanted, "what the process found")


@docker_case
def exec_process(box):
    """exec runs in the container with its code, user, folder and environment, also in the background"""
    name = docker.start("-", "sleep", "100")
    options = ["--user", "1000", "--workdir", "/tmp", "--env", "X=1"]
    result = docker("exec", *options, name, "sh", "-c", "id -u; pwd; echo $X; exit 9")
    equal((result.code, result.lines()), (9, ["1000", "/tmp", "1"]), "code and output")
    docker("exec", "-d", name, "sh", "-c", "echo >/tmp/done").ok()
    eventually(lambda: docker("exec", name, "test", "-e", "/tmp/done").code == 0, 5, "the end of one in the background")
    check("sleep 100" in docker("top", name).ok().out, "top does not show the process")


@docker_case
def exec_privileged(box):
    """exec --privileged has more capabilities than the container"""
    name = docker.start("--cap-drop", "ALL", "-", "sleep", "100")
    sets = [docker("exec", *words, name, "cat", "/proc/self/status") for words in ([], ["--privileged"])]
    equal(capability_sets(sets[0].ok().out)["Eff"], 0, "effective set")
    if sets[1].code != 0:
        check("operation not permitted" in (sets[1].out + sets[1].err).lower(), "the error is", sets[1].err)
    else:
        check(capability_sets(sets[1].out)["Eff"] != 0, "the privileged one has no capability")


@docker_case
def on_terminal(box):
    """run -it and exec -it work on a terminal and take its size"""
    name = docker.start("-", "sleep", "100")
    for words in (docker.words("--rm", "-it", "-"), ["exec", "-it", name]):
        terminal = Terminal()
        box.finally_do.append(terminal.close)
        terminal.resize(31, 91)
        process = subprocess.Popen(
            [*docker.command, *words, "sh"],
            stdin=terminal.slave,
            stdout=terminal.slave,
            stderr=terminal.slave,
            env={**docker.environment, "TERM": "dumb"},
            start_new_session=True,
        )
        terminal.read_until("# ")
        eventually(lambda: sized(terminal), 5, "the size of the terminal")
        terminal.type("exit 4\r")
        check(ends(process, 10), "no end of", words[0])
        equal(process.wait(), 4, "exit code of " + words[0])


def sized(terminal):
    """Whether the shell on a terminal knows its size, which engines set after the start."""
    terminal.type("stty size; echo en''d\r")
    return "31 91" in terminal.read_until("end\r\n")


@docker_case
def logs(box):
    """logs shows both streams of a container, with --follow until its end"""
    name = docker.start("-", "sh", "-c", "echo first; echo second >&2; sleep 0.5; echo third")
    result = docker("logs", "--follow", name).ok()
    equal((result.out, result.err), ("first\nthird\n", "second\n"), "logs")
    equal(docker("wait", name).ok().out, "0\n", "code")


@docker_case
def stop(box):
    """stop lets a process end in good order, or kills it; start has it run again"""
    good = docker.start("-", "sh", "-c", "trap 'exit 5' TERM; echo up; while :; do sleep 0.05; done")
    docker.said(good, "up")
    docker("stop", "--time", "10", good).ok()
    equal(docker.inspect(good, ".State.ExitCode"), "5", "code of one that listens")
    bad = docker.start("-", "sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.05; done")
    docker.said(bad, "up")
    docker("stop", "--time", "1", bad).ok()
    equal(docker.inspect(bad, ".State.ExitCode"), "137", "code of one that does not")
    docker("start", good).ok()
    equal(docker.status(good), "running", "status after a second start")
    docker("restart", "--time", "0", good).ok()
    equal(docker.status(good), "running", "status after restart")


@docker_case
def kill(box):
    """kill sends signals"""
    name = docker.start("-", "sh", "-c", "trap 'echo usr1' USR1; echo up; while :; do sleep 0.05; done")
    docker.said(name, "up")
    docker("kill", "--signal", "USR1", name).ok()
    docker.said(name, "usr1")
    docker("kill", name).ok()
    equal(docker("wait", name).ok().out, "137\n", "code")


@docker_case
def pause(box):
    """pause and unpause stop and continue a container"""
    name = docker.start("-", "sleep", "100")
    docker("pause", name).ok()
    equal(docker.status(name), "paused", "status")
    equal(docker.control(name, "freezer", "freezer.state"), "FROZEN", "state of the group")
    docker("exec", name, "true").refused()
    docker("unpause", name).ok()
    equal(docker.status(name), "running", "status afterwards")
    docker("exec", name, "true").ok()


@docker_case
def stats(box):
    """stats shows what a container uses"""
    name = docker.start("--memory", "64m", "-", "sleep", "100")
    found = json.loads(docker("stats", "--no-stream", "--format", "{{json .}}", name).ok().out)
    equal(found["PIDs"], "1", "processes")
    check("64MiB" in found["MemUsage"], "memory is", found["MemUsage"])


@docker_case
def health(box):
    """health checks run in the container and tell its health"""
    options = ["--health-cmd", "test -e /tmp/well", "--health-interval", "200ms", "--health-retries", "1"]
    name = docker.start(*options, "-", "sleep", "100")
    words = ".State.Health.Status"
    eventually(lambda: docker.inspect(name, words) == "unhealthy", 10, "bad health")
    docker("exec", name, "touch", "/tmp/well").ok()
    eventually(lambda: docker.inspect(name, words) == "healthy", 10, "good health")


@docker_case
def volumes(box):
    """volumes, folders and tmpfs are mounted as asked for, and files are copied in and out"""
    folder = box.folder("shared")
    path = write(os.path.join(folder, "file"), "from the host\n")
    options = ["-v", "named:/var/named", "-v", folder + ":/mnt:ro", "--tmpfs", "/var/mine:size=64k"]
    script = "echo kept >/var/named/file; cat /mnt/file; touch /mnt/x; grep -c '/var/mine tmpfs.*=64k' /proc/mounts"
    result = docker.run("--rm", *options, "-", "sh", "-c", script).ok()
    equal(result.lines(), ["from the host", "1"], "output")
    check("Read-only" in result.err, "errors are", result.err)
    equal(docker.run("--rm", "-v", "named:/mnt", "-", "cat", "/mnt/file").ok().out, "kept\n", "the volume's content")
    name = docker.start("-", "sleep", "100")
    docker("cp", path, name + ":/tmp/copied").ok()
    equal(docker("exec", name, "cat", "/tmp/copied").ok().out, "from the host\n", "the file that was copied in")


@docker_case
def limits(box):
    """limits of memory, processors and processes are set, and update changes them"""
    options = ["--memory", "64m", "--cpus", "0.5", "--cpu-shares", "256", "--pids-limit", "44", "--cpuset-cpus", "0"]
    name = docker.start(*options, "-", "sleep", "100")
    equal(docker.control(name, "memory", "memory.limit_in_bytes"), str(64 << 20), "memory")
    equal(docker.control(name, "cpu", "cpu.cfs_quota_us"), "50000", "quota")
    equal(docker.control(name, "cpu", "cpu.shares"), "256", "shares")
    equal(docker.control(name, "cpuset", "cpuset.cpus"), "0", "processors")
    equal(docker.control(name, "pids", "pids.max"), "44", "processes")
    changes = ["--memory", "96m", "--memory-swap", "192m", "--cpus", "0.25", "--cpu-shares", "512"]
    changes += ["--pids-limit", "33"]
    docker("update", *changes, name).ok()
    equal(docker.control(name, "memory", "memory.limit_in_bytes"), str(96 << 20), "memory after update")
    equal(docker.control(name, "cpu", "cpu.cfs_quota_us"), "25000", "quota after update")
    equal(docker.control(name, "cpu", "cpu.shares"), "512", "shares after update")
    equal(docker.control(name, "pids", "pids.max"), "33", "processes after update")


@docker_case
def out_of_memory(box):
    """a container that needs more memory than it has is killed and marked so"""
    command = ["dd", "if=/dev/zero", "of=/dev/null", "bs=100M", "count=1"]
    equal(docker.run("--name", "hungry", "--memory", "16m", "--memory-swap", "16m", "-", *command).code, 137, "code")
    eventually(lambda: docker.inspect("hungry", ".State.OOMKilled") == "true", 5, "the mark")


@docker_case
def read_only(box):
    """--read-only makes the root read-only and leaves mounts writable"""
    options = ["--read-only", "--tmpfs", "/tmp"]
    result = docker.run("--rm", *options, "-", "sh", "-c", "touch /tmp/x && echo tmp; touch /etc/x")
    equal((result.code, result.out), (1, "tmp\n"), "code and output")
    check("Read-only" in result.err, "errors are", result.err)


@docker_case
def capabilities(box):
    """--cap-drop and --cap-add decide what root may do, no-new-privileges what it may gain"""
    options = ["--cap-drop", "ALL", "--cap-add", "CHOWN", "--security-opt", "no-new-privileges"]
    text = docker.run("--rm", *options, "-", "cat", "/proc/self/status").ok().out
    sets = capability_sets(text)
    chown = mask("CAP_CHOWN")
    equal((sets["Eff"], sets["Prm"], sets["Bnd"]), (chown, chown, chown), "sets")
    check("NoNewPrivs:\t1" in text, "the process may gain privileges")


@docker_case
def privileged(box):
    """--privileged gives all capabilities and devices"""
    result = docker.run("--rm", "--privileged", "-", "sh", "-c", "grep CapEff /proc/self/status; ls /dev | wc -l")
    own = capability_sets(read("/proc/self/status"))
    if result.code != 0:
        check("operation not permitted" in result.err.lower(), "the error is", result.err)
        check(own["Eff"] != mask_of_all(), "a machine with all capabilities refuses them")
        return
    equal(int(result.lines()[0].split()[1], 16), own["Eff"], "effective set")
    check(int(result.lines()[1]) > 20, "devices are", result.lines()[1])


def mask_of_all():
    """What the effective set is of a process that may do everything this kernel knows."""
    return (1 << (int(read("/proc/sys/kernel/cap_last_cap")) + 1)) - 1


@docker_case
def seccomp(box):
    """the engine's own filter and a custom one are loaded, and none when asked for"""
    script = "grep ^Seccomp: /proc/self/status; mkdir /tmp/x"
    equal(docker.run("--rm", "-", "sh", "-c", script).ok().out.split()[1], "2", "state with the engine's filter")
    calls = [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 100}]
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": calls}
    path = write(os.path.join(box.path, "filter"), json.dumps(profile))
    result = docker.run("--rm", "--security-opt", "seccomp=" + path, "-", "sh", "-c", script).refused()
    check("Network is down" in result.err, "errors are", result.err)
    result = docker.run("--rm", "--security-opt", "seccomp=unconfined", "-", "sh", "-c", script).ok()
    equal(result.out.split()[1], "0", "state without a filter")


@docker_case
def init(box):
    """--init puts a reaper before the process"""
    result = docker.run("--rm", "--init", "-", "sh", "-c", "cat /proc/1/comm; exit 3")
    equal((result.code, result.out), (3, "docker-init\n"), "code, and the first process")


@docker_case
def restarts(box):
    """--restart on-failure starts a failing container again, as often as it says"""
    name = docker.start("--restart", "on-failure:2", "-", "sh", "-c", "echo run; exit 3")
    eventually(lambda: docker("logs", name).out.count("run") == 3, 15, "three runs")
    eventually(lambda: docker.status(name) == "exited", 10, "the end")
    equal(docker("logs", name).out.count("run"), 3, "runs")
    equal(docker.inspect(name, ".State.ExitCode"), "3", "code")


@docker_case
def shared_namespaces(box):
    """containers join the processes, message queues and network of others, and of the host"""
    name = docker.start("--ipc", "shareable", "-", "sleep", "123")
    joined = ["--pid", "container:" + name, "--network", "container:" + name, "--ipc", "container:" + name]
    check("sleep 123" in docker.run("--rm", *joined, "-", "ps").ok().out, "the other's process is not seen")
    host = ["--pid", "host", "--ipc", "host", "--uts", "host"]
    found = docker.run("--rm", *host, "-", "readlink", "/proc/self/ns/pid").ok()
    equal(found.out.strip(), os.readlink("/proc/self/ns/pid"), "namespace of processes")


@docker_case
def events(box):
    """events tell what became of a container, in order"""
    name = docker.start("-", "sh", "-c", "exit 3")
    docker("wait", name).ok()
    eventually(lambda: docker.status(name) == "exited", 5, "the end")
    filters = ["--filter", "container=" + name, "--since", "10m", "--until", "%.6f" % time.time()]
    found = docker("events", *filters, "--format", "{{.Action}}").ok().lines()
    equal(found, ["create", "attach", "start", "die"] if "attach" in found else ["create", "start", "die"], "events")


@docker_case
def committed(box):
    """a container's changes become an image that runs"""
    name = docker.start("-", "sh", "-c", "echo changed >/etc/changed")
    docker("wait", name).ok()
    docker("commit", name, "rondo-test:2").ok()
    equal(docker.run("--rm", "rondo-test:2", "cat", "/etc/changed").ok().out, "changed\n", "the file")
    docker("rmi", "rondo-test:2").ok()


@docker_case
def removed_running(box):
    """rm --force removes a running and a paused container"""
    running, paused = docker.start("-", "sleep", "100"), docker.start("-", "sleep", "100")
    docker("pause", paused).ok()
    docker("rm", "--force", running, paused).ok()
    equal(docker("ps", "--all", "--quiet").ok().out, "", "containers")


@docker_case
def many(box):
    """eight containers run at once"""
    files = [os.path.join(box.path, "many%d" % number) for number in range(8)]

    def one(number):
        words = docker.words("--rm", "-", "sh", "-c", "echo %d; exit %d" % (number, number))
        result = call([*docker.command, *words], files[number], env=docker.environment, limit=60)
        return result.code, result.out

    found = at_once([lambda number=number: one(number) for number in range(8)])
    equal(found, [(number, "%d\n" % number) for number in range(8)], "codes and output")


def main():
    command, words = parse_arguments("oci_docker.py")
    need_machine("dockerd", "docker", "docker-init", "containerd", "unshare", "ip", "tar")
    mine = [each for each in TESTS if each.__module__ == __name__]
    try:
        top.begin(command)
        docker.begin()
        print(top.version)
        counts = run_tests(mine, words, limit=90)
    except BaseException:
        clean()
        raise
    finish(*counts)


if __name__ == "__main__":
    main()
