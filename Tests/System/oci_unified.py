"""What only pure cgroup version 2 has. Registers nothing on other machines."""

import json
import os

from harness import check, equal, eventually
from oci_bundle import case, read
from oci_groups import TOP, UNIFIED
from oci_namespaces import map_users

MEBIBYTE = 1 << 20
MAPPED = 100000
# What an init system does in a container: the processes go into a group below, and the group above passes limits on.
DIVIDE = "cd /sys/fs/cgroup && mkdir inner && echo 1 >inner/cgroup.procs && echo +pids >cgroup.subtree_control"


def unified_case(function):
    return case(function) if UNIFIED else function


def limited(box, script="exec sleep 100", **resources):
    bundle = box.bundle(script)
    bundle.linux["resources"].update(resources)
    return bundle


def own_tree(bundle, *options):
    """Gives a container its group as /sys/fs/cgroup."""
    bundle.namespace("cgroup")
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", *options)


@unified_case
def unified_files(box):
    """linux.resources.unified sets files by their own names, and update changes them"""
    files = {"memory.high": str(48 * MEBIBYTE), "pids.max": "20", "cpu.weight": "77", "memory.oom.group": "1"}
    bundle = limited(box, memory={"limit": 64 * MEBIBYTE}, unified=files).launch()
    found = {name: bundle.control("", name) for name in files}
    equal(found, files, "files")
    equal(bundle.control("", "memory.max"), str(64 * MEBIBYTE), "the limit beside them")
    text = json.dumps({"unified": {"memory.high": "max", "pids.max": "30"}})
    bundle.verb("update", "-r", "-", bundle.id, input=text).ok()
    found = [bundle.control("", name) for name in ("memory.high", "pids.max", "cpu.weight")]
    equal(found, ["max", "30", "77"], "files after update")


@unified_case
def unified_refused(box):
    """unified files that are none, or of no controller, are errors that name them, and leave nothing"""
    for name in ("memory.nonsense", "nonsense.max", "../cgroup.procs", "memory", "pids.max/x"):
        result = limited(box, unified={name: "1"}).run().refused()
        check(name.split("/")[-1].split(".")[0] in result.err, name, "is not named in", result.err)
    limited(box, unified={"pids.max": "many"}).run().refused()
    equal(box.call("list", "-q").ok().out, "", "containers")


@unified_case
def bandwidth(box):
    """the share of processor time is as limited, and statistics tell of the throttling"""
    bundle = limited(box, "while :; do :; done", cpu={"quota": 10000, "period": 100000}).launch()

    def throttled():
        data = json.loads(bundle.verb("events", "--stats", bundle.id).ok().out)["data"]
        return data["cpu"]["throttling"].get("throttledPeriods", 0) >= 3

    eventually(throttled, 10, "throttled periods")


@unified_case
def burst_and_idle(box):
    """bursts above the quota and idle groups are set"""
    bundle = limited(box, cpu={"quota": 20000, "period": 100000, "burst": 5000}).launch()
    equal((bundle.control("", "cpu.max"), bundle.control("", "cpu.max.burst")), ("20000 100000", "5000"), "burst")
    bundle = limited(box, cpu={"idle": 1}).launch()
    equal(bundle.control("", "cpu.idle"), "1", "idle")


@unified_case
def block_devices(box):
    """rates of block devices are limited, and update takes limits away again"""
    device = os.stat(os.path.realpath("/dev/vda")).st_rdev if os.path.exists("/dev/vda") else os.makedev(7, 0)
    numbers = {"major": os.major(device), "minor": os.minor(device)}
    rates = {"throttleReadBpsDevice": [{**numbers, "rate": MEBIBYTE}]}
    rates["throttleWriteIOPSDevice"] = [{**numbers, "rate": 50}]
    bundle = limited(box, blockIO=rates).launch()
    name = "%(major)d:%(minor)d" % numbers
    equal(bundle.control("", "io.max"), name + " rbps=1048576 wbps=max riops=max wiops=50", "rates")
    text = json.dumps({"blockIO": {"throttleReadBpsDevice": [{**numbers, "rate": 0}]}})
    bundle.verb("update", "-r", "-", bundle.id, input=text).ok()
    equal(bundle.control("", "io.max"), name + " rbps=max wbps=max riops=max wiops=50", "rates after update")


@unified_case
def swap(box):
    """memory with swap is a limit of swap alone, and one without the other an error"""
    bundle = limited(box, memory={"limit": 64 * MEBIBYTE, "swap": 96 * MEBIBYTE}).launch()
    equal(bundle.control("", "memory.swap.max"), str(32 * MEBIBYTE), "swap")
    limited(box, memory={"swap": 64 * MEBIBYTE}).run().refused()
    limited(box, memory={"limit": 64 * MEBIBYTE, "swap": 32 * MEBIBYTE}).run().refused()


@unified_case
def killed_of_hunger(box):
    """statistics of memory are those of the group, a killed process included"""
    script = "dd if=/dev/zero of=/dev/null bs=100M count=1; exec sleep 100"
    bundle = limited(box, script, memory={"limit": 16 * MEBIBYTE, "swap": 16 * MEBIBYTE}).launch()
    eventually(lambda: "oom_kill 1" in bundle.control("", "memory.events").split("\n"), 10, "a killed process")
    data = json.loads(bundle.verb("events", "--stats", bundle.id).ok().out)["data"]
    equal(data["memory"]["usage"]["limit"], 16 * MEBIBYTE, "limit")
    check("anon" in data["memory"]["raw"], "nothing of memory.stat in", sorted(data["memory"]["raw"]))


