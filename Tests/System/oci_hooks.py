"""Hooks: when they run, where, with what, and what their failure does."""

import json
import os

from harness import check, equal, eventually
from oci_bundle import case, read, top, write

KINDS = ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")


def recorded(box, bundle, kinds=KINDS):
    """Adds hooks that write their name, state and place to a folder which they all see."""
    folder = box.folder("hooks")
    bundle.mount("/hooks", "none", folder, "bind", "rw")
    bundle.config["hooks"] = {}
    for kind in kinds:
        place = "/hooks" if kind == "startContainer" else folder
        bundle.config["hooks"][kind] = [record(place, kind, number) for number in (1, 2)]
    return folder


def record(place, kind, number):
    script = "echo $1 >>$0/order; cat >$0/state.$1; readlink /proc/self/ns/mnt >$0/where.$1; env >$0/env.$1"
    arguments = ["sh", "-c", script, place, kind + str(number)]
    return {"path": "/bin/sh", "args": arguments, "env": ["ONLY=this", "PATH=/bin"]}


def runs_poststart_early():
    """The specification has poststart hooks run at start; this version runs them at create, where nothing started."""
    return top.version.startswith("runc version 1.1")


def order(folder):
    path = os.path.join(folder, "order")
    return [] if not os.path.exists(path) else read(path).split()


@case
def six_kinds(box):
    """hooks of all kinds run in order at create, start and delete"""
    bundle = box.bundle("echo process >>/hooks/order; sleep 100")
    folder = recorded(box, bundle)
    early = runs_poststart_early()
    both = {kind: [kind + "1", kind + "2"] for kind in KINDS}
    bundle.create().ok()
    wanted = both["prestart"] + both["createRuntime"] + both["createContainer"]
    equal(order(folder), wanted + (both["poststart"] if early else []), "hooks at create")
    bundle.start().ok()
    eventually(lambda: "process" in order(folder), 5, "a sign of the process")
    wanted += both["poststart"] + both["startContainer"] if early else both["startContainer"] + both["poststart"]
    # The process may come before or after the last hooks, which are on the host.
    found = order(folder)
    equal([each for each in found if each != "process"], wanted, "hooks until the start")
    check(found.index("process") > found.index("startContainer2"), "the process was too early:", found)
    bundle.end()
    equal(len(order(folder)), 11, "hooks and process before delete")
    bundle.delete().ok()
    equal(order(folder)[-2:], both["poststop"], "hooks at delete")


@case
def hook_states(box):
    """each hook reads the state from standard input and has the status of its moment"""
    bundle = box.bundle("sleep 100")
    bundle.config["annotations"] = {"key": "value"}
    folder = recorded(box, bundle)
    bundle.launch()
    pid = bundle.pid()
    bundle.end()
    bundle.delete().ok()
    states = {kind: json.loads(read(os.path.join(folder, "state.%s1" % kind))) for kind in KINDS}
    for kind, state in states.items():
        found = (state["id"], os.path.realpath(state["bundle"]), state["annotations"])
        equal(found, (bundle.id, bundle.path, {"key": "value"}), "id, bundle and annotations at " + kind)
        check(state["ociVersion"].startswith("1."), kind, "ociVersion is", state["ociVersion"])
    for kind in ("prestart", "createRuntime", "poststart"):
        equal(states[kind]["pid"], pid, "pid at " + kind)
    statuses = {kind: state["status"] for kind, state in states.items()}
    later = "created" if runs_poststart_early() else "running"
    # A prestart hook is of a time when it ran after create; runc tells it otherwise.
    first = "creating" if top.version.startswith("runc") else "created"
    wanted = [first, "creating", "creating", "created", later, "stopped"]
    equal(statuses, dict(zip(KINDS, wanted)), "statuses")


@case
def hook_places(box):
    """hooks run in the namespaces that the specification gives them, with their own environment only"""
    bundle = box.bundle("readlink /proc/self/ns/mnt >/hooks/inside; sleep 100")
    folder = recorded(box, bundle)
    bundle.launch()
    inside = bundle.shell("readlink /proc/self/ns/mnt").ok().out.strip()
    bundle.delete("--force").ok()
    outside = os.readlink("/proc/self/ns/mnt")
    for kind in KINDS:
        wanted = inside if kind in ("createContainer", "startContainer") else outside
        equal(read(os.path.join(folder, "where.%s1" % kind)).split()[0], wanted, "mount namespace of " + kind)
        lines = set(read(os.path.join(folder, "env.%s1" % kind)).split("\n"))
        extra = {line.split("=")[0] for line in lines if line} - {"ONLY", "PATH", "PWD", "SHLVL", "_", "OLDPWD"}
        equal(extra, set(), "further environment of " + kind)
        check("ONLY=this" in lines, kind, "has no ONLY")


