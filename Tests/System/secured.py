"""Clusters as they are outside of a test bench: TLS, tokens, certificates, logins and rights, with the real program.

    python3 Tests/System/secured.py path/to/rondo [WORD ...]

Needs root and iproute2: everything happens in network namespaces, named for this run and removed at its end. With
words, only tests run that have one of them in their name; the cluster is formed in any case.
"""

import os
import shutil
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import TESTS, at_end, finish, run_tests  # noqa: E402
from secured_nodes import world  # noqa: E402

# In the order in which they run; the last ones leave the cluster changed.
import secured_joining  # noqa: E402, F401
import secured_tls  # noqa: E402, F401
import secured_access  # noqa: E402, F401
import secured_rights  # noqa: E402, F401
import secured_cli  # noqa: E402, F401
import secured_lives  # noqa: E402, F401
import secured_moves  # noqa: E402, F401


def main():
    if len(sys.argv) < 2 or not os.access(sys.argv[1], os.X_OK):
        sys.exit("usage: secured.py path/to/rondo [WORD ...]")
    if os.geteuid() != 0 or not all(shutil.which(each) for each in ("ip", "nsenter", "openssl", "curl")):
        sys.exit("needs root, iproute2, nsenter (util-linux), openssl and curl")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    at_end(world.end)
    try:
        world.create(sys.argv[1])
        words = sys.argv[2:] + (["form a cluster"] if sys.argv[2:] else [])
        counts = run_tests(TESTS, words, limit=60)
    except BaseException:
        world.end()
        raise
    finish(*counts)


if __name__ == "__main__":
    main()
