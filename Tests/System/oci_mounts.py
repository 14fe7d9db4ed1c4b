"""Mounts: bind mounts and their options, tmpfs, propagation, order."""

import os
import subprocess

from harness import check, equal, eventually
from oci_bundle import case, read, top, write
from oci_namespaces import map_users


def source(box, name="source"):
    """A folder of the host with one file."""
    folder = box.folder(name)
    write(os.path.join(folder, "file"), "from the host\n")
    return folder


@case
def bind_writable(box):
    """a bind mount shows the host's folder and writes to it"""
    folder = source(box)
    bundle = box.bundle("cat /mnt/here/file; echo written >/mnt/here/new")
    bundle.mount("/mnt/here", "bind", folder, "rbind", "rw")
    equal(bundle.run().ok().out, "from the host\n", "content")
    equal(read(os.path.join(folder, "new")), "written\n", "content of the new file")


@case
def bind_read_only(box):
    """a read-only bind mount cannot be written, and the host's folder stays writable"""
    folder = source(box)
    bundle = box.bundle("cat /mnt/file; touch /mnt/new; exit 0")
    bundle.mount("/mnt", "none", folder, "bind", "ro")
    result = bundle.run().ok()
    equal(result.out, "from the host\n", "content")
    check("Read-only" in result.err, "errors are", result.err)
    write(os.path.join(folder, "new"), "x")


@case
def bind_file(box):
    """a file can be mounted on a file, which is made when it is missing"""
    folder = source(box)
    bundle = box.bundle("cat /etc/passwd /made/there")
    for destination in ("/etc/passwd", "/made/there"):
        bundle.mount(destination, "bind", os.path.join(folder, "file"), "bind", "ro")
    equal(bundle.run().ok().out, "from the host\n" * 2, "content")


@case
def bind_relative(box):
    """a relative source of a bind mount is relative to the bundle"""
    bundle = box.bundle("cat /mnt/file")
    os.mkdir(os.path.join(bundle.path, "beside"))
    write(os.path.join(bundle.path, "beside", "file"), "beside\n")
    bundle.mount("/mnt", "bind", "beside", "bind")
    equal(bundle.run().ok().out, "beside\n", "content")


@case
def bind_missing(box):
    """a bind mount of nothing is refused by its name"""
    bundle = box.bundle()
    bundle.mount("/mnt", "bind", "/nosuchfolder", "bind")
    check("nosuchfolder" in bundle.run().refused().err, "the source is not named")


@case
def bind_below(box):
    """rbind brings the mounts below with it, bind does not"""
    folder = source(box)
    below = box.folder("source", "below")
    box.host_mount("-t", "tmpfs", "none", below)
    write(os.path.join(below, "deep"), "deep\n")
    for option, wanted in (("rbind", "deep\n"), ("bind", "")):
        bundle = box.bundle("cat /mnt/below/deep; exit 0")
        bundle.mount("/mnt", "none", folder, option)
        equal(bundle.run().ok().out, wanted, "content with " + option)


@case
def bind_recursive_read_only(box):
    """rro makes the mounts below read-only too, ro the top only"""
    folder = source(box)
    box.host_mount("-t", "tmpfs", "none", box.folder("source", "below"))
    for option, refused in (("rro", 2), ("ro", 1)):
        bundle = box.bundle("touch /mnt/new; touch /mnt/below/new; exit 0")
        bundle.mount("/mnt", "none", folder, "rbind", option)
        equal(bundle.run().ok().err.count("Read-only"), refused, "refused writes with " + option)


@case
def bind_flags(box):
    """nosuid, nodev, noexec and noatime hold on bind mounts"""
    folder = source(box)
    bundle = box.bundle("grep ' /mnt ' /proc/self/mountinfo; cp /bin/busybox /mnt/true; /mnt/true")
    bundle.mount("/mnt", "none", folder, "bind", "nosuid", "nodev", "noexec", "noatime")
    result = bundle.run().refused()
    flags = set(result.out.split()[5].split(","))
    check({"rw", "nosuid", "nodev", "noexec", "noatime"} <= flags, "flags are", flags)
    check("Permission denied" in result.err, "errors are", result.err)


