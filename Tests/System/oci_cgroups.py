"""Resources: limits as configured and as updated, pausing, statistics, on either version of control groups."""

import json
import os

from harness import check, equal, eventually
from oci_bundle import case, top, write
from oci_groups import UNIFIED, check_limits, check_swap, frozen

MEBIBYTE = 1 << 20


def limited(box, script="exec sleep 100", **resources):
    bundle = box.bundle(script)
    bundle.linux["resources"].update(resources)
    return bundle


@case
def configured_group(box):
    """the container is in the group that cgroupsPath names, in every hierarchy"""
    bundle = box.sleeper()
    old = ("memory", "pids", "cpu", "cpuset", "devices", "freezer", "blkio", "cpuacct")
    for controller in ("",) if UNIFIED else old:
        check(bundle.cgroup(controller).endswith(top.group_end(bundle.id)), "group is", bundle.cgroup(controller))
        check(str(bundle.pid()) in bundle.control(controller, "cgroup.procs").split(), "not in it:", controller)


@case
def limits(box):
    """limits of memory, processors and processes are set"""
    bundle = limited(
        box,
        memory={"limit": 64 * MEBIBYTE, "reservation": 32 * MEBIBYTE, "swap": 64 * MEBIBYTE},
        cpu={"shares": 512, "quota": 50000, "period": 100000, "cpus": "0", "mems": "0"},
        pids={"limit": 33},
    ).launch()
    limits = {"memory": 64 * MEBIBYTE, "reservation": 32 * MEBIBYTE, "shares": 512, "quota": 50000, "period": 100000}
    check_limits(bundle.pid(), **limits, cpus=0, mems=0, processes=33)
    check_swap(bundle.pid(), memory=64 * MEBIBYTE, wanted=64 * MEBIBYTE)


@case
def unlimited(box):
    """-1 means no limit"""
    bundle = limited(box, memory={"limit": -1}, cpu={"quota": -1}, pids={"limit": -1}).launch()
    check_limits(bundle.pid(), memory="max", quota="max", processes="max")


@case
def processes_limited(box):
    """a container cannot start more processes than its limit"""
    bundle = limited(box, "for each in 1 2 3 4 5 6 7 8 9; do sleep 3 & done; wait", pids={"limit": 5})
    result = bundle.run()
    check("fork" in result.err, "all nine were started:", result.err)


@case
def memory_limited(box):
    """a container that needs more memory than its limit is killed"""
    bundle = limited(box, "exec dd if=/dev/zero of=/dev/null bs=100M count=1", memory={"limit": 16 * MEBIBYTE})
    bundle.linux["resources"]["memory"]["swap"] = 16 * MEBIBYTE
    equal(bundle.run().code, 137, "exit code")


@case
def wrong_limits(box):
    """limits that the kernel refuses are errors, and leave nothing"""
    # systemd counts in whole percents: this would become one.
    if not top.systemd:
        limited(box, cpu={"quota": 5}).create().refused()
    limited(box, cpu={"cpus": "99"}).create().refused()
    equal(box.call("list", "-q").ok().out, "", "containers")


@case
def pause(box):
    """pause stops all processes where they are, resume has them go on"""
    bundle = box.bundle("while :; do echo x >>/tmp/ticks; sleep 0.01; done").launch()
    ticks = bundle.inside("tmp/ticks")
    eventually(lambda: os.path.exists(ticks), 5, "a tick")
    bundle.verb("pause", bundle.id).ok()
    equal(bundle.state()["status"], "paused", "status")
    check(frozen(bundle.pid()), "the group is not frozen")
    before = os.path.getsize(ticks)
    bundle.verb("ps", bundle.id).ok()
    equal(os.path.getsize(ticks), before, "ticks while paused")
    bundle.delete().refused()
    bundle.verb("resume", bundle.id).ok()
    equal(bundle.state()["status"], "running", "status after resume")
    eventually(lambda: os.path.getsize(ticks) > before, 5, "a tick after resume")
    bundle.verb("resume", bundle.id).refused()


