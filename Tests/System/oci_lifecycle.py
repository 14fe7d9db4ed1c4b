"""Verbs of a container's life: create, start, state, kill, delete, list, and the errors around them."""

import json
import os
import re
import threading

from harness import check, equal, eventually
from oci_bundle import case, read, write

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$")


@case
def version(box):
    """--version names the runtime and the specification"""
    text = box.call("--version").ok().out
    check(re.search(r"\d+\.\d+", text), "no number in", text)
    check("spec" in text, "no line about the specification in", text)


@case
def spec_file(box):
    """spec writes a config.json that runs"""
    bundle = box.bundle()
    box.call("spec", "--bundle", bundle.path).ok()
    config = json.loads(read(os.path.join(bundle.path, "config.json")))
    equal(config["process"]["args"], ["sh"], "arguments")
    equal(config["process"]["terminal"], True, "terminal")
    equal(config["root"], {"path": "rootfs", "readonly": True}, "root")
    config["process"].update(terminal=False, args=["/bin/echo", "from spec"])
    bundle.config = config
    equal(bundle.run().ok().out, "from spec\n", "output")
    box.call("spec", "--bundle", bundle.path).refused()


@case
def spec_rootless(box):
    """spec --rootless has a user namespace with the caller mapped to root"""
    bundle = box.bundle()
    box.call("spec", "--rootless", "--bundle", bundle.path).ok()
    linux = json.loads(read(os.path.join(bundle.path, "config.json")))["linux"]
    check("user" in [each["type"] for each in linux["namespaces"]], "no user namespace")
    equal(linux["uidMappings"], [{"containerID": 0, "hostID": 0, "size": 1}], "mapping of users")


@case
def features(box):
    """features tells programs what the runtime can do"""
    found = json.loads(box.call("features").ok().out)
    check(found["ociVersionMin"].startswith("1.0"), "ociVersionMin is", found["ociVersionMin"])
    for each in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"):
        check(each in found["hooks"], "no hook", each)
    for each in ("bind", "ro", "rro", "rslave"):
        check(each in found["mountOptions"], "no mount option", each)
    check("mount" in found["linux"]["namespaces"], "no mount namespace in", found["linux"]["namespaces"])
    check("CAP_CHOWN" in found["linux"]["capabilities"], "no CAP_CHOWN")
    check("SCMP_ACT_ERRNO" in found["linux"]["seccomp"]["actions"], "no SCMP_ACT_ERRNO")


@case
def whole_life(box):
    """a container is created, running, stopped and gone, and state says so"""
    bundle = box.bundle("echo started; exec sleep 100")
    bundle.config["annotations"] = {"org.example.key": "some value"}
    bundle.create().ok()
    state = bundle.state()
    equal(state["id"], bundle.id, "id")
    equal(state["status"], "created", "status after create")
    equal(os.path.realpath(state["bundle"]), bundle.path, "bundle")
    equal(os.path.realpath(state["rootfs"]), bundle.rootfs, "rootfs")
    equal(state["annotations"], {"org.example.key": "some value"}, "annotations")
    check(re.match(r"^1\.\d+\.\d+", state["ociVersion"]), "ociVersion is", state["ociVersion"])
    check(TIME.match(state["created"]), "created is", state["created"])
    check(state["pid"] > 0 and os.path.exists("/proc/%d" % state["pid"]), "no process", state["pid"])
    equal(bundle.output(), "", "output before start")
    bundle.start().ok()
    running = bundle.state()
    equal((running["status"], running["pid"]), ("running", state["pid"]), "status and pid after start")
    eventually(lambda: bundle.output() == "started\n", 5, "output after start")
    bundle.delete().refused()
    equal(bundle.state()["status"], "running", "status after a refused delete")
    bundle.kill(bundle.id, "KILL").ok()
    bundle.wait("stopped")
    stopped = bundle.state()
    equal((stopped["pid"], stopped["created"]), (0, state["created"]), "pid and time after the end")
    bundle.delete().ok()
    bundle.verb("state", bundle.id).refused()


@case
def exit_codes(box):
    """run exits with the process's code, or 128 and the signal"""
    equal(box.bundle("exit 7").run().code, 7, "exit code")
    equal(box.bundle("exit 0").run().code, 0, "exit code")
    bundle = box.bundle("echo to stderr >&2; kill -TERM $$")
    bundle.without_namespace("pid")
    killed = bundle.run()
    equal((killed.code, killed.err), (143, "to stderr\n"), "exit code and standard error")


@case
def streams(box):
    """standard input and output pass through run"""
    text = "".join("%d a line of text\n" % number for number in range(60000))
    result = box.bundle("cat").run(input=text).ok()
    check(result.out == text, "came back as", len(result.out), "of", len(text), "bytes")


@case
def pid_file(box):
    """--pid-file gets the number of the process and nothing else"""
    bundle = box.bundle("sleep 100")
    path = os.path.join(box.path, "pid")
    bundle.create("--pid-file", path).ok()
    equal(read(path), str(bundle.pid()), "content of the file")


