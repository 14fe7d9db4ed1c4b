"""Who gets into the console, and what pages and forms refuse."""

import base64
import re

from console_world import world
from harness import check, equal, test, within

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
PAGES = [
    "/ui", "/ui/nodes", "/ui/frameworks", "/ui/services", "/ui/tasks", "/ui/jobs", "/ui/catalog", "/ui/membership",
    "/ui/audit",
]
HTML = {"Accept": "text/html"}


@test
def entering():
    """A wrong password is refused with words, the right one enters, and who logs out is out: the old cookie is refused"""
    page = world.browser.page()
    page.open(world.url + "/ui/nodes")
    page.wait_path("/ui/login")
    page.well("the page to log in")
    check(not page.count("nav.side a"), "a stranger sees the navigation")
    page.type("input[name=user]", "ada")
    page.type("input[name=password]", "wrong")
    page.press("Enter")
    page.wait_text("wrong", "[role=alert], .message")
    page.expected.append("40[13]")
    equal(page.value("input[name=password]"), "", "the password after a refusal")
    page.type("input[name=user]", "ada")
    page.type("input[name=password]", "password-of-ada")
    page.click("form.login button")
    page.wait_path("/ui/nodes$")
    page.wait_for("nav.side a")
    page.well("the page after logging in")
    cookies = [each for each in page.cookies() if "auth" in each["name"]]
    equal([(each["httpOnly"], each["secure"], each["sameSite"]) for each in cookies], [(True, True, "Strict")], "cookie")
    cookie = "%s=%s" % (cookies[0]["name"], cookies[0]["value"])
    equal(world.ask("GET", "/ui/nodes", headers=HTML, cookie=cookie).status, 200, "status with the cookie")
    page.click("form[action='/ui/logout'] button")
    page.wait_path("/ui/login")
    page.wait_for("input[name=password]")
    for path in ("/ui/nodes", "/state", "/ui/events?topics=nodes"):
        status = world.ask("GET", path, cookie=cookie).status
        equal(status, 401, "status of %s with the cookie of a session that was ended" % path)
    page.open(world.url + "/ui/tasks")
    page.wait_path("/ui/login")
    page.well("the page after logging out")
    page.close()


@test
def guessing():
    """Who guesses passwords has to wait, and is told so; another place is not kept out"""
    field, token = world.form_token("/ui/login")
    seen = []
    for number in range(14):
        answer = world.ask(
            "POST", "/ui/login", {field: token, "user": "gus", "password": "guess-%d" % number}, source="127.0.9.1")
        seen.append(answer.status)
        check("<form" in answer.text and "guess-" not in answer.text, "a refusal without a form, or with the password")
    check(set(seen) == {401, 429} and seen == sorted(seen), "statuses of guesses:", seen)
    check(re.search("wait|too many|attempt", answer.text, re.I), "what the last one says:", answer.text[-600:])
    check(world.session("olaf", source="127.0.9.2"), "another user from another place")
    # Names that are no names are refused as wrong passwords are.
    for name in ("", "x" * 5000, "a\0b", "<script>", "ada'--", "\u202eada"):
        answer = world.ask("POST", "/ui/login", {field: token, "user": name, "password": "x"}, source="127.0.9.3")
        check(answer.status in (400, 401), "status for the user %r: %d" % (name[:20], answer.status))
        check("<script>" not in answer.text, "the name came back as it is")


