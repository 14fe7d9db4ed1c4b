"""Who may do what: roles of users, what a node's certificate is good for, and what the audit log says of it."""

import base64
import json
import os

from harness import check, equal, test
from mesos_client import Scheduler, amount, command_task
from secured_access import add_user, basic, login
from secured_nodes import agents, ask, context, openssl, root, run, world
from wire import JSON, WireError, secure


def framework(name, role, user="nobody", authorization=None, **more):
    info = {"roles": [role], "user": user}
    capabilities = ("MULTI_ROLE",)
    return Scheduler(
        world.first.address, name, authorization=authorization, capabilities=capabilities, **dict(info, **more)
    )


def refused_framework(*arguments, status=403, **more):
    """Subscribes, which must be refused; returns the words."""
    one = framework(*arguments, **more)
    try:
        one.start()
    except WireError as refusal:
        check("answered %d" % status in str(refusal), "refused otherwise:", refusal)
        return str(refusal)
    finally:
        one.disconnect()
    check(False, "the framework was taken:", arguments, more)


def run_task(one, name, command, user=None):
    """Launches a task on the first offer, as a user of its own if one is named, and waits for its end."""
    offer = one.wait_offers(wanted=lambda all: [each for each in all if amount(each["resources"], "cpus") >= 0.1])[0]
    task = command_task(name, offer["agent_id"]["value"], command)
    if user:
        task["command"]["user"] = user
    for each in task["resources"]:
        each["allocation_info"] = offer["resources"][0].get("allocation_info")
    one.launch([offer], [task])
    return one.wait_state(name)


