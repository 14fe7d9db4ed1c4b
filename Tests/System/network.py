"""Networks of containers: a host, a client and a router in namespaces of their own, containers as namespaces with a
process in them, and the network manager driven as an agent drives it.

    python3 Tests/System/network.py path/to/network-driver [WORD ...]

Needs root, iproute2 and nft, which are used to look at the result and never by the program itself.
"""

import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import TESTS, Failed, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from netns import enter, ip  # noqa: E402

CLIENT4, HOST4 = "198.51.100.2", "198.51.100.1"
CLIENT6, HOST6 = "2001:db8:51::2", "2001:db8:51::1"
IGNORED_SETTINGS = re.compile(
    r"nf_conntrack_(count|checksum)|random|neigh\.|dad_|\.stable_secret|use_tempaddr|mtu|\.lo\.|nf_log|statistics"
)


def inside(namespace, action):
    """The result of a function in another network namespace."""
    outcome = {}

    def run():
        descriptor = os.open("/run/netns/" + namespace, os.O_RDONLY | os.O_CLOEXEC)
        try:
            enter(descriptor)
            outcome["value"] = action()
        except BaseException as error:
            outcome["error"] = error
        finally:
            os.close(descriptor)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(30)
    if "error" in outcome:
        raise outcome["error"]
    return outcome.get("value")


def shell(namespace, line, timeout=15, expect=0):
    words = ["nsenter", "--net=/run/netns/" + namespace, "sh", "-c", line]
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=timeout)
    if expect is not None:
        equal(result.returncode, expect, "exit of '%s' (%s)" % (line, result.stdout[-300:]))
    return result.stdout


class Echo:
    """A server in a namespace that answers with its own name and where the caller seems to be."""

    def __init__(self, namespace, port, name, kind=socket.SOCK_STREAM):
        self.name, self.kind, self.isOver = name, kind, False
        self.socket = inside(namespace, lambda: self.listen(port))
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def listen(self, port):
        server = socket.socket(socket.AF_INET6, self.kind)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("::", port))
        server.settimeout(0.2)
        if self.kind == socket.SOCK_STREAM:
            server.listen(64)
        return server

    def serve(self):
        while not self.isOver:
            try:
                if self.kind == socket.SOCK_STREAM:
                    connection, peer = self.socket.accept()
                    with connection:
                        connection.sendall(self.words(peer))
                else:
                    _, peer = self.socket.recvfrom(2048)
                    self.socket.sendto(self.words(peer), peer)
            except socket.timeout:
                continue
            except OSError:
                break

    def words(self, peer):
        address = peer[0][7:] if peer[0].startswith("::ffff:") else peer[0]
        return ("%s %s" % (self.name, address)).encode()

    def close(self):
        self.isOver = True
        self.thread.join()
        self.socket.close()


def ask(namespace, address, port, kind=socket.SOCK_STREAM, source=0, wait=3):
    """(name of the server, address that it sees)"""

    def act():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, kind) as client:
            client.settimeout(wait)
            if source:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                client.bind(("::" if ":" in address else "0.0.0.0", source))
            client.connect((address, port))
            if kind == socket.SOCK_DGRAM:
                client.send(b"?")
            return tuple(client.recv(2048).decode().split(" "))

    return inside(namespace, act)


def reach(namespace, address, port=9):
    """Nobody listens there, which the other side says."""
    try:
        ask(namespace, address, port)
    except ConnectionRefusedError:
        return
    raise Failed("port %d of %s has an answer" % (port, address))


def refused(namespace, address, port, kind=socket.SOCK_STREAM):
    try:
        answer = ask(namespace, address, port, kind, wait=1)
    except OSError:
        return True
    raise Failed("%s port %d answered %s" % (address, port, answer))


class Driver:
    """The network manager in the host's namespace."""

    def __init__(self, name="one", host=None, **options):
        self.data, self.run = os.path.join(work, name), os.path.join(work, name + "-run")
        words = [driver_path, "--directory", self.data, "--run", self.run, "--node", "node-" + name]
        for key, value in options.items():
            words += ["--" + key, value]
        words = ["nsenter", "--net=/run/netns/" + (host or HOST), "--"] + words
        self.log = open(os.path.join(work, name + ".log"), "ab")
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self.log}
        self.process = subprocess.Popen(words, text=True, bufsize=1, **pipes)
        drivers.append(self)
        equal(self.read(), "ready", "first words of the driver")

    def read(self):
        line = self.process.stdout.readline()
        check(line, "the driver has ended")
        kind, _, rest = line.strip().partition(" ")
        if kind != "ok":
            raise Refused(rest)
        return rest

    def write(self, *words):
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()

    def do(self, *words):
        self.write(*words)
        return self.read()

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
        self.log.close()


class Refused(Failed):
    pass


