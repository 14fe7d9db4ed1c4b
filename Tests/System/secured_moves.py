"""Machines whose addresses change while the cluster runs."""

import ssl

from harness import check, equal, eventually, test
from netns import ip
from secured_lives import start_task, trust
from secured_nodes import Node, add_agent, ask, root, world
from mesos_client import Scheduler


def shown_at(node, address):
    """Whether the node answers at an address, with a certificate that names it."""
    try:
        return ask(node, "GET", "/version", at=address).status == 200
    except ssl.SSLCertVerificationError:
        return False


@test
def addresses():
    """a master's new address is in its certificate within seconds; agents follow when the old one goes"""
    namespaces = world.network.names
    master = Node("mover", world.network.address(1), port=5050, machine=1).start()
    agent = add_agent("follower", master, world.network.address(2), machine=2)
    trust(master)
    old, new = master.at, world.network.SUBNET % 101
    with Scheduler(master.address, "moving", failover_timeout=120.0) as one:
        start_task(one, agent.agent_id, "stays", "sleep 1000")
        ip("-n", namespaces[0], "address", "add", new + "/24", "dev", "eth0")
        eventually(lambda: shown_at(master, new), 6, "the new address in the certificate")
        check(shown_at(master, old), "the old address is not in the certificate any more")
        one.disconnect()
        ip("-n", namespaces[0], "address", "delete", old + "/24", "dev", "eth0")
        # The last address of a subnet takes the later ones with it unless the kernel is told otherwise.
        ip("-n", namespaces[0], "address", "add", new + "/24", "dev", "eth0", check=False)
        master.at = new
        trust(master)
        eventually(lambda: root(master, "GET", "/rondo/v1/health").status == 200, 10, "the master at its new address")
        eventually(lambda: "the master is at %s:" % new in agent.log(), 10, "the master's new address at the agent")
        # The agent moves as well.
        moved = world.network.SUBNET % 102
        ip("-n", namespaces[1], "address", "add", moved + "/24", "dev", "eth0")
        ip("-n", namespaces[1], "address", "delete", agent.at + "/24", "dev", "eth0")
        ip("-n", namespaces[1], "address", "add", moved + "/24", "dev", "eth0", check=False)

        eventually(
            lambda: "node %s is at %s" % (agent.id(), moved) in master.log(), 10, "gossip about the agent's new address"
        )

        def follows():
            known = root(master, "GET", "/slaves").json["slaves"]
            return any(each["active"] and moved in each["pid"] for each in known)

        eventually(follows, 40, "the agent's session from its new address")
        agent.at = moved
        again = Scheduler(master.address, "moving", framework_id=one.framework_id, failover_timeout=120.0).start()
        again.reconcile(["stays"])
        eventually(lambda: again.statuses("stays"), 10, "news of the task")
        equal(again.statuses("stays")[-1]["state"], "TASK_RUNNING", "the task's state")
        start_task(again, agent.agent_id, "afterwards", "true")
        again.stop()
    for each in (agent, master):
        each.stop()
