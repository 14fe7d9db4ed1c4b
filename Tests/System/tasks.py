"""Tasks in containers of images, on a node of one's own: what they run, as whom, with what, and what is left of them.

    python3 Tests/System/tasks.py path/to/rondo [WORD ...]

Needs root, iproute2, umoci and busybox-static; docker-registry and skopeo for one test.
"""

import base64
import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import Footprint  # noqa: E402
from harness import TESTS, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from mesos_client import Scheduler, scalar  # noqa: E402
from secured_nodes import Node, root, run, world  # noqa: E402

APPLETS = "cat chmod chown dd echo env false grep head hostname httpd id kill ls mkdir mknod mount ps pwd rm sh sleep stat test touch true unshare wc"
PASSWD = "root:x:0:0:root:/root:/bin/sh\napp:x:1234:2345::/home/app:/bin/sh\nalias:x:0:0::/:/bin/sh\n"
GROUP = "root:x:0:\napp:x:2345:\nextra:x:77:app\n"
REFUSED = "TASK_ERROR"


def tool(*command):
    result = run(*command, seconds=60)
    check(result.returncode == 0, " ".join(map(str, command)), "ended with", result.returncode, result.stderr[-400:])
    return result.stdout


def make_image(layout, name, *options, base=None):
    """An image by umoci in a layout: busybox with accounts, or another configuration of one."""
    image = "%s:%s" % (layout, name)
    if base:
        tool("umoci", "tag", "--image", "%s:%s" % (layout, base), name)
    else:
        if not os.path.exists(layout):
            tool("umoci", "init", "--layout", layout)
        tool("umoci", "new", "--image", image)
        bundle = world.path("bundle")
        tool("umoci", "unpack", "--image", image, bundle)
        fill(os.path.join(bundle, "rootfs"))
        tool("umoci", "repack", "--image", image, bundle)
        shutil.rmtree(bundle)
    if options:
        tool("umoci", "config", "--image", image, *options)


def fill(top):
    for each in ("bin", "etc", "home/app", "tmp", "root"):
        os.makedirs(os.path.join(top, each))
    os.chmod(top, 0o755)
    shutil.copy("/bin/busybox", top + "/bin/busybox")
    for each in APPLETS.split():
        os.symlink("busybox", top + "/bin/" + each)
    with open(top + "/bin/own", "w") as file:
        file.write('#!/bin/sh\necho own "$@"\n')
    os.chmod(top + "/bin/own", 0o755)
    os.chmod(top + "/tmp", 0o1777)
    os.chown(top + "/home/app", 1234, 2345)
    for name, content in (("passwd", PASSWD), ("group", GROUP), ("of-image", "yes\n")):
        with open(top + "/etc/" + name, "w") as file:
            file.write(content)


class Bench:
    """The node, a framework on it, and tasks by number."""

    count = 0

    def program(self, *words, code=0, **more):
        place = words.index("--") if "--" in words else len(words)
        result = run(world.rondo, *words[:place], "--data", self.node.data, *words[place:], **more)
        equal(result.returncode, code, "exit of rondo %s: %s" % (" ".join(words), result.stderr[-300:]))
        return result.stdout + result.stderr

    def new_id(self, name="t"):
        Bench.count += 1
        return "%s%d" % (name, Bench.count)

    def launch(self, container, command, scheduler=None, **more):
        """Starts a task; returns its id."""
        scheduler = scheduler or self.scheduler
        offer = scheduler.wait_offers()[0]
        task_id = self.new_id()
        task = {
            "name": task_id,
            "task_id": {"value": task_id},
            "agent_id": offer["agent_id"],
            "resources": [scalar("cpus", 0.05), scalar("mem", 32)],
            "command": command if isinstance(command, dict) else {"shell": True, "value": command},
        }
        task.update(more, **({"container": container} if container else {}))
        scheduler.launch([offer], [task])
        return task_id

    def output(self, task_id, name="stdout"):
        found = glob.glob("%s/agent/work/*/%s/*/%s" % (self.node.data, task_id, name))
        if not found:
            return ""
        with open(found[0], errors="replace") as file:
            return file.read()

    def ended(self, task_id, state="TASK_FINISHED", scheduler=None):
        status = (scheduler or self.scheduler).wait_state(task_id)
        words = {key: status.get(key) for key in ("state", "reason", "message")}
        if state is None:
            return status
        equal(status["state"], state, "the end of a task: %s, errors %r" % (words, self.output(task_id, "stderr")))
        return status

    def result(self, container, command, state="TASK_FINISHED", **more):
        """Runs a task to its end; returns what it wrote, or what is said of it when it does not finish."""
        task_id = self.launch(container, command, **more)
        status = self.ended(task_id, state)
        return self.output(task_id).strip() if state == "TASK_FINISHED" else status.get("message", "")

    @contextlib.contextmanager
    def others(self):
        """Leaves the node's offers to other frameworks for a while."""
        self.scheduler.call("SUPPRESS")
        self.scheduler.decline(list(self.scheduler.offers.values()), 0)
        try:
            yield
        finally:
            self.scheduler.call("REVIVE")

    def is_gone(self, task_id):
        """Whether nothing is on the disk but the work directory."""
        found = glob.glob("%s/agent/work/*/%s/*" % (self.node.data, task_id))
        return bool(found) and not os.path.exists(self.node.file("agent/run/" + os.path.basename(found[0])))


