#!/usr/bin/env python3
"""rondo-init in a virtual machine: the channel's protocol from the host's side, by a second implementation of it.

    microvm_init.py RONDO_INIT [KERNEL_TREE]

Boots QEMU's microvm without KVM with Debian's stock cloud kernel. KERNEL_TREE is that kernel's package, unpacked; without
it the package is downloaded into .build/microvm. Needs QEMU, busybox, mke2fs, apt and dpkg; no root.
"""
import json
import os
import re
import socket
import struct
import subprocess
import sys
import tempfile
import time

KINDS = ("HELLO CONFIG READY START STARTED STDIN STDOUT STDERR EOF RESIZE SIGNAL EXIT CREDIT STATS FILE FILED CLOCK FREEZE "
         "FROZEN PING PONG FAULT END BYE").split()
NUMBER = {name: number for number, name in enumerate(KINDS, 1)}
WINDOW = 256 << 10
BUSYBOX = "/usr/bin/busybox" if os.path.exists("/usr/bin/busybox") else "/bin/busybox"
MODULES = ["virtio_mmio", "virtio_console", "virtio_blk", "virtio-rng"]


def kernel_tree():
    folder = os.path.abspath(".build/microvm")
    tree = os.path.join(folder, "tree")
    if not os.path.isdir(tree):
        os.makedirs(folder, exist_ok=True)
        depends = subprocess.run(["apt-cache", "depends", "linux-image-cloud-amd64"], capture_output=True, text=True,
                                 check=True).stdout
        package = re.search(r"Depends: (linux-image-\S+)", depends).group(1)
        subprocess.run(["apt-get", "download", package], cwd=folder, check=True, capture_output=True)
        [archive] = [name for name in os.listdir(folder) if name.endswith(".deb")]
        subprocess.run(["dpkg", "-x", os.path.join(folder, archive), tree + ".new"], check=True)
        os.rename(tree + ".new", tree)
    return tree


def modules_of(tree):
    """Paths of the modules in the order in which they can be loaded."""
    files = {}
    for folder, _, names in os.walk(os.path.join(tree, "lib/modules")):
        for name in names:
            if name.endswith(".ko"):
                files[name[:-3].replace("-", "_")] = os.path.join(folder, name)
    ordered = []

    def add(name):
        name = name.replace("-", "_")
        if name in ordered:
            return
        with open(files[name], "rb") as file:
            depends = re.search(rb"\0depends=([^\0]*)\0", file.read()).group(1).decode()
        for other in filter(None, depends.split(",")):
            add(other)
        ordered.append(name)

    for name in MODULES:
        add(name)
    return [files[name] for name in ordered]


def cpio(entries):
    """An initramfs: (name, mode, content) in the form that the kernel reads."""
    out = bytearray()
    for number, (name, mode, content) in enumerate(entries + [("TRAILER!!!", 0, b"")], 1):
        device = (5, 1) if name == "dev/console" else (0, 0)
        fields = [number, mode, 0, 0, 1, 0, len(content), 0, 0, *device, len(name) + 1, 0]
        out += b"070701" + b"".join(b"%08X" % field for field in fields) + name.encode() + b"\0"
        out += b"\0" * (-len(out) % 4) + content
        out += b"\0" * (-len(out) % 4)
    return bytes(out)


def initramfs(init, tree, path):
    entries = [(name, 0o40755, b"") for name in ("bin", "dev", "lib", "proc", "sys", "run", "tmp")]
    entries += [("dev/console", 0o20600, b""), ("init", 0o100755, open(init, "rb").read()),
                ("bin/busybox", 0o100755, open(BUSYBOX, "rb").read())]
    paths = modules_of(tree)
    for module in paths:
        entries.append(("lib/" + os.path.basename(module), 0o100644, open(module, "rb").read()))
    listing = "".join("/lib/" + os.path.basename(module) + "\n" for module in paths)
    entries.append(("modules", 0o100644, listing.encode()))
    with open(path, "wb") as file:
        file.write(cpio(entries))


