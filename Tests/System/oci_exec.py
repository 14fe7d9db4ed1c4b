"""Further processes in a container."""

import json
import os
import threading

from harness import check, equal, eventually
from oci_bundle import call, case, read, write
from oci_process import capability_sets, mask
from oci_terminal import console_of


@case
def exec_codes(box):
    """exec runs a program in the container and exits with its code"""
    bundle = box.sleeper()
    result = bundle.shell("echo out; echo err >&2; hostname; exit 9")
    equal((result.code, result.out, result.err), (9, "out\nbox\n", "err\n"), "code and output")
    equal(bundle.shell("kill -KILL $$").code, 137, "code of one that was killed")
    equal(bundle.exec("cat", input="words").ok().out, "words", "what cat gave back")
    equal(bundle.state()["status"], "running", "status afterwards")


@case
def exec_settings(box):
    """exec has the container's environment, folder and user, or those that options give"""
    bundle = box.bundle("exec sleep 100")
    bundle.process["env"].append("FROM=config")
    bundle.process["cwd"] = "/var"
    bundle.launch()
    script = "pwd; id -u; id -g; id -G; echo $FROM $MORE"
    equal(bundle.shell(script).ok().lines(), ["/var", "0", "0", "0", "config"], "without options")
    options = ("--cwd", "/tmp", "--user", "1000:1001", "--env", "MORE=x y", "--env", "FROM=option")
    options += ("--additional-gids", "2000")
    lines = bundle.shell(script, *options).ok().lines()
    equal(lines, ["/tmp", "1000", "1001", "1001 2000", "option x y"], "with options")


@case
def variable_once(box):
    """a variable that is given twice has its last value, and is there once"""
    box.older("runc version 1.1", "runc 1.1 leaves both in place")
    bundle = box.bundle("env | grep ^FROM; exec sleep 100")
    bundle.process["env"] += ["FROM=config", "FROM=later"]
    bundle.launch()
    eventually(lambda: bundle.output() == "FROM=later\n", 5, "the variable of the first process")
    lines = bundle.shell("env | grep ^FROM", "--env", "FROM=option", "--env", "FROM=last").ok().lines()
    equal(lines, ["FROM=last"], "the variable with options")


@case
def exec_namespaces(box):
    """exec joins all namespaces and control groups of the container"""
    bundle = box.bundle("exec sleep 100")
    bundle.namespace("cgroup")
    bundle.launch()
    same = "test $(readlink 1/ns/$each) = $(readlink self/ns/$each) && echo same"
    script = "cd /proc; for each in pid net ipc uts mnt cgroup; do %s; done; cat self/cgroup 1/cgroup" % same
    lines = bundle.shell(script).ok().lines()
    equal(lines[:6], ["same"] * 6, "namespaces")
    groups = lines[6:]
    equal(groups[: len(groups) // 2], groups[len(groups) // 2 :], "groups of the two")


@case
def exec_rights(box):
    """exec has the container's capabilities and noNewPrivileges, and more when --cap gives them"""
    bundle = box.bundle("exec sleep 100")
    sets = {"bounding": ["CAP_CHOWN", "CAP_KILL"], "permitted": ["CAP_CHOWN"], "effective": ["CAP_CHOWN"]}
    bundle.process["capabilities"] = sets
    bundle.launch()
    status = bundle.exec("cat", "/proc/self/status").ok().out
    chown, kill = mask("CAP_CHOWN"), mask("CAP_KILL")
    wanted = {"Inh": 0, "Prm": chown, "Eff": chown, "Bnd": chown | kill, "Amb": 0}
    equal(capability_sets(status), wanted, "capabilities")
    check("NoNewPrivs:\t1" in status, "noNewPrivileges is not set")
    more = bundle.exec("cat", "/proc/self/status", options=("--cap", "CAP_KILL")).ok().out
    check(capability_sets(more)["Eff"] & kill, "--cap gave nothing")


SHOW = "id -u; id -g; id -G; pwd; echo $ONLY; ulimit -n; umask; cat /proc/self/oom_score_adj"


@case
def exec_process_file(box):
    """exec --process takes the whole process from a file"""
    bundle = box.sleeper()
    process = {
        "terminal": False,
        "user": {"uid": 5, "gid": 6, "additionalGids": [7], "umask": 0o077},
        "args": ["sh", "-c", SHOW],
        "env": ["PATH=/bin", "ONLY=this"],
        "cwd": "/var",
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 300, "hard": 400}],
        "oomScoreAdj": 321,
    }
    path = write(os.path.join(box.path, "process.json"), json.dumps(process))
    lines = bundle.verb("exec", "--process", path, bundle.id).ok().lines()
    equal(lines[:6], ["5", "6", "6 7", "/var", "this", "300"], "what the process found")
    write(path, "{}")
    bundle.verb("exec", "--process", path, bundle.id).refused()
    box.older("runc version 1.1", "exec takes umask and oomScoreAdj from the container, not from the file")
    equal(lines[6:], ["0077", "321"], "umask and score")