bench = Bench()


def mesos(image="busybox", **more):
    return dict({"type": "MESOS", "mesos": {"image": {"type": "DOCKER", "docker": {"name": image}}}}, **more)


def docker(image="busybox", parameters=(), **more):
    words = [{"key": key, "value": value} for key, value in parameters]
    info = {"image": image, "parameters": words}
    for key in ("privileged", "network", "force_pull_image"):
        if key in more:
            info[key] = more.pop(key)
    return dict({"type": "DOCKER", "docker": info}, **more)


def argv(*words, value=None):
    command = {"shell": False, "arguments": list(words)}
    return dict(command, value=value) if value is not None else command


@test
def from_a_command_line():
    """`rondo run --image` runs a command in the image's root, with its own processes and its variables"""
    with bench.others():
        said = bench.program("run", "--image", "busybox", "--", "sh", "-c", "cat /etc/of-image; echo $FOO; ls /; echo pid $$")
        lost = bench.program("run", "--image", "127.0.0.1:1/nothing:1", "--", "true", code=1, seconds=40)
    check("yes\nimage\n" in said.replace("sh.1: ", ""), said)
    check("boot" not in said and "pid" in said, "it sees the host:", said)
    check("cannot have the image 127.0.0.1:1/nothing:1" in lost, lost)


# Type, its entry point and arguments by the image, command of the task, and what is printed.
RULES = [
    (mesos, "both", argv(), "entry cmd"),
    (mesos, "both", argv("a", "b"), "entry a b"),
    (mesos, "both", argv(value="/bin/pwd"), "/mnt/mesos/sandbox"),
    (mesos, "both", argv("echo", "x y", value="/bin/echo"), "x y"),
    (mesos, "both", "echo $0 $FOO", "/bin/sh image"),
    (mesos, "cmd", argv(), "cmd"),
    (mesos, "cmd", argv("a"), "cmd a"),
    (docker, "both", argv(), "entry cmd"),
    (docker, "both", argv("a", "b"), "entry a b"),
    (docker, "both", argv("b", value="a"), "entry a b"),
    (docker, "both", "echo $0 $FOO", "/bin/sh image"),
    (docker, "cmd", argv(), "cmd"),
    (docker, "cmd", argv("/bin/echo", "a"), "a"),
    (docker, "cmd", argv("/bin/pwd"), "/"),
    (docker, "both", argv("z"), "own z", [("entrypoint", "/bin/own")]),
]


@test
def command_rules():
    """Entry point, arguments and command go together by the rules of Mesos' own containers and of docker's"""
    tasks = []
    for kind, image, command, wanted, *parameters in RULES:
        container = kind(image, *parameters)
        tasks.append((bench.launch(container, command), wanted, (kind.__name__, image, command)))
    wrong = []
    for task_id, wanted, what in tasks:
        bench.ended(task_id)
        found = bench.output(task_id).strip()
        if found != wanted:
            wrong.append("%s gives %r and not %r" % (what, found, wanted))
    check(not wrong, "; ".join(wrong))
    message = bench.result(mesos("none"), argv(), "TASK_FAILED")
    check("neither the task nor the image none names a command" in message, message)
    message = bench.result(mesos(), argv(value="/not/there"), "TASK_FAILED")
    check("execute /not/there" in message, message)