class Container:
    def __init__(self, driver, name, *mappings, mode="bridge", driven=True):
        self.driver, self.name = driver, name
        self.path = "/run/netns/%s%s" % (PREFIX, name)
        self.namespace = PREFIX + name
        ip("netns", "add", self.namespace)
        containers.append(self)
        if driven:
            self.attach(mode, *mappings)

    def attach(self, mode="bridge", *mappings):
        words = self.driver.do("attach", self.name, self.path, mode, *mappings).split()
        self.interface, addresses, gateways, dns = words
        self.addresses = [each.split("/")[0] for each in addresses.split(",")]
        self.gateways = gateways.split(",")

    def running(self):
        return "%s=%s" % (self.name, self.path)

    def end(self):
        if self in containers:
            containers.remove(self)
            ip("netns", "delete", self.namespace, check=False)


def snapshot(namespace):
    """All that is set in a namespace's network, as text by kind."""
    links = shell(namespace, "ip -o link 2>/dev/null").splitlines()
    links = [re.sub(r"^\d+: ", "", line) for line in links]
    links = [re.sub(r"qdisc \S+|state \S+|link-netns\S* \S+|@if\d+|@\S+", "", line) for line in links]
    settings = shell(namespace, "sysctl -a 2>/dev/null | grep '^net'; true")
    return {
        "links": sorted(links),
        "addresses": sorted(re.sub(r"^\d+: |valid_lft.*", "", line) for line in shell(namespace, "ip -o addr").splitlines()),
        "routes": sorted(shell(namespace, "ip route show table all; ip -6 route show table all").splitlines()),
        "rules": shell(namespace, "nft -s list ruleset"),
        "settings": sorted(line for line in settings.splitlines() if not IGNORED_SETTINGS.search(line)),
    }


def unchanged(before, after):
    for kind, value in before.items():
        if value == after[kind]:
            continue
        if isinstance(value, list):
            gone, new = sorted(set(value) - set(after[kind])), sorted(set(after[kind]) - set(value))
            raise Failed("%s differ: gone %s, new %s" % (kind, gone[:8], new[:8]))
        raise Failed("%s differ: %s, before %s" % (kind, after[kind], value))


def ports():
    return [line.split()[1].split("@")[0] for line in shell(HOST, "ip -o link show type veth").splitlines()
            if " rv" in line]


def elements():
    """Number of published ports in the packet filter."""
    rules = json.loads(shell(HOST, "nft -j list ruleset"))["nftables"]
    return sum(len(each["map"].get("elem", [])) for each in rules if "map" in each)


@test
def addressed():
    """containers on the bridge have addresses of both families and reach each other and the host"""
    one, two = Container(driver, "a"), Container(driver, "b")
    equal(len(one.addresses), 2, "addresses of %s" % one.addresses)
    server = Echo(two.namespace, 8000, "two")
    try:
        for address, gateway, own in zip(two.addresses, two.gateways, one.addresses):
            reach(one.namespace, gateway)
            reach(one.namespace, address)
            equal(ask(one.namespace, address, 8000), ("two", own), "answer to a container")
            equal(ask(HOST, address, 8000), ("two", gateway), "answer to the host")
    finally:
        server.close()
    shell(one.namespace, "ip -o link show lo | grep -q LOOPBACK,UP")


@test
def as_nft_shows():
    """the packet filter's table is shown by nft as it was meant"""
    Container(driver, "shown", "18080:80:tcp")
    text = shell(HOST, "nft list ruleset")
    for line in (
        'iifname "rondo0" ip daddr 127.0.0.0/8 drop', "fib daddr type local jump published", "ip6 daddr ::1 return",
        "dnat ip to tcp dport map @tcp4", "dnat ip6 to udp dport map @udp6",
        'oifname != "rondo0" oifname != "lo" masquerade', 'oifname "rondo0" ct status dnat fib saddr type local masquerade',
        'oifname "rondo0" ct state established,related accept', 'oifname "rondo0" iifname != "rondo0" drop',
        "type inet_service : ipv4_addr . inet_service", "type nat hook postrouting priority srcnat",
        "elements = { 18080 : ",
    ):
        check(line in text, "nft does not show", line, "in", text)
    release("shown")


@test
def published():
    """a published port leads to its container, which sees the client's own address; nothing else is reached"""
    one = Container(driver, "web", "8080:80:tcp")
    server = Echo(one.namespace, 80, "web")
    other = Echo(one.namespace, 81, "hidden")
    try:
        equal(ask(CLIENT, HOST4, 8080), ("web", CLIENT4), "answer over IPv4")
        equal(ask(CLIENT, HOST6, 8080), ("web", CLIENT6), "answer over IPv6")
        # A client that knows the way does not get in beside the published ports.
        ip("-n", CLIENT, "route", "add", one.addresses[0] + "/32", "via", HOST4)
        ip("-n", CLIENT, "-6", "route", "add", one.addresses[1] + "/128", "via", HOST6)
        for address in one.addresses:
            refused(CLIENT, address, 81)
            refused(CLIENT, address, 80)
        refused(CLIENT, HOST4, 81)
    finally:
        server.close()
        other.close()


