"""Images through `rondo image`: from Debian's registry, made by umoci, skopeo and buildah, and from registries that fail.

    python3 Tests/System/images.py path/to/rondo [WORD ...]

Needs root (owners of files, overlay), docker-registry, skopeo, umoci and busybox-static; buildah where it is. Everything
listens on loopback; mounts are made in a mount namespace of this run.
"""

import hashlib
import io
import json
import os
import shutil
import signal
import ssl
import stat
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import TESTS, Failed, Skipped, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from image_proxy import Proxy  # noqa: E402

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


class Bench:
    """The folder of this run, the registry, and the program."""

    def __init__(self, program):
        self.program = program
        # Not on a tmpfs of few megabytes: layers are real.
        self.path = tempfile.mkdtemp(prefix="rondo-images-", dir=os.environ.get("TMPDIR", "/tmp"))
        os.chmod(self.path, 0o755)
        self.stores = 0
        at_end(lambda: shutil.rmtree(self.path, ignore_errors=True))

    def folder(self, name):
        return os.path.join(self.path, name)

    def start_registry(self):
        self.port = free_port()
        self.registry = "127.0.0.1:%d" % self.port
        config = {
            "version": 0.1,
            "log": {"level": "error", "accesslog": {"disabled": True}},
            "storage": {"filesystem": {"rootdirectory": self.folder("registry")}, "delete": {"enabled": True}},
            "http": {"addr": self.registry},
        }
        write(self.folder("registry.yml"), json.dumps(config))
        log = open(self.folder("registry.log"), "wb")
        process = subprocess.Popen(
            ["docker-registry", "serve", self.folder("registry.yml")], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        at_end(lambda: (process.kill(), process.wait()))
        eventually(lambda: request("GET", "http://%s/v2/" % self.registry)[0] == 200, 10, "the registry")

    def store(self):
        """A new node's directory."""
        self.stores += 1
        path = self.folder("node-%d" % self.stores)
        os.mkdir(path)
        return path

    def image(self, store, *arguments, **options):
        """Runs `rondo image` and returns how it ended, its output and what it remarked."""
        return run([self.program, "image", *arguments, "--data", store], **options)

    def ok(self, store, *arguments, **options):
        code, out, err = self.image(store, *arguments, **options)
        check(code == 0, "rondo image", " ".join(arguments), "ended with", code, err)
        return out

    def json(self, store, *arguments, **options):
        return json.loads(self.ok(store, *arguments, "--output", "json", **options))

    def refused(self, code, words, store, *arguments, **options):
        found, out, err = self.image(store, *arguments, **options)
        equal(found, code, "the exit code of " + " ".join(arguments) + ": " + err.strip())
        for word in words:
            check(word in err, "the remark lacks", repr(word), ":", err)
        return err


def run(command, timeout=60, stdin=None, environment=None):
    process = subprocess.run(
        command, input=stdin, capture_output=True, text=True, timeout=timeout,
        env=dict(os.environ, **(environment or {})), stdin=None if stdin is not None else subprocess.DEVNULL)
    return process.returncode, process.stdout, process.stderr


def tool(*command, timeout=60):
    """Another program, which must succeed."""
    code, out, err = run(list(command), timeout)
    check(code == 0, " ".join(command), "ended with", code, err)
    return out


def free_port():
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def write(path, content, mode=0o644):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content if isinstance(content, bytes) else content.encode())
    os.chmod(path, mode)
    return path


def request(method, url, body=None, kind=None):
    """One call of the registry: status and body."""
    headers = {"Content-Type": kind} if kind else {}
    call = urllib.request.Request(url, data=body, method=method, headers=headers)
    try:
        with urllib.request.urlopen(call, timeout=10) as answer:
            return answer.status, answer.read(), answer.headers
    except urllib.error.HTTPError as error:
        return error.code, error.read(), error.headers
    except OSError:
        return 0, b"", {}


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def push_blob(name, content):
    status, _, headers = request("POST", "http://%s/v2/%s/blobs/uploads/" % (bench.registry, name), b"")
    equal(status, 202, "the start of an upload")
    location = headers["Location"] + "&digest=" + digest(content)
    equal(request("PUT", location, content, "application/octet-stream")[0], 201, "the upload")
    return {"digest": digest(content), "size": len(content)}


