"""What the tests of the console share: a secured node of its own with services, jobs and packages, users, and a browser."""

import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from browser import Browser  # noqa: E402
from harness import Failed, at_end, check, equal, eventually  # noqa: E402
from local_node import LocalNode  # noqa: E402
from wire import Response  # noqa: E402

# What people and programs could put into names and descriptions. Each must be shown as it is and do nothing.
SCRIPT = '"><script>window.hurt = 1</script><img src=x onerror="window.hurt = 2">'
RIGHT_TO_LEFT = "\u202eevil\u202c \u05e9\u05dc\u05d5\u05dd <marquee>"
LONG = "long<blink>" + "x" * 10_000
# Elements that no page has, and that such data would make.
FOREIGN = ("script:not([src]), img[src=x], [onerror], [onclick], [onload], [onfocus], a[href^='javascript:' i], iframe, object, "
           "embed, marquee, blink, tt")
SCHEMA = {
    "$schema": "http://json-schema.org/schema#",
    "type": "object",
    "description": "What it says.",
    "properties": {
        "service": {
            "type": "object",
            "description": "The service " + SCRIPT,
            "properties": {
                "name": {"type": "string", "default": "teller", "description": "Its name", "pattern": "^[a-z/-]+$"},
                "text": {"type": "string", "default": "it's <fine> & \\", "description": RIGHT_TO_LEFT},
                "mem": {"type": "integer", "minimum": 8, "maximum": 512, "default": 16},
                "instances": {"type": "integer", "minimum": 0, "default": 1},
                "loud": {"type": "boolean", "default": False, "description": "Says it in capitals."},
                "tone": {"type": "string", "enum": ["low", "high", "<tt>odd</tt>"], "default": "low"},
            },
            "required": ["name", "mem"],
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}
TEMPLATE = """{
  "id": "{{service.name}}", "cpus": 0.05, "mem": {{service.mem}}, "instances": {{service.instances}},
  "cmd": "while true; do echo \\"telling $TEXT $TONE\\"; sleep 0.5; done",
  "env": {"TEXT": "{{service.text}}", "TONE": "{{service.tone}}{{#service.loud}}-loud{{/service.loud}}"},
  "container": {"type": "MESOS", "docker": {"image": "bb:1"}},
  "healthChecks": [{"protocol": "COMMAND", "command": {"value": "true"}, "intervalSeconds": 1, "gracePeriodSeconds": 5}]
}
"""


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))


