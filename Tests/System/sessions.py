"""Commands in the containers of tasks, as people use them: `rondo task exec`, `attach`, `log` and `top`, and the calls
of Mesos' agent interface underneath.

    python3 Tests/System/sessions.py path/to/rondo [WORD ...]

Needs root. A cluster of `rondo dev` with one agent; terminals are pseudo terminals of this program.
"""

import base64
import fcntl
import hashlib
import http.client
import json
import os
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from dev_cluster import DevCluster  # noqa: E402
from harness import TESTS, Failed, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from mesos_client import Scheduler, command_task  # noqa: E402
from wire import get_json  # noqa: E402

# What the agent keeps of a task's output, in bytes for each of its files.
LOG_BYTES, LOG_FILES = 1 << 20, 3
# The command of the task that commands are run beside; nobody else's.
MAIN = "sleep %d" % (1_000_000 + os.getpid())


def words(*more):
    return [rondo, *more[:2], "--master", cluster.master, *more[2:]]


def run(*more, data=None, seconds=20):
    """Runs `rondo` and returns its exit code, output and errors."""
    done = subprocess.run(words(*more), input=data, stdin=None if data is not None else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=seconds)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def execute(*command, options=(), **more):
    return run("task", "exec", *options, "main", "--", *command, **more)


def processes(text):
    """Processes of this machine whose command line begins with a text."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                if file.read().replace(b"\0", b" ").startswith(text.encode()):
                    found.append(int(name))
        except OSError:
            pass
    return found


class Terminal:
    """A program on a terminal of its own, and the person before it."""

    def __init__(self, command, rows=24, columns=80, environment=None):
        self.master, slave = os.openpty()
        self.resize(rows, columns)
        self.before = termios.tcgetattr(slave)
        self.slave = slave

        def own():
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, preexec_fn=own,
            env=dict(environment or os.environ, TERM="vt220"))
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, text):
        os.write(self.master, text.encode())

    def expect(self, text, seconds=8):
        """Reads until a text has come, and forgets all before its end."""
        deadline = time.monotonic() + seconds
        while text.encode() not in self.seen:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise Failed("no %r on the terminal within %g s; seen %r" % (text, seconds, self.seen[-400:]))
            try:
                self.seen += os.read(self.master, 4096)
            except OSError:
                raise Failed("the terminal was closed before %r; seen %r" % (text, self.seen[-400:]))
        self.seen = self.seen.split(text.encode(), 1)[1]

    def end(self, seconds=8):
        """Waits for the program and returns its exit code."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise Failed("it did not end; seen %r" % self.seen[-400:])
        check(termios.tcgetattr(self.slave) == self.before, "the terminal was not put back as it was")
        return code


class Calls:
    """The agent's interface: at the master for one path, at the agent itself for another."""

    def __init__(self, address, path):
        self.address, self.path = address, path

    def post(self, call, headers=None, seconds=10):
        connection = http.client.HTTPConnection(self.address, timeout=seconds)
        body = call if isinstance(call, (bytes, str)) else json.dumps(call)
        connection.request("POST", self.path, body, dict({"Content-Type": "application/json"}, **(headers or {})))
        return connection.getresponse()

    def launch(self, name, *command, tty=None):
        description = {"container_id": nested(name), "command": {"shell": False, "value": command[0],
                                                               "arguments": list(command)}}
        if tty:
            description["container"] = {"type": "MESOS", "tty_info": tty}
        return self.post(
            {"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": description},
            {"Accept": "application/recordio", "Message-Accept": "application/json"})

    def named(self, kind, name):
        return self.post({"type": kind, kind.lower(): {"container_id": nested(name)}})

    def own(self, kind, place):
        """A call about the container of a task, by its directory."""
        return self.post({"type": kind, kind.lower(): {"container_id": own(place)}}, seconds=30)

    def feed(self, name, *records):
        """One ATTACH_CONTAINER_INPUT with these PROCESS_IO records."""
        return self.input(nested(name), *records)

    def type(self, place, *records):
        """The same for the container of a task; waits until all is typed."""
        answer = self.input(own(place), *records)
        answer.text = answer.read()
        return answer

    def input(self, container_id, *records):
        everything = [{"type": "CONTAINER_ID", "container_id": container_id}]
        everything += [{"type": "PROCESS_IO", "process_io": each} for each in records]
        body = b""
        for each in everything:
            text = json.dumps({"type": "ATTACH_CONTAINER_INPUT", "attach_container_input": each}).encode()
            body += b"%d\n%s" % (len(text), text)
        return self.post(
            body, {"Content-Type": "application/recordio", "Message-Content-Type": "application/json"})