def push(name, tag, layers, platform=("linux", "amd64"), diff_ids=None):
    """Puts an image of layers (bytes of archives) into the registry without any client's checks."""
    ids = diff_ids or [digest(layer) for layer in layers]
    config = {"os": platform[0], "architecture": platform[1], "config": {"Cmd": ["/bin/sh"]},
              "rootfs": {"type": "layers", "diff_ids": ids}}
    manifest = {
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": dict(push_blob(name, json.dumps(config).encode()), mediaType=CONFIG),
        "layers": [dict(push_blob(name, layer), mediaType=LAYER) for layer in layers],
    }
    return push_document(name, tag, MANIFEST, manifest)


def push_document(name, tag, kind, document):
    content = json.dumps(document).encode()
    status, answer, _ = request("PUT", "http://%s/v2/%s/manifests/%s" % (bench.registry, name, tag), content, kind)
    equal(status, 201, "the manifest was pushed: %s" % answer)
    return {"digest": digest(content), "size": len(content), "mediaType": kind}


def archive(*entries):
    """A tar archive of (name, content or None, {fields})."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content, fields in entries:
            info = tarfile.TarInfo(name)
            info.mode = 0o644
            for key, value in fields.items():
                setattr(info, key, value)
            if content is not None:
                info.size = len(content)
            tar.addfile(info, io.BytesIO(content) if content is not None else None)
    return out.getvalue()


# Trees


def picture(root):
    """Everything that can be seen of a tree, by path."""
    found = {}
    inodes = {}
    for folder, folders, files in os.walk(root):
        for name in ["."] * (folder == root) + folders + files:
            path = os.path.normpath(os.path.join(folder, name))
            facts = os.lstat(path)
            shown = os.path.relpath(path, root)
            entry = [stat.S_IFMT(facts.st_mode), oct(stat.S_IMODE(facts.st_mode)), facts.st_uid, facts.st_gid]
            # Layers need not describe the root, and then it has the time of its unpacking.
            entry.append(int(facts.st_mtime) if shown != "." else None)
            if stat.S_ISREG(facts.st_mode):
                with open(path, "rb") as file:
                    entry.append(hashlib.sha256(file.read()).hexdigest())
                inodes.setdefault(facts.st_ino, []).append(shown)
            if stat.S_ISLNK(facts.st_mode):
                entry.append(os.readlink(path))
            names = [each for each in os.listxattr(path, follow_symlinks=False) if not each.startswith("trusted.")]
            entry.append({each: os.getxattr(path, each, follow_symlinks=False) for each in sorted(names)})
            found[shown] = entry
    for same in inodes.values():
        if len(same) > 1:
            for name in same:
                found[name].append(sorted(same))
    return found


def differences(one, other):
    return sorted(
        "%s: %s / %s" % (name, one.get(name), other.get(name))
        for name in set(one) | set(other)
        if one.get(name) != other.get(name))


def stacked(store, name):
    """A picture of the image as a container would see it."""
    layers = bench.json(store, "inspect", name, "--layers")
    place = bench.folder("mounted")
    empty = bench.folder("nothing")
    os.makedirs(place, exist_ok=True)
    os.makedirs(empty, exist_ok=True)
    tool("mount", "-t", "overlay", "overlay", "-o", "ro,lowerdir=" + ":".join(layers + [empty]), place)
    try:
        return picture(place)
    finally:
        tool("umount", place)


def make_layout():
    """An image of three layers by umoci, with all that layers can have; returns its layout and umoci's own unpacking."""
    layout = bench.folder("layout")
    image = layout + ":app"
    tool("umoci", "init", "--layout", layout)
    tool("umoci", "new", "--image", image)

    def change(number, body):
        bundle = bench.folder("bundle-%d" % number)
        tool("umoci", "unpack", "--image", image, bundle)
        body(os.path.join(bundle, "rootfs"))
        tool("umoci", "repack", "--image", image, bundle)
        shutil.rmtree(bundle)

    def first(root):
        os.makedirs(root + "/bin")
        os.makedirs(root + "/etc/opaque/deep")
        os.makedirs(root + "/gone/deep/deeper")
        os.mkdir(root + "/tmp")
        os.chmod(root + "/tmp", 0o1777)
        shutil.copy("/bin/busybox", root + "/bin/busybox")
        os.chmod(root + "/bin/busybox", 0o4755)
        os.link(root + "/bin/busybox", root + "/bin/sh")
        os.symlink("busybox", root + "/bin/ls")
        os.symlink("/etc/passwd", root + "/etc/absolute")
        os.symlink("../../../../etc/passwd", root + "/etc/upwards")
        write(root + "/etc/passwd", "root:x:0:0::/:/bin/sh\n")
        write(root + "/etc/opaque/old", "old")
        write(root + "/etc/opaque/deep/old", "old")
        write(root + "/gone/deep/deeper/file", "gone")
        write(root + "/etc/removed", "removed")
        write(root + "/etc/becomes-directory", "file")
        os.mkdir(root + "/etc/becomes-file")
        write(root + "/etc/becomes-file/inner", "inner")
        write(root + "/long/" + "n" * 200 + "/" + "m" * 200, "long")
        write(root + "/etc/ünïcödé \n name", "text")
        write(root + "/owned", "owned", 0o640)
        os.chown(root + "/owned", 1234, 5678)
        os.setxattr(root + "/owned", "user.note", b"kept")
        capability = bytes([1, 0, 0, 2, 0, 4] + [0] * 14)
        write(root + "/bin/capable", "x", 0o755)
        os.setxattr(root + "/bin/capable", "security.capability", capability)
        os.mkfifo(root + "/pipe", 0o622)
        for path in ("owned", "etc/passwd", "pipe"):
            os.utime(root + "/" + path, (981173106, 981173106))

    def second(root):
        os.remove(root + "/etc/removed")
        shutil.rmtree(root + "/gone")
        shutil.rmtree(root + "/etc/opaque")
        os.mkdir(root + "/etc/opaque")
        write(root + "/etc/opaque/new", "new")
        os.remove(root + "/etc/becomes-directory")
        write(root + "/etc/becomes-directory/inner", "inner")
        shutil.rmtree(root + "/etc/becomes-file")
        write(root + "/etc/becomes-file", "file")
        os.remove(root + "/bin/ls")

    def third(root):
        write(root + "/gone", "a file now")
        write(root + "/etc/removed", "back again", 0o600)
        os.symlink("sh", root + "/bin/ls")
        os.chmod(root + "/owned", 0o600)

    for number, body in enumerate((first, second, third)):
        change(number, body)
    tool("umoci", "config", "--image", image, "--config.entrypoint", "/bin/sh", "--config.cmd", "-c", "--config.env", "A=b c",
         "--config.user", "1234:5678", "--config.workingdir", "/tmp", "--config.exposedports", "80/tcp", "--config.label", "x=y",
         "--config.stopsignal", "SIGQUIT", "--config.volume", "/data")
    bundle = bench.folder("reference")
    tool("umoci", "unpack", "--image", image, bundle)
    return image, bundle + "/rootfs"


