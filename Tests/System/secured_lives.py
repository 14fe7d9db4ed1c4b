"""What becomes of nodes over time: certificates that end, nodes that are killed, leave, are evicted or copied."""

import os
import shutil
import subprocess
import sys
import time

from harness import Skipped, check, equal, eventually, test
from mesos_client import Scheduler, command_task
from secured_access import add_user
from secured_nodes import Node, add_agent, agents, context, make_token, member, refused_handshake, root, run, world
from secured_rights import agent_id, framework
from wire import secure


def trust(master):
    """Has frameworks of these tests reach a master."""
    secure(master.address, master.file("authority.crt"), master.file("administrator"))


def start_task(one, agent_id, name, command):
    """Starts a task on one agent and waits until it runs."""

    def fitting(offers):
        return [each for each in offers if each["agent_id"]["value"] == agent_id]

    offer = fitting(one.wait_offers(wanted=fitting))[0]
    one.launch([offer], [command_task(name, agent_id, command)])
    one.wait_state(name, "TASK_RUNNING", "TASK_FINISHED")


def copy_of(node, name):
    """The data directory of a node as a thief or a careless administrator would copy it."""
    target = world.path(name)
    shutil.copytree(node.data, target, ignore=lambda _, names: [each for each in names if each.endswith(".sock")])
    return target


@test
def renewal():
    """certificates are renewed long before they end, and the sessions of nodes go on"""
    begun = world.formed
    eventually(lambda: time.monotonic() > begun + 2.5 * world.lifetime, 20, "the end of the first certificates")
    equal(
        len(agents(world.short)), 2, "active agents after %d lifetimes" % ((time.monotonic() - begun) / world.lifetime)
    )
    for node in (world.short, world.renewing):
        log = node.log()
        equal(log.count("registered as"), 1, "registrations of the agent of " + node.name)
        for word in ("expired", "cannot be renewed", "not believed", "refused", "is dead"):
            check(word not in log, node.name, "says:", log[-400:])
    before = world.renewing.serial()
    eventually(lambda: world.renewing.serial() != before, world.lifetime, "the next certificate")


@test
def away_too_long():
    """a node that was off past its certificate's end says so, and a fresh token brings it back with its tasks"""
    trust(world.short)
    with Scheduler(world.short.address, "patient", failover_timeout=120.0) as one:
        node = add_agent("late", world.short, "127.0.0.7")
        start_task(one, node.agent_id, "goes-on", "while ! test -f end; do sleep 0.1; done; echo $PPID > ended")
        mine, key = node.agent_id, node.read("node.key")
        node.kill()
        tls = context(node.file("authority.crt"), (node.file("node.crt"), node.file("node.key")))
        eventually(
            lambda: time.time() > os.stat(node.file("node.crt")).st_mtime + world.lifetime + 1,
            10,
            "the certificate's end",
        )
        said = refused_handshake(world.short, tls)
        check(
            "EXPIRED" in said.upper() or "CERTIFICATE" in said.upper(),
            "an expired certificate was refused otherwise:",
            said,
        )
        node.start()
        code = node.ended(10)
        said = node.output().strip().splitlines()[-1]
        equal(code, 77, "exit of a node with an expired certificate: %s" % said)
        check("expired" in said and "token" in said, "the node says:", said)
        equal(member(world.short, node.id())["connected"], False, "connected meanwhile")
        node.start(make_token(world.short)["token"])
        eventually(lambda: node.alive() and mine in agents(world.short), 15, "the same agent again")
        equal(node.read("node.key"), key, "the node's key")
        equal(one.statuses("goes-on")[-1]["state"], "TASK_RUNNING", "state of its task")
        for top, _, names in os.walk(node.file("agent/work")):
            if "stdout" in names:
                with open(os.path.join(top, "end"), "w"):
                    pass
        equal(one.wait_state("goes-on")["state"], "TASK_FINISHED", "end of its task")


