"""Network namespaces on a bridge: machines that share nothing but a cable, for one run of a test.

Nothing is added to the namespace the test starts in: the bridge is in a namespace of its own, the hub.
"""

import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000


def ip(*arguments, check=True):
    result = subprocess.run(
        ["ip", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if check and result.returncode != 0:
        raise OSError("'ip %s' failed: %s" % (" ".join(arguments), result.stdout.strip()))
    return result.stdout


def links(name):
    """Names of the interfaces of a namespace, by its name.

    Not as JSON: a list that `ip` must begin anew, as a link went meanwhile, is not JSON then. Here every line stands
    for itself, and the next look sees them all.
    """
    listed = ip("-o", "-n", name, "link", "show", check=False).splitlines()
    found = [each.split(": ")[1].partition("@")[0] for each in listed if each[:1].isdigit() and each.count(": ") > 1]
    return list(dict.fromkeys(found))


def enter(descriptor):
    """Moves this thread, and the threads and processes it will start, to a namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, "setns: " + os.strerror(error))


class Network:
    """A hub with `count` machines at 10.77.0.1 and up; the hub itself is at 10.77.0.254."""

    SUBNET = "10.77.0.%d"

    def __init__(self, count):
        self.prefix = "rondo%d" % os.getpid()
        self.names = ["%sn%d" % (self.prefix, number) for number in range(1, count + 1)]
        self.hub = self.prefix + "hub"
        self.home = None

    def create(self):
        ip("netns", "add", self.hub)
        ip("-n", self.hub, "link", "set", "lo", "up")
        ip("-n", self.hub, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.hub, "link", "set", "bridge", "up")
        ip("-n", self.hub, "address", "add", self.SUBNET % 254 + "/24", "dev", "bridge")
        for number, name in enumerate(self.names, 1):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            ip("-n", self.hub, "link", "add", "port%d" % number, "type", "veth", "peer", "name", "eth0", "netns", name)
            ip("-n", self.hub, "link", "set", "port%d" % number, "master", "bridge", "up")
            ip("-n", name, "address", "add", self.address(number) + "/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")

    def address(self, number):
        return self.SUBNET % number

    def enter_hub(self):
        """Moves this process to the hub, from where all machines can be reached. Before threads are started."""
        self.home = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        hub = os.open("/run/netns/" + self.hub, os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(hub)
        finally:
            os.close(hub)

    def inside(self, number, command):
        """A command line that runs a command on a machine. Not `ip netns exec`: that hides /sys/fs/cgroup."""
        return ["nsenter", "--net=/run/netns/" + self.names[number - 1], "--"] + command

    def processes(self, number):
        """Pids of all that runs on a machine."""
        return self.inhabitants(self.names[number - 1])

    def inhabitants(self, name):
        """Pids of all that runs in a namespace, by its name."""
        return {int(pid) for pid in ip("netns", "pids", name, check=False).split()}

    def delete(self):
        if self.home is not None:
            enter(self.home)
            os.close(self.home)
            self.home = None
        for name in self.names + [self.hub]:
            if os.path.exists("/run/netns/" + name):
                ip("netns", "delete", name, check=False)
