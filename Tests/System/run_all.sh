#!/bin/sh
# Every test that needs the built program: foreign clients, the wire, bad input, three nodes that lose parts, and what
# keeps strangers out.
# Builds nothing.
#
#   usage: run_all.sh path/to/rondo [suite ...]
#   suites: pymesos mesoshttp http bad services apps packages uninstalling catalogapps console commands jobs nodes mirror secured reach names containernets hold reboot
#   faults addresses purge provisioning unit images recipes sessions tasks pods network oci podman containerd shim systemd docker
#   catalogall scraping;
#   default all but the last four
set -u

usage() {
    echo "usage: $0 path/to/rondo [pymesos|mesoshttp|http|bad|services|apps|packages|uninstalling|catalogapps|console|commands|jobs|nodes|mirror|secured|reach|names|containernets|hold|" >&2
    echo "       reboot|faults|addresses|purge|provisioning|unit|images|recipes|sessions|tasks|pods|network|oci|podman|containerd|shim|" >&2
    echo "       systemd|docker|catalogall|scraping ...]" >&2
    exit 64
}
[ $# -ge 1 ] && [ -x "$1" ] || usage
rondo=$(CDPATH= cd -- "$(dirname -- "$1")" && pwd)/$(basename -- "$1")
shift
suites=${*:-pymesos mesoshttp http bad services apps packages uninstalling catalogapps console commands jobs nodes mirror secured reach names containernets hold reboot faults addresses purge provisioning unit images recipes sessions tasks pods network oci podman containerd shim}
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
root=$(CDPATH= cd -- "$here/../.." && pwd)
clients=$root/Tests/Clients
logs=$root/.build/system-tests
mkdir -p "$logs"
export PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1

wanted() { case " $suites " in *" $1 "*) return 0 ;; esac; return 1; }
python=
if wanted pymesos || wanted mesoshttp || wanted services || wanted secured || wanted jobs || wanted packages || wanted uninstalling; then
    python=$(timeout -k 5 300 "$clients/setup.sh") || { echo "the clients could not be installed"; exit 1; }
fi
: "${python:=python3}"

summary=$logs/summary
: >"$summary"
failed=0

# Runs one suite on a cluster of its own: what one leaves on a cluster cannot confuse the next. Arguments: name,
# limit in seconds, script, options of `rondo dev`.
suite() {
    wanted "$1" || return 0
    echo
    echo "== $1"
    timeout -k 10 "$2" "$python" "$here/dev_cluster.py" "$rondo" --agents 2 --log "$logs/$1-cluster.log" \
        ${4:+"--with=$4"} -- "$python" "$clients/$3" >"$logs/$1.log" 2>"$logs/$1-errors.log"
    code=$?
    cat "$logs/$1.log"
    verdict "$1" "$code" "$2"
}

verdict() {
    line=$(grep -E '^[0-9]+ passed, [0-9]+ failed' "$logs/$1.log" | tail -n 1)
    case $2 in
    0) ;;
    124 | 137) line="${line:-no result}, ended after $3 s; output in $logs/$1*.log" ;;
    70) line="${line:-no result}, and the cluster did not start or end as it should" ;;
    *) line="${line:-no result, exit $2; output in $logs/$1*.log}" ;;
    esac
    if [ "$2" -ne 0 ]; then
        failed=1
        tail -n 12 "$logs/$1-errors.log"
    fi
    printf '%-12s %s\n' "$1" "$line" >>"$summary"
}

suite pymesos 110 pymesos_test.py
suite mesoshttp 60 mesoshttp_test.py
suite http 90 http_test.py
suite bad 120 bad_input.py

# Jobs, by the program's own commands, by the command line of DC/OS and by a client of Metronome.
suite jobs 100 ../System/jobs.py --jobs

# Services by Marathon's interface, on clusters that the suite makes itself.
if wanted services; then
    echo
    echo "== services"
    timeout -k 15 200 "$python" "$here/services.py" "$rondo" >"$logs/services.log" 2>"$logs/services-errors.log"
    code=$?
    cat "$logs/services.log"
    verdict services "$code" 200
fi

# What apps can have besides a command: private registries, checks, limits, ports.
if wanted apps; then
    echo
    echo "== apps"
    timeout -k 15 240 "$python" "$here/apps.py" "$rondo" >"$logs/apps.log" 2>"$logs/apps-errors.log"
    code=$?
    cat "$logs/apps.log"
    verdict apps "$code" 240
fi

# Packages: by the command line of DC/OS and by the program's own, and what ill repositories do.
if wanted packages; then
    echo
    echo "== packages"
    timeout -k 15 200 "$python" "$here/packages.py" "$rondo" >"$logs/packages.log" 2>"$logs/packages-errors.log"
    code=$?
    cat "$logs/packages.log"
    verdict packages "$code" 200
fi

