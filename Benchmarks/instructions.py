"""Instructions of the container runtime's short commands, and whether they are within their limits.

    instructions.py RONDO DIRECTORY
"""

import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, os.pardir, "Tests", "System"))

from instructions import LIMITS, above, measure, missing  # noqa: E402
from oci_config import base_config  # noqa: E402


def main():
    rondo, directory = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
    line = {"benchmark": "instructions", "what": "rondo oci, to the end; create to the fork of init"}
    if missing() or os.geteuid() != 0:
        print(json.dumps(dict(line, what="left out: needs root, valgrind and binutils")), flush=True)
        return
    bundle = os.path.join(directory, "counted")
    os.makedirs(os.path.join(bundle, "rootfs"))
    with open(os.path.join(bundle, "config.json"), "w") as file:
        json.dump(base_config("counted", "/rondo-bench-%d" % os.getpid()), file)
    counts = measure([rondo, "oci"], directory, bundle)
    print(json.dumps(dict(line, **counts, limits=LIMITS)), flush=True)
    wrong = above(counts)
    for each in wrong:
        print(each, file=sys.stderr)
    if wrong:
        sys.exit(1)


main()