def nested(name):
    return {"value": name, "parent": {"value": container}}


def stdin(data):
    return {"type": "DATA", "data": {"type": "STDIN", "data": base64.b64encode(data).decode()}}


def records(body):
    """The records of a body: (stream, bytes)."""
    found = []
    while body:
        length, body = body.split(b"\n", 1)
        record, body = json.loads(body[: int(length)]), body[int(length) :]
        equal(record["type"], "DATA", "type of a record")
        data = base64.b64decode(record["data"]["data"])
        check(data, "an empty record, which makes the command line of DC/OS break off")
        found.append((record["data"]["type"], data))
    return found


def of(found, stream):
    return b"".join(data for kind, data in found if kind == stream)


@test
def plain():
    """a command's output, errors and exit code come back"""
    code, output, errors = execute("sh", "-c", "echo out; echo err >&2; exit 7")
    equal((code, output, errors), (7, b"out\n", "err\n"), "code, output, errors")
    equal(execute("true")[0], 0, "code of true")
    equal(execute("sh", "-c", "kill -TERM $$")[0], 128 + 15, "code of a command that a signal ended")


@test
def inside():
    """a command runs where its task does: its directory, its processes, its limits"""
    code, output, _ = execute("sh", "-c", "pwd; ls stdout; ps -eo args; cat /proc/self/cgroup")
    text = output.decode()
    equal(code, 0, "code")
    check(text.startswith(directory + "\nstdout\n"), "another directory:", text[:200])
    check(MAIN in text, "the task's command is not seen:", text)
    check("rondo dev" not in text, "processes of the host are seen")
    check(container in text, "another control group:", text)


@test
def wrong():
    """what cannot be run is said, with what to do"""
    code, _, errors = execute("/no/such/program")
    check(code == 1 and "/no/such/program" in errors and "no such file" in errors.lower(), code, errors)
    code, _, errors = run("task", "exec", "nobody", "--", "true")
    check(code == 1 and "nobody" in errors, code, errors)
    code, _, errors = run("task", "exec", "main")
    check(code == 64 and "rondo task exec -it main -- sh" in errors, code, errors)
    code, _, errors = execute("sh", options=["-it"])
    check(code == 64 and "no terminal" in errors, code, errors)


@test
def piped():
    """input goes to the command as fast as it takes it, and comes back whole"""
    data = os.urandom(5 << 20)
    code, output, errors = execute("cat", options=["-i"], data=data)
    equal(code, 0, "code; " + errors)
    equal(hashlib.sha256(output).hexdigest(), hashlib.sha256(data).hexdigest(), "what came back")
    # What is not read is no reason to fail.
    code, output, errors = execute("head", "-c", "3", options=["-i"], data=data)
    equal((code, output), (0, data[:3]), "code and output; " + errors)
    # Without -i the command's input is at its end.
    equal(execute("cat")[:2], (0, b""), "code and output without input")


@test
def terminal():
    """with -t it is a real terminal: size, resize, Ctrl-C, exit code"""
    shell = Terminal(words("task", "exec", "-it", "main", "--", "sh"), 33, 101)
    shell.type("stty size; echo $TERM; tty\n")
    shell.expect("33 101\r\nvt220\r\n/dev/pts/")
    shell.resize(44, 55)
    shell.type("sleep 0.3; stty size\n")
    shell.expect("44 55\r\n")
    shell.type("sleep 98765\n")
    eventually(lambda: len(processes("sleep 98765")) == 1, 5, "the command that Ctrl-C is for")
    shell.type("\x03")
    eventually(lambda: not processes("sleep 98765"), 5, "the end of the command")
    shell.type("exit 5\n")
    equal(shell.end(), 5, "code")
    end = Terminal(words("task", "exec", "-it", "main", "--", "cat"))
    end.type("line\n")
    end.expect("line\r\nline\r\n")
    end.type("\x04")
    equal(end.end(), 0, "code after Ctrl-D")


@test
def detached():
    """Ctrl-P Ctrl-Q leaves a command running, and attach comes back to it"""
    shell = Terminal(words("task", "exec", "-it", "main", "--", "sh"))
    shell.type("echo be''gun; (sleep 1; echo mean''while) & :\n")
    shell.expect("begun\r\n")
    shell.type("\x10\x11")
    shell.expect("rondo task attach main ")
    equal(shell.end(), 0, "code")
    session = attach_name(shell)
    time.sleep(1.2)
    again = Terminal(words("task", "attach", "main", session))
    again.expect("meanwhile")
    again.type("exit 3\n")
    equal(again.end(), 3, "code")


