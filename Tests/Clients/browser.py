"""Pages in headless Chromium: what a person sees and does, and everything that a page does wrong.

    with Browser() as browser:
        page = browser.page()
        page.open("http://127.0.0.1:5050/ui/")
        page.type("input[name=user]", "administrator")
        page.press("Enter")
        page.wait_text("Overview")
        page.well()

Clicks and keys are the real ones: they go to the point on the screen, and to what has the focus there. Each page has
cookies of its own unless it is made beside another one.
"""

import base64
import json
import re
import threading
import time

from devtools import DevTools
from harness import PATIENCE, Failed, check

# What the keys that are no characters are called, as (key, code, Windows' number, text).
KEYS = {
    "Tab": ("Tab", "Tab", 9, None),
    "Enter": ("Enter", "Enter", 13, "\r"),
    "Escape": ("Escape", "Escape", 27, None),
    "Space": (" ", "Space", 32, " "),
    "Backspace": ("Backspace", "Backspace", 8, None),
    "Delete": ("Delete", "Delete", 46, None),
    "ArrowDown": ("ArrowDown", "ArrowDown", 40, None),
    "ArrowUp": ("ArrowUp", "ArrowUp", 38, None),
    "ArrowLeft": ("ArrowLeft", "ArrowLeft", 37, None),
    "ArrowRight": ("ArrowRight", "ArrowRight", 39, None),
    "PageDown": ("PageDown", "PageDown", 34, None),
    "Home": ("Home", "Home", 36, None),
    "End": ("End", "End", 35, None),
}
MODIFIERS = {"Alt": 1, "Control": 2, "Meta": 4, "Shift": 8}
# Where a page moves on while it is asked; asking again is right then.
MOVED = re.compile("context|navigated|Inspected target|detached|Promise was collected")
POINT = """(selector, text) => {
  const all = [...document.querySelectorAll(selector)].filter(e => !text || e.textContent.includes(text));
  const e = all.find(e => e.getClientRects().length);
  if (!e) return {missing: all.length ? "is not shown" : "is not there"};
  e.scrollIntoView({block: "center", inline: "nearest", behavior: "instant"});
  if (e.disabled) return {missing: "is disabled"};
  const r = [...e.getClientRects()].find(r => r.width > 0 && r.height > 0) || e.getBoundingClientRect();
  const x = r.x + r.width / 2, y = r.y + r.height / 2, top = document.elementFromPoint(x, y);
  if (!top || !(e.contains(top) || top.contains(e) || (e.labels && [...e.labels].some(l => l.contains(top)))))
    return {missing: "is covered by " + (top ? top.outerHTML.slice(0, 120) : "nothing, as it is outside of the window")};
  return {x, y};
}"""