@test
def roles():
    """a viewer only looks; a user of a role works in that role alone and never as root; an operator runs no users"""
    secure(world.first.address, world.first.file("authority.crt"), world.first.file("administrator"))
    for name, granted in (("viewer", "viewer"), ("worker", "user:web"), ("operator", "operator")):
        add_user(name, password="password-of-" + name, roles=[granted])
    viewer, worker, operator = (basic(each, "password-of-" + each) for each in ("viewer", "worker", "operator"))
    with framework("as-root", "web", user="root") as one:
        offer = one.wait_offers()[0]
        task = command_task(
            "secret-keeper", offer["agent_id"]["value"], "sleep 100", environment={"PASSWORD": "tell-nobody"}
        )
        for each in task["resources"]:
            each["allocation_info"] = {"role": "web"}
        one.launch([offer], [task])
        one.wait_state("secret-keeper", "TASK_RUNNING")
        key = "%s/secret-keeper" % one.framework_id
        # A viewer.
        equal(ask(world.first, "GET", "/state", shows=viewer).status, 200, "state for a viewer")
        for path in ("/state", "/tasks", "/rondo/v1/tasks/" + key):
            check(
                "tell-nobody" not in ask(world.first, "GET", path, shows=viewer).text,
                path,
                "shows environments to viewers",
            )
        check("tell-nobody" in root(world.first, "GET", "/tasks").text, "the administrator sees no environment")
        for role in ("web", "*"):
            refused_framework("intruder", role, authorization=viewer)
        calls = [
            ("POST", "/rondo/v1/tasks/%s/kill" % key, {}),
            ("POST", "/rondo/v1/frameworks/%s/teardown" % one.framework_id, {}),
            ("POST", "/master/teardown", b"frameworkId=" + one.framework_id.encode()),
            ("GET", "/rondo/v1/audit", None),
            ("POST", "/rondo/v1/tokens", {}),
            ("GET", "/rondo/v1/tokens", None),
            ("POST", "/rondo/v1/keys/rotate", {}),
            ("POST", "/rondo/v1/members/%s/evict" % world.agent.id(), {}),
            ("GET", "/rondo/v1/users", None),
            ("POST", "/rondo/v1/users", {"name": "mine", "roles": ["administrator"]}),
            ("GET", "/rondo/v1/keys", None),
            ("PATCH", "/rondo/v1/users/viewer", {"roles": ["administrator"]}),
            ("POST", "/rondo/v1/leave", {}),
            ("PUT", "/acs/api/v1/users/mine", {"password": "password-1"}),
            ("POST", "/rondo/v1/certificate", {"request": "x"}),
            ("GET", "/rondo/v1/users/worker", None),
            ("POST", "/rondo/v1/users/worker/tokens", {}),
            ("PATCH", "/rondo/v1/users/worker", {"password": "password-2"}),
            ("DELETE", "/rondo/v1/users/worker", None),
        ]
        wrong = []
        for method, path, body in calls:
            # Refusals are written to the audit log with restraint for each place they come from.
            answer = ask(world.first, method, path, body, shows=viewer, source="127.0.5.1")
            if answer.status != 403:
                wrong.append("%s %s: %r" % (method, path, answer))
        check(not wrong, "not refused to a viewer:", "; ".join(wrong))
        # With the id of another's framework nobody gets its stream, nor speaks for it.
        refused_framework("thief", "web", authorization=worker, framework_id=one.framework_id, user="root")
        equal(one.statuses("secret-keeper")[-1]["state"], "TASK_RUNNING", "the task meanwhile")
        # An operator ends tasks, and manages neither users nor keys.
        for method, path in (
            ("GET", "/rondo/v1/users"),
            ("POST", "/rondo/v1/keys/rotate"),
            ("POST", "/rondo/v1/users/viewer/tokens"),
        ):
            equal(
                ask(world.first, method, path, {}, shows=operator).status, 403, "%s %s by an operator" % (method, path)
            )
        answer = ask(world.first, "POST", "/rondo/v1/tasks/%s/kill" % key, {}, shows=operator)
        check(answer.status in (200, 202, 204), "a kill by an operator was answered", answer)
        one.wait_state("secret-keeper", "TASK_KILLED")
    # A user of one role.
    for role in ("db", "*", "webby", "we"):
        said = refused_framework("elsewhere", role, authorization=worker)
        check("framework.register" in said, "the refusal does not name the right:", said)
    refused_framework("both", "web", authorization=worker, roles=["web", "db"])
    for user in ("root", "0", "", "root:root"):
        refused_framework("as-root", "web", authorization=worker, user=user)
    refused_framework("another", "web", authorization=worker, principal="operator")
    with framework("mine", "web", authorization=worker) as one:
        status = run_task(one, "who", "test $(id -u) != 0")
        equal(status["state"], "TASK_FINISHED", "a task as nobody: %s" % status.get("message"))
        status = run_task(one, "up", "id", user="root")
        equal(status["state"], "TASK_ERROR", "a task as root: %s" % status.get("message"))
        check("root" in status["message"], "the message is", status["message"])
        found = next(
            each for each in root(world.first, "GET", "/state").json["frameworks"] if each["id"] == one.framework_id
        )
        equal(found.get("principal"), "worker", "principal in /state")
        # Its calls are its user's: the stream id alone gives nothing.
        thief = framework("thief", "web", authorization=viewer)
        thief.framework_id, thief.stream_id = one.framework_id, one.stream_id
        answer = thief.post({"type": "TEARDOWN", "framework_id": {"value": one.framework_id}})
        check(answer.status in (400, 403), "another user's call with the stream's id was answered", answer)
        thief.disconnect()
    with framework("below", "web/shop", authorization=worker) as one:
        check(one.framework_id, "no framework in a role below the user's own")


