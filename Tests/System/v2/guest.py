"""Runs in the guest, started by its only service: does the job, says how it ended, and ends the machine.

Output, exit status and files leave by three virtio ports, as the job goes on.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tarfile
import time

JOB = "/job"
OUT = os.path.join(JOB, "out")
# What a command ends with that wants the machine to be started anew.
AGAIN = 94
# After its first process has ended, what it left running cannot keep the output open for longer.
GRACE = 2


def port(name):
    for each in os.listdir("/sys/class/virtio-ports"):
        with open("/sys/class/virtio-ports/%s/name" % each) as file:
            if file.read().strip() == name:
                return open("/dev/" + each, "wb", buffering=0)
    sys.exit("no port %s" % name)


def run(command, limit, output):
    """Runs a command, passes its output on, and returns its exit status; 124 when it took too long."""
    environment = dict(os.environ, JOB=JOB, OUT=OUT, PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    environment["RONDO_TEST_PATIENCE"] = "3"
    environment["PATH"] = "%s/bin:%s" % (JOB, os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"))
    process = subprocess.Popen(
        command,
        cwd=JOB,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    end = time.monotonic() + limit
    late = False
    while True:
        if process.poll() is not None:
            end = min(end, time.monotonic() + GRACE)
        elif not late and time.monotonic() > end:
            late = True
            os.killpg(process.pid, signal.SIGKILL)
            output.write(b"guest: no end after %d s\n" % limit)
            end = time.monotonic() + GRACE
        if select.select([process.stdout], [], [], 0.2)[0]:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            output.write(data)
        elif process.returncode is not None and time.monotonic() > end:
            break
    code = process.wait()
    return 124 if late else code if code >= 0 else 128 - code


def main():
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(JOB, "job.json")) as file:
        job = json.load(file)
    with open("/proc/uptime") as file:
        started = float(file.read().split()[0])
    with port("output") as output:
        code = run(job["command"], job["limit"], output)
        if code == AGAIN and job["restarts"]:
            subprocess.run(["systemctl", "--no-block", "reboot"], check=True)
            signal.pause()
    with port("files") as files, tarfile.open(fileobj=files, mode="w|") as archive:
        archive.add(OUT, arcname=".")
    with port("status") as status:
        status.write(json.dumps({"code": code, "started": started}).encode() + b"\n")
    with open("/proc/sysrq-trigger", "w") as file:
        # Off, or started anew, which ends the machine where that is not allowed.
        file.write("o" if job["restarts"] else "b")
    signal.pause()


if __name__ == "__main__":
    main()
