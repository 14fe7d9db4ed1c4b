"""Packages: repositories by folder, archive, web server and with signatures; what is installed, changed and removed, by
the command line of DC/OS, by the program's own, and on the wire; what ill repositories do.

    python3 Tests/System/packages.py RONDO [WORD ...]

Works on loopback on a `rondo dev` of its own, and leaves nothing.
"""

import base64
import gzip
import http.server
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import urllib.error
import urllib.request
import zipfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from dev_cluster import DevCluster  # noqa: E402
from harness import TESTS, Failed, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402

RONDO = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else sys.exit(__doc__)
WORK = tempfile.mkdtemp(prefix="rondo-packages-")
at_end(lambda: shutil.rmtree(WORK, ignore_errors=True))
TREE = os.path.join(WORK, "tree")
CLUSTER = DevCluster(RONDO, agents=2, log=os.path.join(WORK, "dev.log"))

TEMPLATE = """{
  "id": "{{service.name}}",
  "cmd": "exec sleep 1000",
  "cpus": 0.05, "mem": {{service.mem}}, "instances": {{service.instances}},
  {{#service.labelled}}"labels": {"KIND": "{{resource.assets.uris.kind}}"},{{/service.labelled}}
  "env": {"TEXT": "{{service.text}}", "LIST": "{{#service.list}}{{.}};{{/service.list}}"}
}
"""
SCHEMA = {
    "$schema": "http://json-schema.org/schema#",
    "type": "object",
    "properties": {
        "service": {
            "type": "object",
            "description": "the service",
            "properties": {
                "name": {"type": "string", "default": "sleeper", "pattern": "^[a-z/-]+$"},
                "text": {"type": "string", "default": "it's <fine> & \\"},
                "mem": {"type": "integer", "minimum": 8, "default": 16},
                "instances": {"type": "integer", "minimum": 0, "default": 1},
                "labelled": {"type": "boolean", "default": True},
                "list": {"type": "array", "default": []},
            },
            "required": ["name", "mem"],
            "additionalProperties": False,
        }
    },
    "additionalProperties": False,
}


# ---- packages


def write(path, content):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(content if isinstance(content, str) else json.dumps(content))


def publish(name, number, version, tree=None, template=TEMPLATE, config=SCHEMA, **fields):
    """Puts a version of a package into a folder."""
    place = os.path.join(tree or TREE, "packages", name[0].upper(), name, str(number))
    package = {
        "packagingVersion": "4.0",
        "name": name,
        "version": version,
        "maintainer": "people@example.org",
        "description": "Sleeps. <script>alert(1)</script>",
        "tags": ["rest", "night"],
        "postInstallNotes": "it sleeps now",
        "postUninstallNotes": "it is awake",
        "upgradesFrom": ["*"],
        "downgradesTo": ["*"],
    }
    package.update(fields)
    write(os.path.join(place, "package.json"), {key: value for key, value in package.items() if value is not None})
    write(os.path.join(place, "config.json"), config)
    write(os.path.join(place, "resource.json"), {"assets": {"uris": {"kind": "kind-%s" % version}}})
    write(os.path.join(place, "marathon.json.mustache"), template)


# ---- the program, DC/OS' command line, and the wire


def rondo(*words, fails=False, stdin=None):
    words = [RONDO, *words]
    if words[1:3] not in (["catalog", "build"], ["catalog", "key"]):
        words += ["--master", CLUSTER.master]
    done = subprocess.run(words, input=stdin, capture_output=True, text=True, timeout=90)
    if (done.returncode != 0) != fails:
        raise Failed("%s: %d\n%s%s" % (" ".join(words[1:]), done.returncode, done.stdout, done.stderr[-1500:]))
    return done.stderr if fails else done.stdout


def dcos(*words, fails=False):
    home = os.path.join(WORK, "dcos")
    config = os.path.join(home, "dcos.toml")
    if not os.path.exists(config):
        write(
            config,
            '[core]\ndcos_url = "http://%s"\ndcos_acs_token = "none"\nreporting = false\ntimeout = 30\n'
            % CLUSTER.master,
        )
        os.chmod(config, 0o600)
    environment = dict(os.environ, DCOS_CONFIG=config, DCOS_DIR=home, HOME=home, PYTHONWARNINGS="ignore")
    program = os.path.join(os.path.dirname(sys.executable), "dcos")
    done = subprocess.run(
        [program, "package", *words], env=environment, capture_output=True, text=True, timeout=90
    )
    if (done.returncode != 0) != fails:
        raise Failed("dcos package %s: %d\n%s%s" % (" ".join(words), done.returncode, done.stdout, done.stderr[-1500:]))
    return done.stderr if fails else done.stdout


