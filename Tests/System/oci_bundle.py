"""Bundles for an OCI runtime, its command line, and what it left on the machine afterwards."""

import functools
import json
import os
import secrets
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from footprint import cgroups, marked, mounts  # noqa: E402
from harness import PATIENCE, Failed, Skipped, at_end, check, eventually, test  # noqa: E402
from oci_config import base_config  # noqa: E402
from oci_groups import folder, thaw  # noqa: E402

# Bounds one call of the runtime, in seconds.
CALL_LIMIT = 20
BUSYBOX = "/bin/busybox"
APPLETS = """
[ awk cat chmod chown chroot cp cut dd echo env false grep head hostname id ip kill ls mkdir mknod mount od ps pwd
readlink rm rmdir sed sh sleep stat stty tail test touch tr true tty umount uname wc
""".split()


class Result:
    """How a command ended and what it, or the container it made, has said until then."""

    def __init__(self, command, code, out, err):
        self.command, self.code, self.out, self.err = command, code, out, err

    def ok(self):
        check(self.code == 0, "%s ended with %d: %s" % (" ".join(self.command[1:])[-160:], self.code, self.err[-500:]))
        return self

    def refused(self):
        check(self.code != 0, "%s ended well: %s" % (" ".join(self.command[1:])[-160:], self.out[-300:]))
        return self

    def lines(self):
        return self.out.split("\n")[:-1]


def read(path):
    with open(path, errors="replace") as file:
        return file.read()


def write(path, text, mode=None):
    with open(path, "w") as file:
        file.write(text)
    if mode is not None:
        os.chmod(path, mode)
    return path


def call(command, files, input=None, limit=CALL_LIMIT, **options):
    """Runs a command whose output goes to two files: a container that it leaves running may go on writing there."""
    out, err = files + ".out", files + ".err"
    if input is not None:
        options["stdin"] = open(write(files + ".in", input))
    with open(out, "wb") as stdout, open(err, "wb") as stderr:
        options.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(command, stdout=stdout, stderr=stderr, start_new_session=True, **options)
        if input is not None:
            options["stdin"].close()
        if not ends(process, limit * PATIENCE):
            process.kill()
            process.wait()
            raise Failed("%s had no end after %d s: %s" % (" ".join(command[1:])[-160:], limit, read(err)[-300:]))
    return Result(command, process.wait(), read(out), read(err))


def ends(process, limit):
    """Whether a process ends in time; unlike `wait` with a limit this notices at once."""
    descriptor = os.pidfd_open(process.pid)
    try:
        return bool(select.select([descriptor], [], [], limit)[0])
    finally:
        os.close(descriptor)


def make_rootfs(path):
    """A root file system of one static program and some folders."""
    os.makedirs(path)
    for each in ("bin", "dev", "etc", "home", "mnt", "proc", "root", "run", "sys", "tmp", "var"):
        os.mkdir(os.path.join(path, each))
    os.chmod(os.path.join(path, "tmp"), 0o1777)
    shutil.copy(BUSYBOX, os.path.join(path, "bin/busybox"))
    for each in APPLETS:
        os.symlink("busybox", os.path.join(path, "bin", each))
    write(os.path.join(path, "etc/passwd"), "root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/home:/bin/sh\n")
    write(os.path.join(path, "etc/group"), "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")


