"""Who gets into a cluster, and who does not: tokens, pins, and somebody in between."""

import os
import socket
import ssl
import stat
import threading
import time

from harness import check, equal, eventually, test
from secured_nodes import (
    Node,
    add_agent,
    agents,
    ask,
    join_refused,
    make_token,
    openssl,
    root,
    run,
    world,
)


@test
def formation():
    """a master and agents form a cluster; what is secret in their directories is for root only"""
    world.first = Node("first", "127.0.0.1", port=5050, plain="127.0.0.1:5055").start()
    world.agent = Node("agent", "127.0.0.2", world.first).start(world.first.join_token())
    eventually(lambda: world.agent.alive() and len(agents(world.first)) == 2, 15, "two agents")
    world.other = Node("other", "127.0.0.1", port=6050, options=["--role", "master"]).start()
    world.stranger = add_agent("stranger", world.other, "127.0.0.3")
    # Its certificates last for seconds: it renews them while the other tests run.
    world.short = Node(
        "short", "127.0.0.1", port=7050, options=["--certificate-lifetime", "%ds" % world.lifetime]
    ).start()
    world.renewing = add_agent("renewing", world.short, "127.0.0.6")
    world.formed = time.monotonic()
    for node in (world.first, world.agent):
        for name in sorted(os.listdir(node.data)):
            mode = os.stat(node.file(name)).st_mode
            if stat.S_ISREG(mode):
                equal(stat.S_IMODE(mode), 0o600, "mode of %s of the %s" % (name, node.name))
    equal(stat.S_IMODE(os.stat(world.first.file("master")).st_mode), 0o700, "mode of the master's store")
    equal(stat.S_IMODE(os.stat(world.first.file("rondo.sock")).st_mode), 0o600, "mode of the socket")
    result = run(world.rondo, "cluster", "status", "--output", "json", "--data", world.agent.data)
    equal(result.returncode, 0, "exit of cluster status on the agent's machine: %s" % result.stderr[-300:])


@test
def other_clusters_token():
    """a token of another cluster is refused by the joiner itself, before the master hears anything"""
    before = audit_lines()
    said = join_refused(world.first.address, world.other.join_token(), "another cluster")
    check("nothing was sent" in said, "it does not say that nothing was sent:", said)
    equal(audit_lines(), before, "lines in the master's audit log")


def audit_lines():
    return [
        line for line in root(world.first, "GET", "/rondo/v1/audit?lines=10000").text.splitlines() if "join" in line
    ]


class Impostor(threading.Thread):
    """A TLS server that is not the master. Keeps every byte that came and what could be decrypted of it."""

    def __init__(self, certificate, key, newest=ssl.TLSVersion.TLSv1_3, at="127.0.0.1"):
        super().__init__(daemon=True)
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate, key)
        self.context.maximum_version = newest
        self.listener = socket.create_server((at, 0))
        self.listener.settimeout(20)
        self.address = "%s:%d" % (at, self.listener.getsockname()[1])
        self.raw, self.read, self.shaken, self.connections = b"", b"", False, 0
        self.start()

    def run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                connection.settimeout(5)
                try:
                    self.serve(connection)
                except OSError:
                    pass

    def serve(self, connection):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = self.context.wrap_bio(incoming, outgoing, server_side=True)
        shaken = False
        while True:
            try:
                if shaken:
                    self.read += tls.read(65536)
                else:
                    tls.do_handshake()
                    shaken = self.shaken = True
                continue
            except ssl.SSLWantReadError:
                pass
            finally:
                if outgoing.pending:
                    connection.sendall(outgoing.read())
            data = connection.recv(65536)
            if not data:
                return
            self.raw += data
            incoming.write(data)

    def kinds(self):
        """Types of the TLS records that came: 20 change cipher, 21 alert, 22 handshake, 23 encrypted."""
        kinds, at = [], 0
        while at + 5 <= len(self.raw):
            kinds.append(self.raw[at])
            at += 5 + int.from_bytes(self.raw[at + 3 : at + 5], "big")
        return kinds

    def close(self):
        # A blocked accept() notices shutdown, not close.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.join(10)
        self.listener.close()


