"""Who is who: which routes answer strangers, logins, sessions and tokens."""

import base64
import hashlib
import hmac
import json
import shutil
import subprocess
import time

from harness import check, equal, eventually, test, within
from secured_nodes import ask, openssl, root, world

# Answered without a credential, each with its status. Everything else is 401.
OPEN = [
    ("GET", "/version", 200),
    ("GET", "/version.json", 200),
    ("GET", "/master/version", 200),
    ("GET", "/mesos/version", 200),
    ("GET", "/mesos/master/version", 200),
    ("GET", "/ping", 200),
    ("GET", "/dcos-metadata/dcos-version.json", 200),
    ("GET", "/acs/api/v1/auth/providers", 200),
    ("POST", "/acs/api/v1/auth/login", 400),
    ("GET", "/ca/dcos-ca.crt", 200),
    ("GET", "/ui/login", 200),
    ("POST", "/rondo/v1/join", 400),
]
# Paths that clients use, by hand: what is behind them, or is yet to come.
CLOSED = """
    / /state /state.json /master/state /mesos/state /mesos/master/state.json /state-summary /mesos/state-summary /slaves
    /master/slaves /frameworks /master/frameworks/ /roles /tasks /tasks.json /health /flags /master/health /metrics
    /metrics/snapshot /files/read /files/read.json?path=/master/log&offset=0 /files/browse?path=/ /files/download
    /redirect /master/redirect /teardown /master/teardown /api/v1 /api/v1/operator /master/api/v1 /api/v1/scheduler
    /master/api/v1/scheduler /mesos/api/v1/scheduler /api/v1/agent /api/v1/agent/streams/1 /api/v1/executor
    /agent/x/state /slave/x/state /agent/x/api/v1 /slave/x/files/read /agent/x /slave/
    /rondo/v1/cluster /rondo/v1/health /rondo/v1/tasks /rondo/v1/tasks/a/b /rondo/v1/tasks/a/b/kill /rondo/v1/nodes
    /rondo/v1/nodes/x /rondo/v1/frameworks /rondo/v1/frameworks/x /rondo/v1/frameworks/x/teardown /rondo/v1/roles
    /rondo/v1/why/x /rondo/v1/certificate /rondo/v1/keys /rondo/v1/keys/rotate /rondo/v1/leave /rondo/v1/members
    /rondo/v1/members/x/evict /rondo/v1/tokens /rondo/v1/tokens/x /rondo/v1/users /rondo/v1/users/root
    /rondo/v1/users/root/tokens /rondo/v1/users/root/tokens/x /rondo/v1/audit /rondo/v1/names /rondo/v1/local /rondo/v1/local/leave
    /rondo /rondo/v1 /rondo/v1/x /rondo/v1/join/x /rondo/v2/join
    /pkgpanda/active.buildinfo.full.json /acs/api/v1/users /acs/api/v1/users/root /acs/api/v1/groups /acs/api/v1/acls
    /acs/api/v1/auth /acs/api/v1/auth/login/x /metadata /dcos-metadata/ui-config.json /dcos-metadata /cluster/v1/links
    /mesos_dns/v1/hosts/master.mesos /system/health/v1/nodes /system/v1/agent/x/metrics/v0/node /capabilities
    /package/search /service/marathon/v2/apps /marathon/v2/apps /v2/apps /v2/events /service/metronome/v1/jobs
    /exhibitor /ca /ca/x /ui /help /favicon.ico /nothing
    /ui/nodes /ui/events /ui/catalog /ui/audit /ui/frameworks /ui/services /ui/login/x /ui/x
    //state /state/ /%73tate /%2fstate /./state /ping/../state /version/../state /version/state /ping/x
    /version;x=1/../state    /rondo/v1/join/../users /ca/dcos-ca.crt/../../state /STATE /Rondo/v1/users /state?version
    /state%00 /version%2f..%2fstate
""".split()


@test
def strangers():
    """strangers get 401 with the scheme clients look for, on every path but a short list, over TLS and without"""
    for how in ("tls", "plain"):
        for method, path, status in OPEN:
            answer = ask(world.first, method, path, {} if method == "POST" else None, how=how)
            equal(answer.status, status, "status of %s %s: %r" % (method, path, answer))
        wrong = []
        for path in CLOSED:
            for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
                answer = ask(world.first, method, path, {} if method[0] == "P" else None, how=how)
                # Paths that are none may be refused as such.
                if answer.status == 400 and any(mark in path for mark in ("%", "..", "/.", ";")):
                    continue
                if answer.status != 401 or answer.headers.get("www-authenticate") != "acsjwt":
                    wrong.append("%s %s %s: %r" % (how, method, path, answer))
        check(not wrong, len(wrong), "answered otherwise:", "; ".join(wrong[:5]))
    for shows in ("token=x", "Bearer x", "Basic eDp5", "Basic", "token=", "Bearer", "x", "", "token=" + "A" * 9000,
                  "Bearer " + world.first.secret()[:-1], "token=" + world.first.secret() + "x", "Negotiate x",
                  "token=" + world.other.secret()):  # fmt: skip
        answer = ask(world.first, "GET", "/state", headers={"Authorization": shows})
        equal((answer.status, answer.headers.get("www-authenticate")), (401, "acsjwt"), "answer to %r" % shows[:30])
    for method in ("GET", "HEAD"):
        path = "/pkgpanda/active.buildinfo.full.json"
        equal(ask(world.first, method, path, shows="token=" + world.first.secret()).status, 200, method + " " + path)


