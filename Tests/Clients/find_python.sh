# shellcheck shell=sh
# To be sourced: `find_python` sets $python to an interpreter that the clients know and that can make environments.
# PYTHON names one to try first.

say() { printf '%s\n' "$*" >&2; }

usable() {
    "$1" -c 'import sys; sys.exit(not (3, 8) <= sys.version_info[:2] <= (3, 11))' 2>/dev/null
}
complete() {
    "$1" - <<'PY' 2>/dev/null
import ensurepip, os, sysconfig, venv
raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
PY
}
first_python() {
    for candidate in ${PYTHON:-} /usr/bin/python3 python3 python3.11 python3.10 python3.9 python3.8; do
        if usable "$candidate" && complete "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

find_python() {
    python=$(first_python) || python=
    if [ -n "$python" ] && command -v cc >/dev/null 2>&1; then return; fi
    if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
        say "the client tests need Python 3.8 to 3.11 with venv and headers, and a C compiler;" \
            "on Debian: apt-get install python3-venv python3-dev gcc libc6-dev"
        exit 1
    fi
    say "installing python3-venv python3-dev gcc libc6-dev"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends python3 python3-venv python3-dev gcc libc6-dev >&2
    python=$(first_python) || {
        say "no Python from 3.8 to 3.11 here; set PYTHON=/path/to/one (the clients do not know newer ones)"
        exit 1
    }
}