@test
def killed():
    """after kill -9 of master and agents all come back as they were, with the certificates they had"""
    trust(world.first)
    nodes = [world.first, world.agent, world.guest]
    names = ("node.key", "authority.crt", "administrator", "join-token", "master.key", "node.crt")
    with framework("survivor", "*", user="root", failover_timeout=120.0) as one:
        before, before_joins = agents(world.first), joins()
        start_task(one, agent_id(world.agent), "outlives", "sleep 1000")
        kept = {
            (each.name, name): each.read(name) for each in nodes for name in names if os.path.exists(each.file(name))
        }
        check(("agent", "node.crt") in kept, "the agent keeps no certificate")
        tokens = root(world.first, "GET", "/rondo/v1/tokens").json
        add_user("lasting", password="password-that-lasts", roles=["viewer"])
        for each in nodes:
            each.process.kill()
        for each in nodes:
            each.process.wait()
        for each in nodes:
            each.start()
        eventually(lambda: agents(world.first) == before, 20, "the same agents")
        changed = [key for key, data in kept.items() if world.nodes[key[0]].read(key[1]) != data]
        equal(changed, [], "files that changed")
        equal(root(world.first, "GET", "/rondo/v1/tokens").json, tokens, "join tokens")
        equal(root(world.first, "GET", "/rondo/v1/users/lasting").json["roles"], ["viewer"], "roles of a user")
        again = framework("survivor", "*", user="root", framework_id=one.framework_id, failover_timeout=120.0).start()
        again.reconcile(["outlives"])
        eventually(lambda: again.statuses("outlives"), 10, "news of the task")
        equal(again.statuses("outlives")[-1]["state"], "TASK_RUNNING", "the task's state")
        again.stop()
    equal(joins(), before_joins, "joins in the audit log")


def joins():
    """How many nodes have come in with a token."""
    entries = root(world.first, "GET", "/rondo/v1/audit?lines=10000").text.splitlines()
    return sum('"node.join"' in each and '"result":"done"' in each for each in entries)


@test
def rotation():
    """the gossip key is changed under a running cluster, nobody is late, and all go on"""
    before, active = root(world.first, "GET", "/rondo/v1/members").json["keys"], agents(world.first)
    began = time.monotonic()
    answer = root(world.first, "POST", "/rondo/v1/keys/rotate")
    equal(answer.status, 200, "status of %s" % answer.text[:200])
    check(time.monotonic() - began < 10, "it took %.1f s" % (time.monotonic() - began))
    equal(answer.json["late"], [], "nodes that are late")
    after = root(world.first, "GET", "/rondo/v1/members").json["keys"]
    equal([each["id"] for each in after], [answer.json["id"]], "the keys now")
    check(answer.json["id"] not in [each["id"] for each in before], "the key is one of before")
    equal(agents(world.first), active, "active agents")
    # Somebody new has the new key only, and is heard by gossip.
    node = add_agent("newcomer", world.first, "127.0.0.8", options=["--log-level", "info"])
    eventually(
        lambda: "gossip: node %s is here" % world.guest.id() in node.log(),
        15,
        "gossip with nodes that were there before",
    )
    for each in (world.first, world.agent, world.guest):
        check("is dead" not in each.log(), each.name, "lost somebody:", each.log()[-400:])


@test
def leaving():
    """a node that leaves gives up its key: a copy of its directory is worth nothing"""
    node = world.nodes["newcomer"]
    copy, node_id = copy_of(node, "newcomer-copy"), node.id()
    result = run(world.rondo, "cluster", "leave", "--data", node.data, seconds=30)
    equal(result.returncode, 0, "exit of leave: %s" % result.stderr[-300:])
    equal(node.ended(10), 0, "exit of the node")
    equal(member(world.first, node_id), None, "the member")
    left = set(os.listdir(node.data)) if os.path.exists(node.data) else set()
    check(not left & {"node.key", "node.crt", "keys.json"}, "it left", left)
    files = (os.path.join(copy, "node.crt"), os.path.join(copy, "node.key"))
    refused_handshake(world.first, context(world.first.file("authority.crt"), files))
    shut_out(Node("newcomer-copy", "127.0.0.8", world.first, data=copy), "left|evicted")
    # The machine itself may come again, as a new node.
    known = agents(world.first)
    node.start(make_token(world.first)["token"])
    eventually(lambda: node.alive() and agents(world.first) - known, 15, "the node that came again")
    check(node.id() != node_id, "it has its old key")


def shut_out(node, words):
    """Starts a node, without and with a token, that must not come in, and must be told why in its log."""
    active = agents(world.first)
    for token in (None, make_token(world.first)["token"]):
        before = len(node.output())
        node.start(token)

        def told():
            return any(word in node.output()[before:] for word in words.split("|"))

        try:
            eventually(told, 8, "'%s' in its log" % words)
        finally:
            said = node.output()[before:][-300:]
            if node.process.poll() is None:
                node.kill()
        equal(agents(world.first) - active, set(), "agents that came in: %s" % said)


