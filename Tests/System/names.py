"""Names of a cluster, asked for on three machines: while all is well, without the master, after a partition.

    python3 Tests/System/names.py path/to/rondo [WORD ...]

Needs root and iproute2: the machines are network namespaces. The resolvers of the machines are a server in the hub;
`/etc/resolv.conf` is another file for the nodes, and must stay what it is.
"""

import os
import signal
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import TESTS, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from machines import JOIN_LINE, Cluster, init_command, join_command  # noqa: E402
from netns import ip  # noqa: E402
from resolver import A, SRV, World, ask  # noqa: E402
from wire import get_json  # noqa: E402

SERVER = "127.82.111.1"
GONE = 3  # NXDOMAIN


def own_files(command):
    """A command line with another /etc/resolv.conf."""
    script = 'mount --make-rprivate / && mount --bind "%s" /etc/resolv.conf && exec "$@"' % world.resolvers
    return ["unshare", "-m", "sh", "-c", script, "sh"] + command


def settings(command):
    return own_files(command + ["--config", world.config])


def answers(number, name, kind=A):
    """What the node of a machine says; None for a name that there is not."""
    code, found = ask(cluster.network.names[number - 1], SERVER, name, kind)
    return None if code == GONE else found


def everywhere(name, wanted, seconds, kind=A):
    for number in (1, 2, 3):
        eventually(lambda: answers(number, name, kind) == wanted, seconds, "%s on machine %d" % (name, number))


def run(name, count=1, *options):
    """A framework of `rondo run` on the first machine."""
    command = [cluster.rondo, "run", "--data", cluster.machines[0].data, "--name", name, "--instances", str(count)]
    log = open(os.path.join(cluster.directory, name + ".log"), "wb")
    process = subprocess.Popen(
        cluster.network.inside(1, command + list(options) + ["--", "sleep", "1000"]),
        stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
    )
    log.close()
    cluster.frameworks.append(process)
    return process


def tasks(name):
    """Running tasks by their name, as the master has them: {id: address of the agent}."""
    places = {each["id"]: each["pid"].split("@")[1].split(":")[0] for each in get_json(cluster.master, "/slaves")["slaves"]}
    state = get_json(cluster.master, "/state")
    return {
        task["id"]: places.get(task["slave_id"])
        for framework in state["frameworks"]
        for task in framework["tasks"]
        if task["name"] == name and task["state"] == "TASK_RUNNING"
    }


def running(name, count, seconds=15):
    return eventually(lambda: len(tasks(name)) == count and tasks(name), seconds, "%d of %s" % (count, name))


@test
def formation():
    """masters and agents have names on every node as soon as it takes part"""
    first, second, third = cluster.machines
    first.start(settings(init_command(cluster.rondo, first.address, first.data)))
    line = eventually(lambda: first.alive() and JOIN_LINE.search(first.output()), 20, "the line to join with")
    for each in (second, third):
        each.start(settings(join_command(cluster.rondo, line.group(1), line.group(2), each.address, each.data)))
    eventually(
        lambda: all(each.alive() for each in cluster.machines) and len(cluster.agents()) == 3, 20, "three active agents"
    )
    everywhere("leader.mesos", {first.address}, 5)
    everywhere("slave.mesos", {each.address for each in cluster.machines}, 5)
    everywhere("_leader._tcp.mesos", {("leader.mesos", 5050)}, 5, SRV)
    everywhere("nothing.mesos", None, 1)
    listed = get_json(cluster.master, "/mesos_dns/v1/hosts/leader.mesos")
    equal(listed, [{"host": "leader.mesos.", "ip": first.address}], "leader.mesos over HTTP")


@test
def tasks_have_names():
    """a task has its names on every node while it runs, with its ports, and the HTTP interface says the same"""
    world.web = run("web", 6, "--cpus", "0.01", "--ports", "1")
    found = running("web", 6)
    everywhere("web.rondo", set(found.values()), 5)
    listed = get_json(cluster.master, "/mesos_dns/v1/hosts/web.rondo")
    equal({each["ip"] for each in listed}, set(found.values()), "web.rondo over HTTP")
    ports = answers(2, "_web._tcp.runweb.mesos", SRV)
    equal(len(ports), 6, "ports of web")
    for target, _ in ports:
        equal(len(answers(3, target)), 1, "addresses of %s" % target)


