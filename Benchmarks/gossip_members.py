"""Members of a gossip, each in a process of its own on an address of its own: ours, memberlist's, and agents of serf.

All three are watched in the same way: each says on its standard output what it comes to believe, ours and memberlist's
in words of their own, serf in its log, and what is said is noted with the time at which it was read. Ours and
memberlist's take orders on standard input, serf over its RPC socket.
"""

import os
import re
import select
import signal
import socket
import subprocess
import time

WORDS = {b"Join": "joined", b"Update": "updated", b"Failed": "died"}
SERF_LINE = re.compile(rb"serf: EventMember(Join|Update|Failed): n(\d+)\b")
PLAIN_LINE = re.compile(rb"(ready|called|joined|updated|recovered|died)(?: (\d+))?$")


def address(index):
    return "127.1.%d.%d" % (index // 250, index % 250 + 1)


def packed(value):
    """As much of MessagePack as serf's RPC needs."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return b"\xce" + value.to_bytes(4, "big")
    if isinstance(value, str):
        return bytes([0xa0 | len(value)]) + value.encode()
    if isinstance(value, list):
        return bytes([0x90 | len(value)]) + b"".join(map(packed, value))
    return bytes([0x80 | len(value)]) + b"".join(packed(key) + packed(value[key]) for key in value)


class SerfCaller:
    """A connection to one agent. Answers are read when the next request is sent, or when they are waited for."""

    def __init__(self, host):
        self.connection = socket.create_connection((host, 7373), timeout=20)
        self.number = 0
        self.call("handshake", {"Version": 1})

    def send(self, command, body):
        self.connection.setblocking(False)
        try:
            self.connection.recv(65536)
        except BlockingIOError:
            pass
        self.connection.settimeout(20)
        self.number += 1
        self.connection.sendall(packed({"Command": command, "Seq": self.number}) + packed(body))

    def call(self, command, body):
        self.send(command, body)
        answer = b""
        while b"Error" not in answer or len(answer) <= answer.index(b"Error") + 5:
            answer += self.connection.recv(65536)
        if answer[answer.index(b"Error") + 5] != 0xa0:
            raise RuntimeError("serf refuses %s: %r" % (command, answer))


class Members:
    """The members and what they said. `beliefs` holds (time, observer, word, subject) in the order of reading."""

    def __init__(self, kind, count, program, preset):
        self.kind, self.count, self.program, self.preset = kind, count, program, preset
        self.beliefs = []
        self.ready, self.called = set(), set()
        # Observer, then the subjects that it believes to be there.
        self.present = [set() for _ in range(count)]
        # Word and subject, then the time at which each observer said so first, since `forget`.
        self.first = {}
        self.processes, self.callers, self.rest = {}, {}, {}
        self.poll = select.epoll()

    def command(self, index):
        if self.kind == "rondo":
            return [self.program, "--member", str(index), "--members", str(self.count), "--preset", self.preset]
        if self.kind == "memberlist":
            return [self.program, "member", str(index)]
        # The profile is the default; info is the first level at which beliefs are logged.
        return [self.program, "agent", "-node=n%d" % index, "-bind=%s:7946" % address(index),
                "-rpc-addr=%s:7373" % address(index), "-profile=lan", "-log-level=info"]

    def start(self):
        for index in range(self.count):
            process = subprocess.Popen(self.command(index), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, bufsize=0)
            self.processes[index], self.rest[index] = process, b""
            os.set_blocking(process.stdout.fileno(), False)
            self.poll.register(process.stdout.fileno(), select.EPOLLIN)
        self.descriptors = {process.stdout.fileno(): index for index, process in self.processes.items()}
        if not self.listen(90, lambda: len(self.ready) == self.count):
            raise RuntimeError("only %d of %d members of %s started" % (len(self.ready), self.count, self.kind))
        if self.kind == "serf":
            for index in range(self.count):
                self.callers[index] = SerfCaller(address(index))

    def listen(self, seconds, done=lambda: False):
        """Notes what is said until something is so, or the time is over; gives whether it is so."""
        end = time.monotonic() + seconds
        while not done():
            left = end - time.monotonic()
            if left <= 0:
                return False
            for descriptor, _ in self.poll.poll(left, 256):
                self.read(descriptor)
        return True

    def read(self, descriptor):
        index = self.descriptors[descriptor]
        try:
            text = os.read(descriptor, 1 << 16)
        except BlockingIOError:
            return
        now = time.monotonic()
        if not text:
            self.poll.unregister(descriptor)
            return
        lines = (self.rest[index] + text).split(b"\n")
        self.rest[index] = lines.pop()
        for line in lines:
            self.note(index, line, now)

    def note(self, observer, line, now):
        match = (SERF_LINE.search if self.kind == "serf" else PLAIN_LINE.match)(line)
        if not match:
            return
        word = WORDS[match[1]] if self.kind == "serf" else match[1].decode()
        subject = int(match[2]) if match[2] else observer
        if word == "called":
            self.called.add(observer)
        elif subject == observer:
            # An agent of serf announces itself to itself when it has started.
            self.ready.add(observer)
        else:
            if word == "died":
                self.present[observer].discard(subject)
            else:
                self.present[observer].add(subject)
            self.beliefs.append((now, observer, word, subject))
            self.first.setdefault((word, subject), {}).setdefault(observer, now)

    def forget(self, word, subject):
        self.first.pop((word, subject), None)

    def times(self, word, subject, start):
        return sorted(at - start for at in self.first.get((word, subject), {}).values())

    def order(self, index, line):
        self.processes[index].stdin.write(line.encode() + b"\n")

    def join(self, index):
        """Joins the first member and waits until that is done: for memberlist and serf when the call returns, for
        ours when the answer has come."""
        if self.kind == "serf":
            self.callers[index].call("join", {"Existing": [address(0) + ":7946"], "Replay": False})
            return
        self.order(index, "join " + address(0))
        done = self.called if self.kind == "memberlist" else None
        self.listen(10, lambda: index in done if done is not None else bool(self.present[index]))

    def update(self, index, number):
        if self.kind == "serf":
            self.callers[index].send("tags", {"Tags": {"round": str(number)}})
        else:
            self.order(index, "update %d" % number)

    def kill(self, index):
        process = self.processes.pop(index)
        process.kill()
        process.wait()

    def signal(self, index, number):
        self.processes[index].send_signal(number)

    def processor_seconds(self):
        """Of all together: with the threads that have ended, which the counters of single threads leave out."""
        ticks = 0
        for process in self.processes.values():
            with open("/proc/%d/stat" % process.pid) as file:
                ticks += sum(map(int, file.read().rpartition(")")[2].split()[11:13]))
        return ticks / os.sysconf("SC_CLK_TCK")

    def memory(self):
        """Proportional memory of all, in MiB."""
        total = 0
        for process in self.processes.values():
            with open("/proc/%d/smaps_rollup" % process.pid) as file:
                total += next(int(line.split()[1]) for line in file if line.startswith("Pss:"))
        return total / 1024

    def end(self):
        for process in self.processes.values():
            process.send_signal(signal.SIGCONT)
            process.kill()
        for process in self.processes.values():
            process.wait()
        self.processes = {}


def loopback():
    """Bytes and packets that the loopback interface of this network received."""
    with open("/proc/net/dev") as file:
        for line in file:
            words = line.split()
            if words[0] == "lo:":
                return int(words[1]), int(words[2])
    return 0, 0
