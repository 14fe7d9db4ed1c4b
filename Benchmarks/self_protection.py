"""What it costs the runtime to enter containers from something that nobody can write to.

    python3 Benchmarks/self_protection.py path/to/rondo [ROUNDS]

Runs `oci run` of a program that does nothing, in turn without protection, by the detached read-only mount and by the
sealed copy in memory, which a filter around the runtime forces that refuses open_tree(2). All three have a filter, so
that its cost is in all. Needs root and busybox-static.
"""

import json
import os
import resource
import shutil
import signal
import statistics
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Tests", "System"))

from without_calls import install  # noqa: E402

OPEN_TREE, NO_CALL, ENOSYS = 428, 9999, 38


class Worker:
    """A process under a filter that starts commands and says how long they took."""

    def __init__(self, refused, **environment):
        to_child, to_parent = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(to_child[1])
            install({refused: ENOSYS})
            os.environ.update(environment)
            self.serve(os.fdopen(to_child[0]), os.fdopen(to_parent[1], "w"))
            os._exit(0)
        os.close(to_child[0])
        os.close(to_parent[1])
        self.commands, self.answers = os.fdopen(to_child[1], "w"), os.fdopen(to_parent[0])

    def serve(self, commands, answers):
        for line in commands:
            command = json.loads(line)
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            started = time.perf_counter()
            pid = os.posix_spawn(command[0], command, os.environ)
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            took = time.perf_counter() - started
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            answers.write(json.dumps([status, took, cpu]) + "\n")
            answers.flush()

    def run(self, command):
        self.commands.write(json.dumps(command) + "\n")
        self.commands.flush()
        status, took, cpu = json.loads(self.answers.readline())
        if status != 0:
            sys.exit("%s ended with %d" % (" ".join(command), status))
        return took * 1000, cpu * 1000

    def end(self):
        # Closing its commands is not enough: later workers hold them open too.
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


def make_bundle(path):
    os.makedirs(os.path.join(path, "rootfs", "bin"))
    shutil.copy("/bin/busybox", os.path.join(path, "rootfs", "bin", "true"))
    for each in ("proc", "dev", "sys"):
        os.mkdir(os.path.join(path, "rootfs", each))
    config = {
        "ociVersion": "1.0.2",
        "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/true"], "env": ["PATH=/bin"], "cwd": "/"},
        "root": {"path": "rootfs"},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs"},
        ],
        "linux": {"namespaces": [{"type": each} for each in ("pid", "network", "ipc", "uts", "mount")]},
    }
    with open(os.path.join(path, "config.json"), "w") as file:
        json.dump(config, file)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    program = os.path.realpath(sys.argv[1])
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 60
    path = tempfile.mkdtemp(prefix="rondo-benchmark-")
    # What the runtime tells itself, so that it goes on at once.
    workers = {
        "none": Worker(NO_CALL, _RONDO_OCI_PROTECTED="1"), "mount": Worker(NO_CALL), "copy": Worker(OPEN_TREE)
    }
    wall, cpu = {name: [] for name in workers}, {name: [] for name in workers}
    try:
        make_bundle(os.path.join(path, "bundle"))
        for number in range(-3, rounds):
            # Who is first changes, so that none always finds warm caches.
            names = sorted(workers)
            for name in names[number % 3 :] + names[: number % 3]:
                took = workers[name].run(
                    [program, "oci", "--root", os.path.join(path, "state"), "run", "-b", os.path.join(path, "bundle"),
                     "b%d-%s" % (number + 3, name)]
                )
                if number >= 0:
                    wall[name].append(took[0])
                    cpu[name].append(took[1])
        print("%s, %.1f MB, %d rounds" % (program, os.path.getsize(program) / 1e6, rounds))
        for name in workers:
            quarters = statistics.quantiles(wall[name], n=4)
            print("%-5s  wall ms: median %.1f, quartiles %.1f to %.1f; processor ms: median %.1f"
                  % (name, quarters[1], quarters[0], quarters[2], statistics.median(cpu[name])))
        for one, other in (("mount", "none"), ("copy", "none"), ("copy", "mount")):
            quarters = statistics.quantiles([a / b for a, b in zip(wall[one], wall[other])], n=4)
            print("%s / %s by round: median %.2f, quartiles %.2f to %.2f"
                  % (one, other, quarters[1], quarters[0], quarters[2]))
    finally:
        for each in workers.values():
            each.end()
        shutil.rmtree(path, ignore_errors=True)


if __name__ == "__main__":
    main()
