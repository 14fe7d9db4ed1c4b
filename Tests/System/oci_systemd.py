"""Drives an OCI runtime with --systemd-cgroup: through the machine's systemd where there is one with cgroup v2 alone,
else through a real message bus with a program that plays systemd (Debian: dbus-daemon, python3-gi).

    python3 Tests/System/oci_systemd.py 'path/to/rondo oci' [WORD ...]

Needs root and busybox-static.
"""

import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import TESTS, Skipped, check, clean, equal, eventually, finish, run_tests  # noqa: E402
from oci_bundle import case, need_machine, parse_arguments, read, top, write  # noqa: E402

MEBIBYTE = 1 << 20
PYTHON = "/usr/bin/python3"
IS_REAL = os.path.exists("/run/systemd/private") and os.path.exists("/sys/fs/cgroup/cgroup.controllers")
CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path=%s</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/><allow own="*"/>
<allow user="*"/></policy></busconfig>
"""


class Double:
    """A bus of its own with a manager on it, for one box."""

    def __init__(self, box, mode="done"):
        if IS_REAL:
            raise Skipped("this machine has systemd itself")
        if os.path.exists("/sys/fs/cgroup/cgroup.controllers"):
            raise Skipped("no systemd here, and only it may group processes of cgroup v2")
        probe = [PYTHON, "-c", "import gi; gi.require_version('Gio', '2.0'); from gi.repository import Gio"]
        for command in (["dbus-daemon", "--version"], probe):
            try:
                subprocess.run(command, check=True, capture_output=True, timeout=20)
            except (OSError, subprocess.CalledProcessError):
                raise Skipped("not installed: dbus-daemon, python3-gi")
        self.log = os.path.join(box.path, "calls")
        socket = os.path.join(box.path, "bus")
        self.address = "unix:path=" + socket
        config = write(os.path.join(box.path, "bus.conf"), CONFIGURATION % socket)
        self.start(box, ["dbus-daemon", "--nofork", "--config-file=" + config, "--print-address"])
        here = os.path.dirname(os.path.abspath(__file__))
        write(self.log, "")
        self.start(box, [PYTHON, os.path.join(here, "systemd_service.py"), self.address, self.log, mode])
        box.command += ["--systemd-cgroup"]
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = self.address
        box.finally_do.append(lambda: os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS", None))

    def start(self, box, command):
        """Starts a program that says a line when it is ready."""
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
        box.mine.add(process.pid)
        box.finally_do.append(lambda: (process.kill(), process.wait(), process.stdout.close()))
        check(process.stdout.readline(), command[0], "did not start")

    def calls(self, member=None):
        calls = [json.loads(line) for line in read(self.log).splitlines()]
        return [words for name, words in calls if name == member] if member else [name for name, _ in calls]


def bundle_in(box, slice, script="exec sleep 100", **resources):
    bundle = box.bundle(script)
    bundle.linux["cgroupsPath"] = "%s:rondo:%s" % (slice, bundle.id)
    bundle.linux["resources"].update(resources)
    return bundle


LIMITS = {
    "memory": {"limit": 64 * MEBIBYTE, "reservation": 32 * MEBIBYTE},
    "cpu": {"shares": 512, "quota": 50500, "period": 100000, "cpus": "0", "mems": "0"},
    "pids": {"limit": 33},
}


@case
def life(box):
    """over a bus, a unit is made with properties of the right types, and stopped at the end"""
    double = Double(box)
    bundle = bundle_in(box, "-.slice", **LIMITS)
    bundle.config["annotations"] = {
        "org.systemd.property.TimeoutStopSec": "uint64 7",
        "org.systemd.property.CollectMode": "'inactive-or-failed'",
    }
    bundle.launch()
    name = "rondo-%s.scope" % bundle.id
    equal(double.calls(), ["StartTransientUnit"], "calls")
    unit, mode, found, auxiliary = double.calls("StartTransientUnit")[0]
    equal((unit, mode, auxiliary), (name, "replace", []), "unit")
    wanted = {
        "Slice": ["s", "'-.slice'"],
        "Delegate": ["b", "true"],
        "PIDs": ["au", "[%d]" % bundle.pid()],
        "MemoryAccounting": ["b", "true"],
        "DefaultDependencies": ["b", "false"],
        "MemoryLimit": ["t", str(64 * MEBIBYTE)],
        "CPUShares": ["t", "512"],
        "CPUQuotaPeriodUSec": ["t", "100000"],
        "CPUQuotaPerSecUSec": ["t", "510000"],
        "TasksMax": ["t", "33"],
        "AllowedCPUs": ["ay", "[0x01]"],
        "AllowedMemoryNodes": ["ay", "[0x01]"],
        "DevicePolicy": ["s", "'strict'"],
        "TimeoutStopUSec": ["t", "7000000"],
        "CollectMode": ["s", "'inactive-or-failed'"],
    }
    equal({each: found.get(each) for each in wanted}, wanted, "properties")
    equal(found["DeviceAllow"][0], "a(ss)", "type of the device list")
    check("('/dev/char/1:3', 'rwm')" in found["DeviceAllow"][1], "devices are", found["DeviceAllow"][1])
    # What systemd would not do with version 1, or does not know, is in files.
    check(bundle.cgroup("memory").endswith("/memory/" + name), "group is", bundle.cgroup("memory"))
    equal(bundle.control("memory", "memory.limit_in_bytes"), str(64 * MEBIBYTE), "memory")
    equal(bundle.control("cpu", "cpu.cfs_quota_us"), "51000", "quota, rounded up to a percent")
    bundle.verb("update", "--memory", "80M", "--pids-limit", "44", bundle.id).ok()
    changed = double.calls("SetUnitProperties")[0]
    equal(changed, [name, True, {"MemoryLimit": ["t", str(80 * MEBIBYTE)], "TasksMax": ["t", "44"]}], "update")
    equal(bundle.control("pids", "pids.max"), "44", "processes")
    bundle.verb("update", "--cpu-period", "200000", bundle.id).ok()
    rate = {"CPUQuotaPeriodUSec": ["t", "200000"], "CPUQuotaPerSecUSec": ["t", "260000"]}
    equal(double.calls("SetUnitProperties")[1][2], rate, "the quota stays when only the period changes")
    equal(bundle.control("cpu", "cpu.cfs_quota_us"), "52000", "quota")
    equal(bundle.exec("/bin/true").code, 0, "exec")
    bundle.end()
    bundle.delete().ok()
    equal(double.calls()[3:], ["StopUnit", "ResetFailedUnit"], "calls at the end")
    equal(double.calls("StopUnit"), [[name, "replace"]], "stopped")


@case
def early_job(box):
    """over a bus, a job that ends before its call is answered is not missed"""
    double = Double(box, "early")
    bundle_in(box, "-.slice").launch()
    equal(double.calls(), ["StartTransientUnit"], "calls")


@case
def failed_job(box):
    """over a bus, a job that fails is an error, and nothing is left"""
    double = Double(box, "failed")
    result = bundle_in(box, "-.slice").create().refused()
    check("failed" in result.err and ".scope" in result.err, "words:", result.err)
    check("ResetFailedUnit" in double.calls(), "calls:", double.calls())


@case
def existing_unit(box):
    """over a bus, a unit that is there already is tried once more, then refused"""
    double = Double(box, "exists")
    bundle_in(box, "-.slice").create().refused()
    equal(double.calls()[:3], ["StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"], "calls")


@case
def no_systemd(box):
    """without a systemd that can be reached, the error says so and names the other driver"""
    if os.path.exists("/run/systemd/private"):
        raise Skipped("this machine has systemd")
    box.command += ["--systemd-cgroup"]
    result = bundle_in(box, "-.slice").create().refused()
    check("systemd is not running here" in result.err and "cgroupfs" in result.err, "words:", result.err)


@case
def wrong_paths(box):
    """a cgroupsPath that is no slice:prefix:name is refused, and so are names that systemd does not take"""
    box.command += ["--systemd-cgroup"]
    for path in ("/a/b", "a:b", "a:b:c", "-a.slice:b:c", "a.slice:b:c/d", "a.slice:b:c:d"):
        bundle = box.bundle()
        bundle.linux["cgroupsPath"] = path
        bundle.create().refused()
    bundle = box.bundle()
    bundle.linux["cgroupsPath"] = "a.slice:b:c"
    bundle.config["annotations"] = {"org.systemd.property.KillMode": "no quotes"}
    check("KillMode" in bundle.create().refused().err, "the error does not name the annotation")


# With systemd itself.


def real(box):
    if not IS_REAL:
        raise Skipped("this machine has no systemd with cgroup v2 alone")
    box.command += ["--systemd-cgroup"]


def shown(bundle, *names):
    unit = "rondo-%s.scope" % bundle.id
    command = ["systemctl", "show", unit, *("--property=" + each for each in names)]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20).stdout.splitlines()
    return {name: value for name, value in (line.split("=", 1) for line in lines)}


def group(bundle, file):
    return read("/sys/fs/cgroup/rondotest.slice/rondotest-a.slice/rondo-%s.scope/%s" % (bundle.id, file)).strip()


@case
def real_limits(box):
    """systemd knows the limits of a container, and the files have them"""
    real(box)
    bundle = bundle_in(box, "rondotest-a.slice", **LIMITS)
    bundle.linux["resources"]["unified"] = {"memory.high": str(60 * MEBIBYTE), "hugetlb.2MB.max": "0"}
    bundle.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "7"}
    bundle.launch()
    wanted = {
        "ActiveState": "active",
        "Slice": "rondotest-a.slice",
        "Delegate": "yes",
        "MemoryMax": str(64 * MEBIBYTE),
        "MemoryLow": str(32 * MEBIBYTE),
        "MemoryHigh": str(60 * MEBIBYTE),
        "CPUQuotaPerSecUSec": "510ms",
        "TasksMax": "33",
        "AllowedCPUs": "0",
        "DevicePolicy": "strict",
        "TimeoutStopUSec": "7s",
    }
    equal(shown(bundle, *wanted), wanted, "unit")
    files = {"memory.max": str(64 * MEBIBYTE), "cpu.max": "51000 100000", "pids.max": "33", "hugetlb.2MB.max": "0"}
    equal({each: group(bundle, each) for each in files}, files, "files")
    equal(group(bundle, "cgroup.procs"), str(bundle.pid()), "processes")
    bundle.verb("update", "--memory", "80M", "--cpu-quota", "70000", "--pids-limit", "44", bundle.id).ok()
    wanted = {"MemoryMax": str(80 * MEBIBYTE), "CPUQuotaPerSecUSec": "700ms", "TasksMax": "44"}
    equal(shown(bundle, *wanted), wanted, "unit after update")
    equal(group(bundle, "pids.max"), "44", "processes after update")
    changes = (("period", 200000, "350ms", "70000 200000"), ("quota", 30000, "150ms", "30000 200000"))
    for option, value, *wanted in changes:
        bundle.verb("update", "--cpu-%s" % option, str(value), bundle.id).ok()
        found = [*shown(bundle, "CPUQuotaPerSecUSec").values(), group(bundle, "cpu.max")]
        equal(found, wanted, option)
    check(bundle.id in bundle.shell("cat /proc/1/cgroup >/dev/null; echo %s" % bundle.id).ok().out, "exec")
    bundle.verb("pause", bundle.id).ok()
    equal(bundle.state()["status"], "paused", "status")
    bundle.verb("resume", bundle.id).ok()
    bundle.end()
    bundle.delete().ok()
    equal(shown(bundle, "LoadState"), {"LoadState": "not-found"}, "unit afterwards")


@case
def real_devices(box):
    """devices stay limited, also after systemd has read its files anew"""
    real(box)
    script = "mknod /tmp/d c 10 229; mknod /tmp/f c 1 7; exec sleep 100"
    listed = [{"allow": False, "access": "rwm"}]
    holed = [{"allow": True, "access": "rwm"}, {"allow": False, "type": "c", "major": 10, "minor": 229, "access": "rw"}]
    for rules in (listed, holed):
        bundle = bundle_in(box, "rondotest-a.slice", script, devices=rules)
        bundle.give("CAP_MKNOD")
        bundle.launch()
        for _ in range(2):
            # 1 is EPERM's answer of cat; a device that is not there would be "No such device".
            eventually(lambda: bundle.shell("test -e /tmp/f").code == 0, 5, "the nodes")
            result = bundle.shell("echo x >/dev/null && cat /tmp/d").refused()
            check("not permitted" in result.err, "words:", result.err)
            equal(bundle.shell("cat /dev/full | head -c 1 | wc -c").ok().out.strip(), "1", "bytes of /dev/full")
            subprocess.run(["systemctl", "daemon-reload"], check=True, timeout=30)
            bundle.verb("update", "--pids-limit", "44", bundle.id).ok()
        bundle.end()
        bundle.delete().ok()


@case
def real_stop(box):
    """a container whose unit somebody else stops is stopped, and can be deleted"""
    real(box)
    bundle = bundle_in(box, "rondotest-a.slice")
    bundle.config["annotations"] = {"org.systemd.property.TimeoutStopSec": "1"}
    bundle.launch()
    subprocess.run(["systemctl", "stop", "rondo-%s.scope" % bundle.id], check=True, timeout=30)
    bundle.wait("stopped")
    bundle.delete().ok()


@case
def real_again(box):
    """a container can be made again under its name when it was killed for want of memory"""
    real(box)
    for _ in range(2):
        bundle = bundle_in(box, "rondotest-a.slice", "exec dd if=/dev/zero of=/dev/null bs=100M count=1")
        bundle.linux["cgroupsPath"] = "rondotest-a.slice:rondo:%s-again" % top.marker
        bundle.linux["resources"]["memory"] = {"limit": 16 * MEBIBYTE, "swap": 16 * MEBIBYTE}
        equal(bundle.run().code, 137, "exit code")


@case
def real_many(box):
    """many containers at once each get their unit"""
    real(box)
    bundles = [bundle_in(box, "rondotest-a.slice").launch() for _ in range(6)]
    groups = {read("/proc/%d/cgroup" % bundle.pid()).strip() for bundle in bundles}
    equal(len(groups), 6, "groups")


@case
def real_bus(box):
    """the bus does as well as systemd's own socket"""
    real(box)
    os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = "unix:path=/run/dbus/system_bus_socket"
    box.finally_do.append(lambda: os.environ.pop("DBUS_SYSTEM_BUS_ADDRESS", None))
    bundle = bundle_in(box, "rondotest-a.slice").launch()
    equal(shown(bundle, "ActiveState"), {"ActiveState": "active"}, "unit")


def main():
    command, words = parse_arguments("oci_systemd.py")
    need_machine()
    try:
        top.begin(command)
        print(top.version)
        counts = run_tests(TESTS, words, limit=60)
    except BaseException:
        clean()
        raise
    finish(*counts)


if __name__ == "__main__":
    main()
