"""What nobody should send to the console: paths, queries, forms, cookies, methods and bytes, each with its answer."""

import os
import re
import socket
import time
import urllib.parse

from bad_request import CLOSED, http, shown
from console_world import world
from harness import Failed, check, equal, eventually, test
from wire import Wire, WireError

ANSWER_LIMIT = 1 << 20
# What the master may keep of it all.
GROWTH_LIMIT = 64 << 20
FORM = "application/x-www-form-urlencoded"
READ = {200, 400, 404}


def get(path, cookie=None, headers=None, method="GET"):
    fields = {"Content-Type": None, "Accept": "text/html"}
    if cookie:
        fields["Cookie"] = cookie
    fields.update(headers or {})
    return http(method, path, headers=fields)


def post(path, cookie, body, headers=None):
    if isinstance(body, dict):
        body = urllib.parse.urlencode(body)
    return http("POST", path, body, dict({"Content-Type": FORM, "Cookie": cookie}, **(headers or {})))


def paths(cookie):
    """Ways out of the console, and names of nothing."""
    for path in (
        "/ui/../state", "/ui/%2e%2e/state", "/ui/..%2fstate", "/ui/./nodes", "/ui/nodes%00", "/ui/%", "/ui/%zz", "/ui/%ff",
        "/ui/%c0%ae%c0%ae/state", "/ui/nodes/..", "/ui\\nodes", "/ui/assets/../../../etc/passwd",
        "/ui/assets/%2e%2e/%2e%2e/etc/passwd",
    ):
        yield "GET " + path, get(path, cookie), {400, 404}, ""
    for path in (
        "/ui/nope", "/ui/nodes/none", "/ui/nodes/none/more", "/ui/frameworks/none", "/ui/services/none", "/UI",
        "/ui/services/none/destroy", "/ui/services/%2f%2f%2f", "/ui/tasks/none", "/ui/tasks/a/b/c/d/e/f", "/ui/jobs/none",
        "/ui/jobs/a.b.c/d/e", "/ui/catalog/none", "/ui/catalog/none/install", "/ui/catalog/..%2f..%2fetc", "/uix",
        "/ui/membership/none", "/ui/audit/none", "/ui/assets/0/console.js", "/ui/assets/x/y/z", "/ui/login/x",
        "/ui/" + "x" * 3000, "/ui/nodes/" + "%41" * 1000, "/ui/tasks/" + "/".join("a" * 500), "/ui/services/%F0%9F%9A%80",
        "/ui/nodes/%3Cscript%3Ealert(1)%3C%2Fscript%3E", "/ui/frameworks/%E2%80%AE", "/ui/nodes/%27%22%3E",
        "/ui/catalog/%7B%7Bx%7D%7D", "/ui/tasks/%2e%2e%2f%2e%2e%2fstate",
    ):
        yield "GET " + shown(path), get(path, cookie), {400, 404, 414}, ""
    yield "GET /ui/ of 200 KB", get("/ui/" + "a" * 200_000, cookie), {400, 414, 431}, ""
    yield "empty segments", get("/ui//nodes//", cookie), READ, ""
    yield "a page as a file", get("/ui/nodes.json", cookie), {404}, ""