# Real images


@test
def same_as_umoci():
    """An image that umoci made and skopeo pushed is, pulled, what umoci itself unpacks"""
    bench.layout, bench.reference = make_layout()
    tool("skopeo", "copy", "--dest-tls-verify=false", "oci:" + bench.layout, "docker://%s/app:1" % bench.registry)
    store = bench.store()
    name = bench.registry + "/app:1"
    image = bench.json(store, "pull", name)[0]
    equal(differences(stacked(store, name), picture(bench.reference)), [], "the tree")
    equal(
        [image["entrypoint"], image["cmd"], image["env"][-1], image["user"], image["workingDirectory"], image["exposedPorts"],
         image["labels"], image["stopSignal"], image["volumes"]],
        [["/bin/sh"], ["-c"], "A=b c", "1234:5678", "/tmp", ["80/tcp"], {"x": "y"}, "SIGQUIT", ["/data"]],
        "the configuration")
    bench.app = store


@test
def other_forms():
    """The same image in Docker's format, compressed with zstd, and not compressed, is the same tree"""
    for form, options in {
        "docker": ["--format", "v2s2"],
        "zstd": ["--dest-compress-format", "zstd", "--dest-compress"],
        "directory": [],
    }.items():
        store = bench.store()
        if form == "directory":
            name = "local:1"
            bench.ok(store, "import", bench.layout.rsplit(":", 1)[0], "--as", name)
        else:
            name = "%s/%s:1" % (bench.registry, form)
            tool("skopeo", "copy", "--dest-tls-verify=false", *options, "oci:" + bench.layout, "docker://" + name)
            bench.ok(store, "pull", name)
        equal(differences(stacked(store, name), picture(bench.reference)), [], "the tree as " + form)


