"""Ways out of containers through rights and calls that they should not have, and configurations that do harm."""

import copy
import json
import os
import subprocess

from harness import Skipped, check, equal, eventually
from oci_bundle import case, read, remains, top, write
from oci_escapes import outside
from oci_seccomp import PLATFORM, USUAL, filtered, rule

NATIVE_MKDIR, COMPAT_MKDIR, X32_BIT, IO_URING_SETUP = 83, 39, 0x40000000, 425


def with_python(bundle):
    """The host's Python in a container, for calls that no shell can make."""
    if os.uname().machine != "x86_64":
        raise Skipped("the calls of this test are those of x86-64")
    for each in ("/usr", "/lib", "/lib64"):
        if os.path.exists(each):
            os.makedirs(bundle.inside(each[1:]), exist_ok=True)
            bundle.mount(each, "bind", each, "rbind", "ro")
    return bundle


@case
def inheritable(box):
    """capabilities are inheritable only where the configuration says so, for further processes too"""
    bundle = box.bundle("grep CapInh /proc/self/status; exec sleep 100")
    bundle.launch()
    eventually(lambda: "CapInh" in bundle.output(), 5, "the capabilities")
    equal(bundle.output().split()[1], "0" * 16, "inheritable set of the first process")
    for options in ([], ["--cap", "CAP_SYS_ADMIN"], ["--user", "1000"]):
        result = bundle.shell("grep -E 'CapInh|CapAmb' /proc/self/status", *options).ok()
        if "1000" in options:
            check("CapInh" in result.out, "no sets in", result.out)
        equal({each.split()[1] for each in result.lines()}, {"0" * 16}, "inheritable and ambient sets, %s" % options)
    bundle.end()
    named = box.bundle("grep CapInh /proc/self/status")
    named.process["capabilities"]["inheritable"] = ["CAP_KILL"]
    equal(named.run().ok().out.split()[1], "%016x" % (1 << 5), "a set that was asked for")


# Looks at the descriptors and memory of processes that are not the container's: those of the runtime on its way in.
SPY = """
cd /proc
# Bounded: should the tests be killed, nobody ends this.
round=0
while [ $round -lt 3000 ]; do
    round=$((round + 1))
    for each in [0-9]*; do
        [ $each/exe -ef /bin/busybox ] && continue
        for fd in $each/fd/*; do
            case $(readlink $fd) in
            *socket:* | *anon_inode:* | *memfd:* | *exec.fifo* | *ociexe* | *state*) readlink $fd >>/attack/seen ;;
            esac
        done
        # By now it may have become the container's own program; then the memory was that.
        (exec 9<$each/mem && case $(readlink $each/exe) in "" | */busybox) ;; *) echo memory >>/attack/seen ;; esac) 2>/dev/null
    done
done
"""


@case
def traced_while_entering(box):
    """processes in a container cannot look into the runtime's while exec comes to them"""
    attack = box.folder("attack")
    bundle = box.bundle(SPY)
    bundle.mount("/attack", "bind", attack, "bind", "rw")
    bundle.give("CAP_DAC_OVERRIDE")
    bundle.launch()
    for _ in range(12):
        bundle.exec("/bin/true", limit=10)
    # The spy ends by itself after a while; on a busy machine it may have.
    bundle.kill(bundle.id, "KILL")
    bundle.wait("stopped")
    seen = os.path.join(attack, "seen")
    check(not os.path.exists(seen) or not read(seen), "descriptors were seen:", os.path.exists(seen) and read(seen)[:300])


