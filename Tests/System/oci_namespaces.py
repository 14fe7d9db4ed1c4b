"""Namespaces: new ones, joined ones, users, time, and the kernel settings that belong to them."""

import os

from harness import check, equal, eventually
from oci_bundle import case, read

NAMES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup", "user": "user"}
MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]
SHOW = "cd /proc/self/ns; for each in pid net ipc uts mnt cgroup user; do readlink $each; done"


def own_namespaces():
    return [os.readlink("/proc/self/ns/" + each) for each in NAMES.values()]


def map_users(bundle):
    """Gives a container a user namespace in which its root is nobody on the host."""
    bundle.namespace("user")
    bundle.linux.update(uidMappings=MAPPING, gidMappings=MAPPING)
    os.chown(bundle.rootfs, 100000, 100000)
    for top, folders, files in os.walk(bundle.rootfs):
        for each in folders + files:
            os.lchown(os.path.join(top, each), 100000, 100000)


@case
def all_new(box):
    """every configured namespace is new"""
    bundle = box.bundle(SHOW)
    bundle.namespace("cgroup")
    map_users(bundle)
    for mine, theirs in zip(own_namespaces(), bundle.run().ok().lines()):
        check(mine != theirs, theirs, "is the host's")


@case
def private_volume(box):
    """a container with users of its own gets a volume that lies in a private folder of the host's root"""
    private = box.folder("private")
    volume = box.folder("private", "volume")
    with open(os.path.join(volume, "file"), "w") as file:
        file.write("of the volume\n")
    os.chmod(private, 0o700)
    bundle = box.bundle("cat /mnt/file /mnt/deep/file; umount /mnt/deep && echo unmounted; exit 0")
    bundle.give("CAP_SYS_ADMIN")
    map_users(bundle)
    box.folder("private", "volume", "deep")
    box.host_mount("-t", "tmpfs", "tmpfs", os.path.join(volume, "deep"))
    with open(os.path.join(volume, "deep", "file"), "w") as file:
        file.write("below\n")
    bundle.mount("/mnt", "bind", volume, "rbind", "ro")
    result = bundle.run().ok()
    equal(result.lines(), ["of the volume", "below"], "what the container reads")


@case
def not_configured(box):
    """a namespace that is not configured is the caller's"""
    bundle = box.bundle(SHOW)
    for each in ("network", "ipc", "pid", "uts"):
        bundle.without_namespace(each)
    del bundle.config["hostname"]
    bundle.config["mounts"] = [each for each in bundle.config["mounts"] if each["type"] not in ("mqueue", "sysfs")]
    for name, mine, theirs in zip(NAMES, own_namespaces(), bundle.run().ok().lines()):
        equal(mine != theirs, name == "mount", "a namespace of its own, %s" % name)


@case
def joined(box):
    """namespaces with a path are joined"""
    first = box.bundle("exec sleep 100")
    first.namespace("cgroup")
    first.launch()
    bundle = box.bundle(SHOW)
    kinds = ("pid", "network", "ipc", "uts")
    for each in kinds:
        bundle.namespace(each, "/proc/%d/ns/%s" % (first.pid(), NAMES[each]))
    del bundle.config["hostname"]
    found = dict(zip(NAMES, bundle.run().ok().lines()))
    there = dict(zip(NAMES, first.shell(SHOW).ok().lines()))
    for each in kinds:
        equal(found[each], there[each], each)
    check(found["mount"] != there["mount"], "the mount namespace is shared")


@case
def joined_processes(box):
    """a joined pid namespace shows the other container's processes, and the container ends on its own"""
    first = box.sleeper()
    bundle = box.bundle("grep -c . /proc/1/cmdline; tr '\\0' ' ' </proc/1/cmdline; echo; echo $$")
    bundle.namespace("pid", "/proc/%d/ns/pid" % first.pid())
    lines = bundle.run().ok().lines()
    equal(lines[1], "sleep 100 ", "the other's first process")
    check(lines[2] != "1", "the process is number 1")
    equal(first.state()["status"], "running", "status of the other")


@case
def bad_paths(box):
    """a namespace path that is missing or of another kind is refused"""
    for path in ("/nosuchfile", "/proc/self/ns/uts", "/etc/passwd"):
        bundle = box.bundle()
        bundle.namespace("network", path)
        bundle.run().refused()


@case
def twice(box):
    """a namespace given twice is refused"""
    bundle = box.bundle()
    bundle.linux["namespaces"].append({"type": "uts"})
    bundle.run().refused()


@case
def user_namespace(box):
    """a user namespace maps users and groups as configured, and its root can do what root does"""
    bundle = box.bundle(
        "cat /proc/self/uid_map /proc/self/gid_map; id -u; touch /tmp/mine; echo x >/dev/null && echo device;"
        " hostname new && hostname; mount -t tmpfs none /mnt && echo mounted; exec sleep 100"
    )
    map_users(bundle)
    bundle.give("CAP_SYS_ADMIN", "CAP_SETGID", "CAP_SETUID", "CAP_CHOWN")
    bundle.process["user"]["additionalGids"] = [7]
    bundle.launch()
    line = [0, 100000, 65536]
    status = read("/proc/%d/status" % bundle.pid())
    lines = finished(bundle, "mounted")
    equal([[int(each) for each in text.split()] for text in lines[:2]], [line, line], "mappings")
    equal(lines[2:], ["0", "device", "new", "mounted"], "what root does")
    equal(os.stat(bundle.inside("tmp/mine")).st_uid, 100000, "owner of a file on the host")
    check("Uid:\t100000\t" in status and "100007" in status, "the host sees", status)
    result = bundle.shell("id -u; id -g; cat /proc/self/uid_map", "--user", "5:6").ok()
    equal(result.lines()[:2], ["5", "6"], "ids of a further process")
    equal([int(each) for each in result.lines()[2].split()], line, "its mapping")