@test
def eviction():
    """a node that is evicted is cut off at once, and neither its certificate nor a token brings its key back"""
    trust(world.first)
    node = world.guest
    node_id, its_agent = node.id(), agent_id(node)
    tls = context(node.file("authority.crt"), (node.file("node.crt"), node.file("node.key")))
    equal(root(world.first, "POST", "/rondo/v1/members/%s/evict" % node_id).status, 204, "status of evicting")
    eventually(lambda: its_agent not in agents(world.first), 3, "the end of its session")
    refused_handshake(world.first, tls)
    equal(member(world.first, node_id), None, "the member")
    check(node_id in root(world.first, "GET", "/rondo/v1/members").json["evicted"], "it is not on the list")
    equal(root(world.first, "POST", "/rondo/v1/members/%s/evict" % node_id).status, 404, "status of evicting it again")
    members = root(world.first, "GET", "/rondo/v1/members").json["members"]
    master = next(each["id"] for each in members if "master" in each["role"])
    equal(root(world.first, "POST", "/rondo/v1/members/%s/evict" % master).status, 409, "status of evicting the master")
    # Its own gossip is not believed any more.
    eventually(
        lambda: "the node was evicted" in world.agent.log() or "dead" in world.agent.log(), 15, "the others' word"
    )
    if node.process.poll() is None:
        eventually(lambda: "evicted" in node.output(), 8, "that it is told")
        if node.process.poll() is None:
            node.kill()
    shut_out(node, "evicted")


@test
def copied():
    """a copied data directory that runs on a second address is named as what it is, in the logs"""
    node = add_agent("original", world.first, "127.0.0.9")
    active = agents(world.first)
    copy = Node("twin", "127.0.0.10", world.first, data=copy_of(node, "twin")).start()
    nodes = (node, copy, world.first)
    try:
        eventually(lambda: any("copied" in each.log() + each.output() for each in nodes), 15, "'copied' in a log")
    finally:
        if copy.process.poll() is None:
            copy.kill()
    node.kill()
    node.start()
    eventually(lambda: agents(world.first) == active, 15, "the one that was there first")


@test
def pymesos():
    """pymesos drives a framework through the plain listener with HTTP Basic, and is refused without"""
    try:
        import pymesos as _  # noqa: F401
    except ImportError:
        raise Skipped("pymesos is not installed; see Tests/Clients/setup.sh") from None
    for each in ("right", "powerless"):
        # What pymesos runs is root's; that takes a rule beside the role.
        rules = ["task.run-as:root"] if each == "right" else []
        add_user("pymesos-" + each, kind="service", password="secret-of-" + each, roles=["operator"], rules=rules)
    words = [
        "registers and is told its id",
        "own acknowledgements",
        "a kill ends a running task",
        "within failover_timeout",
        "reconciliation tells",
        "teardown kills",
    ]
    result = pymesos_tests("pymesos-right", "secret-of-right", words)
    check(result.returncode == 0, "pymesos with the right secret:\n" + result.stdout[-3000:])
    check("%d passed, 0 failed" % len(words) in result.stdout, result.stdout[-3000:])
    for user, secret in (("pymesos-right", "secret-of-nobody"), ("pymesos-powerless", "secret-of-powerless")):
        result = pymesos_tests(user, secret, words[:1])
        check("0 passed, 1 failed" in result.stdout, "pymesos as %s:\n%s" % (user, result.stdout[-3000:]))


def pymesos_tests(user, secret, words):
    environment = dict(os.environ, MASTER=world.first.plain, MASTER_PRINCIPAL=user, MASTER_SECRET=secret)
    environment["MASTER_ADMINISTRATOR"] = world.first.file("administrator")
    here = os.path.dirname(os.path.abspath(__file__))
    return subprocess.run(
        [sys.executable, os.path.join(here, os.pardir, "Clients", "pymesos_test.py")] + words,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        timeout=50,
    )


@test
def nothing_left():
    """nodes that leave with --purge leave nothing behind, and the master ends the cluster last"""
    for name in ("original", "newcomer", "agent", "first"):
        node = world.nodes.get(name)
        if node is None or node.process.poll() is not None:
            continue
        result = run(world.rondo, "cluster", "leave", "--purge", "--data", node.data, seconds=30)
        equal(result.returncode, 0, "exit of leave of %s: %s" % (name, result.stderr[-300:]))
        equal(node.ended(10), 0, "exit of " + name)
        check(not os.path.exists(node.data), name, "leaves", os.listdir(node.data) if os.path.exists(node.data) else "")
