"""What the port of a master takes and shows: versions of TLS, certificates, HTTP/2, and what speaks no TLS."""

import os
import socket
import ssl

from harness import check, equal, test, within
from secured_joining import chain, forged_authority, forged_leaf
from secured_nodes import ask, context, openssl, refused_handshake, run, world


def old(version, ciphers="ALL:@SECLEVEL=0"):
    """A context for one version of TLS that this machine's own policy does not stand in the way of."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname, made.verify_mode = False, ssl.CERT_NONE
    made.set_ciphers(ciphers)
    made.minimum_version = made.maximum_version = version
    return made


@test
def versions():
    """TLS 1.2 and 1.3 are spoken, 1.0 and 1.1 are refused, as are ciphers without forward secrecy"""
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        equal(ask(world.first, "GET", "/version", tls=old(version)).status, 200, version.name)
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        said = refused_handshake(world.first, old(version))
        check("PROTOCOL_VERSION" in said, version.name, "was refused otherwise:", said)
    for ciphers in ("AES256-SHA", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256", "NULL", "ADH"):
        refused_handshake(world.first, old(ssl.TLSVersion.TLSv1_2, ciphers + ":@SECLEVEL=0"))


@test
def silence():
    """connections that say nothing, or stop in the middle of a handshake, hold up nobody"""
    world.quiet = [socket.create_connection((world.first.at, world.first.port), timeout=30) for _ in range(100)]
    for index, sock in enumerate(world.quiet):
        if index % 2:
            sock.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    equal(ask(world.first, "GET", "/version").status, 200, "status meanwhile")


@test
def plain_text():
    """plain HTTP and garbage at the TLS port get an answer that people can read, and nothing of the cluster"""
    for text in (
        b"GET /state HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /rondo/v1/join HTTP/1.0\r\n\r\n",
        b"\0" * 64,
        b"SSH-2.0-x\r\n",
    ):
        with socket.create_connection((world.first.at, world.first.port), timeout=5) as sock:
            sock.sendall(text)
            answer = b""
            while True:
                data = sock.recv(65536)
                if not data:
                    break
                answer += data
        check(answer.startswith(b"HTTP/1.1 400 "), "%r was answered %r" % (text[:20], answer[:100]))
        check(b"https://" in answer, "the answer does not say what to do:", answer)


@test
def web_clients():
    """curl with the cluster's certificate gets HTTP/2 or HTTP/1.1 as it likes"""
    base = ["curl", "-sS", "--max-time", "10", "--cacert", world.first.file("authority.crt"), "-o", "/dev/null"]
    base += [
        "-w",
        "%{http_version} %{http_code} %{ssl_verify_result}",
        "-H",
        "Authorization: token=" + world.first.secret(),
    ]
    for option, version in (("--http2", "2"), ("--http1.1", "1.1")):
        for url in ("https://127.0.0.1:5050/state", "https://localhost:5050/slaves"):
            result = run(*base, option, url)
            equal(result.stdout, version + " 200 0", "%s %s %s" % (option, url, result.stderr.strip()))
    result = run(*base[:4], "--http2", "https://127.0.0.1:5050/state")
    check(
        result.returncode == 60, "without the cluster's certificate curl ended with", result.returncode, result.stderr
    )
    result = run(*base, "--http2", "-I", "https://127.0.0.1:5050/pkgpanda/active.buildinfo.full.json")
    equal(result.stdout, "2 200 0", "HEAD over HTTP/2")