@test
def the_world():
    """other names are asked for where the machine asks, whose resolv.conf stays what it is"""
    code, found = ask(cluster.network.names[1], SERVER, "www.example.test")
    equal((code, found), (0, {World.ADDRESS}), "www.example.test")
    check("www.example.test" in world.dns.asked, "the machine's resolver was not asked:", world.dns.asked)
    check(not [each for each in world.dns.asked if each.endswith(("mesos", "rondo"))], "own names were passed on")
    with open(world.resolvers) as file:
        equal(file.read(), world.text, "the machine's resolv.conf")


@test
def an_agent_dies():
    """an agent that was killed knows all names again when it is back"""
    second = cluster.machines[1]
    second.kill()
    second.start(second.command)
    eventually(lambda: second.alive() and answers(2, "leader.mesos"), 10, "answers of the restarted node")
    everywhere("web.rondo", set(running("web", 6).values()), 10)


@test
def the_master_dies():
    """while the master is away and until its agents are back, no name of a running task is missing anywhere"""
    first = cluster.machines[0]
    wanted = set(running("web", 6).values())
    wrong, isOver = [], threading.Event()

    def look():
        while not isOver.is_set():
            for number in (2, 3):
                found = answers(number, "web.rondo")
                if found != wanted:
                    wrong.append("machine %d said %r" % (number, found))
            time.sleep(0.02)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        first.kill()
        time.sleep(1)
        first.start(first.command)
        eventually(lambda: len(cluster.agents()) == 3, 20, "three active agents")
        everywhere("web.rondo", wanted, 10)
    finally:
        isOver.set()
        looking.join()
    check(not wrong, len(wrong), "wrong answers, such as", *wrong[:3])
    equal(set(running("web", 6).values()), wanted, "where web runs")


@test
def a_partition():
    """tasks of a node that is cut off lose their names elsewhere, and right after it heals all say what is true"""
    third = cluster.machines[2]
    before = running("web", 6)
    check(third.address in before.values(), "nothing of web runs on the third machine:", before)
    ip("-n", cluster.network.hub, "link", "set", "port3", "down")
    rest = set(before.values()) - {third.address}
    for number in (1, 2):
        eventually(lambda: answers(number, "web.rondo") == rest, 15, "machine %d without the third's tasks" % number)
    equal(answers(3, "web.rondo"), set(before.values()), "what the node that is cut off says")
    other = run("other", 1, "--cpus", "0.01")
    running("other", 1)
    ip("-n", cluster.network.hub, "link", "set", "port3", "up")
    healed = time.monotonic()
    eventually(lambda: len(cluster.agents()) == 3, 20, "three active agents")
    back = time.monotonic()
    everywhere("other.rondo", set(running("other", 1).values()), 3)
    everywhere("web.rondo", set(tasks("web").values()), 3)
    print("      the agent was back %.1f s after the cable, names %.1f s after that" % (
        back - healed, time.monotonic() - back))
    other.send_signal(signal.SIGINT)
    everywhere("other.rondo", None, 10)


@test
def the_end():
    """names go with their tasks, and the servers with their nodes"""
    world.web.send_signal(signal.SIGINT)
    everywhere("web.rondo", None, 15)
    for each in reversed(cluster.machines):
        problem = each.stop()
        check(not problem, problem)
    listening = subprocess.run(
        cluster.network.inside(2, ["ss", "-Hlnu"]), stdout=subprocess.PIPE, text=True, check=True
    ).stdout
    check(":53 " not in listening, "something still listens:", listening)


class Surroundings:
    """What the nodes find on their machines."""

    def __init__(self):
        self.resolvers = os.path.join(cluster.directory, "resolv.conf")
        self.config = os.path.join(cluster.directory, "config.yaml")
        self.text = "nameserver 10.77.0.254\n"
        self.web = None
        with open(self.resolvers, "w") as file:
            file.write(self.text)
        with open(self.config, "w") as file:
            file.write("agent:\n  unreachable_after: 3s\n")
        self.dns = World("10.77.0.254")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    cluster = Cluster(sys.argv[1])
    at_end(cluster.end)
    try:
        cluster.create()
        world = Surroundings()
        at_end(world.dns.stop)
        result = run_tests(TESTS, sys.argv[2:], 60)
        cluster.watch.stopped = True
    except BaseException:
        cluster.end()
        raise
    finish(*result)
