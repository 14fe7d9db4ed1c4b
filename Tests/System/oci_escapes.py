"""Known ways out of containers, and that they are closed. What could be damaged is a copy made for the test."""

import errno
import hashlib
import os
import shutil
import sys

from harness import Skipped, check, equal, eventually
from oci_bundle import case, write


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def own_runtime(box):
    """Has the box use a copy of the runtime's program, which an attack may overwrite. Returns its path."""
    with open(box.command[0], "rb") as file:
        if file.read(4) != b"\x7fELF":
            raise Skipped("the runtime is a script")
    path = os.path.join(box.path, "runtime")
    if box.command[0] != path:
        shutil.copy(box.command[0], path)
    box.command[0] = path
    return path


def outside(box):
    """A folder of the host with a file that no container may see."""
    folder = box.folder("outside")
    write(os.path.join(folder, "secret"), "top secret\n")
    return folder


# Opens the program of another process, and writes to it when that has gone and nobody executes it any more.
HOLD = """
cd /attack
while [ ! -e pid ]; do sleep 0.02; done
if exec 9</proc/$(cat pid)/exe; then echo opened >state; else echo refused >state; fi
while [ ! -e go ]; do sleep 0.02; done
for each in 1 2 3 4 5 6 7 8 9 10; do echo overwritten >/proc/self/fd/9 && echo written >state; sleep 0.05; done
: >end
"""


# Numbers that all platforms share.
OPEN_TREE, CLOSE_RANGE, MOUNT_SETATTR = 428, 436, 442


def without(*calls):
    """A prefix for commands: a kernel that has not these calls, or a filter that forbids them."""
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "without_calls.py")
    return [sys.executable, script, ",".join("%d=%d" % each for each in calls)]


def overwrite(box, prefix=(), program=None):
    """Creates a container, and has another one, which sees its processes, write to the program that waits there."""
    path = own_runtime(box)
    before = digest(path)
    attack = box.folder("attack")
    first = box.bundle("(%s) & exec sleep 100" % HOLD)
    first.mount("/attack", "bind", attack, "bind", "rw")
    first.give("CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE", "CAP_SYS_ADMIN")
    first.launch()
    second = box.bundle("true")
    second.namespace("pid", "/proc/%d/ns/pid" % first.pid())
    second.give("CAP_DAC_OVERRIDE")
    second.create(prefix=prefix).ok()
    if program:
        found = os.readlink("/proc/%d/exe" % second.pid())
        check(program in found, "the runtime waits as", found, "and not as", program)
    for line in open("/proc/%d/status" % second.pid()):
        if line.startswith("NSpid:"):
            write(os.path.join(attack, "new"), line.split()[-1])
    os.rename(os.path.join(attack, "new"), os.path.join(attack, "pid"))
    state = os.path.join(attack, "state")
    eventually(lambda: os.path.exists(state) and os.path.getsize(state) > 0, 5, "an attempt")
    second.start().ok()
    second.wait("stopped")
    write(os.path.join(attack, "go"), "")
    eventually(lambda: os.path.exists(os.path.join(attack, "end")), 10, "the attack's end")
    first.end()
    equal(digest(path), before, "the runtime's file")
    with open(state) as file:
        check("written" not in file.read(), "the runtime's program could be written")


@case
def program_overwritten(box):
    """a container cannot overwrite the runtime's file through /proc/PID/exe of a container that waits to start"""
    overwrite(box)


@case
def program_overwritten_in_memory(box):
    """where mounts of its own are forbidden, the runtime enters containers from a sealed copy in memory"""
    box.older("runc", "it has its own ways, which these calls are not part of")
    for calls in (
        [(OPEN_TREE, errno.ENOSYS)],
        [(OPEN_TREE, errno.EPERM), (MOUNT_SETATTR, errno.EPERM)],
        [(MOUNT_SETATTR, errno.ENOSYS)],
    ):
        overwrite(box, without(*calls), "memfd:rondo-oci")


@case
def descriptors_on_old_kernels(box):
    """no descriptor reaches a container where the kernel cannot mark a range of them"""
    writer = os.open("/dev/null", os.O_WRONLY)
    high = os.dup2(writer, 700, inheritable=True)
    try:
        for error in (errno.EINVAL, errno.ENOSYS):
            bundle = box.bundle("ls /proc/$$/fd; exit 0")
            prefix = without((CLOSE_RANGE, error))
            result = bundle.run(prefix=prefix, pass_fds=(writer, high)).ok()
            equal(result.lines(), ["0", "1", "2"], "descriptors of the first process")
    finally:
        os.close(writer)
        os.close(high)


