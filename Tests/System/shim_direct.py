"""Containers made by requests to a shim, without containerd."""

import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import check, eventually  # noqa: E402
from oci_bundle import case, make_rootfs, read, top, write  # noqa: E402
from oci_config import base_config  # noqa: E402
from oci_containerd import containerd  # noqa: E402
from shim_client import Connection, Events, encode, first, start  # noqa: E402

NAME = "containerd-shim-rondo-v2"
RUNNING, STOPPED, PAUSED = 2, 3, 4


def shims(namespace=None):
    """Processes of shims by their number."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = read("/proc/%s/cmdline" % name).split("\0")
        except OSError:
            continue
        if command[0].endswith(NAME) and (namespace or top.marker) in command:
            found[int(name)] = command
    return found


def sockets():
    return set(os.listdir("/run/containerd/s")) if os.path.isdir("/run/containerd/s") else set()


class Direct:
    """A container made by requests to a shim."""

    def __init__(
        self, box, name, script, annotations=None, terminal=False, fifos=True, mounts=(), change=None, options=None
    ):
        self.box, self.name = box, "%s-%s" % (top.marker, name)
        self.bundle = box.folder("bundles", self.name)
        self.rootfs = os.path.join(self.bundle, "rootfs")
        config = base_config(top.marker, "/%s/%s" % (top.marker, self.name))
        config["process"]["args"] = ["/bin/sh", "-c", script]
        config["process"]["terminal"] = terminal
        config["root"]["path"] = "rootfs"
        config["annotations"] = annotations or {}
        if change:
            change(config)
        write(os.path.join(self.bundle, "config.json"), json.dumps(config))
        if not mounts:
            make_rootfs(self.rootfs)
        # containerd makes it and reads it into its own log.
        log = os.path.join(self.bundle, "log")
        os.mkfifo(log)
        self.files = {"log": os.open(log, os.O_RDWR | os.O_NONBLOCK)}
        any_options = [(1, "containerd.runc.v1.Options"), (2, options or [])]
        self.socket = start(
            program(),
            self.bundle,
            top.marker,
            self.name,
            environment={"TTRPC_ADDRESS": box.events.path},
            stdin=encode(*any_options) if options else b"",
        )
        self.paths = {}
        if fifos:
            for each in ("in", "out") if terminal else ("in", "out", "err"):
                self.paths[each] = os.path.join(box.path, "%s.%s" % (self.name, each))
                os.mkfifo(self.paths[each])
                mode = os.O_RDWR if each == "in" else os.O_RDONLY
                self.files[each] = os.open(self.paths[each], mode | os.O_NONBLOCK)
        self.shim = Connection(self.socket)
        box.finally_do.append(self.end)
        self.request = [
            (1, self.name),
            (2, self.bundle),
            *((3, mount) for mount in mounts),
            (4, int(terminal)),
            (5, self.paths.get("in", "")),
            (6, self.paths.get("out", "")),
            (7, self.paths.get("err", "")),
            *([(10, any_options)] if options else []),
        ]

    def create(self):
        self.pid = first(self.shim.call("Create", *self.request), 1)
        return self

    def call(self, method, *fields, **options):
        return self.shim.call(method, (1, self.name), *fields, **options)

    def refused(self, method, *fields):
        return self.shim.refused(method, (1, self.name), *fields)

    def run(self):
        self.create()
        self.call("Start")
        return self

    def state(self, *fields):
        return first(self.call("State", *fields), 4)

    def wait(self, *fields):
        return first(self.call("Wait", *fields), 1)

    def say(self, data):
        while data:
            try:
                data = data[os.write(self.files["in"], data) :]
            except BlockingIOError:
                time.sleep(0.01)

    def close_input(self):
        self.call("CloseIO", (3, 1))
        os.close(self.files.pop("in"))

    def read_until(self, stream, wanted):
        """Bytes of a stream until these words, or to its end for none."""
        data = b""
        deadline = time.monotonic() + 20
        while wanted is None or wanted not in data:
            check(time.monotonic() < deadline, "no %r, only %r" % (wanted, data[-200:]))
            try:
                part = os.read(self.files[stream], 1 << 16)
            except BlockingIOError:
                time.sleep(0.005)
                continue
            if not part:
                return data
            data += part
        return data

    def end(self):
        try:
            self.shim.close()
            last = Connection(self.socket)
            try:
                last.call("Kill", (1, self.name), (3, 9), (4, 1))
                last.call("Wait", (1, self.name))
            except Exception:
                pass
            try:
                last.call("Delete", (1, self.name))
            except Exception:
                pass
            last.call("Shutdown", (1, self.name))
            last.close()
            eventually(lambda: not os.path.exists(self.socket), 10, "the socket's removal")
        except (OSError, AssertionError):
            pass
        for each in self.files.values():
            os.close(each)
        self.files = {}


def program():
    return os.path.join(containerd.shim, NAME)


def direct_case(function):
    def with_events(box):
        box.root = os.path.join("/run/containerd/rondo", top.marker)
        box.mine = {containerd.daemon.pid}
        box.events = Events(os.path.join(box.path, "events.sock"))
        box.finally_do.append(box.events.close)
        function(box)

    with_events.__doc__, with_events.__name__ = function.__doc__, function.__name__
    return case(with_events)