def queries(cookie):
    """Parameters of lists that make no sense are as if they were not there, or refused."""
    for query in (
        "page=0", "page=-1", "page=99999999999999999999", "page=x", "page=1e9", "page=", "page=1&page=2", "sort=nothing",
        "sort=%00", "sort=" + "x" * 5000, "desc=maybe", "q=%ff", "q=%zz", "q=%", "q=" + "a" * 7000, "q=%00", "q=%E2%80%AE",
        "q=%3Cscript%3Ewindow.hurt%3D1%3C%2Fscript%3E", "q=%22%20onfocus%3Dalert(1)%20autofocus%20x%3D%22", "q=(((((((((",
        "q=.*.*.*.*.*.*!", "state=%27%3B--", "state=" + "y" * 5000, "notice=%3Cb%3E", "notice=nothing", "=", "&&&&", "?", "q",
        "q=a;b=c", "&".join("a%d=%d" % (n, n) for n in range(500)), "&".join(["q=a"] * 1500),
    ):
        for path in ("/ui/tasks", "/ui/catalog"):
            yield "%s?%s" % (path, shown(query)), get("%s?%s" % (path, query), cookie), {200, 400, 414, 431}, ""
    for query in ("", "?topics=", "?topics=nothing", "?topics=%00", "?topics=" + "x," * 3000):
        yield "/ui/events" + shown(query), get("/ui/events" + query, cookie), {400, 414}, ""


def methods(cookie):
    """Methods that a path does not take."""
    for path in ("/ui", "/ui/nodes", "/ui/services", "/ui/tasks", "/ui/audit", "/ui/events", "/ui/login", "/ui/theme"):
        for method in ("PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"):
            yield "%s %s" % (method, path), get(path, cookie, method=method), {400, 405, 501}, ""
    for path in ("/ui", "/ui/nodes", "/ui/services", "/ui/audit", "/ui/events"):
        yield "POST " + path, post(path, cookie, {}), {405}, ""
    for path in ("/ui/logout", "/ui/theme"):
        yield "GET " + path, get(path, cookie), {405}, ""


def cookies(cookie):
    """Cookies that are no session are as none: a browser is led to log in, a program gets 401."""
    name, _, value = cookie.partition("=")
    for text in (
        "", name, name + "=", name + "=x", name + "=" + value[:-2], name + "=" + value + "x", name + "=" + "A" * 7000,
        name + "=a.b.c", name + "=..", name + '="', name + "=%00", name + "=\xff\xfe", "=" + value, ";" * 3000,
        "; ".join("a%d=b" % n for n in range(700)), name.upper() + "=" + value, name + " =" + value,
        name + "=" + value.split(".")[0] + "..", name + "=eyJhbGciOiJub25lIn0." + value.split(".")[1] + ".",
        "x=" + cookie, name + "=x; rondo=" + "y" * 2000,
    ):
        yield "cookie " + shown(text), get("/ui/nodes", text), {303, 400, 401, 431}, ""
        yield "cookie %s of a program" % shown(text), get("/ui/nodes", text, {"Accept": "*/*"}), {400, 401, 431}, ""
    yield "a cookie twice", get("/ui/nodes", name + "=x; " + cookie), {200, 303, 400, 401}, ""
    yield "a theme that is none", get("/ui", cookie + "; rondo-theme=%3Cscript%3E"), {200}, ""


