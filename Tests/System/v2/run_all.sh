#!/usr/bin/env bash
# The tests that need a machine with cgroup version 2 alone and systemd: makes one, and runs them there with the built
# program. Builds nothing of Rondo's.
#
#   usage: run_all.sh path/to/rondo [suite ...]
#   suites: doctor agent service reboot oci oci-systemd podman podman-systemd
#
# Each suite has a machine of its own; two run at a time. Prints what failed, and a closing line for each.
set -uo pipefail

usage() {
    echo "usage: $0 path/to/rondo [doctor|agent|service|reboot|oci|oci-systemd|podman|podman-systemd ...]" >&2
    exit 64
}
[ $# -ge 1 ] && [ -x "$1" ] || usage
rondo=$1
shift
suites=("$@")
[ $# -gt 0 ] || suites=(oci oci-systemd agent service reboot podman podman-systemd doctor)
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH='' cd -- "$here/../../.." && pwd)
logs=$root/.build/test-v2-logs
mkdir -p "$logs"
guest=$("$here/build_root.sh" "$root/.build/test-v2") || exit 1

# What runs in the machine: how many seconds at most, and the command. With systemd of podman's cases those alone in
# which it makes a difference.
podman="run_code limits memory pause stats exec_process pod user_namespace removed_running once"
command_of() {
    case $1 in
    doctor) echo 60 'rondo doctor' ;;
    agent) echo 200 'python3 Tests/System/dev_cluster.py /job/bin/rondo --agents 2 --log /job/out/cluster.log --' \
        'python3 Tests/System/v2/agent_tasks.py /job/bin/rondo' ;;
    service) echo 400 'RONDO_TEST_PATIENCE=3 python3 Tests/System/v2/service.py /job/bin/rondo' ;;
    reboot) echo 600 'RONDO_TEST_PATIENCE=3 python3 Tests/System/v2/reboot.py /job/bin/rondo' ;;
    oci) echo 900 'python3 Tests/System/oci_runtime.py "rondo oci"' ;;
    oci-systemd) echo 900 'python3 Tests/System/oci_runtime.py "rondo oci --systemd-cgroup"' ;;
    podman) echo 600 "python3 Tests/System/oci_podman.py 'rondo oci'" ;;
    podman-systemd) echo 600 "python3 Tests/System/oci_podman.py 'rondo oci --systemd-cgroup' $podman" ;;
    *) return 1 ;;
    esac
}

suite() {
    local limit words
    read -r limit words <<<"$(command_of "$1")"
    local more=()
    [ "$1" != reboot ] || more=(--restarts)
    python3 "$here/boot.py" "${more[@]}" --image "$guest" --binary "$rondo=rondo" --limit "$limit" --fetch "$logs/$1" -- \
        sh -c "$words" >"$logs/$1.log" 2>"$logs/$1-errors.log"
    echo $? >"$logs/$1.code"
}

for each in "${suites[@]}"; do command_of "$each" >/dev/null || usage; done
trap 'for each in $(jobs -p); do kill "$each" 2>/dev/null; done; wait' EXIT
trap 'exit 143' TERM INT
for each in "${suites[@]}"; do
    while [ "$(jobs -rp | wc -l)" -ge 2 ]; do wait -n; done
    suite "$each" &
done
wait

failed=0
for each in "${suites[@]}"; do
    code=$(cat "$logs/$each.code" 2>/dev/null || echo 125)
    line=$(grep -aE '^[0-9]+ passed, [0-9]+ failed' "$logs/$each.log" | tail -n 1)
    [ "$each" = doctor ] && line=$(tail -n 1 "$logs/$each.log")
    if [ "$code" -ne 0 ]; then
        failed=1
        echo "== $each (all output: $logs/$each.log)"
        grep -avE '^(ok|skip) ' "$logs/$each.log" | tail -n 40
        tail -n 12 "$logs/$each-errors.log"
        line="${line:-no result}, exit $code"
    fi
    printf '%-16s %s\n' "$each" "$line"
done
exit "$failed"
