"""The web console in headless Chromium: weight, first paint, and lists of 1,000 nodes and 10,000 tasks.

    console.py LAUNCH_BENCHMARK DIRECTORY [AGENTS] [APPS] [INSTANCES]

The master is `launch-benchmark console`: the real one with its store on disk, plain HTTP on loopback, with agents that run
nothing. Weight is what comes over the wire for the first page that is opened with an empty cache, headers included. The
first paint stands beside that of the same bytes, recorded, out of Python's http.server, in turns; a ratio is the median of
the ratios of the rounds, so less is better. Then each list: time of the server alone (a client on a kept connection, median
and worst), what came over the wire, elements in the page, time until it can be used, and the longest frame while it is
scrolled from top to bottom. At last twenty pages are open and follow what changes, while instances start and end.

Needs chromium.
"""

import http.client
import http.server
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Tests", "Clients"))

from browser import Browser  # noqa: E402
from devtools import chromium  # noqa: E402

ROUNDS = 9
ASKED = 20
OPEN = 20
CHANGES = 40
LISTS = ["/ui", "/ui/nodes", "/ui/frameworks", "/ui/services", "/ui/tasks", "/ui/tasks?page=100", "/ui/tasks?q=app-77",
         "/ui/services?sort=instances", "/ui/membership"]
WEIGHT_AIM = 150_000
SCROLL = """new Promise(done => {
  let last = performance.now(), worst = 0, at = 0;
  const step = now => {
    worst = Math.max(worst, now - last); last = now; at += 120; scrollTo(0, at);
    if (at < document.scrollingElement.scrollHeight) requestAnimationFrame(step); else done(worst);
  };
  requestAnimationFrame(now => { last = now; requestAnimationFrame(step); });
})"""


def tell(**line):
    print(json.dumps(dict(benchmark="console", **line)), flush=True)


class Cluster:
    """The played cluster; its process ends when its input is closed."""

    def __init__(self, program, directory, sizes):
        self.process = subprocess.Popen(
            [program, "console", directory, *sizes], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        line = self.process.stdout.readline()
        if not line:
            sys.exit("launch-benchmark console ended with %s" % self.process.wait())
        self.told = json.loads(line)
        self.address = "127.0.0.1:%d" % self.told["port"]
        self.url = "http://" + self.address
        self.headers = {"Authorization": "Bearer " + self.told["credential"], "Content-Type": "application/json"}

    def end(self):
        self.process.stdin.close()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def call(self, connection, method, path, body=None, headers=None):
        connection.request(method, path, body, dict(self.headers, **(headers or {})))
        answer = connection.getresponse()
        content = answer.read()
        if answer.status >= 400:
            sys.exit("%s %s was answered with %d: %s" % (method, path, answer.status, content[:300]))
        return content

    def connection(self):
        return http.client.HTTPConnection(self.address, timeout=60)

    def memory(self):
        """Resident KiB of the master now, and at most."""
        with open("/proc/%d/status" % self.told["pid"]) as file:
            found = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+)", file.read()))
        return int(found["VmRSS"]), int(found["VmHWM"])

    def processor(self):
        with open("/proc/%d/stat" % self.told["pid"]) as file:
            fields = file.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def recorded(cluster, paths):
    """A bare server with the same answers, as they were."""
    connection, answers = cluster.connection(), {}
    for path in paths:
        connection.request("GET", path, headers=dict(cluster.headers, Accept="*/*"))
        answer = connection.getresponse()
        kept = ("content-type", "cache-control", "content-security-policy")
        answers[path] = ([each for each in answer.getheaders() if each[0].lower() in kept], answer.read())
    connection.close()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            headers, body = answers.get(self.path, ([], None))
            self.send_response(404 if body is None else 200)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    # Pages that are closed cut their connections.
    server.handle_error = lambda *_: None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, "http://127.0.0.1:%d" % server.server_address[1]


def open_first(browser, url, path, headers):
    """Opens a page with an empty cache; its timing and its traffic."""
    page = browser.page()
    page.call("Network.setExtraHTTPHeaders", {"headers": headers})
    page.forget_traffic()
    page.open(url + path)
    page.wait(lambda: page.timing().get("contentful"), 10, "first paint")
    timing = page.timing()
    traffic = [each for each in page.traffic() if "/ui/events" not in each["url"]]
    page.close()
    return timing, traffic