@test
def archives():
    """Archives that skopeo made are imported, and skopeo reads those that are exported"""
    for form in ("oci-archive", "docker-archive"):
        made = bench.folder(form + ".tar")
        tool("skopeo", "copy", "oci:" + bench.layout, "%s:%s:example.org/web/app:2" % (form, made))
        store = bench.store()
        bench.ok(store, "import", made)
        equal(differences(stacked(store, "example.org/web/app:2"), picture(bench.reference)), [], "the tree of " + form)
        back = bench.folder(form + "-back.tar")
        bench.ok(bench.app, "export", bench.registry + "/app:1", back, "--format", form)
        shown = json.loads(tool("skopeo", "inspect", "--config", "%s:%s" % (form, back)))
        wanted = [each["diffID"] for each in bench.json(bench.app, "inspect", bench.registry + "/app:1")["layers"]]
        equal(shown["rootfs"]["diff_ids"], wanted, "the layers that skopeo sees in " + form)
        again = bench.store()
        bench.ok(again, "import", back, "--as", "again:1")
        equal(differences(stacked(again, "again:1"), picture(bench.reference)), [], "the tree of our own " + form)
    layout = bench.folder("exported")
    bench.ok(bench.app, "export", bench.registry + "/app:1", layout, "--format", "oci-dir")
    tool("umoci", "unpack", "--image", layout + ":1", bench.folder("exported-bundle"))
    equal(
        differences(picture(bench.folder("exported-bundle/rootfs")), picture(bench.reference)), [],
        "what umoci unpacks of our layout")


@test
def made_by_buildah():
    """An image that buildah made is pulled"""
    if not shutil.which("buildah"):
        raise Skipped("buildah is not installed")
    options = ["--storage-driver", "vfs", "--root", bench.folder("buildah"), "--runroot", bench.folder("buildah-run")]
    container = tool("buildah", *options, "from", "scratch").strip()
    tool("buildah", *options, "copy", container, "/bin/busybox", "/bin/busybox")
    tool("buildah", *options, "config", "--entrypoint", '["/bin/busybox"]', "--cmd", "true", container)
    name = bench.registry + "/buildah:1"
    tool("buildah", *options, "commit", "--tls-verify=false", container, "docker://" + name)
    store = bench.store()
    image = bench.json(store, "pull", name)[0]
    equal([image["entrypoint"], image["cmd"]], [["/bin/busybox"], ["true"]], "the configuration")
    check("bin/busybox" in stacked(store, name), "the tree lacks its file")


@test
def made_of_a_root():
    """An image made of a directory is the directory, and umoci unpacks it to the same"""
    store = bench.store()
    bench.ok(store, "build-from-rootfs", bench.reference, "--as", "own:1", "--entrypoint", "/bin/sh", "--env", "A=b")
    equal(differences(stacked(store, "own:1"), dict(picture(bench.reference), **{".": stacked(store, "own:1")["."]})), [], "the tree")
    layout = bench.folder("own")
    bench.ok(store, "export", "own:1", layout, "--format", "oci-dir")
    tool("umoci", "unpack", "--image", layout + ":1", bench.folder("own-bundle"))
    found, wanted = picture(bench.folder("own-bundle/rootfs")), picture(bench.reference)
    equal(differences({**found, ".": 0}, {**wanted, ".": 0}), [], "what umoci unpacks")
    packed = bench.folder("root.tar")
    tool("tar", "-C", bench.reference, "--xattrs", "--xattrs-include=*", "-cf", packed, ".")
    image = bench.json(store, "build-from-rootfs", packed, "--as", "own:2", "--cmd", "-c")
    equal(image["cmd"], ["-c"], "the command")