def forms(cookie):
    """Forms that are too large, no forms, or whose fields are nonsense."""
    field, token = world.form_token("/ui", cookie)
    good = {field: token}
    for what, body, statuses in (
        ("nothing", b"", {400, 403}),
        ("no pairs", b"&&&&", {400, 403}),
        ("broken escapes", b"a=%zz&b=%", {400}),
        ("bytes that are no text", field.encode() + b"=" + b"\xff\xfe\x00", {400, 403}),
        ("escaped bytes that are no text", b"a=%ff%fe", {400, 403}),
        ("5,000 fields", "&".join("a%d=b" % n for n in range(5_000)).encode(), {400, 403, 413}),
        ("one name 5,000 times", b"&".join([b"a=b"] * 5_000), {400, 403, 413}),
        ("the token twice", urllib.parse.urlencode([(field, "x"), (field, token)]).encode(), {400, 403}),
        ("1 MiB", b"a=" + b"x" * (1 << 20), {413}),
        ("6 MiB", b"a=" + b"x" * (6 << 20), {413}),
        ("6 MiB of escapes", b"a=" + b"%41" * (2 << 20), {413}),
    ):
        for path in ("/ui/theme", "/ui/login"):
            yield "%s with %s" % (path, what), post(path, cookie, body), statuses, ""
    yield "a body of 10 GB that is promised", post("/ui/theme", cookie, b"", {"Content-Length": str(10**10)}), {413}, ""
    for theme in ("", "pink", "<script>", "x" * 10_000, "dark\r\nSet-Cookie: a=b"):
        yield "theme " + shown(theme), post("/ui/theme", cookie, dict(good, theme=theme)), {400}, ""
    for place in ("https://evil.example", "//evil.example", "/ui\r\nX: y", "/ui/" + "x" * 9000):
        yield "theme and go to " + shown(place), post("/ui/theme", cookie, dict(good, theme="dark", to=place)), {303}, ""
    refusals = {400, 403, 404, 405, 409, 413, 415, 422}
    for path in (
        "/ui/services/none/scale", "/ui/services/none/destroy", "/ui/services/none/nothing", "/ui/tasks/none/kill",
        "/ui/jobs/none/run", "/ui/jobs/none/remove", "/ui/catalog/none/install", "/ui/catalog/teller/nothing",
        "/ui/membership/none", "/ui/audit", "/ui/catalog/repositories/none/remove",
    ):
        yield "POST " + path, post(path, cookie, good), refusals, ""
    deep = "[" * 20_000 + "]" * 20_000
    nested = '{"service":' * 3000 + "1" + "}" * 3000
    for what, text in (
        ("deep lists", deep), ("deep objects", nested), ("no JSON", "{"), ("a list", "[]"), ("a number", "1e999"),
        ("a string", '"x"'), ("NUL", "\0"), ("half of a pair", '"\\ud800"'), ("many fields", "{%s}" % ",".join(
            '"a%d":1' % n for n in range(20_000))),
    ):
        for name in ("options", "json"):
            yield "options that are %s as %s" % (what, name), post(
                "/ui/catalog/teller/install", cookie, dict(good, **{name: text})), {200} | refusals, ""
    for name, text in (("service.mem", "x"), ("service.mem", "9" * 400), ("service.nothing", "1"), ("service.name", "A B"),
                       ("service", "{"), ("", "x"), ("a" * 5000, "x"), ("service.mem.more", "1"), ("__proto__", "1")):
        yield "the option %s = %s" % (shown(name), shown(text)), post(
            "/ui/catalog/teller/install", cookie, dict(good, **{name: text, "options/" + name: text})), {200} | refusals, ""


def broken(cookie):
    """What is hardly HTTP."""
    yield "no host", b"GET /ui HTTP/1.1\r\n\r\n", {400}, ""
    yield "another host", get("/ui/nodes", cookie, {"Host": "evil.example"}), {200, 303, 400, 401, 403, 421}, ""
    yield "a host of markup", get("/ui/nodes", cookie, {"Host": "<script>"}), {200, 400, 401, 403}, ""
    yield "lengths that differ", post("/ui/theme", cookie, b"a=b", {"Content-Length": "3, 4"}), {400}, ""
    yield "a length and chunks", post(
        "/ui/theme", cookie, b"0\r\n\r\n", {"Content-Length": "5", "Transfer-Encoding": "chunked"}), {400}, ""
    yield "a fragment of nothing", get("/ui/nothing", cookie, {"Rondo-Fragment": "1"}), {404}, ""
    yield "a fragment of much", get("/ui/nodes", cookie, {"Rondo-Fragment": "x" * 5000}), {200, 400, 431}, ""
    yield "a range", get("/ui/nodes", cookie, {"Range": "bytes=5-1,0-,9999999999999999999-"}), {200, 400, 416}, ""
    yield "an answer of no type", get("/ui/nodes", cookie, {"Accept": "x" * 5000}), {200, 400, 406, 431}, ""
    yield "an upgrade", get("/ui/nodes", cookie, {"Upgrade": "websocket", "Connection": "Upgrade"}), {200, 400, 426}, ""
    yield "noise", bytes(range(256)) + b"\r\n\r\n", {400, CLOSED}, ""


