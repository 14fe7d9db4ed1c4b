"""Jobs, as people and their tools have them: `rondo job`, `dcos job` and the client of Metronome, on one cluster.

Run by dev_cluster.py with the python of Tests/Clients/setup.sh; MASTER and RONDO are in the environment.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import at_end, check, equal, eventually, main, need, test  # noqa: E402

MASTER = need("MASTER", "host:port of the master")
RONDO = need("RONDO", "path of the program")
FOLDER = tempfile.mkdtemp(prefix="rondo-jobs-")
at_end(lambda: shutil.rmtree(FOLDER, ignore_errors=True))


def run(command, environment=None, stdin=None, seconds=30):
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, input=stdin,
        stdin=subprocess.DEVNULL if stdin is None else None, env=dict(os.environ, **(environment or {})))
    return done.returncode, done.stdout, done.stderr


def rondo(*words, **options):
    return run([RONDO, "job", words[0], "--master", MASTER, *words[1:]], **options)


def ok(*words, **options):
    code, out, err = rondo(*words, **options)
    equal(code, 0, "the code of rondo job %s: %s" % (" ".join(words), err))
    return out


def refused(code, word, *words, **options):
    found, out, err = rondo(*words, **options)
    equal(found, code, "the code of rondo job %s: %s%s" % (" ".join(words), out, err))
    check(word in err, "the remark lacks", repr(word), ":", err)


def show(*words):
    return json.loads(ok(*words, "--output", "json"))


def file(name, content):
    path = os.path.join(FOLDER, name)
    with open(path, "w") as out:
        out.write(content if isinstance(content, str) else json.dumps(content))
    return path


def get(path):
    with urllib.request.urlopen("http://%s%s" % (MASTER, path), timeout=10) as answer:
        return answer.headers, answer.read()


# rondo job


@test
def life_of_a_job():
    """a job of a YAML file runs, is waited for, has written, and is in the history"""
    path = file("backup.yaml", """
# saves what matters
id: night.backup
description: "saves"
run:
  cmd: |
    echo "to $PLACE"
    echo trouble >&2
  env: {PLACE: 'the disk'}
  cpus: 0.1
  mem: 32
  disk: 0
schedules:
  - {id: default, cron: 30 2 * * *, timezone: Europe/Berlin}
