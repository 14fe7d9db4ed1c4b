"""The root file system: read-only, masked paths, devices, propagation."""

import os
import stat

from harness import check, equal
from oci_bundle import case, write


@case
def own_root(box):
    """the container sees its own root and nothing of the host's"""
    write(os.path.join(box.path, "secret"), "secret")
    bundle = box.bundle("ls /; ls /tmp; cat %s/secret" % box.path)
    result = bundle.run().refused()
    check("etc" in result.lines() and "secret" not in result.out, "the container sees", result.out)
    bundle = box.bundle("grep -c ' / / ' /proc/self/mountinfo; grep -c %s /proc/self/mountinfo" % box.path)
    # The root's own line names its folder on the host as the root of that mount.
    equal(int(bundle.run().lines()[1]) <= 1, True, "mounts of the host in mountinfo")


@case
def absolute_root(box):
    """root.path may be absolute"""
    bundle = box.bundle("echo here")
    bundle.config["root"]["path"] = bundle.rootfs
    equal(bundle.run().ok().out, "here\n", "output")


@case
def no_pivot(box):
    """--no-pivot still gives the container its own root"""
    write(os.path.join(box.path, "secret"), "secret")
    result = box.bundle("echo up; ls /bin/sh; cat %s/secret" % box.path).run("--no-pivot").refused()
    equal(result.out, "up\n/bin/sh\n", "output")


@case
def read_only_root(box):
    """a read-only root cannot be written, its mounts can"""
    bundle = box.bundle("touch /new; mount -o remount,rw /; touch /dev/shm/new && echo shm; exit 0")
    bundle.config["root"]["readonly"] = True
    result = bundle.run().ok()
    check("Read-only file system" in result.err, "errors are", result.err)
    equal(result.out, "shm\n", "output")
    check(not os.path.exists(bundle.inside("new")), "the file was made")


@case
def writable_root(box):
    """a writable root is written where the host sees it"""
    bundle = box.bundle("echo text >/new")
    bundle.run().ok()
    with open(bundle.inside("new")) as file:
        equal(file.read(), "text\n", "content")


@case
def masked_paths(box):
    """masked files are empty, masked folders are empty and read-only, missing ones do no harm"""
    bundle = box.bundle("cat /etc/passwd; cat /proc/version; ls -A /var; touch /var/new && echo touched; ls /missing")
    write(bundle.inside("var/hidden"), "hidden")
    bundle.linux["maskedPaths"] = ["/etc/passwd", "/proc/version", "/var", "/missing"]
    result = bundle.run().refused()
    equal(result.out, "", "output")
    check("Read-only" in result.err, "errors are", result.err)
    check(not os.path.exists(bundle.inside("missing")), "the missing one was made")


@case
def read_only_paths(box):
    """read-only paths can be read and not written, their mounts included"""
    script = "cat /etc/passwd >/dev/null && echo read; echo x >>/etc/passwd; echo 1 >/proc/sys/vm/swappiness"
    bundle = box.bundle(script)
    bundle.linux["readonlyPaths"] = ["/etc", "/proc/sys", "/missing"]
    bundle.give("CAP_SYS_ADMIN")
    result = bundle.run().refused()
    equal(result.out, "read\n", "output")
    equal(result.err.count("Read-only file system"), 2, "refused writes")


@case
def default_devices(box):
    """the devices and links that the specification names are there and work"""
    bundle = box.bundle(
        "cd /dev; stat -c '%n %F %t:%T %a' null zero full random urandom tty;"
        " for each in fd stdin stdout stderr ptmx; do echo $each $(readlink $each); done;"
        " head -c 4 zero | od -An -tx1; head -c 8 urandom | wc -c; echo x >null && echo thrown; echo x >full"
    )
    result = bundle.run().refused()
    numbers = {"null": "1:3", "zero": "1:5", "full": "1:7", "random": "1:8", "urandom": "1:9", "tty": "5:0"}
    wanted = ["%s character special file %s 666" % each for each in numbers.items()]
    wanted += ["fd /proc/self/fd", "stdin /proc/self/fd/0", "stdout /proc/self/fd/1", "stderr /proc/self/fd/2"]
    equal(result.lines()[:-4], wanted, "devices and links")
    equal(result.lines()[-4].replace("/dev/", ""), "ptmx pts/ptmx", "link of ptmx")
    equal([each.strip() for each in result.lines()[-3:]], ["00 00 00 00", "8", "thrown"], "what they do")
    check("No space left" in result.err, "errors are", result.err)