@test
def hairpin():
    """published ports are reached from the host itself, from the container itself and from its neighbours"""
    one, two = find("web"), Container(driver, "neighbour")
    server = Echo(one.namespace, 80, "web")
    try:
        for filtered in (0, 1):
            # With and without bridged packets passing the packet filter, where the kernel can do that.
            shell(HOST, "sysctl -qw net.bridge.bridge-nf-call-iptables=%d net.bridge.bridge-nf-call-ip6tables=%d"
                        % (filtered, filtered), expect=None)
            for address in (HOST4, HOST6, "127.0.0.1", *one.gateways):
                equal(ask(HOST, address, 8080)[0], "web", "answer to the host at %s" % address)
            for address in (HOST4, HOST6, *one.gateways):
                equal(ask(one.namespace, address, 8080)[0], "web", "answer to the container itself at %s" % address)
                equal(ask(two.namespace, address, 8080)[0], "web", "answer to a neighbour at %s" % address)
        # No answer would come back to there, so that nothing is sent: who tries it first goes on at once.
        reach(HOST, "::1", 8080)
    finally:
        server.close()


@test
def loopback_is_the_hosts():
    """a container does not reach what listens on the host's loopback"""
    one = find("web")
    server = inside(HOST, lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    server.bind(("127.0.0.1", 7007))
    server.settimeout(0.5)
    bridge = shell(HOST, "ip -o link show rondo0").split("link/ether ")[1].split()[0]

    def send():
        # No socket for addresses sends this; one for frames does.
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as frames:
            frames.bind(("eth0", 0))
            own = frames.getsockname()[4]
            head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 33, 1, 0, 64, 17, 0,
                               socket.inet_aton(one.addresses[0]), socket.inet_aton("127.0.0.1"))
            words = sum(struct.unpack(">10H", head))
            head = head[:10] + struct.pack(">H", ~((words & 0xFFFF) + (words >> 16)) & 0xFFFF) + head[12:]
            target = bytes.fromhex(bridge.replace(":", ""))
            frames.send(target + own + b"\x08\x00" + head + struct.pack(">HHHH", 7008, 7007, 13, 0) + b"knock")

    def arrives():
        inside(one.namespace, send)
        try:
            return server.recv(64) == b"knock"
        except socket.timeout:
            return False

    try:
        check(not arrives(), "it reaches what listens on the host's loopback")
        # It is the guard that holds it back, nothing else.
        shell(HOST, "nft flush chain inet rondo0 guard")
        check(arrives(), "it is not the guard that holds it back")
        driver.do("reconcile", *[each.running() for each in containers])
        check(not arrives(), "it reaches the host's loopback after a reconciliation")
    finally:
        server.close()


@test
def datagrams():
    """UDP is published too, and a client that goes on sending reaches the container that has the port now"""
    one = Container(driver, "first", "5300:53:udp")
    server = Echo(one.namespace, 53, "first", socket.SOCK_DGRAM)
    for address, seen in ((HOST4, CLIENT4), (HOST6, CLIENT6)):
        equal(ask(CLIENT, address, 5300, socket.SOCK_DGRAM, source=4444), ("first", seen), "answer at %s" % address)
    server.close()
    release("first")
    two = Container(driver, "second", "5300:53:udp")
    server = Echo(two.namespace, 53, "second", socket.SOCK_DGRAM)
    try:
        for address, seen in ((HOST4, CLIENT4), (HOST6, CLIENT6)):
            equal(
                ask(CLIENT, address, 5300, socket.SOCK_DGRAM, source=4444), ("second", seen), "answer at %s" % address)
    finally:
        server.close()
        release("second")


@test
def outgoing():
    """what containers send to the outside comes from the host's address"""
    one = find("web")
    server = Echo(CLIENT, 9090, "outside")
    try:
        equal(ask(one.namespace, CLIENT4, 9090), ("outside", HOST4), "answer over IPv4")
        equal(ask(one.namespace, CLIENT6, 9090), ("outside", HOST6), "answer over IPv6")
    finally:
        server.close()


