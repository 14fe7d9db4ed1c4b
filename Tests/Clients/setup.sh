#!/bin/sh
# Makes the virtual environment in which programs nobody here wrote are run against the server: Python clients of
# the Mesos v1 interface and of Marathon's, and the command line of DC/OS, at pinned versions. Prints the path of its python. Quick when there is nothing to do.
#
#   usage: setup.sh [DIRECTORY]      default: .build/clients at the top of the repository
#   PYTHON=/path/to/python3          which interpreter to use (3.8 to 3.11: the clients do not know newer ones)
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
target=${1:-$root/.build/clients}

# Changing anything below makes existing environments be built again.
wheels='addict==2.4.0 six==1.17.0 kazoo==2.11.0 requests==2.32.5 PyJWT==2.9.0'
tools='setuptools==69.5.1 wheel==0.45.1 Cython==0.29.37'
http_parser='http-parser==0.9.0'
pymesos='pymesos==0.3.15'
mesoshttp='mesoshttp==0.4.2'
# What the command line of DC/OS asks for at versions that are too old for our Pythons; these work with it.
dcos_needs='docopt==0.6.2 prettytable==3.11.0 Pygments==2.18.0 retrying==1.3.4 sseclient==0.0.27 toml==0.10.2 pager==3.3
    jsonschema==4.17.3 requests-toolbelt==1.0.0 cryptography==43.0.3'
marathon='marathon==0.13.0'
# Newer releases of protobuf do not take the code that is in this one.
metronome='protobuf==3.20.3 dcos-metronome==0.3.0'
dcos='dcos==0.6.1 dcoscli==0.6.1'
stamp="2 $wheels $tools $http_parser $pymesos $mesoshttp $dcos_needs $marathon $dcos $metronome"

say() { printf '%s\n' "$*" >&2; }

if [ -x "$target/bin/python" ] && [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
    printf '%s\n' "$target/bin/python"
    exit 0
fi

usable() {
    "$1" -c 'import sys; sys.exit(not (3, 8) <= sys.version_info[:2] <= (3, 11))' 2>/dev/null
}
complete() {
    "$1" - <<'PY' 2>/dev/null
import ensurepip, os, sysconfig, venv
raise SystemExit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))
PY
}
find_python() {
    for candidate in ${PYTHON:-} /usr/bin/python3 python3 python3.11 python3.10 python3.9 python3.8; do
        if usable "$candidate" && complete "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    return 1
}

python=$(find_python) || python=
if [ -z "$python" ] || ! command -v cc >/dev/null 2>&1; then
    if ! command -v apt-get >/dev/null 2>&1 || [ "$(id -u)" != 0 ]; then
        say "the client tests need Python 3.8 to 3.11 with venv and headers, and a C compiler;" \
            "on Debian: apt-get install python3-venv python3-dev gcc libc6-dev"
        exit 1
    fi
    say "installing python3-venv python3-dev gcc libc6-dev"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends python3 python3-venv python3-dev gcc libc6-dev >&2
    python=$(find_python) || {
        say "no Python from 3.8 to 3.11 here; set PYTHON=/path/to/one (pymesos does not know newer ones)"
        exit 1
    }
fi

say "setting up client libraries in $target"
rm -rf "$target"
mkdir -p "$(dirname -- "$target")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT INT TERM
"$python" -m venv "$target"
pip() { "$target/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@" >&2; }
# Word splitting is meant: each is a list of requirements.
pip install $tools
pip install --prefer-binary $wheels

# The C source inside http-parser was made for Pythons up to 3.7; the same release's own .pyx, translated again by the
# Cython it was written for, compiles on all of ours.
pip download --no-deps --no-binary :all: --no-build-isolation --dest "$work" "$http_parser"
tar -xzf "$work"/http-parser-*.tar.gz -C "$work"
(
    cd "$work"/http-parser-*/
    "$target/bin/cython" -3 http_parser/parser.pyx -o http_parser/parser.c 2>/dev/null
)
pip install --no-deps --no-build-isolation "$work"/http-parser-*/
pip install --no-deps --no-build-isolation "$pymesos"

# A second client. It also asks for cryptography, which only its DC/OS login uses and which nothing here calls.
pip install --no-deps "$mesoshttp"

pip install --prefer-binary $dcos_needs
pip install --no-deps $marathon $dcos $metronome
# Marathon's client and the command line of DC/OS use names that left the module `collections` with Python 3.10. They are
# put back when the interpreter starts; sitecustomize is the system's on Debian.
packages=$("$target/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf 'import old_collections\n' >"$packages/old_collections.pth"
cat >"$packages/old_collections.py" <<'PY'
import collections
import collections.abc

for name in ("Callable", "Iterable", "Mapping", "MutableMapping", "MutableSet", "Sequence", "Set"):
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))
PY

if ! "$target/bin/python" -c 'import http_parser.parser, pymesos, mesoshttp.client, marathon, dcoscli.main, metronome' 2>"$work/error"; then
    tail -n 3 "$work/error" >&2
    say "the client libraries were installed and cannot be imported; see the error above"
    exit 1
fi
printf '%s\n' "$stamp" >"$target/stamp"
printf '%s\n' "$target/bin/python"
