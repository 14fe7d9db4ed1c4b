"""What must hold while things go wrong on a node: registries that fail, a disk that is full, services that are ill, a
task that writes without end.

    python3 Tests/System/faults.py path/to/rondo [WORD ...]

Needs root, iproute2, nft, busybox-static, docker-registry and skopeo: the node is a network namespace, with a registry
on its loopback. Beside each fault a well service goes on, and its page and the master's interface keep answering.
"""

import glob
import math
import os
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hold_cluster import IMAGE, REGISTRY, Client, Hold, web  # noqa: E402
from harness import TESTS, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from image_proxy import Proxy  # noqa: E402
from netns import enter  # noqa: E402

CHECK = {"protocol": "COMMAND", "command": {"value": "true"}, "delaySeconds": 0, "intervalSeconds": 1}


class Watch(threading.Thread):
    """Asks the master for an app all the time, and notes how long each answer takes."""

    def __init__(self):
        super().__init__(daemon=True)
        self.times, self.failed = [], []
        self.ending = threading.Event()
        self.start()

    def run(self):
        while not self.ending.is_set():
            began = time.monotonic()
            try:
                hold.call("GET", "/v2/apps/well")
            except Exception as error:
                self.failed.append(repr(error))
            self.times.append(time.monotonic() - began)
            time.sleep(0.02)