@test
def commands():
    """a command in a container takes the right over its task's role, and is written down"""
    viewer, worker, operator = (basic(each, "password-of-" + each) for each in ("viewer", "worker", "operator"))
    with framework("beside", "db", user="nobody") as theirs, framework("within", "web", authorization=worker) as mine:
        places = {}
        for one, name in ((theirs, "theirs"), (mine, "mine")):
            offer = one.wait_offers(wanted=lambda all: [e for e in all if amount(e["resources"], "cpus") >= 0.1])[0]
            task = command_task(name, offer["agent_id"]["value"], "sleep 100")
            for each in task["resources"]:
                each["allocation_info"] = offer["resources"][0].get("allocation_info")
            one.launch([offer], [task])
            status = one.wait_state(name, "TASK_RUNNING")
            places[name] = (offer["agent_id"]["value"], status["container_status"]["container_id"]["value"])

        def execute(task, shows, session):
            agent, container = places[task]
            call = {
                "container_id": {"value": session, "parent": {"value": container}},
                "command": {"value": "id -un"},
            }
            body = {"type": "LAUNCH_NESTED_CONTAINER_SESSION", "launch_nested_container_session": call}
            return ask(world.first, "POST", "/agent/%s/api/v1" % agent, body, shows=shows, source="127.0.5.2")

        for shows, task, status in (
            (worker, "mine", 200),
            (worker, "theirs", 403),
            (operator, "theirs", 200),
            (viewer, "mine", 403),
            (None, "mine", 401),
        ):
            answer = execute(task, shows, "s-%s-%d" % (task, status))
            equal(answer.status, status, "a command in %s: %r" % (task, answer))
            if status == 200:
                record = json.loads(answer.body.split(b"\n", 1)[1])
                equal(base64.b64decode(record["data"]["data"]), b"nobody\n", "what it wrote")
            elif status == 403:
                check("task.exec" in answer.text, "the refusal does not name the right:", answer.text)
    lines = [json.loads(each) for each in root(world.first, "GET", "/rondo/v1/audit?lines=10000").text.splitlines()]
    found = [(each["who"], each["result"]) for each in lines if each["action"] == "task.exec"]
    for who, result in (("worker", "done"), ("worker", "denied"), ("operator", "done"), ("viewer", "denied")):
        check(("user:" + who, result) in found, "the audit log has no", result, "of", who, "in", found)


@test
def node_rights():
    """a node's certificate lets it take part as that node, and do nothing else"""
    tls = context(world.agent.file("authority.crt"), (world.agent.file("node.crt"), world.agent.file("node.key")))
    for path in ("/state", "/rondo/v1/members", "/slaves"):
        equal(ask(world.first, "GET", path, tls=tls).status, 200, "status of " + path)
    other = world.guest.id()
    request = openssl("req", "-new", "-key", world.guest.file("node.key"), "-subj", "/CN=" + other)
    subscribe = {"type": "SUBSCRIBE", "subscribe": {"framework_info": {"user": "nobody", "name": "n", "role": "*"}}}
    calls = [
        ("POST", "/api/v1/scheduler", subscribe),
        ("GET", "/rondo/v1/users", None),
        ("POST", "/rondo/v1/tokens", {}),
        ("GET", "/rondo/v1/audit", None),
        ("POST", "/rondo/v1/members/%s/evict" % other, {}),
        ("POST", "/rondo/v1/keys/rotate", {}),
        ("POST", "/rondo/v1/certificate", {"request": request}),
        ("GET", "/files/read?path=/master/log&offset=0", None),
        ("POST", "/rondo/v1/users", {"name": "n"}),
        ("GET", "/acs/api/v1/users", None),
        ("GET", "/agent/%s/files/browse?path=/" % agent_id(world.guest), None),
    ]
    wrong = []
    for method, path, body in calls:
        answer = ask(world.first, method, path, body, tls=tls)
        if answer.status != 403:
            wrong.append("%s %s: %r" % (method, path, answer))
    check(not wrong, "not refused to a node:", "; ".join(wrong))
    # As another agent.
    for body in (
        {"type": "SUBSCRIBE", "subscribe": {"id": agent_id(world.guest), "hostname": "x", "port": 1, "resources": []}},
        {"type": "HEARTBEAT", "id": agent_id(world.guest)},
    ):
        answer = ask(world.first, "POST", "/api/v1/agent", body, tls=tls, headers={"Accept": JSON})
        check(answer.status in (400, 403), "as another agent it was answered", answer)
    equal(len(agents(world.first)), 3, "active agents")
    # What a wrong credential says counts, whatever certificate is beside it.
    equal(
        ask(world.first, "GET", "/state", tls=tls, shows="token=x").status, 401, "status with a wrong token beside it"
    )


def agent_id(node):
    """Mesos' id of a node's agent."""
    slaves = root(node.master or node, "GET", "/slaves").json["slaves"]
    return next(each["id"] for each in slaves if each["pid"].split("@")[1].startswith(node.at + ":"))