@test
def refusals():
    """a request that cannot be met is refused with a reason, and leaves nothing"""
    before = (ports(), elements())
    one = Container(driver, "refused", driven=False)
    listener = inside(HOST, lambda: socket.create_server(("0.0.0.0", 7100)))
    for mappings, words in (
        (["8080:80:tcp"], "container web has it"), (["7100:80:tcp"], "a process of this host listens"),
        (["0:80:tcp"], "0 is not a port"), (["7200:80:tcp", "7200:81:tcp"], "twice"),
    ):
        try:
            one.attach("bridge", *mappings)
            raise Failed("%s was taken" % mappings)
        except Refused as error:
            check(words in str(error), mappings, "was refused with", error)
    listener.close()
    for name, path, mode in ((".x", one.path, "bridge"), ("a/b", one.path, "bridge"), ("c", "/nonexistent", "bridge")):
        try:
            driver.do("attach", name, path, mode)
            raise Failed("%s was taken" % name)
        except Refused:
            pass
    equal((ports(), elements()), before, "ports and elements")
    equal(driver.do("attach", "refused", one.path, "none"), "- - - -", "answer for no network")
    reach(one.namespace, "127.0.0.1")
    one.end()


@test
def repeated():
    """attaching again changes nothing; detaching twice is fine; an address is not used again at once"""
    one = Container(driver, "again", "8181:80:tcp")
    before, addresses = snapshot(HOST), one.addresses
    one.attach("bridge", "8181:80:tcp")
    equal(one.addresses, addresses, "addresses")
    unchanged(before, snapshot(HOST))
    driver.do("detach", "again")
    driver.do("detach", "again")
    one.attach("bridge", "8181:80:tcp")
    check(one.addresses != addresses, "the same address was given out at once")
    release("again")


@test
def killed():
    """an agent that is killed in the middle of anything leaves what the next one puts right"""
    global driver
    kept = [each for each in containers if each.driver is driver]
    for number in range(20):
        name = "k%d" % number
        one = Container(driver, name, driven=False)
        driver.write("attach", name, one.path, "bridge", "%d:80:tcp" % (9000 + number), "%d:80:udp" % (9000 + number))
        time.sleep(0.0004 * number)
        if number % 2:
            driver.write("detach", name)
        driver.kill()
        driver = Driver()
        report = driver.do("reconcile", *[each.running() for each in kept])
        check("problems=[]" in report, report)
        equal(len(ports()), len(kept), "ports after killing number %d (%s)" % (number, report))
        equal(elements(), 2, "published ports after killing number %d (%s)" % (number, report))
        equal(len(os.listdir(os.path.join(driver.data, "attachments"))), len(kept), "files")
        one.end()
    for each in kept:
        each.driver = driver
    check("repairs=[]" in driver.do("reconcile", *[each.running() for each in kept]), "still something to repair")


@test
def rebuilt():
    """what others have removed or changed is put back, with the containers running"""
    one = find("web")
    kept = [each.running() for each in containers]
    for line in (
        "nft delete table inet rondo0", "nft flush chain inet rondo0 published", "ip link del rondo0",
        "nft add element inet rondo0 tcp4 '{ 6000 : 10.9.9.9 . 80 }'; nft delete element inet rondo0 tcp4 '{ 8080 }'",
        "nft add rule inet rondo0 forward drop", "ip addr flush dev rondo0", "ip link set rondo0 down",
        "ip link set $(ls /sys/class/net >/dev/null; ip -o link show master rondo0 | head -1 | cut -d: -f2 | cut -d@ -f1)"
        " nomaster", "ip link add stray type veth peer name stray1; ip link set stray master rondo0",
    ):
        shell(HOST, line)
        report = driver.do("reconcile", *kept)
        check("repairs=[]" not in report and "problems=[]" in report, "after", line, report)
        server = Echo(one.namespace, 80, "web")
        try:
            for address in (HOST4, HOST6):
                equal(ask(CLIENT, address, 8080)[0], "web", "answer at %s after %s" % (address, line))
            refused(CLIENT, HOST4, 6000)
        finally:
            server.close()
    ip("-n", one.namespace, "route", "flush", "default")
    ip("-n", one.namespace, "addr", "flush", "dev", "eth0", "scope", "global")
    driver.do("reconcile", *kept)
    reach(one.namespace, CLIENT4)
    reach(one.namespace, CLIENT6)