@case
def detached(box):
    """run --detach returns with the container running"""
    bundle = box.bundle("sleep 100")
    bundle.run("--detach").ok()
    equal(bundle.state()["status"], "running", "status")
    bundle.end()
    bundle.delete().ok()


@case
def run_removes(box):
    """run removes the container when its process ends, unless --keep"""
    bundle = box.bundle("true")
    bundle.run().ok()
    bundle.verb("state", bundle.id).refused()
    kept = box.bundle("true")
    box.older("runc version 1.0", "no --keep")
    kept.run("--keep").ok()
    equal(kept.state()["status"], "stopped", "status of the one kept")
    kept.delete().ok()


@case
def signals(box):
    """kill sends a signal by name, with or without SIG, and by number; TERM when none is given"""
    script = "trap 'echo usr1' USR1; trap 'echo hup' HUP; trap 'echo int' INT; trap 'echo term; exit 3' TERM; echo up;"
    bundle = box.bundle(script + " while :; do sleep 0.05; done").launch()
    eventually(lambda: "up" in bundle.output(), 5, "traps")
    for signal, word in (("USR1", "usr1"), ("SIGHUP", "hup"), ("2", "int")):
        bundle.kill(bundle.id, signal).ok()
        eventually(lambda: word in bundle.output(), 5, "an answer to " + signal)
    bundle.kill(bundle.id, "NOSUCH").refused()
    bundle.kill(bundle.id).ok()
    eventually(lambda: "term" in bundle.output(), 5, "an answer to no signal")
    bundle.wait("stopped")
    bundle.kill(bundle.id, "KILL").refused()


@case
def kill_all(box):
    """kill --all reaches every process of a container without a pid namespace"""
    bundle = box.bundle("sleep 101 & sleep 102 & echo up; exec sleep 103")
    bundle.without_namespace("pid")
    bundle.launch()
    eventually(lambda: bundle.output(), 5, "children")
    pids = json.loads(bundle.verb("ps", "--format", "json", bundle.id).ok().out)
    equal(len(pids), 3, "processes")
    bundle.kill("--all", bundle.id, "KILL").ok()
    bundle.wait("stopped")
    for pid in pids:
        eventually(lambda: gone(pid), 5, "the end of %d" % pid)


def gone(pid):
    try:
        return read("/proc/%d/stat" % pid).rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


@case
def delete_force(box):
    """delete --force ends a created, a running and no container"""
    created = box.bundle("sleep 100")
    created.create().ok()
    created.delete("--force").ok()
    created.verb("state", created.id).refused()
    running = box.sleeper()
    running.delete("--force").ok()
    running.verb("state", running.id).refused()
    running.delete("--force").ok()
    running.delete().refused()


@case
def delete_frozen_elsewhere(box):
    """delete --force ends a container whose process somebody has moved to a frozen group"""
    box.older("runc", "runc gives up")
    bundle = box.sleeper()
    group = os.path.join(os.path.dirname(bundle.cgroup("freezer")), "frozen")
    os.mkdir(group)
    box.finally_do.append(lambda: os.rmdir(group))
    write(os.path.join(group, "cgroup.procs"), str(bundle.pid()))
    write(os.path.join(group, "freezer.state"), "FROZEN")
    bundle.delete("--force").ok()


@case
def state_waits(box):
    """state of a container that is being created waits for it for a moment"""
    box.older("runc", "a container that is being created is unknown to runc")
    path = os.path.join(box.path, "go")
    os.mkfifo(path)
    bundle = box.bundle("sleep 100")
    bundle.config["hooks"] = {"createRuntime": [{"path": "/bin/sh", "args": ["sh", "-c", "cat " + path]}]}
    creating = threading.Thread(target=bundle.create)
    creating.start()
    eventually(lambda: box.call("list", "-q").out, 5, "a sign of the container")
    equal(bundle.state()["status"], "creating", "status while a hook runs")
    write(path, "go")
    equal(bundle.state()["status"], "created", "status afterwards")
    creating.join()


@case
def listing(box):
    """list shows containers as a table, as JSON and as ids only"""
    empty = box.call("list", "--format", "json").ok().out.strip()
    check(json.loads(empty) in (None, []), "without containers JSON is", empty)
    first, second = box.sleeper(), box.bundle("sleep 100")
    second.create().ok()
    ids = box.call("list", "--quiet").ok().lines()
    equal(sorted(ids), sorted([first.id, second.id]), "ids")
    found = {each["id"]: each for each in json.loads(box.call("list", "-f", "json").ok().out)}
    equal({name: each["status"] for name, each in found.items()}, {first.id: "running", second.id: "created"}, "JSON")
    equal((found[first.id]["pid"], found[first.id]["bundle"]), (first.pid(), first.path), "pid and bundle")
    table = box.call("list").ok().lines()
    equal(table[0].split(), ["ID", "PID", "STATUS", "BUNDLE", "CREATED", "OWNER"], "heading")
    check(any(line.split()[:3] == [second.id, str(second.pid()), "created"] for line in table), "no row in", table)


