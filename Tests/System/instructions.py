"""How many instructions of its own the container runtime needs for short commands, counted by valgrind.

Unlike times these figures do not depend on what else the machine does, and hardly on the machine. What the kernel does
for the runtime is not in them. valgrind lacks calls that a container's init makes, so `create` counts as far as the
fork of init, which is nearly all that the command itself does.
"""

import os
import re
import shutil
import subprocess

# A tenth above what was measured; for `create` a quarter, because it also reads the machine's table of mounts, of which
# there may be more or fewer. More on purpose: raise them; by accident: a Set, a Dictionary or a generic call of
# the library at the start of a short command costs a look at all conformances of the program, half a million.
LIMITS = {"--version": 250_000, "state": 450_000, "create": 3_000_000}
LIMIT_SECONDS = 60
FORK = "clinux_fork_into"


def missing():
    """Programs that are needed and not there."""
    return [each for each in ("valgrind", "strip") if not shutil.which(each)]


def with_symbols_only(program, directory):
    """A copy that valgrind can read, which gives up on the debug information of new compilers."""
    copy = os.path.join(directory, "rondo-symbols")
    subprocess.run(["strip", "--strip-debug", "-o", copy, program], check=True)
    return copy


def count(command, directory, until=None):
    """Instructions of a command to its end or to the first call of a function; None when that was not called."""
    out = os.path.join(directory, "callgrind")
    options = ["--tool=callgrind", "--callgrind-out-file=%s.%%p" % out]
    if until:
        options.append("--dump-before=" + until)
    # Where the program goes on in a protected image of itself, valgrind would lose it.
    environment = dict(os.environ, _RONDO_OCI_PROTECTED="1")
    process = subprocess.Popen(
        ["valgrind", *options, *command], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment
    )
    try:
        process.wait(LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
        raise
    try:
        with open("%s.%d%s" % (out, process.pid, ".1" if until else "")) as file:
            return int(re.search(r"^totals: (\d+)$", file.read(), re.MULTILINE).group(1))
    except FileNotFoundError:
        return None


def measure(command, directory, bundle):
    """Instructions of each command of LIMITS; those of `create` only of a program that has its symbols.

    The bundle's container is not made: valgrind keeps its init from that.
    """
    command = [with_symbols_only(command[0], directory), *command[1:]]
    root = os.path.join(directory, "state-counted")
    counts = {
        "--version": count([*command, "--version"], directory),
        "state": count([*command, "--root", root, "state", "missing"], directory),
    }
    with open(command[0], "rb") as file:
        if FORK.encode() not in file.read():
            return counts
    create = [*command, "--root", root, "create", "--bundle", bundle, "counted"]
    counts["create"] = count(create, directory, until=FORK)
    subprocess.run(
        [*command, "--root", root, "delete", "--force", "counted"], check=True, stdout=subprocess.DEVNULL, timeout=20
    )
    return counts


def above(counts):
    """The counts that are above their limits, or could not be taken, as lines."""
    return [
        "%s: %s instructions, at most %d are allowed" % (name, found, LIMITS[name])
        for name, found in counts.items()
        if found is None or found > LIMITS[name]
    ]