def attach_name(terminal):
    """The session that was named when it was left."""
    while b" comes back" not in terminal.seen and select.select([terminal.master], [], [], 1)[0]:
        try:
            terminal.seen += os.read(terminal.master, 4096)
        except OSError:
            break
    return terminal.seen.decode().split("`")[0].split()[0]


@test
def abandoned():
    """a command ends with whoever watches it, and all that it has started too"""
    client = subprocess.Popen(
        words("task", "exec", "main", "--", "sh", "-c", "setsid sleep 76543 & sleep 76542 & sleep 76541"),
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: processes("sleep 76541") and processes("sleep 76542"), 8, "the commands")
    client.kill()
    client.wait()
    eventually(lambda: not processes("sleep 76541") and not processes("sleep 76542"), 5, "the end of the commands")
    for each in processes("sleep 76543"):  # a session of its own: the task's
        os.kill(each, signal.SIGKILL)


@test
def wire():
    """the calls of Mesos' agent interface do the same, through the master and at the agent itself"""
    agent = get_json(cluster.master, "/slaves")["slaves"][0]
    for number, calls in enumerate([
        Calls(cluster.master, "/slave/%s/api/v1" % agent["id"]),
        Calls(cluster.master, "/mesos/agent/%s/slave(1)/api/v1" % agent["id"]),
        Calls(agent["pid"].split("@")[1], "/api/v1"),
    ]):
        name = "plain-%d" % number
        answer = calls.launch(name, "sh", "-c", "read line; echo got $line; echo bad >&2; exit 9")
        equal(answer.status, 200, "status")
        equal(answer.getheader("Content-Type"), "application/recordio", "type")
        # As the command line of DC/OS does: the id alone first, which must not end the input.
        equal(calls.feed(name).status, 200, "status of a trial")
        fed = calls.feed(name, {"type": "CONTROL", "control": {"type": "HEARTBEAT"}}, stdin(b"th"), stdin(b"is\n"))
        equal(fed.status, 200, "status of the input")
        found = records(answer.read())
        equal((of(found, "STDOUT"), of(found, "STDERR")), (b"got this\n", b"bad\n"), "output and errors")
        for kind in ["WAIT_CONTAINER", "WAIT_NESTED_CONTAINER"]:
            waited = json.loads(calls.named(kind, name).read())
            equal(waited[kind.lower()], {"exit_status": 9 << 8}, kind)
        equal(calls.named("REMOVE_NESTED_CONTAINER", name).status, 200, "status of the removal")
        equal(calls.named("WAIT_CONTAINER", name).status, 404, "status of a wait for what was removed")
        name = "tty-%d" % number
        answer = calls.launch(name, "cat", tty={"window_size": {"rows": 7, "columns": 9}})
        calls.feed(name, stdin(b"x\n"))
        second = calls.named("ATTACH_CONTAINER_OUTPUT", name)
        calls.feed(name, stdin(b"y\n"))
        equal(calls.named("KILL_NESTED_CONTAINER", name).status, 200, "status of the kill")
        check(b"y\r\n" in of(records(second.read()), "STDOUT"), "the second reader saw nothing")
        check(b"x\r\n" in of(records(answer.read()), "STDOUT"), "the first reader saw nothing")
        equal(json.loads(calls.named("WAIT_CONTAINER", name).read())["wait_container"], {"exit_status": 9}, "status")


@test
def refused():
    """calls that cannot be are refused, with the reason"""
    agent = get_json(cluster.master, "/slaves")["slaves"][0]
    direct = agent["pid"].split("@")[1]
    for calls in [Calls(cluster.master, "/slave/%s/api/v1" % agent["id"]), Calls(direct, "/api/v1")]:
        for body, headers, status in [
            ("{", {}, 400), ("{}", {}, 400), ('{"type":"GET_STATE"}', {}, 400), ("", {}, 400),
            ("{}", {"Content-Type": "application/x-protobuf"}, 415), ("{}", {"Content-Type": "text/plain"}, 415),
            ({"type": "WAIT_CONTAINER"}, {}, 400), ("3\nabc", {"Content-Type": "application/recordio"}, 400),
            ("", {"Content-Type": "application/recordio"}, 400), ("[" * 5000, {}, 400), ("x" * (2 << 20), {}, 413),
            ({"type": "WAIT_CONTAINER", "wait_container": {"container_id": nested("none")}}, {}, 404),
            ({"type": "WAIT_CONTAINER", "wait_container": {"container_id": {"value": "../.."}}}, {}, 404),
            ({"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": {
                "container_id": {"value": "a", "parent": {"value": "../../x"}}, "command": {"value": "true"}}}, {}, 404),
            ({"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": {
                "container_id": {"value": "a"}, "command": {"value": "true"}}}, {}, 400),
        ]:
            try:
                answer = calls.post(body, headers)
            except (BrokenPipeError, ConnectionResetError):
                equal(status, 413, "status of a body that was not taken")
                continue
            text = answer.read()
            equal(answer.status, status, "%s %s: %s" % (calls.address, str(body)[:60], text[:200]))
            check(text.strip(), "no reason for", body)
    answer = Calls(direct, "/api/v1").post("{}", {"Origin": "http://elsewhere"})
    equal(answer.status, 403, "status for a page of another site")


