"""What puts Rondo on a machine and takes it off again: the install script, the unit, cloud-init and Ansible.

    python3 Tests/System/provisioning.py path/to/rondo [WORD ...]

Files go into folders of this test; what needs a whole machine runs in one that is thrown away (throwaway.py), which
takes root. Nothing is fetched: a release is served from loopback.
"""

import functools
import hashlib
import http.server
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

import provisioning_machine  # noqa: E402
from harness import TESTS, Skipped, at_end, check, equal, finish, run_tests, test  # noqa: E402
from releases import PROVISIONING, SCRIPT, UNIT, Release, Root, read, refuses, succeeds, write  # noqa: E402

FILES = ["/etc/rondo/installed", UNIT]
FILES += ["/usr/local/bin/" + each for each in ("containerd-shim-rondo-v2", "rondo", "rondo-oci")]


def new_root():
    return Root(work, release)


# -- the script, on folders ------------------------------------------------------------------------------------------


@test
def linted():
    """shellcheck has nothing to say about the scripts"""
    if not shutil.which("shellcheck"):
        raise Skipped("shellcheck is not installed")
    scripts = [os.path.join(PROVISIONING, each) for each in sorted(os.listdir(PROVISIONING))]
    scripts = [each for each in scripts if os.path.isfile(each) and re.match(r"#!\S*/(env )?(ba|da)?sh\b", read(each))]
    check(SCRIPT in scripts, "install.sh is not among", scripts)
    result = subprocess.run(["shellcheck", *scripts], stdout=subprocess.PIPE, text=True)
    equal(result.stdout, "", "what it says")


@test
def installed():
    """from a local file the script installs program, links and unit, in every shell, and once is enough"""
    shells = [("dash",), ("bash", "--posix"), ("busybox", "sh")]
    for shell in [each for each in shells if shutil.which(each[0])]:
        root = new_root()
        succeeds(root.install(shell=shell))
        equal(root.files(), sorted(FILES), "files, by %s" % shell[0])
        equal(os.stat(root.path("/usr/local/bin/rondo")).st_mode & 0o7777, 0o755, "mode")
        equal(os.readlink(root.path("/usr/local/bin/rondo-oci")), "rondo", "link")
        succeeds(root.install(shell=shell), "nothing to do")
        succeeds(root.install("--uninstall", shell=shell))
        equal(root.everything(), [], "what is left, by %s" % shell[0])


@test
def silent():
    """with a local file nothing is fetched"""
    root, folder = new_root(), tempfile.mkdtemp(dir=work)
    for name in ("curl", "wget"):
        write(os.path.join(folder, name), "#!/bin/sh\necho $0 >>%s/called\nexit 1\n" % folder, 0o755)
    succeeds(root.install(path=folder))
    check(not os.path.exists(folder + "/called"), "a program that fetches was called")


@test
def checked():
    """a program that does not match its checksum is refused, and the one that is there stays"""
    root = new_root()
    succeeds(root.install())
    before = os.stat(root.path("/usr/local/bin/rondo")).st_ino
    with tempfile.TemporaryDirectory(dir=work) as folder:
        file = os.path.join(folder, "rondo-linux-amd64")
        shutil.copy(release.file, file)
        refuses(root.install(RONDO_FILE=file), "there is no", "SHA256SUMS", "RONDO_SHA256")
        shutil.copy(release.folder + "/SHA256SUMS", folder)
        with open(file, "ab") as changed:
            changed.write(b"x")
        refuses(root.install(RONDO_FILE=file), "is not what it should be", release.hash)
        refuses(root.install(RONDO_FILE=file, RONDO_SHA256="12345"), "is not what it should be")
        write(folder + "/SHA256SUMS", "%s  another\n" % release.hash)
        refuses(root.install(RONDO_FILE=file), "has no line for rondo-linux-amd64")
        write(folder + "/SHA256SUMS", ("%s  rondo-linux-amd64\n" % release.hash) * 2)
        refuses(root.install(RONDO_FILE=file), "there are several")
        # It is what it should be, and still no program.
        write(file, "#!/no/such/interpreter\n")
        known = hashlib.sha256(read(file).encode()).hexdigest()
        refuses(root.install(RONDO_FILE=file, RONDO_SHA256=known), "does not start")
    equal(os.stat(root.path("/usr/local/bin/rondo")).st_ino, before, "the program's file")
    equal(root.files(), sorted(FILES), "files")
    succeeds(root.install(RONDO_SHA256=release.hash.upper()), "nothing to do")


