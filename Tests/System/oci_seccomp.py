"""Filters of system calls."""

import json
import os
import socket

from harness import check, equal, eventually
from oci_bundle import case

PLATFORM = {"x86_64": "SCMP_ARCH_X86_64", "aarch64": "SCMP_ARCH_AARCH64"}[os.uname().machine]
ENETDOWN = 100
MAKE = ["mkdir", "mkdirat"]
# What shells and runtimes need, some of it unknown to some platforms; none of what makes a folder.
USUAL = """
access arch_prctl bind brk capget capset chdir chmod chown clock_gettime clock_nanosleep clone clone3 close close_range
connect copy_file_range dup dup2 dup3 epoll_create epoll_create1 epoll_ctl epoll_pwait epoll_wait eventfd2 execve
execveat exit exit_group faccessat faccessat2 fchdir fchmod fchmodat fchown fcntl flock fork fstat fstatfs futex getcwd
getdents getdents64 getegid geteuid getgid getgroups getpeername getpgid getpgrp getpid getppid getpriority getrandom
getresgid getresuid getrlimit getrusage getsid getsockname getsockopt gettid gettimeofday getuid ioctl kill lseek lstat
madvise membarrier mmap mprotect mremap munmap nanosleep newfstatat open openat openat2 pidfd_open pidfd_send_signal
pipe pipe2 poll ppoll prctl pread64 prlimit64 pselect6 pwrite64 read readlink readlinkat readv recvfrom recvmsg rename
restart_syscall rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigreturn rt_sigsuspend rt_sigtimedwait
sched_getaffinity sched_yield select sendfile sendmsg sendto set_robust_list set_tid_address setgid setgroups setpgid
setresgid setresuid setsid setuid sigaltstack socket socketpair stat statfs statx sysinfo tgkill umask uname unlink
unlinkat utimensat vfork wait4 waitid write writev
""".split()


def filtered(box, script, *rules, default="SCMP_ACT_ALLOW", **more):
    bundle = box.bundle(script)
    bundle.linux["seccomp"] = {"defaultAction": default, "architectures": [PLATFORM], "syscalls": list(rules), **more}
    return bundle


def rule(names, action, number=None, *arguments):
    found = {"names": names, "action": action}
    if number is not None:
        found["errnoRet"] = number
    if arguments:
        found["args"] = list(arguments)
    return found


def argument(index, value, op, second=None):
    found = {"index": index, "value": value, "op": "SCMP_CMP_" + op}
    if second is not None:
        found["valueTwo"] = second
    return found


@case
def error_number(box):
    """a call that is answered with an error fails with the configured one, or with EPERM"""
    for number, words in ((ENETDOWN, "Network is down"), (None, "Operation not permitted")):
        bundle = filtered(box, "mkdir /tmp/x; echo $?; ls /tmp", rule(MAKE, "SCMP_ACT_ERRNO", number))
        result = bundle.run().ok()
        equal(result.out, "1\n", "output")
        check(words in result.err, "the error is", result.err)


@case
def killed(box):
    """a call that kills ends the process with SIGSYS"""
    for action in ("SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD"):
        result = filtered(box, "mkdir /tmp/x; echo $?; ls /tmp", rule(MAKE, action)).run()
        equal(result.out, "159\n", "exit code of the process with " + action)


@case
def trapped(box):
    """a call that traps gets SIGSYS"""
    result = filtered(box, "mkdir /tmp/x; echo $?", rule(MAKE, "SCMP_ACT_TRAP")).run()
    equal(result.out, "159\n", "exit code of the process")


@case
def compared(box):
    """arguments of calls are compared"""
    chmod = ("chmod", 1), ("fchmodat", 2), ("fchmodat2", 2)
    cases = {
        "EQ": (0o700, None, {"700": False, "600": True, "777": True}),
        "NE": (0o700, None, {"700": True, "600": False, "777": False}),
        "LT": (0o700, None, {"700": True, "600": False, "777": True}),
        "LE": (0o700, None, {"700": False, "600": False, "777": True}),
        "GT": (0o700, None, {"700": True, "600": True, "777": False}),
        "GE": (0o700, None, {"700": False, "600": True, "777": False}),
        "MASKED_EQ": (0o007, 0o007, {"700": True, "600": True, "777": False}),
    }
    script = "touch /tmp/x; for each in 700 600 777; do chmod $each /tmp/x 2>/dev/null && echo $each; done; exit 0"
    for op, (value, second, wanted) in cases.items():
        rules = [rule([name], "SCMP_ACT_ERRNO", 1, argument(at, value, op, second)) for name, at in chmod]
        result = filtered(box, script, *rules).run().ok()
        equal(result.lines(), [each for each, passes in wanted.items() if passes], "modes that pass with " + op)


