"""A machine of its own on this one, thrown away at the end: the same files, copied when written; own processes, own
network, own control groups where the kernel has version 1 of them.

Everything that is written below / lands in a folder in memory, so what a program has changed on the machine can be
listed exactly. Needs root and overlayfs.
"""

import ctypes
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import Skipped, check  # noqa: E402

UNIFIED = os.path.exists("/sys/fs/cgroup/cgroup.controllers")
# Places whose content is the running system's, not a file's. /run and /tmp are the machine's own and looked at.
APART = ("proc", "sys", "dev")
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
MNT_DETACH = 2
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Throwaway:
    """`run` and `spawn` start commands in it, `changes` lists what they have written. `end` takes it away."""

    # What its first process runs.
    first = os.path.abspath(__file__)

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="rondo-machine-", dir="/var/tmp")
        self.groups = []
        self.holder = self.pid = None

    def start(self):
        check(os.geteuid() == 0, "a machine of its own needs root")
        if platform.machine() not in PIVOT_ROOT:
            raise Skipped("no number of pivot_root is known for %s" % platform.machine())
        if not UNIFIED:
            self.make_groups()
        ready, told = os.pipe()
        words = ["unshare", "--mount", "--propagation", "private", "--pid", "--net", "--ipc", "--uts", "--fork"]
        words += ["--kill-child"] + ([] if UNIFIED else ["--cgroup"])
        words += [sys.executable, self.first, self.folder, str(told)]
        # Before `unshare` looks at where it is, so that its groups are the roots of the machine's trees.
        enter = "".join("echo $$ >'%s/cgroup.procs' && " % each for each in self.groups)
        self.holder = subprocess.Popen(
            ["sh", "-c", enter + 'exec "$@"', "sh", *words], pass_fds=[told], stdin=subprocess.DEVNULL
        )
        os.close(told)
        # `unshare` holds the other end too, so there is no end of file to wait for.
        words = os.read(ready, 1000).decode() if select.select([ready], [], [], 20)[0] else ""
        os.close(ready)
        if words != "ready":
            raise Skipped("no machine of its own can be made here: " + (words or "it ended"))
        with open("/proc/%d/task/%d/children" % (self.holder.pid, self.holder.pid)) as file:
            self.pid = int(file.read().split()[0])
        return self

    def make_groups(self):
        """A group in every tree of version 1, and in the tree of version 2 beside them."""
        name = os.path.basename(self.folder)
        for each in sorted(os.listdir("/sys/fs/cgroup")):
            top = os.path.join("/sys/fs/cgroup", each)
            if os.path.islink(top) or not os.path.exists(top + "/cgroup.procs"):
                continue
            group = os.path.join(top, name)
            os.mkdir(group)
            self.groups.append(group)
            for setting in ("cpuset.cpus", "cpuset.mems"):
                if os.path.exists(os.path.join(group, setting)):
                    with open(os.path.join(top, setting)) as source, open(os.path.join(group, setting), "w") as file:
                        file.write(source.read())

    def command(self, words, settings):
        environment = {"PATH": PATH, "HOME": "/root", "LANG": "C.UTF-8", **(settings or {})}
        spaces = ["--mount", "--pid", "--net", "--ipc", "--uts"] + ([] if UNIFIED else ["--cgroup"])
        enter = ["nsenter", "--target", str(self.pid), *spaces, "--"]
        # As in `start`: processes of the machine are in its groups, also those that come from outside.
        groups = "".join("echo $$ >'%s/cgroup.procs' && " % each for each in self.groups)
        assignments = ["%s=%s" % each for each in environment.items()]
        return ["sh", "-c", groups + 'exec "$@"', "sh", *enter, "env", "-i", *assignments, *words]

    def run(self, words, settings=None, timeout=60, text=None):
        """Runs a command to its end; output and errors are one text."""
        return subprocess.run(
            self.command(words, settings),
            input=text if text is not None else "",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
        )

    def spawn(self, words, log, settings=None):
        """Starts a command; its output goes to a file outside of the machine."""
        with open(log, "ab") as output:
            return subprocess.Popen(
                self.command(words, settings),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def path(self, name):
        """Where a file of the machine is seen from outside."""
        return "/proc/%d/root%s" % (self.pid, name)

    def written(self):
        """The folder that holds what was written, held open by the machine's first process."""
        return "/proc/%d/fd/9" % self.pid

    def changes(self):
        """What was written below /: {path: what it is}. A folder in which something was written is not a change."""
        found = {}
        top = self.written()
        for place, folders, names in os.walk(top):
            inside = place[len(top) :]
            if inside.strip("/").split("/")[0] in APART:
                folders[:] = []
                continue
            for name in folders + names:
                path = os.path.join(place, name)
                entry = inside + "/" + name
                facts = os.lstat(path)
                if os.path.islink(path):
                    found[entry] = "link to " + os.readlink(path)
                elif os.path.isdir(path):
                    if not os.path.isdir(entry):
                        found[entry + "/"] = "folder"
                elif not os.path.isfile(path) and facts.st_rdev == 0 and facts.st_mode & 0o170000 == 0o020000:
                    found[entry] = "removed"
                else:
                    found[entry] = "file of %d bytes, mode %o, of %d" % (
                        facts.st_size,
                        facts.st_mode & 0o7777,
                        facts.st_uid,
                    )
        return found

    def processes(self):
        """Processes in the machine, by their numbers there, but for its first: {pid: command line}."""
        found = {}
        for name in os.listdir(self.path("/proc")):
            try:
                if name.isdigit() and name != "1":
                    with open(self.path("/proc/%s/cmdline" % name), "rb") as file:
                        found[int(name)] = file.read().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            except OSError:
                pass
        return found

    def end(self):
        if self.holder is not None:
            # Its first process goes with it (--kill-child), and all others with that one.
            self.holder.kill()
            self.holder.wait(10)
        for group in reversed(self.groups):
            remove_group(group)
        shutil.rmtree(self.folder, ignore_errors=True)


def remove_group(group):
    deadline = time.monotonic() + 5
    for top, _, _ in list(os.walk(group, topdown=False)):
        while True:
            try:
                os.rmdir(top)
                break
            except OSError as error:
                # Processes that were killed leave their groups a little later.
                if time.monotonic() > deadline:
                    print("      %s stays: %s" % (top, error))
                    break
                time.sleep(0.05)


# -- in the machine: its first process -------------------------------------------------------------------------------


def mount(*words):
    subprocess.run(["mount", *words], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def build(folder):
    """Mounts the machine's files and makes them this namespace's root."""
    # In memory also because a folder of the lower file system cannot be the upper one.
    mount("-t", "tmpfs", "-o", "size=2g", "machine", folder)
    for name in ("upper", "work", "merged"):
        os.mkdir(os.path.join(folder, name))
    merged = os.path.join(folder, "merged")
    options = "lowerdir=/,upperdir=%s/upper,workdir=%s/work" % (folder, folder)
    mount("-t", "overlay", "-o", options, "machine", merged)
    # Found again by this number from outside, when nothing else leads there any more.
    upper = os.open(os.path.join(folder, "upper"), os.O_RDONLY | os.O_DIRECTORY)
    os.dup2(upper, 9)
    mount("-t", "proc", "proc", merged + "/proc")
    mount("-t", "sysfs", "sysfs", merged + "/sys")
    mount("--rbind", "/dev", merged + "/dev")
    mount("-t", "tmpfs", "-o", "mode=755", "run", merged + "/run")
    if UNIFIED:
        mount("--bind", "/sys/fs/cgroup", merged + "/sys/fs/cgroup")
    else:
        mount("-t", "tmpfs", "-o", "mode=755", "cgroup", merged + "/sys/fs/cgroup")
        for name, kind, options in trees():
            os.mkdir(merged + "/sys/fs/cgroup/" + name)
            mount("-t", kind, *(["-o", options] if options else []), kind, merged + "/sys/fs/cgroup/" + name)
    os.chdir(merged)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(PIVOT_ROOT[platform.machine()], b".", b".") != 0 or libc.umount2(b".", MNT_DETACH) != 0:
        raise OSError(ctypes.get_errno(), "changing the root failed")
    os.chdir("/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def trees():
    """The mounted trees of control groups: name of the folder, file system, options."""
    found = []
    with open("/proc/self/mountinfo") as file:
        for line in file:
            left, right = line.split(" - ")
            point, (kind, _, options) = left.split()[4], right.split()[:3]
            if kind in ("cgroup", "cgroup2") and os.path.dirname(point) == "/sys/fs/cgroup":
                kept = [each for each in options.split(",") if each not in ("rw", "ro")]
                found.append((os.path.basename(point), kind, ",".join(kept) if kind == "cgroup" else ""))
    return found


def hold(folder, told):
    try:
        build(folder)
        words = "ready"
    except (OSError, subprocess.CalledProcessError) as error:
        words = "%s %s" % (error, (getattr(error, "stderr", "") or "").strip())
    os.write(told, words.encode())
    os.close(told)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while words == "ready":
        # What has lost its parent ends up here.
        signal.sigwait({signal.SIGCHLD})
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            pass


if __name__ == "__main__":
    hold(sys.argv[1], int(sys.argv[2]))