@test
def fetched():
    """a release is fetched and checked; over plain http only with a hash that is known before"""
    if not shutil.which("curl"):
        raise Skipped("curl is not installed")
    root = new_root()
    handler = functools.partial(Quiet, directory=release.folder)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = "http://127.0.0.1:%d/" % server.server_address[1]
        fetch = functools.partial(root.install, RONDO_FILE=None, no_proxy="127.0.0.1")
        refuses(fetch(RONDO_URL=url), "plain http", "RONDO_SHA256")
        refuses(fetch(RONDO_URL=url, RONDO_SHA256="0" * 64), "is not what it should be")
        refuses(fetch(RONDO_URL=url + "none", RONDO_SHA256=release.hash), "could not be fetched")
        refuses(fetch(RONDO_URL="ftp://127.0.0.1/"), "is not an https address")
        refuses(fetch(RONDO_URL="https://127.0.0.1:%d" % server.server_address[1]), "could not be fetched")
        equal(root.everything(), [], "what was made")
        succeeds(fetch(RONDO_URL=url, RONDO_SHA256=release.hash), "fetching")
        server.shutdown()
    equal(root.files(), sorted(FILES), "files")


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@test
def piped():
    """a script of which only a part has arrived does nothing"""
    root, text = new_root(), read(SCRIPT)
    for share in (0.3, 0.7, 0.9, 0.99):
        root.install(text=text[: int(len(text) * share)])
        equal(root.everything(), [], "what %d %% of it made" % (100 * share))
    succeeds(root.install(text=text))
    equal(root.files(), sorted(FILES), "files")


@test
def upgraded():
    """an upgrade replaces the program in one step while it is used, and keeps settings"""
    root = new_root()
    succeeds(root.install(ROLE="combined"))
    program = root.path("/usr/local/bin/rondo")
    with open(root.path("/etc/rondo/rondo.env"), "a") as file:
        file.write("RONDO_ZONE=a\n")
    newer = Release(tempfile.mkdtemp(dir=work) + "/newer", release.file)
    newer.change()
    old, stopped, failures = os.stat(program).st_ino, threading.Event(), []

    def use():
        while not stopped.is_set():
            if subprocess.run([program, "--version"], stdout=subprocess.DEVNULL).returncode != 0:
                failures.append("it did not start")

    user = threading.Thread(target=use)
    user.start()
    try:
        succeeds(root.install(RONDO_FILE=newer.file), "/usr/local/bin/rondo")
    finally:
        stopped.set()
        user.join()
    equal(failures, [], "starts in the middle of it")
    check(os.stat(program).st_ino != old, "the file was written over, not replaced")
    check("RONDO_ZONE=a" in read(root.path("/etc/rondo/rondo.env")), "a setting is gone")
    succeeds(root.install("--log-level", "info", ROLE="master", RONDO_FILE=newer.file))
    text = read(root.path("/etc/rondo/rondo.env"))
    check('RONDO_NODE="init --role master --log-level info"' in text and "RONDO_ZONE=a" in text, text)
    succeeds(root.install("--uninstall"))
    equal(root.everything(), [], "what is left")


@test
def environment():
    """role, address and token reach the service through a file for root alone"""
    root = new_root()
    succeeds(root.install("--zone", "a", JOIN="10.0.0.1:5050", TOKEN="rondo1.agent.abc.DEF-_"))
    path = root.path("/etc/rondo/rondo.env")
    equal(os.stat(path).st_mode & 0o7777, 0o600, "mode")
    lines = [each for each in read(path).splitlines() if not each.startswith("#")]
    equal(lines, ['RONDO_NODE="join 10.0.0.1:5050 --zone a"', "RONDO_TOKEN=rondo1.agent.abc.DEF-_"], "settings")
    token = os.path.join(work, "token")
    write(token, "from-a-file\n")
    succeeds(root.install(JOIN="10.0.0.2", TOKEN_FILE=token))
    lines = [each for each in read(path).splitlines() if not each.startswith("#")]
    equal(lines, ['RONDO_NODE="join 10.0.0.2"', "RONDO_TOKEN=from-a-file"], "settings after a change")


@test
def placed():
    """BIN_DIR, SKIP_SERVICE and CLUSTER_LINK decide what goes where, and what others have made stays"""
    root = new_root()
    succeeds(root.install(BIN_DIR="/opt/rondo/bin", CLUSTER_LINK="1"))
    check("ExecStart=/opt/rondo/bin/rondo cluster " in read(root.path(UNIT)), read(root.path(UNIT)))
    equal(os.readlink(root.path("/opt/rondo/bin/cluster")), "rondo", "link")
    check(not os.path.exists(root.path("/usr")), "/usr was made")
    write(root.path("/opt/rondo/bin/mine"), "")
    result = succeeds(root.install("--uninstall"), "/opt/rondo/bin/ stays")
    equal(root.files(), ["/opt/rondo/bin/mine"], "what is left (%s)" % result.stdout)

    root = new_root()
    os.makedirs(root.path("/usr/local/bin"))
    write(root.path("/usr/local/bin/cluster"), "of another package")
    os.makedirs(root.path("/etc/rondo"))
    write(root.path("/etc/rondo/config.yaml"), "name: laboratory\n")
    before = root.everything()
    succeeds(root.install(CLUSTER_LINK="1", SKIP_SERVICE="1"), "stays as it is")
    check(not os.path.exists(root.path(UNIT)), "there is a unit")
    succeeds(root.install("--uninstall"))
    equal(root.everything(), before, "what is left")
    equal(read(root.path("/usr/local/bin/cluster")), "of another package", "its content")


