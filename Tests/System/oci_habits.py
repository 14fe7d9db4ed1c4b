"""What the runtime-spec leaves open and callers of runc rely on."""

import json
import os
import socket
import stat
import subprocess

from harness import check, equal, eventually
from oci_bundle import case, read, write

MAPPING = [{"containerID": 0, "hostID": 100000, "size": 65536}]


def in_user_namespace(bundle):
    """Gives the container a user namespace, and the image to its root."""
    bundle.namespace("user")
    bundle.linux.update(uidMappings=MAPPING, gidMappings=MAPPING)
    for folder, folders, files in os.walk(bundle.rootfs):
        for each in [folder, *(os.path.join(folder, name) for name in folders + files)]:
            os.lchown(each, 100000, 100000)
    for folder in (bundle.path, os.path.dirname(bundle.path)):
        os.chmod(folder, 0o755)


def options_of(bundle, place):
    """The options of a mount, as the container sees them."""
    bundle.set_script("awk '$2 == \"%s\" {print $4}' /proc/mounts" % place)
    return set(bundle.run().ok().lines()[-1].split(","))


@case
def bind_options(box):
    """the options of a bind replace those of its source, and none keep them"""
    folder = box.folder("source")
    box.host_mount("-t", "tmpfs", "tmpfs", folder)
    subprocess.run(["mount", "-o", "remount,bind,ro,nosuid,noexec", folder], check=True, timeout=10)
    for words, there, gone in (
        (["bind"], {"ro", "nosuid", "noexec"}, {"rw"}),
        (["bind", "nodev"], {"rw", "nodev"}, {"ro", "nosuid", "noexec"}),
        (["bind", "suid"], {"rw"}, {"ro", "nosuid", "noexec"}),
    ):
        bundle = box.bundle()
        bundle.mount("/mnt", "bind", folder, *words)
        found = options_of(bundle, "/mnt")
        check(there <= found and not gone & found, words, "became", found)


@case
def locked_bind_options(box):
    """in a user namespace a bind keeps what it may not lose, and says so when that was asked to go"""
    box.older("runc version 1.1", "runc 1.1 loses the options of the source")
    folder = box.folder("source")
    box.host_mount("-t", "tmpfs", "tmpfs", folder)
    subprocess.run(["mount", "-o", "remount,bind,ro,nosuid", folder], check=True, timeout=10)
    bundle = box.bundle()
    in_user_namespace(bundle)
    bundle.mount("/mnt", "bind", folder, "bind", "nodev")
    found = options_of(bundle, "/mnt")
    check({"ro", "nosuid", "nodev"} <= found, "options are", found)
    bundle.config["mounts"][-1]["options"] = ["bind", "rw"]
    check("operation not permitted" in bundle.run().refused().err, "a locked option was taken away")


@case
def closed_source(box):
    """a user namespace gets binds out of folders that its root may not enter, and in their order"""
    box.older("runc version 1.1", "runc 1.1 opens them all at first")
    bundle = box.bundle("cat /mnt/inner/file")
    in_user_namespace(bundle)
    outer, inner = box.folder("closed", "outer", "inner"), box.folder("closed", "other")
    write(os.path.join(inner, "file"), "found\n")
    os.chmod(os.path.dirname(inner), 0o700)
    bundle.mount("/mnt", "bind", os.path.dirname(outer), "rbind")
    bundle.mount("/mnt/inner", "bind", inner, "rbind")
    # Out of what has been mounted before.
    bundle.mount("/home", "bind", bundle.inside("mnt"), "rbind")
    bundle.set_script("cat /home/inner/file")
    equal(bundle.run().ok().out, "found\n", "content behind two binds")


@case
def host_destination(box):
    """a destination may be written as the host sees it"""
    folder = box.folder("source")
    write(os.path.join(folder, "file"), "found\n")
    bundle = box.bundle("cat /mnt/file")
    bundle.mount(bundle.inside("mnt"), "bind", folder, "bind")
    equal(bundle.run().ok().out, "found\n", "content")