class World:
    """Made once, by `create`."""

    def create(self, rondo):
        self.rondo = rondo
        self.work = tempfile.mkdtemp(prefix="rondo-console-")
        at_end(lambda: shutil.rmtree(self.work, ignore_errors=True))
        self.node = LocalNode(
            rondo, os.path.join(self.work, "node"), "--hostname", "desk", "--attributes", "kind:<tt>bold</tt>")
        self.image()
        self.node.start()
        at_end(self.node.end)
        self.port = int(self.node.command[self.node.command.index("--master-port") + 1])
        self.address = "127.0.0.1:%d" % self.port
        self.url = "https://" + self.address
        self.tls = ssl.create_default_context()
        self.tls.check_hostname, self.tls.verify_mode = False, ssl.CERT_NONE
        for name, role in (("ada", "administrator"), ("olaf", "operator"), ("vera", "viewer"),
                           ("gus", "viewer")):
            self.user(name, role)
        self.packages()
        self.browser = Browser()
        at_end(self.browser.stop)

    def image(self):
        """Puts an image with a shell into the node's store; there is no network."""
        root = os.path.join(self.work, "root")
        os.makedirs(os.path.join(root, "bin"))
        busybox = os.path.realpath(shutil.which("busybox") or "/bin/busybox")
        shutil.copy(busybox, os.path.join(root, "bin", "busybox"))
        for name in ("sh", "sleep", "echo", "true", "cat", "ls", "hostname", "id"):
            os.symlink("busybox", os.path.join(root, "bin", name))
        subprocess.run(
            [self.rondo, "image", "build-from-rootfs", root, "--as", "bb:1", "--data", self.node.data],
            check=True, capture_output=True, timeout=60)

    def packages(self):
        tree = os.path.join(self.work, "tree")
        for name, number, version, more in (
            ("teller", 0, "1.0", {}),
            ("teller", 1, "1.1", {}),
            ("hostile", 0, '1"><script>window.hurt = 3</script>', {
                "description": SCRIPT + RIGHT_TO_LEFT + LONG, "maintainer": SCRIPT, "tags": ["a<b>"],
                "preInstallNotes": SCRIPT, "postInstallNotes": SCRIPT, "website": "javascript:window.hurt=4",
                "licenses": [{"name": SCRIPT, "url": "javascript:window.hurt=5"}]}),
        ):
            place = os.path.join(tree, "packages", name[0].upper(), name, str(number))
            package = {
                "packagingVersion": "4.0", "name": name, "version": version, "maintainer": "people@example.org",
                "description": "Tells something again and again.", "tags": ["talk"], "upgradesFrom": ["*"],
                "postInstallNotes": "It tells now."}
            package.update(more)
            write(os.path.join(place, "package.json"), package)
            write(os.path.join(place, "config.json"), SCHEMA)
            write(os.path.join(place, "resource.json"), {"images": {}})
            write(os.path.join(place, "marathon.json.mustache"), TEMPLATE)
        code, _, errors = self.node.run("catalog", "add", "folder", "file://" + tree)
        equal(code, 0, "exit of catalog add: " + errors)

    def user(self, name, role):
        status, text = self.node.call(
            "POST", "/rondo/v1/users", {"name": name, "password": "password-of-" + name, "roles": [role]}, base="")
        equal(status, 201, "status of making the user %s: %s" % (name, text))

    # ---- by HTTP

    def ask(self, method, path, body=None, headers=None, cookie=None, source=None):
        """One request over TLS; dicts are sent as a form."""
        headers = dict(headers or {})
        if isinstance(body, dict):
            body = urllib.parse.urlencode(body)
            headers.setdefault("Content-Type", "application/x-www-form-urlencoded")
        if cookie:
            headers["Cookie"] = cookie
        connection = http.client.HTTPSConnection(
            "127.0.0.1", self.port, timeout=20, context=self.tls, source_address=(source, 0) if source else None)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            fields = {}
            for name, value in answer.getheaders():
                fields[name.lower()] = value if name.lower() not in fields else fields[name.lower()] + "\n" + value
            return Response(answer.status, fields, answer.read())
        finally:
            connection.close()

    def connect(self):
        """A bare TLS connection, for what is no proper request."""
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        return self.tls.wrap_socket(plain, server_hostname="127.0.0.1")

    def form_token(self, page, cookie=None):
        """The token that the forms of a page carry."""
        text = self.ask("GET", page, cookie=cookie, headers={"Accept": "text/html"}).text
        for piece in text.split("<input")[1:]:
            piece = piece.split(">")[0]
            if 'type="hidden"' in piece and "token" in piece.split('name="')[1].split('"')[0]:
                return piece.split('name="')[1].split('"')[0], piece.split('value="')[1].split('"')[0]
        raise Failed("no form of %s has a token: %s" % (page, text[:300]))

    def session(self, name="ada", source=None, password=None):
        """Logs in as the page does; returns the cookie."""
        field, token = self.form_token("/ui/login")
        answer = self.ask(
            "POST", "/ui/login", {field: token, "user": name, "password": password or "password-of-" + name},
            source=source)
        equal(answer.status, 303, "status of a login: %s" % answer.text[:300])
        return answer.headers["set-cookie"].split(";")[0]

    # ---- by the browser

    def enter(self, name="ada", **how):
        """A page of somebody who has just logged in."""
        page = self.browser.page(**how)
        page.open(self.url + "/ui")
        page.type("input[name=user]", name)
        page.type("input[name=password]", "password-of-" + name)
        page.press("Enter")
        page.wait_path("/ui/?$")
        page.wait_for("nav.side a")
        return page

    def unhurt(self, page, what):
        """Nothing that came in as data has run or become an element."""
        equal(page.evaluate("window.hurt ?? null"), None, "a script ran: " + what)
        check(not page.dialogs, "a dialog was opened:", what, page.dialogs)
        made = page.evaluate("s => [...document.querySelectorAll(s)].map(e => e.outerHTML.slice(0, 90))", FOREIGN)
        check(not made, what, "has elements made of data:", made)

    # ---- services

    def deploy(self, app):
        status, answer = self.node.call("PUT", "/v2/apps/%s?force=true" % app["id"].lstrip("/"), app)
        check(status in (200, 201), "status of PUT", app["id"], status, answer)

    def running(self, name, count=1):
        def probe():
            app = self.node.call("GET", "/v2/apps/" + name.lstrip("/"))[1].get("app", {})
            return app.get("tasksRunning") == count and not app.get("deployments")

        eventually(probe, 30, "%d running instances of %s" % (count, name))

    def remove(self, *names):
        for name in names:
            self.node.call("DELETE", "/v2/apps/%s?force=true" % name.lstrip("/"))
        eventually(lambda: self.node.call("GET", "/v2/deployments")[1] == [], 30, "end of all deployments")


world = World()
