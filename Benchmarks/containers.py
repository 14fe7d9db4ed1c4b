"""Containers beside runc and crun, in turns: `run` of `true`, and `create`, `start` and `delete` of it.

    containers.py RONDO DIRECTORY [ROUNDS]

All get the same bundle: a static program, five new namespaces, a control group with limits, the usual mounts. crun
refuses a machine with control groups of both versions, so all of them run where version 2 is out of sight. A ratio is
the median of the ratios of the rounds, so that a busy moment meets all alike. The floor is `unshare` of the same
namespaces with the same program: no mounts, no control group, no state, nobody who could ask for it.
"""

import ctypes
import json
import os
import shutil
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "Tests", "System"))
sys.path.insert(0, os.path.join(HERE, os.pardir, "Tests", "Clients"))

from footprint import Footprint, processes  # noqa: E402
from oci_config import base_config  # noqa: E402

ROUNDS = 60
LEFT_AFTER = 500
BUSYBOX = "/bin/busybox"
UNIFIED = "/sys/fs/cgroup/unified"
PEERS = ("crun", "runc")
NAMESPACES = ["--pid", "--net", "--ipc", "--uts", "--mount", "--fork"]
PR_SET_CHILD_SUBREAPER = 36


def tell(**line):
    print(json.dumps(line), flush=True)


def go_apart():
    """Goes on in a mount namespace of its own, without the control groups of version 2 where there are both."""
    if "RONDO_BENCH_APART" not in os.environ:
        environment = dict(os.environ, RONDO_BENCH_APART="1")
        os.execvpe("unshare", ["unshare", "--mount", sys.executable, *sys.argv], environment)
    if os.path.ismount(UNIFIED):
        subprocess.run(["umount", UNIFIED], check=True)


def make_bundle(path, name, arguments):
    root = os.path.join(path, "rootfs")
    for folder in ("bin", "dev", "proc", "sys", "tmp"):
        os.makedirs(os.path.join(root, folder))
    shutil.copy(BUSYBOX, os.path.join(root, "bin/busybox"))
    config = base_config(name, "/" + name)
    config["process"]["args"] = ["/bin/busybox", *arguments]
    config["linux"]["resources"].update(memory={"limit": 64 << 20}, pids={"limit": 64})
    config["linux"]["maskedPaths"] = ["/proc/kcore", "/proc/keys"]
    config["linux"]["readonlyPaths"] = ["/proc/sys", "/proc/bus"]
    with open(os.path.join(path, "config.json"), "w") as file:
        json.dump(config, file)
    return path


class Cost:
    """Time on the clock and on the processor, in milliseconds, and pages that were not there yet."""

    def __init__(self):
        self.clock, self.processor, self.faults = 0, 0, 0

    def add(self, command):
        """Runs a command to its end; what its children used counts as far as it waits for them."""
        quiet = [(os.POSIX_SPAWN_OPEN, number, "/dev/null", os.O_RDWR, 0) for number in (0, 1)]
        began = time.perf_counter()
        pid = os.posix_spawn(command[0], command, os.environ, file_actions=quiet)
        _, status, used = os.wait4(pid, 0)
        self.clock += (time.perf_counter() - began) * 1000
        self.processor += (used.ru_utime + used.ru_stime) * 1000
        self.faults += used.ru_minflt
        if status:
            sys.exit("%s ended with %d" % (" ".join(command), status))
        return self

    def wait(self, pid):
        """Waits for the end of a process that has come to us."""
        began = time.perf_counter()
        os.waitpid(pid, 0)
        self.clock += (time.perf_counter() - began) * 1000


class Runtime:
    def __init__(self, name, words, directory):
        self.name, self.words, self.directory = name, words, directory
        self.pid_file = os.path.join(directory, "pid")

    def command(self, *arguments):
        return [*self.words, "--root", os.path.join(self.directory, "state-" + self.name), *arguments]

    def run(self, bundle, name):
        return Cost().add(self.command("run", "--bundle", bundle, name))

    def stages(self, bundle, name):
        cost = Cost().add(self.command("create", "--bundle", bundle, "--pid-file", self.pid_file, name))
        with open(self.pid_file) as file:
            pid = int(file.read())
        cost.add(self.command("start", name))
        # Before its end a container cannot be deleted; whoever calls a runtime waits so.
        cost.wait(pid)
        return cost.add(self.command("delete", name))

    def version(self):
        return subprocess.run([*self.words, "--version"], capture_output=True, text=True).stdout.split("\n")[0]