def text(value):
    value = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<H", len(value)) + value


def words(values):
    packed = [value if isinstance(value, bytes) else value.encode() for value in values]
    return struct.pack("<H", len(packed)) + b"".join(struct.pack("<I", len(value)) + value for value in packed)


class Machine:
    def __init__(self, init, tree, folder, disk=None):
        self.folder = folder
        self.archive = os.path.join(folder, "guest.cpio")
        if not os.path.exists(self.archive):
            initramfs(init, tree, self.archive)
        [kernel] = [name for name in os.listdir(os.path.join(tree, "boot")) if name.startswith("vmlinuz")]
        listener = socket.socket(socket.AF_UNIX)
        path = os.path.join(folder, "ctl")
        listener.bind(path)
        listener.listen(1)
        with open("/proc/cpuinfo") as file:
            kilohertz = int(float(re.search(r"cpu MHz\s*: ([0-9.]+)", file.read()).group(1)) * 1000)
        self.serial = os.path.join(folder, "serial")
        self.memory = os.memfd_create("guest")
        os.ftruncate(self.memory, 128 << 20)
        os.set_inheritable(self.memory, True)
        line = ["qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-sandbox",
                "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny", "-accel", "tcg,tb-size=32",
                "-cpu", "qemu64,+rdrand", "-smp", "1", "-m", "128", "-object",
                f"memory-backend-file,id=m,size=128M,mem-path=/proc/self/fd/{self.memory},share=off", "-M",
                "microvm,acpi=on,pit=on,pic=on,x-option-roms=off,memory-backend=m", "-global",
                "virtio-mmio.force-legacy=false", "-kernel", os.path.join(tree, "boot", kernel), "-initrd", self.archive,
                "-append", "console=ttyS0 quiet reboot=t panic=-1 no_timer_check "
                f"tsc_early_khz={kilohertz} tsc=reliable", "-chardev", f"socket,id=ctl,path={path}", "-device",
                "virtio-serial-device,max_ports=4", "-device", "virtserialport,chardev=ctl,name=ctl"]
        if disk:
            line += ["-drive", f"if=none,id=d0,file={disk},format=raw,cache=writeback,werror=report,rerror=report",
                     "-device", "virtio-blk-device,drive=d0,serial=rootfs"]
        line += ["-device", "virtio-balloon-device,free-page-reporting=on", "-device", "virtio-rng-device", "-serial",
                 f"file:{self.serial}"]
        self.began = time.monotonic()
        self.process = subprocess.Popen(line, pass_fds=[self.memory])
        os.close(self.memory)
        listener.settimeout(10)
        self.channel, _ = listener.accept()
        listener.close()
        os.unlink(path)
        self.buffer = b""
        self.next = 1

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind is not None and os.path.exists(self.serial):
            sys.stderr.write(open(self.serial, "rb").read()[-3000:].decode(errors="replace"))
        self.channel.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)

    def send(self, kind, stream=0, payload=b""):
        self.channel.sendall(struct.pack("<IBI", len(payload), NUMBER[kind], stream) + payload)

    def receive(self, timeout=20):
        """The next frame; None when the channel is closed."""
        deadline = time.monotonic() + timeout
        while True:
            if len(self.buffer) >= 9:
                length, kind, stream = struct.unpack("<IBI", self.buffer[:9])
                if len(self.buffer) >= 9 + length:
                    payload, self.buffer = self.buffer[9:9 + length], self.buffer[9 + length:]
                    return KINDS[kind - 1], stream, payload
            self.channel.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                piece = self.channel.recv(1 << 20)
            except ConnectionResetError:
                # The machine went away with words of ours that it had not read.
                piece = b""
            if not piece:
                return None
            self.buffer += piece

    def expect(self, kind, stream=0, timeout=20):
        frame = self.receive(timeout)
        assert frame is not None and frame[:2] == (kind, stream), f"{kind} of {stream} was due, it was {frame}"
        return frame[2]

    def greet(self):
        version, uptime, clock = struct.unpack("<HQQ", self.expect("HELLO")[:18])
        assert version == 1, version
        return uptime, clock

    def renewal(self):
        return struct.pack("<Q", time.time_ns()) + text(os.urandom(64))

    def configure(self, disks=()):
        payload = text("guest-7") + self.renewal() + bytes([len(disks)])
        for serial, path, system, read_only in disks:
            payload += text(serial) + text(path) + bytes([system, read_only])
        self.send("CONFIG", 0, payload)
        self.expect("READY")

    def start(self, *arguments, terminal=None, environment=("PATH=/bin",), expect=True):
        stream, self.next = self.next, self.next + 1
        end = b"\0" if terminal is None else struct.pack("<BHH", 1, *terminal)
        self.send("START", stream, words(arguments) + words(environment) + text("/") + end)
        if expect:
            self.expect("STARTED", stream)
        return stream

    def finish(self, stream, terminal=False, credit=True, timeout=60):
        """All output of a process, and how it ended."""
        out = {"STDOUT": bytearray(), "STDERR": bytearray()}
        open_channels, end = ({1} if terminal else {1, 2}), None
        while open_channels or end is None:
            kind, number, payload = self.receive(timeout)
            if kind == "CREDIT":
                continue
            assert number == stream, (kind, number)
            if kind in out:
                out[kind] += payload
                if credit:
                    self.send("CREDIT", stream, struct.pack("<BI", 1 if kind == "STDOUT" else 2, len(payload)))
            elif kind == "EOF":
                open_channels.remove(payload[0])
            else:
                assert kind == "EXIT", kind
                end = ("signal" if payload[0] else "code", payload[1])
        return bytes(out["STDOUT"]), bytes(out["STDERR"]), end

    def run(self, *arguments):
        return self.finish(self.start(*arguments))

    def end(self, grace=1000):
        self.send("END", 0, struct.pack("<I", grace))


