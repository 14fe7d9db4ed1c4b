"""Machines of a cluster that are started anew, one and all at once: what ran is reported, runs again, and is there once.

    python3 Tests/System/reboot.py path/to/rondo [WORD ...]

Needs root, iproute2, nft, busybox-static, docker-registry and skopeo. A machine is a network namespace and a mount
namespace with a /run and a number of its boot of its own. It loses its power: all its processes stop at once and are
gone, with its network, its mounts, its control groups and /run; what is left is its disk. Then `rondo cluster start`
runs as rondo.service would run it.
"""

import os
import signal
import subprocess
import sys
import time
import uuid

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hold_cluster import IMAGE, Client, Hold, mounts_below, web  # noqa: E402
from harness import TESTS, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from netns import ip  # noqa: E402
from wire import get_json, request  # noqa: E402

APP = "/site"
COUNT = 12
# The machine's own /run, and the number of its boot.
BOOT = """
mount -t tmpfs -o mode=755 tmpfs /run || exit 1
mount --bind "$1" /proc/sys/kernel/random/boot_id || exit 1
shift
exec "$@"
"""


class Site(Hold):
    """The cluster on machines that can be started anew."""

    boots = 0

    def settings(self, number):
        path = self.path("node%d.yaml" % number)
        with open(path, "w") as file:
            file.write("hostname: node%d\n" % number)
            file.write("resources: cpus:8;mem:4096;disk:9999;ports:[20000-20199]\n")
            # A machine is back sooner: it reports itself what became of its tasks.
            file.write("agent:\n  unreachable_after: 5m\n")
        return ["--config", path]

    def launch(self, machine, command):
        """Starts a node as on a machine that was started anew."""
        self.boots += 1
        place = self.path("boot%d" % self.boots)
        with open(place, "w") as file:
            file.write("%s\n" % uuid.uuid4())
        machine.start(["unshare", "-m", "--propagation", "private", "sh", "-c", BOOT, "boot", place, *command])
        # From now on as rondo.service does.
        machine.command = [self.rondo, "cluster", "start", "--data", machine.data, *self.settings(machine.number)]

    def mounts(self, machine):
        return mounts_below(machine.data, machine.process.pid)

    # What there is

    def network_of(self, machine):
        """The bridge's addresses, and the kinds of rules."""
        name = self.network.names[machine.number - 1]
        lines = ip("-o", "-n", name, "address", "show", "dev", "rondo0", check=False).splitlines()
        words = [each.split() for each in lines]
        addresses = sorted(each[3] for each in words if len(each) > 3 and not each[3].startswith("fe80"))
        rules = subprocess.run(
            self.network.inside(machine.number, ["nft", "list", "table", "inet", "rondo0"]), capture_output=True,
            text=True).stdout
        chains = sorted(line.strip() for line in rules.splitlines() if line.strip().startswith(("chain", "map", "set")))
        forwards = subprocess.run(
            self.network.inside(machine.number, ["cat", "/proc/sys/net/ipv4/ip_forward"]), capture_output=True,
            text=True).stdout.strip()
        return addresses, chains, forwards

    def ended(self):
        """Last states of tasks that are over, by their ids."""
        found = {}
        for framework in get_json(self.master, "/state")["frameworks"]:
            for task in framework["completed_tasks"]:
                found[task["id"]] = task["statuses"][-1]
        return found

    def serves(self):
        """Pages by name from all machines, none of which fails."""
        clients = [Client(self, number, APP[1:], 0.02) for number in (1, 2, 3)]
        try:
            eventually(lambda: all(each.count > 10 for each in clients), 60, "pages from all machines")
        finally:
            for each in clients:
                each.stop()
        wrong = [words for each in clients for words in each.failed]
        check(not wrong, len(wrong), "requests failed:", wrong[:4])

    def jobs(self, method, path, body=None):
        answer = request(self.master, method, "/service/metronome" + path, body)
        check(answer.status < 300, method, path, answer.status, answer.text[:300])
        return answer.json