@case
def release_agent(box):
    """no container can set the program that the kernel runs when a v1 group becomes empty"""
    mount = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}
    script = """
    for each in /sys/fs/cgroup/*/release_agent /sys/fs/cgroup/release_agent; do
        [ -e $each ] && echo /evil >$each && echo written
    done
    mkdir -p /tmp/group
    for name in memory cpu pids freezer; do
        mount -t cgroup -o $name cgroup /tmp/group || continue
        [ -e /tmp/group/release_agent ] && echo /evil >/tmp/group/release_agent && echo written
        umount /tmp/group
    done
    echo end"""
    agents = [os.path.join("/sys/fs/cgroup", each, "release_agent") for each in os.listdir("/sys/fs/cgroup")]
    before = {each: read(each) for each in agents if os.path.exists(each)}
    for options in (["ro"], ["rw"]):
        for own in (False, True):
            bundle = box.bundle(script)
            bundle.config["mounts"].append({**mount, "options": ["nosuid", "noexec", "nodev", *options]})
            if own:
                bundle.namespace("cgroup")
            result = bundle.run()
            check("written" not in result.out, "the agent was written, options", options, own)
            check("end" in result.out, "the attack had no end:", result.err[-300:])
    equal({each: read(each) for each in before}, before, "programs of the kernel")


@case
def device_through_bind(box):
    """a device node that comes with a volume cannot be used when the device is not allowed"""
    folder = box.folder("volume")
    node = os.path.join(folder, "node")
    try:
        os.mknod(node, 0o666 | 0o020000, os.makedev(1, 1))
        with open("/dev/mem", "rb"):
            pass
    except FileNotFoundError:
        pass
    except OSError as reason:
        raise Skipped("this machine lets nobody read memory: %s" % reason) from None
    os.unlink(node)
    os.mknod(node, 0o666 | 0o020000, os.makedev(5, 1))
    bundle = box.bundle("exec 3<>/vol/node && echo opened; mknod /tmp/made c 5 1 && exec 4<>/tmp/made && echo opened; exit 0")
    bundle.mount("/vol", "bind", folder, "bind", "rw")
    bundle.give("CAP_MKNOD", "CAP_SYS_ADMIN")
    check("opened" not in bundle.run().out, "the device was opened")


COMPAT = """
import ctypes, mmap, os, struct, sys
memory = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, prot=7)
place = ctypes.addressof(ctypes.c_char.from_buffer(memory))
# mov eax, 39; mov ebx, path; mov ecx, 0777; int 0x80; ret
path = place + 256
code = b"\\xb8" + struct.pack("<I", %d) + b"\\xbb" + struct.pack("<I", path) + b"\\xb9" + struct.pack("<I", 0o777) + b"\\xcd\\x80\\xc3"
memory[0:len(code)] = code
memory[256:256 + 11] = b"/tmp/compat\\0"[:11]
ctypes.CFUNCTYPE(ctypes.c_int)(place)()
""" % COMPAT_MKDIR


@case
def other_call_tables(box):
    """a filter cannot be passed by the numbers of 32-bit or x32 programs"""
    call = "import ctypes, sys; ctypes.CDLL(None).syscall(int(sys.argv[1]), sys.argv[2].encode(), 0o777)"
    refusing = rule(["mkdir", "mkdirat"], "SCMP_ACT_ERRNO", 1)
    for name, arguments in (
        ("native", ["-c", call, str(NATIVE_MKDIR), "/tmp/native"]),
        ("x32", ["-c", call, str(X32_BIT | NATIVE_MKDIR), "/tmp/x32"]),
        ("x32own", ["-c", call, str(X32_BIT | 512 + 83), "/tmp/x32own"]),
        ("compat", ["-c", COMPAT]),
    ):
        bundle = with_python(filtered(box, "true", refusing))
        bundle.process["args"] = ["/usr/bin/python3", *arguments]
        bundle.run()
        check(not os.path.exists(bundle.inside("tmp", name)), "a folder was made by the way of", name)
        free = with_python(box.bundle())
        free.process["args"] = bundle.process["args"]
        free.run()
        if name == "native":
            check(os.path.exists(free.inside("tmp", name)), "the test's own program makes no folder")


@case
def rings(box):
    """io_uring, which works around filters, is refused by a filter that does not name it"""
    script = "import ctypes; c = ctypes.CDLL(None, use_errno=True); b = ctypes.create_string_buffer(120)\n"
    script += "print(c.syscall(%d, 4, b) < 0, ctypes.get_errno())" % IO_URING_SETUP
    usual = rule(USUAL + ["mkdir", "mkdirat", "getrandom", "prctl", "sysinfo"], "SCMP_ACT_ALLOW")
    bundle = with_python(filtered(box, "true", usual, default="SCMP_ACT_ERRNO"))
    bundle.process["args"] = ["/usr/bin/python3", "-c", script]
    found = bundle.run().ok().out.split()
    check(found[0] == "True" and found[1] in ("1", "38"), "io_uring_setup gave", found)


