"""Real services on a cluster as their users have them: images of Images/ from a registry, on three nodes, by
`rondo service run`; curl, redis-cli and psql ask them by name at their published ports.

    python3 Tests/System/real_services.py path/to/rondo [WORD ...]

Needs root, iproute2, nft, docker-registry, skopeo, curl, redis-tools, postgresql-client, and what Images/build needs.
"""

import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hold_cluster import REGISTRY, SERVER, Hold  # noqa: E402
from harness import TESTS, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir)
PASSWORD = "only-for-this-test"


def image(name):
    """An image of Images/ in the registry."""
    built = subprocess.run(
        [os.path.join(ROOT, "Images", "build"), hold.rondo, name], capture_output=True, text=True, timeout=280,
        stdin=subprocess.DEVNULL)
    if built.returncode != 0:
        raise Skipped("the image cannot be made: %s" % built.stderr[-300:])
    target = "%s/%s:1" % (REGISTRY, name)
    done = subprocess.run(
        hold.network.inside(1, [
            "skopeo", "copy", "--quiet", "--dest-tls-verify=false", "oci-archive:" + built.stdout.strip(),
            "docker://" + target]),
        stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    equal(done.returncode, 0, "skopeo copy (%s)" % done.stderr[-400:])
    return target


def service(*words):
    """`rondo service …` on the first node."""
    words = [hold.rondo, "service", words[0], "--data", hold.machines[0].data, *words[1:]]
    done = subprocess.run(
        hold.network.inside(1, words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    equal(done.returncode, 0, "rondo %s (%s)" % (" ".join(words[1:4]), done.stderr[-800:]))
    return done.stdout + done.stderr


def client(number, *words, **environment):
    """A command on a machine that asks this machine's node for names; its output, or None."""
    script = 'mount --make-rprivate / && mount --bind "%s" /etc/resolv.conf && exec "$@"' % hold.resolvers
    command = hold.network.inside(number, ["unshare", "-m", "sh", "-c", script, "sh", *words])
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30,
        env=dict(os.environ, **environment))
    check(done.returncode == 0, " ".join(words[:3]), "ended with", done.returncode, (done.stderr or done.stdout)[-300:])
    return done.stdout.strip()


def stopped(name):
    began = time.monotonic()
    service("rm", name)
    hold.at_rest({})
    print("      removed after %.1f s" % (time.monotonic() - began))


@test
def formation():
    """three nodes with a registry each"""
    hold.begin()
    for number in (1, 2, 3):
        hold.start_registry(number)
    hold.resolvers = os.path.join(hold.directory, "resolv.conf")
    with open(hold.resolvers, "w") as file:
        file.write("nameserver %s\n" % SERVER)


@test
def a_web_server():
    """nginx serves its pages from all nodes under one name"""
    target = image("nginx")
    began = time.monotonic()
    said = service(
        "run", target, "--name", "front", "--instances", "3", "--publish", "20180:80", "--health-http", "/health",
        "--constraint", "hostname:UNIQUE")
    print("      from the command to three healthy instances: %.1f s" % (time.monotonic() - began))
    check("runs with 3 instances" in said, said)
    for number in (1, 2, 3):
        pages = [
            client(number, "curl", "-sS", "--max-time", "10", "http://front.marathon.slave.mesos:20180/health")
            for _ in range(4)
        ]
        check(all(pages), "pages", pages)
    check("3/3" in service("list"), service("list"))
    stopped("front")


@test
def redis():
    """redis keeps what redis-cli on another node has given it by name"""
    target = image("redis")
    service("run", target, "--name", "cache", "--publish", "20181:6379", "--health-cmd", "redis-cli ping")

    def cli(number, *words):
        return client(number, "redis-cli", "-h", "cache.marathon.slave.mesos", "-p", "20181", *words)

    eventually(lambda: cli(2, "set", "key", "a value") == "OK", 30, "a key that is set")
    equal([cli(number, "get", "key") for number in (1, 2, 3)], ["a value"] * 3, "the value from everywhere")
    said = client(
        3, "redis-benchmark", "-h", "cache.marathon.slave.mesos", "-p", "20181", "-q", "-n", "5000", "-c", "20", "-t",
        "set,get")
    print("      %s" % said.replace("\r", "\n").replace("\n", " ").strip()[-200:])
    stopped("cache")


@test
def postgresql():
    """PostgreSQL answers psql by name, and keeps a table on a volume while no instance runs"""
    target = image("postgresql")
    volume = os.path.join(hold.directory, "database")
    os.mkdir(volume)
    os.chown(volume, 999, 999)
    service(
        "run", target, "--name", "db", "--publish", "20182:5432", "--env", "POSTGRES_PASSWORD=" + PASSWORD,
        "--mem", "256", "--volume", volume + ":/var/lib/postgresql/data", "--constraint", "hostname:LIKE:node2")

    def psql(number, statement):
        return client(
            number, "psql", "-h", "db.marathon.slave.mesos", "-p", "20182", "-U", "postgres", "-Atc", statement,
            PGPASSWORD=PASSWORD, PGCONNECT_TIMEOUT="5")

    eventually(lambda: psql(1, "create table kept (word text)"), 60, "a table", pause=0.5)
    psql(3, "insert into kept values ('still there')")
    equal(psql(2, "select word from kept"), "still there", "the row")
    # Its port and its files are for one at a time.
    service("scale", "db", "0")
    service("scale", "db", "1")
    again = eventually(lambda: psql(3, "select word from kept"), 60, "the row again", pause=0.5)
    equal(again, "still there", "the row")
    stopped("db")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    hold = Hold(sys.argv[1])
    at_end(hold.end)
    try:
        hold.create()
        result = run_tests(TESTS, sys.argv[2:], 400)
        hold.watch.stopped = True
    except BaseException:
        hold.end()
        raise
    finish(*result)
