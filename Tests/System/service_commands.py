"""Services by `rondo service`, on a cluster of `rondo dev`.

Run by dev_cluster.py; MASTER and RONDO are in the environment.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import at_end, check, equal, eventually, main, need, test  # noqa: E402

MASTER = need("MASTER", "host:port of the master")
RONDO = need("RONDO", "path of the program")
FOLDER = tempfile.mkdtemp(prefix="rondo-service-")
at_end(lambda: shutil.rmtree(FOLDER, ignore_errors=True))


def rondo(*words, stdin=None, seconds=40):
    done = subprocess.run(
        [RONDO, "service", words[0], "--master", MASTER, *words[1:]], capture_output=True, text=True, timeout=seconds,
        input=stdin, stdin=subprocess.DEVNULL if stdin is None else None)
    return done.returncode, done.stdout, done.stderr


def ok(*words, **options):
    code, out, err = rondo(*words, **options)
    equal(code, 0, "the code of rondo service %s: %s%s" % (" ".join(words), out, err))
    return out


def remarks(*words, **options):
    code, out, err = rondo(*words, **options)
    equal(code, 0, "the code of rondo service %s: %s%s" % (" ".join(words), out, err))
    return err


def refused(code, word, *words, **options):
    found, out, err = rondo(*words, **options)
    equal(found, code, "the code of rondo service %s: %s%s" % (" ".join(words), out, err))
    check(word in err, "the remark lacks", repr(word), ":", err)


def show(*words):
    return json.loads(ok(*words, "--output", "json"))


def app(name):
    return show("inspect", name)["app"]


def file(name, content):
    path = os.path.join(FOLDER, name)
    with open(path, "w") as out:
        out.write(content)
    return path


SLEEP = "echo \"$STAGE\"; exec sleep 600"


@test
def life():
    """a service runs, is scaled, updated, rolled back, restarted, has written, and is removed"""
    said = remarks("run", "--name", "web", "--cmd", SLEEP, "--instances", "2", "--env", "STAGE=one", "--cpus", "0.1")
    check("runs with 2 instances" in said, "the end is not said:", said)
    equal(app("web")["tasksRunning"], 2, "the instances")
    refused(1, "already", "run", "--name", "web", "--cmd", "true")
    check("/web" in ok("list") and "2/2" in ok("list"), "the list:", ok("list"))
    ok("scale", "web", "3")
    equal(app("web")["tasksRunning"], 3, "the instances after scaling")
    before = {each["id"] for each in app("web")["tasks"]}
    ok("update", "web", "--env", "STAGE=two", "--label", "a=b")
    changed = app("web")
    equal((changed["env"], changed["labels"]), ({"STAGE": "two"}, {"a": "b"}), "the change")
    check(not before & {each["id"] for each in changed["tasks"]}, "instances of before are left")
    lines = sorted(ok("log", "web").splitlines())
    equal([each.split(" | ")[1] for each in lines], ["two"] * 3, "the log")
    equal(len({each.split(" | ")[0] for each in lines}), 3, "the names in front of its lines")
    one = changed["tasks"][0]["id"]
    equal(ok("log", "web", one), "two\n", "the log of one instance")
    ok("rollback", "web")
    equal(app("web")["env"], {"STAGE": "one"}, "what it is rolled back to")
    before = {each["id"] for each in app("web")["tasks"]}
    ok("restart", "web")
    check(not before & {each["id"] for each in app("web")["tasks"]}, "instances of before the restart are left")
    check("earlier" in ok("inspect", "web"), "the versions are not shown")
    ok("rm", "web")
    refused(1, "no service 'web'", "inspect", "web")


@test
def files():
    """a file in YAML or JSON is an app or a group, and is deployed again when it has changed"""
    text = """
id: shop/front
cmd: exec sleep 600
instances: 2
cpus: 0.1
mem: 32
"""
    path = file("front.yaml", text)
    ok("deploy", path)
    equal(app("shop/front")["tasksRunning"], 2, "the instances")
    ok("deploy", "-", stdin=json.dumps({"id": "/shop/front", "cmd": "exec sleep 601", "instances": 1, "cpus": 0.1, "mem": 32}))
    equal((app("shop/front")["cmd"], app("shop/front")["tasksRunning"]), ("exec sleep 601", 1), "the change")
    ok("deploy", file("group.yaml", """
id: /store
apps:
  - {id: db, cmd: exec sleep 600, cpus: 0.1, mem: 32, instances: 1}
  - {id: web, cmd: exec sleep 600, cpus: 0.1, mem: 32, instances: 1, dependencies: [/store/db]}
"""))
    equal([app("store/" + each)["tasksRunning"] for each in ("db", "web")], [1, 1], "the group's apps")
    refused(1, "/cpus", "deploy", file("bad.json", '{"id": "/bad", "cmd": "true", "cpus": -1}'))
    refused(64, "line", "deploy", file("broken.yaml", "id: [}\n"))
    refused(64, "'id'", "deploy", file("nameless.yaml", "cmd: x\n"))
    for each in ("shop/front", "store/web", "store/db"):
        ok("rm", each)


@test
def waiting():
    """what a deployment waits for is said with its reason; Ctrl-C ends the waiting and not the deployment"""
    process = subprocess.Popen(
        [RONDO, "service", "run", "--master", MASTER, "--name", "huge", "--cpus", "4000", "--cmd", "exec sleep 600"],
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    at_end(process.kill)
    lines = []
    while not any("insufficient cpus" in each for each in lines):
        line = process.stderr.readline()
        check(line, "it has ended:", lines)
        lines.append(line)
    process.send_signal(signal.SIGINT)
    equal(process.wait(10), 130, "the code after Ctrl-C")
    check("deploying" in ok("list"), "the deployment is not shown")
    refused(1, "--force", "scale", "huge", "2")
    ok("update", "huge", "--cpus", "0.1", "--force")
    equal(app("huge")["tasksRunning"], 1, "the instances when they fit")
    ok("rm", "huge")


@test
def failing():
    """an instance that fails is said while a deployment waits"""
    process = subprocess.Popen(
        [RONDO, "service", "run", "--master", MASTER, "--name", "ill", "--cpus", "0.1", "--cmd", "true",
         "--user", "nobody-of-this-name"],
        stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    at_end(process.kill)
    lines = []
    while not any("has ended: " in each for each in lines):
        line = process.stderr.readline()
        check(line, "it has ended:", lines)
        lines.append(line)
    check("nobody-of-this-name" in lines[-1], "the reason is not said:", lines)
    ok("rm", "ill", "--force")
    equal(process.wait(20), 1, "the code of what waited")
    check("removed" in process.stderr.read(), "why it ended is not said")


@test
def refusals():
    """what cannot be is refused with what to do"""
    refused(64, "--cmd", "run")
    refused(64, "--publish", "run", "nginx", "--publish", "x")
    refused(1, "no service 'nothing'", "scale", "nothing", "2")
    refused(1, "no service 'nothing'", "log", "nothing")
    refused(1, "no service 'nothing'", "rm", "nothing")
    eventually(lambda: show("list")["apps"] == [], 20, "the end of all services")


if __name__ == "__main__":
    main(limit=60)