@case
def dangling_destination(box):
    """a destination behind a link to nothing is made inside of the root"""
    source = write(os.path.join(box.folder("source"), "file"), "found\n")
    bundle = box.bundle("cat /run/deep/hosts")
    os.symlink("/../run/deep", bundle.inside("jump"))
    os.symlink("/jump/hosts", bundle.inside("etc/hosts"))
    bundle.mount("/etc/hosts", "bind", source, "bind")
    equal(bundle.run().ok().out, "found\n", "content")


@case
def read_only_devices(box):
    """/dev can be read-only, with everything in it"""
    bundle = box.bundle("test -c /dev/null && ls /dev/pts/ptmx && ! touch /dev/new")
    for mount in bundle.config["mounts"]:
        if mount["destination"] == "/dev":
            mount["options"] = mount["options"] + ["ro"]
    check("Read-only" in bundle.run().ok().err, "/dev could be written to")


@case
def new_tmpfs(box):
    """a tmpfs at a place that was not there is open to all"""
    box.older("runc version 1.1", "runc 1.1 gives it the mode of the folder that it makes")
    bundle = box.bundle("stat -c %a /new/place; stat -c %a /home")
    os.chmod(bundle.inside("home"), 0o710)
    bundle.mount("/new/place", "tmpfs", "tmpfs")
    bundle.mount("/home", "tmpfs", "tmpfs")
    equal(bundle.run().ok().lines(), ["1777", "710"], "modes")


@case
def masked_once(box):
    """masked folders are one empty tmpfs, and one that is named twice is masked once"""
    box.older("runc version 1.1", "runc 1.1 makes a tmpfs each")
    bundle = box.bundle("stat -c %d /home /var; grep -c ' /home ' /proc/mounts; touch /home/x || echo protected")
    bundle.linux["maskedPaths"] = ["/home", "/var", "/home/"]
    lines = bundle.run().ok().lines()
    equal(lines[0], lines[1], "devices")
    equal(lines[2:], ["1", "protected"], "mounts of /home, and a write")


@case
def no_host_kernel_filesystems(box):
    """without pivot_root the host's procfs is not left to mount anew from"""
    bundle = box.bundle("awk '$4 == \"/\" && / - (proc|sysfs) / {print $5}' /proc/1/mountinfo")
    places = bundle.run("--no-pivot").ok().lines()
    check(set(places) <= {"/proc", "/sys"}, "whole kernel filesystems at", places)


@case
def processors(box):
    """what the caller is bound to is not the container's concern"""
    box.older("runc version 1.1", "runc binds the container as itself before 1.3")
    if len(os.sched_getaffinity(0)) < 2:
        return
    script = "awk '/Cpus_allowed_list/ {print $2}' /proc/self/status"
    whole = read("/proc/self/status").split("Cpus_allowed_list:\t")[1].split("\n")[0]
    bound = ("taskset", "-c", str(min(os.sched_getaffinity(0))))
    bundle = box.bundle(script + "; sleep 100")
    bundle.launch(prefix=bound)
    eventually(lambda: bundle.output() == whole + "\n", 5, "all processors for init")
    equal(bundle.verb("exec", bundle.id, "/bin/sh", "-c", script, prefix=bound).ok().out, whole + "\n", "of exec")


@case
def ambient_warning(box):
    """an ambient capability that cannot be is a warning"""
    bundle = box.bundle("true")
    sets = bundle.process["capabilities"]
    sets["inheritable"], sets["ambient"] = ["CAP_KILL"], ["CAP_KILL", "CAP_CHOWN"]
    for each in ("bounding", "effective", "permitted"):
        sets[each] = sorted({*sets[each], "CAP_KILL", "CAP_CHOWN"})
    err = bundle.run().ok().err
    check("can't raise ambient capability CAP_CHOWN: " in err, "errors are", err)
    check("CAP_KILL" not in err, "errors are", err)


@case
def relative_pid_file(box):
    """a relative pid file is made where the caller is"""
    bundle = box.bundle("sleep 100")
    elsewhere = box.folder("elsewhere")
    bundle.create("--pid-file", "init.pid", cwd=elsewhere).ok()
    equal(read(os.path.join(elsewhere, "init.pid")), str(bundle.pid()), "the pid")