@test
def socket():
    """root's unix socket needs no credential, and a wrong one there is refused all the same"""
    equal(ask(world.first, "GET", "/rondo/v1/users", how="socket").status, 200, "status")
    equal(
        ask(world.first, "GET", "/rondo/v1/users", how="socket", shows="token=x").status, 401, "status with a wrong one"
    )
    # The socket of an agent's machine has that node's rights, and no more.
    equal(ask(world.agent, "GET", "/state", how="socket").status, 200, "state through the agent's socket")
    equal(ask(world.agent, "GET", "/rondo/v1/users", how="socket").status, 403, "users through the agent's socket")
    equal(
        ask(world.agent, "POST", "/rondo/v1/tokens", {}, how="socket").status, 403, "tokens through the agent's socket"
    )


def basic(name, password):
    return "Basic " + base64.b64encode(("%s:%s" % (name, password)).encode()).decode()


def add_user(name, **more):
    answer = root(world.first, "POST", "/rondo/v1/users", dict(name=name, **more))
    equal(answer.status, 201, "status of making the user %s: %s" % (name, answer.text[:200]))
    return answer.json


def login(body, source="127.0.0.1", status=200):
    answer = ask(world.first, "POST", "/acs/api/v1/auth/login", body, source=source)
    equal(answer.status, status, "status of a login: %s" % answer.text[:200])
    return answer


@test
def passwords():
    """a user logs in with a password; the session works as header and as cookie, and ends when the password changes"""
    add_user("ada", password="correct horse", roles=["viewer"])
    answer = login({"uid": "ada", "password": "correct horse"}, source="127.0.1.1")
    token, cookie = answer.json["token"], answer.headers.get("set-cookie", "")
    within(
        [(each in cookie, each) for each in ("dcos-acs-auth-cookie=" + token, "HttpOnly", "Secure", "SameSite=Strict")],
        "the cookie lacks: %s" % cookie,
    )
    claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
    equal(claims["uid"], "ada", "the claim uid, which clients read")
    forms = [{"Authorization": "token=" + token}, {"Authorization": "Bearer " + token}]
    forms += [{"Cookie": "a=b; dcos-acs-auth-cookie=%s; c=d" % token}, {"Authorization": basic("ada", "correct horse")}]
    for headers in forms:
        equal(ask(world.first, "GET", "/state", headers=headers).status, 200, "status with %s" % sorted(headers))
    forged = token.split(".")
    payload = base64.urlsafe_b64encode(json.dumps(dict(claims, uid="root")).encode()).decode().rstrip("=")
    none = base64.urlsafe_b64encode(b'{"alg":"none","typ":"JWT"}').decode().rstrip("=")
    for text in (".".join([forged[0], payload, forged[2]]), ".".join([none, payload, ""]), ".".join(forged[:2] + [""])):
        equal(ask(world.first, "GET", "/state", shows="token=" + text).status, 401, "status with a forged session")
    equal(root(world.first, "PATCH", "/rondo/v1/users/ada", {"password": "battery staple"}).status, 200, "status")
    for headers in forms:
        equal(
            ask(world.first, "GET", "/state", headers=headers, source="127.0.1.2").status,
            401,
            "status after the change",
        )
    # One answer for everything that is wrong, so that names cannot be found out.
    said = {
        login(body, source="127.0.1.1", status=401).text
        for body in (
            {"uid": "ada", "password": "correct horse"},
            {"uid": "nobody", "password": "x"},
            {"uid": "ada", "token": "x"},
        )
    }
    equal(len(said), 1, "different answers to wrong logins: %s" % said)
    token = login({"uid": "ada", "password": "battery staple"}, source="127.0.1.1").json["token"]
    equal(root(world.first, "DELETE", "/rondo/v1/users/ada").status, 204, "status of deleting")
    equal(ask(world.first, "GET", "/state", shows="token=" + token).status, 401, "status once the user is deleted")


