"""The command line on a machine that is no node: it knows a cluster by its pin, and sends nothing to anybody else."""

import os
import re
import stat
import subprocess

from harness import check, equal, test
from secured_access import add_user
from secured_joining import Impostor, forged_authority, forged_leaf
from secured_nodes import make_token, world


def command(*words, typed="", **environment):
    """Runs a command with a home of its own."""
    home = world.path("home")
    os.makedirs(home, mode=0o700, exist_ok=True)
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("RONDO_", "XDG_"))}
    return subprocess.run(
        [world.rondo, *words],
        input=typed,
        env=dict(kept, HOME=home, **environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        timeout=30,
    )


def done(result, code, what):
    equal(result.returncode, code, "exit of %s: %s" % (what, (result.stdout + result.stderr)[-300:]))
    return result.stdout + result.stderr


@test
def command_line_login():
    """the command line logs in by a pin, keeps the session for its owner only, and does what the user may"""
    address, pin = world.first.address, world.first.join_token().split(".")[4]
    add_user("eve", password="password-of-eve", roles=["viewer"])
    login = ["login", address, "--user", "eve"]
    check(command("node", "list", "--master", address).returncode != 0, "nodes are listed without a login")
    done(command(*login, typed="password-of-eve\n"), 64, "a login without a pin")
    done(command(*login, "--pin=" + pin, typed="wrong\n"), 77, "a login with a wrong password")
    check(not os.path.exists(world.path("home", ".config", "rondo", "contexts.json")), "a refused login is kept")
    said = done(command(*login, "--pin=" + pin, typed="password-of-eve\n"), 0, "the login")
    check("password-of-eve" not in said, "it shows the password")
    kept = world.path("home", ".config", "rondo", "contexts.json")
    equal(stat.S_IMODE(os.stat(kept).st_mode), 0o600, "mode of the file with the session")
    with open(kept) as file:
        check("password-of-eve" not in file.read(), "the password is kept")
    check("127.0.0.2" in done(command("node", "list"), 0, "node list"), "the agent is not in the list of nodes")
    for words in (["user", "list"], ["keys", "rotate"], ["audit", "tail"], ["cluster", "token", "create"]):
        said = done(command(*words), 77, " ".join(words) + " by a viewer")
        check("eve" in said, "it does not say who may not:", said)
    done(command("run", "--", "true"), 77, "a command run by a viewer")
    done(command("node", "list", RONDO_TOKEN="x"), 77, "node list with a wrong token")
    # The administrator's line of `cluster init`.
    line = re.search(r"rondo (login \S+ --pin[ =]\S+ --user \S+ --token \S+)", world.first.output())
    check(line, "`cluster init` prints no line to log in with")
    done(command(*line.group(1).split(), "--name", "boss"), 0, "the login that `cluster init` prints")
    check(
        "hello" in done(command("run", "--context", "boss", "--", "echo", "hello"), 0, "run"), "no output of the task"
    )
    check(
        "eve" in done(command("user", "list", "--context", "boss"), 0, "user list"), "eve is not in the list of users"
    )


@test
def command_line_impostors():
    """somebody in another cluster's place gets neither a password nor a session from the command line"""
    address, pin = world.first.address, world.first.join_token().split(".")[4]
    other = world.other.join_token().split(".")[4]
    login = ["login", address, "--pin=" + other, "--user", "eve", "--name", "wrong"]
    said = done(command(*login, typed="password-of-eve\n"), 1, "a login with another cluster's pin")
    check("nothing was sent" in said, said)
    path, cluster = forged_authority("forged3", world.first)
    certificate, key = forged_leaf(path, cluster, world.agent.id())
    token = make_token(world.first)["token"]
    # Without TLS there is nothing but loopback, where `rondo dev` is; so the impostor is on another address.
    for what, words, code, connections in (
        ("login", ["login", "ADDRESS", "--pin=" + pin, "--user", "eve", "--name", "wrong"], 1, 1),
        ("a command", ["node", "list", "--master", "ADDRESS"], 64, 0),
        ("a command to where the cluster was", ["node", "list", "--context", "boss"], 1, 1),
    ):
        impostor = Impostor(certificate, key, at=world.network.SUBNET % 254)
        moved(address, impostor.address if "context" in words[2] else address)
        try:
            words = [each.replace("ADDRESS", impostor.address) for each in words]
            result = command(*words, typed="password-of-eve\n", RONDO_TOKEN=token)
        finally:
            moved(impostor.address, address)
            impostor.close()
        done(result, code, what)
        equal(impostor.connections, connections, "connections for %s" % what)
        equal(impostor.read, b"", "what could be read of %s" % what)
        for secret in (b"password-of-eve", token.encode(), b"eyJ", b"HTTP"):
            check(secret not in impostor.raw, what, "sends in the open:", impostor.raw[:300])


def moved(old, new):
    """Has the known cluster be at another address, as after somebody took its place in the network."""
    path = world.path("home", ".config", "rondo", "contexts.json")
    with open(path) as file:
        text = file.read()
    with open(path, "w") as file:
        file.write(text.replace(old, new))