class Browser:
    """A browser process for as long as a `with` lasts."""

    def __init__(self, *options):
        self.tools = DevTools(*options)
        self.version = self.tools.version

    def page(self, beside=None, scripts=True, size=(1200, 800), scheme="light"):
        """A new page; `beside` another one it shares its cookies. Without `scripts` JavaScript is off."""
        context = beside.context if beside else self.tools.call("Target.createBrowserContext")["browserContextId"]
        made = self.tools.call("Target.createTarget", {"url": "about:blank", "browserContextId": context})
        return Page(self.tools, made["targetId"], context, scripts, size, scheme)

    def stop(self):
        self.tools.stop()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Page:
    """One page. What it did wrong is in `problems`; patterns in `expected` are no problems."""

    def __init__(self, tools, target, context, scripts, size, scheme):
        self.tools, self.target, self.context = tools, target, context
        self.session = tools.call("Target.attachToTarget", {"targetId": target, "flatten": True})["sessionId"]
        self.lock = threading.Lock()
        self.expected, self.found = [], []
        self.requests, self.order = {}, []
        self.loaded, self.dialogs = set(), []
        tools.listeners[self.session] = self.heard
        for each in ("Page", "Runtime", "Log", "Network", "Audits"):
            self.call(each + ".enable")
        self.call("Page.setLifecycleEventsEnabled", {"enabled": True})
        # Clusters sign their own certificates.
        self.call("Security.setIgnoreCertificateErrors", {"ignore": True})
        if not scripts:
            self.call("Emulation.setScriptExecutionDisabled", {"value": True})
        self.look(size, scheme)

    def call(self, method, parameters=None, seconds=20):
        return self.tools.call(method, parameters, self.session, seconds)

    def close(self):
        self.tools.listeners.pop(self.session, None)
        self.tools.call("Target.closeTarget", {"targetId": self.target})

    # ---- what it does wrong

    def heard(self, method, told):
        with self.lock:
            if method == "Runtime.exceptionThrown":
                details = told["exceptionDetails"]
                self.found.append("exception: " + details.get("exception", {}).get("description", details["text"]))
            elif method == "Runtime.consoleAPICalled" and told["type"] in ("error", "warning", "assert"):
                words = [str(each.get("value", each.get("description", ""))) for each in told["args"]]
                self.found.append("console.%s: %s" % (told["type"], " ".join(words)))
            elif method == "Log.entryAdded" and told["entry"]["level"] in ("error", "warning"):
                entry = told["entry"]
                self.found.append("%s: %s %s" % (entry["source"], entry["text"], entry.get("url", "")))
            elif method == "Audits.issueAdded":
                issue = told["issue"]
                if issue["code"] == "ContentSecurityPolicyIssue":
                    self.found.append("content security policy: %s" % json.dumps(issue["details"])[:400])
            elif method == "Page.javascriptDialogOpening":
                # Nothing of ours opens one: what does is a script that came in as data.
                self.dialogs.append(told["message"])
                self.found.append("dialog: " + told["message"])
                threading.Thread(target=self.dismiss, daemon=True).start()
            elif method == "Page.lifecycleEvent" and told["name"] == "load":
                self.loaded.add(told["loaderId"])
            elif method.startswith("Network."):
                self.network(method[len("Network."):], told)

    def dismiss(self):
        try:
            self.call("Page.handleJavaScriptDialog", {"accept": False})
        except Failed:
            pass

    def network(self, what, told):
        number = told.get("requestId")
        if what == "requestWillBeSent":
            if number not in self.requests:
                self.order.append(number)
            self.requests[number] = {
                "url": told["request"]["url"], "method": told["request"]["method"], "kind": told.get("type"),
                "status": None, "bytes": 0, "cached": False, "ended": False, "type": ""}
        elif number in self.requests:
            one = self.requests[number]
            if what == "responseReceived":
                answer = told["response"]
                one.update(status=answer["status"], cached=answer.get("fromDiskCache", False), type=answer["mimeType"])
                one["bytes"] = max(one["bytes"], answer.get("encodedDataLength", 0))
                if answer["status"] >= 400:
                    self.found.append("answer %d to %s %s" % (answer["status"], one["method"], one["url"]))
            elif what == "dataReceived":
                one["bytes"] += told.get("encodedDataLength", 0)
            elif what == "loadingFinished":
                one.update(bytes=max(one["bytes"], told.get("encodedDataLength", 0)), ended=True)
            elif what == "requestServedFromCache":
                one["cached"] = True
            elif what == "loadingFailed":
                one["ended"] = True
                # A page that is left takes its streams with it.
                if not told.get("canceled"):
                    why = told.get("blockedReason") or told.get("errorText")
                    self.found.append("no answer to %s %s: %s" % (one["method"], one["url"], why))

    @property
    def problems(self):
        with self.lock:
            found = list(self.found)
        return [each for each in found if not any(re.search(pattern, each) for pattern in self.expected)]

    def well(self, what=""):
        """Fails when the page did anything wrong since it was last asked."""
        wrong = self.problems
        with self.lock:
            self.found = []
        check(not wrong, what or "the page", "has", len(wrong), "problems:", "; ".join(wrong[:8])[:2000])

    def forget(self):
        """Takes what was wrong until now as expected."""
        with self.lock:
            self.found = []

    # ---- going somewhere, looking, waiting

    def look(self, size=None, scheme=None):
        """Sets the size of the window and whether its user likes it dark."""
        if size:
            self.call("Emulation.setDeviceMetricsOverride", {
                "width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": False})
        if scheme:
            features = [{"name": "prefers-color-scheme", "value": scheme},
                        {"name": "prefers-reduced-motion", "value": "reduce"}]
            self.call("Emulation.setEmulatedMedia", {"features": features})

    def open(self, url, seconds=15):
        """Goes to an address and waits until it is loaded."""
        answer = self.call("Page.navigate", {"url": url}, seconds)
        if answer.get("errorText"):
            raise Failed("%s cannot be opened: %s" % (url, answer["errorText"]))
        loader = answer.get("loaderId")
        if loader:
            self.wait(lambda: loader in self.loaded, seconds, "the end of loading " + url)

    def reload(self, seconds=15):
        before = len(self.loaded)
        self.call("Page.reload", {"ignoreCache": True})
        self.wait(lambda: len(self.loaded) > before, seconds, "the end of loading again")

    def wait(self, probe, seconds, what):
        deadline = time.monotonic() + seconds * PATIENCE
        while True:
            try:
                answer = probe()
            except Failed as problem:
                if not MOVED.search(str(problem)):
                    raise
                answer = None
            if answer:
                return answer
            if time.monotonic() >= deadline:
                raise Failed("no %s within %g s%s" % (what, seconds, self.shown()))
            time.sleep(0.03)

    def shown(self):
        """Where the page is and what it says, for the words of a failure."""
        try:
            return "; %s says %r" % (self.url, self.text()[:700])
        except Failed:
            return ""

    def evaluate(self, script, *arguments, seconds=20):
        """The value of an expression, or of a function called with these arguments (waits for promises)."""
        if arguments:
            script = "(%s)(%s)" % (script, ",".join(json.dumps(each) for each in arguments))
        answer = self.call("Runtime.evaluate", {
            "expression": script, "returnByValue": True, "awaitPromise": True, "allowUnsafeEvalBlockedByCSP": True,
            "userGesture": True}, seconds)
        if "exceptionDetails" in answer:
            details = answer["exceptionDetails"]
            raise Failed("script: %s" % details.get("exception", {}).get("description", details["text"])[:600])
        return answer["result"].get("value")

    @property
    def url(self):
        return self.evaluate("location.href")

    def text(self, selector="body"):
        """What is readable of the first element; "" when there is none."""
        return self.evaluate("s => { const e = document.querySelector(s); return e ? e.innerText : '' }", selector)

    def texts(self, selector):
        return self.evaluate("s => [...document.querySelectorAll(s)].map(e => e.innerText)", selector)

    def attribute(self, selector, name):
        return self.evaluate(
            "(s, n) => { const e = document.querySelector(s); return e ? e.getAttribute(n) : null }", selector, name)

    def value(self, selector):
        return self.evaluate("s => document.querySelector(s)?.value", selector)

    def count(self, selector):
        return self.evaluate("s => document.querySelectorAll(s).length", selector)

    def has(self, words, selector="body"):
        return words in self.text(selector)

    def wait_for(self, selector, seconds=10):
        """Waits until something is shown there."""
        self.wait(
            lambda: self.evaluate(
                "s => [...document.querySelectorAll(s)].some(e => e.getClientRects().length > 0)", selector),
            seconds, "element %s" % selector)

    def wait_text(self, words, selector="body", seconds=10):
        self.wait(lambda: self.has(words, selector), seconds, "text %r in %s" % (words, selector))

    def wait_no_text(self, words, selector="body", seconds=10):
        self.wait(lambda: not self.has(words, selector), seconds, "end of the text %r in %s" % (words, selector))

    def wait_path(self, pattern, seconds=10):
        """Waits until the address matches."""
        self.wait(lambda: re.search(pattern, self.url), seconds, "address that matches %s" % pattern)

    # ---- doing

    def click(self, selector, text=None, seconds=10):
        """Clicks with the mouse on what is shown there, the first one that has the text."""
        what = selector + (" with %r" % text if text else "")
        last = {}

        def reached():
            last.update(self.evaluate("(%s)(%s, %s)" % (POINT, json.dumps(selector), json.dumps(text))))
            return "x" in last

        try:
            self.wait(reached, seconds, "way to click")
        except Failed:
            raise Failed("%s cannot be clicked, it %s%s" % (what, last.get("missing"), self.shown()))
        mouse = {"x": last["x"], "y": last["y"], "button": "left", "clickCount": 1}
        self.call("Input.dispatchMouseEvent", {"type": "mouseMoved", "x": last["x"], "y": last["y"]})
        self.call("Input.dispatchMouseEvent", dict(mouse, type="mousePressed"))
        self.call("Input.dispatchMouseEvent", dict(mouse, type="mouseReleased"))

    def press(self, *keys):
        """Presses keys: single characters, names out of KEYS, or both behind modifiers, as "Shift+Tab"."""
        for key in keys:
            *held, last = key.split("+") if len(key) > 1 else [key]
            modifiers = sum(MODIFIERS[each] for each in held)
            if last in KEYS:
                name, code, number, text = KEYS[last]
            else:
                name, code, number, text = last, "", 0, last
                if last.isascii() and last.isalnum():
                    code = "Digit" + last if last.isdigit() else "Key" + last.upper()
                    number = ord(last.upper())
            event = {"key": name, "code": code, "windowsVirtualKeyCode": number, "modifiers": modifiers}
            if text and not modifiers & ~MODIFIERS["Shift"]:
                event["text"] = text
            self.call("Input.dispatchKeyEvent", dict(event, type="keyDown" if "text" in event else "rawKeyDown"))
            event.pop("text", None)
            self.call("Input.dispatchKeyEvent", dict(event, type="keyUp"))

    def keys(self, text):
        """Types a text into what has the focus, key by key."""
        for each in text:
            self.press("Enter" if each == "\n" else "Tab" if each == "\t" else each)

    def type(self, selector, text):
        """Clicks into a field, empties it and types."""
        self.click(selector)
        self.press("Control+a", "Backspace")
        self.keys(text)
        found = self.value(selector)
        if found is not None:
            check(found == text, "typed %r into %s, which holds %r" % (text, selector, found))

    def select(self, selector, value):
        """Chooses of a list by its first letters, as the keyboard does it, and tells whether it is chosen."""
        self.evaluate("s => document.querySelector(s).focus()", selector)
        label = self.evaluate(
            "(s, v) => [...document.querySelector(s).options].find(o => o.value === v)?.text", selector, value)
        check(label is not None, "the list", selector, "has no", value)
        self.keys(label)
        self.wait(lambda: self.value(selector) == value, 5, "choice of %s in %s" % (value, selector))

    # ---- pictures, cookies, measures

    def screenshot(self, path=None):
        """What the window shows, as PNG."""
        data = base64.b64decode(self.call("Page.captureScreenshot", {"format": "png"}, 30)["data"])
        if path:
            with open(path, "wb") as file:
                file.write(data)
        return data

    def cookies(self):
        return self.tools.call("Storage.getCookies", {"browserContextId": self.context})["cookies"]

    def set_cookie(self, url, name, value):
        self.call("Network.setCookie", {"url": url, "name": name, "value": value})

    def clear_cookies(self):
        self.tools.call("Storage.clearCookies", {"browserContextId": self.context})

    def traffic(self):
        """All requests since the last `forget_traffic`, in order, with url, status and bytes on the wire."""
        with self.lock:
            return [dict(self.requests[each]) for each in self.order]

    def forget_traffic(self, cache=False):
        with self.lock:
            self.requests, self.order = {}, []
        self.call("Network.setCacheDisabled", {"cacheDisabled": not cache})

    def timing(self):
        """Milliseconds since the navigation began: first paint, first contentful paint, loaded."""
        return self.evaluate("""(() => {
          const found = Object.fromEntries(performance.getEntriesByType("paint").map(e => [e.name, e.startTime]));
          const way = performance.getEntriesByType("navigation")[0];
          return {paint: found["first-paint"], contentful: found["first-contentful-paint"],
                  interactive: way.domInteractive, loaded: way.loadEventEnd, answered: way.responseStart};
        })()""")
