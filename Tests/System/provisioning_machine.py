"""Installing on a whole machine, one that is thrown away: with a service that really starts, cloud-init's steps, and
Ansible. systemd itself is played (played_systemctl.py); the real one is in Tests/System/v2.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import Skipped, at_end, check, equal, eventually, test  # noqa: E402
from releases import HERE, PROVISIONING, Release, read, refuses, succeeds, write  # noqa: E402
from throwaway import Throwaway  # noqa: E402

ADDRESS = "10.77.1.1"
PYTHON = "/usr/bin/python3"
HOME = "/srv/test"
PROGRAM = HOME + "/release/rondo-linux-amd64"


class Machine(Throwaway):
    """A throwaway machine with a network address, a service manager, and a release to install."""

    def __init__(self):
        super().__init__()
        at_end(self.end)
        self.start()
        os.makedirs(self.path(HOME))
        shutil.copytree(release.folder, self.path(HOME + "/release"))
        shutil.copytree(PROVISIONING, self.path(HOME + "/Provisioning"))
        played = read(os.path.join(HERE, "played_systemctl.py"))
        self.put("/usr/local/sbin/systemctl", "#!%s\n%s" % (PYTHON, played), 0o755)
        os.makedirs(self.path("/run/systemd/system"))
        network = "ip link add eth0 type veth peer name cable; ip address add %s/24 dev eth0" % ADDRESS
        # Addresses that come and go by themselves would look like changes.
        network += "".join("; ip link set %s addrgenmode none up" % each for each in ("eth0", "cable"))
        succeeds(self.run(["sh", "-ec", network]))
        self.before = self.changes()
        self.settled = (self.network(), self.groups_inside())

    def put(self, path, text, mode=0o644):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        write(self.path(path), text, mode)

    def install(self, *words, **settings):
        settings = {"RONDO_FILE": PROGRAM, **settings}
        return self.run(["sh", HOME + "/Provisioning/install.sh", *words], settings)

    def asked(self):
        """What the service manager was asked to do since the last time."""
        path = self.path("/run/systemctl.log")
        if not os.path.exists(path):
            return []
        lines = read(path).splitlines()
        os.unlink(path)
        return [each for each in lines if each.split()[0] not in ("is-active", "show", "cat")]

    def node(self):
        """The number of the node's process."""
        return int(read(self.path("/run/played-systemctl/rondo.service")))

    def rondo(self, *words, timeout=40):
        return self.run(["rondo", *words], timeout=timeout)

    def network(self):
        return self.run(["sh", "-c", "ip -o address; ip rule; ip route show table all; nft list ruleset 2>&1"]).stdout

    def groups_inside(self):
        top = self.path("/sys/fs/cgroup")
        return sorted(place[len(top) :] for place, _, _ in os.walk(top) if "rondo" in place[len(top) :])

    def expect_untouched(self):
        """Nothing is left of what was installed, and nothing runs."""

        def nothing():
            equal(list(self.processes().values()), [], "processes")
            return True

        eventually(nothing, 5, "the end of all processes")
        now = self.changes()
        left = {path: kind for path, kind in now.items() if self.before.get(path) != kind}
        left.update({path: "gone" for path in self.before if path not in now})
        equal(left, {}, "what is left")
        equal((self.network(), self.groups_inside()), self.settled, "network and control groups")
        equal(os.path.exists(self.path("/run/rondo")), False, "/run/rondo")


def prepare(folder, made):
    global work, release
    work, release = folder, made


def new_machine():
    if os.geteuid() != 0:
        raise Skipped("a machine of its own needs root")
    if not os.path.exists(PYTHON):
        raise Skipped("%s, which plays the service manager, is not installed" % PYTHON)
    return Machine()


@test
def served():
    """the installed service forms a cluster, and leaves nothing behind"""
    machine = new_machine()
    words = ["--advertise", ADDRESS]
    succeeds(machine.install(*words, ROLE="combined"), "is made", "rondo cluster join", "next:", "rondo cluster status")
    asked = ["daemon-reload", "try-restart rondo.service", "daemon-reload", "enable rondo.service"]
    equal(machine.asked(), asked + ["start --no-block rondo.service"], "what systemd was asked")
    wants = machine.path("/etc/systemd/system/multi-user.target.wants/rondo.service")
    check(os.path.islink(wants), "it is not enabled")
    result = succeeds(machine.rondo("run", "--timeout", "20s", "--", "echo", "out of a task"))
    check("out of a task" in result.stdout, result.stdout)

    first = machine.node()
    succeeds(machine.install(*words, ROLE="combined"), "nothing to do", "runs already")
    equal(machine.node(), first, "the node's process after a second run")

    refuses(machine.install("--uninstall"), "is a node of a cluster", "rondo cluster leave --purge")
    check(os.path.exists(machine.path("/usr/local/bin/rondo")), "the program was removed all the same")
    succeeds(machine.install("--uninstall", "--purge"))
    machine.expect_untouched()