def shell(machine, script):
    return machine.run("/bin/busybox", "sh", "-c", script)


def life(machine):
    uptime, _ = machine.greet()
    print(f"  HELLO after {(time.monotonic() - machine.began) * 1000:.0f} ms, {uptime} ms of the guest's")
    machine.configure()
    assert machine.run("/bin/busybox", "echo", "hello") == (b"hello\n", b"", ("code", 0))
    assert shell(machine, "echo bad >&2; exit 7") == (b"", b"bad\n", ("code", 7))
    out, _, _ = shell(machine, "hostname; cat /proc/1/comm; date +%s")
    name, first, seconds = out.decode().split()
    assert (name, first) == ("guest-7", "init"), out
    assert abs(int(seconds) - time.time()) < 2, out


def signals(machine):
    stream = machine.start("/bin/busybox", "sleep", "1000")
    machine.send("SIGNAL", stream, bytes([15, 0]))
    assert machine.finish(stream)[2] == ("signal", 15)
    # The group, too: a shell and what it waits for.
    stream = machine.start("/bin/busybox", "sh", "-c", "sleep 1000; true")
    time.sleep(0.3)
    machine.send("SIGNAL", stream, bytes([9, 1]))
    assert machine.finish(stream)[2] == ("signal", 9)
    # What has ended is no error to speak of.
    machine.send("SIGNAL", stream, bytes([9, 0]))
    machine.send("STDIN", stream, b"late")


