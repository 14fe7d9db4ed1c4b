"""Starts a virtual machine with Debian's cloud kernel, systemd and pure cgroup v2, runs one command in it and ends it.

    python3 Tests/System/v2/boot.py [--binary FILE] [--limit S] [--fetch FOLDER] --script FILE [ARGUMENT ...]
    python3 Tests/System/v2/boot.py [--binary FILE] [--limit S] [--fetch FOLDER] -- COMMAND [ARGUMENT ...]

With --restarts a command that ends with 94 has the machine started anew, with its disk as it was left, and is run again.
The command runs as root in /job, where Tests/System, Tests/Clients and Provisioning are copied to; each --binary is in
/job/bin, which is first on PATH. Output comes as it is made, and the exit status is the command's (124: it took too
long; 125: the machine did not start or did not end well). What it puts into /job/out is unpacked in --fetch's folder.
The machine has no network, works on a copy of its disk, and needs neither KVM nor root, only qemu-system-x86 and what
build_root.sh made.
"""

import argparse
import io
import json
import os
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
REPOSITORY = os.path.normpath(os.path.join(HERE, os.pardir, os.pardir, os.pardir))
STORE = os.path.join(REPOSITORY, ".build", "test-v2")
# Bounds the start of the machine, and its end after the command's time is over.
MARGIN = 60
BROKEN = 125
KERNEL_WORDS = (
    "console=ttyS0 quiet loglevel=4 panic=-1 rootfstype=ext4 mitigations=off audit=0 "
    "systemd.show_status=false systemd.getty_auto=no"
)


def arguments():
    parser = argparse.ArgumentParser(description="runs a command in a virtual machine with cgroup v2 and systemd")
    parser.add_argument("--image", help="what build_root.sh printed; default: made or found in .build/test-v2")
    parser.add_argument("--binary", action="append", default=[], help="a file for /job/bin, or FILE=NAME")
    parser.add_argument("--script", help="a file to run with sh (*.py: with python3); arguments follow")
    parser.add_argument("--limit", type=int, default=300, help="seconds for the command (default 300)")
    parser.add_argument("--fetch", help="folder for what the command puts into /job/out")
    parser.add_argument("--tests", default=REPOSITORY, help="the checkout that Tests is copied from; default: this one")
    parser.add_argument("--restarts", action="store_true", help="the command may have the machine started anew, by 94")
    parser.add_argument("--memory", type=int, default=2048, help="MiB")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    words = options.command[1:] if options.command[:1] == ["--"] else options.command
    if options.script:
        words = ["python3" if options.script.endswith(".py") else "sh", "/job/script", *words]
    if not words:
        parser.error("name a --script or a command")
    options.command = words
    return options


def image(path):
    if path:
        return path
    result = subprocess.run([os.path.join(HERE, "build_root.sh"), STORE], stdout=subprocess.PIPE, text=True)
    if result.returncode != 0:
        sys.exit(BROKEN)
    return result.stdout.strip()


def pack(path, options):
    """The second disk: a tar archive, as it is."""

    def plain(entry):
        if "__pycache__" in entry.name:
            return None
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        return entry

    job = {"command": options.command, "limit": options.limit, "restarts": options.restarts}
    job = json.dumps(job).encode()
    with tarfile.open(path, "w") as archive:
        archive.add(os.path.join(HERE, "guest.py"), "guest.py", filter=plain)
        entry = tarfile.TarInfo("job.json")
        entry.size = len(job)
        archive.addfile(entry, io.BytesIO(job))
        for folder in ("Tests/System", "Tests/Clients", "Provisioning"):
            archive.add(os.path.join(options.tests, folder), folder, filter=plain)
        if options.script:
            archive.add(options.script, "script", filter=plain)
        for each in options.binary:
            file, _, name = each.partition("=")
            archive.add(os.path.realpath(file), "bin/" + (name or os.path.basename(file)), filter=plain)


