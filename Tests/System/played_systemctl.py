"""Plays systemctl for one service, as far as an install script asks: what it was asked is in /run/systemctl.log.

It starts what a unit's ExecStart says with the variables of its EnvironmentFile, and stops the main process alone.
"""

import os
import shlex
import signal
import subprocess
import sys
import time

UNITS = "/etc/systemd/system"
STATE = "/run/played-systemctl"


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


def start(unit):
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
    with open("/run/%s.log" % unit, "ab") as log:
        process = subprocess.Popen(
            words, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/"
        )
    with open(os.path.join(STATE, unit), "w") as file:
        file.write(str(process.pid))


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
    with open("/run/systemctl.log", "a") as log:
        log.write(" ".join(sys.argv[1:]) + "\n")
    words = [each for each in sys.argv[1:] if not each.startswith("--")]
    verb, unit = words[0], (words[1:] or [""])[0]
    unit += "" if unit.endswith(".service") or not unit else ".service"
    if verb == "is-active":
        sys.exit(0 if running(unit) else 3)
    if verb == "is-failed":
        # It ended by itself: the file of its number is still there.
        sys.exit(0 if os.path.exists(os.path.join(STATE, unit)) and not running(unit) else 1)
    if verb in ("stop", "restart") or (verb == "disable" and "--now" in sys.argv):
        stop(unit)
    if verb in ("start", "restart") or (verb == "enable" and "--now" in sys.argv):
        start(unit)
    if verb == "enable":
        enable(unit)
    elif verb == "disable":
        disable(unit)
    elif verb not in ("start", "stop", "restart", "daemon-reload", "reset-failed"):
        sys.exit("Unknown command verb %s." % verb)


if __name__ == "__main__":
    main()