@test
def refused():
    """what cannot be meant is refused with the reason and what to do, and nothing is made"""
    root = new_root()
    refuses(root.install(RONDO_FILE=None), "where the program comes from", "RONDO_URL", "RONDO_FILE")
    refuses(root.install(RONDO_URL="https://example.org"), "both set")
    refuses(root.install(RONDO_FILE="/nowhere"), "is not a file")
    refuses(root.install(BIN_DIR="bin"), "not an absolute path")
    refuses(root.install(BIN_DIR="/opt/a b"), "cannot hold")
    refuses(root.install("--token", "abc", JOIN="10.0.0.1"), "every user of this machine", "TOKEN=")
    refuses(root.install("--data", "/srv", ROLE="master"), "cannot be given", "config.yaml")
    refuses(root.install("--name", "two words", ROLE="master"), "'two words'", "config.yaml")
    refuses(root.install("--name", "$(reboot)", ROLE="master"), "config.yaml")
    refuses(root.install("--name", 'a"\nExecStart=x', ROLE="master"), "config.yaml")
    refuses(root.install(ROLE="agent"), "JOIN=ADDRESS:PORT")
    refuses(root.install(ROLE="leader"), "none that there is", "combined")
    refuses(root.install(ROLE="master", JOIN="10.0.0.1"), "joins as agent")
    refuses(root.install(TOKEN="abc"), "no master", "JOIN=")
    refuses(root.install(JOIN="10.0.0.1", TOKEN="a b"), "the token", "paste it again")
    refuses(root.install(JOIN="$(id)"), "is not an address")
    refuses(root.install("--zone", "a"), "neither ROLE nor JOIN")
    refuses(root.install("--purge"), "--uninstall")
    refuses(root.install("--uninstall", "--zone"), "no other argument")
    refuses(root.install("--uninstall"), "there is no", "installed")
    refuses(root.install(ROLE="master", SKIP_SERVICE="1"), "rondo cluster init --role master")
    for system, machine, words in (("Linux", "riscv64", "riscv64"), ("Darwin", "x86_64", "runs on Linux")):
        with tempfile.TemporaryDirectory(dir=work) as folder:
            answer = '#!/bin/sh\ncase $1 in -s) echo %s ;; *) echo %s ;; esac\n' % (system, machine)
            write(folder + "/uname", answer, 0o755)
            refuses(root.install(path=folder), words)
    equal(root.everything(), [], "what was made")


@test
def unit():
    """systemd has nothing to say about the unit, and the script writes the one that is in the repository"""
    root = new_root()
    succeeds(root.install(BIN_DIR=work + "/bin"))
    there = read(os.path.join(PROVISIONING, "rondo.service"))
    equal(read(root.path(UNIT)), there.replace("/usr/local/bin", work + "/bin"), "unit")
    if not shutil.which("systemd-analyze"):
        raise Skipped("systemd-analyze is not installed")
    folder = tempfile.mkdtemp(dir=work)
    write(folder + "/rondo.service", there.replace("/usr/local/bin/rondo", release.file))
    os.chmod(release.file, 0o755)
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", folder + "/rondo.service"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
    )
    equal((result.returncode, result.stdout), (0, ""), "what systemd-analyze says")


def main():
    global work, release
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: provisioning.py path/to/rondo [WORD ...]")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = tempfile.mkdtemp(prefix="rondo-provisioning-", dir="/var/tmp")
    at_end(lambda: shutil.rmtree(work, ignore_errors=True))
    stripped = os.path.join(work, "rondo")
    # As it is shipped, and a third as large.
    if subprocess.run(["strip", "-o", stripped, sys.argv[1]], stderr=subprocess.DEVNULL).returncode != 0:
        shutil.copy(sys.argv[1], stripped)
    release = Release(os.path.join(work, "release"), stripped)
    provisioning_machine.prepare(work, release)
    finish(*run_tests(TESTS, sys.argv[2:], limit=60))


if __name__ == "__main__":
    main()