class Resolver:
    """A name server of the outside: answers questions by what their first label asks for."""

    def __init__(self, namespace, address):
        self.asked, self.sources, self.isOver = [], set(), False
        self.packets = inside(namespace, lambda: self.bind(address, socket.SOCK_DGRAM))
        self.streams = inside(namespace, lambda: self.bind(address, socket.SOCK_STREAM))
        self.threads = [threading.Thread(target=each, daemon=True) for each in (self.serve, self.accept)]
        for each in self.threads:
            each.start()

    @staticmethod
    def bind(address, kind):
        server = socket.socket(socket.AF_INET, kind)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind((address, 5353))
        server.settimeout(0.2)
        if kind == socket.SOCK_STREAM:
            server.listen(8)
        return server

    def answer(self, question, isStream):
        label = question[13 : 13 + question[12]].decode()
        self.asked.append((label, isStream))
        end = question.index(b"\0", 12) + 5
        if label == "silent":
            return []
        record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x09\x09\x09\x09"
        if label == "big":
            if not isStream:
                return [question[:2] + b"\x83\x80" + question[4:6] + b"\0\0\0\0\0\0" + question[12:end]]
            return [question[:2] + b"\x81\x80\0\1\x01\0\0\0\0\0" + question[12:end] + 256 * record]
        whole = b"\x81\x80\0\1\0\1\0\0\0\0" + question[12:end] + record
        if label == "forged":
            return [b"\0\0" + whole, question[:2] + whole.replace(b"forged", b"FORGET"), b"\x01", question[:2] + whole]
        if label == "broken":
            return [question[:2] + b"\x81\x82" + question[4:6] + b"\0\0\0\0\0\0" + question[12:end]]
        return [question[:2] + whole]

    def serve(self):
        while not self.isOver:
            try:
                question, peer = self.packets.recvfrom(4096)
            except socket.timeout:
                continue
            self.sources.add((peer[1], question[:2]))
            for each in self.answer(question, False):
                self.packets.sendto(each, peer)

    def accept(self):
        while not self.isOver:
            try:
                connection, _ = self.streams.accept()
            except socket.timeout:
                continue
            with connection:
                connection.settimeout(2)
                question = connection.recv(4096)[2:]
                for each in self.answer(question, True):
                    connection.sendall(len(each).to_bytes(2, "big") + each)

    def close(self):
        self.isOver = True
        for each in self.threads:
            each.join()
        self.packets.close()
        self.streams.close()


def question(name, kind=1, number=0x4242):
    labels = b"".join(bytes([len(each)]) + each.encode() for each in name.split("."))
    return number.to_bytes(2, "big") + b"\1\0\0\1\0\0\0\0\0\0" + labels + b"\0" + kind.to_bytes(2, "big") + b"\0\1"


def resolve(namespace, server, name, kind=1, stream=False, wait=4):
    """(code, whether it is cut, number of answers, the last bytes of the first answer's data)"""

    def act():
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM if stream else socket.SOCK_DGRAM) as client:
            client.settimeout(wait)
            client.connect((server, 53))
            sent = question(name, kind)
            if not stream:
                client.send(sent)
                return sent, client.recv(65535)
            client.sendall(len(sent).to_bytes(2, "big") + sent)
            answer = b""
            while len(answer) < 2 or len(answer) < 2 + int.from_bytes(answer[:2], "big"):
                chunk = client.recv(65535)
                check(chunk, "the stream has ended")
                answer += chunk
            return sent, answer[2:]

    sent, answer = inside(namespace, act)
    equal(answer[:2], sent[:2], "number of the answer")
    count = int.from_bytes(answer[6:8], "big")
    data = answer[len(sent) + 12 :] if count else b""
    return answer[3] & 15, bool(answer[2] & 2), count, data


def address_of(*words, **options):
    code, _, count, data = resolve(*words, **options)
    equal((code, count), (0, 1), "code and number of answers")
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


@test
def names():
    """containers get names answered by their node over both families, UDP and TCP, by the table of the moment"""
    global resolver
    one = Container(driver, "named")
    resolver = Resolver(CLIENT, CLIENT4)
    text = os.path.join(work, "resolv.conf")
    with open(text, "w") as file:
        file.write("nameserver %s\nnameserver %s\n" % (one.gateways[0], CLIENT4))
    pools = "172.16.0.0/12,fc00::/7"
    equal(driver.do("serve", ",".join(one.gateways), pools, text, "5353"), "53", "port")
    for server in one.gateways:
        equal(resolve(one.namespace, server, "web.marathon.mesos")[0], 3, "code before there is a table")
    driver.do("table", "master=192.0.2.1,2001:db8::1", "web=172.30.0.2,fd00::2")
    for server in one.gateways:
        for stream in (False, True):
            equal(address_of(one.namespace, server, "web.marathon.mesos", stream=stream), "172.30.0.2", "address")
            equal(address_of(one.namespace, server, "Leader.MESOS", 28, stream=stream), "2001:db8::1", "address")
            equal(address_of(HOST, server, "web.rondo", 28, stream=stream), "fd00::2", "address asked by the host")
            equal(resolve(one.namespace, server, "_http._tcp.web.marathon.mesos", 33, stream=stream)[2], 1, "services")
    driver.do("table", "master=192.0.2.1", "web=172.30.0.3")
    equal(address_of(one.namespace, one.gateways[0], "web.marathon.mesos"), "172.30.0.3", "address after a change")
    equal(resolve(one.namespace, one.gateways[0], "web.rondo", 28)[:3], (0, False, 0), "what is gone")