def finished(bundle, last):
    eventually(lambda: last in bundle.output(), 5, "the word %r in %r" % (last, bundle.output()))
    return bundle.output().split("\n")[:-1]


@case
def user_namespace_unmapped(box):
    """a user namespace without mappings is refused"""
    bundle = box.bundle("id -u")
    bundle.namespace("user")
    bundle.run().refused()


@case
def joined_users(box):
    """a user namespace with a path is joined"""
    box.older("runc version 1.1", "joining a user namespace came with runc 1.2")
    first = box.bundle("exec sleep 100")
    map_users(first)
    first.launch()
    bundle = box.bundle("readlink /proc/self/ns/user; cat /proc/self/uid_map")
    map_users(bundle)
    del bundle.linux["uidMappings"], bundle.linux["gidMappings"]
    bundle.namespace("user", "/proc/%d/ns/user" % first.pid())
    lines = bundle.run().ok().lines()
    equal(lines[0], os.readlink("/proc/%d/ns/user" % first.pid()), "namespace")
    equal([int(each) for each in lines[1].split()], [0, 100000, 65536], "mapping")


@case
def control_groups(box):
    """in a cgroup namespace the container is at the top"""
    bundle = box.bundle("cat /proc/self/cgroup")
    bundle.namespace("cgroup")
    lines = [line.split(":", 2) for line in bundle.run().ok().lines()]
    equal({path for _, names, path in lines if names in ("memory", "pids", "devices", "")}, {"/"}, "paths")


@case
def time(box):
    """a time namespace has its offsets"""
    box.older("runc version 1.1", "time namespaces came with runc 1.2")
    bundle = box.bundle("cat /proc/uptime; cat /proc/self/timens_offsets; exec sleep 100")
    bundle.namespace("time")
    bundle.linux["timeOffsets"] = {"monotonic": {"secs": 1000, "nanosecs": 5}, "boottime": {"secs": 864000}}
    bundle.launch()
    lines = finished(bundle, "boottime")
    host = float(read("/proc/uptime").split()[0])
    check(abs(float(lines[0].split()[0]) - host - 864000) < 60, "uptime is", lines[0], "the host's", host)
    equal([each.split() for each in lines[1:]], [["monotonic", "1000", "5"], ["boottime", "864000", "0"]], "offsets")
    inside = float(bundle.shell("cat /proc/uptime").ok().out.split()[0])
    check(inside > 864000, "uptime of a further process is", inside)


@case
def settings(box):
    """kernel settings of the network, message and host name namespaces are set in the container only"""
    names = ["net/ipv4/ip_forward", "kernel/shm_rmid_forced", "fs/mqueue/msg_max"]
    before = [read("/proc/sys/" + each) for each in names]
    bundle = box.bundle("cd /proc/sys; cat " + " ".join(names))
    wanted = ["0" if before[0].strip() == "1" else "1", "0" if before[1].strip() == "1" else "1", "33"]
    bundle.linux["sysctl"] = {each.replace("/", "."): value for each, value in zip(names, wanted)}
    equal(bundle.run().ok().lines(), wanted, "values")
    equal([read("/proc/sys/" + each) for each in names], before, "the host's values")


@case
def refused_settings(box):
    """kernel settings that belong to the whole machine, or to a namespace of the host, are refused"""
    for name, value, without in (
        ("kernel.panic", "7", None),
        ("vm.swappiness", "7", None),
        ("net.ipv4.ip_forward", "1", "network"),
        ("kernel.shmmax", "1000000", "ipc"),
    ):
        before = read("/proc/sys/" + name.replace(".", "/"))
        bundle = box.bundle()
        if without:
            bundle.without_namespace(without)
        bundle.config["mounts"] = [each for each in bundle.config["mounts"] if each["type"] not in ("mqueue", "sysfs")]
        bundle.linux["sysctl"] = {name: value}
        bundle.run().refused()
        equal(read("/proc/sys/" + name.replace(".", "/")), before, name)


@case
def loopback(box):
    """a new network namespace has a loopback interface that is up, and nothing else that is"""
    bundle = box.bundle("ip -o addr; ip -o link")
    lines = bundle.run().ok().lines()
    check(any("127.0.0.1" in line for line in lines), "addresses are", lines)
    check(all(line.split()[1].startswith("lo") for line in lines if "state UP" in line), "interfaces are", lines)


@case
def joined_from_below(box):
    """a container with a new user namespace joins a namespace that belongs to the host"""
    first = box.sleeper()
    bundle = box.bundle("readlink /proc/self/ns/net; readlink /proc/self/ns/ipc")
    map_users(bundle)
    bundle.config["mounts"] = [each for each in bundle.config["mounts"] if each["type"] not in ("mqueue", "sysfs")]
    paths = ["/proc/%d/ns/%s" % (first.pid(), each) for each in ("net", "ipc")]
    bundle.namespace("network", paths[0])
    bundle.namespace("ipc", paths[1])
    equal(bundle.run().ok().lines(), [os.readlink(each) for each in paths], "namespaces")


@case
def devices_of_the_host(box):
    """devices that a user namespace has from the host give no rights beyond their own"""
    box.older("runc", "runc binds them as they are")
    bundle = box.bundle("grep ' /dev/null ' /proc/self/mountinfo")
    map_users(bundle)
    options = bundle.run().ok().out.split()[5].split(",")
    check("nosuid" in options and "noexec" in options, "options are", options)
