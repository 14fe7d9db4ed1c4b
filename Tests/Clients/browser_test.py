"""The browser that drives the console, tried on pages of its own: it must see what is wrong, or its tests prove nothing.

    python3 Tests/Clients/browser_test.py [WORD ...]
"""

import http.server
import os
import re
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import zlib

from browser import Browser
from devtools import chromium
from harness import Failed, Skipped, at_end, check, equal, main, test

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'"
FORM = b"""<!doctype html><title>form</title><h1>Form</h1>
<form action=/sent><label>Name <input name=name></label><label><input type=checkbox name=box value=on>Box</label>
<select name=one><option value=a>alpha<option value=b>beta</select><button>Send</button></form>
<p id=live></p><script src=/live.js></script>"""
PAGES = {
    "/": ("text/html", FORM),
    "/live.js": ("text/javascript", b"setTimeout(() => document.getElementById('live').textContent = 'awake', 300);"),
    "/sent": ("text/html", b"<!doctype html><title>sent</title><h1>Sent</h1>"),
    "/inline": ("text/html", b"<!doctype html><body><script>document.title = 'ran'</script>"),
    "/throws": ("text/html", b"<!doctype html><body><script src=/throws.js></script>"),
    "/throws.js": ("text/javascript", b"null.x;"),
    "/alert": ("text/html", b"<!doctype html><body>before<script src=/alert.js></script>"),
    "/alert.js": ("text/javascript", b"setTimeout(() => alert(7), 50);"),
    "/lost": ("text/html", b"<!doctype html><body>lost<script src=/nothing.js></script>"),
    "/elsewhere": ("text/html", b"<!doctype html><body><img src=http://127.0.0.1:1/x.png>"),
    "/keys": ("text/html", b"<!doctype html><pre id=log></pre><script src=/keys.js></script>"),
    "/keys.js": ("text/javascript", b"""addEventListener("keydown", e => document.getElementById("log").textContent +=
        (e.ctrlKey ? "C-" : "") + (e.isTrusted ? "" : "!") + e.key + " ")"""),
}
started = {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.split("?")[0]
        kind, body = PAGES.get(path, ("text/plain", b"nothing here"))
        self.send_response(200 if path in PAGES else 404)
        self.send_header("Content-Type", kind + "; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Content-Security-Policy", POLICY)
        self.send_header("Set-Cookie", "seen=yes; Path=/; HttpOnly")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def serve(context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    at_end(server.shutdown)
    return "%s://127.0.0.1:%d" % ("https" if context else "http", server.server_address[1])


def browser():
    """One browser for all of these tests, and the address of the pages."""
    if not chromium():
        raise Skipped("there is no chromium")
    if not started:
        started.update(browser=Browser(), address=serve())
        at_end(lambda: started.pop("browser").stop())
    return started["browser"], started["address"]


@test
def acting():
    """a form is filled with real clicks and keys and sent, and what a script shows later is waited for"""
    one, address = browser()
    page = one.page()
    page.open(address + "/")
    equal(page.text("h1"), "Form", "heading")
    page.wait_text("awake", "#live")
    page.type("input[name=name]", "Zoë & <co> 🙂")
    page.press("Tab", "Space", "Tab")
    page.select("select", "b")
    page.click("button", "Send")
    page.wait_path("/sent")
    wanted = "name=Zo%C3%AB+%26+%3Cco%3E+%F0%9F%99%82&box=on&one=b"
    equal(page.url.split("?")[1], wanted, "what was sent")
    page.open(address + "/keys")
    page.press("a", "Enter", "Control+c", "Shift+Tab", "ArrowUp")
    equal(page.text("#log").split(), ["a", "Enter", "C-c", "Tab", "ArrowUp"], "keys")
    page.expected.append("favicon")
    page.well()
    page.close()


@test
def covered():
    """what is not there, not shown or covered cannot be clicked"""
    one, address = browser()
    page = one.page()
    page.open(address + "/")
    page.evaluate("document.body.append(Object.assign(document.createElement('div'), {id: 'over'})),"
                  "document.getElementById('over').style.cssText = 'position:fixed;inset:0'")
    for selector, words in (("#nothing", "is not there"), ("h1", "is covered by"), ("#live script", "is not there")):
        try:
            page.click(selector, seconds=0.2)
        except Failed as refusal:
            check(words in str(refusal), "refused otherwise:", refusal)
        else:
            raise Failed("%s was clicked" % selector)
    page.close()


@test
def noticing():
    """scripts that fail or are forbidden, dialogs, and answers that are missing are all problems"""
    one, address = browser()
    for path, words in (
        ("/inline", "Content Security Policy|content security policy"),
        ("/throws", "TypeError"),
        ("/alert", "dialog: 7"),
        ("/lost", "answer 404"),
        ("/elsewhere", "img-src|default-src|csp"),
    ):
        page = one.page()
        page.expected.append("favicon")
        page.open(address + path)
        page.wait(lambda: page.problems, 3, "problem at " + path)
        try:
            page.well()
        except Failed as refusal:
            check(re.search(words, str(refusal)), path, "has other problems:", refusal)
        else:
            raise Failed("%s is well" % path)
        check(page.evaluate("document.title") != "ran", "a forbidden script ran")
        page.close()


@test
def without_scripts():
    """with JavaScript off no script runs, and the page can still be read and asked"""
    one, address = browser()
    page = one.page(scripts=False)
    page.open(address + "/")
    page.type("input[name=name]", "plain")
    page.press("Enter")
    page.wait_path("/sent")
    page.open(address + "/throws")
    page.expected.append("favicon")
    page.well()
    page.close()


@test
def measuring():
    """bytes on the wire, the first paint, pictures of a size, cookies apart, light and dark"""
    one, address = browser()
    page = one.page(size=(400, 300), scheme="dark")
    page.forget_traffic()
    page.open(address + "/")
    page.wait_text("awake", "#live")
    sizes = {each["url"].rpartition("/")[2]: each["bytes"] for each in page.traffic()}
    for name in ("", "live.js"):
        body = len(PAGES["/" + name][1])
        check(body < sizes[name] < body + 600, "bytes of /%s: %s for a body of %d" % (name, sizes[name], body))
    times = page.timing()
    check(0 < times["contentful"] < 5000 and times["paint"] <= times["contentful"], "times:", times)
    picture = page.screenshot()
    equal(struct.unpack(">II", picture[16:24]), (400, 300), "size of the picture")
    check(zlib.crc32(picture) and picture[:4] == b"\x89PNG", "no picture")
    dark = "matchMedia('(prefers-color-scheme: dark)').matches"
    equal(page.evaluate(dark), True, "dark")
    page.look(scheme="light")
    equal(page.evaluate(dark), False, "dark when it is light")
    equal([each["name"] for each in page.cookies()], ["seen"], "cookies")
    equal(one.page().cookies(), [], "cookies of another page")
    equal([each["value"] for each in one.page(beside=page).cookies()], ["yes"], "cookies of a page beside it")


@test
def certificates():
    """a certificate that nobody vouches for is taken"""
    one, _ = browser()
    folder = tempfile.mkdtemp(prefix="rondo-browser-tls-")
    key, certificate = os.path.join(folder, "key"), os.path.join(folder, "certificate")
    try:
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
             "-subj", "/CN=nobody", "-keyout", key, "-out", certificate], check=True, capture_output=True, timeout=30)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
    finally:
        for each in (key, certificate):
            if os.path.exists(each):
                os.remove(each)
        os.rmdir(folder)
    page = one.page()
    page.open(serve(context) + "/sent")
    equal(page.text("h1"), "Sent", "heading")
    page.close()


if __name__ == "__main__":
    main(limit=60)