# The web console, by headless Chromium; the browser's driver on pages of its own; what the terminal and the log make of
# what programs write.
if wanted console; then
    echo
    echo "== console"
    if [ "$(id -u)" -ne 0 ] || ! command -v chromium >/dev/null 2>&1; then
        echo "skip  console: needs root and chromium"
        printf '%-12s %s\n' console "skipped: needs root and chromium" >>"$summary"
    else
        timeout -k 15 60 "$python" "$clients/browser_test.py" >"$logs/browser.log" 2>"$logs/browser-errors.log"
        code=$?
        cat "$logs/browser.log"
        verdict browser "$code" 60
        timeout -k 15 60 "$python" "$clients/console/scripts_test.py" >"$logs/scripts.log" 2>"$logs/scripts-errors.log"
        code=$?
        cat "$logs/scripts.log"
        verdict scripts "$code" 60
        timeout -k 15 180 "$python" "$here/console.py" "$rondo" >"$logs/console.log" 2>"$logs/console-errors.log"
        code=$?
        cat "$logs/console.log"
        verdict console "$code" 180
    fi
fi

# Services by the program's own commands.
suite commands 100 ../System/service_commands.py --services

# Several nodes in network namespaces. Arguments: name, limit in seconds, script, and what of it is to run.
namespaces() {
    wanted "$1" || return 0
    echo
    echo "== $1"
    if [ "$(id -u)" -ne 0 ] || ! command -v ip >/dev/null 2>&1; then
        echo "skip  $1: needs root and iproute2 for network namespaces"
        printf '%-12s %s\n' "$1" "skipped: needs root and iproute2" >>"$summary"
        return 0
    fi
    timeout -k 15 "$2" "$python" "$here/$3" "$rondo" ${4:+"$4"} >"$logs/$1.log" 2>"$logs/$1-errors.log"
    code=$?
    cat "$logs/$1.log"
    verdict "$1" "$code" "$2"
}

namespaces nodes 150 three_nodes.py
# Packages with their images, where no node reaches a registry.
namespaces mirror 90 mirror.py
# Uninstalling ends, whatever is lost.
namespaces uninstalling 150 catalog_cluster.py uninstall
namespaces secured 180 secured.py
namespaces reach 200 reach.py
namespaces names 90 names.py
namespaces containernets 120 container_networks.py
# What must hold while parts of a cluster are lost, and while things go wrong on a node.
namespaces hold 400 hold.py
namespaces reboot 300 reboot.py
namespaces faults 400 faults.py
# All of it takes a minute and a half; every day the one case that all others stand on.
namespaces addresses 90 addresses.py 'both versions'

namespaces tasks 120 tasks.py
namespaces pods 300 pods.py

# The network manager, by the program that drives it as an agent does. It is built with the tests.
network_driver=$(dirname "$rondo")/network-driver
if wanted network; then
    if [ -x "$network_driver" ]; then
        saved=$rondo
        rondo=$network_driver
        namespaces network 240 network.py
        rondo=$saved
    else
        printf '%-12s %s\n' network "skipped: no $network_driver (swift build --product network-driver)" >>"$summary"
    fi
fi

# What changes a machine and takes that back, on machines that are thrown away. Arguments: name, limit, script, and words
# that name what of it is to run.
machine() {
    wanted "$1" || return 0
    echo
    echo "== $1"
    # The system's own, which has the system's packages such as python3-yaml.
    own=/usr/bin/python3
    [ -x "$own" ] || own=$python
    # Word splitting is meant: each is a word.
    # shellcheck disable=SC2086
    timeout -k 15 "$2" "$own" "$here/$3" "$rondo" ${4:-} >"$logs/$1.log" 2>"$logs/$1-errors.log"
    code=$?
    grep -v '^ok ' "$logs/$1.log"
    verdict "$1" "$code" "$2"
}

machine purge 200 purge.py
machine provisioning 150 provisioning.py
machine unit 150 unit.py
machine images 180 images.py
# All of them are tried by `make images`; every day those that are made in seconds.
machine recipes 150 recipes.py 'same busybox job redis'

# Packages of Catalog/: every day those whose images are small, by name each of them, and Prometheus on three nodes.
machine catalogapps 240 catalog_apps.py 'templates redis nginx memcached mosquitto'
machine catalogall 1500 catalog_apps.py
namespaces scraping 300 catalog_cluster.py prometheus

# Commands in the containers of tasks. The foreign command lines have Pythons of their own, and are skipped where they
# cannot be installed.
if wanted sessions; then
    for setup in setup_mesos_cli.sh setup.sh; do
        [ ! -x "$clients/$setup" ] || timeout -k 5 300 "$clients/$setup" >/dev/null || :
    done
fi
namespaces sessions 150 sessions.py

# Containers: the runtime by its command line, and under the engines that call it. Arguments: name, limit, script.
containers() {
    wanted "$1" || return 0
    echo
    echo "== $1"
    if [ "$(id -u)" -ne 0 ]; then
        echo "skip  $1: containers with all their namespaces and control groups need root"
        printf '%-12s %s\n' "$1" "skipped: needs root" >>"$summary"
        return 0
    fi
    timeout -k 15 "$2" "$python" "$here/$3" "$rondo oci" >"$logs/$1.log" 2>"$logs/$1-errors.log"
    code=$?
    grep -v '^ok ' "$logs/$1.log"
    verdict "$1" "$code" "$2"
}

containers oci 150 oci_runtime.py
containers podman 150 oci_podman.py
containers containerd 100 oci_containerd.py
containers systemd 100 oci_systemd.py
containers shim 150 oci_shim.py
containers docker 150 oci_docker.py

echo
cat "$summary"
exit "$failed"