def credits(machine):
    total = 10 << 20
    stream = machine.start("/bin/busybox", "head", "-c", str(total), "/dev/zero")
    got = 0
    while got < WINDOW:
        got += len(machine.expect("STDOUT", stream))
    assert got == WINDOW, got
    # Nothing more without credit, and a ping is answered while the process waits.
    machine.send("PING", 0, b"12345678")
    assert machine.expect("PONG") == b"12345678"
    machine.channel.settimeout(0.5)
    try:
        piece = machine.channel.recv(1)
        raise AssertionError(f"{piece} came without credit")
    except socket.timeout:
        pass
    began = time.monotonic()
    machine.send("CREDIT", stream, struct.pack("<BI", 1, WINDOW))
    out, _, end = machine.finish(stream)
    assert end == ("code", 0) and got + len(out) == total, (end, got + len(out))
    print(f"  10 MiB of output at {(total - got) / (time.monotonic() - began) / 1e6:.0f} MB/s")


def stdin(machine):
    data = os.urandom(1 << 20)
    stream = machine.start("/bin/busybox", "sha256sum")
    sent, window = 0, WINDOW
    while sent < len(data):
        count = min(window, len(data) - sent, 65536)
        if count:
            machine.send("STDIN", stream, data[sent:sent + count])
            sent, window = sent + count, window - count
        else:
            payload = machine.expect("CREDIT", stream)
            window += struct.unpack("<BI", payload)[1]
    machine.send("EOF", stream, b"\0")
    import hashlib
    out, _, end = machine.finish(stream)
    assert out.split()[0].decode() == hashlib.sha256(data).hexdigest() and end == ("code", 0)
    # A process that reads nothing does not hold up who writes to it.
    stream = machine.start("/bin/busybox", "true")
    machine.send("STDIN", stream, b"x" * 65536)
    assert machine.finish(stream)[2] == ("code", 0)


def terminal(machine):
    stream = machine.start("/bin/busybox", "sh", "-c", "stty size; read line; stty size; tty; echo got $line",
                           terminal=(24, 80))
    out = b""
    while b"24 80" not in out:
        out += machine.expect("STDOUT", stream)
    machine.send("RESIZE", stream, struct.pack("<HH", 50, 132))
    machine.send("STDIN", stream, b"word\r")
    out, _, end = machine.finish(stream, terminal=True)
    assert b"50 132" in out and b"/dev/pts/" in out and b"got word" in out and end == ("code", 0), out
    # The end of input ends a line, the interrupt character ends the process.
    stream = machine.start("/bin/busybox", "cat", terminal=(24, 80))
    machine.send("EOF", stream, b"\0")
    assert machine.finish(stream, terminal=True)[2] == ("code", 0)
    stream = machine.start("/bin/busybox", "sleep", "1000", terminal=(24, 80))
    time.sleep(0.3)
    machine.send("STDIN", stream, b"\x03")
    assert machine.finish(stream, terminal=True)[2] == ("signal", 2)


def failures(machine):
    stream = machine.start("/bin/nothing", expect=False)
    code, = struct.unpack("<H", machine.expect("FAULT", stream)[:2])
    assert code == 2, code
    stream = machine.start("/modules", expect=False)
    code, = struct.unpack("<H", machine.expect("FAULT", stream)[:2])
    assert code == 13, code


def files_and_figures(machine):
    def piece(number, path, content, mode=0o400, continued=False, last=True):
        machine.send("FILE", 0, struct.pack("<IBBH", number, continued, last, mode) + text(path) + content)

    piece(1, "/run/secrets/key", b"s3", last=False)
    assert shell(machine, "ls /run/secrets/key")[2] == ("code", 1)
    piece(1, "/run/secrets/key", b"cret", continued=True)
    assert machine.expect("FILED") == struct.pack("<II", 1, 0)
    assert shell(machine, "cat /run/secrets/key; stat -c %a /run/secrets/key")[0] == b"s3cret400\n"
    piece(2, "/proc/nothing/x", b"x")
    assert struct.unpack("<II", machine.expect("FILED"))[1] != 0
    machine.send("STATS")
    uptime, busy, memory, available, processes = struct.unpack("<QQQQI", machine.expect("STATS"))
    assert 64 << 20 < memory < 128 << 20 and 0 < available < memory and uptime > 0 and busy > 0 and processes > 0
    print(f"  {(memory - available) >> 20} of {memory >> 20} MiB are in use")
    machine.send("CLOCK", 0, struct.pack("<Q", 2_000_000_000 * 10**9) + text(os.urandom(32)))
    assert abs(int(shell(machine, "date +%s")[0]) - 2_000_000_000) < 5