def judge(sent, statuses):
    """Sends one case on a connection of its own, and says what is wrong with the answer, or None."""
    wire = Wire(world.connect())
    try:
        try:
            wire.send(sent)
        except OSError:
            pass  # It may refuse before all is sent; its answer is still to be read.
        try:
            answer = wire.response(8)
        except socket.timeout:
            return "no answer in time"
        except (OSError, WireError) as error:
            return None if CLOSED in statuses else "no answer: %s" % error
    finally:
        wire.close()
    if answer.status not in statuses:
        return "answered %s %r, wanted %s" % (answer.status, answer.text[-120:], "/".join(sorted(map(str, statuses))))
    if len(answer.body) > ANSWER_LIMIT:
        return "the answer has %d bytes" % len(answer.body)
    if re.search(r"\.swift\b|Fatal error|0x[0-9a-f]{8}|Optional\(", answer.text):
        return "the answer shows the program's inside"
    if re.search(r"<script>|\" onfocus=alert|\"'>", answer.text):
        return "what was sent came back as markup: %r" % re.search(r".{30}(<script>|onfocus=alert)", answer.text)
    for name, value in answer.headers.items():
        if name == "x" or "evil" in value:
            return "a header came out of what was sent: %s: %s" % (name, value)
    return None


def memory():
    """The node's resident bytes."""
    with open("/proc/%d/status" % world.node.process.pid) as file:
        return int(re.search(r"VmRSS:\s+(\d+)", file.read()).group(1)) << 10


@test
def bad_requests():
    """Every bad request to the console is answered in time, bounded, without echo, and the master lives on"""
    cookie = world.session("ada", "127.0.9.30")
    before, began = memory(), time.monotonic()
    wrong, count = [], 0
    for table in (paths, queries, methods, cookies, forms, broken):
        for name, sent, statuses, _ in table(cookie):
            count += 1
            try:
                problem = judge(sent, statuses)
            except ConnectionRefusedError:
                raise Failed("the master is gone after %d cases; the last was %s" % (count, name))
            if problem:
                wrong.append("%s: %s" % (name, problem))
                if len(wrong) <= 12:
                    print("bad   %s: %s" % (name, problem))
    print("      %d bad requests in %.1f s, %d answered wrongly" % (count, time.monotonic() - began, len(wrong)))
    check(count >= 100, "only", count, "cases")
    equal(world.ask("GET", "/ui/nodes", cookie=cookie, headers={"Accept": "text/html"}).status, 200, "a page afterwards")
    eventually(lambda: memory() - before < GROWTH_LIMIT, 10, "memory that is bounded (%d MiB more)" % (
        memory() - before >> 20))
    check(not wrong, len(wrong), "of", count, "answered wrongly:", "; ".join(wrong[:5]))


@test
def followers():
    """Streams of pages that are cut leave nothing behind, and there are only so many of them"""
    cookie = world.session("ada", "127.0.9.31")
    request = get("/ui/events?topics=tasks,services", cookie, {"Accept": "text/event-stream"})

    def open_files():
        return len(os.listdir("/proc/%d/fd" % world.node.process.pid))

    before, wires, statuses = open_files(), [], []
    try:
        for _ in range(270):
            wire = Wire(world.connect())
            wires.append(wire)
            wire.send(request)
            statuses.append(wire.head(8)[0])
    finally:
        for each in wires:
            each.close()
    check(statuses[0] == 200 and set(statuses) <= {200, 503} and 503 in statuses, "statuses", statuses[-3:])
    eventually(lambda: open_files() <= before + 8, 20, "as many open files as before (%d)" % before)
    equal(world.ask("GET", "/ui", cookie=cookie, headers={"Accept": "text/html"}).status, 200, "a page afterwards")
