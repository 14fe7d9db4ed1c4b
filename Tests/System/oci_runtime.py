"""Drives an OCI runtime's command line with real bundles, as engines do, and looks at what it made of them.

    python3 Tests/System/oci_runtime.py 'path/to/rondo oci' [WORD ...]
    python3 Tests/System/oci_runtime.py path/to/rondo oci -- [WORD ...]
    python3 Tests/System/oci_runtime.py runc [WORD ...]
    python3 Tests/System/oci_runtime.py 'path/to/rondo oci --systemd-cgroup' [WORD ...]     systemd makes the groups

Needs root, busybox-static, util-linux and procps. Containers get names, folders and control groups of this run, and
every test ends with a look for processes, mounts, groups and state that were left behind.
"""

import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, "Clients"))

from harness import TESTS, clean, finish, run_tests  # noqa: E402
from oci_bundle import need_machine, parse_arguments, top  # noqa: E402

import oci_lifecycle  # noqa: E402, F401  (each import registers its tests, in this order)
import oci_process  # noqa: E402, F401
import oci_filesystem  # noqa: E402, F401
import oci_mounts  # noqa: E402, F401
import oci_namespaces  # noqa: E402, F401
import oci_seccomp  # noqa: E402, F401
import oci_hooks  # noqa: E402, F401
import oci_terminal  # noqa: E402, F401
import oci_exec  # noqa: E402, F401
import oci_cgroups  # noqa: E402, F401
import oci_unified  # noqa: E402, F401
import oci_handover  # noqa: E402, F401
import oci_rootless  # noqa: E402, F401
import oci_escapes  # noqa: E402, F401
import oci_habits  # noqa: E402, F401
import oci_escapes_races  # noqa: E402, F401
import oci_escapes_rights  # noqa: E402, F401
import oci_parallel  # noqa: E402, F401
import oci_cost  # noqa: E402, F401


def main():
    command, words = parse_arguments("oci_runtime.py")
    need_machine("unshare", "mount", "ps")
    try:
        top.begin(command)
        print(top.version)
        counts = run_tests(TESTS, words, limit=60)
    except BaseException:
        clean()
        raise
    finish(*counts)


if __name__ == "__main__":
    main()