class Master:
    """A master in the foreground beside the machine's service, with its data elsewhere."""

    DATA = "/srv/master"

    def __init__(self, machine):
        self.machine, self.log = machine, os.path.join(work, "master.log")
        # Ports that the machine's own node does not look for.
        words = ["cluster", "init", "--role", "master", "--data", self.DATA, "--gossip-port", "7960"]
        self.process = machine.spawn([PROGRAM, *words], self.log)
        eventually(lambda: os.path.exists(machine.path(self.DATA + "/rondo.sock")), 10, "the master's socket")

    def ask(self, *words):
        result = self.machine.run([PROGRAM, *words, "--output", "json", "--data", self.DATA])
        equal(result.returncode, 0, "exit of %s (%s)" % (" ".join(words), result.stdout[-300:]))
        return json.loads(result.stdout)

    def token(self):
        return self.ask("cluster", "token", "create")["token"]

    def agents(self):
        return [each for each in self.ask("cluster", "status")["nodes"] if each["state"] in ("connected", "active")]

    def end(self):
        succeeds(self.machine.run([PROGRAM, "cluster", "leave", "--purge", "--data", self.DATA]))
        equal(self.process.wait(15), 0, "exit of the master (%s)" % read(self.log)[-300:])


@test
def joined():
    """a machine that is told a master and a token joins, forgets the token, and is upgraded under a running task"""
    machine = new_machine()
    master = Master(machine)
    token = master.token()
    write(machine.path("/run/token"), token)
    settings = {"JOIN": ADDRESS, "TOKEN_FILE": "/run/token"}
    succeeds(machine.install(**settings), "rondo cluster status")
    text = read(machine.path("/etc/rondo/rondo.env"))
    check("RONDO_NODE=start" in text.splitlines() and token not in text, text)
    eventually(lambda: len(master.agents()) == 1, 10, "an agent in the cluster")
    before = machine.node()
    succeeds(machine.install(**settings), "nothing to do")
    equal(machine.node(), before, "the node's process after a second run")
    upgrade(machine)
    succeeds(machine.install("--uninstall", "--purge"))
    eventually(lambda: not master.agents(), 10, "a cluster without the agent")
    master.end()
    machine.expect_untouched()


def upgrade(machine):
    """Another release while a task runs."""
    before, log = machine.node(), os.path.join(work, "task.log")
    newer = Release(os.path.join(work, "newer-service"), release.file)
    newer.change()
    shutil.copytree(newer.folder, machine.path(HOME + "/newer"))
    words = ["run", "--data", Master.DATA, "--", "sh", "-c", "echo begun; sleep 3; echo ended"]
    task = machine.spawn([PROGRAM, *words], log)
    eventually(lambda: "begun" in read(log), 15, "a running task")
    machine.asked()
    succeeds(machine.install(RONDO_FILE=HOME + "/newer/rondo-linux-amd64"), "/usr/local/bin/rondo")
    check("restart rondo.service" in machine.asked(), "the service was not restarted")
    check(machine.node() != before, "the old node still runs")
    equal(task.wait(30), 0, "exit of the task's command (%s)" % read(log)[-400:])
    check("ended" in read(log), "the task was lost:", read(log)[-400:])
    shutil.rmtree(machine.path(HOME + "/newer"))


@test
def prepared():
    """SKIP_START and SKIP_ENABLE leave the service as it is; without systemd the script says what to type"""
    machine = new_machine()
    succeeds(machine.install(ROLE="combined", SKIP_START="1"), "systemctl restart rondo")
    equal(machine.asked(), ["daemon-reload", "enable rondo.service"], "what systemd was asked")
    succeeds(machine.install("--uninstall"))
    machine.asked()
    succeeds(machine.install(ROLE="combined", SKIP_START="1", SKIP_ENABLE="1"))
    equal(machine.asked(), ["daemon-reload"], "what systemd was asked")
    succeeds(machine.install("--uninstall"))
    succeeds(machine.install(), "rondo cluster init")
    equal(machine.asked()[-1:], ["daemon-reload"], "what systemd was asked without a role")
    succeeds(machine.install("--uninstall"))
    machine.asked()
    os.rmdir(machine.path("/run/systemd/system"))
    succeeds(machine.install(JOIN=ADDRESS, TOKEN="abc"), "rondo cluster join " + ADDRESS, "in the foreground")
    check(not os.path.exists(machine.path("/etc/systemd/system/rondo.service")), "there is a unit")
    succeeds(machine.install("--uninstall"))
    equal(machine.asked(), [], "what systemd was asked where it does not run")
    machine.expect_untouched()


@test
def no_node():
    """a node that cannot start is reported, with where to look"""
    machine = new_machine()
    words = ["--unreachable-after", "never"]
    refuses(machine.install(*words, ROLE="combined"), "--unreachable-after", "is no node")
    succeeds(machine.install("--uninstall", "--purge"))
    check(not os.path.exists(machine.path("/etc/rondo")), "settings are left")
    check(not os.path.exists(machine.path("/usr/local/bin/rondo")), "the program is left")


# -- cloud-init ------------------------------------------------------------------------------------------------------