@case
def pidfd_socket(box):
    """a pidfd of init, and of an exec, goes to the socket that is named"""
    box.older("runc version 1.1", "--pidfd-socket came with runc 1.2")
    path = os.path.join(box.path, "pidfd")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen(1)
        server.settimeout(10)
        bundle = box.bundle("sleep 100")
        bundle.create("--pidfd-socket", path).ok()
        equal(received(server), bundle.pid(), "the pid of init")
        bundle.start().ok()
        pid_file = os.path.join(box.path, "exec.pid")
        bundle.exec("sleep", "50", options=("-d", "--pidfd-socket", path, "--pid-file", pid_file)).ok()
        equal(received(server), int(read(pid_file)), "the pid of the exec")


def received(server):
    """Whose pidfd comes in."""
    connection, _ = server.accept()
    with connection:
        connection.settimeout(10)
        _, descriptors, _, _ = socket.recv_fds(connection, 100, 2)
        equal(len(descriptors), 1, "descriptors")
        facts = read("/proc/self/fdinfo/%d" % descriptors[0])
        os.close(descriptors[0])
        return int(facts.split("Pid:\t")[1].split("\n")[0])


@case
def waiting_init(box):
    """init waits for start with no descriptor of its caller, and ends by the usual signals"""
    bundle = box.bundle("sleep 100")
    given = os.open(write(os.path.join(box.path, "given"), ""), os.O_RDONLY)
    bundle.create(pass_fds=[given]).ok()
    os.close(given)
    folder = "/proc/%d/fd" % bundle.pid()
    for each in os.listdir(folder):
        target = os.readlink(os.path.join(folder, each))
        kind = os.stat(os.path.join(folder, each)).st_mode
        mine = int(each) > 2 and (stat.S_ISREG(kind) or stat.S_ISDIR(kind) and target not in ("/", "/proc"))
        check(not mine, "descriptor", each, "is", target)
    bundle.kill(bundle.id, "TERM").ok()
    bundle.wait("stopped")


@case
def unfit_program(box):
    """a program that the kernel does not take is told once, by the container"""
    bundle = box.bundle()
    write(bundle.inside("bin/unfit"), "#!/nothing here\n", 0o755)
    bundle.set_script(["/bin/unfit"])
    result = bundle.run().refused()
    box.older("runc version 1.1", "runc tells it twice before 1.2")
    equal(result.err, "exec /bin/unfit: no such file or directory\n", "errors")
    running = box.sleeper()
    write(running.inside("bin/unfit"), "#!/nothing here\n", 0o755)
    result = running.exec("/bin/unfit").refused()
    check("exec /bin/unfit: no such file or directory" in result.err, "errors are", result.err)
    equal(len(result.err.splitlines()), 1, "lines")


@case
def groups_of_others(box):
    """exec goes to groups below the container's, never beside it"""
    bundle = box.sleeper()
    for name, words in (
        ("..", "bad sub cgroup path"), ("a/../../b", "bad sub cgroup path"), ("absent", "no such file or directory"),
        ("nothing:/", "controller"),
    ):
        err = bundle.exec("true", options=("--cgroup", name)).refused().err
        box.older("runc version 1.1", "runc 1.1 words it otherwise")
        check(words in err, name, "is refused with", err)


@case
def clocks_below(box):
    """a time namespace keeps its clocks inside of a user namespace too"""
    box.older("runc version 1.1", "time namespaces came with runc 1.2")
    bundle = box.bundle("awk '{print $1, $2}' /proc/self/timens_offsets")
    in_user_namespace(bundle)
    bundle.namespace("time")
    bundle.linux["timeOffsets"] = {"monotonic": {"secs": 77}, "boottime": {"secs": 88}}
    equal(bundle.run().ok().lines(), ["monotonic 77", "boottime 88"], "offsets")


@case
def debug_log(box):
    """--debug tells the steps of a start in the log that is named"""
    bundle = box.bundle("true")
    log = os.path.join(box.path, "log")
    bundle.save()
    box.call("--debug", "--log", log, "--log-format", "json", "run", "--bundle", bundle.path, bundle.id).ok()
    lines = [json.loads(line) for line in read(log).splitlines()]
    steps = [line["msg"] for line in lines if line["level"] == "debug"]
    for words in ("nsexec container setup", "child process in init()", "closing the pipe to signal completion"):
        check(any(words in step for step in steps), words, "is not in", steps)
