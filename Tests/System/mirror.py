"""Packages with their images on three machines without a registry: an archive is made, given to the cluster, installed from
on every node; what hostile archives and a killed master do; images by themselves and by digest; artifacts; lint.

    python3 Tests/System/mirror.py path/to/rondo [WORD ...]

Needs root, iproute2, nft, busybox-static, docker-registry and skopeo: the machines are network namespaces. Only the tests of
pinned images and of artifacts have a registry, on the first machine's loopback.
"""

import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from hold_cluster import REGISTRY, Hold  # noqa: E402
from harness import TESTS, Failed, at_end, check, equal, eventually, finish, run_tests, test  # noqa: E402
from wire import request  # noqa: E402

# A registry that nobody serves; connections to it are refused at once.
NAME = "127.0.0.1:5999/own/web"
TEMPLATE = """{
  "id": "{{service.name}}", "instances": {{service.instances}}, "cpus": 0.05, "mem": 16,
  "constraints": [["hostname", "UNIQUE"]],
  "container": {"type": "DOCKER", "docker": {"image": "{{resource.assets.container.docker.web}}"}}
}
"""
CONFIG = {"type": "object", "properties": {"service": {"type": "object", "properties": {
    "name": {"type": "string", "default": "web"}, "instances": {"type": "integer", "default": 3}}}}}


