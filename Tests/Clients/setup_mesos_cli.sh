#!/bin/sh
# Makes the virtual environment with avmesos-cli, the command line of Mesos, unmodified and pinned. Prints the path of
# its `mesos-cli`. Quick when there is nothing to do. Its `task exec` works from the release that needs Python 3.12 on:
# where there is none this exits with 77.
#
#   usage: setup_mesos_cli.sh [DIRECTORY]      default: .build/mesos-cli at the top of the repository
#   PYTHON=/path/to/python3                    which interpreter to use
set -eu

here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
target=${1:-$root/.build/mesos-cli}
stamp='1 avmesos-cli==1.3.0'

if [ -x "$target/bin/mesos-cli" ] && [ "$(cat "$target/stamp" 2>/dev/null)" = "$stamp" ]; then
    printf '%s\n' "$target/bin/mesos-cli"
    exit 0
fi
found=
for python in "${PYTHON:-}" python3 python3.12 python3.13 "$HOME"/.pyenv/versions/3.12*/bin/python3; do
    command -v "$python" >/dev/null 2>&1 || continue
    "$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 12))' 2>/dev/null || continue
    found=$python
    break
done
[ -n "$found" ] || exit 77
echo "setting up mesos-cli in $target" >&2
rm -rf "$target"
mkdir -p "$(dirname -- "$target")"
"$found" -m venv "$target"
"$target/bin/python" -m pip --quiet --disable-pip-version-check --no-input install "${stamp#* }" >&2
printf '%s\n' "$stamp" >"$target/stamp"
printf '%s\n' "$target/bin/mesos-cli"