def in_turns(things, rounds):
    """Costs of each thing in each round, in an order that turns."""
    costs = {name: [] for name, _ in things}
    for number in range(-2, rounds):
        for offset in range(len(things)):
            name, do = things[(number + offset) % len(things)]
            cost = do(number)
            if number >= 0:
                costs[name].append(cost)
    return costs


def compare(what, costs, floor=None):
    line = {"benchmark": "containers", "what": what, "rounds": len(costs["rondo"])}
    for name, each in costs.items():
        line[name + "_ms_median"] = round(statistics.median(cost.clock for cost in each), 2)
        line[name + "_processor_ms_median"] = round(statistics.median(cost.processor for cost in each), 2)
        line[name + "_faults_median"] = round(statistics.median(cost.faults for cost in each))
    for name in costs:
        if name != "rondo":
            ratios = [ours.clock / theirs.clock for ours, theirs in zip(costs["rondo"], costs[name])]
            line["of_" + name] = round(statistics.median(ratios), 3)
    tell(**line)


def left_behind(runtime, bundle, marker):
    """What is there after many containers that was not there before."""
    before = Footprint(runtime.words[0], marker)
    descriptors = len(os.listdir("/proc/self/fd"))
    for number in range(LEFT_AFTER):
        (runtime.run if number % 2 else runtime.stages)(bundle, "%s-%d" % (marker, number))
    left = before.left()
    state = os.path.join(runtime.directory, "state-rondo")
    left += ["state " + name for name in os.listdir(state)]
    left += ["descriptor"] * (len(os.listdir("/proc/self/fd")) - descriptors)
    tell(benchmark="containers", what="%d containers, left behind" % LEFT_AFTER, left=left)
    return left


def what_stays(runtime, bundle, name):
    """Processes of ours beside a container that runs: there are none."""
    Cost().add(runtime.command("run", "--detach", "--bundle", bundle, "--pid-file", runtime.pid_file, name))
    with open(runtime.pid_file) as file:
        pid = int(file.read())
    ours = processes(runtime.words[0])
    Cost().add(runtime.command("delete", "--force", name))
    os.waitpid(pid, 0)
    tell(benchmark="containers", what="a container that sleeps: processes of ours beside it", processes=len(ours))
    return list(ours.values())


def main():
    rondo, directory = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else ROUNDS
    if os.geteuid() != 0:
        tell(benchmark="containers", what="left out: containers need root")
        return
    go_apart()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    marker = "rondo-bench-%d" % os.getpid()
    bundle = make_bundle(os.path.join(directory, "true"), marker, ["true"])
    sleeper = make_bundle(os.path.join(directory, "sleep"), marker, ["sleep", "1000"])
    runtimes = [Runtime("rondo", [rondo, "oci"], directory)]
    for name in PEERS:
        found = shutil.which(name)
        if found:
            runtimes.append(Runtime(name, [found], directory))
        else:
            tell(benchmark="containers", what="left out: %s is not installed" % name)
    tell(benchmark="containers", what="versions", **{each.name: each.version() for each in runtimes})
    program = os.path.join(bundle, "rootfs/bin/busybox")
    bare = [shutil.which("unshare"), *NAMESPACES, program, "true"]
    things = [(each.name, lambda number, each=each: each.run(bundle, "%s-%d" % (marker, number))) for each in runtimes]
    compare("run true", in_turns([*things, ("unshare", lambda number: Cost().add(bare))], rounds))
    things = [
        (each.name, lambda number, each=each: each.stages(bundle, "%s-%d" % (marker, number))) for each in runtimes
    ]
    compare("create, start and delete true", in_turns(things, rounds))
    # crun takes the empty mount point for a group's parent.
    shutil.rmtree(os.path.join(UNIFIED, marker), ignore_errors=True)
    wrong = what_stays(runtimes[0], sleeper, marker) + left_behind(runtimes[0], bundle, marker)
    for each in wrong:
        print(each, file=sys.stderr)
    if wrong:
        sys.exit(1)


main()