def media(name, kind, version=1):
    return "application/vnd.dcos.%s-%s+json;charset=utf-8;version=v%d" % (name, kind, version)


def call(name, body, version=1, headers=None, path=None):
    """One call of Cosmos' interface: status, Content-Type, document."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {"Content-Type": media(name, "request"), "Accept": media(name, "response", version)}
    fields.update(headers or {})
    request = urllib.request.Request(
        "http://%s/%s" % (CLUSTER.master, path or name.replace(".", "/")), data, fields, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.headers["Content-Type"], json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, error.headers["Content-Type"], json.load(error)


def refused(wanted, name, body, **more):
    """A call that is refused with a problem of this type."""
    found, kind, document = call(name, body, **more)
    equal((found, document.get("type")), (400, wanted), "answer to %s of %s" % (name, body))
    equal(kind, "application/vnd.dcos.package.error+json;charset=utf-8;version=v1", "type of a refusal")
    check(document["message"], "a refusal without words")


def marathon(method, path, body=None):
    request = urllib.request.Request(
        "http://%s/service/marathon%s" % (CLUSTER.master, path),
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def app(name):
    status, document = marathon("GET", "/v2/apps/" + name.lstrip("/"))
    return document["app"] if status == 200 else None


def gone(name):
    def ended():
        return app(name) is None and marathon("GET", "/v2/deployments")[1] == []

    eventually(ended, 30, "the end of %s" % name)


class Web:
    """A web server with documents that can be changed."""

    def __init__(self):
        self.documents, self.asked = {}, []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, self.headers["Accept"]))
                document = outer.documents.get(self.path)
                if callable(document):
                    return document(self)
                self.send_response(200 if document is not None else 404)
                self.send_header("Content-Length", str(len(document or b"")))
                self.end_headers()
                self.wfile.write(document or b"")

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = "http://127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        at_end(self.server.shutdown)


def document(tree=None, key=None):
    words = ["catalog", "build", tree or TREE] + (["--key", key] if key else [])
    return rondo(*words).strip().encode()


def in_catalog(name):
    """What `rondo catalog list` says of a repository."""
    listed = json.loads(rondo("catalog", "list", "--output", "json"))["repositories"]
    return [each for each in listed if each["name"] == name][0]


# ---- tests


@test
def repositories():
    """Repositories are listed, added at a place and removed, by DC/OS' command line and by the program's"""
    publish("sleeper", 0, "1.0")
    publish("sleeper", 1, "1.1")
    publish("other", 0, "3", description="a word: dormancy", selected=True)
    equal(dcos("repo", "list").strip(), "Rondo: rondo:built-in", "repositories at first")
    dcos("repo", "add", "folder", "file://" + TREE, "--index=0")
    equal(dcos("repo", "list").splitlines()[0], "folder: file://" + TREE, "the first repository")
    check("already present" in dcos("repo", "add", "folder", "file:///nowhere", fails=True), "a name twice")
    check("out of range" in dcos("repo", "add", "x", "file://" + TREE + "/", "--index=9", fails=True), "a place")
    listed = json.loads(rondo("catalog", "list", "--output", "json"))["repositories"]
    equal([each["name"] for each in listed], ["folder", "Rondo"], "names in order")
    equal((listed[0]["packages"], listed[0]["versions"]), (2, 3), "packages and versions")
    check("folder" in rondo("catalog", "list"), "the list as text")
    check("is not present" in rondo("catalog", "remove", "nothing", fails=True), "removal of nothing")


@test
def looking():
    """Packages are searched and described by both command lines"""
    lines = dcos("search").splitlines()
    names = [line.split(" ")[0] for line in lines]
    check(names.index("other") < names.index("sleeper"), "what is selected comes first: %s" % names)
    equal(json.loads(dcos("search", "--json", "dormancy"))["packages"][0]["name"], "other", "by description")
    found = json.loads(dcos("search", "--json", "slee*"))["packages"][0]
    equal(found["versions"], {"1.0": "0", "1.1": "1"}, "versions")
    equal(json.loads(dcos("describe", "sleeper", "--package-versions")), ["1.1", "1.0"], "versions, newest first")
    described = json.loads(dcos("describe", "sleeper", "--package-version=1.0"))["package"]
    equal(described["version"], "1.0", "an old version")
    equal(json.loads(dcos("describe", "sleeper", "--config")), SCHEMA, "the schema")
    rendered = json.loads(dcos("describe", "sleeper", "--app", "--render"))
    equal(rendered["labels"]["KIND"], "kind-1.1", "a label of the package's own")
    equal(rendered["env"]["TEXT"], "it's <fine> & \\", "text as it is")
    equal(rendered["env"]["LIST"], "", "an empty list")
    check("Package [nope] not found" in dcos("describe", "nope", fails=True), "no such package")
    check("not found" in dcos("describe", "sleeper", "--package-version=9", fails=True), "no such version")
    text = rondo("package", "describe", "sleeper")
    check("1.1" in text and "<script>" in text, "described as text")
    check("service.mem" in rondo("package", "options", "sleeper"), "options")
    check("sleeper" in rondo("package", "search", "night"), "by tag")
    check("no package matches" in rondo("package", "search", "zzz", fails=True), "nothing found")


@test
def life():
    """A package is installed, listed, changed in options and version, and uninstalled"""
    made = rondo("package", "install", "sleeper", "--package-version", "1.0", "--set", "service.mem=20")
    equal(made.strip(), "/sleeper", "its id")
    found = app("sleeper")
    equal((found["tasksRunning"], found["mem"]), (1, 20), "what runs")
    labels = found["labels"]
    equal((labels["DCOS_PACKAGE_NAME"], labels["DCOS_PACKAGE_VERSION"]), ("sleeper", "1.0"), "labels")
    equal(labels["DCOS_PACKAGE_SOURCE"], "file://" + TREE, "the label of the repository")
    options = json.loads(base64.b64decode(labels["DCOS_PACKAGE_OPTIONS"]))
    equal(options, {"service": {"mem": 20}}, "the label of options")
    metadata = json.loads(base64.b64decode(labels["DCOS_PACKAGE_METADATA"]))
    equal(metadata["name"], "sleeper", "the label of the metadata")
    check("already installed" in dcos("install", "sleeper", "--yes", fails=True), "installed twice")
    listed = json.loads(dcos("list", "--json"))
    equal([(each["name"], each["apps"]) for each in listed], [("sleeper", ["/sleeper"])], "what is installed")
    check("1/1" in rondo("package", "list"), "what is installed, as text")
    rondo("package", "update", "sleeper", "--package-version", "1.1", "--set", "service.instances=2")
    found = app("sleeper")
    equal((found["mem"], found["instances"], found["tasksRunning"]), (20, 2, 2), "options are kept and changed")
    equal(found["labels"]["DCOS_PACKAGE_VERSION"], "1.1", "the new version")
    rondo("package", "update", "sleeper", "--replace", "--set", "service.text=new")
    found = app("sleeper")
    equal((found["mem"], found["instances"], found["env"]["TEXT"]), (16, 1, "new"), "options replaced")
    status, _, described = call("service.describe", {"appId": "/sleeper"}, path="cosmos/service/describe")
    equal(status, 200, "status of describe")
    equal(described["userProvidedOptions"], {"service": {"text": "new"}}, "options as given")
    equal(described["resolvedOptions"]["service"]["mem"], 16, "options as they hold")
    check("1.0" in described["downgradesTo"], "ways back")
    check("package  " in rondo("service", "inspect", "sleeper"), "inspect names the package")
    equal(rondo("package", "uninstall", "sleeper").strip(), "/sleeper", "what is uninstalled")
    gone("sleeper")
    check("not installed" in dcos("uninstall", "sleeper", "--yes", fails=True), "uninstalled twice")


@test
def several():
    """A package is installed several times under other names, and uninstalled one by one or all at once"""
    dcos("install", "sleeper", "--yes")
    rondo("package", "install", "sleeper", "--app-id", "/deep/one", "--detach")
    check("Multiple apps" in dcos("uninstall", "sleeper", "--yes", fails=True), "which one")
    # The name that somebody gave stays with a change.
    rondo("package", "update", "/deep/one", "--set", "service.mem=24")
    equal(app("deep/one")["mem"], 24, "a change under another name")
    change = {"appId": "/sleeper", "options": {"service": {"name": "renamed"}}, "replace": False}
    refused("AppIdChanged", "service.update", change, path="cosmos/service/update")
    dcos("uninstall", "sleeper", "--app-id=/sleeper", "--yes")
    gone("sleeper")
    dcos("uninstall", "sleeper", "--all", "--yes")
    gone("deep/one")


@test
def wire():
    """Media types are as clients compare them, and refusals have Cosmos' types"""
    status, kind, _ = call("package.search", {})
    equal((status, kind), (200, media("package.search", "response")), "search")
    status, kind, answer = call("package.describe", {"packageName": "sleeper"}, version=3)
    equal((status, kind), (200, media("package.describe", "response", 3)), "describe in form 3")
    check("package" in answer, "form 3")
    refused("ConversionFromPackageToV2DescribeResponse", "package.describe", {"packageName": "sleeper"}, version=2)
    status, kind, answer = call("package.list-versions", {"packageName": "sleeper", "includePackageVersions": True})
    equal(answer, {"results": {"1.1": "1", "1.0": "0"}}, "versions")
    plain = {"packageName": "sleeper"}
    refused("PackageNotFound", "package.describe", {"packageName": "x"}, version=3)
    refused("VersionNotFound", "package.describe", dict(plain, packageVersion="9"), version=3)
    refused("JsonSchemaMismatch", "package.render", dict(plain, options={"service": {"mem": "x"}}))
    refused("PackageNotInstalled", "package.uninstall", plain)
    refused("UninstallNonExistentAppForPackage", "package.uninstall", dict(plain, appId="/x"))
    refused("JsonDecodingError", "package.install", {}, version=2)
    refused("JsonDecodingError", "package.install", {"packageName": 3}, version=2)
    refused("JsonParsingError", "package.install", b"{", version=2)
    refused("JsonDecodingError", "package.install", b"[]", version=2)
    refused("UnsupportedContentType", "package.search", {}, headers={"Content-Type": "application/json"})
    refused("NotAcceptable", "package.search", {}, headers={"Accept": "text/plain"})
    refused("UnsupportedRepositoryUri", "package.repository.add", {"name": "x", "uri": "ftp://x/y"})
    refused("RepositoryUriConnection", "package.repository.add", {"name": "x", "uri": "http://127.0.0.1:1/"})
    refused("RepositoryNameInvalid", "package.repository.add", {"name": "", "uri": "file:///x"})
    refused("RepositoryNotPresent", "package.repository.delete", {"name": "x"})
    refused("RepoNameOrUriMissing", "package.repository.delete", {})
    refused("MarathonAppNotFound", "service.describe", {"appId": "/x"}, path="cosmos/service/describe")
    # What the package makes of options can still be wrong as an app: where, is said.
    status, _, answer = call("package.install", dict(plain, options={"service": {"name": "-"}}), version=2)
    equal((status, answer["type"]), (400, "MarathonBadResponse"), "an app that is wrong")
    check(answer["data"]["errors"][0]["path"] == "/id", "where an app is wrong")


