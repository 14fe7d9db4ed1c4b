"""Containers on a terminal."""

import os
import subprocess

from harness import check, equal
from oci_bundle import case
from oci_console import Console, Terminal


def console_of(box, name="console"):
    console = Console(os.path.join(box.path, name))
    box.finally_do.append(console.close)
    return console


def on_terminal(box, script):
    bundle = box.bundle(script)
    bundle.process["terminal"] = True
    return bundle


@case
def console_socket(box):
    """a container's terminal comes over the console socket, and is its standard streams"""
    console = console_of(box)
    bundle = on_terminal(box, "for each in 0 1 2; do test -t $each && echo tty$each; done; tty; read x; echo got $x")
    bundle.create("--console-socket", console.path).ok()
    console.receive()
    bundle.start().ok()
    seen = console.read_until("tty2\r\n")
    check("tty0\r\ntty1\r\n" in seen, "the terminal shows", seen)
    check(console.read_until("\r\n").startswith("/dev/"), "tty names no device")
    console.type("a line\n")
    console.read_until("got a line")
    bundle.wait("stopped")


@case
def run_detached(box):
    """run --detach works with a console socket"""
    console = console_of(box)
    bundle = on_terminal(box, "echo hello; exec sleep 100")
    bundle.run("--detach", "--console-socket", console.path).ok()
    console.receive().read_until("hello")
    equal(bundle.state()["status"], "running", "status")


@case
def window_size(box):
    """the window has the configured size, and can be resized"""
    console = console_of(box)
    script = "trap 'echo changed; stty size' WINCH; echo first; stty size; while :; do sleep 0.05; done"
    bundle = on_terminal(box, script)
    bundle.process["consoleSize"] = {"height": 33, "width": 101}
    bundle.create("--console-socket", console.path).ok()
    console.receive()
    equal(console.size(), (33, 101), "size of the window")
    bundle.start().ok()
    console.read_until("33 101")
    console.resize(20, 60)
    console.read_until("20 60")


@case
def job_control(box):
    """the terminal controls the process: Ctrl-C interrupts, hanging up is told"""
    console = console_of(box)
    bundle = on_terminal(box, "trap 'echo interrupted' INT; trap 'exit 0' HUP; echo up; while :; do sleep 0.05; done")
    bundle.create("--console-socket", console.path).ok()
    console.receive()
    bundle.start().ok()
    console.read_until("up")
    console.type("\x03")
    console.read_until("interrupted")
    os.close(console.master)
    console.master = None
    bundle.wait("stopped")


@case
def console_device(box):
    """/dev/console is the container's terminal"""
    console = console_of(box)
    bundle = on_terminal(box, "echo by name >/dev/console; stat -c '%F %a' /dev/console; exec sleep 100")
    bundle.create("--console-socket", console.path).ok()
    console.receive()
    bundle.start().ok()
    seen = console.read_until("special file")
    check("by name\r\n" in seen, "the terminal shows", seen)


@case
def terminal_owner(box):
    """a user without rights owns the terminal"""
    console = console_of(box)
    bundle = on_terminal(box, "stat -c 'owner %u' $(tty); echo again >$(tty); exec sleep 100")
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.create("--console-socket", console.path).ok()
    console.receive()
    bundle.start().ok()
    check("owner 1000" in console.read_until("again"), "the owner is another")


@case
def wrong_sockets(box):
    """a terminal without a console socket, and the other way round, is refused by create"""
    check("console" in on_terminal(box, "true").create().refused().err, "the error does not speak of the console")
    console = console_of(box)
    box.bundle("true").create("--console-socket", console.path).refused()
    on_terminal(box, "true").create("--console-socket", os.path.join(box.path, "nosuchsocket")).refused()


@case
def foreground(box):
    """run passes its own terminal through, with its size, and puts it back as it was"""
    terminal = Terminal()
    box.finally_do.append(terminal.close)
    terminal.resize(31, 91)
    before = subprocess.run(["stty", "-g"], stdin=terminal.slave, stdout=subprocess.PIPE, check=True).stdout
    bundle = on_terminal(box, "stty size; read x; echo got $x; exit 5")
    bundle.save()
    process = subprocess.Popen(
        [*box.command, "--root", box.root, "run", "--bundle", bundle.path, bundle.id],
        stdin=terminal.slave,
        stdout=terminal.slave,
        stderr=terminal.slave,
        start_new_session=True,
    )
    terminal.read_until("31 91")
    terminal.type("words\r")
    terminal.read_until("got words")
    equal(process.wait(10), 5, "exit code")
    after = subprocess.run(["stty", "-g"], stdin=terminal.slave, stdout=subprocess.PIPE, check=True).stdout
    equal(after, before, "settings of the terminal")
