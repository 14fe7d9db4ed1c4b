"""Takes the pictures of the console that README shows, of a node of its own.

    python3 Tests/System/console_screenshots.py RONDO DIRECTORY

Needs root, chromium and busybox-static; leaves nothing but the pictures.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from console_world import world  # noqa: E402
from harness import check, clean  # noqa: E402

SIZE = (1200, 750)
LIMIT = 150_000


def take(page, folder, name):
    page.evaluate("document.activeElement && document.activeElement.blur()")
    path = os.path.join(folder, name + ".png")
    size = len(page.screenshot(path))
    print("%s: %d bytes" % (path, size))
    check(size <= LIMIT, name, "has", size, "bytes")


def work():
    """Something to show: services, one of which waits, and jobs."""
    for name, count, mem in (("web", 3, 64), ("shop/cart", 2, 48), ("shop/search", 2, 96), ("mail", 1, 32)):
        world.deploy({
            "id": "/" + name, "args": ["/bin/sh", "-c", "n=0; while true; do n=$((n+1)); echo \"request $n answered\"; sleep 1; done"],
            "cpus": 0.05, "mem": mem, "instances": count, "container": {"type": "MESOS", "docker": {"image": "bb:1"}},
            "healthChecks": [{"protocol": "COMMAND", "command": {"value": "true"}, "intervalSeconds": 2}]})
    for name, count in (("web", 3), ("shop/cart", 2), ("shop/search", 2), ("mail", 1)):
        world.running(name, count)
    world.deploy({"id": "/too-large", "cmd": "sleep 1000", "cpus": 512, "mem": 64})
    for name, cron in (("nightly-backup", "0 3 * * *"), ("report", "30 6 * * 1")):
        world.node.call("POST", "/v1/jobs", {
            "id": name, "run": {"cmd": "true", "cpus": 0.05, "mem": 32, "disk": 0}}, base="/service/metronome")
        world.node.call("POST", "/v1/jobs/%s/schedules" % name, {"id": "s", "cron": cron, "timezone": "UTC"},
                        base="/service/metronome")


def pictures(folder):
    page = world.enter(size=SIZE, scheme="dark")
    page.wait_for("[data-live-state=on]")
    take(page, folder, "overview-dark")
    page.look(scheme="light")
    page.open(world.url + "/ui/catalog")
    take(page, folder, "catalog-light")
    page.open(world.url + "/ui/catalog/redis/install")
    page.wait_text("Configure redis", "main")
    take(page, folder, "install-light")
    page.open(world.url + "/ui/services/web")
    page.wait_text("running", "main")
    take(page, folder, "service-light")
    page.look(scheme="dark")
    page.click("main a[href*='/ui/tasks/']")
    page.click("nav.tabs a", "Terminal")
    page.press("Enter") if page.evaluate("document.activeElement.name === 'command'") else page.click("#part-terminal button", "Start")
    page.wait_for("#part-terminal .screen")
    page.wait(lambda: page.text(".screen").strip(), 10, "a prompt")
    page.click("#part-terminal .screen")
    page.keys("id; ls -l /bin | head -n 8\n")
    page.wait_text("busybox", ".screen")
    take(page, folder, "terminal-dark")


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    os.makedirs(sys.argv[2], exist_ok=True)
    try:
        world.create(os.path.abspath(sys.argv[1]))
        world.node.run("catalog", "remove", "folder")
        work()
        pictures(sys.argv[2])
    finally:
        clean()


main()