def orphans(machine):
    for _ in range(20):
        assert shell(machine, "(sleep 0.1 >/dev/null 2>&1 &); exit 0")[2] == ("code", 0)
    time.sleep(0.5)
    out, _, _ = shell(machine, "ps -o stat,comm | grep '^Z' | wc -l")
    assert out.strip() == b"0", out


def orderly_end(machine):
    stream = machine.start("/bin/busybox", "sh", "-c", "trap 'echo bye; exit 3' TERM; while :; do sleep 0.1; done")
    time.sleep(0.3)
    machine.end(5000)
    out, _, end = machine.finish(stream)
    assert end == ("code", 3) and out == b"bye\n", (out, end)
    machine.expect("BYE")
    assert machine.receive() is None
    assert machine.process.wait(10) == 0


def frozen(machine):
    machine.greet()
    machine.send("FREEZE")
    machine.expect("FROZEN")
    time.sleep(0.2)
    machine.send("CLOCK", 0, machine.renewal())
    _, clock = machine.greet()
    assert abs(clock / 1e9 - time.time()) < 1
    machine.configure([("rootfs", "/run/disk", 2, 0)])
    out, _, end = shell(machine, "cat /run/disk/word && echo more > /run/disk/other && sync")
    assert (out, end) == (b"from the host\n", ("code", 0)), (out, end)
    # One that does not end when it is asked is ended.
    stream = machine.start("/bin/busybox", "sh", "-c", "trap '' TERM; echo armed; while :; do sleep 1; done")
    assert machine.expect("STDOUT", stream) == b"armed\n"
    began = time.monotonic()
    machine.end(700)
    while (frame := machine.receive()) is not None:
        last = frame
    assert last[0] == "BYE" and 0.6 < time.monotonic() - began < 10
    assert machine.process.wait(10) == 0


def missing_disk(machine):
    machine.greet()
    payload = text("guest") + machine.renewal() + bytes([1]) + text("absent") + text("/run/x") + bytes([2, 1])
    machine.send("CONFIG", 0, payload)
    assert b"there is no disk absent" in machine.expect("FAULT")
    assert machine.process.wait(10) == 0


def hostile(machine):
    machine.greet()
    machine.configure()
    machine.send("START", 5, b"\xff" * 9)
    assert b"START cannot be read" in machine.expect("FAULT")
    assert machine.receive() is None
    assert machine.process.wait(10) == 0


def main():
    init = os.path.abspath(sys.argv[1])
    tree = os.path.abspath(sys.argv[2]) if len(sys.argv) > 2 else kernel_tree()
    passed = 0
    with tempfile.TemporaryDirectory(prefix="rondo-microvm-") as folder:
        with Machine(init, tree, folder) as machine:
            for case in (life, signals, credits, stdin, terminal, failures, files_and_figures, orphans, orderly_end):
                case(machine)
                passed += 1
                print(f"ok {case.__name__}", flush=True)
        content = os.path.join(folder, "content")
        os.mkdir(content)
        with open(os.path.join(content, "word"), "w") as file:
            file.write("from the host\n")
        disk = os.path.join(folder, "disk")
        subprocess.run(["mke2fs", "-q", "-t", "ext4", "-d", content, disk, "16M"], check=True,
                       capture_output=True)
        for case, use in ((frozen, disk), (missing_disk, None), (hostile, None)):
            with Machine(init, tree, folder, use) as machine:
                case(machine)
                passed += 1
                print(f"ok {case.__name__}", flush=True)
    print(f"{passed} passed")


main()
