"""Three machines form a cluster, do work, and lose a part of it in the middle: agent, framework, master.

    python3 Tests/System/three_nodes.py path/to/rondo [WORD ...]

Needs root and iproute2: the machines are network namespaces, named for this run and removed at its end, with addresses
that exist only inside of them. Each loss is a SIGKILL in the middle of two hundred tasks; afterwards every unit of work
was done exactly once, no agent ever had more in use than it has, and nothing is left on the machine.
"""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from urllib.parse import quote

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import OTHERS, cgroups, mounts  # noqa: E402
from harness import TESTS, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from machines import JOIN_LINE, Cluster, init_command, join_command, leave_command, status_command  # noqa: E402
from wire import get_json  # noqa: E402
from work_run import Run  # noqa: E402


def at_rest():
    """Nothing of any task is left on the three machines and in the master's books."""
    eventually(lambda: all(each["used_resources"]["cpus"] == 0 for each in cluster.agents()), 10, "no resource in use")

    def nothing():
        left = remains()
        check(not left, len(left), "things:", "; ".join(left[:8]))
        return True

    eventually(nothing, 10, "a machine without remains")
    check(not cluster.watch.wrong, len(cluster.watch.wrong), "faults in /state:", "; ".join(cluster.watch.wrong[:5]))


def remains():
    """Control groups, mounts and processes beyond those of three idle nodes."""
    daemons = {each.process.pid for each in cluster.machines}
    # The parent of all tasks' groups stays while a node is there; that it goes with the node is the last test.
    new = sorted(each for each in cgroups() - cluster.idle_cgroups if not each.endswith("/rondo"))
    lines = ["cgroup " + each for each in new if OTHERS not in each]
    # Network namespaces of others come and go as they please; ours are there all the time.
    lines += ["mount " + each for each in sorted(mounts() - cluster.idle_mounts) if "/run/netns" not in each]
    for number in (1, 2, 3):
        for pid in cluster.network.processes(number) - daemons:
            try:
                with open("/proc/%d/cmdline" % pid, "rb") as file:
                    lines.append("process %d %r" % (pid, file.read()[:200]))
            except OSError:
                pass
    return lines


# The tests, in order; each leaves the cluster as it found it.


@test
def formation():
    """init on one machine and join on two make a cluster of three agents"""
    first, second, third = cluster.machines
    first.start(init_command(cluster.rondo, first.address, first.data))
    line = eventually(lambda: first.alive() and JOIN_LINE.search(first.output()), 20, "the line to join with")
    cluster.joined, cluster.token = line.group(1), line.group(2)
    equal(cluster.joined, cluster.master, "address in the line to join with")
    for each in (second, third):
        each.start(join_command(cluster.rondo, cluster.joined, cluster.token, each.address, each.data))
    eventually(
        lambda: all(each.alive() for each in cluster.machines) and len(cluster.agents()) == 3, 20, "three active agents"
    )
    listed = {each["pid"].split("@")[1].split(":")[0] for each in cluster.agents()}
    equal(listed, {each.address for each in cluster.machines}, "addresses of the agents")
    cluster.idle_cgroups, cluster.idle_mounts = cgroups(), mounts()