@case
def exec_detached(box):
    """exec --detach returns at once, with the pid in a file"""
    bundle = box.sleeper()
    path = os.path.join(box.path, "pid")
    bundle.exec("sleep", "50", options=("--detach", "--pid-file", path)).ok()
    pid = int(read(path))
    equal(read("/proc/%d/cmdline" % pid), "sleep\00050\000", "command of that process")
    check(pid in json.loads(bundle.verb("ps", "-f", "json", bundle.id).ok().out), "ps does not show it")


@case
def exec_terminal(box):
    """exec --tty has a terminal of its own, over a console socket"""
    bundle = box.sleeper()
    console = console_of(box)
    path = os.path.join(box.path, "pid")
    options = ("--tty", "--detach", "--pid-file", path, "--console-socket", console.path)
    bundle.exec("sh", "-c", "tty; stty size; read x; echo got $x", options=options).ok()
    console.receive()
    check("/dev/" in console.read_until("\r\n"), "tty names no device")
    console.resize(10, 40)
    console.type("words\n")
    console.read_until("got words")
    pid = int(read(path))
    eventually(lambda: not os.path.exists("/proc/%d" % pid) or is_dead(pid), 10, "the end of the process")


def is_dead(pid):
    return read("/proc/%d/stat" % pid).rsplit(")", 1)[1].split()[0] in "ZX"


@case
def exec_errors(box):
    """exec fails with words on what is missing, stopped or paused"""
    bundle = box.sleeper()
    result = bundle.exec("nosuchprogram").refused()
    check("executable file not found in $PATH" in result.err, "the error is", result.err)
    result = bundle.exec("/bin/nosuchprogram").refused()
    check("no such file or directory" in result.err.lower(), "the error is", result.err)
    result = bundle.exec("/etc/passwd").refused()
    check("permission denied" in result.err.lower(), "the error is", result.err)
    bundle.verb("exec", bundle.id).refused()
    bundle.verb("pause", bundle.id).ok()
    check("paused" in bundle.exec("true").refused().err, "the error does not say that it is paused")
    bundle.verb("resume", bundle.id).ok()
    bundle.end()
    check("stopped" in bundle.exec("true").refused().err, "the error does not say that it is stopped")


@case
def exec_before_start(box):
    """exec works in a container that is created and not started"""
    bundle = box.bundle("exec sleep 100")
    bundle.create().ok()
    equal(bundle.shell("hostname").ok().out, "box\n", "output")
    equal(bundle.state()["status"], "created", "status afterwards")


@case
def many_at_once(box):
    """several processes at once do not disturb each other"""
    bundle = box.sleeper()
    found = {}

    def one(number):
        path = os.path.join(box.path, "in%d" % number)
        script = "echo %d; exit %d" % (number, number)
        result = call([*box.command, "--root", box.root, "exec", bundle.id, "sh", "-c", script], path)
        found[number] = (result.code, result.out)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    equal(found, {number: (number, "%d\n" % number) for number in range(8)}, "codes and output")


@case
def end_of_container(box):
    """further processes end with the container's first"""
    bundle = box.sleeper()
    path = os.path.join(box.path, "pid")
    bundle.exec("sleep", "50", options=("--detach", "--pid-file", path)).ok()
    bundle.end()
    pid = int(read(path))
    eventually(lambda: not os.path.exists("/proc/%d" % pid) or is_dead(pid), 10, "the end of the process")