class Bundle:
    """One container: its folder, its configuration and the runtime's verbs on it."""

    def __init__(self, box, identifier):
        self.box, self.id = box, identifier
        self.path = os.path.join(box.path, identifier.rsplit("-", 1)[1])
        self.rootfs = os.path.join(self.path, "rootfs")
        make_rootfs(self.rootfs)
        self.calls = 0
        self.config = base_config(top.marker, top.group(identifier))
        self.first = None

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    def set_script(self, script):
        self.process["args"] = script if isinstance(script, list) else ["/bin/sh", "-c", script]

    def mount(self, destination, kind, source, *options):
        mount = {"destination": destination, "type": kind, "source": source, "options": list(options)}
        self.config["mounts"].append(mount)

    def namespace(self, kind, path=None):
        """Makes a namespace new, or one that is there already."""
        self.without_namespace(kind)
        self.linux["namespaces"].append({"type": kind, "path": path} if path else {"type": kind})

    def without_namespace(self, kind):
        self.linux["namespaces"] = [each for each in self.linux["namespaces"] if each["type"] != kind]

    def give(self, *capabilities):
        """Adds capabilities that root can use."""
        for each in ("bounding", "effective", "permitted"):
            self.process["capabilities"][each] += capabilities

    def save(self, text=None):
        write(os.path.join(self.path, "config.json"), json.dumps(self.config) if text is None else text)

    def inside(self, *parts):
        """The host's path of something in the root file system."""
        return os.path.join(self.rootfs, *parts)

    def verb(self, verb, *arguments, prefix=(), **options):
        self.calls += 1
        command = [*prefix, *self.box.command, "--root", self.box.root, verb, *arguments]
        return call(command, os.path.join(self.path, "call%d" % self.calls), **options)

    def make(self, verb, *arguments, save=True, **options):
        if save:
            self.save()
        return self.verb(verb, "--bundle", self.path, *arguments, self.id, **options)

    def run(self, *arguments, **options):
        return self.make("run", *arguments, **options)

    def create(self, *arguments, **options):
        self.first = self.make("create", *arguments, **options)
        return self.first

    def launch(self, *arguments, **options):
        """Creates and starts."""
        self.create(*arguments, **options).ok()
        self.start().ok()
        return self

    def output(self):
        """What the process of the container has written so far."""
        return read(os.path.join(self.path, "call1.out"))

    def start(self):
        return self.verb("start", self.id)

    def state(self):
        return json.loads(self.verb("state", self.id).ok().out)

    def pid(self):
        return self.state()["pid"]

    def kill(self, *arguments):
        return self.verb("kill", *arguments)

    def end(self):
        """Kills the container and waits until the runtime calls it stopped."""
        self.kill(self.id, "KILL").ok()
        self.wait("stopped")

    def delete(self, *arguments):
        return self.verb("delete", *arguments, self.id)

    def exec(self, *command, options=(), **more):
        return self.verb("exec", *options, self.id, *command, **more)

    def shell(self, script, *options, **more):
        return self.exec("/bin/sh", "-c", script, options=options, **more)

    def wait(self, status):
        eventually(lambda: self.state()["status"] == status, 10, "the status %r" % status)

    def cgroup(self, controller=""):
        """The host's folder of the container's group where a controller is."""
        return folder(self.pid(), controller)

    def control(self, controller, file):
        return read(os.path.join(self.cgroup(controller), file)).strip()


class Box:
    """What one test works in: a folder, containers, and a look around afterwards."""

    def __init__(self, number):
        self.path = os.path.join(top.path, str(number))
        self.root = os.path.join(self.path, "state")
        self.number, self.count = number, 0
        self.command = list(top.command)
        self.finally_do = []
        # Processes of engines, which stay.
        self.mine = set()
        os.mkdir(self.path)

    def bundle(self, script="true"):
        self.count += 1
        bundle = Bundle(self, "%s-%d-%d" % (top.marker, self.number, self.count))
        bundle.set_script(script)
        return bundle

    def sleeper(self):
        """A started container that does nothing."""
        return self.bundle("exec sleep 100").launch()

    def folder(self, *parts):
        path = os.path.join(self.path, *parts)
        os.makedirs(path, exist_ok=True)
        return path

    def call(self, *arguments, **options):
        return call([*self.command, "--root", self.root, *arguments], os.path.join(self.path, "call"), **options)

    def host_mount(self, *arguments):
        """Mounts something on the host for the time of the test; the last argument is where."""
        subprocess.run(["mount", *arguments], check=True, timeout=10)
        if arguments[0] == "-t":
            self.finally_do.append(lambda: subprocess.run(["umount", "-R", "-l", arguments[-1]], timeout=10))

    def older(self, version, reason):
        """Skips when the runtime calls itself so: the specification asks for what this version cannot do."""
        if top.version.startswith(version):
            raise Skipped("%s: %s" % (version, reason))

    def end(self):
        """Removes all containers; returns what is left of them, as lines."""
        lines = []
        for name in sorted(os.listdir(self.root)) if os.path.isdir(self.root) else []:
            result = self.call("delete", "--force", name)
            if result.code != 0:
                lines.append("delete --force: " + result.err[-200:])
        for function in reversed(self.finally_do):
            function()
        try:
            eventually(lambda: self.clean(), 5, "")
        except Failed:
            lines += self.remains()
        sweep(self.path, self.mine)
        return lines

    def clean(self):
        return not self.remains()

    def remains(self):
        return remains(self.path, self.root, self.mine)


def remains(path, root, mine):
    """Everything of this run's containers that can be seen from the host."""
    lines = ["process %d %s" % each for each in marked(top.marker).items() if each[0] not in mine]
    lines += ["mount " + each for each in sorted(mounts()) if each.startswith(path)]
    ours = (top.marker + "-", top.marker + "/libpod-", top.marker + "/ctr-", top.slice + "/")
    lines += ["cgroup " + each for each in sorted(cgroups()) if any(name in each for name in ours)]
    lines += ["state " + each for each in (sorted(os.listdir(root)) if os.path.isdir(root) else [])]
    lines += ["unit " + each for each in units()]
    return lines