def power_off(*machines):
    """Takes the power from machines: with that of the first all is over."""
    for each in machines:
        site.signal_all(each, signal.SIGSTOP)
    for each in machines:
        site.tear_down(each)


def tasks_on(machine):
    return {key for key, each in everything().items() if each["host"] == "node%d" % machine.number}


def everything():
    """Tasks of all apps, by their ids."""
    found = {}
    for app in site.call("GET", "/v2/apps?embed=apps.tasks")[1]["apps"]:
        found.update({each["id"]: each for each in app["tasks"]})
    return found


def whole(without=(), count=COUNT, seconds=120):
    """Waits until all services are as they shall be, none of their tasks is one of `without`, and nothing else is there.
    Returns the tasks."""
    site.well(APP, count, without, seconds)
    site.well("/keeps", 1, without, seconds)
    tasks = everything()
    site.one_each(tasks)
    site.at_rest(tasks)
    return tasks


def reported(tasks, words):
    """Each of these tasks has ended as one does whose machine was started anew."""
    found = site.ended()
    for each in sorted(tasks):
        last = found.get(each)
        check(last, each, "is not among the ended tasks")
        equal((last["state"], last.get("reason")), ("TASK_FAILED", "REASON_EXECUTOR_TERMINATED"), "the end of " + each)
        check(words in last["message"], "the message of", each, "is", last["message"])


def page():
    """What the service with a volume has kept."""
    task, = site.well("/keeps", 1).values()
    return open(site.volume + "/kept").read().split(), task["id"]


@test
def formation():
    """three nodes run services, one of them with a volume"""
    site.begin()
    for number in (1, 2, 3):
        site.start_registry(number)
    site.push("true")
    site.volume = site.path("volume")
    os.mkdir(site.volume)
    site.deploy("POST", "/v2/apps", web(APP, COUNT, site.marker, constraints=[["hostname", "MAX_PER", "5"]]))
    site.deploy("POST", "/v2/apps", {
        "id": "/keeps", "cpus": 0.02, "mem": 16, "env": {"HOLD": site.marker},
        "networks": [{"mode": "container/bridge"}], "cmd": "echo $MESOS_TASK_ID >> /kept/kept; exec sleep 100000",
        "constraints": [["hostname", "LIKE", "node3"]],
        "healthChecks": [{"protocol": "COMMAND", "command": {"value": "true"}, "intervalSeconds": 1, "delaySeconds": 0}],
        "container": {
            "type": "MESOS", "docker": {"image": IMAGE},
            "volumes": [{"containerPath": "/kept", "hostPath": site.volume, "mode": "RW"}]}})
    tasks = whole()
    check(len({each["host"] for each in tasks.values()}) == 3, "not all nodes are used")
    site.serves()
    check(all(site.network_of(each)[0] for each in site.machines), "a bridge has no address")


@test
def one_node():
    """a node that is started anew reports its tasks as failed, has its bridge and its rules again, and others replace them"""
    third = site.machines[2]
    before, network, kept = tasks_on(third), site.network_of(third), page()[0]
    check(len(before) > 1, "too little runs on node3")
    power_off(third)
    began = time.monotonic()
    site.set_up(third)
    tasks = whole(without=before)
    print("      %d tasks of node3 are replaced and nothing else is there %.1f s after its start" % (
        len(before), time.monotonic() - began))
    reported(before, "the machine was started anew")
    eventually(lambda: site.network_of(third) == network, 30, "the network of node3 as before: %s" % (network,))
    equal(page()[0], kept + [page()[1]], "what the volume has kept")
    site.serves()
    equal(set(everything()), set(tasks), "the tasks a little later")