class Bench(Hold):
    """Three nodes that reach no registry, and a machine outside of the cluster on which archives are made."""

    def image(self, name, text):
        """Makes an image that says something and stays, in the maker's own store."""
        root = self.path("root")
        if not os.path.isdir(root):
            os.makedirs(os.path.join(root, "bin"))
            shutil.copy(shutil.which("busybox"), os.path.join(root, "bin"))
            for each in ("sh", "echo", "sleep"):
                os.symlink("busybox", os.path.join(root, "bin", each))
        with open(os.path.join(root, "word"), "w") as out:
            out.write(text)
        self.out("image", "build-from-rootfs", root, "--as", name, "--cmd", "sh", "--cmd", "-c",
                 "--cmd", "echo %s; exec sleep 1000" % text)

    def run(self, *words, where=None, seconds=60):
        """A command of the program on the maker's machine, or on a node."""
        data = self.machines[where - 1].data if where else self.path("maker")
        if words[:2] in (("catalog", "build"), ("catalog", "key"), ("catalog", "lint")):
            words = [self.rondo, *words]
        else:
            words = [self.rondo, *words, "--data", data]
        if where:
            words = self.network.inside(where, words)
        return subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=seconds)

    def out(self, *words, where=None, **options):
        done = self.run(*words, where=where, **options)
        equal(done.returncode, 0, "rondo %s\n%s%s" % (" ".join(words), done.stdout, done.stderr[-1500:]))
        return done.stdout

    def inside(self, *words, fails=False):
        """A command on the first node's machine: what it says, or what it says is wrong."""
        done = subprocess.run(
            self.network.inside(1, list(words)), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
        check((done.returncode != 0) == fails, " ".join(words), done.returncode, done.stdout, done.stderr[-1500:])
        return done.stderr if fails else done.stdout

    def refused(self, words, *arguments, where=None):
        done = self.run(*arguments, where=where)
        check(done.returncode != 0, "taken: rondo", " ".join(arguments), done.stdout)
        check(words in done.stderr, "expected", repr(words), "in", done.stderr)
        return done.stderr

    def publish(self, name, number, version, image, tree="tree"):
        folder = self.path(tree, "packages", name[0].upper(), name, str(number))
        os.makedirs(folder, exist_ok=True)
        package = {
            "packagingVersion": "4.0", "name": name, "version": version, "maintainer": "people@example.org",
            "description": "Says something.", "tags": ["web"], "upgradesFrom": ["*"], "downgradesTo": ["*"]}
        files = {
            "package.json": package, "config.json": CONFIG,
            "resource.json": {"assets": {"container": {"docker": {"web": image}}}}}
        for file, content in files.items():
            with open(os.path.join(folder, file), "w") as out:
                json.dump(content, out)
        with open(os.path.join(folder, "marathon.json.mustache"), "w") as out:
            out.write(TEMPLATE)

    def images(self):
        return json.loads(self.out("image", "cluster", "--output", "json", where=1))["images"]

    def repositories(self):
        return {each["name"] for each in json.loads(self.out("catalog", "list", "--output", "json", where=1))["repositories"]}

    def blobs(self):
        """The blobs that the master keeps."""
        return set(os.listdir(os.path.join(self.machines[0].data, "master/catalog/images/blobs/sha256")))

    def litter(self):
        return os.listdir(os.path.join(self.machines[0].data, "master/catalog/images/tmp"))

    def running(self, name, count, text):
        """Waits until as many nodes run it; each has said its words."""
        def probe():
            tasks = self.app(name)["tasks"]
            return len(tasks) == count and all(each["state"] == "TASK_RUNNING" for each in tasks) and tasks
        tasks = eventually(probe, 30, "%d instances of %s" % (count, name))
        equal(len({each["host"] for each in tasks}), count, "nodes in use")
        for each in tasks:
            eventually(lambda: text in self.out("task", "log", each["id"], where=1), 10, text)
        return tasks


def entries(path):
    """The files of an archive."""
    with tarfile.open(path) as archive:
        return {each.name: archive.extractfile(each).read() for each in archive if each.isfile()}


def pack(path, files):
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return path


@test
def formation():
    """three nodes without a registry form a cluster"""
    bench.begin()


@test
def an_archive():
    """packages and their images become one archive, which others read, too"""
    bench.image(NAME + ":1", "first")
    bench.image(NAME + ":2", "second")
    bench.publish("web", 0, "1", NAME + ":1")
    bench.publish("web", 1, "2", NAME + ":2")
    bench.publish("other", 0, "1", NAME + ":2")
    bench.out("catalog", "key", bench.path("signing.pem"))
    said = json.loads(bench.out(
        "catalog", "mirror", bench.path("web.tar"), "--from", bench.path("tree"), "--all-versions", "--key",
        bench.path("signing.pem"), "--output", "json"))
    equal((said["packages"], len(said["images"])), (3, 2), "packages and images")
    check(not os.path.exists(bench.path("web.tar.images")), "what was gathered is left")
    files = entries(bench.path("web.tar"))
    blobs = [name for name in files if name.startswith("blobs/")]
    for name in blobs:
        equal(hashlib.sha256(files[name]).hexdigest(), name.rsplit("/", 1)[1], "the digest of " + name)
    done = subprocess.run(
        ["skopeo", "inspect", "--raw", "oci-archive:%s:%s:1" % (bench.path("web.tar"), NAME)], capture_output=True,
        text=True, timeout=30)
    equal(done.returncode, 0, "skopeo inspect " + done.stderr)
    equal(len(json.loads(done.stdout)["layers"]), 1, "layers for skopeo")
    listed = bench.out("image", "import", bench.path("web.tar"), "--data", bench.path("reader"), "--output", "json")
    equal(len(json.loads(listed)), 2, "images for `rondo image import`")


@test
def missing_images():
    """an image that cannot be had is named, and there is no archive without it unless that is said"""
    bench.publish("lost", 0, "1", "127.0.0.1:5999/lost:1", tree="lost")
    target = bench.path("lost.tar")
    words = bench.refused("127.0.0.1:5999/lost:1 for lost 1", "catalog", "mirror", target, "--from", bench.path("lost"), "--offline")
    check("--skip-missing" in words, words)
    check(not os.path.exists(target), "an archive")
    bench.out("catalog", "mirror", target, "--from", bench.path("lost"), "--offline", "--skip-missing")
    check(os.path.exists(target), "no archive")


@test
def installing():
    """the archive goes to the master, and a package of it runs on three nodes that reach no registry"""
    key = bench.out("catalog", "key", bench.path("signing.pem")).strip()
    began = time.monotonic()
    bench.out("catalog", "add", "carried", bench.path("web.tar"), "--key", key, "--index", "0", where=1)
    bench.out("package", "install", "web", "--package-version", "1", where=1)
    bench.running("/web", 3, "first")
    print("      added and running on three nodes after %.1f s" % (time.monotonic() - began))
    bench.out("package", "update", "/web", "--package-version", "2", where=1)
    bench.running("/web", 3, "second")
    equal({each["keptFor"] for each in bench.images()}, {"repository/carried"}, "who keeps the images")
    check(not bench.litter(), "litter: %s" % bench.litter())


@test
def a_killed_master():
    """the archive's packages and images are there after kill -9 of the master, also in the middle of another upload"""
    first = bench.machines[0]
    big = bench.path("big.tar")
    with open(bench.path("web.tar"), "rb") as source, open(big, "wb") as out:
        out.write(source.read()[:-1024])
        entry = tarfile.TarInfo("padding")
        entry.size = 512 << 20
        out.write(entry.tobuf())
        out.truncate(out.tell() + entry.size)
    upload = bench.background(bench.network.inside(1, [
        bench.rondo, "catalog", "add", "half", big, "--data", first.data]))
    eventually(lambda: bench.litter(), 10, "an upload under way")
    first.kill()
    upload.wait(20)
    check(upload.returncode != 0, "the upload went well")
    bench.launch(first, first.command)
    bench.await_agents()
    check("half" not in bench.repositories(), "half a repository")
    eventually(lambda: not bench.litter(), 10, "no litter")
    equal(len(bench.images()), 2, "images")
    bench.out("package", "install", "other", "--set", "service.name=other", "--set", "service.instances=1", where=1)
    bench.running("/other", 1, "second")


@test
def hostile_archives():
    """archives that are wrong leave nothing, and the error says what is wrong"""
    # An image that the master does not have: of blobs that it has, it reads no others.
    bench.image(NAME + ":3", "third")
    bench.publish("ill", 0, "1", NAME + ":3", tree="ill")
    good = bench.path("good.tar")
    bench.out("catalog", "mirror", good, "--from", bench.path("ill"), "--key", bench.path("signing.pem"))
    files = entries(good)
    before = (bench.images(), bench.repositories(), bench.blobs())
    index = json.loads(files["index.json"])
    image = next(each for each in index["manifests"] if "artifactType" not in each)
    document = next(each for each in index["manifests"] if "artifactType" in each)
    manifest = json.loads(files["blobs/sha256/" + image["digest"][7:]])
    layer = "blobs/sha256/" + manifest["layers"][0]["digest"][7:]
    packages = json.loads(files["blobs/sha256/" + document["digest"][7:]])["layers"][0]
    place = "blobs/sha256/" + packages["digest"][7:]

    def changed(**more):
        return {**files, **{{"layer": layer, "place": place, "index": "index.json"}[name]: value for name, value in more.items()}}

    def without(name):
        return {each: content for each, content in files.items() if each != name}

    def other_index(change):
        copy = json.loads(files["index.json"])
        change(copy)
        return changed(index=json.dumps(copy).encode())

    cases = {
        "a layer of other bytes": (changed(layer=files[layer][:-1] + b"x"), "digest"),
        "a layer that is too short": (changed(layer=files[layer][:-10]), "bytes that it should have"),
        "a layer that is too long": (changed(layer=files[layer] + b"x"), "more than the"),
        "no layer": (without(layer), "no such file"),
        "other packages": (changed(place=files[place][:-1] + b" "), "digest"),
        "no packages": (other_index(lambda i: i["manifests"].remove(document)), "no packages"),
        "an index that is none": (changed(index=b"[1]"), "manifest"),
        "no index": (without("index.json"), "index.json"),
        "an image without a name": (other_index(lambda i: i["manifests"][0].pop("annotations")), "no whole name"),
        "a name upwards": ({**files, "../../outside": b"x"}, ".."),
        "no archive": (None, "archive"),
    }
    for what, (content, words) in cases.items():
        path = bench.path("ill.tar")
        if content is None:
            with open(path, "wb") as out:
                out.write(os.urandom(100_000))
        else:
            pack(path, content)
        try:
            bench.refused(words, "catalog", "add", "ill", path, where=1)
        except Failed as problem:
            raise Failed("%s: %s" % (what, problem))
    with open(good, "rb") as source, open(bench.path("cut.tar"), "wb") as out:
        out.write(source.read()[:200_000])
    bench.refused("ends in the middle", "catalog", "add", "ill", bench.path("cut.tar"), where=1)
    bench.out("catalog", "key", bench.path("other.pem"))
    key = bench.out("catalog", "key", bench.path("other.pem")).strip()
    bench.refused("signed", "catalog", "add", "ill", good, "--key", key, where=1)
    bench.refused("already present", "catalog", "add", "carried", bench.path("web.tar"), where=1)
    equal((bench.images(), bench.repositories(), bench.blobs()), before, "what the master has")
    check(not bench.litter(), "litter: %s" % bench.litter())


@test
def a_full_disk():
    """an archive that does not fit is refused with the reason, and leaves nothing"""
    place = os.path.join(bench.machines[0].data, "master/catalog/images/tmp")
    before = (bench.images(), bench.repositories())
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", place], check=True)
    try:
        bench.refused("disk is full", "catalog", "add", "full", bench.path("good.tar"), where=1)
        check(not bench.litter(), "litter: %s" % bench.litter())
    finally:
        subprocess.run(["umount", place], check=True)
    equal((bench.images(), bench.repositories()), before, "what the master has")


@test
def rights():
    """only nodes read the cluster's images, and archives take the right of the catalog"""
    for method, path in (
            ("GET", "/rondo/v1/registry/v2/"), ("GET", "/rondo/v1/registry/v2/%s/manifests/1" % NAME),
            ("POST", "/rondo/v1/catalog/archives?name=x"), ("POST", "/rondo/v1/catalog/images"),
            ("GET", "/rondo/v1/catalog/images"), ("GET", "/rondo/v1/catalog/packages")):
        answer = request(bench.master, method, path, headers={"Authorization": "Bearer nobody"})
        equal(answer.status, 401, "%s %s by nobody" % (method, path))


@test
def an_image_for_the_cluster():
    """`rondo image import --cluster` has one image on all nodes"""
    bench.image(NAME + ":single", "single")
    bench.out("image", "export", NAME + ":single", bench.path("single.tar"))
    bench.out("image", "import", bench.path("single.tar"), "--cluster", where=1)
    bench.deploy("POST", "/v2/apps", {
        "id": "/single", "cpus": 0.05, "mem": 16, "instances": 3, "constraints": [["hostname", "UNIQUE"]],
        "container": {"type": "DOCKER", "docker": {"image": NAME + ":single"}}})
    bench.running("/single", 3, "single")
    bench.deploy("DELETE", "/v2/apps/single", None)
    bench.out("image", "cluster", "--remove", NAME + ":single", where=1)
    check(NAME + ":single" not in {each["name"] for each in bench.images()}, "the image is still there")
    bench.refused("nobody gave", "image", "cluster", "--remove", NAME + ":single", where=1)


@test
def pinned_images():
    """packages that name their images by digest run exactly these bytes, and a registry that sends others is refused"""
    bench.publish("pinned", 0, "1", NAME + ":1", tree="pinned")
    archive = bench.path("pinned.tar")
    bench.out("catalog", "mirror", archive, "--from", bench.path("pinned"), "--pin", "--offline")
    bench.out("catalog", "add", "pinned", archive, where=1)
    shown = bench.out("package", "describe", "pinned", where=1)
    check(NAME + ":1@sha256:" in shown, shown)
    bench.out("package", "install", "pinned", "--set", "service.name=pinned", where=1)
    bench.running("/pinned", 3, "first")
    image = bench.app("/pinned")["container"]["docker"]["image"]
    check(image.startswith(NAME + ":1@sha256:"), image)
    bench.out("package", "uninstall", "pinned", where=1)
    bench.out("catalog", "remove", "pinned", where=1)

    bench.start_registry(1)
    name = REGISTRY + "/own/pin:1"
    bench.image(name, "fourth")
    bench.out("image", "export", name, bench.path("pin.tar"))
    copy = ["skopeo", "copy", "--quiet", "--dest-tls-verify=false", "oci-archive:" + bench.path("pin.tar"), "docker://" + name]
    eventually(lambda: bench.inside("skopeo", "list-tags", "--tls-verify=false", "docker://" + REGISTRY + "/x", fails=True).find("refused") < 0, 20, "a registry")
    bench.inside(*copy)
    bench.publish("pin", 0, "1", name, tree="pin")
    bench.inside(bench.rondo, "catalog", "build", bench.path("pin"), "--pin", "--to", bench.path("pin.json"))
    with open(bench.path("pin.json")) as file:
        pinned = json.load(file)["packages"][0]["resource"]["assets"]["container"]["docker"]["web"]
    check(pinned.startswith(name + "@sha256:"), pinned)
    bench.inside(bench.rondo, "image", "pull", pinned, "--data", bench.path("reader"))
    digest = pinned.rsplit(":", 1)[1]
    blob = bench.path("registry/docker/registry/v2/blobs/sha256", digest[:2], digest, "data")
    with open(blob, "a") as out:
        out.write(" ")
    done = bench.inside(bench.rondo, "image", "pull", pinned, "--data", bench.path("another"), fails=True)
    check("something else than sha256:" + digest in done, done)
    with open(blob, "rb+") as out:
        out.truncate(os.path.getsize(blob) - 1)


@test
def an_artifact():
    """a repository is pushed to a registry, read from there by others and by the master, and outlives it"""
    address = "oci://%s/own/catalog:1" % REGISTRY
    bench.publish("art", 0, "1", NAME + ":1", tree="art")
    bench.inside(bench.rondo, "catalog", "push", bench.path("art"), address)
    shown = json.loads(bench.inside("skopeo", "inspect", "--raw", "--tls-verify=false", "docker" + address[3:]))
    equal(shown["artifactType"], "application/vnd.rondo.catalog.repository.v1+json", "what skopeo shows")
    bench.out("catalog", "add", "art", address, where=1)
    check("art" in bench.out("package", "search", "art", where=1), "the package")
    bench.publish("art", 1, "2", NAME + ":2", tree="art")
    bench.inside(bench.rondo, "catalog", "push", bench.path("art"), address)
    bench.out("catalog", "refresh", where=1)
    check("2" in bench.out("package", "describe", "art", "--package-version", "2", where=1), "the new version")
    bench.publish("art", 1, "2", NAME + ":1", tree="art")
    bench.inside(bench.rondo, "catalog", "build", bench.path("art"), "--to", address)
    said = json.loads(bench.out("catalog", "refresh", "--output", "json", where=1))
    check("art 2" in next(each["problem"] for each in said["repositories"] if each["name"] == "art"), said)
    check(NAME + ":2" in bench.out("package", "describe", "art", where=1), "what was published")
    registry = bench.others[-1]
    registry.kill()
    registry.wait()
    said = json.loads(bench.out("catalog", "refresh", "--output", "json", where=1))
    art = next(each for each in said["repositories"] if each["name"] == "art")
    equal(art["versions"], 2, "versions without the registry")
    check(art["problem"], "nothing is said")
    bench.out("catalog", "remove", "art", where=1)


@test
def linting():
    """lint names what is wrong, and its exit code says whether there are errors"""
    bench.publish("fine", 0, "1", NAME + ":1", tree="lint")
    done = bench.run("catalog", "lint", bench.path("lint"))
    equal(done.returncode, 0, "warnings " + done.stdout)
    check("[health]" in done.stdout and "[licence]" in done.stdout, done.stdout)
    equal(bench.run("catalog", "lint", bench.path("lint"), "--strict").returncode, 1, "--strict")
    bench.publish("ill", 0, "1", "untagged/image", tree="lint")
    done = bench.run("catalog", "lint", bench.path("lint"), "--output", "json")
    said = json.loads(done.stdout)
    equal((done.returncode, said["errors"], said["versions"]), (1, 1, 2), "errors")
    own = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, "Catalog")
    equal(bench.run("catalog", "lint", own, "--strict").returncode, 0, "the program's own packages")


@test
def removing():
    """images of services stay when their repository goes, and go with the last service"""
    full = bench.blobs()
    bench.out("catalog", "remove", "carried", where=1)
    equal({(each["name"], each["keptFor"]) for each in bench.images()}, {(NAME + ":2", "services")}, "images")
    check(bench.blobs() < full, "no blob was removed")
    bench.out("package", "uninstall", "web", where=1)
    equal(len(bench.images()), 1, "images while another service has it")
    bench.out("package", "uninstall", "other", where=1)
    equal((bench.images(), bench.blobs()), ([], set()), "what is left")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    bench = Bench(sys.argv[1])
    at_end(bench.end)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        bench.create()
        result = run_tests(TESTS, sys.argv[2:], 60)
        bench.watch.stopped = True
    except BaseException:
        bench.end()
        raise
    finish(*result)