def encoded(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed(key, claims, header=None):
    """A token as a service makes it, signed with RS256."""
    text = encoded(header or {"alg": "RS256", "typ": "JWT"}) + "." + encoded(claims)
    return text + "." + encoded(openssl("dgst", "-sha256", "-sign", key, data=text.encode()))


@test
def service_accounts():
    """a service account logs in with a token that it signs, and only with one that is its own and good"""
    key, public, another = (world.path(each) for each in ("service.key", "service.pub", "another.key"))
    for each in (key, another):
        openssl("genrsa", "-out", each, "2048")
    openssl("rsa", "-in", key, "-pubout", "-out", public)
    with open(public) as file:
        pem = file.read()
    add_user("machine", publicKey=pem, roles=["viewer"])
    soon = int(time.time()) + 60
    good = {"uid": "machine", "exp": soon}
    session = login({"uid": "machine", "token": signed(key, good)}).json["token"]
    equal(ask(world.first, "GET", "/state", shows="token=" + session).status, 200, "status with the session")
    text = encoded({"alg": "HS256", "typ": "JWT"}) + "." + encoded(good)
    confused = text + "." + encoded(hmac.new(pem.encode(), text.encode(), hashlib.sha256).digest())
    bad = {
        "another key": signed(another, good),
        "expired": signed(key, dict(good, exp=soon - 3600)),
        "good for too long": signed(key, dict(good, exp=soon + 10**8)),
        "without an end": signed(key, {"uid": "machine"}),
        "another user": signed(key, dict(good, uid="root")),
        "no algorithm": encoded({"alg": "none"}) + "." + encoded(good) + ".",
        "the public key as a password": confused,
        "the session of before": session,
        "no token": "x",
    }
    for token in bad.values():
        login({"uid": "machine", "token": token}, source="127.0.2.1", status=401)
    equal(
        ask(world.first, "GET", "/state", shows="token=" + signed(key, good)).status, 401, "its own token as a session"
    )
    python = shutil.which("python3", path="/usr/bin")
    # The library that real services use, where Debian's packages python3-jwt and python3-cryptography are there.
    script = "import jwt, sys, time; claims = {'uid': 'machine', 'exp': int(time.time()) + 60}\n"
    script += "print(jwt.encode(claims, open(sys.argv[1]).read(), 'RS256'))"
    made = subprocess.run(
        [python or "false", "-c", script, key], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    if made.returncode == 0:
        login({"uid": "machine", "token": made.stdout.strip()})


@test
def guessing():
    """who guesses passwords is slowed down with 429, others are not"""
    add_user("victim", password="swordfish-1", roles=["viewer"])
    add_user("bystander", password="swordfish-2", roles=["viewer"])
    statuses = []
    for attempt in range(40):
        body = {"uid": "victim", "password": "guess-%d" % attempt}
        answer = ask(world.first, "POST", "/acs/api/v1/auth/login", body, source="127.0.3.%d" % (attempt % 3 + 1))
        statuses.append(answer.status)
        if answer.status == 429:
            break
    check(set(statuses) == {401, 429}, "answers to guesses:", statuses)
    check(int(answer.headers.get("retry-after", "0")) >= 1, "no Retry-After:", answer)
    check(5 <= len(statuses) <= 20, len(statuses), "guesses were answered")
    # HTTP Basic is no way around it.
    answer = ask(world.first, "GET", "/state", shows=basic("victim", "guess"), source="127.0.3.9")
    equal(answer.status, 429, "status of a guess by Basic")
    login({"uid": "bystander", "password": "swordfish-2"}, source="127.0.3.9")
    # Many names from one place.
    statuses = []
    for attempt in range(60):
        body = {"uid": "name-%d" % attempt, "password": "x"}
        statuses.append(ask(world.first, "POST", "/acs/api/v1/auth/login", body, source="127.0.4.1").status)
        if statuses[-1] == 429:
            break
    equal(statuses[-1], 429, "the last of %d guesses at many names" % len(statuses))
    login({"uid": "bystander", "password": "swordfish-2"}, source="127.0.4.2")


@test
def user_tokens():
    """tokens of users work until they expire or are revoked, and are shown once only"""
    add_user("scripted", password="swordfish-3", roles=["viewer"])
    path = "/rondo/v1/users/scripted/tokens"
    lasting, brief = (root(world.first, "POST", path, each).json for each in ({}, {"lifetimeSeconds": 1}))
    made = time.time()
    equal(ask(world.first, "GET", "/state", shows="token=" + lasting["token"]).status, 200, "status with a token")
    equal(ask(world.first, "GET", path, shows="token=" + lasting["token"]).status, 200, "status of the own tokens")
    check(lasting["token"] not in root(world.first, "GET", path).text, "the token is shown again")
    equal(root(world.first, "DELETE", path + "/" + lasting["id"]).status, 204, "status of revoking")
    equal(ask(world.first, "GET", "/state", shows="token=" + lasting["token"]).status, 401, "status once revoked")
    eventually(lambda: time.time() > made + 1.1, 3, "a second")
    equal(ask(world.first, "GET", "/state", shows="token=" + brief["token"]).status, 401, "status once expired")