@case
def paused_deleted(box):
    """delete --force ends a paused container"""
    bundle = box.sleeper()
    bundle.verb("pause", bundle.id).ok()
    bundle.delete("--force").ok()
    bundle.verb("state", bundle.id).refused()


@case
def update_options(box):
    """update changes limits by its options"""
    bundle = limited(box, memory={"limit": 64 * MEBIBYTE, "swap": 64 * MEBIBYTE}, pids={"limit": 33}).launch()
    pid = bundle.pid()
    bundle.verb("update", "--pids-limit", "20", bundle.id).ok()
    check_limits(pid, processes=20, memory=64 * MEBIBYTE)
    # Memory and swap have to grow together.
    bundle.verb("update", "--memory", "100M", "--memory-swap", "100M", bundle.id).ok()
    check_limits(pid, memory=100 * MEBIBYTE)
    bundle.verb("update", "--memory", str(50 * MEBIBYTE), "--memory-swap", str(50 * MEBIBYTE), bundle.id).ok()
    check_limits(pid, memory=50 * MEBIBYTE)
    check_swap(pid, memory=50 * MEBIBYTE, wanted=50 * MEBIBYTE)
    bundle.verb("update", "--cpu-share", "256", "--cpu-period", "50000", "--cpu-quota", "25000", bundle.id).ok()
    check_limits(pid, shares=256, period=50000, quota=25000)
    bundle.verb("update", "--cpuset-cpus", "0", bundle.id).ok()
    check_limits(pid, cpus=0, shares=256, processes=20)
    equal(bundle.shell("echo alive").ok().out, "alive\n", "output afterwards")


@case
def update_file(box):
    """update --resources takes limits from a file or from standard input"""
    bundle = limited(box, pids={"limit": 33}).launch()
    text = json.dumps({"pids": {"limit": 44}, "memory": {"limit": 80 * MEBIBYTE}})
    bundle.verb("update", "--resources", write(os.path.join(box.path, "limits"), text), bundle.id).ok()
    check_limits(bundle.pid(), processes=44, memory=80 * MEBIBYTE)
    bundle.verb("update", "-r", "-", bundle.id, input=json.dumps({"pids": {"limit": 55}})).ok()
    check_limits(bundle.pid(), processes=55, memory=80 * MEBIBYTE)
    bundle.verb("update", "-r", "-", bundle.id, input="{nonsense").refused()


@case
def update_keeps_devices(box):
    """update leaves the rules about devices alone"""
    bundle = box.sleeper()
    tries = "echo x >/dev/null && echo null; echo x >/tmp/kmsg || echo no kmsg"
    os.mknod(bundle.inside("tmp/kmsg"), 0o20666, os.makedev(1, 11))
    wanted = ["null", "no kmsg"]
    equal(bundle.shell(tries).ok().lines(), wanted, "devices before")
    for arguments in (["--pids-limit", "20"], ["--memory", "60M"], ["--cpu-share", "256"]):
        bundle.verb("update", *arguments, bundle.id).ok()
        equal(bundle.shell(tries).ok().lines(), wanted, "devices after " + arguments[0])
    if not UNIFIED:
        check(bundle.control("devices", "devices.list") != "a *:* rwm", "every device is allowed")


@case
def statistics(box):
    """events --stats tells programs what a container uses"""
    bundle = limited(box, memory={"limit": 64 * MEBIBYTE}, pids={"limit": 33}).launch()
    event = json.loads(bundle.verb("events", "--stats", bundle.id).ok().out)
    equal((event["type"], event["id"]), ("stats", bundle.id), "type and id")
    data = event["data"]
    equal((data["pids"]["current"], data["pids"]["limit"]), (1, 33), "processes")
    check(0 < data["memory"]["usage"]["usage"] < 64 * MEBIBYTE, "memory is", data["memory"]["usage"])
    equal(data["memory"]["usage"]["limit"], 64 * MEBIBYTE, "limit of memory")
    check(data["cpu"]["usage"]["total"] > 0, "processor time is", data["cpu"]["usage"])
    check("throttling" in data["cpu"], "nothing about throttling in", data["cpu"])
    bundle.end()
    bundle.verb("events", "--stats", bundle.id).refused()