def units():
    """Units that systemd still knows of this run's containers, also failed ones."""
    folder = "/run/systemd/transient"
    names = os.listdir(folder) if top.systemd and os.path.isdir(folder) else []
    return sorted(each for each in names if each.endswith(".scope") and (top.marker in each or "libpod" in each))


def sweep(path, mine=()):
    """Removes by force what a broken runtime left, so that the next test can run."""
    for pid in set(marked(top.marker)) - set(mine):
        try:
            os.kill(pid, signal.SIGKILL)
        except OSError:
            pass
    for each in sorted(mounts(), reverse=True):
        if each.startswith(path):
            subprocess.run(["umount", "-l", each], timeout=10)
    for each in sorted(cgroups(), reverse=True):
        if top.marker in each or top.slice in each:
            try:
                thaw(each)
                os.rmdir(each)
            except OSError:
                pass
    for each in units():
        for verb in ("stop", "reset-failed"):
            subprocess.run(["systemctl", verb, each], timeout=20, stderr=subprocess.DEVNULL)
    shutil.rmtree(path, ignore_errors=True)


def new_folder(prefix):
    """A new temporary folder whose name also fits where underscores may not be at any place, as in containerd."""
    while True:
        path = os.path.join(tempfile.gettempdir(), prefix + secrets.token_hex(4))
        try:
            os.mkdir(path, 0o700)
            return path
        except FileExistsError:
            continue


class Top:
    """The folder of the whole run, the runtime's command and its version."""

    def __init__(self):
        self.boxes = 0
        # Whether systemd makes the control groups.
        self.systemd = False

    def begin(self, command):
        self.path = os.path.realpath(new_folder("rondo-test-oci-"))
        os.chmod(self.path, 0o755)
        self.marker = os.path.basename(self.path)
        self.command = command
        self.systemd = "--systemd-cgroup" in command
        at_end(self.end)
        version = call([*command, "--version"], os.path.join(self.path, "version"))
        self.version = version.out.strip().split("\n")[0]
        check(version.code == 0, "%s --version: %s" % (command, version.err[-300:]))

    def group(self, identifier):
        """The `cgroupsPath` of a container: a path, or systemd's slice, prefix and name."""
        return ("system.slice:%s:%s" if self.systemd else "/%s/%s") % (self.marker, identifier)

    @property
    def slice(self):
        """The slice of engines' containers; every dash would be a slice above."""
        return self.marker.replace("-", "_") + ".slice"

    def group_end(self, identifier):
        """How the folder of that group ends."""
        return ("/system.slice/%s-%s.scope" if self.systemd else "/%s/%s") % (self.marker, identifier)

    def end(self):
        sweep(self.path)
        if self.systemd:
            subprocess.run(["systemctl", "stop", self.slice], timeout=20, stderr=subprocess.DEVNULL)


top = Top()


def case(function):
    """Registers a test that gets a box of its own and must leave nothing behind."""

    @functools.wraps(function)
    def boxed():
        top.boxes += 1
        box = Box(top.boxes)
        try:
            function(box)
        except BaseException:
            box.end()
            raise
        left = box.end()
        check(not left, "left behind:", "; ".join(left[:6]))

    return test(boxed)


def parse_arguments(usage):
    """The runtime's command, as one quoted argument or all that stands before `--`, and the words that follow."""
    arguments = sys.argv[1:]
    if "--" in arguments:
        at = arguments.index("--")
        if at == 0:
            arguments = arguments[1:]
            at = arguments.index("--") if "--" in arguments else len(arguments)
        command, words = arguments[:at], arguments[at + 1 :]
    else:
        command, words = shlex.split(arguments[0]) if arguments else [], arguments[1:]
    program = shutil.which(command[0]) if command else None
    if not program:
        sys.exit("usage: %s 'RUNTIME [ARGUMENT ...]' [WORD ...]" % usage)
    return [os.path.realpath(program), *command[1:]], words


def need_machine(*programs):
    """Ends with words when the machine cannot run these tests."""
    if os.geteuid() != 0:
        sys.exit("containers need root")
    missing = [each for each in (BUSYBOX, *programs) if not shutil.which(each)]
    if missing:
        sys.exit("not installed: %s (Debian: busybox-static, util-linux, and the tool's own name)" % ", ".join(missing))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