@test
def accounts():
    """A task runs as its user by the image's accounts, else as the image's, and no alias makes a user root"""
    line = "echo $(id -u):$(id -g):$(id -G):$HOME; pwd; touch /mnt/mesos/sandbox/mine"
    for container, user, wanted in [
        (mesos("user"), None, "1234:2345:2345 77:/home/app\n/home/app"),
        (mesos(), "app", "1234:2345:2345 77:/home/app\n/mnt/mesos/sandbox"),
        (docker(parameters=[("user", "99:98")]), None, "99:98:98:/\n/"),
        (docker(parameters=[("user", "app"), ("workdir", "/made/here")]), None, "1234:2345:2345 77:/home/app\n/made/here"),
        (mesos("user"), "root", "0:0:0:/root\n/home/app"),
    ]:
        command = {"shell": True, "value": line}
        if user:
            command["user"] = user
        found = bench.result(container, command).replace("0:0:0 0:", "0:0:0:")
        if "99" in wanted:
            found = found.replace(":98:\n", ":98:/\n")
        equal(found, wanted, "%s as %s" % (container, user))
    for user, words in (("alias", "is root in the image"), ("nobody-here", "is not in the image's /etc/passwd")):
        message = bench.result(mesos(), {"shell": True, "value": "true", "user": user}, "TASK_FAILED")
        check(words in message, message)


def volume(place, mode="RW", **source):
    kind = next(iter(source))
    return {"container_path": place, "mode": mode, "source": {"type": kind.upper(), kind: source[kind]}}


@test
def volumes():
    """Paths of the host, named volumes, directories of the work directory, memory and secrets are mounted as asked"""
    shared = world.path("shared")
    os.makedirs(shared, exist_ok=True)
    with open(shared + "/given", "w") as file:
        file.write("from the host")
    own = {"user": "app"}
    line = "cat /data/given; touch /data/x 2>/dev/null && echo wrote; echo kept > /cache/file; echo w > inside/f; cat inside/f"
    task_id = bench.launch(
        mesos(
            volumes=[
                volume("/data", "RO", host_path={"path": shared}),
                volume("/cache", docker_volume={"name": "store"}),
                volume("inside", sandbox_path={"type": "SELF", "path": "below/here"}),
            ]
        ),
        dict(own, shell=True, value="cd /mnt/mesos/sandbox; " + line),
    )
    bench.ended(task_id)
    equal(bench.output(task_id), "from the hostw\n", "what a task reads and writes")
    equal(bench.output(task_id, "below/here/f"), "w\n", "the file in the work directory")
    found = bench.result(
        docker(parameters=[("volume", "store:/again:ro"), ("tmpfs", "/memory:size=1m")]),
        "cat /again/file; touch /again/x 2>/dev/null || echo refused; stat -f -c %T /memory; "
        "dd if=/dev/zero of=/memory/f bs=64k count=32 2>/dev/null || stat -c %s /memory/f",
    )
    equal(found, "kept\nrefused\ntmpfs\n1048576", "a named volume in the next task, and memory")
    answer = root(bench.node, "PUT", "/secrets/v1/secret/default/web/key", {"value": "s3cret"})
    check(answer.status in (200, 201), answer)
    secret = {"type": "REFERENCE", "reference": {"name": "web/key"}}
    task_id = bench.launch(
        mesos("user", volumes=[volume("keys/one", "RO", secret=secret)]),
        {
            "shell": True,
            "value": "cat /mnt/mesos/sandbox/keys/one; echo; echo $WORD",
            "environment": {"variables": [{"name": "WORD", "type": "SECRET", "secret": secret}]},
        },
    )
    bench.ended(task_id)
    equal(bench.output(task_id), "s3cret\ns3cret\n", "a secret in a file and in a variable")
    os.makedirs(world.path("trap"), exist_ok=True)
    os.symlink("/etc", world.path("trap", "cache"))
    tool("tar", "-C", world.path("trap"), "-cf", world.path("trap.tar"), "cache")
    message = bench.result(
        mesos(volumes=[volume("/x", sandbox_path={"type": "SELF", "path": "cache/hosts"})]),
        {"shell": True, "value": "ls /x", "uris": [{"value": world.path("trap.tar")}]},
        "TASK_FAILED",
    )
    check("the volume 'cache/hosts' cannot be made" in message, message)


def bits(text):
    return int(text.strip().split()[-1], 16)


