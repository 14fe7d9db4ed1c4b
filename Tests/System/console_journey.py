"""A package from the search to its end, by clicks and keys, by the keyboard alone, and without JavaScript."""

import json
import re

from console_world import world
from harness import check, equal, test


def fill(page, name, **options):
    """Types into the fields of the options."""
    for option, value in options.items():
        field = "[name='o/service/%s']" % option
        if value is True:
            page.click(field)
        elif page.evaluate("s => document.querySelector(s).localName", field) == "select":
            page.select(field, value)
        else:
            page.type(field, value)


def review(page, *words):
    """Sends the form, reads what it becomes, and installs."""
    page.click("main button", "Review")
    page.wait_for("#part-review")
    for each in words:
        page.wait_text(each, "main")
    page.click("#part-review button", "Install")


def gone(name):
    world.node.call("DELETE", "/v2/apps/%s?force=true" % name)


@test
def journey():
    """A package is searched, configured, reviewed, installed, seen to run, its log read, its terminal used, and uninstalled"""
    page = world.enter()
    page.click("nav.side a", "Catalog")
    page.wait_path("/ui/catalog$")
    page.type("#filter-q", "tells someth")
    page.wait_path("q=tells", 5)
    page.wait(lambda: page.count("main a[href^='/ui/catalog/teller']") and not page.count("main a[href*='/catalog/redis']"),
              5, "the one package that fits")
    page.click("main a[href^='/ui/catalog/teller']")
    page.wait_text("Tells something again and again", "main")
    page.click("main a.button", "nstall")
    page.wait_path("/ui/catalog/teller/install")
    # What is wrong is said at its field, and nothing that was typed is lost.
    fill(page, "teller", mem="7", text="wörds & <more>")
    page.click("main button", "Review")
    # The script marks the field before the master has answered.
    page.wait_for("main .faults")
    page.wait_for("[name='o/service/mem'][aria-invalid=true]")
    page.expected.append("400|422")
    equal(page.value("[name='o/service/text']"), "wörds & <more>", "text that was typed before")
    fill(page, "teller", mem="24", tone="high", loud=True)
    review(page, "/teller", "24", "bb:1", "wörds & <more>")
    page.wait_path("/ui/catalog/installed/teller")
    page.wait_text("running", ".standing, main .badge", 20)
    page.wait_text("It tells now.", "main", 10)
    app = world.node.call("GET", "/v2/apps/teller")[1]["app"]
    equal((app["mem"], app["env"]["TONE"], app["env"]["TEXT"]), (24, "high-loud", "wörds & <more>"), "what runs")
    page.click("main a.button", "Service")
    page.wait_path("/ui/services/teller")
    page.click("main a[href*='/ui/tasks/']")
    page.wait_for("nav.tabs")
    page.wait_text("running", "main .badge")
    page.click("nav.tabs a", "Log")
    page.wait_text("telling wörds & <more> high-loud", ".log")
    lines = page.text(".log").count("telling")
    page.wait(lambda: page.text(".log").count("telling") > lines + 1, 8, "lines that are written meanwhile")
    page.click("nav.tabs a", "Terminal")
    terminal(page)
    page.open(world.url + "/ui/catalog/installed/teller")
    page.click("main a.button", "Uninstall")
    page.wait_text("All instances of /teller", "main")
    page.click("main button", "Uninstall")
    page.wait_path("/ui/catalog/installed(\\?|$)")
    page.wait_text("being uninstalled", "main")
    page.wait(lambda: world.node.call("GET", "/v2/apps/teller")[0] == 404, 20, "the end of the service")
    page.well("the whole way")
    page.close()


def terminal(page):
    """Starts a shell in the task, types commands, sees what they say, and leaves it."""
    page.type("[name=command]", "/bin/sh")
    page.press("Enter")
    page.wait_for("#part-terminal .screen", 10)
    page.wait(lambda: page.text(".screen .rows").rstrip("\u200b\n ")[-1:] in ("#", "$"), 10, "a prompt")
    page.click("#part-terminal .screen")
    page.keys("echo $((6*7))-`id -u`; ls /bin\n")
    page.wait_text("42-0", ".screen")
    page.wait_text("busybox", ".screen")
    page.keys("echo wrogn")
    page.press("Backspace", "Backspace")
    page.keys("ng > /tmp; cat\n")
    page.keys("<script>window.hurt = 9</script>\n")
    page.wait_text("<script>window.hurt = 9</script>", ".screen")
    world.unhurt(page, "the terminal")
    page.press("Control+c")
    page.keys("echo back-again\n")
    page.wait_text("back-again", ".screen")
    page.keys("exit 3\n")
    page.wait(lambda: re.search("ended|exit", page.text("#part-terminal"), re.I), 10, "word of its end")