def forged_authority(name, like):
    """An authority with the same names as another, and a key of its own; and a master's certificate by it."""
    subject = openssl("x509", "-noout", "-subject", "-nameopt", "compat", "-in", like.file("authority.crt"))
    cluster = subject.split("O=")[1].split("/")[0].split(",")[0].strip()
    path = world.path(name)
    os.makedirs(path, exist_ok=True)
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    extensions = [
        "-addext",
        "basicConstraints=critical,CA:TRUE,pathlen:0",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
    ]
    openssl(
        "req",
        "-x509",
        *curve,
        "-keyout",
        path + "/ca.key",
        "-out",
        path + "/ca.crt",
        "-days",
        2,
        "-subj",
        "/O=%s/CN=Rondo cluster rondo" % cluster,
        *extensions
    )
    return path, cluster


def forged_leaf(path, cluster, node_id, name="leaf", roles="master,agent", key=None):
    """A node's certificate by a forged authority, with a new key unless one is given: files of chain and key."""
    leaf = "%s/%s" % (path, name)
    if key is None:
        key = leaf + ".key"
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
    openssl("req", "-new", "-key", key, "-subj", "/CN=" + node_id, "-out", leaf + ".csr")
    with open(leaf + ".ext", "w") as file:
        file.write(
            "basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\n"
            "extendedKeyUsage=serverAuth,clientAuth\n"
            "subjectAltName=URI:rondo://%s/node/%s?roles=%s,IP:127.0.0.1\n"
            % (cluster, node_id, roles.replace(",", "%2C"))
        )
    openssl(
        "x509",
        "-req",
        "-in",
        leaf + ".csr",
        "-CA",
        path + "/ca.crt",
        "-CAkey",
        path + "/ca.key",
        "-CAcreateserial",
        "-days",
        1,
        "-extfile",
        leaf + ".ext",
        "-out",
        leaf + ".crt",
    )
    chain(leaf + ".pem", leaf + ".crt", path + "/ca.crt")
    return leaf + ".pem", key


def chain(target, *certificates):
    with open(target, "w") as out:
        for each in certificates:
            with open(each) as file:
                out.write(file.read())
    return target


@test
def man_in_the_middle():
    """somebody in between gets nothing but a TLS handshake, whatever certificates they show"""
    path, cluster = forged_authority("forged", world.first)
    forged, key = forged_leaf(path, cluster, world.agent.id())
    # The real authority's certificate is no secret: its pin fits, and what it did not sign must not pass.
    dressed = chain(path + "/dressed.pem", path + "/leaf.crt", world.first.file("authority.crt"))
    insider = world.agent.file("node.crt")
    token = make_token(world.first, uses=100)["token"]
    secret = token.split(".")[3].encode()
    cases = [
        ("an authority of its own", forged, key, "another cluster"),
        ("the real authority, which did not sign it", dressed, key, "not made by the authority"),
        ("the certificate of an agent", insider, world.agent.file("node.key"), "master is needed"),
    ]
    for what, certificates, its_key, words in cases:
        for version in (ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_2):
            impostor = Impostor(certificates, its_key, version)
            try:
                join_refused(impostor.address, token, words)
            finally:
                impostor.close()
            name = "%s over %s" % (what, version.name)
            check(impostor.connections > 0, name, "was never connected to")
            equal(impostor.read, b"", "what %s could read" % name)
            check(secret not in impostor.raw, name, "got the token")
            if version == ssl.TLSVersion.TLSv1_2:
                check(set(impostor.kinds()) <= {20, 21, 22}, name, "got records", impostor.kinds())
    tokens = root(world.first, "GET", "/rondo/v1/tokens").json["tokens"]
    left = next(each["usesLeft"] for each in tokens if each["id"] == token.split(".")[2])
    equal(left, 100, "uses left of the token")


