"""What a small cluster costs: `rondo dev` with two agents when idle, tasks that sleep, and 500 tasks that run `true`.

    cluster.py RONDO DIRECTORY

The floor of the 500 tasks is the same number of `true`, each in namespaces of its own as a task has them, started by
`unshare` one after the other and as many at a time as there are processors, in the same run.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "Tests", "System"))
sys.path.insert(0, os.path.join(HERE, os.pardir, "Tests", "Clients"))

from dev_cluster import DevCluster  # noqa: E402
from footprint import processes  # noqa: E402
from harness import Failed  # noqa: E402
from mesos_client import TERMINAL, Scheduler, amount, command_task  # noqa: E402

TASKS = 500
IDLE_SECONDS = 20
CPUS = 0.1
UNSHARE = ["unshare", "--pid", "--mount", "--ipc", "--uts", "--fork", "/bin/true"]


def tell(**line):
    print(json.dumps(line), flush=True)


def memory(pid):
    """Resident, proportional and private KiB of a process."""
    with open("/proc/%d/smaps_rollup" % pid) as file:
        fields = {line.split(":")[0]: line.split()[1] for line in file if line.count(":") == 1 and "kB" in line}
    return int(fields["Rss"]), int(fields["Pss"]), int(fields["Private_Clean"]) + int(fields["Private_Dirty"])


def processor_seconds(pid):
    """Both user's and system's, to the nanosecond where the kernel counts so."""
    total = 0
    for thread in os.listdir("/proc/%d/task" % pid):
        try:
            with open("/proc/%d/task/%s/schedstat" % (pid, thread)) as file:
                total += int(file.read().split()[0])
        except OSError:
            pass
    return total / 1e9


def idle(cluster):
    pid = cluster.process.pid
    time.sleep(2)
    began, before = time.monotonic(), processor_seconds(pid)
    time.sleep(IDLE_SECONDS)
    used = (processor_seconds(pid) - before) / (time.monotonic() - began)
    rss, pss, _ = memory(pid)
    tell(
        benchmark="rondo dev",
        what="idle, two agents",
        rss_mib=round(rss / 1024, 1),
        pss_mib=round(pss / 1024, 1),
        cpu_percent_of_a_core=round(used * 100, 3),
        seconds=IDLE_SECONDS,
    )


def sleepers(cluster, rondo, count):
    """What of ours stays in memory for tasks that sleep: their monitors and inits."""
    names = ["sleeper-%d" % each for each in range(count)]
    with Scheduler(cluster.master, name="sleepers") as framework:
        offer = framework.wait_offers()[0]
        agent = offer["agent_id"]["value"]
        command = ["/bin/sleep", "1000"]
        framework.launch([offer], [command_task(name, agent, command, cpus=0.01, mem=8) for name in names])
        for name in names:
            framework.wait_state(name, "TASK_RUNNING")
        time.sleep(1)
        ours = [memory(pid) for pid, _ in processes(rondo) if pid != cluster.process.pid]
        tell(
            benchmark="rondo dev",
            what="tasks that sleep: monitor and init of each",
            tasks=count,
            processes=len(ours),
            pss_kib_per_task=sum(pss for _, pss, _ in ours) // count,
            private_kib_per_task=sum(private for _, _, private in ours) // count,
        )
        for name in names:
            framework.kill(name)
        for name in names:
            framework.wait_state(name)


class TrueTasks:
    """Launches tasks as offers come, and waits for the end of all."""

    def __init__(self, master):
        self.framework = Scheduler(master, name="true", acknowledge=True)
        self.framework.on_offers = self.offered
        self.framework.on_update = self.updated
        self.lock = threading.Lock()
        self.launched = self.ended = self.failed = 0
        self.began = None
        self.done = threading.Event()

    def offered(self, offers):
        for offer in offers:
            with self.lock:
                room = int(amount(offer["resources"], "cpus") / CPUS + 1e-6)
                count = min(room, TASKS - self.launched)
                names = ["true-%d" % (self.launched + each) for each in range(count)]
                self.launched += count
                self.began = self.began or time.monotonic()
            if names:
                agent = offer["agent_id"]["value"]
                tasks = [command_task(name, agent, ["/bin/true"], cpus=CPUS, mem=8) for name in names]
                self.framework.launch([offer], tasks)
            else:
                self.framework.decline([offer], 3600 if self.launched == TASKS else 0)

    def updated(self, status):
        if status["state"] in TERMINAL:
            self.ended += 1
            self.failed += status["state"] != "TASK_FINISHED"
            if self.ended == TASKS:
                self.done.set()

    def run(self):
        with self.framework:
            if not self.done.wait(60):
                raise Failed("only %d of %d tasks ended within 60 s" % (self.ended, TASKS))
            return time.monotonic() - self.began


def floor(at_once):
    """Seconds for as many plain processes in new namespaces."""
    began = time.monotonic()
    with ThreadPoolExecutor(at_once) as pool:
        for code in pool.map(lambda _: subprocess.run(UNSHARE).returncode, range(TASKS)):
            if code:
                raise Failed("'%s' ended with %d" % (" ".join(UNSHARE), code))
    return time.monotonic() - began


def true_tasks(cluster):
    serial, parallel = floor(1), floor(os.cpu_count())
    tasks = TrueTasks(cluster.master)
    descriptors = "/proc/%d/fd" % cluster.process.pid
    before = len(os.listdir(descriptors))
    took = tasks.run()
    after = len(os.listdir(descriptors))
    again = floor(os.cpu_count())
    tell(
        benchmark="true tasks",
        what="%d tasks, first ACCEPT to last end" % TASKS,
        seconds=round(took, 2),
        tasks_per_s=round(TASKS / took, 1),
        failed=tasks.failed,
        descriptors_before=before,
        descriptors_after=after,
        floor_one_at_a_time_s=round(serial, 2),
        floor_in_parallel_s=round((parallel + again) / 2, 2),
        of_floor=round(took / ((parallel + again) / 2), 2),
    )


def main():
    rondo, directory = os.path.abspath(sys.argv[1]), sys.argv[2]
    if os.geteuid() != 0:
        tell(benchmark="rondo dev", what="left out: real tasks need root")
        return
    # A timeout's TERM must not leave the cluster running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cluster = DevCluster(rondo, 2, os.path.join(directory, "dev.log"))
    with cluster:
        idle(cluster)
        for count in (1, 20):
            sleepers(cluster, rondo, count)
        true_tasks(cluster)
    for wrong in cluster.left:
        print(wrong, file=sys.stderr)
    if cluster.left:
        sys.exit(1)


main()