@test
def platforms():
    """An index gives the image of the platform that was asked for"""
    here = push("multi", "amd64", [archive(("here", b"amd64", {}))])
    there = push("multi", "s390x", [archive(("here", b"s390x", {}))], ("linux", "s390x"))
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [
        dict(there, platform={"os": "linux", "architecture": "s390x"}),
        dict(here, platform={"os": "linux", "architecture": "amd64"})]}
    push_document("multi", "1", INDEX, index)
    store = bench.store()
    name = bench.registry + "/multi:1"
    equal(bench.json(store, "pull", name)[0]["platform"], "linux/amd64", "the platform")
    equal(bench.json(store, "pull", name, "--platform", "linux/s390x")[0]["platform"], "linux/s390x", "the other one")
    bench.refused(1, ["there is no image for linux/mips"], store, "pull", name, "--platform", "linux/mips")


# Together and one after the other


@test
def together():
    """Four processes that pull the same image at once fetch each blob once"""
    with Proxy(bench.registry) as proxy:
        proxy.delay = 0.02
        store = bench.store()
        name = proxy.name + "/app:1"
        processes = [
            subprocess.Popen([bench.program, "image", "pull", name, "--data", store], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
            for _ in range(4)]
        for process in processes:
            _, err = process.communicate(timeout=30)
            equal(process.returncode, 0, "a pull: %s" % err)
        blobs = [path for _, path, _ in proxy.seen if "/blobs/" in path]
        equal(sorted(blobs), sorted(set(blobs)), "the blobs that were fetched")
        equal(differences(stacked(store, name), picture(bench.reference)), [], "the tree")


@test
def killed():
    """A pull that is killed at any moment leaves nothing half done, and the next one goes on"""
    big = [archive(("file-%d" % number, os.urandom(3 << 20), {})) for number in range(3)]
    push("big", "1", big)
    bench.big = big
    with Proxy(bench.registry) as proxy:
        proxy.pace = 20 << 20
        store = bench.store()
        name = proxy.name + "/big:1"
        for moment in (0.05, 0.1, 0.2, 0.3, 0.45):
            process = subprocess.Popen(
                [bench.program, "image", "pull", name, "--data", store], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moment)
            process.send_signal(signal.SIGKILL)
            process.wait()
            for image in bench.json(store, "list"):
                check(len(image["layers"]) == 3, "an image that is not whole has a name")
            equal(os.listdir(store + "/images/tmp"), [], "what is left half done")
        bench.ok(store, "pull", name)
        check(any(span for _, _, span in proxy.seen), "no pull went on where the one before had stopped")
        found = stacked(store, name)
        for number in range(3):
            check(hashlib.sha256(tarfile.open(fileobj=io.BytesIO(big[number])).extractfile("file-%d" % number).read()).hexdigest()
                  in found["file-%d" % number], "a file is not the one that was pushed")
        equal(os.listdir(store + "/images/partial"), [], "partial downloads")


@test
def removal():
    """Names are taken away, and what no image needs goes from the disk"""
    store = bench.store()
    bench.ok(store, "pull", bench.registry + "/app:1", bench.registry + "/big:1")
    bench.ok(store, "rm", bench.registry + "/app:1")
    equal([each["name"] for each in bench.json(store, "list")], [bench.registry + "/big:1"], "the images")
    equal(len(os.listdir(store + "/images/layers")), 3, "the layers")
    bench.refused(1, ["there is no image"], store, "rm", bench.registry + "/app:1")
    bench.ok(store, "rm", bench.registry + "/big:1")
    equal(os.listdir(store + "/images/layers") + os.listdir(store + "/images/blobs/sha256"), [], "what is on the disk")
    write(store + "/images/partial/" + "0" * 64, "half")
    equal(bench.json(store, "prune")["bytes"], 4, "what prune removed")


# Registries that fail


def failing(name="big", tag="1"):
    proxy = Proxy(bench.registry)
    return proxy, bench.store(), "%s/%s:%s" % (proxy.name, name, tag)


@test
def ill():
    """A registry that answers 500 now and then is asked again, and one that always does is given up"""
    proxy, store, name = failing()
    with proxy:
        proxy.fail_every = 3
        bench.ok(store, "pull", name)
        proxy.fail_every = 1
        started = time.monotonic()
        bench.refused(1, ["status 500"], bench.store(), "pull", name)
        check(time.monotonic() - started < 20, "giving up took", time.monotonic() - started)


@test
def slow():
    """A registry that falls silent is given up after the time that was given"""
    proxy, store, name = failing()
    with proxy:
        proxy.silence = True
        started = time.monotonic()
        bench.refused(69, ["did not answer in time"], store, "pull", name, "--timeout", "1")
        check(time.monotonic() - started < 25, "giving up took", time.monotonic() - started)


@test
def broken_off():
    """Downloads that break off go on, with a registry that knows ranges and one that does not"""
    for ranges in (True, False):
        proxy, store, name = failing()
        with proxy:
            proxy.cut_after = 900_000
            proxy.cuts = 8
            proxy.ranges = ranges
            bench.ok(store, "pull", name)
            equal(len(stacked(store, name)), 4, "the files")


@test
def wrong_digest():
    """A blob with other bytes is refused, and nothing of it stays"""
    proxy, store, name = failing()
    with proxy:
        proxy.lie = True
        bench.refused(1, ["digest"], store, "pull", name)
        equal(bench.json(store, "list"), [], "the images")
        equal(os.listdir(store + "/images/layers"), [], "the layers")


@test
def redirected():
    """Redirects are followed, in a circle they end, and to where there is no TLS they are refused"""
    proxy, store, name = failing()
    with proxy:
        proxy.redirect = "once"
        bench.ok(store, "pull", name)
        proxy.redirect = "circle"
        bench.refused(1, ["redirects more than 5 times"], bench.store(), "pull", name)
        proxy.redirect = "http://198.51.100.7/"
        bench.refused(1, ["without TLS"], bench.store(), "pull", name)


@test
def not_there():
    """What is not there is said to be missing, each with its exit code"""
    store = bench.store()
    bench.refused(1, ["has no"], store, "pull", bench.registry + "/app:nothing")
    bench.refused(1, ["has no"], store, "pull", bench.registry + "/nothing")
    bench.refused(69, ["refused"], store, "pull", "127.0.0.1:1/app")
    bench.refused(64, ["no name of an image"], store, "pull", "A/../B")
    bench.refused(64, ["no platform"], store, "pull", "a", "--platform", "x")
    bench.refused(1, [], store, "import", "/nonexistent")
    bench.refused(64, ["password-stdin"], store, "pull", "a", "--user", "u")


@test
def credentials():
    """A name and a password are shown to a registry that asks for them"""
    proxy, store, name = failing("app")
    with proxy:
        proxy.basic = ("robot", "s:cret")
        bench.refused(77, ["wants a user and a password"], store, "pull", name)
        bench.refused(77, [], store, "pull", name, "--user", "robot", "--password-stdin", stdin="wrong\n")
        bench.ok(store, "pull", name, "--user", "robot", "--password-stdin", stdin="s:cret\n")
        auth = write(bench.folder("auth.json"), json.dumps({"auths": {proxy.name: {"auth": "cm9ib3Q6czpjcmV0"}}}))
        bench.ok(bench.store(), "pull", name, "--auth-file", auth)
        bench.ok(bench.store(), "pull", name, environment={"REGISTRY_AUTH_FILE": auth})


@test
def tls():
    """A registry with TLS is trusted by its authority and its name, and by nothing else"""
    folder = bench.folder("tls")
    os.mkdir(folder)

    def openssl(*arguments):
        tool("openssl", *arguments)

    key, authority = folder + "/ca.key", folder + "/ca.pem"
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key, "-out", authority,
            "-days", "2", "-subj", "/CN=test authority")
    for name, names in {"right": "DNS:localhost,IP:127.0.0.1", "wrong": "DNS:example.org"}.items():
        request_file, certificate = "%s/%s.csr" % (folder, name), "%s/%s.pem" % (folder, name)
        openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "%s/%s.key" % (folder, name),
                "-out", request_file, "-subj", "/CN=" + name)
        write(folder + "/names", "subjectAltName=" + names)
        openssl("x509", "-req", "-in", request_file, "-CA", authority, "-CAkey", key, "-CAcreateserial", "-out", certificate,
                "-days", "1", "-extfile", folder + "/names")
    for name in ("right", "wrong"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("%s/%s.pem" % (folder, name), "%s/%s.key" % (folder, name))
        with Proxy(bench.registry, context) as proxy:
            for host in ("127.0.0.1", "localhost"):
                image = "%s:%d/app:1" % (host, proxy.port)
                if name == "right":
                    bench.ok(bench.store(), "pull", image, "--ca-file", authority)
                    other = folder + "/right.pem"
                    bench.refused(69, ["trusts"], bench.store(), "pull", image, "--ca-file", "/etc/ssl/certs/ca-certificates.crt"
                                  if os.path.exists("/etc/ssl/certs/ca-certificates.crt") else other)
                else:
                    bench.refused(69, ["another name"], bench.store(), "pull", image, "--ca-file", authority)


# The machine


@test
def disk_full():
    """A full disk is said to be full, leaves nothing half done, and a larger one takes the image"""
    store = bench.store()
    tool("mount", "-t", "tmpfs", "-o", "size=14m", "tmpfs", store)
    try:
        name = bench.registry + "/big:1"
        bench.refused(1, ["no space left", "prune"], store, "pull", name)
        equal(os.listdir(store + "/images/tmp"), [], "what is left half done")
        equal(bench.json(store, "list"), [], "the images")
        tool("mount", "-o", "remount,size=64m", store)
        bench.ok(store, "pull", name)
        equal(len(stacked(store, name)), 4, "the files")
    finally:
        tool("umount", store)


@test
def hostile():
    """Hostile layers from a registry are refused, and nothing is written outside"""
    outside = bench.folder("outside")
    os.mkdir(outside)
    write(outside + "/secret", "secret")
    before = picture(outside)
    cases = {
        "upwards": archive(("../" * 12 + outside[1:] + "/new", b"x", {})),
        "link": archive(("l", None, {"type": tarfile.SYMTYPE, "linkname": outside}), ("l/new", b"x", {})),
        "hardlink": archive(("h", None, {"type": tarfile.LNKTYPE, "linkname": outside + "/secret"})),
        "whiteout": archive(("a/.wh...", b"", {})),
        "trusted": archive(("d", None, {"type": tarfile.DIRTYPE, "pax_headers": {"SCHILY.xattr.trusted.overlay.redirect": "/"}})),
    }
    for name, layer in cases.items():
        push("hostile", name, [layer])
        store = bench.store()
        bench.refused(1, [], store, "pull", "%s/hostile:%s" % (bench.registry, name))
        equal(os.listdir(store + "/images/layers") + os.listdir(store + "/images/tmp"), [], "what is left of " + name)
    push("hostile", "lie", [archive(("a", b"x", {}))], diff_ids=[digest(b"something else")])
    bench.refused(1, ["the image says"], bench.store(), "pull", bench.registry + "/hostile:lie")
    push("hostile", "device", [archive(("dev/mem", None, {"type": tarfile.CHRTYPE, "devmajor": 1, "devminor": 1}))])
    store = bench.store()
    bench.ok(store, "pull", bench.registry + "/hostile:device")
    check("dev/mem" not in stacked(store, bench.registry + "/hostile:device"), "the device was made")
    equal(picture(outside), before, "what lies outside")


def main():
    if os.geteuid() != 0:
        print("skip  images: owners of files and overlay need root")
        finish(0, 0, 1)
    missing = [name for name in ("docker-registry", "skopeo", "umoci") if not shutil.which(name)]
    check(not missing, "install", ", ".join(missing))
    bench.start_registry()
    finish(*run_tests(TESTS, sys.argv[2:], 60))


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    if os.environ.get("RONDO_IMAGES_NAMESPACE") != "own":
        # Mounts of this run are nobody else's.
        os.environ["RONDO_IMAGES_NAMESPACE"] = "own"
        os.execvp("unshare", ["unshare", "--mount", "--propagation", "private", sys.executable] + sys.argv)
    bench = Bench(os.path.abspath(sys.argv[1]))
    main()