def user_data(name, **words):
    """An example with its words in capitals replaced, as YAML has it."""
    try:
        import yaml
    except ImportError:
        raise Skipped("python3-yaml is not installed")
    with open(os.path.join(PROVISIONING, "install.sh"), "rb") as file:
        script = hashlib.sha256(file.read()).hexdigest()
    text = read(os.path.join(PROVISIONING, "cloud-init", name))
    equal(text.splitlines()[0], "#cloud-config", "first line of %s" % name)
    body = "\n".join(each for each in text.splitlines() if not each.startswith("#"))
    for word, value in {"RELEASE_URL": "https://release.example", "INSTALL_SHA256": script, **words}.items():
        body = body.replace(word, value)
    return yaml.safe_load(body)


def perform(machine, data):
    """Does what cloud-init does with write_files and runcmd."""
    equal(sorted(data), ["runcmd", "write_files"], "keys")
    for each in data["write_files"]:
        machine.put(each["path"], each["content"], int(each["permissions"], 8))
    return machine.run(["sh", "-c", "\n".join(data["runcmd"])])


@test
def valid():
    """the examples for cloud-init have the form that it wants"""
    names = sorted(os.listdir(os.path.join(PROVISIONING, "cloud-init")))
    equal(names, ["agent.yaml", "first-node.yaml"], "examples")
    for name in names:
        data = user_data(name)
        check(all(set(each) == {"path", "permissions", "content"} for each in data["write_files"]), data["write_files"])
        check(all(isinstance(each, str) for each in data["runcmd"]), data["runcmd"])
    if shutil.which("cloud-init"):
        for name in names:
            words = ["cloud-init", "schema", "--config-file", os.path.join(PROVISIONING, "cloud-init", name)]
            result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60)
            equal(result.returncode, 0, "cloud-init schema: %s" % result.stdout[-400:])


@test
def first_boot():
    """what the examples for cloud-init say makes a first node, and an agent of a cluster"""
    for name in ("first-node.yaml", "agent.yaml"):
        machine = new_machine()
        # In place of the network: a file of the release by the last part of its address.
        fetch = 'for file; do [ "$last" = --output ] && to=$file; last=$file; done; cp %s/release/"${last##*/}" "$to"\n'
        machine.put("/usr/local/sbin/curl", "#!/bin/sh\n" + fetch % HOME, 0o755)
        machine.before = machine.changes()
        master = Master(machine) if name == "agent.yaml" else None
        words = {"MASTER": ADDRESS + ":5050", "JOIN_TOKEN": master.token()} if master else {}
        data = user_data(name, **words)
        succeeds(perform(machine, data), "rondo cluster status")
        if master:
            eventually(lambda: len(master.agents()) == 1, 10, "an agent in the cluster")
        else:
            result = succeeds(machine.run(["rondo", "cluster", "status"]))
            check(ADDRESS in result.stdout and "laboratory" in result.stdout, result.stdout)
        succeeds(machine.install("--uninstall", "--purge"))
        if master:
            master.end()
        if os.path.exists(machine.path("/etc/rondo")):
            shutil.rmtree(machine.path("/etc/rondo"))
        machine.expect_untouched()
        machine.end()


# -- Ansible ---------------------------------------------------------------------------------------------------------


@test
def playbook():
    """the Ansible role makes a node, changes nothing the second time, and removes all of it"""
    if not shutil.which("ansible-playbook"):
        raise Skipped("ansible-core is not installed")
    machine = new_machine()
    variables = {
        "ansible_connection": "local",
        "ansible_become": False,
        "ansible_python_interpreter": PYTHON,
        "rondo_role": "combined",
        "rondo_arguments": ["--zone", "a"],
        "rondo_config": {"name": "laboratory"},
        "rondo_file": PROGRAM,
    }
    inventory = {"rondo": {"hosts": {"here": {}}, "vars": variables}}
    machine.put(HOME + "/inventory.yml", json.dumps(inventory))
    machine.before = machine.changes()

    def play(*words):
        command = ["ansible-playbook", "-i", HOME + "/inventory.yml"]
        command += [HOME + "/Provisioning/ansible/cluster.yml", *words]
        quiet = {"ANSIBLE_LOCALHOST_WARNING": "0", "ANSIBLE_NOCOLOR": "1", "ANSIBLE_HOME": "/run/ansible"}
        quiet.update({"ANSIBLE_LOCAL_TEMP": "/run/ansible/local", "ANSIBLE_REMOTE_TEMP": "/run/ansible/remote"})
        result = machine.run(command, quiet, timeout=100)
        equal(result.returncode, 0, "exit (%s)" % result.stdout[-1500:])
        return result.stdout

    play("--syntax-check")
    play()
    result = succeeds(machine.run(["rondo", "cluster", "status"]))
    check(ADDRESS in result.stdout and "laboratory" in result.stdout, result.stdout)
    second = play()
    check("changed=0" in second, "the second time:", second[-800:])
    play("-e", "rondo_state=absent")
    shutil.rmtree(machine.path("/run/ansible"))
    machine.expect_untouched()