@test
def rights():
    """Capabilities, limits, devices, a read-only root and the filter of calls are what was asked for, or the usual"""
    usual = sum(1 << each for each in (0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18, 27, 29, 31))
    line = "grep CapBnd /proc/self/status"
    equal(bits(bench.result(mesos(), line)), usual, "the usual capabilities")
    cases = [
        (docker(parameters=[("cap-drop", "ALL"), ("cap-add", "NET_RAW")]), 1 << 13),
        (mesos(linux_info={"effective_capabilities": {"capabilities": ["CHOWN"]},
                           "bounding_capabilities": {"capabilities": ["CHOWN", "KILL"]}}), 1 << 0 | 1 << 5),
    ]
    for container, wanted in cases:
        equal(bits(bench.result(container, line)), wanted, "bounding capabilities of %s" % container)
    found = bench.result(cases[1][0], {"shell": True, "value": "grep CapEff /proc/self/status", "user": "app"})
    equal(bits(found), 1 << 0, "effective capabilities of a user")
    found = bench.result(docker(parameters=[("cap-add", "NET_RAW"), ("user", "app")]), "grep CapEff /proc/self/status")
    equal(bits(found), 0, "effective capabilities of a user who asked for none")
    found = bench.result(
        mesos(rlimit_info={"rlimits": [{"type": "RLMT_NOFILE", "soft": 77, "hard": 88}]}), "ulimit -n; ulimit -Hn")
    equal(found, "77\n88", "limits in Mesos' words")
    equal(bench.result(docker(parameters=[("ulimit", "nofile=55:66")]), "ulimit -n; ulimit -Hn"), "55\n66", "in docker's")
    found = bench.result(
        docker(parameters=[("read-only", "true"), ("tmpfs", "/tmp"), ("hostname", "web"), ("shm-size", "8m")]),
        "touch /x 2>/dev/null || echo refused; touch /tmp/x && echo fine; hostname; grep /dev/shm /proc/mounts",
    )
    check(found.startswith("refused\nfine\nweb\n") and "size=8192k" in found, found)
    tries = (
        "mount -t tmpfs none /tmp 2>/dev/null || echo no mount; mknod /tmp/d b 7 0 2>/dev/null && cat /tmp/d 2>/dev/null"
        " || echo no device; unshare -U true 2>/dev/null || echo no namespace; ls /proc/kcore /sys/firmware | wc -l"
    )
    found = bench.result(mesos(), tries)
    check(found.startswith("no mount\nno device\nno namespace"), found)
    found = bench.result(
        docker(privileged=True), "mount -t tmpfs none /tmp && echo mounted; grep CapBnd /proc/self/status; ls /dev | wc -l")
    check(found.startswith("mounted\n"), found)
    equal(bits(found.split("\n")[1]), bits(open("/proc/self/status").read().split("CapBnd:")[1].split("\n")[0]), "all")
    found = bench.result(docker(parameters=[("device", "/dev/loop-control:/dev/mine:r")]), "ls -l /dev/mine | head -c 1")
    equal(found, "c", "a device of the host") if os.path.exists("/dev/loop-control") else None
    message = bench.result(docker(parameters=[("device", "/dev/not-there")]), "true", "TASK_FAILED")
    check("no device /dev/not-there" in message, message)


@test
def refusals():
    """What cannot be had is refused before anything starts, with words about what to do"""
    label = {"labels": {"labels": [{"key": "isolation", "value": "microvm"}]}}
    cases = [
        (mesos(), label, "isolation: 'microvm' is not available"),
        (docker(parameters=[("pid", "host")]), {}, "'pid' is not supported"),
        (mesos(volumes=[volume("/../x", host_path={"path": "/srv"})]), {}, "container_path"),
        (docker(network="BRIDGE"), {}, None),
    ]
    for container, more, words in cases[:-1]:
        message = bench.result(container, "true", REFUSED, **more)
        check(words in message, message)