""")
    check("runs next at" in ok("add", path), "the next run is not said")
    refused(1, "--replace", "add", path)
    ok("add", "--replace", path)
    code, out, err = rondo("run", "night.backup")
    equal(code, 0, "the code of a run that succeeds: " + err)
    equal(out, "", "standard output of a run")
    check("has succeeded" in err, "the success is not said:", err)
    equal(ok("log", "night.backup"), "to the disk\n", "the log")
    equal(ok("log", "--stderr", "night.backup"), "trouble\n", "the log of standard error")
    history = show("history", "night.backup")
    equal((history["successCount"], history["failureCount"]), (1, 0), "the history")
    listed = {each["id"]: each for each in show("list")}
    equal(listed["night.backup"]["schedules"][0]["timezone"], "Europe/Berlin", "the schedule in the list")
    check("night.backup" in ok("list") and "2026" not in ok("list").split("\n")[0], "the table")
    check("saves" in ok("show", "night.backup"), "the description is not shown")
    ok("rm", "night.backup")
    refused(1, "no job 'night.backup'", "show", "night.backup")


@test
def failures():
    """a run that fails ends with 1 and its reason; what is wrong with a job is said with its place"""
    ok("add", "fails", "--", "sh", "-c", "echo 'it is' \"broken\"; exit 3")
    refused(1, "exited with status 3", "run", "fails")
    equal(ok("log", "fails"), "it is broken\n", "what it wrote")
    equal(show("history", "fails")["failureCount"], 1, "the failures")
    code, out, _ = rondo("run", "fails", "--output", "json")
    equal((code, json.loads(out)["status"]), (1, "FAILED"), "the same for programs")
    refused(1, "no job 'nothing'", "run", "nothing")
    refused(1, "/id ", "add", "Wrong_Name", "--cmd", "true")
    refused(1, "/cron ", "schedule", "fails", "--cron", "61 * * * *")
    refused(1, "time zone", "schedule", "fails", "--cron", "1 * * * *", "--timezone", "Mars/Olympus")
    refused(64, "cannot read", "add", os.path.join(FOLDER, "nowhere.json"))
    refused(64, "line 2", "add", file("bad.yaml", "id: a\nrun: [}\n"))
    refused(64, "--cmd", "add", "nameless")
    refused(1, "no run", "log", "fails", "20200101000000abcde")
    ok("rm", "fails")


@test
def stopping():
    """a run that goes on is followed, stopped, and keeps its job from being removed"""
    ok("add", "long", "--cmd", "echo begun; exec sleep 300")
    name = ok("run", "long", "--detach").strip()
    eventually(lambda: rondo("log", "long")[1] == "begun\n", 15, "the first words of the run")
    follower = subprocess.Popen(
        [RONDO, "job", "log", "-f", "long", "--master", MASTER], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL)
    refused(1, "--force", "rm", "long")
    check(name in ok("show", "long"), "the run is not shown")
    ok("stop", "long")
    out, _ = follower.communicate(timeout=20)
    equal((follower.returncode, out), (0, b"begun\n"), "the follower's end")
    eventually(lambda: show("history", "long")["failureCount"] == 1, 15, "the end in the history")
    refused(1, "active", "stop", "long")
    ok("run", "long", "-d")
    ok("rm", "long", "--force")


@test
def waiting():
    """a run that waits says what for; Ctrl-C ends the waiting and not the run"""
    ok("add", "huge", "--cpus", "4000", "--cmd", "true")
    waits = subprocess.Popen(
        [RONDO, "job", "run", "huge", "--master", MASTER], stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    at_end(waits.kill)
    line = waits.stderr.readline()
    check("cpus: 4000 wanted" in line, "what it waits for:", line)
    waits.send_signal(signal.SIGINT)
    equal(waits.wait(10), 130, "the code after Ctrl-C")
    check("goes on" in waits.stderr.read(), "that the run goes on is not said")
    equal(len(show("show", "huge")["activeRuns"]), 1, "the runs after Ctrl-C")
    check("4000 wanted" in ok("show", "huge"), "what it waits for is not shown")
    ok("rm", "huge", "--force")


@test
def schedules():
    """a schedule is made, changed in part, turned off and taken away"""
    ok("add", "often", "--cmd", "true")
    check("no schedule" in ok("schedule", "often"), "no schedule is not said")
    ok("schedule", "often", "--cron", "*/5 * * * *", "--timezone", "Asia/Kolkata", "--no-overlap")
    ok("schedule", "often", "--deadline", "120", "--disable")
    found = show("schedule", "often")[0]
    equal((found["cron"], found["timezone"], found["concurrencyPolicy"], found["enabled"],
           found["startingDeadlineSeconds"]), ("*/5 * * * *", "Asia/Kolkata", "FORBID", False, 120), "the schedule")
    ok("schedule", "often", "--enable")
    equal(show("schedule", "often")[0]["enabled"], True, "the schedule that counts again")
    ok("schedule", "often", "--rm")
    equal(show("schedule", "often"), [], "the schedules")
    ok("rm", "often")


# dcos job

DCOS = os.path.join(os.path.dirname(sys.executable), "dcos")


def dcos(*words, code=0):
    folder = os.path.join(FOLDER, "dcos")
    os.makedirs(folder, exist_ok=True)
    config = os.path.join(folder, "dcos.toml")
    if not os.path.exists(config):
        with open(os.open(config, os.O_CREAT | os.O_WRONLY, 0o600), "w") as out:
            out.write('[core]\ndcos_url = "http://%s"\ndcos_acs_token = "x"\n' % MASTER)
    found, out, err = run([DCOS, *words], {"DCOS_DIR": folder, "DCOS_CONFIG": config, "PYTHONWARNINGS": "ignore"})
    equal(found, code, "the code of dcos %s: %s%s" % (" ".join(words), out, err[-600:]))
    return out if code == 0 else err


@test
def front_end():
    """the front end of DC/OS says which cluster it is and that it has jobs"""
    headers, body = get("/capabilities")
    equal(headers["Content-Type"], "application/vnd.dcos.capabilities+json;charset=utf-8;version=v1", "the type")
    check({"name": "METRONOME"} in json.loads(body)["capabilities"], "no METRONOME in", body)
    cluster = json.loads(get("/metadata")[1])["CLUSTER_ID"]
    equal((len(cluster), cluster[14], cluster.lower()), (36, "4", cluster), "the id of the cluster")
    check(json.loads(get("/service/metronome/v1/info")[1])["version"], "no version")
    equal(get("/service/metronome/ping")[1], b"pong", "the ping")
    equal(get("/service/metronome/v1/ping")[1], b"pong", "the ping of version 1")


@test
def dcos_job():
    """dcos job adds, updates, runs, shows, schedules, kills and removes"""
    # It runs until it has been looked at, however slow the machine is.
    gate = os.path.join(FOLDER, "gate")
    job = {"id": "dcos.job", "description": "d", "labels": {"team": "a"},
           "run": {"cmd": "until [ -e %s ]; do sleep 0.1; done" % gate, "cpus": 0.1, "mem": 32, "disk": 0,
                   "env": {"A": "b"}, "maxLaunchDelay": 60}}
    dcos("job", "add", file("job.json", job))
    dcos("job", "add", file("job.json", job), code=1)
    check("Unscheduled" in dcos("job", "list"), "the list")
    equal(json.loads(dcos("job", "show", "dcos.job"))["run"]["env"], {"A": "b"}, "the job")
    dcos("job", "update", file("job.json", dict(job, description="changed")))
    equal(json.loads(dcos("job", "show", "dcos.job"))["description"], "changed", "the changed job")
    name = json.loads(dcos("job", "run", "dcos.job", "--json"))["id"]
    check("Running" in dcos("job", "list"), "it does not run")
    check(name in dcos("job", "show", "runs", "dcos.job"), "its run is not shown")
    file("gate", "")

    def history():
        return [each["id"] for each in json.loads(dcos("job", "history", "dcos.job", "--json"))] == [name]

    eventually(history, 20, "the run in the history", pause=0.5)
    check("Successful runs: 1" in dcos("job", "history", "dcos.job"), "the history for people")
    equal(json.loads(dcos("job", "list", "--json"))[0]["id"], "dcos.job", "the list for programs")
    schedule = {"id": "nightly", "cron": "0 2 * * *", "enabled": True, "concurrencyPolicy": "ALLOW",
                "timezone": "UTC", "startingDeadlineSeconds": 60}
    dcos("job", "schedule", "add", "dcos.job", file("schedule.json", schedule))
    check("0 2 * * *" in dcos("job", "schedule", "show", "dcos.job"), "the schedule")
    check("Scheduled" in dcos("job", "list"), "the list with a schedule")
    dcos("job", "schedule", "update", "dcos.job", file("schedule.json", dict(schedule, cron="5 3 * * *")))
    equal(json.loads(dcos("job", "schedule", "show", "dcos.job", "--json"))[0]["cron"], "5 3 * * *", "its change")
    dcos("job", "schedule", "remove", "dcos.job", "nightly")
    dcos("job", "update", file("job.json", dict(job, run=dict(job["run"], cmd="sleep 300"))))
    name = json.loads(dcos("job", "run", "dcos.job", "--json"))["id"]
    dcos("job", "kill", "dcos.job", name)
    eventually(lambda: "Nothing running" in dcos("job", "show", "runs", "dcos.job"), 20, "the end of the run")
    dcos("job", "run", "dcos.job")
    dcos("job", "remove", "dcos.job", "--stop-current-job-runs")
    equal(json.loads(dcos("job", "list", "--json")), [], "what is left")


@test
def metronome_client():
    """the client of Metronome, which stops at fields that it does not know, makes every call"""
    from google.protobuf.json_format import Parse
    from metronome import MetronomeClient, MetronomeHttpError, NotFoundError
    from metronome.models import JobSpec, ScheduleSpec

    client = MetronomeClient("http://%s/service/metronome" % MASTER)
    equal(client.ping(), "pong", "the ping")
    spec = {"id": "client.job", "description": "d", "labels": {"a": "b"}, "run": {
        "cmd": "sleep 300", "cpus": 0.1, "mem": 32, "disk": 0, "env": {"A": "b"}, "user": "root",
        "artifacts": [{"uri": "file:///etc/hostname", "extract": False, "executable": False, "cache": False}],
        "maxLaunchDelay": 60, "restart": {"policy": "ON_FAILURE", "activeDeadlineSeconds": 5},
        "placement": {"constraints": [{"attribute": "hostname", "operator": "LIKE", "value": ".*"}]}}}
    job = Parse(json.dumps(spec), JobSpec())
    equal(client.create_job(job).id, "client.job", "the job that is made")
    try:
        client.create_job(job)
        check(False, "the second one is not refused")
    except MetronomeHttpError as error:
        equal(error.status_code, 409, "the second one")
    check("client.job" in [each.id for each in client.list_jobs(True, True, True, True)], "it is not in the list")
    equal(client.get_job("client.job", True, True, True).run.env["A"], "b", "the job")
    job.description = "changed"
    equal(client.update_job("client.job", job).description, "changed", "the change")
    schedule = Parse(json.dumps({"id": "n", "cron": "0 2 * * *", "enabled": True, "concurrencyPolicy": "ALLOW",
                                 "timezone": "UTC", "startingDeadlineSeconds": 60}), ScheduleSpec())
    equal(client.create_schedule("client.job", schedule).cron, "0 2 * * *", "the schedule that is made")
    schedule.cron = "0 3 * * *"
    equal(client.update_schedule("client.job", "n", schedule).cron, "0 3 * * *", "the schedule that is changed")
    equal([each.id for each in client.list_schedules("client.job")], ["n"], "the schedules")
    equal(client.get_schedule("client.job", "n").nextRunAt[-5:], "+0000", "the form of times")
    equal(client.delete_schedule("client.job", "n").status_code, 200, "the schedule that is taken away")
    begun = client.run_job("client.job")
    equal([each.id for each in client.list_runs("client.job")], [begun.id], "the runs")
    eventually(lambda: client.get_run("client.job", begun.id).tasks, 15, "the run's task")
    equal(client.stop_run("client.job", begun.id).status_code, 200, "the stop")
    eventually(lambda: not client.list_runs("client.job"), 15, "the end of the run")
    equal(client.delete_job("client.job", True).status_code, 200, "the end of the job")
    try:
        client.get_job("client.job")
        check(False, "what is not there is found")
    except NotFoundError:
        pass


if __name__ == "__main__":
    main(limit=45)