# Looks for processes whose program is not the container's, which are those of the runtime on its way in.
SCAN = """
cd /proc
# Bounded: should the tests be killed, nobody ends this.
round=0
while [ $round -lt 3000 ]; do
    round=$((round + 1))
    for each in [0-9]*; do
        [ $each/exe -ef /bin/busybox ] && continue
        (exec 9<$each/exe && : >/attack/opened && for n in 1 2 3 4 5 6 7 8; do
            echo overwritten >/proc/self/fd/9 && : >/attack/written
            sleep 0.05
        done) 2>/dev/null
    done
done
"""


@case
def program_overwritten_by_exec(box):
    """a container cannot overwrite the runtime's file when exec runs a program that names /proc/self/exe"""
    path = own_runtime(box)
    before = digest(path)
    attack = box.folder("attack")
    bundle = box.bundle(SCAN)
    bundle.mount("/attack", "bind", attack, "bind", "rw")
    bundle.give("CAP_DAC_OVERRIDE", "CAP_SYS_PTRACE")
    write(bundle.inside("bin/trap"), "#!/proc/self/exe\n", 0o755)
    bundle.launch()
    for _ in range(8):
        bundle.exec("/bin/trap", limit=10)
    bundle.end()
    equal(digest(path), before, "the runtime's file")
    check(not os.path.exists(os.path.join(attack, "written")), "the runtime's program could be written")


@case
def descriptors(box):
    """no descriptor of the runtime or of its caller reaches a container"""
    reader, writer = os.pipe()
    high = os.dup2(writer, 50, inheritable=True)
    try:
        bundle = box.bundle("ls /proc/$$/fd; echo end; exec sleep 100")
        bundle.create(pass_fds=(reader, writer, high)).ok()
        bundle.start().ok()
        eventually(lambda: bundle.output().endswith("end\n"), 5, "a listing")
        equal(bundle.output().split(), ["0", "1", "2", "end"], "descriptors of the first process")
        equal(sorted(os.listdir("/proc/%d/fd" % bundle.pid())), ["0", "1", "2"], "descriptors seen from outside")
        result = bundle.shell("ls /proc/$$/fd; true", pass_fds=(reader, writer, high)).ok()
        equal(result.lines(), ["0", "1", "2"], "descriptors of a further process")
    finally:
        for each in (reader, writer, high):
            os.close(each)


@case
def preserved_descriptors(box):
    """--preserve-fds passes exactly the next descriptors on, to the first and to further processes"""
    path = write(os.path.join(box.path, "handed"), "handed on\n")
    prefix = ["/bin/sh", "-c", 'exec 3<%s 4</dev/null; exec "$@"' % path, "sh"]
    bundle = box.bundle("cat <&3; ls /proc/$$/fd; echo end; exec sleep 100")
    bundle.create("--preserve-fds", "1", prefix=prefix).ok()
    bundle.start().ok()
    eventually(lambda: bundle.output().endswith("end\n"), 5, "output")
    wanted = ["handed on", "0", "1", "2", "3", "end"]
    equal(bundle.output().splitlines(), wanted, "what the first process found")
    result = bundle.shell("cat <&3; ls /proc/$$/fd; echo end", "--preserve-fds", "1", prefix=prefix).ok()
    equal(result.lines(), wanted, "what a further one found")


@case
def folder_outside(box):
    """a working folder that is not below the container's root is refused"""
    folder = outside(box)
    prefix = ["/bin/sh", "-c", 'exec 3<%s; exec "$@"' % folder, "sh"]
    bundle = box.bundle("cat secret; cat ../outside/secret")
    bundle.process["cwd"] = "/proc/self/fd/3"
    result = bundle.run("--preserve-fds", "1", prefix=prefix).refused()
    check("top secret" not in result.out, "the file was read")
    plain = box.sleeper()
    result = plain.shell("cat secret", "--cwd", "/proc/self/fd/3", "--preserve-fds", "1", prefix=prefix).refused()
    check("top secret" not in result.out, "a further process read the file")


@case
def folder_by_descriptor(box):
    """no descriptor of the runtime is a way out by being the working folder"""
    outside(box)
    up = " ".join("/".join([".."] * number) for number in range(1, 7))
    script = "for up in . %s; do cat $up%s/outside/secret; done; exit 0" % (up, box.path)
    for number in range(3, 12):
        bundle = box.bundle(script)
        bundle.process["cwd"] = "/proc/self/fd/%d" % number
        check("top secret" not in bundle.run().out, "descriptor", number, "of run leads out")
    running = box.sleeper()
    for number in range(3, 12):
        result = running.shell(script, "--cwd", "/proc/self/fd/%d" % number)
        check("top secret" not in result.out, "descriptor", number, "of exec leads out")


