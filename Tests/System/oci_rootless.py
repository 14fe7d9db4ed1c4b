"""Containers of an ordinary user, who has no rights on the machine."""

import json
import os
import shutil
import subprocess

from harness import Skipped, check, equal, eventually
from oci_bundle import case, read, top, write

UID = 12345
RANGE = 3_000_000
AS_USER = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--clear-groups"]


def users_bundle(box, script):
    """A bundle that belongs to the user, as `spec --rootless` makes it, with a script."""
    if subprocess.run([*AS_USER, *box.command, "--version"], capture_output=True, timeout=10).returncode:
        raise Skipped("the runtime's file cannot be executed by other users")
    if top.systemd:
        raise Skipped("systemd makes groups for an ordinary user in a session of that user only")
    bundle = box.bundle()
    os.makedirs(box.root, exist_ok=True)
    for place in (bundle.path, bundle.rootfs, box.root):
        for folder, folders, files in os.walk(place):
            for each in (folder, *(os.path.join(folder, name) for name in folders + files)):
                os.lchown(each, UID, UID)
    result = bundle.verb("spec", "--rootless", "--bundle", bundle.path, prefix=AS_USER).ok()
    equal(result.err, "", "what spec --rootless said")
    bundle.config = json.loads(read(os.path.join(bundle.path, "config.json")))
    bundle.process["terminal"] = False
    bundle.process["env"].append("RONDO_TEST=" + os.path.basename(os.path.dirname(box.path)))
    bundle.process["env"] = ["PATH=/bin"] + bundle.process["env"][1:]
    bundle.config["root"]["readonly"] = False
    bundle.set_script(script)
    return bundle


def with_ranges(box, ranges):
    """A prefix for commands of the user, on a machine where /etc/subuid and /etc/subgid give away ranges."""
    for each in ("newuidmap", "newgidmap"):
        if not shutil.which(each):
            raise Skipped("%s is not installed (Debian: uidmap)" % each)
    accounts = write(os.path.join(box.path, "passwd"), read("/etc/passwd") + "tester:x:%d:%d::/:/bin/sh\n" % (UID, UID))
    text = "".join("tester:%d:%d\n" % each for each in ranges)
    given = write(os.path.join(box.path, "ranges"), text)
    script = "mount --bind %s /etc/passwd && mount --bind %s /etc/subuid && mount --bind %s /etc/subgid && exec %s "
    if not os.path.exists("/etc/subuid") or not os.path.exists("/etc/subgid"):
        raise Skipped("this machine has no /etc/subuid")
    script %= (accounts, given, given, " ".join(AS_USER))
    return ["unshare", "-m", "--propagation", "private", "sh", "-c", script + '"$@"', "sh"]


@case
def life(box):
    """an ordinary user creates, starts, enters, lists, kills and deletes a container of spec --rootless"""
    bundle = users_bundle(box, "id -u >/tmp/id; cat /proc/self/setgroups >/tmp/setgroups; exec sleep 100")
    bundle.create(prefix=AS_USER).ok()
    bundle.verb("start", bundle.id, prefix=AS_USER).ok()
    eventually(lambda: os.path.exists(bundle.inside("tmp/setgroups")), 5, "a sign of the process")
    state = json.loads(bundle.verb("state", bundle.id, prefix=AS_USER).ok().out)
    equal(state["status"], "running", "status")
    facts = os.stat("/proc/%d" % state["pid"])
    equal(facts.st_uid, UID, "owner of the process on the host")
    equal(os.stat(bundle.inside("tmp/id")).st_uid, UID, "owner of a file on the host")
    equal(read(bundle.inside("tmp/id")), "0\n", "user inside")
    result = bundle.exec("/bin/sh", "-c", "id -u; echo $$ >/proc/self/oom_score_adj; exit 5", prefix=AS_USER)
    equal((result.code, result.lines()), (5, ["0"]), "what exec gave")
    equal(bundle.verb("list", "-q", prefix=AS_USER).ok().out, bundle.id + "\n", "list")
    bundle.verb("kill", bundle.id, "KILL", prefix=AS_USER).ok()
    eventually(lambda: '"stopped"' in bundle.verb("state", bundle.id, prefix=AS_USER).out, 10, "a stopped container")
    bundle.verb("delete", bundle.id, prefix=AS_USER).ok()
    equal(bundle.verb("list", "-q", prefix=AS_USER).ok().out, "", "list afterwards")


