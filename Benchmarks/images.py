"""An image from a registry on this machine to unpacked layers: `rondo image pull` beside skopeo and umoci.

    python3 Benchmarks/images.py RONDO WORK

One layer of 100 MB and four of 25 MB, of files of a real size that compress as real ones do. Both fetch from Debian's
docker-registry, verify and unpack; ours is synced to the disk before it counts, theirs is not. Needs root,
docker-registry, skopeo and umoci; prints one JSON object a line.
"""

import gzip
import hashlib
import io
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tarfile
import time
import urllib.request

PAIRS = 7
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG = "application/vnd.oci.image.config.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def digest(content):
    return "sha256:" + hashlib.sha256(content).hexdigest()


def call(method, url, body=None, kind="application/octet-stream"):
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return answer.headers


def layer(number, megabytes):
    """An archive of files from 1 kB to 1 MB; half of each is noise, the rest repeats."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        left = megabytes * 1_000_000
        index = 0
        while left > 0:
            size = min(left, (1_000, 8_000, 30_000, 120_000, 1_000_000)[index % 5])
            noise = os.urandom(size // 2)
            content = noise + (b"the same words again and again, as in programs\n" * (size // 47 + 1))[: size - len(noise)]
            info = tarfile.TarInfo("layer-%d/%d/file-%d" % (number, index // 100, index))
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
            left -= size
            index += 1
    return out.getvalue()


def push(base, name, layers):
    def blob(content):
        location = call("POST", "%s/v2/%s/blobs/uploads/" % (base, name), b"")["Location"]
        call("PUT", location + "&digest=" + digest(content), content)
        return {"digest": digest(content), "size": len(content)}

    config = {"os": "linux", "architecture": "amd64", "config": {}, "rootfs": {"type": "layers", "diff_ids": [digest(each) for each in layers]}}
    manifest = {
        "schemaVersion": 2, "mediaType": MANIFEST,
        "config": dict(blob(json.dumps(config).encode()), mediaType=CONFIG),
        "layers": [dict(blob(gzip.compress(each, 6)), mediaType=LAYER) for each in layers],
    }
    call("PUT", "%s/v2/%s/manifests/1" % (base, name), json.dumps(manifest).encode(), MANIFEST)


def timed(commands):
    os.sync()
    started = time.monotonic()
    for command in commands:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.monotonic() - started


def measure(rondo, work, registry, name):
    ours, theirs = [], []
    source = "%s/%s:1" % (registry, name)
    node, layout, bundle = work + "/node", work + "/layout", work + "/bundle"
    for _ in range(PAIRS):
        ours.append(timed([[rondo, "image", "pull", source, "--data", node]]))
        theirs.append(timed([
            ["skopeo", "copy", "--src-tls-verify=false", "docker://" + source, "oci:" + layout + ":1"],
            ["umoci", "unpack", "--image", layout + ":1", bundle]]))
        for path in (node, layout, bundle):
            shutil.rmtree(path)
    ratio = statistics.median(one / other for one, other in zip(ours, theirs))
    print(json.dumps({
        "benchmark": "images." + name, "pairs": PAIRS, "rondo_s": round(statistics.median(ours), 3),
        "skopeo_umoci_s": round(statistics.median(theirs), 3), "rondo_range_s": [round(min(ours), 3), round(max(ours), 3)],
        "skopeo_umoci_range_s": [round(min(theirs), 3), round(max(theirs), 3)], "ratio": round(ratio, 3)}), flush=True)


def main(rondo, work):
    missing = [each for each in ("docker-registry", "skopeo", "umoci") if not shutil.which(each)]
    if missing or os.geteuid() != 0:
        print(json.dumps({"benchmark": "images", "skipped": "needs root and " + ", ".join(missing or ["all"])}))
        return
    work = os.path.join(work, "images")
    os.mkdir(work)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        registry = "127.0.0.1:%d" % taken.getsockname()[1]
    settings = {
        "version": 0.1, "log": {"level": "error", "accesslog": {"disabled": True}}, "http": {"addr": registry},
        "storage": {"filesystem": {"rootdirectory": work + "/registry"}}}
    with open(work + "/registry.yml", "w") as file:
        json.dump(settings, file)
    process = subprocess.Popen(
        ["docker-registry", "serve", work + "/registry.yml"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            try:
                call("GET", "http://%s/v2/" % registry)
                break
            except OSError:
                time.sleep(0.1)
        push("http://" + registry, "one-layer", [layer(0, 100)])
        push("http://" + registry, "four-layers", [layer(number, 25) for number in range(4)])
        for name in ("one-layer", "four-layers"):
            measure(os.path.abspath(rondo), work, registry, name)
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