@test
def permissions():
    """Who may run tasks as one user only gets no container that reaches the host, and no way to become root in one"""
    rules = ["framework.register:*", "task.run-as:nobody"]
    user = {"name": "bob", "kind": "service", "password": "password-of-bob", "roles": [], "rules": rules}
    answer = root(bench.node, "POST", "/rondo/v1/users", user)
    equal(answer.status, 201, "a user: %s" % answer.text[:300])
    basic = "Basic " + base64.b64encode(b"bob:password-of-bob").decode()
    with bench.others(), Scheduler(bench.node.plain, name="bob", user="nobody", authorization=basic) as scheduler:
        for container in (
            docker(privileged=True),
            docker(parameters=[("cap-add", "SYS_ADMIN")]),
            docker(parameters=[("user", "root")]),
            docker(parameters=[("volume", "/etc:/x")]),
            mesos(volumes=[volume("/x", host_path={"path": "/etc"})]),
            mesos(linux_info={"seccomp": {"unconfined": True}}),
            mesos(linux_info={"effective_capabilities": {"capabilities": ["SETUID"]}}),
        ):
            status = bench.ended(bench.launch(container, "true", scheduler=scheduler), REFUSED, scheduler)
            check("task.run-as:root" in status["message"], container, status["message"])
        task_id = bench.launch(mesos("user"), "id -u; grep NoNewPrivs /proc/self/status", scheduler=scheduler)
        bench.ended(task_id, scheduler=scheduler)
        equal(bench.output(task_id).split(), ["65534", "NoNewPrivs:", "1"], "who a task of bob is")


@test
def images_are_kept():
    """An image stays while a container uses it, and can go when the container is over"""
    task_id = bench.launch(mesos("kept"), "echo up; sleep 60")
    bench.scheduler.wait_state(task_id, "TASK_RUNNING")
    said = bench.program("image", "rm", "kept", code=1)
    check("is used by" in said, said)
    bench.scheduler.kill(task_id, grace_seconds=0)
    bench.ended(task_id, "TASK_KILLED")
    eventually(lambda: run(world.rondo, "image", "rm", "kept", "--data", bench.node.data).returncode == 0, 5, "removal")


@test
def stop_signal():
    """The command is asked to end by the signal that its image names"""
    task_id = bench.launch(mesos("quits"), "trap 'echo quit; exit 0' QUIT; trap 'echo term' TERM; echo up; sleep 60 & wait")
    bench.scheduler.wait_state(task_id, "TASK_RUNNING")
    eventually(lambda: bench.output(task_id), 5, "its first word")
    bench.scheduler.kill(task_id, grace_seconds=10)
    bench.ended(task_id, "TASK_KILLED")
    equal(bench.output(task_id), "up\nquit\n", "what it says")