@case
def groups_in_user_namespaces(box):
    """a process that a group may forbid something cannot drop that group in a user namespace of its own"""
    bundle = with_python(box.bundle())
    script = """
import ctypes, os
c = ctypes.CDLL(None, use_errno=True)
uid, gid = os.geteuid(), os.getegid()
if c.unshare(0x10000000) != 0: print("no namespace"); raise SystemExit
try:
    with open("/proc/self/gid_map", "w") as file: file.write("0 %d 1" % gid)
    print("mapped")
except OSError: print("refused")
"""
    bundle.process["args"] = ["/usr/bin/python3", "-c", script]
    bundle.process["user"] = {"uid": 1000, "gid": 1000, "additionalGids": [7]}
    check(bundle.run().ok().out.strip() in ("refused", "no namespace"), "groups were mapped with setgroups allowed")


@case
def redirected_settings(box):
    """kernel settings are not written through files that stand in for those of procfs"""
    folder = outside(box)
    secret = os.path.join(folder, "secret")
    before = read("/proc/sys/net/ipv4/ip_forward")
    for destination, source in (
        ("/proc/sys/net/ipv4/ip_forward", secret), ("/proc/sys/net", folder), ("/proc/self/attr/exec", secret),
        ("/proc/sys/net/ipv4/ip_forward", "/proc/sys/kernel/core_pattern"), ("/proc/1/attr", "/proc/sys/kernel"),
    ):
        bundle = box.bundle("echo ran")
        bundle.linux["sysctl"] = {"net.ipv4.ip_forward": "1"}
        bundle.mount(destination, "bind", source, "bind", "rw")
        bundle.run().refused()
    for name in ("net/../kernel/core_pattern", "net.ipv4.conf.../../../kernel/core_pattern", "net/ipv4//../../kernel/core_pattern"):
        bundle = box.bundle("echo ran")
        bundle.linux["sysctl"] = {name: "|/evil"}
        bundle.run().refused()
    equal(read(secret), "top secret\n", "the file outside")
    equal(read("/proc/sys/net/ipv4/ip_forward"), before, "the host's setting")
    check("evil" not in read("/proc/sys/kernel/core_pattern"), "core_pattern was written")