@test
def tokens_that_do_not_work():
    """expired, spent, revoked and foreign tokens are refused with the reason, and nothing is left on the machine"""
    expired, made = make_token(world.first, lifetimeSeconds=1), time.time()
    spent = make_token(world.first, uses=1)
    node = Node("guest", "127.0.0.4", world.first).start(spent["token"])
    eventually(lambda: node.alive() and len(agents(world.first)) == 3, 15, "the node that spends the token")
    join_refused(world.first.address, spent["token"], "used up")
    revoked = make_token(world.first)
    equal(root(world.first, "DELETE", "/rondo/v1/tokens/" + revoked["id"]).status, 204, "status of revoking")
    join_refused(world.first.address, revoked["token"], "unknown|revoked")
    eventually(lambda: time.time() > made + 1.1, 3, "the end of a token that is good for a second")
    join_refused(world.first.address, expired["token"], "expired")
    good = make_token(world.first)["token"].split(".")
    swapped = make_token(world.first)["token"].split(".")
    join_refused(world.first.address, ".".join(good[:3] + [swapped[3]] + good[4:]), "wrong")
    for_masters = make_token(world.first, role="master")["token"]
    join_refused(world.first.address, for_masters, "role|master")
    join_refused(world.first.address, ".".join(["rondo1", "agent"] + for_masters.split(".")[2:]), "wrong")
    said = join_refused(world.first.address, for_masters, "one master", options=["--role", "master"])
    check("agent" in said, "it does not say what to do:", said)
    world.guest = node


@test
def races():
    """of many that come at once with a token for one, one gets in"""
    token = make_token(world.first, uses=1)["token"]
    requests = []
    for index in range(8):
        key = world.path("racer%d.key" % index)
        openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key)
        requests.append(openssl("req", "-new", "-key", key, "-subj", "/CN=racer"))
    statuses, together = [], threading.Barrier(len(requests))

    def come(request):
        together.wait(10)
        body = {"token": token, "request": request, "name": "racer", "role": "agent"}
        answer = ask(world.first, "POST", "/rondo/v1/join", body)
        statuses.append(answer.status)
        if answer.status == 201:
            won.append(answer.json)

    won = []
    racers = [threading.Thread(target=come, args=(each,)) for each in requests]
    for each in racers:
        each.start()
    for each in racers:
        each.join(20)
    equal(sorted(statuses), [201] + [403] * (len(requests) - 1), "statuses of the joins")
    # It never becomes a node; its key is shut out again.
    equal(
        root(world.first, "POST", "/rondo/v1/members/%s/evict" % won[0]["nodeID"]).status, 204, "status of evicting it"
    )


@test
def garbage_tokens():
    """garbage in a token's place is refused, on the command line and by the master"""
    good = make_token(world.first)["token"]
    parts = good.split(".")
    texts = [
        "",
        " ",
        ".",
        "....",
        "rondo1",
        good[:-1],
        good + "A",
        good.upper(),
        good + ".",
        "rondo2" + good[6:],
        ".".join(parts[:4]),
        ".".join(parts[:1] + ["root"] + parts[2:]),
        ".".join(parts[:1] + [""] + parts[2:]),
        ".".join(parts[:2] + [parts[2] + "/../x"] + parts[3:]),
        ".".join(parts[:3] + [parts[3] + "=", parts[4]]),
        ".".join(parts[:3] + ["A" * 43, parts[4]]),
        "rondo1.agent.aaaaaaaaaa." + "A" * 43 + "." + "A" * 43,
        good.replace(".", "\0"),
        "\u00e9" * 40,
        "x" * 5000,
        "Bearer " + good,
        good + " " + good,
        "%s\n" % good + "x",
    ]
    for text in texts:
        body = {"token": text, "request": "x", "name": "n", "role": "agent"}
        answer = ask(world.first, "POST", "/rondo/v1/join", body)
        check(answer.status in (400, 403, 409), "%r was answered %r" % (text[:80], answer))
        check(answer.json.get("message"), "%r was answered without words" % text[:80])
    for text in texts[1:]:
        if "\0" not in text:
            said = join_refused(world.first.address, text, "token|cluster")
            check(parts[3] not in said, "the secret is in the message:", said)
    for body in (
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"token":1}',
        b'{"token":"%s"}' % good.encode(),
        b"\xff" * 100,
        b"{" * 100000,
    ):
        answer = ask(world.first, "POST", "/rondo/v1/join", body, headers={"Content-Type": "application/json"})
        check(answer.status in (400, 413), "%r was answered %r" % (body[:40], answer))
    # Key material that is none, with a token that works.
    for request in (
        "",
        "x",
        "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
        "A" * 60000,
    ):
        body = {"token": good, "request": request, "name": "n", "role": "agent"}
        equal(ask(world.first, "POST", "/rondo/v1/join", body).status, 400, "status for the request %r" % request[:20])
    for node in (world.first, world.agent):
        node.alive()