@test
def slow():
    """a reader who does not read holds the command back, and costs the agent no memory"""
    agent = get_json(cluster.master, "/slaves")["slaves"][0]
    before = resident()
    answer = Calls(cluster.master, "/slave/%s/api/v1" % agent["id"]).launch("slow", "cat", "/dev/zero")
    equal(answer.status, 200, "status")
    time.sleep(1.5)
    grown = resident() - before
    check(grown < 64, "the program grew by %d MiB" % grown)
    answer.close()
    eventually(lambda: not processes("cat /dev/zero"), 5, "the end of the command")


@test
def late():
    """what a command has written is whole for a reader who comes to it late"""
    client = subprocess.Popen(words("task", "exec", "main", "--", "head", "-c", "3000000", "/dev/zero"),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    time.sleep(3)
    equal(len(client.communicate(timeout=10)[0]), 3000000, "bytes")
    equal(client.returncode, 0, "code")
    agent = get_json(cluster.master, "/slaves")["slaves"][0]
    answer = Calls(cluster.master, "/slave/%s/api/v1" % agent["id"]).launch(
        "late", "head", "-c", "9000000", "/dev/zero")
    time.sleep(3.5)
    equal(len(of(records(answer.read()), "STDOUT")), 9000000, "bytes of the answer")


def resident():
    with open("/proc/%d/status" % cluster.process.pid) as file:
        return int(next(line for line in file if line.startswith("VmRSS")).split()[1]) >> 10


@test
def lines():
    """the last lines of a log, and what a task writes across the rotation of its files"""
    start("lines", "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); echo line $i of a log that is rotated; done; "
          "echo bad >&2; touch done; sleep 1000")
    follower = subprocess.Popen(words("task", "log", "-f", "lines"), stdout=subprocess.PIPE)
    place = get_json(cluster.master, "/rondo/v1/tasks/lines")["directory"]
    eventually(lambda: os.path.exists(place + "/done"), 20, "the last line")
    check(os.path.exists(place + "/stdout.1"), "nothing was rotated")
    code, output, errors = run("task", "log", "--tail", "3", "lines")
    wanted = b"".join(b"line %d of a log that is rotated\n" % number for number in [59998, 59999, 60000])
    equal((code, output), (0, wanted), "the last lines; " + errors)
    equal(run("task", "log", "--stderr", "--tail", "10", "lines")[:2], (0, b"bad\n"), "the errors")
    equal(run("task", "log", "--tail", "0", "lines")[:2], (0, b""), "no lines")
    scheduler.kill("lines")
    output, _ = follower.communicate(timeout=20)
    numbers = [int(line.split()[1]) for line in output.splitlines()]
    equal(numbers, list(range(numbers[0], 60001)), "what was followed")
    check(numbers[0] == 1, "followed from line", numbers[0])


@test
def watched():
    """attach without a session shows what the task writes from now on"""
    start("ticking", "while :; do echo tick; sleep 0.2; done")
    client = subprocess.Popen(words("task", "attach", "ticking"), stdout=subprocess.PIPE)
    equal(client.stdout.readline(), b"tick\n", "a line")
    client.kill()
    client.wait()
    scheduler.kill("ticking")


def with_terminal(name, command, **more):
    """Starts a task whose own command has a terminal, and returns its container."""
    start(name, command, container={"type": "MESOS", "tty_info": {"window_size": {"rows": 31, "columns": 97}}}, **more)
    return get_json(cluster.master, "/rondo/v1/tasks/" + name)["directory"]


def own(place):
    return {"value": os.path.basename(place)}


@test
def own_terminal():
    """a task with a terminal: attach types on it, leaves it, comes back, and ends with its exit code"""
    place = with_terminal("shell", "stty size; echo $TERM; exec sh")
    with open(place + "/stdout", "rb") as file:
        eventually(lambda: file.seek(0) == 0 and b"31 97\r\nxterm\r\n" in file.read(), 10, "what it wrote first")
    check(get_json(cluster.master, "/rondo/v1/tasks/shell").get("tty") is True, "the task's description has no tty")
    shell = Terminal(words("task", "attach", "shell"), 33, 101)
    shell.type("tty; echo own''ed\n")
    shell.expect("/dev/pts/")
    shell.expect("owned\r\n")
    shell.type("stty size\n")
    shell.expect("33 101\r\n")
    shell.resize(44, 55)
    shell.type("sleep 0.3; stty size\n")
    shell.expect("44 55\r\n")
    # Ctrl-C ends what runs on the terminal, and not the shell.
    shell.type("sleep 98764\n")
    eventually(lambda: len(processes("sleep 98764")) == 1, 8, "the command that Ctrl-C is for")
    shell.type("\x03")
    eventually(lambda: not processes("sleep 98764"), 8, "the end of the command")
    shell.type("\x10\x11")
    shell.expect("rondo task attach shell`")
    equal(shell.end(), 0, "code of who has left")
    # Another one watches while somebody types, and nothing that comes from a pipe ends the task.
    seen = tempfile.TemporaryFile()
    watcher = subprocess.Popen(
        words("task", "attach", "--no-stdin", "shell"), stdin=subprocess.DEVNULL, stdout=seen)
    again = Terminal(words("task", "attach", "shell"))
    eventually(lambda: again.type(":\n") or os.fstat(seen.fileno()).st_size, 20, "somebody who watches", pause=0.2)
    again.type("echo back''again\n")
    again.expect("backagain\r\n")
    piped = subprocess.Popen(words("task", "attach", "shell"), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    piped.stdin.write(b"echo from''pipe\n")
    piped.stdin.close()
    again.expect("frompipe\r\n", 20)
    again.type("exit 3\n")
    equal(again.end(20), 3, "code of the task")
    equal(piped.wait(20), 3, "code of who has sent all")
    equal(watcher.wait(20), 0, "code of who watches")
    seen.seek(0)
    output = seen.read()
    check(b"backagain" in output and b"frompipe" in output, "the watcher saw", output)
    scheduler.wait_state("shell", "TASK_FAILED")
    with open(place + "/stdout", "rb") as file:
        check(b"owned\r\n" in file.read(), "the log has not what was written")


@test
def own_calls():
    """the calls of Mesos' agent interface reach the terminal of a task: many readers, several who type, one who sleeps"""
    agent = get_json(cluster.master, "/slaves")["slaves"][0]
    for number, calls in enumerate([
        Calls(cluster.master, "/slave/%s/api/v1" % agent["id"]), Calls(agent["pid"].split("@")[1], "/api/v1")
    ]):
        name = "typed-%d" % number
        place = with_terminal(name, "stty -echo; echo ready; exec sh")
        with open(place + "/stdout", "rb") as file:
            eventually(lambda: file.seek(0) == 0 and b"# " in file.read(), 10, "the shell's prompt")
        readers = [calls.own("ATTACH_CONTAINER_OUTPUT", place) for _ in range(3)]
        equal([each.status for each in readers], [200] * 3, "status")
        equal(readers[0].getheader("Content-Type"), "application/recordio", "type")
        # As mesos-cli does: the id alone first, which neither types nor ends anything.
        equal(calls.type(place).status, 200, "status of a trial")
        size = {"type": "CONTROL", "control": {"type": "TTY_INFO", "tty_info": {"window_size": {"rows": 5, "columns": 6}}}}
        equal(calls.type(place, size, stdin(b"stty size\n")).status, 200, "status of a size")
        threads = [
            threading.Thread(target=calls.type, args=(place, stdin(b"echo writer %d\n" % each))) for each in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        # More than fits between the agent and who does not read.
        equal(calls.type(place, stdin(b"head -c 4000000 /dev/zero; touch written\n")).status, 200, "status of input")
        eventually(lambda: os.path.exists(place + "/written"), 50, "the end of what nobody reads")
        equal(calls.type(place, stdin(b"exit 7\n")).status, 200, "status of the end")
        scheduler.wait_state(name, "TASK_FAILED")
        waited = json.loads(calls.own("WAIT_CONTAINER", place).read())
        equal(waited["wait_container"], {"exit_status": 7 << 8}, "what was waited for")
        found = records(readers[0].read())
        text = of(found, "STDOUT")
        check(b"5 6\r\n" in text, "another size:", text[:200])
        for each in range(4):
            check(b"writer %d\r\n" % each in text, "writer", each, "is not in", text.split(b"\0")[0][:300])
        equal(of(found, "STDERR"), b"", "errors of a terminal")
        other = of(records(readers[1].read()), "STDOUT")
        equal(other.split(b"\0")[0], text.split(b"\0")[0], "what another reader saw first")
        readers[2].close()
        equal(calls.type(place).status, 500, "status of input for what has ended")


@test
def own_plain():
    """without a terminal a task is seen from now on, and who types is told why nobody listens"""
    start("plain", "echo before; sleep 1; while [ ! -e stop ]; do echo out; echo bad >&2; sleep 0.2; done; exit 4")
    place = get_json(cluster.master, "/rondo/v1/tasks/plain")["directory"]
    agent = get_json(cluster.master, "/slaves")["slaves"][0]
    calls = Calls(cluster.master, "/slave/%s/api/v1" % agent["id"])
    eventually(lambda: os.path.getsize(place + "/stdout") > 0, 10, "the first line")
    reader = calls.own("ATTACH_CONTAINER_OUTPUT", place)
    equal(reader.status, 200, "status")
    refused = calls.type(place, stdin(b"x"))
    equal(refused.status, 400, "status of input")
    check(b"without a terminal" in refused.text, "no reason:", refused.text)
    eventually(lambda: os.path.getsize(place + "/stderr") > 8, 20, "some lines")
    with open(place + "/stop", "w"):
        pass
    found = records(reader.read())
    output, errors = of(found, "STDOUT"), of(found, "STDERR")
    check(output.startswith(b"out\n") and set(output.split()) == {b"out"}, "output", output)
    check(set(errors.split()) == {b"bad"}, "errors", errors)
    equal(json.loads(calls.own("WAIT_CONTAINER", place).read())["wait_container"], {"exit_status": 4 << 8}, "the end")
    none = {"container_id": {"value": "none"}}
    for kind in ("ATTACH_CONTAINER_OUTPUT", "WAIT_CONTAINER"):
        equal(calls.post({"type": kind, kind.lower(): none}).status, 404, kind + " of nothing")


@test
def echo():
    """what is typed on a task's terminal comes back at once"""
    with_terminal("echo", "exec cat")
    shell = Terminal(words("task", "attach", "echo"))
    shell.type("warm\n")
    shell.expect("warm\r\nwarm\r\n")
    took = []
    for number in range(40):
        began = time.monotonic()
        shell.type("line%d\n" % number)
        # The terminal's echo, and what the command says.
        shell.expect("line%d\r\n" % number, 20)
        shell.expect("line%d\r\n" % number, 20)
        took.append(time.monotonic() - began)
        time.sleep(0.05)
    took.sort()
    print("      a line came back after %.0f ms mostly, %.0f ms at most" % (took[20] * 1000, took[-1] * 1000))
    shell.type("\x04")
    equal(shell.end(), 0, "code")


@test
def top():
    """top shows what tasks use"""
    start("busy", "while :; do :; done")
    code, output, errors = run("task", "top", "--output", "json")
    equal(code, 0, "code; " + errors)
    tasks = {each["id"]: each for each in json.loads(output)["tasks"]}
    check(tasks["busy"]["cpus_used"] > 0.05, "a loop uses nothing:", tasks["busy"])
    check(tasks["main"]["mem_bytes"] > 0 and tasks["main"]["processes"] > 0, tasks["main"])
    code, output, errors = run("task", "top")
    equal(code, 0, "code; " + errors)
    check(output.splitlines()[0].split()[0] == b"TASK" and b"busy" in output.splitlines()[1], output)
    scheduler.kill("busy")


def bytes_below(place):
    """Bytes of all files of a directory; fails when one gets another name meanwhile."""
    return sum(os.stat(os.path.join(place, each)).st_size for each in os.listdir(place))


@test
def flood():
    """a task that writes all it can disturbs nobody, and its files stay as small as they may be"""
    quiet = timed(8)
    start("flood", "exec cat /dev/zero", cpus=0.5)
    place = get_json(cluster.master, "/rondo/v1/tasks/flood")["directory"]
    eventually(lambda: os.path.exists(place + "/stdout.2"), 10, "the first rotations")
    loud = timed(20)
    size = eventually(lambda: bytes_below(place), 5, "a look at the files between two rotations", pause=0.001)
    check(size <= LOG_BYTES * LOG_FILES + (1 << 20), "the files have %d bytes" % size)
    with open("/proc/%d/io" % monitor_of("flood")) as file:
        written = int(next(line for line in file if line.startswith("wchar")).split()[1])
    print("      wrote %d MB; exec took %.0f ms at most, %.0f ms before" % (
        written >> 20, max(loud) * 1000, max(quiet) * 1000))
    check(max(loud) < 2, "a command in another task took %.1f s" % max(loud))
    scheduler.kill("flood")
    scheduler.wait_state("flood", "TASK_KILLED")


def timed(count):
    took = []
    for _ in range(count):
        began = time.monotonic()
        code, _, errors = execute("true")
        equal(code, 0, "code of a command beside the flood; " + errors)
        get_json(cluster.master, "/slave/%s/state" % get_json(cluster.master, "/slaves")["slaves"][0]["id"])
        took.append(time.monotonic() - began)
    return took


def monitor_of(task):
    name = get_json(cluster.master, "/rondo/v1/tasks/" + task)["directory"].split("/")[-1]
    return next(each for each in processes("rondo monitor") if name in command_line(each))


def command_line(pid):
    with open("/proc/%d/cmdline" % pid) as file:
        return file.read()


def installed(script):
    """A foreign program, installed where it is not there yet."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients", script)
    if not os.path.exists(path):
        raise Skipped("no " + script)
    done = subprocess.run([path], stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=50)
    if done.returncode != 0:
        words = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise Skipped(words[-1] if words else "%s ended with %d" % (script, done.returncode))
    return done.stdout.decode().strip()


def person(command, text, wanted, environment):
    """What a person with a foreign program on a terminal sees: the prompt's answer and the exit code."""
    terminal = Terminal(command, 21, 83, environment)
    terminal.expect("# ", 15)
    terminal.type(text)
    for each in wanted:
        terminal.expect(each, 15)
    return terminal.end(15)


def prompts(terminal):
    """Whether a shell that was there before answers an empty line."""
    terminal.type("\n")
    try:
        terminal.expect("# ", 2)
    except Failed:
        return False
    return True


@test
def mesos_cli():
    """mesos-cli, as it is on PyPI, runs commands in a task"""
    program = installed("setup_mesos_cli.sh")
    with tempfile.TemporaryDirectory() as place:
        config = os.path.join(place, "config.toml")
        with open(config, "w") as file:
            file.write('[master]\naddress = "%s"\n[agent]\nssl = false\n' % cluster.master)
        # The program is a script that starts the `python` of its environment.
        path = os.path.dirname(program) + ":" + os.environ["PATH"]
        environment = dict(os.environ, MESOS_CLI_CONFIG=config, HOME=place, PATH=path)

        def mesos(*more, **options):
            return subprocess.run([program, "task", "exec", *more], env=environment, stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, timeout=20, **options)

        done = mesos("main", "sh", "-c", "echo out; echo err >&2; exit 7", stdin=subprocess.DEVNULL)
        equal((done.returncode, done.stdout, done.stderr), (7, b"out\n", b"err\n"), "code, output, errors")
        done = mesos("-i", "main", "cat", input=b"some input\n")
        equal((done.returncode, done.stdout), (0, b"some input\n"), "code and output; %r" % done.stderr)
        code = person([program, "task", "exec", "-i", "-t", "main", "sh"], "stty size; exit 4\n", ["21 83"], environment)
        equal(code, 4, "code of a shell on a terminal")
        place = with_terminal("theirs", "exec sh")
        terminal = Terminal([program, "task", "attach", "theirs"], 21, 83, environment)
        eventually(lambda: prompts(terminal), 20, "a prompt")
        terminal.type("stty size; exit 4\n")
        terminal.expect("21 83", 15)
        # It asks for the exit code of tasks in groups alone.
        equal(terminal.end(15), 0, "code of attach")
        scheduler.wait_state("theirs", "TASK_FAILED")
        equal(json.loads(Calls(get_json(cluster.master, "/slaves")["slaves"][0]["pid"].split("@")[1], "/api/v1").own(
            "WAIT_CONTAINER", place).read())["wait_container"], {"exit_status": 4 << 8}, "the end of the task")


@test
def dcos_cli():
    """the command line of DC/OS, as it is on PyPI, runs commands in a task, prints its log, and shows figures of nodes and tasks"""
    program = os.path.join(os.path.dirname(installed("setup.sh")), "dcos")
    with tempfile.TemporaryDirectory() as place:
        environment = dict(os.environ, HOME=place, DCOS_DIR=os.path.join(place, ".dcos"), LC_ALL="C.UTF-8")

        def dcos(*more, **options):
            return subprocess.run([program, *more], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  timeout=20, **options)

        dcos("config", "set", "core.dcos_url", "http://" + cluster.master)
        done = dcos("task", "exec", "main", "sh", "-c", "echo out; echo err >&2", stdin=subprocess.DEVNULL)
        equal((done.returncode, done.stdout), (0, b"out\n"), "code and output; %r" % done.stderr)
        check(b"err\n" in done.stderr, "errors:", done.stderr)
        done = dcos("task", "exec", "-i", "main", "cat", input=b"some input\n")
        equal((done.returncode, done.stdout), (0, b"some input\n"), "code and output; %r" % done.stderr)
        person([program, "task", "exec", "-i", "-t", "main", "sh"], "stty size; exit\n", ["21 83"], environment)
        start("told", "echo a line; exec sleep 1000")
        done = eventually(lambda: dcos("task", "log", "told"), 5, "the log")
        equal((done.returncode, done.stdout), (0, b"a line\n"), "code and output; %r" % done.stderr)
        done = dcos("task", "ls", "told")
        check({b"stdout", b"stderr"} <= set(done.stdout.split()), "dcos task ls:", done)
        agent = get_json(cluster.master, "/slaves")["slaves"][0]
        done = dcos("node", "list-components", "--mesos-id=" + agent["id"])
        equal(done.stdout.split(), [b"rondo-master", b"rondo-agent"], "parts of a node; %r" % done.stderr)
        done = dcos("node", "list-components", "--leader", "--json")
        equal({(each["id"], each["health"]) for each in json.loads(done.stdout)},
              {("rondo-master", 0), ("rondo-agent", 0)}, "parts of the master's node; %r" % done.stderr)
        done = dcos("node", "metrics", "details", agent["id"], "--json")
        points = {(each["name"], each.get("tags", {}).get("path")): each["value"] for each in json.loads(done.stdout)}
        with open("/proc/meminfo") as file:
            memory = int(file.readline().split()[1]) << 10
        equal((points["memory.total", None], points["cpu.cores", None]), (memory, os.cpu_count()), "figures of the node")
        disk = os.statvfs("/")
        equal(points["filesystem.capacity.total", "/"], disk.f_blocks * disk.f_frsize, "the disk of the node")
        check(0 <= points["cpu.total", None] <= 100, "processors:", points["cpu.total", None])
        said = dcos("node", "metrics", "summary", agent["id"])
        check(b"GiB" in said.stdout and said.returncode == 0, "a summary of the node:", said)
        start("busy", "while :; do :; done")

        def busy():
            done = dcos("task", "metrics", "details", "busy", "--json")
            check(done.returncode == 0, "dcos task metrics:", done)
            return {each["name"]: each["value"] for each in json.loads(done.stdout)}

        first = busy()
        check(0 < first["mem.total"] <= first["mem.limit"], "memory of a task:", first)
        eventually(lambda: busy()["cpus.user.time"] > first["cpus.user.time"] + 0.2, 20, "time that a busy task takes")
        said = dcos("task", "metrics", "summary", "busy")
        check(b"GiB" in said.stdout and said.returncode == 0, "a summary of a task:", said)
        scheduler.kill("busy")
        scheduler.kill("told")


@test
def killed():
    """a killed agent takes its sessions along, and its tasks go on"""
    client = subprocess.Popen(
        words("task", "exec", "main", "--", "sleep", "65432"), stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    eventually(lambda: processes("sleep 65432"), 8, "the command")
    cluster.process.kill()
    cluster.process.wait()
    client.wait(10)
    eventually(lambda: not processes("sleep 65432"), 5, "the end of the command")
    check(processes(MAIN), "the task has ended too")
    place = directory.split("/agent1/")[0]
    for each in processes("rondo monitor " + place):
        os.kill(each, signal.SIGTERM)
    eventually(lambda: not processes("rondo monitor " + place) and not processes(MAIN), 10, "the end of the tasks")
    shutil.rmtree(place)


def start(name, command, **more):
    """Starts a task and waits until it runs."""
    def amount(offer):
        return next((each["scalar"]["value"] for each in offer["resources"] if each["name"] == "cpus"), 0)

    # What tasks that have ended leave is offered by itself, and is too small for some.
    offer = max(scheduler.wait_offers(wanted=lambda offers: any(amount(each) >= 0.5 for each in offers)), key=amount)
    scheduler.launch([offer], [command_task(name, offer["agent_id"]["value"], command, **more)])
    scheduler.wait_state(name, "TASK_RUNNING")


def main():
    global rondo, cluster, scheduler, directory, container
    rondo = os.path.abspath(sys.argv[1])
    os.environ["RONDO_AGENT_LOG_BYTES"], os.environ["RONDO_AGENT_LOG_FILES"] = str(LOG_BYTES), str(LOG_FILES)
    logs = os.path.join(tempfile.gettempdir(), "rondo-sessions-%d.log" % os.getpid())
    cluster = DevCluster(rondo, 1, logs).start()
    at_end(lambda: os.unlink(logs))
    at_end(cluster.stop)
    threading.excepthook = lambda arguments: None
    scheduler = Scheduler(cluster.master, "sessions").start()
    start("main", "exec " + MAIN)
    directory = get_json(cluster.master, "/rondo/v1/tasks/main")["directory"]
    container = directory.split("/")[-1]
    finish(*run_tests(TESTS, sys.argv[2:], 60))


if __name__ == "__main__":
    main()