@case
def exit_status(box):
    """run of an ordinary user gives the status of the program and leaves nothing"""
    bundle = users_bundle(box, "exit 7")
    equal(bundle.run(prefix=AS_USER).code, 7, "exit status")
    equal(os.listdir(box.root), [], "state that is left")


@case
def terminal(box):
    """an ordinary user's run with a terminal connects the program to it"""
    bundle = users_bundle(box, "tty; test -t 0 && test -t 1 && echo connected; exit 4")
    bundle.process["terminal"] = True
    command = " ".join("'%s'" % each for each in [*box.command, "--root", box.root, "run", "-b", bundle.path, bundle.id])
    bundle.save()
    result = subprocess.run(
        ["script", "-qec", " ".join(AS_USER) + " " + command, "/dev/null"],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=20,
    )
    check(b"connected" in result.stdout, "the terminal is not connected:", result.stdout[-300:])
    equal(result.returncode, 4, "exit status")


@case
def own_id_only(box):
    """without a range the user's own id is mapped, and setgroups is given up"""
    bundle = users_bundle(box, "cat /proc/self/uid_map /proc/self/gid_map /proc/self/setgroups")
    result = bundle.run(prefix=AS_USER).ok()
    equal([each.split() for each in result.lines()], [["0", str(UID), "1"]] * 2 + [["deny"]], "maps and setgroups")


@case
def further_groups(box):
    """further groups without a range are refused, not left out"""
    bundle = users_bundle(box, "true")
    bundle.process["user"]["additionalGids"] = [10]
    bundle.run(prefix=AS_USER).refused()


@case
def ranges(box):
    """ids of the range that /etc/subuid gives the user are mapped through newuidmap and newgidmap"""
    bundle = users_bundle(box, "id -u; id -g; touch /tmp/made; cat /proc/self/setgroups; id -G")
    prefix = with_ranges(box, [(RANGE, 65536)])
    for name in ("uidMappings", "gidMappings"):
        bundle.linux[name] = [
            {"containerID": 0, "hostID": UID, "size": 1}, {"containerID": 1, "hostID": RANGE, "size": 65536},
        ]
    bundle.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [7]}
    result = bundle.run(prefix=prefix).ok()
    equal(result.lines(), ["1000", "1000", "allow", "1000 7"], "what it is inside")
    facts = os.stat(bundle.inside("tmp/made"))
    equal((facts.st_uid, facts.st_gid), (RANGE + 999, RANGE + 999), "owner of its file on the host")


@case
def foreign_ranges(box):
    """ids of a range that is not the user's are refused, and nothing is left"""
    bundle = users_bundle(box, "id -u")
    prefix = with_ranges(box, [(RANGE, 100)])
    for host, size in ((RANGE, 101), (0, 1), (RANGE + 1000, 10)):
        for name in ("uidMappings", "gidMappings"):
            bundle.linux[name] = [
                {"containerID": 0, "hostID": UID, "size": 1}, {"containerID": 1, "hostID": host, "size": size},
            ]
        bundle.run(prefix=prefix).refused()
        equal(os.listdir(box.root), [], "state that is left")


@case
def groups_that_are_not_theirs(box):
    """a control group that the user may not make is refused when asked for, and done without when not"""
    bundle = users_bundle(box, "true")
    bundle.run(prefix=AS_USER).ok()
    bundle.linux["cgroupsPath"] = "/%s" % bundle.id
    bundle.run(prefix=AS_USER).refused()


@case
def others_containers(box):
    """an ordinary user can neither see into nor change a container of root"""
    users_bundle(box, "true")
    sleeper = box.sleeper()
    for verb in (["state", sleeper.id], ["kill", sleeper.id, "KILL"], ["exec", sleeper.id, "/bin/true"],
                 ["delete", "--force", sleeper.id]):
        sleeper.verb(*verb, prefix=AS_USER)
    equal(sleeper.state()["status"], "running", "status of root's container")


@case
def groups_are_read_only(box):
    """the control groups that an ordinary user's container sees cannot be written"""
    # In version 2 the top is the container's group.
    places = "/sys/fs/cgroup/ /sys/fs/cgroup/*/"
    bundle = users_bundle(
        box, "for each in %s; do if [ -d $each ]; then mkdir ${each}evil 2>&1; fi; done; echo end" % places
    )
    lines = bundle.run(prefix=AS_USER).ok().lines()
    equal(lines[-1], "end", "the last line")
    wrong = [each for each in lines[:-1] if "Read-only file system" not in each]
    equal(wrong, [], "groups that are not read-only")
