"""How the console's pages look and keep themselves up to date, also with hostile content, without JavaScript or a mouse."""

import os
import signal

import hostile_framework
from console_world import LONG, RIGHT_TO_LEFT, SCRIPT, world
from harness import Failed, check, equal, test
from page_probes import accessible, contrast, overflow, tab_through

LISTS = ["/ui", "/ui/nodes", "/ui/frameworks", "/ui/services", "/ui/tasks", "/ui/jobs", "/ui/catalog", "/ui/membership",
         "/ui/audit"]


def first_link(page, path):
    """The address of the first thing that a list leads to, or None."""
    page.open(world.url + path)
    found = page.evaluate("""p => [...document.querySelectorAll("main table a[href], main .card a[href], main li a[href], main a[href]")]
        .map(e => e.getAttribute("href")).find(h => h.startsWith(p + "/") && !h.includes("?"))""", path)
    return found


def everything(page):
    """Addresses of all kinds of pages that there are, after making something for each to show."""
    world.deploy({"id": "/shown", "cmd": "while true; do echo shown; sleep 1; done", "cpus": 0.05, "mem": 16})
    world.running("shown")
    world.node.call("POST", "/v1/jobs", {
        "id": "night", "run": {"cmd": "true", "cpus": 0.05, "mem": 32, "disk": 0}}, base="/service/metronome")
    world.node.call("POST", "/v1/jobs/night/schedules", {
        "id": "nightly", "cron": "0 3 * * *", "timezone": "UTC"}, base="/service/metronome")
    paths = list(LISTS)
    for path in LISTS[1:]:
        one = first_link(page, path)
        if one and one not in paths:
            paths.append(one)
    paths += ["/ui/services/shown", "/ui/services/shown/destroy", "/ui/catalog/teller", "/ui/catalog/teller/install",
              "/ui/nothing"]
    return list(dict.fromkeys(paths))


@test
def looks():
    """Each page is readable in dark and light, fits a phone, names what can be acted on, and is well formed"""
    page = world.enter()
    page.expected.append("404")
    wrong, sizes = [], []
    paths = everything(page)
    page.well("the lists")
    for path in paths:
        for scheme, size in (("light", (1200, 800)), ("dark", (1200, 800)), ("dark", (400, 800))):
            page.look(size, scheme)
            if scheme == "light":
                page.open(world.url + path)
            try:
                accessible(page, "%s, %s, %d pixels" % (path, scheme, size[0]))
            except Failed as fault:
                wrong.append(str(fault))
        sizes.append(path)
        problems = page.problems
        page.forget()
        wrong += ["%s: %s" % (path, each) for each in problems]
    print("      %d pages: %s" % (len(sizes), " ".join(sizes)))
    page.close()
    check(not wrong, "\n      ".join(wrong)[:5000])


@test
def stranger():
    """The page to log in is readable in dark and light and on a phone, and by Tab alone"""
    page = world.browser.page()
    for scheme, size in (("light", (1200, 800)), ("dark", (400, 800))):
        page.look(size, scheme)
        page.open(world.url + "/ui/login")
        accessible(page, "login, " + scheme)
    wrong, count = tab_through(page)
    check(not wrong and count >= 4, "Tab:", count, wrong)
    page.well("the page to log in")
    page.close()


@test
def tab():
    """The Tab key reaches all that can be acted on, in each kind of page, and shows where it is"""
    page = world.enter()
    page.expected.append("404")
    wrong = []
    for path in ("/ui", "/ui/services", "/ui/services/shown", "/ui/tasks", "/ui/catalog", "/ui/catalog/teller/install"):
        page.open(world.url + path)
        faults, count = tab_through(page)
        if count < 8:
            faults.append("only %d are reached" % count)
        wrong += ["%s: %s" % (path, each) for each in faults]
    # The first press shows a way past the navigation.
    page.open(world.url + "/ui/services")
    page.press("Tab")
    check("kip" in page.evaluate("document.activeElement.textContent"), "the first that Tab reaches")
    page.press("Enter")
    page.wait(lambda: page.evaluate("document.activeElement.id || location.hash").strip("#") == "main", 3, "focus in main")
    page.close()
    check(not wrong, "\n      ".join(wrong[:12]))


