"""Runs a program, or a test in this process, against a cluster of its own made by `rondo dev`.

    python3 Tests/System/dev_cluster.py RONDO [--agents N] [--log FILE] [--with OPTION ...] -- COMMAND [ARGUMENT ...]

COMMAND finds MASTER (host:port), RONDO and SERVER_PID in its environment. Exits with COMMAND's code, or 70 when the
cluster did not start, not stop, or left something behind.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import Footprint  # noqa: E402
from harness import Failed, eventually  # noqa: E402
from wire import get_json  # noqa: E402


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class DevCluster:
    """`rondo dev` for as long as a `with` lasts. What it left behind is in `left` afterwards."""

    def __init__(self, rondo, agents=2, log=None, options=()):
        self.rondo, self.agents, self.options = os.path.abspath(rondo), agents, list(options)
        self.log = log
        self.process = None
        self.left = []

    def start(self, seconds=20):
        self.footprint = Footprint(self.rondo)
        self.port = free_port()
        self.master = "127.0.0.1:%d" % self.port
        command = [self.rondo, "dev", "--agents", str(self.agents), "--listen", self.master]
        command += self.options
        output = open(self.log, "wb") if self.log else subprocess.DEVNULL
        try:
            # A session of its own: a Ctrl-C at the terminal is ours to pass on.
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
            )
        finally:
            if self.log:
                output.close()

        def registered():
            if self.process.poll() is not None:
                raise SystemExit("'%s' ended with %s%s" % (" ".join(command), self.process.returncode, self.tail()))
            active = [each for each in get_json(self.master, "/slaves", timeout=5)["slaves"] if each["active"]]
            return len(active) == self.agents

        try:
            eventually(registered, seconds, "registration of %d agents" % self.agents)
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self, seconds=20):
        """Ends it as Ctrl-C does; returns what is wrong, as lines."""
        wrong = []
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                wrong.append("it did not end within %d s of SIGINT and was killed" % seconds)
                self.process.kill()
                self.process.wait()
            else:
                # Both are usual for a program that ends because of Ctrl-C and says so.
                if self.process.returncode not in (0, 130, -signal.SIGINT):
                    wrong.append("it ended with %d%s" % (self.process.returncode, self.tail()))
        elif self.process:
            wrong.append("it had ended by itself with %d%s" % (self.process.returncode, self.tail()))
        self.left = wrong + ["left behind: " + each for each in self.footprint.left()]
        return self.left

    def tail(self):
        if not self.log:
            return ""
        with open(self.log, "rb") as file:
            lines = file.read().decode("utf-8", "replace").splitlines()[-15:]
        return "; its last words:\n" + "\n".join("    " + each for each in lines)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.stop()


def main():
    parser = argparse.ArgumentParser(
        description="runs a command against a cluster made by 'rondo dev'",
        usage="%(prog)s RONDO [--agents N] [--log FILE] [--with OPTION] -- COMMAND [ARGUMENT ...]",
    )
    parser.add_argument("rondo", help="path of the program")
    parser.add_argument("--agents", type=int, default=2)
    parser.add_argument("--log", help="file for the cluster's output")
    parser.add_argument("--with", dest="options", action="append", default=[], help="--with=--jobs: an option of rondo dev")
    mine, command = sys.argv[1:], []
    if "--" in mine:
        at = mine.index("--")
        mine, command = mine[:at], mine[at + 1 :]
    arguments = parser.parse_args(mine)
    if not command:
        parser.error("name a command after '--'")
    # A timeout's TERM must not leave the cluster running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    cluster = DevCluster(arguments.rondo, arguments.agents, arguments.log, arguments.options)
    try:
        cluster.start()
    except Failed as problem:
        print("FAIL  the cluster did not start: %s%s" % (problem, cluster.tail()))
        sys.exit(70)
    print("rondo dev with %d agents at %s after %.1f s" % (arguments.agents, cluster.master, time.monotonic() - began))
    sys.stdout.flush()
    code = 70
    try:
        environment = dict(os.environ, MASTER=cluster.master, RONDO=cluster.rondo)
        environment["SERVER_PID"] = str(cluster.process.pid)
        code = subprocess.call(command, env=environment)
    finally:
        began = time.monotonic()
        wrong = cluster.stop()
        for each in wrong:
            print("FAIL  rondo dev after Ctrl-C: %s" % each)
        if not wrong:
            print("rondo dev ended %.1f s after Ctrl-C and left nothing behind" % (time.monotonic() - began))
    sys.exit(code or (70 if wrong else 0))


if __name__ == "__main__":
    main()
