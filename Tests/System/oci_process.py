"""What the process of a container finds: environment, user, limits, capabilities."""

import os

from harness import check, equal
from oci_bundle import case, read

# Bit numbers of capabilities(7).
BITS = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_KILL": 5, "CAP_NET_BIND_SERVICE": 10, "CAP_AUDIT_WRITE": 29}


def mask(*names):
    return sum(1 << BITS[name] for name in names)


def status_fields(text):
    """The lines of a /proc/PID/status by name."""
    return {line.split(":")[0]: line.split(":")[1].strip() for line in text.splitlines() if ":" in line}


def capability_sets(text):
    fields = status_fields(text)
    return {name: int(fields["Cap" + name], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}


@case
def arguments(box):
    """arguments arrive unchanged, found along the container's PATH"""
    bundle = box.bundle(["mine", "a b", "", "c'd\"e", "$HOME", "ünï", "--", "-x"])
    bundle.process["env"] = ["PATH=/nowhere:/opt", "RONDO_TEST=" + bundle.id]
    os.mkdir(bundle.inside("opt"))
    with open(bundle.inside("opt/mine"), "w") as file:
        file.write('#!/bin/sh\nfor each in "$@"; do echo "<$each>"; done\n')
    os.chmod(bundle.inside("opt/mine"), 0o755)
    equal(bundle.run().ok().lines(), ["<a b>", "<>", "<c'd\"e>", "<$HOME>", "<ünï>", "<-->", "<-x>"], "arguments")


@case
def environment(box):
    """the environment is the configured one, with HOME from the passwd file when it has none"""
    bundle = box.bundle(["/bin/env"])
    bundle.process["env"] += ["A=1", "B=x=y", "EMPTY="]
    found = bundle.run(env={**os.environ, "LEAK": "yes"}).ok().lines()
    wanted = bundle.process["env"]
    equal(sorted(found), sorted(wanted + ["HOME=/root"]), "environment")
    bundle = box.bundle(["/bin/env"])
    bundle.process["env"] += ["HOME=/mine"]
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    check("HOME=/mine" in bundle.run().ok().lines(), "the configured HOME is gone")
    bundle = box.bundle(["/bin/env"])
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    check("HOME=/home" in bundle.run().ok().lines(), "HOME is not that of the user")


@case
def working_directory(box):
    """the process starts in cwd, which is made when it is missing"""
    bundle = box.bundle("pwd; stat -c %a /made; stat -c %a /made/here")
    bundle.process["cwd"] = "/made/here"
    equal(bundle.run().ok().lines(), ["/made/here", "755", "755"], "directory and modes")


@case
def user(box):
    """user, group, additional groups and umask are the configured ones"""
    bundle = box.bundle("id -u; id -g; id -G; umask; touch /tmp/mine; stat -c '%u %g %a' /tmp/mine")
    bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [2000, 3000], "umask": 0o027}
    lines = bundle.run().ok().lines()
    equal(lines[:2] + lines[3:], ["1000", "1001", "0027", "1000 1001 640"], "ids, umask and the file's")
    equal(sorted(lines[2].split()), ["1001", "2000", "3000"], "groups")
    bundle = box.bundle("id -G; umask")
    equal(bundle.run().ok().lines(), ["0", "0022"], "groups and umask of root without any")


@case
def own_streams(box):
    """a user without rights can open its standard streams again"""
    bundle = box.bundle("echo first >/dev/stdout; echo second >/dev/stderr")
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    reader, writer = os.pipe()
    bundle.create(stdin=reader).ok()
    os.close(reader)
    os.close(writer)
    owner = os.stat("/proc/%d/fd/0" % bundle.pid()).st_uid
    bundle.start().ok()
    bundle.wait("stopped")
    equal(owner, 1000, "owner of a pipe that is standard input")


@case
def host_name(box):
    """the host name is set in the container only"""
    before = os.uname().nodename
    bundle = box.bundle(["/bin/hostname"])
    bundle.config["hostname"] = "a-name.of.its.own"
    equal(bundle.run().ok().out, "a-name.of.its.own\n", "name")
    equal(os.uname().nodename, before, "the host's name")
    bundle = box.bundle(["/bin/hostname"])
    bundle.without_namespace("uts")
    bundle.run().refused()


@case
def domain_name(box):
    """the domain name is set"""
    box.older("runc version 1.1", "domainname came with runc 1.2")
    bundle = box.bundle("cat /proc/sys/kernel/domainname")
    bundle.config["domainname"] = "example.org"
    equal(bundle.run().ok().out, "example.org\n", "name")


