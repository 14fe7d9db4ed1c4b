"""The web console in headless Chromium, by real clicks and keys, and by those who mean it ill.

    python3 Tests/System/console.py RONDO [WORD ...]

Needs root, chromium and busybox-static. Works on loopback on a node of its own, and leaves nothing.
"""

import os
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

RONDO = os.path.abspath(sys.argv[1]) if len(sys.argv) > 1 else sys.exit(__doc__)

from harness import TESTS, clean, finish, run_tests  # noqa: E402

import console_guard  # noqa: E402, F401
import console_journey  # noqa: E402, F401
import console_pages  # noqa: E402, F401
import console_bad  # noqa: E402, F401
from console_world import world  # noqa: E402


def main():
    try:
        world.create(RONDO)
        counts = run_tests(TESTS, sys.argv[2:], limit=60)
    except BaseException:
        clean()
        raise
    finish(*counts)


if __name__ == "__main__":
    # A timeout's TERM must not leave the node running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