@case
def allow_list(box):
    """with a default of an error only the listed calls work, as in the engines' own profiles"""
    bundle = filtered(
        box,
        "echo alive; mkdir /tmp/x; ls /tmp; grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status",
        rule(USUAL, "SCMP_ACT_ALLOW"),
        default="SCMP_ACT_ERRNO",
        defaultErrnoRet=ENETDOWN,
    )
    result = bundle.run().ok()
    equal([line.split() for line in result.lines()], [["alive"], ["NoNewPrivs:", "1"], ["Seccomp:", "2"]], "output")
    check("Network is down" in result.err, "the error is", result.err)


@case
def without_no_new_privileges(box):
    """a filter works without noNewPrivileges"""
    bundle = filtered(
        box, "mkdir /tmp/x; grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status", rule(MAKE, "SCMP_ACT_ERRNO", ENETDOWN)
    )
    bundle.process["noNewPrivileges"] = False
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    result = bundle.run().ok()
    equal([line.split()[1] for line in result.lines()], ["0", "2"], "flags")
    check("Network is down" in result.err, "the error is", result.err)


@case
def further_processes(box):
    """exec starts processes under the same filter"""
    bundle = filtered(box, "exec sleep 100", rule(MAKE, "SCMP_ACT_ERRNO", ENETDOWN)).launch()
    check("Network is down" in bundle.shell("mkdir /tmp/x").refused().err, "a further process is not filtered")


@case
def unknown_calls(box):
    """unknown calls in a filter are skipped, unknown actions and comparisons are refused"""
    rules = [rule(["no_such_call", *MAKE], "SCMP_ACT_ERRNO", ENETDOWN)]
    check("Network is down" in filtered(box, "mkdir /tmp/x", *rules).run().refused().err, "it is not filtered")
    filtered(box, "true", rule(MAKE, "SCMP_ACT_NONSENSE")).run().refused()
    filtered(box, "true", rule(MAKE, "SCMP_ACT_ERRNO", 1, argument(0, 1, "NONSENSE"))).run().refused()


@case
def notified(box):
    """a call that notifies is answered by who listens on listenerPath, which gets the descriptor and the state"""
    path = os.path.join(box.path, "listener")
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    listener.settimeout(10)
    bundle = filtered(
        box,
        "mkdir /tmp/x; echo $?; exec sleep 100",
        rule(MAKE, "SCMP_ACT_NOTIFY"),
        listenerPath=path,
        listenerMetadata="some words",
    )
    bundle.create().ok()
    connection, _ = listener.accept()
    connection.settimeout(10)
    data, descriptors, _, _ = socket.recv_fds(connection, 65536, 4)
    listener.close()
    connection.close()
    message = json.loads(data)
    check(len(descriptors) == 1 and message["fds"] == ["seccompFd"], "descriptors are", message["fds"])
    equal((message["metadata"], message["state"]["id"]), ("some words", bundle.id), "metadata and id")
    equal(message["pid"], bundle.pid(), "pid")
    # Without anyone to answer, the kernel answers ENOSYS.
    os.close(descriptors[0])
    bundle.start().ok()
    eventually(lambda: bundle.output() == "1\n", 5, "an answer to mkdir")


@case
def narrow(box):
    """a filter has to allow what the program does, and next to nothing of what the runtime does before it"""
    box.older("runc", "runc closes descriptors and changes users under the filter")
    names = set(USUAL) - set("close_range getcwd setresuid setresgid setuid setgid setgroups chdir fchown".split())
    for privileges in (True, False):
        bundle = filtered(box, "id -u; id -g; id -G", rule(sorted(names), "SCMP_ACT_ALLOW"), default="SCMP_ACT_ERRNO")
        bundle.process["noNewPrivileges"] = privileges
        bundle.process["user"] = {"uid": 1000, "gid": 1001, "additionalGids": [2000]}
        bundle.process["cwd"] = "/tmp"
        words = "ids with noNewPrivileges %s" % privileges
        equal(bundle.run().ok().lines(), ["1000", "1001", "1001 2000"], words)


@case
def unprivileged(box):
    """a filter that is loaded with privileges leaves the program without them"""
    bundle = filtered(box, "grep ^Cap /proc/self/status", rule(MAKE, "SCMP_ACT_ERRNO"))
    bundle.process["noNewPrivileges"] = False
    bundle.process["user"] = {"uid": 1000, "gid": 1000}
    bundle.process["capabilities"] = {"bounding": ["CAP_KILL"], "permitted": ["CAP_KILL"]}
    kill, none = "%016x" % (1 << 5), "0" * 16
    lines = [line.split(":\t") for line in bundle.run().ok().lines()]
    wanted = {"CapInh": none, "CapPrm": none, "CapEff": none, "CapBnd": kill, "CapAmb": none}
    equal(dict(lines), wanted, "sets of a user's program")
