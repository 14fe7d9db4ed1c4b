"""Ways out of containers that exchange files while the runtime is at work. Each race runs for a bounded time."""

import os
import subprocess
import sys
import time

from harness import PATIENCE, check, equal
from oci_bundle import case, read, write
from oci_escapes import outside

SECONDS = 3
# Exchanges two names as fast as it can, and says how often when it is told to end.
RACER = """
import ctypes, os, signal, sys
library = ctypes.CDLL(None)
one, other = (each.encode() for each in sys.argv[1:3])
count, going = 0, True
def stop(*_):
    global going
    going = False
signal.signal(signal.SIGTERM, stop)
print("ready", flush=True)
while going:
    # renameat2(2) with RENAME_EXCHANGE
    library.syscall(316 if os.uname().machine == "x86_64" else 276, -100, one, -100, other, 2)
    count += 1
print(count, flush=True)
"""


class Racer:
    def __init__(self, box, one, other):
        self.process = subprocess.Popen(
            [sys.executable, "-c", RACER, one, other], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        box.mine.add(self.process.pid)
        box.finally_do.append(lambda: (self.process.kill(), self.process.wait()))
        equal(self.process.stdout.readline(), "ready\n", "what the racer said")

    def end(self):
        self.process.terminate()
        count = int(self.process.communicate(timeout=10)[0])
        check(count > 100, "the racer exchanged only", count, "times")


def attempts(make, racers, look):
    """Runs containers until the time is over; some may fail, none may do harm."""
    end = time.monotonic() + SECONDS * PATIENCE
    worked = failed = 0
    while time.monotonic() < end and worked + failed < 200:
        result = make()
        look(result)
        if result.code == 0:
            worked += 1
        else:
            failed += 1
    for each in racers:
        each.end()
    check(worked + failed > 3, "only", worked + failed, "attempts")


@case
def destination_exchanged(box):
    """a mount destination that a neighbour exchanges for a link while it is used stays inside"""
    folder = outside(box)
    volume = box.folder("volume")
    os.makedirs(os.path.join(volume, "place", "secret-place"))
    os.symlink(folder, os.path.join(volume, "link"))
    racer = Racer(box, os.path.join(volume, "place"), os.path.join(volume, "link"))

    def make():
        bundle = box.bundle("cat /vol/place/secret; cat /vol/place/made/x; exit 0")
        bundle.mount("/vol", "bind", volume, "bind", "rw")
        bundle.mount("/vol/place/made", "tmpfs", "tmpfs")
        bundle.mount("/vol/place/file", "bind", "/etc/hostname", "bind", "ro")
        return bundle.run()

    def look(result):
        equal(os.listdir(folder), ["secret"], "the folder outside")
        check("top secret" not in result.out, "the file outside was read")

    attempts(make, [racer], look)
    equal(os.listdir(folder), ["secret"], "the folder outside, in the end")


@case
def source_exchanged(box):
    """a folder of a volume that a neighbour exchanges for a link to / is no way to the host's root"""
    folder = outside(box)
    volume = box.folder("volume")
    os.makedirs(os.path.join(volume, "place"))
    os.symlink("/", os.path.join(volume, "link"))
    racer = Racer(box, os.path.join(volume, "place"), os.path.join(volume, "link"))

    def make():
        bundle = box.bundle("cat /vol/place%s/secret; umount /vol/place; cat /vol/place%s/secret; exit 0" % (folder, folder))
        bundle.mount("/vol", "bind", volume, "bind", "rw")
        bundle.mount("/vol/place", "tmpfs", "tmpfs")
        return bundle.run()

    attempts(make, [racer], lambda result: check("top secret" not in result.out, "the file outside was read"))


@case
def rootfs_exchanged(box):
    """folders of the root that are exchanged for links while devices, masks and links are made stay inside"""
    folder = outside(box)
    bundles, racers = [], []
    first = box.bundle("exit 0")
    for name in ("dev", "etc"):
        os.symlink(folder, first.inside("link-" + name))
        racers.append(Racer(box, first.inside(name), first.inside("link-" + name)))
    first.config["mounts"] = [each for each in first.config["mounts"] if not each["destination"].startswith("/dev")]
    first.linux["maskedPaths"] = ["/etc/passwd", "/etc/secret", "/dev/secret"]
    first.linux["readonlyPaths"] = ["/etc", "/dev"]
    first.process["cwd"] = "/etc/made"
    bundles.append(first)

    def look(_):
        equal(os.listdir(folder), ["secret"], "the folder outside")
        equal(read(os.path.join(folder, "secret")), "top secret\n", "the file outside")

    attempts(lambda: first.run(), racers, look)


@case
def mask_exchanged(box):
    """a masked path that is exchanged for a link while it is masked is hidden or the container is refused"""
    volume = box.folder("volume")
    write(os.path.join(volume, "null"), "")
    os.symlink("/proc/version", os.path.join(volume, "link"))
    racer = Racer(box, os.path.join(volume, "null"), os.path.join(volume, "link"))

    def make():
        bundle = box.bundle("cat /proc/cpuinfo; echo >/proc/sys/kernel/hostname; exit 0")
        mounts = [each for each in bundle.config["mounts"] if not each["destination"].startswith("/dev")]
        bundle.config["mounts"] = mounts
        bundle.mount("/dev", "bind", volume, "bind", "rw")
        bundle.linux["maskedPaths"] = ["/proc/cpuinfo", "/proc/sys/kernel"]
        return bundle.run()

    def look(result):
        check("processor" not in result.out and "Linux" not in result.out, "a masked file shows", result.out[:200])

    attempts(make, [racer], look)


@case
def hook_folder_exchanged(box):
    """a root folder exchanged for a link by a hook does not change what the container gets as its root"""
    folder = outside(box)
    bundle = box.bundle("cat /secret; exit 0")
    moved = bundle.rootfs + ".moved"
    script = "mv %s %s && ln -s %s %s" % (bundle.rootfs, moved, folder, bundle.rootfs)
    hook = {"path": "/bin/sh", "args": ["sh", "-c", script], "env": ["PATH=/usr/bin:/bin"]}
    bundle.config["hooks"] = {"createRuntime": [hook]}
    result = bundle.run()
    check("top secret" not in result.out, "the file outside was read")
    equal(os.listdir(folder), ["secret"], "the folder outside")


@case
def console_link(box):
    """a /dev/console that is a link is not followed out of the root when the terminal is bound there"""
    folder = outside(box)
    for target in (folder + "/secret", folder + "/new", "../" * 20 + folder[1:] + "/new"):
        bundle = box.bundle("echo to the terminal >/dev/console; exit 0")
        bundle.process["terminal"] = True
        mounts = bundle.config["mounts"]
        bundle.config["mounts"] = [each for each in mounts if each["destination"] not in ("/dev", "/dev/shm", "/dev/mqueue")]
        os.mkdir(bundle.inside("dev/pts"))
        os.symlink(target, bundle.inside("dev/console"))
        bundle.save()
        command = [*box.command, "--root", box.root, "run", "-b", bundle.path, bundle.id]
        quoted = " ".join("'%s'" % each for each in command)
        subprocess.run(["script", "-qec", quoted, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20)
        equal(os.listdir(folder), ["secret"], "the folder outside")
        equal(read(os.path.join(folder, "secret")), "top secret\n", "the file outside")


@case
def terminal_folder(box):
    """terminals that are not on a devpts of the container are refused, not taken from the image"""
    folder = outside(box)
    for make in (lambda place: os.mkdir(place), lambda place: os.symlink("/dev/pts", place),
                 lambda place: os.symlink(folder, place)):
        bundle = box.bundle("echo ran")
        bundle.process["terminal"] = True
        bundle.config["mounts"] = [each for each in bundle.config["mounts"] if not each["destination"].startswith("/dev")]
        make(bundle.inside("dev/pts"))
        if os.path.isdir(bundle.inside("dev/pts")) and not os.path.islink(bundle.inside("dev/pts")):
            write(bundle.inside("dev/pts/ptmx"), "")
        bundle.save()
        command = [*box.command, "--root", box.root, "run", "-b", bundle.path, bundle.id]
        quoted = " ".join("'%s'" % each for each in command)
        result = subprocess.run(
            ["script", "-qec", quoted, "/dev/null"], stdin=subprocess.DEVNULL, capture_output=True, timeout=20
        )
        check(result.returncode != 0 and b"ran" not in result.stdout, "the container ran:", result.stdout[-200:])
        equal(os.listdir(folder), ["secret"], "the folder outside")