@case
def groups_of_the_host(box):
    """the tree of control groups that a container sees cannot be written where the mount says read-only"""
    bundle = box.bundle("for each in /sys/fs/cgroup /sys/fs/cgroup/*; do mkdir $each/evil && echo made; done; echo end")
    mount = {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup"}
    bundle.config["mounts"].append({**mount, "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]})
    bundle.give("CAP_DAC_OVERRIDE")
    result = bundle.run().ok()
    equal(result.lines(), ["end"], "what it could make")


def changed(config, path, value):
    config = copy.deepcopy(config)
    place = config
    for each in path[:-1]:
        place = place.setdefault(each, {}) if isinstance(place, dict) else place[each]
    place[path[-1]] = value
    return config


HUGE = 1 << 33
MALFORMED = [
    (["process", "user", "uid"], HUGE), (["process", "user", "uid"], -1), (["process", "user", "gid"], 1 << 64),
    (["process", "user", "additionalGids"], [HUGE]), (["process", "args"], ["/bin/tr\0ue"]), (["process", "args"], []),
    (["process", "cwd"], "relative"), (["process", "cwd"], "/\0"), (["process", "env"], ["A=\0"]),
    (["process", "rlimits"], [{"type": "RLIMIT_NOFILE", "soft": -1, "hard": 1}]),
    (["process", "rlimits"], [{"type": "RLIMIT_NOFILE", "soft": 2, "hard": 1}]),
    (["process", "oomScoreAdj"], 5000), (["root", "path"], "/no/such/root"), (["root", "path"], "\0"),
    (["hostname"], "a" * 70), (["ociVersion"], "9.0.0"), (["ociVersion"], 1), (["linux", "rootfsPropagation"], "upside"),
    (["linux", "namespaces"], [{"type": "mount"}, {"type": "mount"}]), (["linux", "namespaces"], [{"type": "nothing"}]),
    (["linux", "cgroupsPath"], "/../../.."), (["linux", "resources", "memory"], {"limit": 1 << 70}),
    (["linux", "resources", "memory"], {"limit": "much"}), (["linux", "resources", "cpu"], {"shares": -5}),
    (["linux", "resources", "devices"], [{"allow": True, "access": "everything"}]),
    (["linux", "devices"], [{"path": "relative", "type": "c", "major": 1, "minor": 3}]),
    (["linux", "devices"], [{"path": "/dev/x", "type": "c", "major": 1 << 40, "minor": 3}]),
    (["linux", "maskedPaths"], ["relative"]), (["linux", "sysctl"], {"kernel.core_pattern": "|/evil"}),
    (["linux", "seccomp"], {"defaultAction": "SCMP_ACT_SMILE"}), (["linux", "intelRdt"], {"closID": "../.."}),
    (["mounts"], [{"destination": "/a\0b", "type": "tmpfs", "source": "tmpfs"}]),
    (["mounts"], [{"destination": "/mnt", "type": "nosuchfs", "source": "x"}]),
    (["mounts"], [{"destination": "/mnt", "type": "bind", "source": "/no/such", "options": ["bind"]}]),
    (["hooks"], {"createRuntime": [{"path": "relative"}]}), (["hooks"], {"createRuntime": [{"path": "/x", "timeout": -1}]}),
]


@case
def malformed(box):
    """configurations that are wrong are refused in the program as in its parts, and nothing of them is left"""
    box.older("runc", "it takes some of these for right")
    bundle = box.bundle("true")
    for path, value in MALFORMED:
        bundle.save(json.dumps(changed(bundle.config, path, value)))
        result = bundle.make("create", save=False)
        check(result.code != 0, ".".join(path), "=", str(value)[:60], "was taken for right")
        check(len(result.err.strip().split("\n")[-1]) > 20, "no words for", ".".join(path))
        left = [each for each in remains(box.path, box.root, box.mine)]
        equal(left, [], "what is left after %s = %s" % (".".join(path), str(value)[:60]))
    for text in ("", "{", "null", "[]", '{"ociVersion":"1.0.0"', "\0", "[" * 100000, '{"a":' * 5000, "\xff\xfe"):
        bundle.save(text)
        bundle.make("create", save=False).refused()
        equal(remains(box.path, box.root, box.mine), [], "what is left after %r" % text[:20])


@case
def many_mounts(box):
    """more mounts than a configuration may have are refused at once, and many that may be are undone"""
    bundle = box.bundle("exit 0")
    usual = list(bundle.config["mounts"])
    bundle.config["mounts"] = usual + [{"destination": "/tmp", "type": "tmpfs", "source": "t"}] * 100_001
    bundle.save()
    box.older("runc", "it makes them all")
    bundle.make("create", save=False, limit=20).refused()
    equal(remains(box.path, box.root, box.mine), [], "what is left")
    bundle.config["mounts"] = usual + [{"destination": "/tmp/%d" % (n % 50), "type": "tmpfs", "source": "t"} for n in range(400)]
    bundle.run().ok()
    equal(remains(box.path, box.root, box.mine), [], "what is left after 400")


@case
def cyclic_binds(box):
    """binds of the root into itself end, and leave no mount"""
    bundle = box.bundle("exit 0")
    for number in range(12):
        bundle.mount("/mnt/%d" % (number % 3), "bind", bundle.rootfs, "rbind")
    bundle.run(limit=20)
    for number in range(4):
        bundle.mount("/", "bind", bundle.rootfs, "rbind")
    bundle.run(limit=20)
    count = subprocess.run(["grep", "-c", bundle.path, "/proc/self/mountinfo"], capture_output=True, timeout=5, text=True)
    equal(count.stdout.strip(), "0", "mounts of the bundle on the host")
