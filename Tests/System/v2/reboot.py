"""A machine with systemd that is started anew: its node comes back by itself, and with it what ran there.

    python3 Tests/System/v2/boot.py --restarts --binary RONDO=rondo -- python3 Tests/System/v2/reboot.py /job/bin/rondo

Runs twice: before the machine is started anew it ends with 94, and the second time it looks at what has become of it.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir))
sys.path.insert(0, os.path.join(HERE, os.pardir, os.pardir, "Clients"))

from footprint import cgroups  # noqa: E402
from harness import TESTS, check, equal, eventually, finish, run_tests, test  # noqa: E402

PROGRAM = "/usr/local/bin/rondo"
NOTES = "/var/lib/before.json"
AGAIN = 94
COUNT = 3


def run(*words, code=0):
    done = subprocess.run(
        words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120)
    equal(done.returncode, code, "exit of %s (%s)" % (" ".join(words), done.stdout[-1500:]))
    return done.stdout


def tasks(all=False):
    words = [PROGRAM, "task", "list", "--output", "json"] + (["--all"] if all else [])
    return {each["id"]: each for each in json.loads(run(*words))["tasks"]}


def running():
    found = {key: each for key, each in tasks().items() if each["state"] == "TASK_RUNNING"}
    return found if len(found) == COUNT else None


def page():
    """What the service says at the address that its name has; the machine itself has none but loopback."""
    said = subprocess.run(
        ["busybox", "nslookup", "-type=a", "front.rondo", "127.82.111.1"], stdin=subprocess.DEVNULL,
        capture_output=True, text=True, timeout=30).stdout
    addresses = re.findall(r"^Address(?: \d)?: (172[.][0-9.]+)", said, re.M)
    if not addresses:
        return said
    with urllib.request.urlopen("http://%s/" % addresses[0], timeout=20) as answer:
        return answer.read().decode().strip()


def served():
    def probe():
        equal(page(), "served", "the page")
        return True

    eventually(probe, 30, "a page")


def seen():
    """What of the node is on the machine."""
    return {
        "boot": open("/proc/sys/kernel/random/boot_id").read().strip(),
        "bridge": sorted(
            line.split()[3] for line in run("ip", "-o", "address", "show", "dev", "rondo0").splitlines()
            if " fe80" not in line),
        "ports": len([line for line in run("ip", "-o", "link", "show").splitlines() if "master rondo0" in line]),
        "rules": "rondo0" in run("nft", "list", "tables"),
        "groups": len([each for each in cgroups() if "/rondo/" in each]),
        "tasks": sorted(running() or []),
    }


@test
def before():
    """a node that systemd runs serves three instances"""
    shutil.copy(sys.argv[1], PROGRAM)
    run(PROGRAM, "cluster", "init")
    for each in ("bin", "etc", "www", "tmp"):
        os.makedirs("/root/image/" + each)
    shutil.copy(shutil.which("busybox"), "/root/image/bin")
    for each in ("sh", "httpd", "echo", "sleep"):
        os.symlink("busybox", "/root/image/bin/" + each)
    run(PROGRAM, "image", "build-from-rootfs", "/root/image", "--as", "own:1")
    words = [PROGRAM, "service", "run", "own:1", "--cpus", "0.05", "--mem", "32"]
    line = "echo served > /www/index.html; exec httpd -f -p 80 -h /www"
    run(*words, "--name", "front", "--publish", "20080:80", "--cmd", line, "--health-cmd", "true")
    run(*words, "--name", "rest", "--instances", "2", "--publish", "80", "--cmd", line, "--health-cmd", "true")
    eventually(running, 30, "%d running tasks" % COUNT)
    served()
    with open(NOTES, "w") as file:
        json.dump(seen(), file)
        file.flush()
        os.fsync(file.fileno())


@test
def after():
    """after the machine was started anew its services are there once, with their network, and nothing is left of before"""
    with open(NOTES) as file:
        then = json.load(file)
    equal(run("systemctl", "is-enabled", "rondo").strip(), "enabled", "the service")
    eventually(lambda: run("systemctl", "is-active", "rondo").strip() == "active", 60, "the service's start")
    eventually(running, 60, "%d running tasks" % COUNT)
    served()
    eventually(lambda: seen()["ports"] == COUNT and seen()["groups"] == then["groups"], 30, "nothing of before")
    now = seen()
    check(now["boot"] != then["boot"], "the machine was not started anew")
    equal((now["bridge"], now["rules"]), (then["bridge"], then["rules"]), "the bridge and the rules")
    check(not set(now["tasks"]) & set(then["tasks"]), "tasks of before:", now["tasks"])
    ended = tasks(all=True)
    for each in then["tasks"]:
        print("      %s: %s %s" % (each, ended[each]["state"], ended[each].get("message")))
        # Most hear of it: systemd asks all that runs to end.
        check(ended[each]["state"] in ("TASK_KILLED", "TASK_FAILED"), "the end of", each, ended[each])


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    first = not os.path.exists(NOTES)
    result = run_tests([before if first else after], (), 140)
    if first and result[0] == 1:
        print("ok    a machine with a node is started anew")
        sys.stdout.flush()
        os._exit(AGAIN)
    finish(*result)