@test
def forged():
    """Forms without a token, with another session's, from another site or of another type are refused"""
    mine, other = world.session("ada", "127.0.9.4"), world.session("olaf", "127.0.9.5")
    field, token = world.form_token("/ui", mine)
    _, others = world.form_token("/ui", other)
    _, strangers = world.form_token("/ui/login")
    good = {field: token, "theme": "dark", "to": "/ui"}
    equal(world.ask("POST", "/ui/theme", good, cookie=mine).status, 303, "status with its own token")
    wrong = []
    for what, fields, headers, status in (
        ("no token", {"theme": "dark"}, {}, 403),
        ("an empty token", dict(good, **{field: ""}), {}, 403),
        ("another session's", dict(good, **{field: others}), {}, 403),
        ("a stranger's", dict(good, **{field: strangers}), {}, 403),
        ("half of it", dict(good, **{field: token[:24]}), {}, 403),
        ("more than it", dict(good, **{field: token + "0"}), {}, 403),
        ("a foreign origin", good, {"Origin": "https://evil.example"}, 403),
        ("an origin on another port", good, {"Origin": "https://127.0.0.1:1"}, 403),
        ("no origin at all", good, {"Origin": "null"}, 403),
        ("another site", good, {"Sec-Fetch-Site": "cross-site"}, 403),
        ("a neighbour", good, {"Sec-Fetch-Site": "same-site"}, 403),
        ("a bookmark", good, {"Sec-Fetch-Site": "none"}, 403),
        ("text", good, {"Content-Type": "text/plain"}, 415),
        ("JSON", good, {"Content-Type": "application/json"}, 415),
        ("multipart", good, {"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ):
        for path in ("/ui/theme", "/ui/logout", "/ui/login"):
            sent = fields if path != "/ui/login" else dict(fields, user="ada", password="password-of-ada")
            answer = world.ask("POST", path, sent, headers, cookie=mine, source="127.0.9.6")
            if answer.status != status:
                wrong.append("%s with %s: %d" % (path, what, answer.status))
    equal(world.ask("GET", "/ui", headers=HTML, cookie=mine).status, 200, "the session after all of it")
    for path in ("/ui/logout", "/ui/theme"):
        if world.ask("GET", path, cookie=mine).status != 405:
            wrong.append("GET " + path)
    check(not wrong, "; ".join(wrong))


@test
def headers():
    """Every page has the same policy, word by word, and is kept nowhere; only the console's own files are"""
    cookie = world.session("ada", "127.0.9.7")
    for path in PAGES + ["/ui/login", "/ui/nothing", "/ui/nodes/nothing", "/ui/tasks/nothing"]:
        answer = world.ask("GET", path, headers=HTML, cookie=cookie)
        if answer.status == 303:
            continue
        found = answer.headers
        equal(found.get("content-security-policy"), POLICY, "policy of " + path)
        within([
            (found.get("x-content-type-options") == "nosniff", "X-Content-Type-Options"),
            (found.get("cache-control") == "no-store", "Cache-Control"),
            (found.get("referrer-policy") == "same-origin", "Referrer-Policy"),
            (found.get("content-type") == "text/html; charset=utf-8", "Content-Type"),
            ("style=" not in answer.text and "<script>" not in answer.text, "inline styles or scripts"),
            (not re.search(r'(src|href)="(https?:)?//', answer.text), "an address elsewhere"),
        ], "headers of %s: %s" % (path, found))
        for asset in set(re.findall(r'/ui/assets/[0-9a-f]+/[a-z.]+', answer.text)):
            file = world.ask("GET", asset)
            equal(file.status, 200, "status of " + asset)
            check("immutable" in file.headers["cache-control"], "cache of " + asset, file.headers)
            equal(file.headers.get("x-content-type-options"), "nosniff", "sniffing of " + asset)
            again = world.ask("GET", asset, headers={"If-None-Match": file.headers["etag"]})
            equal((again.status, again.body), (304, b""), "the same file again")


@test
def rights():
    """Who may only look sees no button to change anything, and is refused when a form is sent all the same"""
    world.deploy({"id": "/stays", "cmd": "sleep 1000", "cpus": 0.05, "mem": 16})
    world.running("stays")
    task = world.node.call("GET", "/v2/apps/stays/tasks")[1]["tasks"][0]["id"]
    cookie, chief = world.session("vera", "127.0.9.8"), world.session("ada", "127.0.9.8")
    field, token = world.form_token("/ui", cookie)
    page = world.enter("vera")
    check(not page.count("nav.side a[href='/ui/audit']"), "a viewer is shown the way to the audit log")
    refused, shown = [], []
    for path in ("/ui", "/ui/nodes", "/ui/services", "/ui/services/stays", "/ui/tasks", "/ui/jobs", "/ui/catalog",
                 "/ui/membership"):
        page.open(world.url + path)
        shown += [
            "%s on %s" % (each, path) for each in page.evaluate("""[...document.querySelectorAll("main form[method=post] button, main .danger")]
              .map(e => e.textContent)""")]
    page.expected.append("403")
    page.open(world.url + "/ui/audit")
    page.wait_text("Not allowed")
    page.well("what a viewer sees")
    # The forms that somebody with more rights is shown, sent by one with fewer.
    for path, fields in (
        ("/ui/services/stays/scale", {"instances": "3"}),
        ("/ui/services/stays/restart", {}),
        ("/ui/services/stays/destroy", {}),
        ("/ui/services/stays/remove", {}),
        ("/ui/tasks/%s/kill" % task, {}),
        ("/ui/catalog/teller/install", {"step": "done"}),
        ("/ui/jobs/nothing/run", {}),
    ):
        answer = world.ask("POST", path, dict(fields, **{field: token}), cookie=cookie)
        if answer.status not in (401, 403, 404, 405):
            refused.append("%s: %d %s" % (path, answer.status, answer.headers.get("location")))
    check(not refused, "not refused to a viewer:", "; ".join(refused))
    equal(world.ask("GET", "/ui/audit", headers=HTML, cookie=cookie).status, 403, "status of the audit for a viewer")
    equal(world.ask("GET", "/ui/audit", headers=HTML, cookie=chief).status, 200, "status of the audit for its reader")
    app = world.node.call("GET", "/v2/apps/stays")[1]["app"]
    equal((app["instances"], app["tasksRunning"]), (1, 1), "the service that was not to be changed")
    page.close()
    world.remove("stays")
    check(not shown, "a viewer is shown", "; ".join(shown[:6]))


@test
def elsewhere():
    """After logging in one comes to a page of the console and nowhere else"""
    field, token = world.form_token("/ui/login")
    for place, wanted in (
        ("/ui/nodes?q=a", "/ui/nodes?q=a"), ("https://evil.example/", "/ui"), ("//evil.example/ui", "/ui"),
        ("/\\evil.example", "/ui"), ("/ui/../state", "/ui"), ("/ui\r\nSet-Cookie: a=b", "/ui"), ("/uix", "/ui"),
        ("javascript:alert(1)", "/ui"), ("/ui/%0d%0aX: y", None), ("/ui/" + "x" * 5000, "/ui"),
    ):
        fields = {field: token, "user": "ada", "password": "password-of-ada", "next": place}
        answer = world.ask("POST", "/ui/login", fields, source="127.0.9.%d" % (20 + len(place) % 7))
        found = answer.headers.get("location", "")
        equal(answer.status, 303, "status with the place %r" % place[:40])
        check(re.match("/ui($|[/?])", found) and "\n" not in found, "leads to %r" % found)
        if wanted:
            equal(found, wanted, "where %r leads" % place[:40])


@test
def written():
    """Logins, refusals and what was done in the console are in the audit log, without passwords"""
    cookie = world.session("ada", "127.0.9.9")
    text = world.ask("GET", "/ui/audit", headers=HTML, cookie=cookie).text
    check("login" in text and "user:ada" in text, "no login in", text[-1500:])
    entries = world.ask("GET", "/rondo/v1/audit", cookie=cookie).text
    check("user:ada" in entries, "no login in", entries[-1500:])
    for secret in ("password-of-", "guess-", base64.b64encode(b"password-of-ada").decode()):
        check(secret not in entries and secret not in text, "the audit log has a password")