@test
def from_a_registry():
    """A task's image is pulled from a registry when it is not on the node"""
    if not shutil.which("docker-registry") or not shutil.which("skopeo"):
        raise Skipped("needs docker-registry and skopeo")
    config = {
        "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": world.path("registry")}}, "http": {"addr": "127.0.0.1:5900"},
    }
    with open(world.path("registry.yml"), "w") as file:
        json.dump(config, file)
    with open(world.path("registry.log"), "wb") as log:
        process = subprocess.Popen(
            ["docker-registry", "serve", world.path("registry.yml")], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    world.processes.append(process)

    def copied():
        source = "oci:%s:both" % world.path("layout")
        target = "docker://127.0.0.1:5900/team/app:1"
        return run("skopeo", "copy", "--dest-tls-verify=false", source, target).returncode == 0

    eventually(copied, 15, "the image in the registry", pause=0.3)
    equal(bench.result(docker("127.0.0.1:5900/team/app:1"), argv("pulled")), "entry pulled", "what it prints")
    process.kill()
    process.wait()
    equal(bench.result(docker("127.0.0.1:5900/team/app:1"), argv("again")), "entry again", "without the registry")
    message = bench.result(docker("127.0.0.1:5900/team/app:1", force_pull_image=True), argv("x"), "TASK_FAILED")
    check("cannot have the image 127.0.0.1:5900/team/app:1" in message, message)


def probing(**probe):
    return dict({"delay_seconds": 0.2, "interval_seconds": 0.3, "timeout_seconds": 2}, **probe)


def health(**probe):
    return {"health_check": dict(probing(**probe), grace_period_seconds=0, consecutive_failures=2)}


SERVER = "cd /tmp; echo fine > page; httpd -f -p 127.0.0.1:%d & echo up; while [ ! -e %s/stop ]; do sleep 0.1; done; kill $!; wait"


@test
def health_checks():
    """Health checks by HTTP, TCP and command tell what has changed, and end a task after so many failures in a row"""
    web = SERVER % (5801, "/tmp")
    kinds = {
        "HTTP": health(type="HTTP", http={"port": 5801, "path": "/page"}),
        "TCP": health(type="TCP", tcp={"port": 5801}),
        "COMMAND": health(type="COMMAND", command={"value": "test -e /tmp/page && ! test -e /tmp/stop"}),
    }
    for kind, more in kinds.items():
        task_id = bench.launch(mesos(), web, **more)

        def told(healthy):
            return [
                each for each in bench.scheduler.statuses(task_id)
                if each.get("healthy") is healthy and each.get("reason") == "REASON_TASK_HEALTH_CHECK_STATUS_UPDATED"]

        eventually(lambda: told(True), 10, kind + ": the task is said to be healthy")
        tool(world.rondo, "oci", "--root", runtime_of(task_id), "exec", container_of(task_id), "touch", "/tmp/stop")
        bench.ended(task_id, None)
    # One that stays, is ill, and is killed for it.
    task_id = bench.launch(mesos(), "sleep 100", **health(type="HTTP", http={"port": 5802}))
    status = bench.ended(task_id, "TASK_KILLED")
    check(status.get("healthy") is False, status)
    check("2 health checks in a row failed, the last one: http on port 5802: connect" in status["message"], status["message"])
    task_id = bench.launch(mesos(), "sleep 100", **health(type="COMMAND", timeout_seconds=1, command={"value": "echo no; exit 3"}))
    status = bench.ended(task_id, "TASK_KILLED")
    check("the command ended with status 3: no" in status["message"], status["message"])
    # In a network of its own, where the host hears nothing.
    alone = docker(network="NONE")
    task_id = bench.launch(alone, web, **health(type="TCP", tcp={"port": 5801}))
    eventually(lambda: any(each.get("healthy") for each in bench.scheduler.statuses(task_id)), 10, "health in a network")
    bench.scheduler.kill(task_id, grace_seconds=0)
    bench.ended(task_id, "TASK_KILLED")
    # Without an image.
    task_id = bench.launch(None, "sleep 100", **health(type="COMMAND", command={"value": "test -d /proc/1"}))
    eventually(lambda: any(each.get("healthy") for each in bench.scheduler.statuses(task_id)), 10, "health without image")
    bench.scheduler.kill(task_id, grace_seconds=0)
    bench.ended(task_id, "TASK_KILLED")


@test
def checks():
    """A check tells each change of what it finds, and a task goes on whatever that is"""
    more = {"check": probing(type="COMMAND", command={"command": {"value": "exit $(cat /tmp/code 2>/dev/null || echo 7)"}})}
    task_id = bench.launch(mesos(), "sleep 1; echo 0 > /tmp/code; sleep 1", **more)
    bench.ended(task_id)
    seen = []
    for each in bench.scheduler.statuses(task_id):
        if each["state"] == "TASK_RUNNING":
            seen.append(each["check_status"].get("command", {}).get("exit_code"))
    equal(seen, [None, 7, 0], "exit codes that were told")


def container_of(task_id):
    return os.path.basename(glob.glob("%s/agent/work/*/%s/*" % (bench.node.data, task_id))[0])


def runtime_of(task_id):
    return bench.node.file("agent/run/%s/runtime" % container_of(task_id))


def monitor_of(task_id):
    found = glob.glob("%s/agent/work/*/%s/*" % (bench.node.data, task_id))
    with open(bench.node.file("agent/run/%s/monitor.pid" % os.path.basename(found[0]))) as file:
        return int(file.read().split()[0])


@test
def program_protected():
    """Who is near a container runs from the program's own file, not from a copy, by a mount that cannot be written"""
    task_id = bench.launch(mesos(), "echo up; sleep 300")
    bench.scheduler.wait_state(task_id, "TASK_RUNNING")
    eventually(lambda: bench.output(task_id), 5, "its first word")
    link = "/proc/%d/exe" % monitor_of(task_id)
    check(os.path.samestat(os.stat(link), os.stat(world.rondo)), "the monitor runs from", os.readlink(link))
    check(os.statvfs(link).f_flag & os.ST_RDONLY, "the monitor's program is not mounted read-only")
    os.kill(monitor_of(task_id), signal.SIGKILL)
    bench.ended(task_id, "TASK_FAILED")
    eventually(lambda: bench.is_gone(task_id), 10, "the container's directory is gone")


@test
def monitor_killed():
    """A killed monitor takes its container along, and nothing of it stays"""
    before = Footprint(world.rondo)
    task_id = bench.launch(mesos(), "echo up; mkdir -p /deep; cd /deep; touch $(printf 'odd\\377name'); sleep 300")
    bench.scheduler.wait_state(task_id, "TASK_RUNNING")
    eventually(lambda: bench.output(task_id), 5, "its first word")
    os.kill(monitor_of(task_id), signal.SIGKILL)
    status = bench.ended(task_id, "TASK_FAILED")
    check("monitor was lost" in status["message"], status["message"])
    eventually(lambda: bench.is_gone(task_id), 10, "the container's directory is gone")
    equal(before.left(kinds=("cgroup", "mount", "process")), [], "what is left")


@test
def node_killed():
    """A container outlives its agent, which finds it again and keeps its image; afterwards nothing of it stays"""
    before = Footprint(world.rondo)
    line = (
        "i=0; while [ $i -lt 150 ]; do mkdir d; cd d; i=$((i+1)); done; touch $(printf '\\377\\376'); echo up; "
        "while [ ! -e /mnt/mesos/sandbox/go ]; do sleep 0.1; done; cat /etc/of-image"
    )
    task_id = bench.launch(mesos("last"), "cd /tmp; " + line)
    bench.scheduler.wait_state(task_id, "TASK_RUNNING")
    eventually(lambda: bench.output(task_id), 5, "its first word")
    bench.node.kill()
    bench.node.start()
    bench.scheduler.disconnect()
    bench.scheduler = Scheduler(
        bench.node.plain, name="tasks", framework_id=bench.scheduler.framework_id, checkpoint=True, authorization=bench.shown)
    bench.scheduler.start()
    said = bench.program("image", "rm", "last", code=1)
    check("is used by" in said, said)
    work = glob.glob("%s/agent/work/*/%s/*" % (bench.node.data, task_id))[0]
    with open(work + "/go", "w"):
        pass
    bench.ended(task_id)
    equal(bench.output(task_id), "up\nyes\n", "what it wrote")
    eventually(lambda: bench.is_gone(task_id), 10, "the container's directory is gone")
    eventually(lambda: run(world.rondo, "image", "rm", "last", "--data", bench.node.data).returncode == 0, 5, "removal")
    equal(before.left(kinds=("cgroup", "mount")), [], "what is left")


def start():
    world.create(sys.argv[1])
    layout = world.path("layout")
    make_image(layout, "busybox", "--config.env", "FOO=image")
    both = ["--config.entrypoint", "/bin/echo", "--config.entrypoint", "entry", "--config.cmd", "cmd"]
    make_image(layout, "both", *both, base="busybox")
    make_image(layout, "cmd", "--config.cmd", "/bin/echo", "--config.cmd", "cmd", base="busybox")
    make_image(layout, "user", "--config.user", "app", "--config.workingdir", "/home/app", base="busybox")
    make_image(layout, "quits", "--config.stopsignal", "SIGQUIT", base="busybox")
    for name in ("kept", "last"):
        make_image(layout, name, "--config.label", "name=" + name, base="busybox")
    bench.node = Node("node", "127.0.0.1", port=5050, plain="127.0.0.1:5091")
    names = ["busybox", "both", "cmd", "user", "quits", "kept", "last"]
    for name in names + ["none"]:
        source = name if name in names else "busybox"
        tool(world.rondo, "image", "import", "%s" % layout_of(layout, source), "--as", name, "--data", bench.node.data)
    bench.node.start()
    bench.shown = "token=" + bench.node.secret()
    bench.scheduler = Scheduler(bench.node.plain, name="tasks", checkpoint=True, authorization=bench.shown).start()


def layout_of(layout, name):
    """A layout with one image only."""
    path = world.path("one-" + name)
    if not os.path.exists(path):
        tool("skopeo", "copy", "oci:%s:%s" % (layout, name), "oci:%s:%s" % (path, name))
    return path


def main():
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: tasks.py path/to/rondo [WORD ...]")
    needed = ("ip", "umoci", "skopeo", "busybox")
    if os.geteuid() != 0 or not all(shutil.which(each) for each in needed):
        sys.exit("needs root, " + ", ".join(needed))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    at_end(world.end)
    try:
        began = time.monotonic()
        start()
        print("a node with images after %.1f s" % (time.monotonic() - began))
        counts = run_tests(TESTS, sys.argv[2:], limit=60)
        if bench.scheduler:
            bench.scheduler.stop()
        bench.node.stop()
    except BaseException:
        world.end()
        raise
    finish(*counts)


if __name__ == "__main__":
    main()