@test
def the_master_too():
    """a node with the master that is started anew goes on with everything that runs elsewhere"""
    first = site.machines[0]
    before, network = set(everything()), site.network_of(first)
    lost = tasks_on(first)
    check(lost, "nothing runs on node1")
    power_off(first)
    began = time.monotonic()
    site.set_up(first)
    site.await_agents()
    tasks = whole(without=lost)
    print("      %d tasks of node1 are replaced %.1f s after its start" % (len(lost), time.monotonic() - began))
    check(before - lost <= set(tasks), "tasks of other nodes were replaced:", before - lost - set(tasks))
    reported(lost, "the machine was started anew")
    eventually(lambda: site.network_of(first) == network, 30, "the network of node1 as before: %s" % (network,))
    site.serves()


@test
def in_a_deployment():
    """a deployment goes on when the power fails in its middle, and has the right count in the end"""
    before = set(everything())
    site.deploy("PUT", "/v2/apps" + APP, {"instances": COUNT + 6, "constraints": [["hostname", "MAX_PER", "9"]]})
    eventually(lambda: len(everything()) > len(before), 30, "the first new task")
    power_off(*site.machines)
    for each in site.machines:
        site.set_up(each)
    site.await_agents()
    whole(without=before, count=COUNT + 6, seconds=150)
    site.serves()


@test
def all_at_once():
    """after the power has failed everywhere all services and the job run again, each once"""
    run = {"cmd": "echo run; exec sleep 100000", "cpus": 0.02, "mem": 32, "disk": 0, "env": {"HOLD": "job" + site.marker},
           "restart": {"policy": "ON_FAILURE"}, "docker": {"image": IMAGE}}
    site.jobs("POST", "/v1/jobs", {"id": "long", "run": run})
    site.jobs("POST", "/v1/jobs/long/runs")
    eventually(lambda: len(site.census("job" + site.marker)) == 1, 60, "the job's process")
    before = set(everything())
    job = set(site.census("job" + site.marker).values())
    networks = [site.network_of(each) for each in site.machines]
    power_off(*site.machines)
    began = time.monotonic()
    # The master comes last.
    for each in reversed(site.machines):
        site.set_up(each)
    site.await_agents()
    site.well(APP, COUNT + 6, before, 150)
    took = time.monotonic() - began
    site.well("/keeps", 1, before)
    eventually(lambda: len(site.census("job" + site.marker)) == 1, 90, "the job's process again")
    now = set(site.census("job" + site.marker).values())
    check(not job & now, "the job's task is the same")
    found = site.jobs("GET", "/v1/jobs/long?embed=activeRuns")["activeRuns"]
    equal(len(found), 1, "runs of the job")
    states = sorted(each["status"] for each in found[0]["tasks"])
    equal(states, ["TASK_FAILED", "TASK_RUNNING"], "tasks of the run")
    site.one_each(everything())
    print("      %d instances again %.1f s after the start" % (COUNT + 6, took))
    reported(before, "the machine was started anew")
    eventually(
        lambda: [site.network_of(each) for each in site.machines] == networks, 30, "networks as before: %s" % networks)
    site.serves()
    request(site.master, "POST", "/service/metronome/v1/jobs/long/runs/%s/actions/stop" % found[0]["id"], {})
    eventually(lambda: not site.census("job" + site.marker), 60, "the end of the job")
    eventually(lambda: not site.jobs("GET", "/v1/jobs/long/runs"), 30, "no run")
    site.jobs("DELETE", "/v1/jobs/long")
    whole(count=COUNT + 6)


@test
def the_end():
    """what is removed leaves nothing on any machine"""
    for each in (APP, "/keeps"):
        site.deploy("DELETE", "/v2/apps" + each, None)
    site.one_each({}, 60)
    site.at_rest({})
    for each in reversed(site.machines):
        problem = each.stop()
        check(not problem, problem)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    site = Site(sys.argv[1])
    at_end(site.end)
    try:
        site.create()
        result = run_tests(TESTS, sys.argv[2:], 280)
        site.watch.stopped = True
    except BaseException:
        site.end()
        raise
    finish(*result)