@test
def names_by_library():
    """a program in a container resolves names through its resolv.conf"""
    one = find("named")
    path = os.path.join(work, "container-resolv.conf")
    with open(path, "w") as file:
        file.write("nameserver %s\noptions timeout:3\n" % one.gateways[0])
    line = "mount --bind %s /etc/resolv.conf && getent ahosts web.marathon.mesos && getent ahostsv4 plain.example"
    text = shell(one.namespace, "unshare -m sh -c '%s'" % (line % path))
    check("172.30.0.3" in text and "9.9.9.9" in text, "getent says", text)


@test
def names_of_others():
    """names of others are asked of the host's resolvers, forgeries passed over, failures told in time"""
    one = find("named")
    server = one.gateways[0]
    equal(address_of(one.namespace, server, "plain.example"), "9.9.9.9", "address")
    equal(address_of(one.namespace, server, "forged.example"), "9.9.9.9", "address beside forged answers")
    equal(resolve(one.namespace, server, "big.example")[:3], (0, True, 0), "an answer that is cut")
    equal(resolve(one.namespace, server, "big.example", stream=True)[:3], (0, False, 256), "the whole of it")
    for name in ("silent.example", "broken.example"):
        began = time.monotonic()
        equal(resolve(one.namespace, server, name)[0], 2, "code for " + name)
        check(time.monotonic() - began < 2, name, "took", time.monotonic() - began, "s")
    before = len(resolver.sources)
    for number in range(40):
        address_of(one.namespace, server, "n%d.example" % number)
    ports, numbers = zip(*list(resolver.sources))
    check(len(set(ports)) > 30 and len(set(numbers)) > 30 and len(resolver.sources) >= before + 40,
          "ports and numbers that repeat:", len(set(ports)), len(set(numbers)))


@test
def names_for_ours_only():
    """strangers get no answer, floods and half questions disturb nobody"""
    one = find("named")
    ip("-n", CLIENT, "route", "add", one.gateways[0] + "/32", "via", HOST4)
    try:
        resolve(CLIENT, one.gateways[0], "web.marathon.mesos", wait=1)
        raise Failed("a stranger got an answer")
    except OSError:
        pass

    def flood():
        streams = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect((one.gateways[0], 53))
            for number in range(3000):
                client.send(question("silent%d.silent" % number))
                client.send(os.urandom(number % 300))
        for _ in range(40):
            stream = socket.create_connection((one.gateways[0], 53), 2)
            stream.sendall(b"\0\x50half")
            streams.append(stream)
        return streams

    held = inside(find("web").namespace if "web" in [each.name for each in containers] else HOST, flood)
    for _ in range(20):
        # Packets are lost in a flood; who asks asks again.
        eventually(lambda: address_of(one.namespace, one.gateways[0], "web.marathon.mesos", wait=1), 5, "an answer")
    equal(address_of(one.namespace, one.gateways[1], "plain.example", stream=True), "9.9.9.9", "address over a stream")
    for each in held:
        each.close()
    began, count = time.monotonic(), 2000

    def many():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(2)
            client.connect((one.gateways[0], 53))
            sent = question("web.marathon.mesos")
            for _ in range(count):
                client.send(sent)
                client.recv(2048)

    inside(one.namespace, many)
    print("      %.0f us for a question and its answer" % ((time.monotonic() - began) / count * 1e6))
    resolver.close()
    release("named")

@test
def two_agents():
    """two agents of one machine have a bridge and networks each, and reach each other's published ports"""
    second = Driver("two")
    one = find("web")
    two = Container(second, "other", "8282:80:tcp")
    check(two.gateways != one.gateways, "both have", two.gateways)
    servers = [Echo(one.namespace, 80, "web"), Echo(two.namespace, 80, "other")]
    try:
        equal(ask(CLIENT, HOST4, 8282), ("other", CLIENT4), "answer of the second")
        equal(ask(two.namespace, HOST4, 8080)[0], "web", "answer of the first to the second")
        equal(ask(one.namespace, HOST6, 8282)[0], "other", "answer of the second to the first")
        for address in one.addresses:
            refused(two.namespace, address, 80)
    finally:
        for each in servers:
            each.close()
    before = snapshot(HOST)["settings"]
    equal(second.do("purge"), "[]", "problems of a purge")
    two.end()
    second.kill()
    unchanged({"settings": [each for each in before if "rondo1" not in each and ".rv" not in each]},
              {"settings": [each for each in snapshot(HOST)["settings"] if ".rv" not in each]})
    server = Echo(one.namespace, 80, "web")
    equal(ask(CLIENT, HOST4, 8080)[0], "web", "answer after the purge of another")
    server.close()