@test
def status():
    """cluster status tells programs about all three nodes"""
    result = subprocess.run(
        cluster.network.inside(1, status_command(cluster.rondo, cluster.machines[0].data)),
        timeout=15,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    equal(result.returncode, 0, "exit of cluster status: %s" % result.stderr[-300:])
    json.loads(result.stdout)
    for each in cluster.machines:
        check(each.address in result.stdout, each.address, "is not in", result.stdout[:500])


@test
def file_limit():
    """the agent's own limit of open files is not handed on to tasks"""
    words = ["run", "--data", cluster.machines[0].data, "--", "sh", "-c", "echo limit $(ulimit -Sn)"]
    result = subprocess.run(
        cluster.network.inside(1, [cluster.rondo, *words]), timeout=30, stdout=subprocess.PIPE, text=True
    )
    equal((result.returncode, result.stdout.strip()), (0, "limit 1024"), "exit and output")


@test
def wrong_token():
    """a node with a wrong token is refused, and says so"""
    third = cluster.machines[2]
    data = os.path.join(cluster.directory, "stranger")
    command = join_command(cluster.rondo, cluster.joined, "not-a-token", third.address, data)
    result = subprocess.run(
        cluster.network.inside(3, command),
        timeout=20,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    check(result.returncode not in (0, -6, -4, -11), "exit is", result.returncode)
    check("token" in result.stderr, "the error does not speak of the token:", result.stderr[-300:])
    equal(len(cluster.agents()), 3, "active agents")


@test
def closed_ports():
    """output and files of tasks on machines that nobody can connect to are read through the master"""
    for each in cluster.machines[1:]:
        close_ports(each)
    result = subprocess.run(
        cluster.network.inside(
            1,
            [cluster.rondo, "run", "--data", cluster.machines[0].data]
            + ["--instances", "9", "--cpus", "0.1", "--mem", "16"]
            + ["--", "sh", "-c", "echo out of a task; echo kept > kept; sleep 1"],
        ),
        timeout=30,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    equal(result.returncode, 0, "exit of rondo run: %s" % result.stderr[-300:])
    equal(result.stdout.count("out of a task"), 9, "lines of output")
    state = get_json(cluster.master, "/state")
    tasks = state["completed_frameworks"][-1]["completed_tasks"]
    agents = {each["id"]: each["pid"].split("@")[1].split(":")[0] for each in state["slaves"]}
    equal({agents[each["slave_id"]] for each in tasks}, {each.address for each in cluster.machines}, "machines used")
    for each in cluster.machines[1:]:
        agent = next(name for name, address in agents.items() if address == each.address)
        sandbox = next(task["id"] for task in tasks if task["slave_id"] == agent)
        answer = get_json(cluster.master, "/agent/%s/state" % agent)
        equal(answer["id"], agent, "id in the agent's own /state")
        framework = state["completed_frameworks"][-1]["id"]
        folders = find_sandbox(answer, framework, sandbox)
        browsed = get_json(cluster.master, "/agent/%s/files/browse?path=%s" % (agent, quote(folders)))
        check(any(entry["path"].endswith("/kept") for entry in browsed), "no file 'kept' in", folders)
        read = get_json(
            cluster.master, "/agent/%s/files/read?offset=0&path=%s" % (agent, quote(folders + "/kept"))
        )
        equal(read["data"], "kept\n", "content of the file")


def close_ports(machine):
    """Drops every new connection to a machine, and makes sure of it with one."""
    rules = "add table inet closed\nadd chain inet closed input { type filter hook input priority 0; }\n"
    rules += "add rule inet closed input tcp flags & (syn|ack) == syn drop\n"
    subprocess.run(cluster.network.inside(machine.number, ["nft", "-f", "-"]), input=rules, text=True, check=True, timeout=10)
    try:
        socket.create_connection((machine.address, 22), timeout=0.5).close()
        closed = False
    except TimeoutError:
        closed = True
    check(closed, "a connection to", machine.address, "was not dropped")


def find_sandbox(state, framework, task):
    """The directory of a task, as the agent's /state names it."""
    for each in state["frameworks"] + state["completed_frameworks"]:
        if each["id"] == framework:
            for executor in each["executors"] + each["completed_executors"]:
                if executor["id"] == task or executor["source"] == task:
                    return executor["directory"]
    check(False, "no task", task, "in the agent's /state")


@test
def agent_killed():
    """an agent killed in the middle of 200 tasks comes back and nothing is lost or doubled"""
    run = Run(cluster, "agent-killed")
    run.wait_middle()
    second = cluster.machines[1]
    before = {each["id"] for each in cluster.agents()}
    second.kill()
    second.start(second.command)
    run.wait_end(60)
    agents = run.verdict()
    equal(len(agents), 3, "agents that got work")
    eventually(
        lambda: second.alive() and {each["id"] for each in cluster.agents()} == before, 20, "the same three agents"
    )
    at_rest()


@test
def framework_killed():
    """a framework killed in the middle of 200 tasks comes back with its id and nothing is lost or doubled"""
    run = Run(cluster, "framework-killed")
    run.wait_middle()
    run.process.kill()
    run.process.wait()
    run.start()
    run.wait_end(60)
    equal(len(run.verdict()), 3, "agents that got work")
    at_rest()


@test
def master_killed():
    """master and agent of one process killed in the middle of 200 tasks come back, nothing is lost or doubled"""
    run = Run(cluster, "master-killed")
    run.wait_middle()
    first = cluster.machines[0]
    before = {each["id"] for each in cluster.agents()}
    first.kill()
    first.start(first.command)
    run.wait_end(80)
    equal(len(run.verdict()), 3, "agents that got work")
    equal({each["id"] for each in cluster.agents()}, before, "the agents before and after")
    at_rest()


@test
def all_killed():
    """all nodes killed at once come back and nothing is lost or doubled"""
    run = Run(cluster, "all-killed")
    run.wait_middle()
    for each in cluster.machines:
        each.process.kill()
    for each in cluster.machines:
        each.process.wait()
    for each in cluster.machines:
        each.start(each.command)
    run.wait_end(80)
    run.verdict()
    at_rest()


@test
def nothing_left():
    """nodes that leave the cluster leave nothing on their machines"""
    check(cluster.watch.looks > 20, "/state was looked at", cluster.watch.looks, "times only")
    wrong = []
    for each in reversed(cluster.machines):
        result = subprocess.run(
            cluster.network.inside(each.number, leave_command(cluster.rondo, each.data)),
            timeout=30,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        if result.returncode != 0:
            wrong.append("leave on node %d ended with %d: %s" % (each.number, result.returncode, result.stdout[-300:]))
        problem = each.stop()
        if problem:
            wrong.append(problem)
    cluster.watch.stopped = True
    for number in (1, 2, 3):
        left = cluster.network.processes(number)
        if left:
            wrong.append("processes on machine %d: %s" % (number, sorted(left)))
    wrong += [
        each
        for each in cluster.footprint.left(kinds={"cgroup", "mount", "process", "file"})
        if "/run/netns" not in each
    ]
    for each in cluster.machines:
        if os.path.isdir(each.data) and os.listdir(each.data):
            wrong.append("%s still holds %s" % (each.data, os.listdir(each.data)[:5]))
    check(not wrong, "; ".join(wrong[:10]))


def main():
    global cluster
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: three_nodes.py path/to/rondo [WORD ...]")
    if os.geteuid() != 0 or not shutil.which("ip") or not shutil.which("nsenter"):
        sys.exit("network namespaces need root, iproute2 and nsenter (util-linux)")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    cluster = Cluster(sys.argv[1])
    at_end(cluster.end)
    try:
        cluster.create()
        # Formation is what everything else stands on.
        words = sys.argv[2:] + (["init on one machine"] if sys.argv[2:] else [])
        counts = run_tests(TESTS, words, limit=120)
    except BaseException:
        cluster.end()
        raise
    finish(*counts)


if __name__ == "__main__":
    main()