@test
def keyboard():
    """The same without a mouse: a package is found, installed and uninstalled by keys alone"""
    page = world.browser.page()
    page.open(world.url + "/ui")
    page.wait_for("input[name=user]")
    page.keys("ada\tpassword-of-ada\n")
    page.wait_for("nav.side a")

    def tab_to(words, limit=60):
        for _ in range(limit):
            page.press("Tab")
            if page.evaluate("w => (document.activeElement.textContent || document.activeElement.name || '').includes(w)", words):
                return
        check(False, "Tab does not lead to", words, "from", page.url)

    tab_to("Catalog")
    page.press("Enter")
    page.wait_path("/ui/catalog$")
    page.wait_for("[data-live-state=on]")
    page.press("/")
    page.keys("teller\n")
    page.wait_path("q=teller")
    page.wait(lambda: page.count("main a[href^='/ui/catalog/teller']"), 5, "the package")
    tab_to("teller")
    page.press("Enter")
    page.wait_path("/ui/catalog/teller")
    tab_to("nstall")
    page.press("Enter")
    page.wait_path("/install")
    tab_to("Review", 120)
    page.press("Enter")
    page.wait_for("#part-review")
    tab_to("Install")
    page.press("Enter")
    page.wait_path("/ui/catalog/installed/teller")
    page.wait_text("running", ".standing", 20)
    tab_to("Uninstall")
    page.press("Enter")
    page.wait_path("/uninstall")
    page.wait_for("form.actions button")
    tab_to("Uninstall")
    page.press("Enter")
    page.wait_path("/ui/catalog/installed(\\?|$)")
    page.wait(lambda: world.node.call("GET", "/v2/apps/teller")[0] == 404, 20, "the end of the service")
    page.well("what was done by keys")
    page.close()


@test
def plain():
    """Without JavaScript a package is configured, reviewed and installed, its log read, and uninstalled"""
    page = world.enter(scripts=False)
    page.open(world.url + "/ui/catalog/teller/install?version=1.0")
    fill(page, "teller", text="plain")
    review(page, "/teller")
    page.wait_path("/ui/catalog/installed/teller")
    world.running("teller")
    page.open(world.url + "/ui/catalog/installed/teller")
    page.wait_text("running", ".standing")
    equal(world.node.call("GET", "/v2/apps/teller")[1]["app"]["labels"]["DCOS_PACKAGE_VERSION"], "1.0", "version")
    page.click("main a[href*='/ui/tasks/']")
    page.wait_for("nav.tabs")
    page.click("nav.tabs a", "Log")
    page.wait_text("telling plain low", ".log")
    page.open(world.url + "/ui/catalog/installed/teller/edit?version=1.1")
    fill(page, "teller", text="changed")
    page.click("main button", "Review")
    page.wait_for("#part-review")
    page.click("#part-review button", "Change it")
    page.wait_path("/ui/catalog/installed/teller(\\?|$)")
    world.running("teller")
    app = world.node.call("GET", "/v2/apps/teller")[1]["app"]
    equal((app["labels"]["DCOS_PACKAGE_VERSION"], app["env"]["TEXT"]), ("1.1", "changed"), "after the change")
    page.open(world.url + "/ui/catalog/installed/teller/uninstall")
    page.click("main form button", "Uninstall")
    page.wait_path("/ui/catalog/installed(\\?|$)")
    page.wait(lambda: world.node.call("GET", "/v2/apps/teller")[0] == 404, 20, "the end of the service")
    page.well("pages without JavaScript")
    page.close()


@test
def jobs():
    """A job is started by hand, and what came of its run is shown"""
    world.node.call("POST", "/v1/jobs", {
        "id": "work", "run": {"cmd": "echo done", "cpus": 0.05, "mem": 32, "disk": 0}}, base="/service/metronome")
    page = world.enter()
    page.open(world.url + "/ui/jobs")
    page.click("main a", "work")
    page.wait_path("/ui/jobs/work")
    page.click("main button", "Run")
    page.wait(lambda: json.dumps(world.node.call(
        "GET", "/v1/jobs/work?embed=history", base="/service/metronome")[1]).count('"successCount": 1'), 20, "a run")
    page.wait(lambda: re.search("succe|finished", page.text("main"), re.I), 15, "word of the run")
    page.well("the job's page")
    page.close()