def first(browser, cluster, headers):
    _, traffic = open_first(browser, cluster.url, "/ui", headers)
    files = {each["url"][len(cluster.url):]: each["bytes"] for each in traffic}
    weight = sum(files.values())
    tell(measure="page weight, first load", bytes=weight, aim=WEIGHT_AIM, kept=weight <= WEIGHT_AIM, files=files)
    server, floor = recorded(cluster, list(files))
    ours, theirs, ratios = [], [], []
    for number in range(ROUNDS):
        found = {}
        for url in ((cluster.url, floor) if number % 2 == 0 else (floor, cluster.url)):
            found[url] = open_first(browser, url, "/ui", headers)[0]["contentful"]
        ours.append(found[cluster.url])
        theirs.append(found[floor])
        ratios.append(found[cluster.url] / found[floor])
    server.shutdown()
    tell(measure="first contentful paint", median_ms=round(statistics.median(ours), 1), beside="the same bytes out of http.server",
         their_median_ms=round(statistics.median(theirs), 1), ratio=round(statistics.median(ratios), 3),
         all=[round(each, 3) for each in ratios])


def lists(browser, cluster, headers):
    connection = cluster.connection()
    for path in LISTS:
        times = []
        for _ in range(ASKED):
            began = time.monotonic()
            size = len(cluster.call(connection, "GET", path, headers={"Accept": "text/html"}))
            times.append((time.monotonic() - began) * 1000)
        page = browser.page()
        page.call("Network.setExtraHTTPHeaders", {"headers": headers})
        page.forget_traffic()
        page.open(cluster.url + path)
        timing = page.timing()
        document = [each for each in page.traffic() if each["kind"] == "Document"][-1]
        longest = page.evaluate(SCROLL)
        tell(measure="list", path=path, server_median_ms=round(statistics.median(times), 2),
             server_worst_ms=round(max(times), 2), document_bytes=size, wire_bytes=document["bytes"],
             elements=page.count("*"), interactive_ms=round(timing["interactive"], 1),
             loaded_ms=round(timing["loaded"], 1), longest_frame_ms=round(longest, 1))
        page.well(path)
        page.close()
    connection.close()


def many(browser, cluster, headers):
    idle, _ = cluster.memory()
    pages, kinds = [], [each for each in LISTS if "?" not in each]
    for number in range(OPEN):
        page = browser.page(beside=pages[0] if pages else None)
        page.call("Network.setExtraHTTPHeaders", {"headers": headers})
        page.open(cluster.url + kinds[number % len(kinds)])
        pages.append(page)
    for page in pages:
        page.wait_for("[data-live-state=on]", 20)
    quiet, _ = cluster.memory()
    before, began = cluster.processor(), time.monotonic()
    time.sleep(10)
    at_rest = (cluster.processor() - before) / (time.monotonic() - began)
    for page in pages:
        page.forget_traffic()
    connection = cluster.connection()
    before, began = cluster.processor(), time.monotonic()
    for number in range(CHANGES):
        count = 11 if number % 2 == 0 else 10
        for app in range(3):
            cluster.call(connection, "PUT", "/service/marathon/v2/apps//app-%d?force=true" % (number // 2 * 3 + app),
                         json.dumps({"instances": count}))
        time.sleep(0.5)
    spent, span = cluster.processor() - before, time.monotonic() - began
    read = sum(1 for page in pages for each in page.traffic() if "/ui/events" not in each["url"])
    now, peak = cluster.memory()
    for page in pages:
        page.well("an open page")
        page.close()
    time.sleep(3)
    after, _ = cluster.memory()
    connection.close()
    tell(measure="%d open pages that follow, %d changes" % (OPEN, CHANGES * 3), pages_read_again=read, seconds=round(span, 1),
         master_cpu_share=round(spent / span, 3), master_cpu_share_without_changes=round(at_rest, 3),
         rss_kib_without_pages=idle, rss_kib_with_pages=quiet, rss_kib_after_changes=now, peak_kib=peak,
         rss_kib_when_closed=after, growth_mib=round((now - idle) / 1024, 1))


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    if not chromium():
        return tell(skipped="there is no chromium")
    cluster = Cluster(os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3:6])
    try:
        told = {key: cluster.told[key] for key in ("agents", "apps", "instances", "up_s")}
        with Browser() as browser:
            tell(measure="cluster", browser=browser.version, **told)
            # The benchmark's master takes a credential and has no users to log in.
            headers = {"Authorization": cluster.headers["Authorization"]}
            first(browser, cluster, headers)
            lists(browser, cluster, headers)
            many(browser, cluster, headers)
    finally:
        cluster.end()


main()