@test
def hostile():
    """Names and descriptions with markup, quotes, right-to-left marks and 10 kB are shown as text and do nothing"""
    labels = {SCRIPT: SCRIPT, "long": LONG, "rtl": RIGHT_TO_LEFT}
    world.deploy({"id": "/ill", "cmd": "echo '%s'; sleep 1000" % SCRIPT.replace("'", ""), "cpus": 0.05, "mem": 16,
                  "labels": labels, "env": {"EVIL": SCRIPT, "LONG": LONG}})
    status, answer = world.node.call("POST", "/v1/jobs", {
        "id": "ill", "description": SCRIPT + RIGHT_TO_LEFT, "labels": {"x": SCRIPT},
        "run": {"cmd": "echo '%s'" % SCRIPT.replace("'", ""), "cpus": 0.05, "mem": 32, "disk": 0}}, base="/service/metronome")
    check(status in (201, 409), "a job with a hostile description:", status, answer)
    # A framework of somebody else, with a name and an address of its choice.
    with hostile_framework.subscribed(world.node, name=SCRIPT + RIGHT_TO_LEFT, url="javascript:window.hurt=6"):
        world.running("ill")
        page = world.enter()
        page.expected.append("404")
        paths = LISTS + ["/ui/services/ill", "/ui/catalog/hostile", "/ui/catalog/hostile/install", "/ui/jobs/ill"]
        for path in ("/ui/nodes", "/ui/frameworks", "/ui/tasks"):
            found = first_link(page, path)
            paths += [found] if found else []
        paths += ["/ui/services?q=%22%3E%3Cscript%3Ewindow.hurt%3D7%3C/script%3E", "/ui/%3Cimg%20src%3Dx%20onerror%3Dwindow.hurt=8%3E",
                  "/ui?notice=%3Cb%3E", "/ui/services/%3Cb%3E"]
        seen = ""
        page.look((400, 800))
        wide = []
        for path in paths:
            page.open(world.url + path)
            world.unhurt(page, path)
            wide += ["%s: %s" % (path, each) for each in overflow(page)[:2]]
            seen += page.evaluate("document.documentElement.textContent")
        page.well("pages with hostile content")
        for words in ("<script>window.hurt = 1", "evil", "\u05e9\u05dc\u05d5\u05dd <marquee>", "<tt>bold</tt>"):
            check(words in seen, "nowhere shown as text:", words)
        check("\u202e" not in seen, "what turns the direction of text came through")
        page.close()
    world.remove("ill")
    check(not wide, "wider than the window:", "; ".join(wide[:8]))


@test
def without_scripts():
    """Without JavaScript all pages can be read, filtered and sorted, and forms work"""
    page = world.enter(scripts=False)
    page.expected.append("404")
    for path in LISTS + ["/ui/services/shown", "/ui/catalog/teller", "/ui/catalog/teller/install"]:
        page.open(world.url + path)
        low, texts = contrast(page)
        check(texts > 5 and not low, path, "shows", texts, "texts,", low)
        check(page.text("h1"), path, "has no heading")
    page.open(world.url + "/ui/services")
    page.wait_text("shown", "main")
    page.type("#filter-q", "nothing-of-that-name")
    page.press("Enter")
    page.wait_no_text("shown", "main table, main .empty")
    page.click("form[action='/ui/theme'] button[value=dark]")
    page.wait(lambda: page.attribute("html", "data-theme") == "dark", 5, "colours that were chosen")
    page.well("pages without JavaScript")
    page.close()


@test
def live():
    """What others do appears in an open page without loading it again, and what one reads stays where it is"""
    page = world.enter()
    page.open(world.url + "/ui/services")
    page.wait_for("[data-live-state=on]")
    page.evaluate("window.same = 1")
    definition = os.path.join(world.work, "born.json")
    with open(definition, "w") as file:
        file.write('{"id": "/born", "cmd": "sleep 1000", "cpus": 0.05, "mem": 16, "instances": 2}')
    page.press("/")
    equal(page.evaluate("document.activeElement.id"), "filter-q", "what the key / leads to")
    code, _, errors = world.node.run("service", "deploy", definition)
    equal(code, 0, "exit of service deploy: " + errors)
    page.wait_text("born", "main", seconds=8)
    equal(page.evaluate("document.activeElement.id"), "filter-q", "where the keyboard is after the change")
    page.keys("bo")
    page.wait_path("q=bo", 5)
    equal(page.evaluate("window.same ?? 0"), 1, "the page was not loaded anew")
    page.open(world.url + "/ui/services/born")
    page.evaluate("window.same = 1")
    page.wait_text("2", "main")
    world.node.run("service", "scale", "born", "1")
    page.wait(lambda: page.count("main a[href*='/ui/tasks/']") <= 1, 15, "one instance less")
    world.remove("born")
    page.wait(lambda: "born" not in page.text("main table") or page.has("Nothing here") or page.has("emoved")
              or page.has("no service") or page.has("There is no"), 15, "the end of the service")
    page.expected.append("404")
    equal(page.evaluate("window.same ?? 0"), 1, "the page was not loaded anew")
    page.well("a page that is live")
    page.close()


@test
def restart():
    """While the master is away the page says so, and goes on by itself once it is back, in the same session"""
    page = world.enter()
    page.open(world.url + "/ui/services")
    page.wait_for("[data-live-state=on]")
    page.evaluate("window.same = 1")
    world.node.process.send_signal(signal.SIGKILL)
    world.node.process.wait()
    page.wait_for("[data-live-state=off]", 8)
    check(page.text("[data-live-state]").strip() not in ("", "live"), "what it says:", page.text("[data-live-state]"))
    low, _ = contrast(page)
    check(not low, low)
    world.node.start()
    page.wait_for("[data-live-state=on]", 25)
    world.deploy({"id": "/after", "cmd": "sleep 1000", "cpus": 0.05, "mem": 16})
    page.wait_text("after", "main", 15)
    equal(page.evaluate("window.same ?? 0"), 1, "the page was not loaded anew")
    page.open(world.url + "/ui/nodes")
    page.wait_for("nav.side a")
    world.remove("after")
    page.close()
