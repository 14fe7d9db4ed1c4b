"""What is on a machine that a cluster could leave behind: control groups, mounts, processes, interfaces, files."""

import os
import time

# Where a node may put things besides its data directory.
PLACES = ("/run/rondo", "/var/lib/rondo", "/etc/rondo")
# Unit tests that happen to run at the same time name what they make so.
OTHERS = "rondo-test"


def cgroups():
    """All control groups of all hierarchies, v1 and v2."""
    found = set()
    for top, directories, _ in os.walk("/sys/fs/cgroup"):
        found.update(os.path.join(top, each) for each in directories)
    return found


def mounts():
    """Mount points of this namespace."""
    with open("/proc/self/mountinfo") as file:
        return {line.split()[4] for line in file}


def processes(program):
    """Processes that run the program's file, by whatever mount: {(pid, start time): command line}."""
    found = {}
    program = os.path.realpath(program)
    facts = os.stat(program)
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            link = "/proc/%s/exe" % name
            if os.readlink(link).split(" (deleted)")[0] != program and not os.path.samestat(os.stat(link), facts):
                continue
            with open("/proc/%s/stat" % name) as file:
                fields = file.read().rsplit(")", 1)[1].split()
            with open("/proc/%s/cmdline" % name, "rb") as file:
                command = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
        except OSError:
            continue
        if fields[0] != "Z":
            found[(int(name), fields[19])] = command
    return found


def marked(marker):
    """Processes with a marker in command line or environment, other than this one: {pid: command line}."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                command = file.read()
            with open("/proc/%s/environ" % name, "rb") as file:
                environment = file.read()
        except OSError:
            continue
        if marker.encode() in command + environment:
            found[int(name)] = command.replace(b"\0", b" ").decode("utf-8", "replace").strip()
    return found


def interfaces():
    """Network interfaces of this namespace."""
    return set(os.listdir("/sys/class/net"))


def files(extra=()):
    """What is in the places where a node may leave files."""
    found = set()
    for place in PLACES + tuple(extra):
        for top, directories, names in os.walk(place):
            found.update(os.path.join(top, each) for each in directories + names)
        if os.path.exists(place):
            found.add(place)
    found.update(os.path.join("/tmp", each) for each in os.listdir("/tmp") if each.startswith("rondo"))
    return found


class Footprint:
    """A picture of the machine, to be compared with it later."""

    def __init__(self, program, marker=None):
        self.program, self.marker = program, marker
        self.before = self.picture()

    def picture(self):
        picture = {
            "cgroup": cgroups(),
            "mount": mounts(),
            "process": {"%d %s" % (pid, command) for (pid, _), command in processes(self.program).items()},
            "interface": interfaces(),
            "file": files(),
        }
        if self.marker:
            picture["marked process"] = {"%d %s" % each for each in marked(self.marker).items()}
        return picture

    def left(self, seconds=5, kinds=None):
        """What is there now and was not before, as lines; waits a little for what is about to go."""
        deadline = time.monotonic() + seconds
        while True:
            now = self.picture()
            lines = [
                "%s %s" % (kind, each)
                for kind in now
                if kinds is None or kind in kinds
                for each in sorted(now[kind] - self.before[kind])
                if OTHERS not in each
            ]
            if not lines or time.monotonic() > deadline:
                return lines
            time.sleep(0.1)