@test
def many():
    """a hundred containers are attached and detached, and nothing is left of them"""
    before = snapshot(HOST)
    names = ["m%d" % number for number in range(100)]
    paths = {name: driver.do("namespace", name) for name in names}
    began = time.monotonic()
    for number, name in enumerate(names):
        driver.do("attach", name, paths[name], "bridge", "%d:80:tcp" % (20000 + number))
    attached = time.monotonic()
    addresses = [driver.do("attach", name, paths[name], "bridge", "%d:80:tcp" % (20000 + number))
                 for number, name in enumerate(names)]
    equal(len(set(addresses)), 100, "different addresses")
    again = time.monotonic()
    report = driver.do("reconcile", *[each.running() for each in containers],
                       *["%s=%s" % (name, paths[name]) for name in names])
    reconciled = time.monotonic()
    check("repairs=[] problems=[]" in report, report)
    for name in names:
        driver.do("detach", name)
    detached = time.monotonic()
    for name in names:
        driver.do("drop", name)
    print("      100 containers: attach %.2f ms, again %.2f ms, detach %.2f ms each; reconcile %.0f ms for all" % (
        (attached - began) * 10, (again - attached) * 10, (detached - reconciled) * 10, (reconciled - again) * 1000))
    equal(os.listdir(driver.run), [], "mounted namespaces")
    unchanged(before, snapshot(HOST))


@test
def namespaces_end():
    """a container whose namespace is torn down leaves nothing that outlives the next reconciliation"""
    path = driver.do("namespace", "torn")
    driver.do("attach", "torn", path, "bridge", "8383:80:tcp")
    driver.do("drop", "torn")
    eventually(lambda: len(ports()) == len(containers), 5, "the interface to go")
    report = driver.do("reconcile", *[each.running() for each in containers])
    check("problems=[]" in report, report)
    equal(elements(), 2, "published ports")


@test
def purged():
    """a purge leaves links, addresses, routes, rules and settings as they were before"""
    equal(driver.do("purge"), "[]", "problems")
    for each in list(containers):
        each.end()
    unchanged(untouched, snapshot(HOST))
    equal(os.listdir(driver.data), [], "files")
    equal(driver.do("purge"), "[]", "problems of another purge")
    Container(driver, "anew")
    equal(driver.do("purge"), "[]", "problems after beginning anew")
    find("anew").end()
    unchanged(untouched, snapshot(HOST))


PLUGINS = os.environ.get("RONDO_CNI_PLUGINS", "/usr/lib/cni")