@case
def failing_at_create(box):
    """a hook that fails at create undoes the container"""
    for kind in ("prestart", "createRuntime", "createContainer"):
        bundle = box.bundle("sleep 100")
        bundle.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", "echo hook words >&2; exit 9"]}]}
        result = bundle.create()
        check(result.code != 0, kind, "did not stop create")
        check("hook" in result.err, kind, "is not named in", result.err)
        equal(box.call("list", "-q").ok().out, "", "containers after " + kind)


@case
def failing_at_start(box):
    """a startContainer hook that fails keeps the process from running"""
    bundle = box.bundle("echo ran >/tmp/ran; sleep 100")
    bundle.config["hooks"] = {"startContainer": [{"path": "/bin/false", "args": ["false"]}]}
    bundle.create().ok()
    bundle.start()
    bundle.wait("stopped")
    check(not os.path.exists(bundle.inside("tmp/ran")), "the process ran")
    bundle.delete().ok()


@case
def failing_when_started(box):
    """a poststart hook that fails ends and deletes the container, and its poststop hooks run"""
    box.older("runc", "runc 1.1 runs poststart hooks at create; later ones leave the container")
    path = os.path.join(box.path, "after")
    stop = {"path": "/bin/sh", "args": ["sh", "-c", "echo stopped >" + path]}
    bundle = box.bundle("sleep 100")
    bundle.config["hooks"] = {"poststart": [{"path": "/bin/false"}], "poststop": [stop]}
    bundle.create().ok()
    check("poststart" in bundle.start().refused().err, "the hook is not named")
    bundle.verb("state", bundle.id).refused()
    equal(read(path), "stopped\n", "what the poststop hook wrote")


@case
def inherited_environment(box):
    """hooks without an environment have the runtime's, those in the container the process's"""
    box.older("runc version 1.1", "runc 1.1 gives startContainer hooks nothing")
    path = os.path.join(box.path, "seen")
    bundle = box.bundle("cat /seen")
    bundle.process["env"].append("FROM=config")
    outside = {"path": "/bin/sh", "args": ["sh", "-c", "echo $FROM >" + path]}
    inside = {"path": "/bin/sh", "args": ["sh", "-c", "echo $FROM >/seen"]}
    bundle.config["hooks"] = {"createRuntime": [outside], "startContainer": [inside]}
    result = bundle.run(env={**os.environ, "FROM": "caller"}).ok()
    equal((read(path), result.out), ("caller\n", "config\n"), "environments")


@case
def failing_after(box):
    """a poststop hook that fails does not keep the container from being deleted"""
    bundle = box.bundle("true")
    path = os.path.join(box.path, "second")
    failing = {"path": "/bin/false", "args": ["false"]}
    following = {"path": "/bin/sh", "args": ["sh", "-c", "echo second >" + path]}
    bundle.config["hooks"] = {"poststop": [failing, following]}
    bundle.launch()
    bundle.wait("stopped")
    bundle.delete()
    bundle.verb("state", bundle.id).refused()
    box.older("runc", "runc skips the hooks after one that failed, the specification has them run")
    equal(read(path), "second\n", "the hook after the one that failed")


@case
def missing_hook(box):
    """a hook whose program is missing, or whose path is relative, is refused"""
    for path in ("/nosuchhook", "relative/path"):
        bundle = box.bundle("sleep 100")
        bundle.config["hooks"] = {"createRuntime": [{"path": path}]}
        bundle.create().refused()


@case
def slow_hook(box):
    """a hook that outlives its timeout is killed and has failed"""
    bundle = box.bundle("sleep 100")
    hook = {"path": "/bin/sleep", "args": ["sleep", "30"], "timeout": 1, "env": ["RONDO_TEST=" + bundle.id]}
    bundle.config["hooks"] = {"createRuntime": [hook]}
    bundle.create(limit=10).refused()


@case
def hooks_make_the_network(box):
    """a createRuntime hook can configure the container's network namespace by the pid it reads"""
    bundle = box.bundle("hostname; cat /proc/sys/net/ipv4/ip_forward; hostname")
    path = write(
        os.path.join(box.path, "hook"),
        "#!/bin/sh\npid=$(sed 's/.*\"pid\": *\\([0-9]*\\).*/\\1/')\n"
        "exec nsenter -t $pid -u -n -- sh -c 'hostname hooked; ip link set lo down 2>/dev/null; exit 0'\n",
        0o755,
    )
    bundle.config["hooks"] = {"createRuntime": [{"path": path, "env": ["PATH=/bin:/usr/bin:/sbin:/usr/sbin"]}]}
    result = bundle.run()
    check(result.code == 0, "the hook could not enter:", result.err)