@case
def tmpfs_options(box):
    """tmpfs has its size, mode and flags"""
    bundle = box.bundle(
        "grep ' /mnt/new ' /proc/mounts; stat -c %a /mnt/new; head -c 200000 /dev/zero >/mnt/new/big"
        "; stat -c %s /mnt/new/big"
    )
    bundle.mount("/mnt/new", "tmpfs", "tmpfs", "nosuid", "noexec", "size=64k", "mode=1750", "nr_inodes=20")
    result = bundle.run().ok()
    options = set(result.lines()[0].split()[3].split(","))
    check({"rw", "nosuid", "noexec", "size=64k", "mode=1750", "nr_inodes=20"} <= options, "options are", options)
    equal(result.lines()[1:], ["1750", "65536"], "mode, and size of a file that is larger")


@case
def tmpfs_read_only(box):
    """a read-only tmpfs cannot be written"""
    bundle = box.bundle("touch /mnt/new")
    bundle.mount("/mnt", "tmpfs", "tmpfs", "ro")
    check("Read-only" in bundle.run().refused().err, "it was not refused")


@case
def tmpfs_copy_up(box):
    """tmpcopyup fills a tmpfs with what it covers, and writes stay in it"""
    bundle = box.bundle("cat /var/data/file; stat -c %a /var/data; echo new >/var/data/file; cat /var/data/file")
    os.mkdir(bundle.inside("var/data"))
    write(bundle.inside("var/data/file"), "covered\n")
    os.chmod(bundle.inside("var/data"), 0o751)
    bundle.mount("/var/data", "tmpfs", "tmpfs", "tmpcopyup")
    equal(bundle.run().ok().lines(), ["covered", "751", "new"], "content and mode")
    equal(read(bundle.inside("var/data/file")), "covered\n", "content on the host")


@case
def mount_order(box):
    """mounts are made in order, later ones on earlier ones"""
    folder = source(box)
    bundle = box.bundle("ls /mnt; cat /mnt/in/file")
    bundle.mount("/mnt", "tmpfs", "tmpfs")
    bundle.mount("/mnt/in", "bind", folder, "bind")
    equal(bundle.run().ok().lines(), ["in", "from the host"], "output")


@case
def propagation(box):
    """a slave mount follows the host's mounts, a private one does not, and neither brings its own out"""
    shared = box.folder("shared")
    box.host_mount("-t", "tmpfs", "none", shared)
    box.host_mount("--make-shared", shared)
    os.mkdir(os.path.join(shared, "late"))
    os.mkdir(os.path.join(shared, "inner"))
    bundle = box.bundle("mount -t tmpfs none /mnt/slave/inner && touch /mnt/slave/inner/x && echo up; exec sleep 100")
    bundle.give("CAP_SYS_ADMIN")
    bundle.mount("/mnt/slave", "none", shared, "rbind", "rslave")
    bundle.mount("/mnt/private", "none", shared, "rbind", "rprivate")
    bundle.launch()
    eventually(lambda: bundle.output() == "up\n", 5, "a mount inside, with %s" % bundle.first.err)
    subprocess.run(["mount", "-t", "tmpfs", "none", os.path.join(shared, "late")], check=True, timeout=10)
    write(os.path.join(shared, "late", "file"), "late\n")
    equal(bundle.shell("cat /mnt/slave/late/file").ok().out, "late\n", "content below the slave")
    bundle.shell("cat /mnt/private/late/file").refused()
    equal(os.listdir(os.path.join(shared, "inner")), [], "content of the container's mount outside")
    fields = bundle.shell("grep ' /mnt/' /proc/self/mountinfo").ok().lines()
    marks = {line.split()[4]: line.split(" - ")[0].split()[6:] for line in fields}
    check(marks["/mnt/slave"][0].startswith("master:"), "the slave shows", marks["/mnt/slave"])
    equal(marks["/mnt/private"], [], "marks of the private one")


@case
def shared_propagation(box):
    """a shared mount brings the container's mounts out"""
    shared = box.folder("shared")
    box.host_mount("-t", "tmpfs", "none", shared)
    box.host_mount("--make-shared", shared)
    os.mkdir(os.path.join(shared, "inner"))
    bundle = box.bundle("mount -t tmpfs none /mnt/inner && touch /mnt/inner/x && echo up; exec sleep 100")
    bundle.give("CAP_SYS_ADMIN")
    bundle.linux["rootfsPropagation"] = "shared"
    bundle.mount("/mnt", "none", shared, "rbind", "rshared")
    bundle.launch()
    eventually(lambda: bundle.output() == "up\n", 5, "a mount inside")
    equal(os.listdir(os.path.join(shared, "inner")), ["x"], "content of the container's mount outside")