class Beside:
    """A client of the well service and a reader of the interface for as long as a `with` lasts."""

    def __init__(self, what):
        self.what = what

    def __enter__(self):
        self.tasks = set(hold.well("/well", 2))
        self.watch, self.client = Watch(), Client(hold, 1, "well", 0.02)
        return self

    def __exit__(self, kind, *_):
        self.watch.ending.set()
        self.watch.join(30)
        self.client.stop()
        times = sorted(self.watch.times)
        print("      beside %s: interface p50 %.0f ms, p99 %.0f ms; %d pages, slowest %.0f ms" % (
            self.what, 1000 * times[len(times) // 2], 1000 * times[len(times) * 99 // 100], self.client.count,
            1000 * self.client.slowest))
        if kind is None:
            check(not self.watch.failed, "the interface failed:", self.watch.failed[:3])
            check(not self.client.failed, "pages failed:", self.client.failed[:3])
            check(self.client.count > 5, "no pages")
            equal(set(hold.well("/well", 2)), self.tasks, "instances of the well service")


def launches(name):
    """How many tasks of an app there have been."""
    return len(glob.glob("%s/agent/work/*/%s.*/*" % (node.data, name)))


def rounds(seconds):
    """How often something is started at most that ends at once: 1 + 1.15 + 1.15² … seconds are between the starts."""
    return 3 + math.log(1 + 0.15 * seconds) / math.log(1.15)


def simple(name, image, command="exec sleep 1000", **more):
    return dict({
        "id": "/" + name, "instances": 1, "cpus": 0.02, "mem": 16, "cmd": command, "env": {"HOLD": hold.marker},
        "container": {"type": "MESOS", "docker": {"image": image}}, "backoffSeconds": 1,
        "networks": [{"mode": "host"}], "healthChecks": [CHECK]}, **more)


def failure(name):
    return ((hold.app("/" + name) or {}).get("lastTaskFailure") or {}).get("message") or ""


def ends(name):
    hold.deploy("DELETE", "/v2/apps/%s?force=true" % name, None)
    eventually(lambda: hold.app("/" + name) is None, 60, "the end of %s" % name)


def downloads():
    """Files of images that are not whole."""
    found = []
    for top, _, names in os.walk(node.data + "/images"):
        found += [os.path.join(top, each) for each in names if "/blobs" not in top and "/layers" not in top]
    return found


@test
def formation():
    """a node serves two instances of a well service"""
    node.start(hold.first_command())
    hold.await_agents(1)
    hold.start_registry(1)
    hold.push("true")
    hold.deploy("POST", "/v2/apps", web("/well", 2, hold.marker))
    hold.well("/well", 2)


# What a registry does wrong, and what is said of it.
ILL = [
    ("answers 500", {"fail_every": 1}, "500"),
    ("sends other bytes", {"lie": True}, "digest|bytes"),
    ("redirects in a circle", {"redirect": "circle"}, "redirect"),
    ("breaks off", {"cuts": 10**6, "ranges": False}, "cut off|bytes"),
]


def other_image(name, size):
    """An image in the registry with so many bytes that no other has."""
    root = os.path.join(hold.directory, name)
    subprocess.run(["cp", "-a", os.path.join(hold.directory, "root"), root], check=True)
    with open(os.path.join(root, "filling"), "wb") as file:
        file.write(os.urandom(size))
    hold.push("true", name="%s/%s:1" % (REGISTRY, name), root=root)


@test
def registries():
    """a task whose registry fails in whatever way fails with the reason, waits, and runs when the registry is well"""
    for number in range(len(ILL) + 1):
        other_image("other%d" % number, 300000)
    proxies = []
    began = time.monotonic()
    with Beside("ill registries"):
        for number, (what, fields, words) in enumerate(ILL):
            proxy = Proxy(REGISTRY)
            for key, value in fields.items():
                setattr(proxy, key, value)
            proxy.__enter__()
            proxies.append((proxy, "ill%d" % number, what, words))
            hold.deploy("POST", "/v2/apps", simple("ill%d" % number, "%s/other%d:1" % (proxy.name, number)))
        try:
            for proxy, name, what, words in proxies:
                said = eventually(lambda: failure(name), 90, "a failure of a registry that " + what)
                print("      %s: %s" % (what, said[:230]))
                check(any(word in said for word in words.split("|")), "the reason is not in:", said)
                check(proxy.name in said, "the image is not named:", said)
            time.sleep(5)
            for proxy, name, what, words in proxies:
                count = launches(name)
                check(count <= rounds(time.monotonic() - began), what, "was tried", count, "times")
                proxy.fail_every, proxy.lie, proxy.redirect, proxy.cuts = None, False, None, 0
            for proxy, name, what, words in proxies:
                hold.well("/" + name, 1, seconds=120)
        finally:
            for proxy, name, _, _ in proxies:
                ends(name)
                proxy.__exit__()


@test
def slowness():
    """registries that are slow do not keep others waiting, not even for the same layer, and are gone on with"""
    for name in ("heads", "trickle", "stall", "quick"):
        other_image(name, 300000)
    before = set(downloads())
    with Proxy(REGISTRY) as heads, Proxy(REGISTRY) as trickle, Proxy(REGISTRY) as stall, Beside("slow registries"):
        heads.delay = 2
        trickle.pace, trickle.piece = 1000, 100
        stall.cuts, stall.cut_after, stall.stall = 2, 100000, 3
        slow = {"heads": heads, "trickle": trickle, "stall": stall}
        for name, proxy in slow.items():
            hold.deploy("POST", "/v2/apps", simple("slow-" + name, "%s/%s:1" % (proxy.name, name)))
        eventually(lambda: [each for each in trickle.seen if "/blobs/" in each[1]][1:], 60, "a layer that trickles")
        began = time.monotonic()
        hold.deploy("POST", "/v2/apps", simple("quick", REGISTRY + "/quick:1"))
        hold.deploy("POST", "/v2/apps", simple("same", REGISTRY + "/trickle:1"))
        hold.well("/quick", 1)
        hold.well("/same", 1)
        print("      beside them two images were pulled in %.1f s, one of them with the layer that trickles" % (
            time.monotonic() - began))
        # At a thousand bytes a second it takes five minutes; but the layer is there now.
        check(trickle.pace == 1000, "the registry is not slow any more")
        for name in slow:
            hold.well("/slow-" + name, 1)
        spans = [each[2] for each in stall.seen if each[2]]
        check("bytes=100000-" in spans, "it was not gone on with where it stood still:", spans)
        equal(launches("slow-stall"), 1, "launches of the one whose registry stands still")
        for name in ("quick", "same", *("slow-" + each for each in slow)):
            ends(name)
    eventually(lambda: not set(downloads()) - before, 30, "no downloads: %s" % downloads())


@test
def definite():
    """what a registry says for good is said of the task at once, without asking again"""
    other_image("lies", 300000)
    with Proxy(REGISTRY) as proxy:
        proxy.basic = ("nobody", "knows")
        cases = [("gone", "nothing-there:1", "has no"), ("closed", "other0:1", "wants a user|does not allow")]
        for name, image, words in cases:
            proxy.basic = ("nobody", "knows") if name == "closed" else None
            proxy.seen.clear()
            hold.deploy("POST", "/v2/apps", simple(name, "%s/%s" % (proxy.name, image), backoffSeconds=60))
            said = eventually(lambda: failure(name), 60, "a failure of " + name)
            check(any(word in said for word in words.split("|")), "the reason is not in:", said)
            equal(len(proxy.seen), 1, "questions for " + name)
            ends(name)
        proxy.basic, proxy.lie = None, True
        proxy.seen.clear()
        hold.deploy("POST", "/v2/apps", simple("lies", proxy.name + "/lies:1", backoffSeconds=60))
        eventually(lambda: failure("lies"), 60, "a failure of lies")
        asked = [each[1] for each in proxy.seen]
        equal(len(asked), len(set(asked)), "questions that were asked twice in %s" % asked)
        ends("lies")


@test
def silence():
    """a pull from a registry that falls silent goes with its app, and leaves nothing"""
    before = downloads()
    with Proxy(REGISTRY) as proxy, Beside("a silent registry"):
        proxy.silence = True
        hold.deploy("POST", "/v2/apps", simple("silent", "%s/other%d:1" % (proxy.name, len(ILL))))
        eventually(lambda: any("/blobs/" in each[1] for each in proxy.seen), 30, "a question for a blob")
        time.sleep(1)
        ends("silent")
    eventually(lambda: not set(downloads()) - set(before), 30, "no downloads: %s" % downloads())


@test
def a_full_disk():
    """an image that does not fit is refused with the reason, others go on, and it is pulled when there is room"""
    place = node.data + "/images"
    other_image("large", 12 << 20)
    # The store moves to a disk that is almost full.
    small = os.path.join(hold.directory, "small")
    os.mkdir(small)
    used = int(subprocess.run(["du", "-sk", place], stdout=subprocess.PIPE, check=True).stdout.split()[0])
    mount("-t", "tmpfs", "-o", "size=%dk" % (used + (8 << 10)), "tmpfs", small)
    subprocess.run(["cp", "-a", place + "/.", small], check=True)
    mount("--bind", small, place)
    try:
        with Beside("a full disk"):
            hold.deploy("POST", "/v2/apps", simple("large", REGISTRY + "/large:1"))
            said = eventually(lambda: failure("large"), 90, "a failure")
            print("      full: %s" % said[:300])
            check("no space left" in said, "the reason is not in:", said)
            hold.deploy("POST", "/v2/apps", simple("fits", IMAGE))
            hold.well("/fits", 1)
            mount("-o", "remount,size=%dk" % (used + (100 << 10)), small)
            hold.well("/large", 1, seconds=120)
            ends("large")
            ends("fits")
        said = hold.tool("image", "list", "--data", node.data)
        check("large" in said, "the image is not listed:", said)
    finally:
        for each in (place, small):
            subprocess.run(["umount", "-l", each], check=True)


def mount(*words):
    subprocess.run(["mount", *words], check=True)


@test
def ill_services():
    """services that end at once, or whose health check fails, are started again ever more slowly"""
    with Beside("ill services"):
        began = time.monotonic()
        bad = dict(CHECK, command={"value": "false"}, gracePeriodSeconds=0, maxConsecutiveFailures=1)
        hold.deploy("POST", "/v2/apps", simple("storm", IMAGE, "exit 3", instances=5, healthChecks=[]))
        hold.deploy("POST", "/v2/apps", simple("unwell", IMAGE, instances=5, healthChecks=[bad]))
        time.sleep(30)
        counts = [launches("storm"), launches("unwell")]
        took = time.monotonic() - began
        print("      five instances in %.0f s: %d launches of those that end, %d of those unwell" % (took, *counts))
        check(all(5 <= each <= 5 * rounds(took) for each in counts), "launches", counts)
        ends("storm")
        ends("unwell")


@test
def endless_output():
    """a task that writes as fast as it can disturbs nobody, and its files stay bounded"""
    with Beside("nothing"):
        time.sleep(5)
    hold.deploy("POST", "/v2/apps", simple("loud", IMAGE, "exec cat /dev/zero"))
    try:
        hold.well("/loud", 1)
        with Beside("a gigabyte a second"):
            deadline = time.monotonic() + 12
            most = 0
            while time.monotonic() < deadline:
                most = max(most, sum(size(each) for each in glob.glob("%s/agent/work/*/loud.*/*/std*" % node.data)))
                time.sleep(0.2)
        print("      its files took %.1f MB at most" % (most / 1e6))
        check(1e6 < most < 50e6, "files took", most)
    finally:
        ends("loud")


def size(path):
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


@test
def the_end():
    """nothing of all that is left"""
    ends("well")
    hold.at_rest({})
    problem = node.stop()
    check(not problem, problem)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    hold = Hold(sys.argv[1])
    node = hold.machines[0]
    at_end(hold.end)
    try:
        hold.create()
        # Registries and their clients are all on the node's loopback.
        descriptor = os.open("/run/netns/" + hold.network.names[0], os.O_RDONLY | os.O_CLOEXEC)
        enter(descriptor)
        os.close(descriptor)
        result = run_tests(TESTS, sys.argv[2:], 250)
        hold.watch.stopped = True
    except BaseException:
        hold.end()
        raise
    finish(*result)