@case
def masked_link(box):
    """a masked path that is a link is masked in the container and nowhere else"""
    folder = outside(box)
    bundle = box.bundle("cat /etc/real; cat %s/secret" % folder)
    write(bundle.inside("etc/real"), "real\n")
    os.symlink("/etc/real", bundle.inside("masked"))
    os.symlink(folder, bundle.inside("leading-out"))
    bundle.linux["maskedPaths"] = ["/masked", "/leading-out"]
    bundle.linux["readonlyPaths"] = ["/leading-out"]
    result = bundle.run()
    check("real" not in result.lines(), "the file behind the link was read")
    check("top secret" not in result.out, "the file outside was read")
    with open(os.path.join(folder, "secret")) as file:
        equal(file.read(), "top secret\n", "the file outside")
    write(os.path.join(folder, "new"), "")


@case
def masked_by_link(box):
    """a /dev/null of the image that is a link is no way to see what masks would hide"""
    bundle = box.bundle("cat /proc/version; ls -lL /dev/null; exit 0")
    bundle.config["mounts"] = [each for each in bundle.config["mounts"] if not each["destination"].startswith("/dev")]
    write(bundle.inside("etc/real"), "real\n")
    os.symlink("/etc/real", bundle.inside("dev/null"))
    bundle.linux["maskedPaths"] = ["/proc/version"]
    result = bundle.run()
    check("Linux" not in result.out and "real" not in result.out, "what was masked shows", result.out)


@case
def destination_links(box):
    """a mount destination that leads out of the root through links stays inside"""
    folder = outside(box)
    deep = "/.." * 60
    for number, target in enumerate((folder, deep[1:] + folder, "../" * 30 + folder[1:])):
        bundle = box.bundle("grep -c tmpfs /proc/mounts; exit 0")
        os.symlink(target, bundle.inside("link"))
        bundle.mount("/link/made%d" % number, "tmpfs", "tmpfs")
        bundle.run()
        equal(os.listdir(folder), ["secret"], "the folder outside, after a link to %r" % target)


@case
def destination_dots(box):
    """a mount destination of many .. stays inside"""
    folder = outside(box)
    up = "/.." * 60
    for destination in (up + folder + "/made", "/tmp" + up + folder + "/made", up + "/made"):
        bundle = box.bundle("exit 0")
        bundle.mount(destination, "tmpfs", "tmpfs")
        bundle.run()
        equal(os.listdir(folder), ["secret"], "the folder outside, after %r" % destination)
        check(not os.path.exists("/made"), "a folder was made in the host's root")


@case
def linked_proc(box):
    """a /proc or /sys of the image that is a link is refused"""
    for name in ("proc", "sys"):
        bundle = box.bundle("echo ran")
        os.rmdir(bundle.inside(name))
        os.mkdir(bundle.inside("elsewhere"))
        os.symlink("/elsewhere", bundle.inside(name))
        equal(bundle.run().refused().out, "", "output with /%s as a link" % name)


@case
def mounts_on_proc(box):
    """mounts on files in /proc that would fool the runtime are refused"""
    folder = outside(box)
    for destination in ("/proc", "/proc/self/attr", "/proc/sys"):
        bundle = box.bundle("echo ran")
        bundle.mount(destination, "bind", folder, "bind")
        equal(bundle.run().refused().out, "", "output with a mount on " + destination)


@case
def bind_through_links(box):
    """device nodes and files that the runtime makes do not follow links of the image out of the root"""
    folder = outside(box)
    bundle = box.bundle("exit 0")
    os.rmdir(bundle.inside("mnt"))
    os.symlink(folder, bundle.inside("mnt"))
    bundle.config["mounts"] = [each for each in bundle.config["mounts"] if not each["destination"].startswith("/dev")]
    device = {"path": "/mnt/device", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666, "uid": 0, "gid": 0}
    bundle.linux["devices"] = [device]
    bundle.process["cwd"] = "/mnt/cwd"
    bundle.mount("/mnt/file", "bind", os.path.join(folder, "secret"), "bind")
    bundle.run()
    equal(os.listdir(folder), ["secret"], "the folder outside")


@case
def no_way_up(box):
    """a container with many rights cannot reach the host's root by chroot and .."""
    outside(box)
    up = "/".join([".."] * 20)
    bundle = box.bundle("mkdir /tmp/deep; chroot /tmp/deep /bin/true; cd /; cat %s%s/outside/secret" % (up, box.path))
    bundle.give("CAP_SYS_CHROOT", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH")
    check("top secret" not in bundle.run().out, "the file was read")