@case
def more_devices(box):
    """configured devices are made with their numbers, mode and owner"""
    bundle = box.bundle("stat -c '%F %t:%T %a %u:%g' /dev/mine /dev/below/block /dev/pipe; head -c 2 /dev/mine | wc -c")
    bundle.linux["devices"] = [
        {"path": "/dev/mine", "type": "c", "major": 1, "minor": 5, "fileMode": 0o644, "uid": 5, "gid": 6},
        {"path": "/dev/below/block", "type": "b", "major": 7, "minor": 0, "fileMode": 0o600, "uid": 0, "gid": 0},
        {"path": "/dev/pipe", "type": "p", "fileMode": 0o622, "uid": 1, "gid": 2},
    ]
    lines = bundle.run().ok().lines()
    wanted = ["character special file 1:5 644 5:6", "block special file 7:0 600 0:0", "fifo 0:0 622 1:2", "2"]
    equal(lines, wanted, "devices")


@case
def refused_devices(box):
    """a device that the control group does not allow cannot be opened, one that it allows can"""
    device = {"path": "/dev/messages", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666, "uid": 0, "gid": 0}
    script = "exec 3</dev/messages && echo opened"
    for allowed in (False, True):
        bundle = box.bundle(script)
        bundle.linux["devices"] = [device]
        bundle.give("CAP_SYSLOG")
        if allowed:
            rule = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rw"}
            bundle.linux["resources"]["devices"].append(rule)
        result = bundle.run()
        equal(result.out, "opened\n" if allowed else "", "allowed %s: output, with %s" % (allowed, result.err))
        if not allowed:
            check("not permitted" in result.err, "errors are", result.err)


@case
def no_new_devices(box):
    """a process that may make device nodes makes none that the control group does not allow to use"""
    bundle = box.bundle("mknod /tmp/disk b 7 0 && head -c 1 /tmp/disk | wc -c")
    bundle.give("CAP_MKNOD")
    result = bundle.run()
    check("1" not in result.out, "a disk of the host was read")
    check("not permitted" in result.err, "errors are", result.err)


@case
def host_devices_unharmed(box):
    """the devices of the host keep their modes and owners"""
    before = [os.stat(each)[:6] for each in ("/dev/null", "/dev/zero", "/dev/tty")]
    bundle = box.bundle("chmod 600 /dev/null /dev/zero; chown 5 /dev/tty; exit 0")
    bundle.give("CAP_CHOWN")
    bundle.run().ok()
    equal([os.stat(each)[:6] for each in ("/dev/null", "/dev/zero", "/dev/tty")], before, "modes and owners")
    check(stat.S_ISCHR(os.stat("/dev/null").st_mode), "/dev/null is no device any more")


@case
def root_propagation(box):
    """rootfsPropagation keeps a private root private, and nonsense is refused"""
    for kind in ("private", "rprivate"):
        equal(root_marks(box, kind), [], "marks of a root that is " + kind)
    bundle = box.bundle()
    bundle.linux["rootfsPropagation"] = "nonsense"
    bundle.run().refused()


@case
def shared_root(box):
    """a root whose rootfsPropagation is shared or unbindable is so"""
    box.older("runc", "runc leaves the root mount private, the specification says that the mount is what is configured")
    check(root_marks(box, "shared")[0].startswith("shared:"), "the root is not shared")
    equal(root_marks(box, "unbindable"), ["unbindable"], "marks")


def root_marks(box, kind):
    """How /proc/self/mountinfo describes the propagation of a container's root."""
    bundle = box.bundle("awk '$5 == \"/\"' /proc/self/mountinfo")
    bundle.linux["rootfsPropagation"] = kind
    return bundle.run().ok().out.split(" - ")[0].split()[6:]