@test
def formats():
    """Repositories come as documents, as archives, and compressed, from a web server"""
    web = Web()
    web.documents["/repo.json"] = document()
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for place, _, names in os.walk(TREE):
            for name in names:
                path = os.path.join(place, name)
                file.write(path, "universe-version-3.x/repo/" + os.path.relpath(path, TREE))
    web.documents["/repo.zip"] = archive.getvalue()
    web.documents["/repo.json.gz"] = gzip.compress(web.documents["/repo.json"])
    for name in ("repo.json", "repo.zip", "repo.json.gz"):
        rondo("catalog", "add", name, "%s/%s" % (web.address, name))
        found = in_catalog(name)
        equal((found["packages"], found["versions"]), (2, 3), "what %s has" % name)
        rondo("catalog", "remove", name)
    check("version=v4" in web.asked[0][1] and "version=v3" in web.asked[0][1], "what was asked for")


@test
def signatures():
    """Packages of a repository with a key count only with its signature"""
    key, stranger = os.path.join(WORK, "key.pem"), os.path.join(WORK, "stranger.pem")
    public = rondo("catalog", "key", key).strip()
    equal(rondo("catalog", "key", key).strip(), public, "the key a second time")
    equal(os.stat(key).st_mode & 0o777, 0o600, "who may read the key")
    strange = rondo("catalog", "key", stranger).strip()
    tree = os.path.join(WORK, "signed")
    publish("signed", 0, "1", tree=tree)
    web = Web()
    web.documents["/signed.json"] = document(tree, key)
    check("signed with the key" in rondo(
        "catalog", "add", "s", web.address + "/signed.json", "--key", strange, fails=True), "another key")
    rondo("catalog", "add", "s", web.address + "/signed.json", "--key", public)
    made = rondo("package", "install", "signed", "--app-id", "/signed")
    equal(made.strip(), "/signed", "what is signed is installed")
    # Somebody changes one package and adds another: what was there stays, and nothing else comes.
    forged = json.loads(web.documents["/signed.json"])
    forged["packages"][0]["description"] = "something else"
    forged["packages"].append(dict(forged["packages"][0], name="evil"))
    web.documents["/signed.json"] = json.dumps(forged).encode()
    rondo("catalog", "refresh")
    listed = in_catalog("s")
    check("signed with the" in listed["problem"], "what is said of it")
    equal(listed["packages"], 1, "what was there")
    check("not found" in rondo("package", "describe", "evil", fails=True), "a package of somebody else")
    rondo("catalog", "remove", "s")
    rondo("package", "uninstall", "signed")


