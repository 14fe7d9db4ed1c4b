"""A test harness small enough to need no package: tests are functions in order, the last line counts them."""

import os
import sys
import threading
import time
import traceback

# Factor of all waits, for machines that are slow, as virtual ones without hardware's help are.
PATIENCE = float(os.environ.get("RONDO_TEST_PATIENCE", "1"))
TESTS = []
CLEANERS = []


class Failed(AssertionError):
    """What a test found wrong; its text is all that is printed."""


class Skipped(Exception):
    """Why a test cannot run here."""


def test(function):
    """Registers a test. Its docstring, a sentence about the server's behaviour, is its name."""
    TESTS.append(function)
    return function


def check(condition, *what):
    """Fails the test with these words unless the condition holds."""
    if not condition:
        raise Failed(" ".join(str(word) for word in what))


def equal(found, wanted, what):
    """Fails the test unless both are equal, and shows both."""
    if found != wanted:
        raise Failed("%s: wanted %s, found %s" % (what, shortened(wanted), shortened(found)))


def within(pairs, what):
    """Fails the test with every pair's words whose condition does not hold."""
    wrong = [str(words) for condition, words in pairs if not condition]
    if wrong:
        raise Failed("%s: %s" % (what, "; ".join(wrong)))


def shortened(value, limit=600):
    text = repr(value)
    return text if len(text) <= limit else text[:limit] + "… (%d characters)" % len(text)


def eventually(probe, seconds, what, pause=0.05):
    """Asks until the answer is true, for state that no event announces. Returns the answer."""
    seconds *= PATIENCE
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            answer = probe()
            if answer:
                return answer
            last = shortened(answer)
        except (OSError, Failed) as error:
            last = repr(error)
        if time.monotonic() >= deadline:
            raise Failed("%s did not come true within %g s; last answer %s" % (what, seconds, last))
        time.sleep(pause)


def name_of(function):
    return (function.__doc__ or function.__name__).strip().split("\n")[0].rstrip(".")


def main(limit=90):
    """Runs the tests that an argument names part of, or all; exits 0 when none failed. `limit` bounds each, in s."""
    finish(*run_tests(TESTS, sys.argv[1:], limit))


def run_tests(tests, words=(), limit=90):
    """Runs tests in order and returns how many passed, failed and were skipped."""
    words = [word.lower() for word in words]
    chosen = [
        each
        for each in tests
        if not words or any(word in (name_of(each) + " " + each.__name__).lower() for word in words)
    ]
    passed = failed = skipped = 0
    for each in chosen:
        started = time.monotonic()
        watchdog = threading.Timer(limit * PATIENCE, give_up, [name_of(each), limit * PATIENCE])
        watchdog.daemon = True
        watchdog.start()
        try:
            each()
        except Skipped as reason:
            skipped += 1
            print("skip  %s: %s" % (name_of(each), reason))
        except KeyboardInterrupt:
            # pymesos interrupts the main thread when its own thread dies; a person's Ctrl-C looks the same.
            failed += 1
            print("FAIL  %s: interrupted (a client library's thread died, or Ctrl-C)" % name_of(each))
            if "pymesos" not in sys.modules:
                break
        except Failed as reason:
            failed += 1
            print("FAIL  %s: %s" % (name_of(each), reason))
        except Exception:
            failed += 1
            print("FAIL  %s:\n%s" % (name_of(each), indented(traceback.format_exc())))
        else:
            passed += 1
            print("ok    %s (%.1f s)" % (name_of(each), time.monotonic() - started))
        finally:
            watchdog.cancel()
        sys.stdout.flush()
    return passed, failed, skipped


def at_end(function):
    """Has a function called before the process ends, however it ends."""
    CLEANERS.append(function)


def clean():
    while CLEANERS:
        function = CLEANERS.pop()
        try:
            function()
        except Exception:
            print(indented(traceback.format_exc()))


def finish(passed, failed, skipped=0):
    """Prints the closing line and ends the process, whatever threads of libraries are still about."""
    clean()
    print("%d passed, %d failed%s" % (passed, failed, ", %d skipped" % skipped if skipped else ""))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0 if failed == 0 and passed > 0 else 1)


def give_up(name, limit):
    print("FAIL  %s: no end after %d s" % (name, limit))
    for thread, frame in sys._current_frames().items():
        if thread == threading.main_thread().ident:
            print(indented("".join(traceback.format_stack(frame)[-4:])))
    print("stopped in the middle")
    clean()
    sys.stdout.flush()
    os._exit(1)


def indented(text):
    return "\n".join("      " + line for line in text.rstrip().split("\n"))


def need(name, meaning):
    """Reads a setting from the environment, or ends with words about what to set."""
    value = os.environ.get(name)
    if not value:
        sys.exit("set %s: %s" % (name, meaning))
    return value


class Mailbox:
    """What a thread received, in order, with waits for what is yet to come."""

    def __init__(self):
        self.items = []
        self.changed = threading.Condition()

    def put(self, item):
        with self.changed:
            self.items.append(item)
            self.changed.notify_all()

    def wait(self, wanted, seconds, what):
        """Waits until `wanted(items)` is true and returns that; fails with `what` at the deadline."""
        deadline = time.monotonic() + seconds
        with self.changed:
            while True:
                answer = wanted(self.items)
                if answer:
                    return answer
                left = deadline - time.monotonic()
                if left <= 0:
                    tail = shortened(self.items[-3:])
                    raise Failed("no %s within %g s; last of %d: %s" % (what, seconds, len(self.items), tail))
                self.changed.wait(left)

    def mark(self):
        """A place to count later arrivals from."""
        with self.changed:
            return len(self.items)
