#!/bin/sh
# Makes the virtual environment with the command line of DC/OS and the clients of its services, unmodified and at the
# last versions on PyPI. Prints the path of its python; `dcos` is beside it. Quick when there is nothing to do.
#
#   usage: setup_dcos.sh [DIRECTORY]      default: .build/dcos-clients at the top of the repository
#   PYTHON=/path/to/python3               which interpreter to use (3.8 to 3.11: the clients do not know newer ones)
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
target=${1:-$root/.build/dcos-clients}

# Changing anything below makes existing environments be built again. The clients pin libraries of 2017, which do not
# install on Pythons of today; these are the last ones that they work with.
tools='setuptools==69.5.1 wheel==0.45.1'
libraries='jsonschema==2.6.0 pager==3.3 prettytable==0.7.2 PyJWT==2.9.0 Pygments==2.18.0 requests==2.32.5 six==1.17.0
    toml==0.10.2 sseclient==0.0.19 retrying==1.3.4 docopt==0.6.2 cryptography==43.0.3 pkginfo==1.12.0
    protobuf==3.20.3 requests-toolbelt==1.0.0'
clients='dcos==0.6.1 dcoscli==0.6.1 dcos-metronome==0.3.0 marathon==0.13.0'
stamp="2 $tools $libraries $clients"

# shellcheck source=Tests/Clients/find_python.sh
. "$here/find_python.sh"

if [ -x "$target/bin/python" ] && [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
    printf '%s\n' "$target/bin/python"
    exit 0
fi

find_python
say "setting up the clients of DC/OS in $target"
rm -rf "$target"
mkdir -p "$(dirname -- "$target")"
"$python" -m venv "$target"
pip() { "$target/bin/python" -m pip --quiet --disable-pip-version-check --no-input "$@" >&2; }
# Word splitting is meant: each is a list of requirements.
pip install $tools
pip install --prefer-binary $libraries
pip install --no-deps $clients

# Names that Python 3.10 has moved, put back for programs that are older. (Debian has a sitecustomize of its own.)
site=$("$target/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
printf 'import moved_names\n' >"$site/moved_names.pth"
cat >"$site/moved_names.py" <<'PY'
import collections
import collections.abc

for name in collections.abc.__all__:
    if not hasattr(collections, name):
        setattr(collections, name, getattr(collections.abc, name))
PY

if ! "$target/bin/python" -W ignore -c 'import dcoscli.job.main, dcoscli.cluster.main, metronome, marathon'; then
    say "the clients of DC/OS were installed and cannot be imported; see the error above"
    exit 1
fi
printf '%s\n' "$stamp" >"$target/stamp"
printf '%s\n' "$target/bin/python"