@case
def processes(box):
    """ps shows the container's processes as a table and as JSON"""
    bundle = box.bundle("sleep 101 & echo up; sleep 102; true").launch()
    eventually(lambda: bundle.output(), 5, "a child")
    pids = eventually(
        lambda: len(found := json.loads(bundle.verb("ps", "-f", "json", bundle.id).ok().out)) == 3 and found,
        5,
        "three processes",
    )
    check(bundle.pid() in pids, bundle.pid(), "is not among", pids)
    table = bundle.verb("ps", bundle.id).ok()
    check("PID" in table.lines()[0], "no heading in", table.out)
    check("sleep 101" in table.out, "no child in", table.out)


@case
def unknown(box):
    """every verb on an unknown container fails and says so"""
    for verb in (["state"], ["start"], ["kill"], ["delete"], ["pause"], ["resume"], ["ps"], ["events", "--stats"]):
        result = box.call(*verb, "nobody").refused()
        check("not exist" in result.err or "not found" in result.err.lower(), verb, "says", result.err)
    box.call("exec", "nobody", "true").refused()


@case
def twice(box):
    """an id that is in use is refused, and a container starts only once"""
    bundle = box.bundle("sleep 100")
    bundle.create().ok()
    second = bundle.verb("create", "--bundle", bundle.path, bundle.id).refused()
    check("exist" in second.err or "in use" in second.err, "the error is", second.err)
    equal(bundle.state()["status"], "created", "status of the first")
    bundle.start().ok()
    bundle.start().refused()
    equal(bundle.state()["status"], "running", "status of the first")
    bundle.end()
    bundle.start().refused()


@case
def bad_ids(box):
    """ids that would leave the state folder are refused"""
    bundle = box.bundle()
    bundle.save()
    for each in ("..", ".", "a/b", "../up", "", "a b", "a\nb"):
        bundle.verb("create", "--bundle", bundle.path, each).refused()
    check(not os.path.exists(box.root) or not os.listdir(box.root), "state is left of bad ids")


@case
def bad_configs(box):
    """a broken configuration is refused with words, and leaves nothing"""
    bundle = box.bundle(["/bin/true"])
    good = json.dumps(bundle.config)
    broken = {
        "empty": "",
        "cut": good[: len(good) // 2],
        "not JSON": "hello",
        "args not a list": good.replace('"args": ["/bin/true"]', '"args": "/bin/true"'),
        "no args": good.replace('"args": ["/bin/true"]', '"args": []'),
        "unknown namespace": good.replace('"type": "uts"', '"type": "nonsense"'),
        "relative cwd": good.replace('"cwd": "/"', '"cwd": "tmp"'),
        "uid not a number": good.replace('"uid": 0', '"uid": "root"'),
    }
    for name, text in broken.items():
        check(text != good, name, "is not broken")
        bundle.save(text)
        result = bundle.make("create", save=False)
        check(result.code != 0, name, "was taken")
        check(len(result.err.strip()) > 8, "no words about", name)
        equal(box.call("list", "-q").ok().out, "", "containers after " + name)
    os.remove(os.path.join(bundle.path, "config.json"))
    check("config.json" in bundle.make("create", save=False).refused().err, "the missing file is not named")


@case
def missing_rootfs(box):
    """a root file system that is not there is refused"""
    bundle = box.bundle()
    bundle.config["root"]["path"] = "nowhere"
    check("nowhere" in bundle.run().refused().err, "the folder is not named")


@case
def missing_program(box):
    """a program that is not there or cannot run is refused with the words that engines look for"""
    for arguments, words in (
        (["nosuchprogram"], "executable file not found in $PATH"),
        (["/bin/nosuchprogram"], "no such file or directory"),
        (["/etc/passwd"], "permission denied"),
    ):
        result = box.bundle(arguments).run().refused()
        check(words in result.err.lower().replace("$path", "$PATH"), arguments, "says", result.err)
        check(arguments[0] in result.err, "the program is not named in", result.err)


@case
def json_log(box):
    """errors go to --log as JSON lines, as engines read them"""
    path = os.path.join(box.path, "log")
    command = [*box.command]
    box.command = [*command, "--log", path, "--log-format", "json"]
    box.bundle(["nosuchprogram"]).run().refused()
    lines = [json.loads(line) for line in read(path).splitlines()]
    errors = [each for each in lines if each["level"] == "error"]
    check(errors and "nosuchprogram" in errors[-1]["msg"], "lines are", lines)
    check(TIME.match(errors[-1]["time"]), "time is", errors[-1]["time"])


@case
def default_group(box):
    """a container without a cgroupsPath gets a group by its id, and it goes with it"""
    bundle = box.bundle("sleep 100")
    del bundle.linux["cgroupsPath"]
    bundle.launch()
    check(bundle.cgroup("pids").endswith(bundle.id), "group is", bundle.cgroup("pids"))
