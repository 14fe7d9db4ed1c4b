"""Paths, queries, sizes and bytes that no server should take."""

import random

import protobuf_frames as frames
from bad_request import BAD, CLOSED, LIMIT, OPERATOR, SCHEDULER, http, shown
from wire import PROTOBUF


def paths():
    """Paths and methods that are not served, tricks with escapes among them."""
    for path in (
        "/nope",
        "/api",
        "/api/v2/scheduler",
        "/api/v1/scheduler/x",
        "/api/v1/nope",
        "/State",
        "/state.xml",
        "/master/nope",
        "/state/x",
        "/slave",
        "/slave/nobody/state",
        "/agent/nobody/state",
        "/agent/nobody/files/read?path=/etc/passwd",
        "/agent/nobody",
        "/service/nobody/v2/apps",
        "/favicon.ico.php",
        "/.git/config",
        "/index.php",
        "/x" * 2000,
        "/api/v1%2fscheduler",
        "/state%2e",
        "/" + "%41" * 300,
        "/%F0%9F%9A%80",
        "/~root",
        "/;state",
        "/master;x/state",
    ):
        yield "GET " + shown(path), http("GET", path), {404}, ""
    for path in (
        "/..",
        "/../etc/passwd",
        "/master/../state",
        "/./state",
        "/%2e%2e/etc/passwd",
        "/%2E%2e/%2e%2E/etc/passwd",
        "/..%2fetc/passwd",
        "/..%5cetc",
        "/state%00",
        "/%",
        "/%4",
        "/%zz",
        "/state%",
        "/%ff",
        "/%c0%ae%c0%ae/x",
        "/agent/%2e%2e/state",
        "/agent/../../etc/passwd",
        "/files/%00",
    ):
        yield "GET " + shown(path), http("GET", path), {400, 404}, ""
    for target in ("state", "*x", "http://", "?", "#", "/a b", "/state#x", "/sta\xffte", "//\\x"):
        yield "target %r" % target, http("GET", target), {400, 404}, ""
    yield "a target of 100 KB", http("GET", "/" + "a" * 100000), {400, 414, 431}, ""
    for method in ("GET", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO", "post"):
        for path in (SCHEDULER, OPERATOR):
            yield "%s %s" % (method, path), http(method, path, {"type": "GET_HEALTH"}), {400, 405, 501}, "post|method"
    for method in ("POST", "PUT", "DELETE", "PATCH"):
        for path in ("/state", "/version", "/tasks", "/slaves"):
            yield "%s %s" % (method, path), http(method, path, {}), {405}, "get|method"
    yield "GET /master/teardown", http("GET", "/master/teardown"), {405}, "post|method"
    for kind in (
        None,
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/JSON5",
        "json",
        "",
        ";",
        "a/b" * 3000,
        "application/recordio",
        "application/x-protobuffer",
        "\xff",
    ):
        wanted = {400} if kind is None else {400, 415}
        if kind in ("text/plain", "application/x-www-form-urlencoded", "application/recordio"):
            wanted = {415}
        for path in (SCHEDULER, OPERATOR):
            yield "%s with Content-Type %s" % (path, shown(kind)), http(
                "POST", path, {"type": "GET_HEALTH"}, {"Content-Type": kind}
            ), wanted, ""


def queries():
    """Query parameters and forms that make no sense."""
    for query in (
        "limit=abc",
        "limit=-5",
        "limit=1.5",
        "limit=1e3",
        "limit=99999999999999999999",
        "limit=",
        "offset=-1",
        "offset=x",
        "offset=99999999999999999999",
        "order=sideways",
        "limit=%zz",
        "limit=%00",
        "%ff=1",
    ):
        yield "/tasks?" + query, http("GET", "/tasks?" + query), BAD, ""
    yield "2,000 parameters", http("GET", "/tasks?" + "&".join("a%d=1" % n for n in range(2000))), {400, 414}, ""
    log = "path=/master/log&"
    for query in (
        "",
        "path",
        "path=",
        "offset=0",
        log + "offset=x",
        log + "offset=-2",
        log + "offset=1.5",
        log + "length=x&offset=0",
        log + "length=-2&offset=0",
        log + "offset=99999999999999999999&length=1",
        log + "offset=0&length=99999999999999999999",
        "path=%00",
        "path=%zz",
    ):
        yield "/files/read?" + query, http("GET", "/files/read?" + query), (
            {400, 404} if query.startswith("path=%") else BAD
        ), ""
    for path in (
        "/etc/passwd",
        "etc/passwd",
        "../../etc/passwd",
        "/master/log/../../../etc/passwd",
        "/master/../etc/passwd",
        "%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/master/log%00.txt",
        "/master/log/",
        "/master/log/x",
        "/proc/self/environ",
        "/master",
        "/",
        ".",
        "..",
        "//etc/passwd",
        "/nothing",
        "x" * 5000,
        "%F0%9F%9A%80",
    ):
        for name in ("read", "browse"):
            # A directory above the log may be listed, as Mesos does; it is not read.
            if name == "browse" and path in ("/", "/master", "/master/log/"):
                continue
            yield "/files/%s of %s" % (name, shown(path)), http("GET", "/files/%s?path=%s&offset=0" % (name, path)), {
                400,
                403,
                404,
            }, ""
    for body in (
        b"",
        b"x",
        b"frameworkId",
        b"frameworkId=",
        b"frameworkId=nobody",
        b"frameworkId=%zz",
        b"frameworkId=%00",
        b"frameworkId=a%2fb",
        b"framework_id=x",
        b'{"frameworkId":"x"}',
        b"\xff\xfe",
        b"&&&&",
        b"frameworkId=a&frameworkId=b",
    ):
        yield "teardown of %s" % shown(body), http("POST", "/master/teardown", body, {"Content-Type": None}), {
            400,
            404,
        }, ""


def oversize():
    """More than the limit of 5 MiB, told, untold, or only promised."""
    for path in (SCHEDULER, OPERATOR, "/master/teardown"):
        body = b'{"type":"GET_HEALTH","x":"' + b"x" * LIMIT + b'"}'
        yield "%s with 5 MiB and more" % path, http("POST", path, body), {413}, "limit|larger|longer|bytes"
        for length in (LIMIT + 1, 10**10, (1 << 63) - 1):
            yield "%s promising %d bytes" % (path, length), http("POST", path, b"", {"Content-Length": str(length)}), {
                413
            }, "limit|larger|longer|bytes"
        chunk = b"100000\r\n" + b"x" * (1 << 20) + b"\r\n"
        yield "%s with 6 MiB in chunks" % path, http(
            "POST", path, chunk * 6 + b"0\r\n\r\n", {"Transfer-Encoding": "chunked"}, length=False
        ), {413}, ""
    body = frames.message((2, 1), (3, b"x" * LIMIT))
    yield "protobuf of 5 MiB and more", http("POST", SCHEDULER, body, {"Content-Type": PROTOBUF}), {413}, ""


def broken_http():
    """What is not HTTP, or HTTP that could be read in two ways."""
    body = b'{"type":"GET_HEALTH"}'
    for value in ("abc", "-1", "+21", "0x15", "21, 22", "99999999999999999999999", "2 1", "21abc"):
        yield "Content-Length %s" % value, http("POST", OPERATOR, body, {"Content-Length": value}), {400, 413}, ""
    head = b"POST /api/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    yield "two Content-Lengths", head + b"Content-Length: 21\r\nContent-Length: 5\r\n\r\n" + body, BAD, ""
    yield "Content-Length and chunks", head + b"Content-Length: 21\r\nTransfer-Encoding: chunked\r\n\r\n15\r\n" + body + b"\r\n0\r\n\r\n", BAD, ""
    for value in ("xchunked", "chunked, gzip", "identity, x"):
        yield "Transfer-Encoding %s" % value, head + b"Transfer-Encoding: " + value.encode() + b"\r\n\r\n0\r\n\r\n", {
            400,
            501,
        }, ""
    chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
    for name, rest in (
        ("zz", b"zz\r\n"),
        ("-1", b"-1\r\n"),
        ("2^64", b"10000000000000000\r\nx"),
        ("20 digits", b"f" * 20 + b"\r\nx"),
        ("nothing", b"\r\nx"),
        ("a chunk longer than it says", b"2\r\nabcdef\r\n0\r\n\r\n"),
        ("0x5", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ):
        yield "a chunk size of " + name, chunked + rest, {400, 413}, ""
    get = b"GET /version HTTP/1.1\r\nHost: x\r\n"
    for name, lines in (
        ("without colon", b"Nonsense\r\n"),
        ("with a space in its name", b"A B: c\r\n"),
        ("with a space before the colon", b"Ab : c\r\n"),
        ("with NUL", b"A: b\0c\r\n"),
        ("with a bare CR", b"A: b\rc\r\n"),
        ("without a name", b": c\r\n"),
        ("with a bracket in its name", b"A(b): c\r\n"),
    ):
        yield "a header " + name, get + lines + b"\r\n", BAD, ""
    yield "a header of 100 KB", get + b"A: " + b"x" * 100000 + b"\r\n\r\n", {400, 431}, ""
    yield "a header name of 100 KB", get + b"x" * 100000 + b": y\r\n\r\n", {400, 431}, ""
    yield "2,000 headers", get + b"".join(b"A%d: b\r\n" % n for n in range(2000)) + b"\r\n", {400, 431}, ""
    yield "no Host", b"GET /version HTTP/1.1\r\n\r\n", BAD, "host"
    yield "two Hosts", b"GET /version HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", BAD, "host"
    for line in (
        b"GET /version HTTP/9.9",
        b"GET /version HTTP/1.x",
        b"GET /version HTTPS/1.1",
        b"GET  /version",
        b"/version",
        b"GET /version HTTP/1.1 x",
    ):
        yield "request line %r" % line.decode(), line + b"\r\nHost: x\r\n\r\n", {400, 505, CLOSED}, ""
    yield "an HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0", {400, 405, 505, CLOSED}, ""
    yield "a TLS hello", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03" + bytes(range(160)), {400, CLOSED}, ""
    yield "zeros", b"\0" * 1000 + b"\r\n\r\n", {400, CLOSED}, ""
    source = random.Random(21)
    for number in range(10):
        noise = bytes(source.randrange(256) for _ in range(300)) + b"\r\n\r\n"
        yield "noise %d" % number, noise, {400, CLOSED}, ""
    yield "CONNECT", b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", {400, 404, 405, 501}, ""
