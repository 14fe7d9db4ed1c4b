"""Questions to a name server, and a small server for the rest of the world, in as much of the DNS as tests need."""

import os
import socket
import struct
import threading

from netns import enter

A, AAAA, SRV = 1, 28, 33


def question(name, kind, number=7):
    labels = b"".join(bytes([len(part)]) + part.encode() for part in name.rstrip(".").split(".") if part)
    return struct.pack(">HHHHHH", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">HH", kind, 1)


def read_name(message, at):
    """A name, with dots, and where it ends."""
    labels, end, jumps = [], None, 0
    while True:
        length = message[at]
        if length >= 0xC0:
            end = end or at + 2
            at = struct.unpack(">H", message[at : at + 2])[0] & 0x3FFF
            jumps += 1
            assert jumps < 50
        elif length == 0:
            return ".".join(labels), end or at + 1
        else:
            labels.append(message[at + 1 : at + 1 + length].decode())
            at += 1 + length


def parse(message):
    """(code, answers): a set of addresses, or of (target, port)."""
    _, flags, questions, count, _, _ = struct.unpack(">HHHHHH", message[:12])
    at = 12
    for _ in range(questions):
        _, at = read_name(message, at)
        at += 4
    found = set()
    for _ in range(count):
        _, at = read_name(message, at)
        kind, _, _, length = struct.unpack(">HHIH", message[at : at + 10])
        at += 10
        data = message[at : at + length]
        if kind == A:
            found.add(socket.inet_ntop(socket.AF_INET, data))
        elif kind == AAAA:
            found.add(socket.inet_ntop(socket.AF_INET6, data))
        elif kind == SRV:
            found.add((read_name(message, at + 6)[0], struct.unpack(">H", data[4:6])[0]))
        at += length
    return flags & 15, found


def within_namespace(path, action):
    """The result of a function in another network namespace."""
    outcome = {}

    def run():
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
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


def ask(namespace, server, name, kind=A, port=53, timeout=3):
    """What a server says, asked from a namespace: (code, answers)."""

    def run():
        family = socket.AF_INET6 if ":" in server else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as one:
            one.settimeout(timeout)
            one.sendto(question(name, kind), (server, port))
            return parse(one.recv(4096))

    return within_namespace("/run/netns/" + namespace, run)


class World(threading.Thread):
    """Answers every question for an address of IPv4 with the same one; everything else with nothing. Runs where it is
    made."""

    ADDRESS = "192.0.2.7"

    def __init__(self, address):
        super().__init__(daemon=True)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.asked = []
        self.start()

    def run(self):
        while True:
            try:
                message, sender = self.socket.recvfrom(4096)
            except OSError:
                return
            try:
                name, end = read_name(message, 12)
                kind = struct.unpack(">H", message[end : end + 2])[0]
            except (IndexError, struct.error):
                continue
            self.asked.append(name)
            count = 1 if kind == A else 0
            header = message[:2] + struct.pack(">HHHHH", 0x8180, 1, count, 0, 0)
            record = b"\xc0\x0c" + struct.pack(">HHIH", A, 1, 5, 4) + socket.inet_aton(self.ADDRESS)
            self.socket.sendto(header + message[12 : end + 4] + record * count, sender)

    def stop(self):
        # A shutdown wakes who waits; a close alone does not.
        try:
            self.socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.socket.close()
