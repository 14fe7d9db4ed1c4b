"""A throwaway machine (throwaway.py) whose first process is the real systemd, with a journal and none of this machine's
own units. Needs root, overlayfs, systemd, and version 1 of control groups; on machines with version 2 alone
Tests/System/v2 boots a virtual machine instead.
"""

import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

import throwaway  # noqa: E402
from harness import Skipped, eventually  # noqa: E402

SYSTEMD = "/lib/systemd/systemd"
STOCK = "/lib/systemd/system"
UNITS = "/run/units"
TARGETS = ["basic", "sysinit", "multi-user", "network", "shutdown", "umount", "final", "local-fs", "local-fs-pre"]
TARGETS += ["paths", "sockets", "timers", "slices"]
JOURNAL = ["systemd-journald.service", "systemd-journald.socket"]
NODES = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
SEEN = "/run/seen"
BOOT_LOG = "/run/boot.log"


class Booted(throwaway.Throwaway):
    """`start` returns when systemd says that it runs."""

    first = os.path.abspath(__file__)

    def start(self):
        if throwaway.UNIFIED:
            raise Skipped("a second systemd needs control groups of version 1; Tests/System/v2 has a machine for it")
        if not os.path.exists(SYSTEMD) or not os.path.exists(os.path.join(STOCK, JOURNAL[0])):
            raise Skipped("systemd is not installed")
        super().start()
        # systemd closes what it does not know, so this is held here.
        self.upper = os.open(super().written(), os.O_RDONLY | os.O_DIRECTORY)
        with open(self.path(SEEN), "w"):
            pass
        eventually(self.is_up, 20, "a machine with systemd")
        return self

    def is_up(self):
        return self.run(["systemctl", "is-system-running"], timeout=20).stdout.strip() in ("running", "degraded")

    def written(self):
        return "/proc/self/fd/%d" % self.upper

    def end(self):
        super().end()
        if getattr(self, "upper", None) is not None:
            os.close(self.upper)
            self.upper = None


# -- in the machine: what comes before systemd -------------------------------------------------------------------------


def devices():
    """Its own, because systemd makes links and sockets there."""
    throwaway.mount("-t", "tmpfs", "-o", "mode=755", "dev", "/dev")
    for name, minor in NODES.items():
        os.mknod("/dev/" + name, 0o666 | 0o020000, os.makedev(1, minor))
        os.chmod("/dev/" + name, 0o666)
    os.mknod("/dev/tty", 0o666 | 0o020000, os.makedev(5, 0))
    for name, kind, options in (("pts", "devpts", "newinstance,ptmxmode=0666"), ("shm", "tmpfs", "mode=1777")):
        os.mkdir("/dev/" + name)
        throwaway.mount("-t", kind, "-o", options, name, "/dev/" + name)
    os.symlink("pts/ptmx", "/dev/ptmx")
    for name, target in (("fd", ""), ("stdin", "/0"), ("stdout", "/1"), ("stderr", "/2")):
        os.symlink("/proc/self/fd" + target, "/dev/" + name)


def units():
    """What a machine needs to come up, and nothing that this one happens to have."""
    shutil.rmtree("/etc/systemd/system", ignore_errors=True)
    os.makedirs("/etc/systemd/system")
    os.makedirs(UNITS + "/sysinit.target.wants")
    for name in [each + ".target" for each in TARGETS] + JOURNAL:
        shutil.copy(os.path.join(STOCK, name), UNITS)
    os.symlink("../" + JOURNAL[0], "%s/sysinit.target.wants/%s" % (UNITS, JOURNAL[0]))
    os.makedirs("/run/systemd/journald.conf.d")
    with open("/run/systemd/journald.conf.d/test.conf", "w") as file:
        file.write("[Journal]\nReadKMsg=no\nStorage=volatile\nAudit=no\n")
    # Without one, it would be a first boot, on which systemd enables units.
    with open("/etc/machine-id", "w") as file:
        file.write("0123456789abcdef0123456789abcdef\n")


def boot(folder, told):
    throwaway.build(folder)
    devices()
    units()
    # What is there of the kernel is shared with the whole machine.
    throwaway.mount("--bind", "/proc/sys", "/proc/sys")
    for place in ("/proc/sys", "/sys"):
        throwaway.mount("-o", "remount,bind,ro", place)
    os.write(told, b"ready")
    os.close(told)
    while not os.path.exists(SEEN):
        time.sleep(0.01)
    log = os.open(BOOT_LOG, os.O_WRONLY | os.O_CREAT, 0o600)
    for number in (1, 2):
        os.dup2(log, number)
    words = ["setpriv", "--bounding-set=-sys_module,-sys_boot,-sys_time", SYSTEMD, "--system"]
    words += ["--unit=multi-user.target", "--log-target=console", "--show-status=no"]
    variables = {"container": "throwaway", "PATH": throwaway.PATH, "SYSTEMD_UNIT_PATH": "/etc/systemd/system:" + UNITS}
    os.execvpe(words[0], words, variables)


if __name__ == "__main__":
    descriptor = int(sys.argv[2])
    try:
        boot(sys.argv[1], descriptor)
    except Exception as error:
        os.write(descriptor, ("%s %s" % (error, getattr(error, "stderr", "") or "")).encode())
        sys.exit(1)