def machine(guest, folder, options):
    """The command line of the machine; its ends in `folder` are a pipe for output and files for the rest."""
    command = ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"]
    command += ["-m", str(options.memory), "-nodefaults", "-no-user-config", "-nographic", "-nic", "none"]
    # Without it the machine ends by being started anew.
    command += [] if options.restarts else ["-no-reboot"]
    command += ["-kernel", guest + "/vmlinuz", "-initrd", guest + "/initramfs.gz", "-append", KERNEL_WORDS]
    command += ["-serial", "file:%s/console" % folder, "-monitor", "none"]
    command += ["-drive", "file=%s/root.ext4,format=raw,if=virtio,snapshot=on,cache=unsafe" % guest]
    command += ["-drive", "file=%s/job.tar,format=raw,if=virtio,readonly=on" % folder]
    command += ["-device", "virtio-serial-pci"]
    for name in ("output", "files", "status"):
        command += ["-chardev", "file,id=%s,path=%s/%s" % (name, folder, name)]
        command += ["-device", "virtserialport,chardev=%s,name=%s" % (name, name)]
    return command


def follow(process, descriptor, seconds):
    """Passes the command's output on until the machine ends; whether it did so in time."""
    end = time.monotonic() + seconds
    ended = os.pidfd_open(process.pid)
    try:
        while time.monotonic() < end:
            ready = select.select([descriptor, ended], [], [], max(0, end - time.monotonic()))[0]
            data = os.read(descriptor, 65536) if descriptor in ready else b""
            if data:
                sys.stdout.buffer.write(data)
                sys.stdout.buffer.flush()
            elif ended in ready:
                return True
            elif ready:
                # Nobody writes yet, or not any more.
                time.sleep(0.1)
    finally:
        os.close(ended)
    return False


def unpack(path, target):
    os.makedirs(target, exist_ok=True)
    with tarfile.open(path) as archive:
        for entry in archive:
            name = os.path.normpath(entry.name)
            if not (entry.isfile() or entry.isdir()) or name.startswith(("/", "..")):
                continue
            place = os.path.join(target, name)
            if entry.isdir():
                os.makedirs(place, exist_ok=True)
            else:
                with archive.extractfile(entry) as source, open(place, "wb") as file:
                    shutil.copyfileobj(source, file)


def broken(folder, words):
    with open(os.path.join(folder, "console"), "rb") as file:
        lines = file.read().decode("utf-8", "replace").splitlines()
    print("boot: %s; the end of its console:" % words, file=sys.stderr)
    print("\n".join("    " + each for each in lines[-20:]), file=sys.stderr)
    return BROKEN


def run(options, guest, folder):
    os.mkfifo(os.path.join(folder, "output"))
    pack(os.path.join(folder, "job.tar"), options)
    descriptor = os.open(os.path.join(folder, "output"), os.O_RDONLY | os.O_NONBLOCK)
    began = time.monotonic()
    process = subprocess.Popen(machine(guest, folder, options), stdin=subprocess.DEVNULL)
    try:
        in_time = follow(process, descriptor, options.limit + MARGIN)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        os.close(descriptor)
    try:
        with open(os.path.join(folder, "status")) as file:
            status = json.load(file)
    except (OSError, ValueError):
        return broken(folder, "the machine %s" % ("ended by itself" if in_time else "did not end in time"))
    if options.fetch:
        unpack(os.path.join(folder, "files"), options.fetch)
    whole = time.monotonic() - began
    print("boot: exit status %d; up after %.1f s, ended after %.1f s" % (status["code"], status["started"], whole),
          file=sys.stderr)
    return status["code"]


def main():
    options = arguments()
    guest = image(options.image)
    with tempfile.TemporaryDirectory(prefix="rondo-v2-", dir="/var/tmp") as folder:
        code = run(options, guest, folder)
    sys.exit(code)


if __name__ == "__main__":
    main()