@test
def ill_repositories():
    """A repository that vanishes, hangs, lies or changes a version takes nothing away"""
    tree = os.path.join(WORK, "ill")
    publish("ill", 0, "1", tree=tree, description="as it was")
    web = Web()
    web.documents["/ill.json"] = document(tree)
    rondo("catalog", "add", "ill", web.address + "/ill.json")
    rondo("package", "install", "ill", "--app-id", "/ill")
    instance = app("ill")["tasks"][0]["id"]

    def said():
        rondo("catalog", "refresh")
        check("as it was" in rondo("package", "describe", "ill"), "the package is as it was")
        return in_catalog("ill").get("problem") or ""

    del web.documents["/ill.json"]
    check("404" in said(), "a repository that is gone")
    web.documents["/ill.json"] = b"<html>"
    check("no repository" in said(), "what is no repository")
    web.documents["/ill.json"] = b'{"packages":' + b"[" * 100_000
    check("no repository" in said(), "a deep one")

    def cut(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", "1000")
        handler.end_headers()
        handler.wfile.write(b'{"packages":[')

    web.documents["/ill.json"] = cut
    check(said(), "an answer that is cut off")

    def around(handler):
        handler.send_response(302)
        handler.send_header("Location", "/ill.json")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    web.documents["/ill.json"] = around
    check("redirects" in said(), "redirects in a circle")
    publish("ill", 0, "1", tree=tree, description="something else")
    publish("ill", 1, "2", tree=tree, description="as it was, and newer")
    web.documents["/ill.json"] = document(tree)
    check("ill 1" in said() and "changed" in said(), "a changed version")
    equal(app("ill")["tasks"][0]["id"], instance, "what is installed goes on")
    rondo("catalog", "remove", "ill")
    # Its package is known by its labels, though no repository has it any more.
    equal(json.loads(dcos("list", "--json", "ill"))[0]["version"], "1", "what is installed is listed")
    rondo("package", "update", "ill", "--set", "service.mem=32")
    equal(app("ill")["mem"], 32, "what is installed is changed")
    rondo("package", "uninstall", "ill")
    gone("ill")


@test
def ill_packages():
    """Packages that are wrong are left out with the reason, and the others are there"""
    tree = os.path.join(WORK, "wrong")
    publish("fine", 0, "1", tree=tree)
    publish("nameless", 0, "1", tree=tree, maintainer=None)
    publish("loop", 0, "1", tree=tree, template='{"id": "loop", {{#service}}{{> x}}{{/service}}}')
    publish("huge", 0, "1", tree=tree, template="{{#service}}" * 500 + "x" + "{{/service}}" * 500)
    publish("broken", 0, "1", tree=tree, config='{"properties": ')
    os.makedirs(os.path.join(tree, "packages/L/link/0"))
    os.symlink("/etc/passwd", os.path.join(tree, "packages/L/link/0/package.json"))
    done = subprocess.run([RONDO, "catalog", "build", tree], capture_output=True, text=True, timeout=60)
    equal(done.returncode != 0, True, "a folder with wrong packages")
    check("broken" in done.stderr, "what is wrong: " + done.stderr)
    rondo("catalog", "add", "wrong", "file://" + tree)
    check(in_catalog("wrong")["problem"], "what is said of it")
    check("fine" in rondo("package", "search", "fine"), "the others are there")
    check("root:" not in json.dumps(call("package.search", {})[2]), "links are not followed")
    for name in ("loop", "huge"):
        check(rondo("package", "install", name, fails=True), "a template that is wrong")
    rondo("catalog", "remove", "wrong")


def main():
    CLUSTER.start()
    at_end(CLUSTER.stop)
    counts = run_tests(TESTS, sys.argv[2:])
    wrong = CLUSTER.stop()
    for each in wrong:
        print("FAIL  rondo dev after Ctrl-C: %s" % each)
    finish(counts[0], counts[1] + len(wrong), counts[2])


if __name__ == "__main__":
    # A timeout's TERM must not leave the cluster running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