@case
def limits(box):
    """resource limits are set, and no more than the configured ones"""
    bundle = box.bundle("cat /proc/self/limits")
    bundle.process["rlimits"] = [
        {"type": "RLIMIT_NOFILE", "soft": 500, "hard": 1000},
        {"type": "RLIMIT_CORE", "soft": 0, "hard": 0},
        {"type": "RLIMIT_STACK", "soft": 4194304, "hard": 8388608},
    ]
    lines = {line[:26].strip(): line[26:].split() for line in bundle.run().ok().lines()}
    equal(lines["Max open files"][:2], ["500", "1000"], "open files")
    equal(lines["Max core file size"][:2], ["0", "0"], "core files")
    equal(lines["Max stack size"][:2], ["4194304", "8388608"], "stack")
    own = {line[:26].strip(): line[26:].split() for line in read("/proc/self/limits").splitlines()}
    equal(lines["Max processes"], own["Max processes"], "limit of processes, which has no configuration")


@case
def wrong_limits(box):
    """unknown and doubled resource limits are refused"""
    bundle = box.bundle()
    bundle.process["rlimits"] = [{"type": "RLIMIT_NONSENSE", "soft": 1, "hard": 1}]
    bundle.run().refused()
    bundle = box.bundle()
    bundle.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 2000, "hard": 1000}]
    bundle.run().refused()


@case
def oom_score(box):
    """oomScoreAdj is set for the first and for further processes"""
    bundle = box.bundle("cat /proc/self/oom_score_adj; exec sleep 100")
    bundle.process["oomScoreAdj"] = 543
    bundle.launch()
    equal(bundle.shell("cat /proc/self/oom_score_adj /proc/1/oom_score_adj").ok().lines(), ["543", "543"], "score")


@case
def no_new_privileges(box):
    """noNewPrivileges is set when asked for only"""
    for wanted in (True, False):
        bundle = box.bundle("grep NoNewPrivs /proc/self/status")
        bundle.process["noNewPrivileges"] = wanted
        equal(bundle.run().ok().out.split()[1], str(int(wanted)), "NoNewPrivs")


@case
def capabilities_root(box):
    """root has the configured capabilities in all five sets"""
    bundle = box.bundle(["/bin/cat", "/proc/self/status"])
    both, one = ["CAP_CHOWN", "CAP_KILL"], ["CAP_CHOWN"]
    bundle.process["capabilities"] = {
        "bounding": [*both, "CAP_NET_BIND_SERVICE"],
        "permitted": both,
        "effective": one,
        "inheritable": both,
        "ambient": one,
    }
    sets = capability_sets(bundle.run().ok().out)
    # The kernel makes all that root is permitted effective at execve; noNewPrivileges keeps it from adding the rest.
    three, two = mask(*both, "CAP_NET_BIND_SERVICE"), mask(*both)
    wanted = {"Inh": two, "Prm": two, "Eff": two, "Bnd": three, "Amb": mask(*one)}
    equal(sets, wanted, "sets")


@case
def capabilities_user(box):
    """another user keeps exactly the ambient capabilities"""
    bundle = box.bundle(["/bin/cat", "/proc/self/status"])
    both = ["CAP_CHOWN", "CAP_KILL"]
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = {
        "bounding": [*both, "CAP_AUDIT_WRITE"],
        "permitted": both,
        "effective": both,
        "inheritable": both,
        "ambient": ["CAP_KILL"],
    }
    sets = capability_sets(bundle.run().ok().out)
    kill = mask("CAP_KILL")
    wanted = {"Inh": mask(*both), "Prm": kill, "Eff": kill, "Bnd": mask(*both, "CAP_AUDIT_WRITE"), "Amb": kill}
    equal(sets, wanted, "sets")


@case
def capabilities_none(box):
    """a container without capabilities has none"""
    bundle = box.bundle(["/bin/cat", "/proc/self/status"])
    bundle.process["capabilities"] = {}
    sets = capability_sets(bundle.run().ok().out)
    equal(sets, {"Inh": 0, "Prm": 0, "Eff": 0, "Bnd": 0, "Amb": 0}, "sets")


@case
def first_process(box):
    """the process is number 1, leads its session and has no children of the runtime"""
    bundle = box.bundle("echo $$; cut -d ' ' -f 6 /proc/1/stat; ls -d /proc/[0-9]*")
    lines = bundle.run().ok().lines()
    equal(lines[:2], ["1", "1"], "process and session")
    check(len(lines) <= 4, "processes are", lines[2:])


@case
def signal_state(box):
    """no signal is blocked or ignored"""
    fields = status_fields(box.bundle(["/bin/cat", "/proc/self/status"]).run().ok().out)
    equal(int(fields["SigBlk"], 16), 0, "blocked signals")
    equal(int(fields["SigIgn"], 16), 0, "ignored signals")