@test
def plugins():
    """a network of a CNI configuration is made by its plugins, checked, and removed with the container"""
    if not os.path.exists(PLUGINS + "/bridge"):
        raise Skipped("no plugins in " + PLUGINS)
    folder = os.path.join(work, "cni")
    os.mkdir(folder)
    ipam = {"type": "host-local", "dataDir": os.path.join(work, "ipam"), "ranges": [
        [{"subnet": "10.99.0.0/24"}], [{"subnet": "fd99::/64"}]], "routes": [{"dst": "0.0.0.0/0"}, {"dst": "::/0"}]}
    # Translating addresses, these plugins call iptables.
    chain = [
        {"type": "bridge", "bridge": "cni0", "isGateway": True, "ipMasq": bool(shutil.which("iptables")), "hairpinMode": True, "ipam": ipam,
         "dns": {"nameservers": ["10.99.0.1"]}},
        {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.arp_notify": "1"}},
    ]
    with open(folder + "/10-blue.conflist", "w") as file:
        json.dump({"cniVersion": "1.0.0", "name": "blue", "plugins": chain}, file)
    with open(folder + "/20-broken.conf", "w") as file:
        json.dump({"cniVersion": "1.0.0", "name": "broken", "type": "nothing-like-this"}, file)
    one = Container(driver_with_plugins(), "p", mode="blue")
    check(one.addresses[0].startswith("10.99.0.") and one.addresses[1].startswith("fd99:"), one.addresses)
    reach(one.namespace, one.gateways[0])
    report = one.driver.do("reconcile", one.running())
    check("problems=[]" in report, "CHECK has failed:", report)
    ip("-n", one.namespace, "addr", "flush", "dev", "eth0")
    check("CHECK" in one.driver.do("reconcile", one.running()), "CHECK has not failed")
    report = one.driver.do("reconcile")
    check("problems=[]" in report and "does not run" in report, report)
    check("eth0" not in shell(one.namespace, "ip -o link"), "the interface is still there")
    for mode, words in (("broken", "there is no plugin nothing-like-this"), ("red", "no network is called red")):
        try:
            one.attach(mode)
            raise Failed("%s was taken" % mode)
        except Refused as error:
            check(words in str(error), mode, "was refused with", error)
    equal(os.listdir(one.driver.data + "/attachments"), [], "files")
    one.end()


@test
def hostile_plugins():
    """a plugin that hangs, floods or answers nonsense is ended, and what was done before it is undone"""
    folder, programs = os.path.join(work, "cni"), os.path.join(work, "programs")
    os.makedirs(folder, exist_ok=True)
    os.mkdir(programs)
    log = os.path.join(work, "calls")
    bodies = {
        "good": 'echo "$CNI_COMMAND good" >>%s; [ $CNI_COMMAND = DEL ] || echo \'{"cniVersion":"1.0.0"}\'' % log,
        "hangs": '[ $CNI_COMMAND = DEL ] || { sleep 1000 & sleep 1000; }',
        "floods": '[ $CNI_COMMAND = DEL ] || yes',
        "nonsense": '[ $CNI_COMMAND = DEL ] || echo "]]"',
        "fails": '[ $CNI_COMMAND = DEL ] || { echo \'{"code":7,"msg":"no more","details":"of this"}\'; exit 1; }',
        "lies": '[ $CNI_COMMAND = DEL ] || echo \'{"ips":[{"address":"1.2.3/99"}]}\'',
    }
    for name, body in bodies.items():
        with open(os.path.join(programs, name), "w") as file:
            file.write("#!/bin/sh\ncat >/dev/null\n%s\n" % body)
        os.chmod(os.path.join(programs, name), 0o755)
        with open("%s/30-%s.conflist" % (folder, name), "w") as file:
            plugins = [{"type": "good"}, {"type": name}]
            json.dump({"cniVersion": "1.0.0", "name": "net-" + name, "plugins": plugins}, file)
    own = Driver("hostile", cni=folder, plugins=programs)
    one = Container(own, "h", driven=False)
    for name, words in (("hangs", "took too long"), ("floods", "more than 1 MiB"), ("nonsense", "no JSON object"),
                        ("fails", "no more; of this"), ("lies", "an address that is none")):
        open(log, "w").close()
        try:
            one.attach("net-" + name)
            raise Failed("%s was taken" % name)
        except Refused as error:
            check(words in str(error), name, "was refused with", error)
        with open(log) as file:
            equal(file.read().split("\n")[:2], ["ADD good", "DEL good"], "calls beside " + name)
    equal(os.listdir(own.data + "/attachments"), [], "files")
    sleepers = subprocess.run(["pgrep", "-fx", "sleep 1000"], stdout=subprocess.PIPE).stdout
    equal(sleepers, b"", "processes that a plugin has left")
    one.end()
    own.kill()


def driver_with_plugins():
    return Driver("plugins", cni=os.path.join(work, "cni"), plugins=PLUGINS)


def find(name):
    return next(each for each in containers if each.name == name)


def release(name):
    one = find(name)
    one.driver.do("detach", name)
    one.end()


def build():
    for name in (HOST, CLIENT):
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    ip("-n", HOST, "link", "add", "uplink", "type", "veth", "peer", "name", "eth0", "netns", CLIENT)
    for name, link, four, six in ((HOST, "uplink", HOST4, HOST6), (CLIENT, "eth0", CLIENT4, CLIENT6)):
        ip("-n", name, "address", "add", four + "/24", "dev", link)
        ip("-n", name, "address", "add", six + "/64", "dev", link, "nodad")
        ip("-n", name, "link", "set", link, "up")
    # The host has rules of its own, which nobody may touch.
    shell(HOST, "nft add table ip mine; nft add chain ip mine keep '{ type filter hook input priority 0; }';"
                "nft add rule ip mine keep counter accept; ip route add default via %s;"
                "ip -6 route add default via %s" % (CLIENT4, CLIENT6))
    eventually(lambda: "tentative" not in shell(HOST, "ip -6 addr"), 5, "addresses")


def end():
    for each in drivers:
        if each.process.poll() is None:
            try:
                each.do("purge")
            except (Failed, OSError):
                pass
            each.kill()
    for each in list(containers):
        each.end()
    for name in (HOST, CLIENT):
        ip("netns", "delete", name, check=False)
    subprocess.run("umount %s/*-run/* 2>/dev/null" % work, shell=True)
    if os.environ.get("KEEP"):
        print("      kept: %s" % work)
    else:
        shutil.rmtree(work, ignore_errors=True)


def main():
    global driver_path, driver, drivers, containers, work, untouched, HOST, CLIENT, PREFIX
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: network.py path/to/network-driver [WORD ...]")
    missing = [each for each in ("ip", "nft", "nsenter", "sysctl") if not shutil.which(each)]
    if os.geteuid() != 0 or missing:
        sys.exit("networks of containers are tested as root, with iproute2, nft, nsenter and sysctl")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    driver_path = os.path.abspath(sys.argv[1])
    work = tempfile.mkdtemp(prefix="rondo-network-", dir="/var/tmp")
    PREFIX = "rn%d" % os.getpid()
    HOST, CLIENT = PREFIX + "host", PREFIX + "client"
    drivers, containers = [], []
    at_end(end)
    build()
    untouched = snapshot(HOST)
    driver = Driver()
    words = sys.argv[2:]
    if words:
        # These are what others stand on.
        words += ["a published port leads"]
    finish(*run_tests(TESTS, words, limit=120))


if __name__ == "__main__":
    main()
