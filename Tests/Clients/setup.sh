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
dcos='dcos==0.6.1 dcoscli==0.6.1'
stamp="2 $wheels $tools $http_parser $pymesos $mesoshttp $dcos_needs $marathon $dcos"

# shellcheck source=Tests/Clients/find_python.sh
. "$here/find_python.sh"

if [ -x "$target/bin/python" ] && [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
    printf '%s\n' "$target/bin/python"
    exit 0
fi

find_python

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
pip install --no-deps $marathon $dcos
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

if ! "$target/bin/python" -c 'import http_parser.parser, pymesos, mesoshttp.client, marathon, dcoscli.main' 2>"$work/error"; then
    tail -n 3 "$work/error" >&2
    say "the client libraries were installed and cannot be imported; see the error above"
    exit 1
fi
printf '%s\n' "$stamp" >"$target/stamp"
printf '%s\n' "$target/bin/python"
