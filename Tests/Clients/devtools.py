"""Chromium without a window, spoken to by the Chrome DevTools Protocol over two pipes: the process and its messages.

What a page can do is in browser.py. Nothing but the standard library is needed; messages are JSON with a NUL behind.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

from harness import PATIENCE, Failed

# Chromium reads commands from descriptor 3 and writes answers to 4; a program in between puts them there.
ENTER = """import fcntl, os, sys
high = [fcntl.fcntl(int(each), fcntl.F_DUPFD_CLOEXEC, 10) for each in sys.argv[1:3]]
os.dup2(high[0], 3)
os.dup2(high[1], 4)
os.execvp(sys.argv[3], sys.argv[3:])"""
OPTIONS = [
    "--headless", "--remote-debugging-pipe", "--no-first-run", "--no-default-browser-check", "--disable-gpu",
    "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-default-apps", "--disable-breakpad", "--disable-dev-shm-usage", "--mute-audio", "--hide-scrollbars",
    "--disable-features=Translate,OptimizationHints,MediaRouter,DialMediaRouteProvider", "--password-store=basic",
    "--disable-client-side-phishing-detection", "--metrics-recording-only", "--no-pings", "--no-proxy-server",
]
ANSWER_LIMIT = 64 << 20


def chromium():
    """The path of the browser, or None."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


class DevTools:
    """A browser with a profile that is thrown away. One thread reads; answers and events are handed to who waits."""

    def __init__(self, *options):
        program = chromium()
        if not program:
            raise Failed("there is no chromium on PATH; Debian's package has that name")
        self.profile = tempfile.mkdtemp(prefix="rondo-browser-")
        self.log = os.path.join(self.profile, "log")
        to_child, from_child = os.pipe(), os.pipe()
        command = [program, *OPTIONS, *options, "--user-data-dir=" + self.profile]
        if os.geteuid() == 0:
            # Its own sandbox wants another user than root. The only pages it opens are those of the test.
            command.append("--no-sandbox")
        # It writes to the folders of its user as well, so that one is the profile too.
        environment = dict(os.environ, HOME=self.profile, XDG_CONFIG_HOME=self.profile, XDG_CACHE_HOME=self.profile)
        environment.pop("DBUS_SESSION_BUS_ADDRESS", None)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-S", "-E", "-c", ENTER, str(to_child[0]), str(from_child[1]), *command],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, start_new_session=True,
                pass_fds=(to_child[0], from_child[1]))
        os.close(to_child[0])
        os.close(from_child[1])
        self.output, self.input = to_child[1], from_child[0]
        self.changed = threading.Condition()
        self.sending = threading.Lock()
        self.number = 0
        self.answers, self.listeners = {}, {}
        self.ended = False
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        try:
            self.version = self.call("Browser.getVersion", seconds=30)["product"]
        except BaseException:
            self.stop()
            raise

    def read(self):
        rest = b""
        try:
            while True:
                data = os.read(self.input, 1 << 20)
                if not data:
                    break
                rest += data
                if len(rest) > ANSWER_LIMIT:
                    break
                if b"\0" not in data:
                    continue
                *whole, rest = rest.split(b"\0")
                for each in whole:
                    self.take(json.loads(each.decode("utf-8", "replace")))
        except OSError:
            pass
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def take(self, message):
        if "id" in message:
            with self.changed:
                if message["id"] in self.answers:
                    self.answers[message["id"]] = message
                    self.changed.notify_all()
            return
        listener = self.listeners.get(message.get("sessionId"))
        if listener:
            listener(message["method"], message.get("params", {}))
            with self.changed:
                self.changed.notify_all()

    def call(self, method, parameters=None, session=None, seconds=20):
        """One command and its result. Fails with the browser's words when it refuses."""
        with self.changed:
            self.number += 1
            number = self.number
            self.answers[number] = None
        message = {"id": number, "method": method, "params": parameters or {}}
        if session:
            message["sessionId"] = session
        data = json.dumps(message).encode() + b"\0"
        try:
            with self.sending:
                while data:
                    data = data[os.write(self.output, data):]
        except OSError as error:
            raise Failed("the browser takes no commands any more (%s): %s" % (error, self.last_words()))
        deadline = time.monotonic() + seconds * PATIENCE
        with self.changed:
            while self.answers[number] is None and not self.ended:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self.changed.wait(left)
            answer, ended = self.answers.pop(number), self.ended
        if answer is None:
            why = "the browser ended: " + self.last_words() if ended else "no answer within %d s" % seconds
            raise Failed("%s: %s" % (method, why))
        if "error" in answer:
            raise Failed("%s: %s" % (method, answer["error"].get("message")))
        return answer.get("result", {})

    def last_words(self):
        try:
            with open(self.log, "rb") as log:
                return log.read()[-600:].decode("utf-8", "replace")
        except OSError:
            return ""

    def stop(self):
        """Ends the browser and removes its profile."""
        if self.process.poll() is None:
            try:
                self.call("Browser.close", seconds=3)
            except Failed:
                pass
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                try:
                    # The group is its own: the session was made for it.
                    os.killpg(self.process.pid, signal.SIGKILL)
                except OSError:
                    self.process.kill()
                self.process.wait(10)
        self.reader.join(2)
        for each in (self.output, self.input):
            try:
                os.close(each)
            except OSError:
                pass
        for _ in range(20):
            shutil.rmtree(self.profile, ignore_errors=True)
            if not os.path.exists(self.profile):
                return
            time.sleep(0.1)