@case
def control_group_mount(box):
    """a cgroup mount shows the container's own groups read-only"""
    bundle = box.bundle("cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max; mkdir memory/new; exit 0")
    bundle.linux["resources"].update(memory={"limit": 67108864}, pids={"limit": 77})
    bundle.mount("/sys/fs/cgroup", "cgroup", "cgroup", "nosuid", "noexec", "nodev", "relatime", "ro")
    result = bundle.run().ok()
    equal(result.lines(), ["67108864", "77"], "limits")
    check("Read-only" in result.err, "errors are", result.err)


@case
def id_mapped(box):
    """a mount with mappings of its own shows other owners"""
    box.older("runc version 1.1", "idmapped mounts came with runc 1.2")
    folder = source(box)
    os.chown(os.path.join(folder, "file"), 10, 20)
    bundle = box.bundle("stat -c %u:%g /mnt/file")
    mapping = [{"containerID": 0, "hostID": 5000, "size": 1000}]
    bundle.mount("/mnt", "bind", folder, "bind")
    bundle.config["mounts"][-1].update(uidMappings=mapping, gidMappings=mapping)
    equal(bundle.run().ok().out, "5010:5020\n", "owner")


@case
def id_mapped_among_users(box):
    """a mount with mappings of its own shows other owners in a user namespace too"""
    box.older("runc version 1.1", "idmapped mounts came with runc 1.2")
    folder = source(box)
    os.chown(os.path.join(folder, "file"), 10, 20)
    bundle = box.bundle("stat -c %u:%g /mnt/file")
    map_users(bundle)
    mapping = [{"containerID": 0, "hostID": 100000, "size": 1000}]
    bundle.mount("/mnt", "bind", folder, "bind")
    bundle.config["mounts"][-1].update(uidMappings=mapping, gidMappings=mapping)
    equal(bundle.run().ok().out, "10:20\n", "owner")


@case
def id_mapped_by_words(box):
    """mappings may stand in the options of a mount, as podman passes them on"""
    box.older("runc", "runc takes no mappings in options")
    folder = source(box)
    os.chown(os.path.join(folder, "file"), 10, 20)
    bundle = box.bundle("stat -c %u:%g /mnt/file")
    bundle.mount("/mnt", "bind", folder, "bind", "idmap=uids=0-5000-15#100-0-1;gids=0-6000-30")
    equal(bundle.run().ok().out, "5010:6020\n", "owner")


@case
def bind_hidden(box):
    """a container with a user namespace gets its binds out of folders that its root may not enter"""
    folder = source(box)
    os.chmod(folder, 0o700)
    bundle = box.bundle("cat /mnt/it")
    map_users(bundle)
    bundle.mount("/mnt/it", "bind", os.path.join(folder, "file"), "bind", "ro")
    equal(bundle.run().ok().out, "from the host\n", "content")


@case
def bind_other_words(box):
    """words for a filesystem among the options of a bind mount mean nothing"""
    bundle = box.bundle("cat /mnt/file")
    bundle.mount("/mnt", "bind", source(box), "bind", "mode=700", "size=1k")
    equal(bundle.run().ok().out, "from the host\n", "content")


@case
def without_namespace(box):
    """without a mount namespace mounts are in the caller's, and gone with the container"""
    bundle = box.bundle("readlink /proc/self/ns/mnt; stat -c %t:%T /dev/null; cat /mnt/file; touch /x; exec sleep 100")
    bundle.without_namespace("mount")
    bundle.config["root"]["readonly"] = True
    bundle.mount("/mnt", "bind", source(box), "bind", "ro")
    bundle.launch()
    eventually(lambda: "file system" in read(os.path.join(bundle.path, "call1.err")), 5, "an error of touch")
    wanted = [os.readlink("/proc/self/ns/mnt"), "1:3", "from the host"]
    equal(bundle.output().splitlines(), wanted, "what the process found")
    check(bundle.rootfs in read("/proc/mounts"), "nothing is mounted in sight of the caller")
    bundle.end()
    bundle.delete().ok()
    if top.version.startswith("runc"):
        subprocess.run(["umount", "-R", "-l", bundle.rootfs], check=True, timeout=10)
    check(bundle.rootfs not in read("/proc/mounts"), "mounts have stayed")


@case
def without_namespace_undone(box):
    """a container without a mount namespace that cannot be made leaves no mounts"""
    box.older("runc", "runc leaves them")
    bundle = box.bundle("true")
    bundle.without_namespace("mount")
    bundle.mount("/mnt", "bind", source(box), "bind")
    bundle.mount("/var", "nosuchtype", "none")
    bundle.create().refused()
    check(bundle.rootfs not in read("/proc/mounts"), "mounts have stayed")