@test
def api_certificate():
    """the certificate of the API names the machine's addresses, is for servers only, and comes with its authority"""
    text = openssl("s_client", "-connect", world.first.address, "-showcerts", data=b"Q\n").decode()
    equal(text.count("BEGIN CERTIFICATE"), 2, "certificates shown")
    path = world.path("api.crt")
    with open(path, "w") as file:
        file.write(text[text.index("-----BEGIN") :])
    openssl("verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", world.first.file("authority.crt"), path)
    shown = openssl("x509", "-noout", "-text", "-in", path)
    addresses = run("ip", "-o", "address", "show").stdout.split()
    addresses = [each.split("/")[0] for each in addresses if each.count("/") == 1 and each[0].isdigit()]
    within(
        [("IP Address:" + each in shown, each) for each in addresses if ":" not in each]
        + [("DNS:localhost" in shown, "localhost"), ("TLS Web Server" in shown, "for servers")]
        + [("TLS Web Client" not in shown, "not for clients"), ("CA:FALSE" in shown, "no authority")],
        "what the certificate must say and does not",
    )
    # The API's key is the master's; its certificate is good for no node all the same.
    said = refused_handshake(
        world.first, context(world.first.file("authority.crt"), (path, world.first.file("node.key")))
    )
    check("CERTIFICATE" in said.upper() or "alert" in said or "Reset" in said, said)


@test
def foreign_certificates():
    """a client certificate that this cluster did not make for a node is refused in the handshake"""
    authority = world.first.file("authority.crt")
    path, cluster = forged_authority("forged2", world.first)
    leaf, key = forged_leaf(path, cluster, world.agent.id())
    forms = {
        "of another cluster's node": (world.stranger.file("node.crt"), world.stranger.file("node.key")),
        "by an authority of the same name": (leaf, key),
        "by a false authority, with the real one beside it": (
            chain(path + "/x.pem", path + "/leaf.crt", authority),
            key,
        ),
        "of a false authority itself": (path + "/ca.crt", path + "/ca.key"),
    }
    # A certificate signed by a node, as if nodes were authorities.
    openssl("x509", "-req", "-in", path + "/leaf.csr", "-CA", world.agent.file("node.crt"), "-CAkey",
            world.agent.file("node.key"), "-CAcreateserial", "-CAserial", path + "/serial", "-days", 1,
            "-extfile", path + "/leaf.ext", "-out", path + "/child.crt")  # fmt: skip
    forms["signed by a node"] = (chain(path + "/child.pem", path + "/child.crt", world.agent.file("node.crt")), key)
    for what, certificate in forms.items():
        tls = context(authority, certificate)
        said = refused_handshake(world.first, tls)
        check("alert" in said.lower() or "Reset" in said or "EOF" in said, what, "was refused otherwise:", said)
        tls.maximum_version = ssl.TLSVersion.TLSv1_2
        refused_handshake(world.first, tls)
    # An agent listens as well, and takes masters only.
    port = agent_port(world.agent)
    for what, certificate in list(forms.items()) + [
        ("of another agent", (world.guest.file("node.crt"), world.guest.file("node.key"))),
        ("none", None),
    ]:
        tls = context(authority, certificate)
        tls.check_hostname = False
        said = refused_agent(world.agent.at, port, tls)
        check("401" not in said, what, said)


def agent_port(node):
    with open(os.path.join("/proc", str(node.process.pid), "net/tcp")) as file:
        mine = {each.split()[1] for each in file if each.split()[3] == "0A"}
    wanted = "".join("%02X" % int(each) for each in reversed(node.at.split(".")))
    ports = {int(each.split(":")[1], 16) for each in mine if each.startswith(wanted)}
    return min(port for port in ports if port < 5100)


def refused_agent(host, port, tls):
    """Asks an agent for its state, which it must give to masters only."""
    try:
        with socket.create_connection((host, port), timeout=5) as sock, tls.wrap_socket(
            sock, server_hostname=host
        ) as wrapped:
            wrapped.sendall(b"GET /state HTTP/1.1\r\nHost: x\r\n\r\n")
            answer = wrapped.recv(65536)
    except (ssl.SSLError, ConnectionError) as error:
        return repr(error)
    check(not answer.startswith(b"HTTP/1.1 2"), "an agent answers strangers:", answer[:200])
    return repr(answer[:100])