@test
def other_sites():
    """a page of another site cannot act through somebody's browser"""
    add_user("surfer", password="swordfish-4", roles=["administrator"])
    session = login({"uid": "surfer", "password": "swordfish-4"}, source="127.0.6.1").json["token"]
    cookie = {"Cookie": "dcos-acs-auth-cookie=" + session}
    body = {"name": "planted", "roles": ["administrator"]}
    for origin in (
        "https://evil.example",
        "null",
        "http://127.0.0.1:1",
        "https://127.0.0.1:50500",
        "https://127.0.0.1:5050.evil.example",
    ):
        answer = ask(world.first, "POST", "/rondo/v1/users", body, headers=dict(cookie, Origin=origin))
        equal(answer.status, 403, "status for the origin %s" % origin)
    answer = ask(world.first, "POST", "/rondo/v1/users", body, headers=dict(cookie, Origin="https://127.0.0.1:5050"))
    equal(answer.status, 201, "status for the own origin: %s" % answer.text[:200])
    for name in ("planted", "surfer"):
        root(world.first, "DELETE", "/rondo/v1/users/" + name)
    equal(ask(world.first, "GET", "/state", headers=cookie).status, 401, "status once the user is gone")


@test
def unprotected():
    """a plain listener that others could reach is refused, unless it is asked for twice"""
    for options, words in (
        (["--plain-listen", "0.0.0.0:5056"], "--plain-insecure"),
        (["--plain-listen", "10.77.0.254:5056"], "--plain-insecure"),
        (["--insecure-plain-http"], "insecure"),
    ):
        data = world.path("unprotected")
        result = run(
            world.rondo,
            "cluster",
            "init",
            "--advertise",
            "127.0.0.1",
            "--master-port",
            "5057",
            "--data",
            data,
            *options
        )
        equal(result.returncode, 64, "exit with %s: %s" % (options, result.stderr[-300:]))
        check(words in result.stderr, "'%s' is not in: %s" % (words, result.stderr[-300:]))
        check(not os.path.exists(data), "a refused start leaves", data)


@test
def audit():
    """the audit log tells who did and was refused what, and holds no secret"""
    login({"uid": "nobody", "password": "guess-1"}, source="127.0.7.1", status=401)
    text = root(world.first, "GET", "/rondo/v1/audit?lines=10000").text
    entries = [json.loads(line) for line in text.splitlines()]
    found = {(each["who"], each["action"], each["result"]) for each in entries}
    wanted = [
        ("root", "user.create", "done"),
        ("user:viewer", "task.kill", "denied"),
        ("user:operator", "task.kill", "done"),
    ]
    for who, action, result in wanted:
        check(
            any(each == (who, action, result) for each in found), "no entry", (who, action, result), sorted(found)[:60]
        )
    check(any(each["action"] == "login" and each["result"] != "done" for each in entries), "no entry of a wrong login")
    check(any(each["action"] == "node.join" and each["result"] == "done" for each in entries), "no entry of a join")
    secrets = [
        world.first.secret(),
        world.first.join_token().split(".")[3],
        "correct horse",
        "battery staple",
        "swordfish",
        "password-of",
        "tell-nobody",
        "guess-1",
    ]
    for place, content in (
        ("the audit log", text),
        ("node.log", world.first.log()),
        ("the agent's log", world.agent.log()),
    ):
        for secret in secrets:
            check(secret not in content, place, "holds the secret", secret[:8] + "…")
    for top, _, names in os.walk(world.first.file("master")):
        for name in names:
            with open(os.path.join(top, name), "rb") as file:
                data = file.read()
            for secret in (
                "correct horse",
                "battery staple",
                "swordfish",
                "password-of",
                world.first.join_token().split(".")[3],
            ):
                check(secret.encode() not in data, name, "holds the secret", secret[:8] + "…")
    check(b"PRIVATE KEY" not in world.first.read("master/authority.key"), "the authority's key is not sealed")


@test
def silence_ends():
    """connections that said nothing, or stopped in the middle of a handshake, were closed meanwhile"""
    for sock in world.quiet:
        try:
            sock.recv(1)
        except ConnectionError:
            pass
        except TimeoutError:
            check(False, "a connection without handshake is kept for 30 s")
        sock.close()
