"""Plays systemctl for one service, as far as an install script asks: what it was asked is in /run/systemctl.log.

It starts what a unit's ExecStart says with the variables of its EnvironmentFile, waits until that says that it is ready
(sd_notify), and stops the main process alone.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import time

UNITS = "/etc/systemd/system"
STATE = "/run/played-systemctl"
# Said with every call; what was asked is the rest.
ALWAYS = ("--quiet", "--no-pager", "--no-ask-password")
# As systemd does, the process is told its own number.
LAUNCH = 'export SYSTEMD_EXEC_PID=$$ INVOCATION_ID=0123456789abcdef; exec "$@"'


def settings(unit):
    """The last value of each key of a unit."""
    found = {}
    with open(os.path.join(UNITS, unit)) as file:
        for line in file:
            key, separator, value = line.strip().partition("=")
            if separator and not key.startswith("#"):
                found[key] = value
    return found


def environment(path):
    found = {}
    with open(path) as file:
        for line in file:
            if "=" in line and not line.startswith("#"):
                key, _, value = line.strip().partition("=")
                found[key] = value.strip('"')
    return found


def running(unit):
    """Its main process, when that is there."""
    try:
        with open(os.path.join(STATE, unit)) as file:
            pid = int(file.read())
        with open("/proc/%d/stat" % pid) as file:
            return None if file.read().rsplit(")", 1)[1].split()[0] == "Z" else pid
    except (OSError, ValueError):
        return None


def stop(unit):
    pid = running(unit)
    if pid:
        os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 20
        while running(unit):
            if time.monotonic() > deadline:
                sys.exit("%s did not stop" % unit)
            time.sleep(0.02)
    if os.path.exists(os.path.join(STATE, unit)):
        os.unlink(os.path.join(STATE, unit))


def start(unit, waits=True):
    if running(unit):
        return
    keys = settings(unit)
    if not os.path.exists(keys["AssertPathExists"]):
        sys.exit("Assertion failed on job for %s" % unit)
    variables = {"PATH": os.environ["PATH"], **environment(keys["EnvironmentFile"])}
    words = []
    for word in shlex.split(keys["ExecStart"]):
        words += variables.get(word[1:], "").split() if word.startswith("$") else [word]
    os.makedirs(STATE, exist_ok=True)
    notice = os.path.join(STATE, "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        if os.path.exists(notice):
            os.unlink(notice)
        ready.bind(notice)
        variables["NOTIFY_SOCKET"] = notice
        with open("/run/%s.log" % unit, "ab") as log:
            process = subprocess.Popen(
                ["sh", "-c", LAUNCH, "sh", *words],
                env=variables,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                cwd="/",
            )
        with open(os.path.join(STATE, unit), "w") as file:
            file.write(str(process.pid))
        ready.settimeout(0.05)
        while waits:
            try:
                if b"READY=1" in ready.recv(4096).split(b"\n"):
                    break
            except socket.timeout:
                if process.poll() is not None:
                    sys.exit("Job for %s failed because the control process exited with error code." % unit)


def facts(unit):
    """What `show` says of a unit."""
    known = os.path.exists(os.path.join(UNITS, unit))
    begun = os.path.exists(os.path.join(STATE, unit))
    pid = running(unit)
    active = "active" if pid else "failed" if begun else "inactive"
    return {
        "LoadState": "loaded" if known else "not-found",
        "ActiveState": active,
        "SubState": {"active": "running", "inactive": "dead"}.get(active, active),
        "UnitFileState": "" if not known else "enabled" if os.path.lexists(link(unit)) else "disabled",
        "MainPID": str(pid or 0),
    }


def link(unit):
    return os.path.join(UNITS, settings(unit)["WantedBy"] + ".wants", unit)


def enable(unit):
    os.makedirs(os.path.dirname(link(unit)), exist_ok=True)
    if not os.path.lexists(link(unit)):
        os.symlink(os.path.join(UNITS, unit), link(unit))


def disable(unit):
    path = link(unit)
    if os.path.lexists(path):
        os.unlink(path)
        if not os.listdir(os.path.dirname(path)):
            os.rmdir(os.path.dirname(path))


def main():
    arguments = [each for each in sys.argv[1:] if each not in ALWAYS]
    with open("/run/systemctl.log", "a") as log:
        log.write(" ".join(arguments) + "\n")
    words = [each for each in arguments if not each.startswith("--")]
    verb, unit = words[0], (words[1:] or [""])[0]
    unit += "" if unit.endswith(".service") or not unit else ".service"
    if verb == "is-active":
        sys.exit(0 if running(unit) else 3)
    if verb == "show":
        named = next((each.split("=")[1].split(",") for each in arguments if each.startswith("--property=")), [])
        for key, value in facts(unit).items():
            if key in named:
                print("%s=%s" % (key, value))
        return
    if verb == "cat":
        with open(os.path.join(UNITS, unit)) as file:
            print(file.read())
        return
    if verb in ("stop", "restart") or (verb == "disable" and "--now" in arguments):
        stop(unit)
    if verb == "try-restart" and running(unit):
        stop(unit)
        start(unit)
    if verb in ("start", "restart") or (verb == "enable" and "--now" in arguments):
        start(unit, "--no-block" not in arguments)
    if verb == "enable":
        enable(unit)
    elif verb == "disable":
        disable(unit)
    elif verb not in ("start", "stop", "restart", "try-restart", "daemon-reload", "reset-failed"):
        sys.exit("Unknown command verb %s." % verb)


if __name__ == "__main__":
    main()