@unified_case
def device_program(box):
    """the device program allows and denies by kind, number and access, the last rule that fits first"""
    bundle = box.bundle("exec sleep 100")
    bundle.linux["resources"]["devices"] += [
        {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "w"},
        {"allow": True, "type": "c", "major": 10, "access": "rw"},
        {"allow": False, "type": "c", "major": 10, "minor": 223, "access": "rw"},
        {"allow": True, "type": "b", "access": "r"},
    ]
    nodes = {"kmsg": ("c", 1, 11), "open": ("c", 10, 250), "shut": ("c", 10, 223), "other": ("c", 4, 64)}
    nodes["block"] = ("b", 99, 9)
    bundle.launch()
    for name, (kind, major, minor) in nodes.items():
        mode = 0o20666 if kind == "c" else 0o60666
        os.mknod(bundle.inside("tmp", name), mode, os.makedev(major, minor))
    no, nothing = "Operation not permitted", ("No such device", "No such device or address")
    # A device that has no driver is refused only after the program has let it pass.
    for word, name, wanted in (
        ("<", "kmsg", (no,)),
        (">", "kmsg", ("",)),
        ("<", "open", nothing),
        ("<", "shut", (no,)),
        ("<", "other", (no,)),
        ("<", "block", nothing),
        (">", "block", (no,)),
    ):
        found = bundle.shell("( : %s/tmp/%s ) 2>&1; exit 0" % (word, name)).ok().out.strip().rsplit(": ", 1)[-1]
        check(found in wanted, word, name, "says", repr(found), "and not", wanted[0])


@unified_case
def own_groups(box):
    """a container with a control group namespace sees its group as the top, and read-only stays read-only"""
    script = "cat /proc/self/cgroup /sys/fs/cgroup/pids.max; mkdir /sys/fs/cgroup/new; exit 0"
    bundle = limited(box, script, pids={"limit": 44})
    own_tree(bundle, "ro")
    result = bundle.run().ok()
    equal(result.lines(), ["0::/", "44"], "group and limit")
    check("Read-only" in result.err, "errors are", result.err)


@unified_case
def nested_groups(box):
    """a container may divide a writable group, exec goes to where its first process is, and delete removes all"""
    bundle = limited(box, DIVIDE + " && mkdir other && echo up; exec sleep 100", pids={"limit": 44})
    own_tree(bundle, "rw")
    bundle.launch()
    eventually(lambda: bundle.output() == "up\n", 5, "groups inside")
    equal(bundle.shell("cat /proc/self/cgroup").ok().out, "0::/inner\n", "group of a further process")
    pids = json.loads(bundle.verb("ps", "--format", "json", bundle.id).ok().out)
    equal(pids, [bundle.pid()], "processes")
    bundle.verb("pause", bundle.id).ok()
    bundle.verb("resume", bundle.id).ok()
    bundle.end()
    bundle.delete().ok()


@unified_case
def exec_subgroup(box):
    """exec --cgroup enters a group below the container's"""
    bundle = box.bundle("mkdir /sys/fs/cgroup/below && echo up; exec sleep 100")
    own_tree(bundle, "rw")
    bundle.launch()
    eventually(lambda: bundle.output() == "up\n", 5, "a group inside")
    equal(bundle.shell("cat /proc/self/cgroup", "--cgroup", "below").ok().out, "0::/below\n", "group")
    bundle.shell("true", "--cgroup", "nosuch").refused()


@unified_case
def delegated(box):
    """root of a user namespace may manage the group of its container, and no limit of it"""
    script = DIVIDE + " && echo up; echo 100 >pids.max; exec sleep 100"
    bundle = limited(box, script, pids={"limit": 44})
    map_users(bundle)
    own_tree(bundle, "rw")
    bundle.launch()
    eventually(lambda: "up" in bundle.output(), 5, "a group inside")
    inner = bundle.cgroup()
    equal(os.stat(os.path.dirname(inner)).st_uid, MAPPED, "owner of the group")
    equal(read(os.path.join(os.path.dirname(inner), "pids.max")).strip(), "44", "the limit")


@unified_case
def whole_tree_unharmed(box):
    """containers leave the controllers at the top and the groups of others as they are"""
    before = read(os.path.join(TOP, "cgroup.subtree_control")).split()
    limited(box, "true", pids={"limit": 44}, cpu={"shares": 512}).run().ok()
    after = read(os.path.join(TOP, "cgroup.subtree_control")).split()
    check(set(before) <= set(after), "passed on before:", before, "after:", after)


@unified_case
def killed_at_once(box):
    """kill --all ends all processes of a group, also of groups below it and of a paused container"""
    bundle = box.bundle("mkdir /sys/fs/cgroup/below; for each in 1 2 3; do sleep 99 & done; echo up; exec sleep 100")
    own_tree(bundle, "rw")
    bundle.launch()
    eventually(lambda: bundle.output() == "up\n", 5, "its processes")
    bundle.verb("pause", bundle.id).ok()
    group = bundle.cgroup()
    bundle.kill("--all", bundle.id, "KILL").ok()
    bundle.wait("stopped")
    # systemd removes a group that is empty.
    procs = os.path.join(group, "cgroup.procs")
    eventually(lambda: not os.path.exists(procs) or not read(procs), 5, "the end of all")
