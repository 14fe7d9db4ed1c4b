"""Control groups of either version, by what they limit instead of by the names of files."""

import os

from harness import check

TOP = "/sys/fs/cgroup"
# Pure version 2: one tree for all controllers.
UNIFIED = os.path.exists(os.path.join(TOP, "cgroup.controllers"))

# What is limited: the controller, the file of version 1, and that of version 2 with the word in it.
FILES = {
    "memory": ("memory", "memory.limit_in_bytes", "memory.max", 0),
    "reservation": ("memory", "memory.soft_limit_in_bytes", "memory.low", 0),
    "shares": ("cpu", "cpu.shares", "cpu.weight", 0),
    "quota": ("cpu", "cpu.cfs_quota_us", "cpu.max", 0),
    "period": ("cpu", "cpu.cfs_period_us", "cpu.max", 1),
    "cpus": ("cpuset", "cpuset.cpus", "cpuset.cpus", 0),
    "mems": ("cpuset", "cpuset.mems", "cpuset.mems", 0),
    "processes": ("pids", "pids.max", "pids.max", 0),
}
# Runtimes that are older than the mapping that all use now divide; both are right.
WEIGHTS = {"256": {"10", "35"}, "512": {"20", "59"}}


def text(path):
    with open(path, errors="replace") as file:
        return file.read().strip()


def folder(pid, controller=""):
    """The host's folder of a process's group where a controller is; without one, of version 2."""
    for line in text("/proc/%s/cgroup" % pid).split("\n"):
        _, names, path = line.split(":", 2)
        if UNIFIED and not names:
            return TOP + path
        if not UNIFIED and controller in names.split(","):
            # A hybrid machine has its version 2 tree beside the others.
            return "%s/%s%s" % (TOP, controller or "unified", path)
    return check(False, "no group of", controller or "version 2")


def limit(pid, name):
    """A limit of a process's group as text, `max` when there is none."""
    controller, old, new, word = FILES[name]
    if UNIFIED:
        return text(os.path.join(folder(pid, controller), new)).split()[word]
    found = text(os.path.join(folder(pid, controller), old))
    return "max" if found == "-1" or found.isdigit() and int(found) > 1 << 60 else found


def check_limits(pid, **wanted):
    """Fails with every limit that is not as wanted."""
    wrong = []
    for name, value in wanted.items():
        found, right = limit(pid, name), {str(value)}
        if UNIFIED and name == "shares":
            right = WEIGHTS[str(value)]
        if found not in right:
            wrong.append("%s is %s, not %s" % (name, found, " or ".join(sorted(right))))
    check(not wrong, "; ".join(wrong))


def check_swap(pid, memory, wanted):
    """Memory with swap: version 1 limits the sum, version 2 swap alone. Some kernels do not count swap at all."""
    name, right = ("memory.swap.max", wanted - memory) if UNIFIED else ("memory.memsw.limit_in_bytes", wanted)
    path = os.path.join(folder(pid, "memory"), name)
    if os.path.exists(path):
        check(text(path) == str(right), name, "is", text(path), "and not", right)


def frozen(pid):
    """Whether the kernel has stopped the group of a process."""
    if UNIFIED:
        return "frozen 1" in text(os.path.join(folder(pid), "cgroup.events")).split("\n")
    return text(os.path.join(folder(pid, "freezer"), "freezer.state")) == "FROZEN"


def thaw(group):
    """A frozen process cannot die in a version 1 group."""
    for name, value in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        path = os.path.join(group, name)
        if os.path.exists(path):
            with open(path, "w") as file:
                file.write(value)
