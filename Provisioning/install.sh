#!/bin/sh
# Puts Rondo on this machine, changes it to another release, or takes it off again.
#
#     sh install.sh                                                 the program alone; says what to type next
#     ROLE=combined sh install.sh                                   and start the first node of a cluster
#     JOIN=10.0.0.1:5050 TOKEN=rondo1.agent.… sh install.sh         and make this machine an agent of a cluster
#     sh install.sh --uninstall [--purge]                           remove all that this script made
#
# Where the program comes from, one of both:
#     RONDO_URL      address of a release: there are rondo-linux-amd64 and SHA256SUMS. https; plain http only together
#                    with RONDO_SHA256
#     RONDO_FILE     a file on this machine, with SHA256SUMS beside it. Nothing is fetched from anywhere
#     RONDO_SHA256   the hash that the program must have, in place of a SHA256SUMS
# What becomes of it:
#     ROLE           combined (master and agent) or master: make a cluster here, or start the one that is here
#     JOIN           ADDRESS or ADDRESS:PORT of a master: join its cluster; with TOKEN, or TOKEN_FILE that holds it
#     SKIP_START=1   do not start (or restart) the service
#     SKIP_ENABLE=1  do not have it started at boot
#     SKIP_SERVICE=1 the program and its links only, for containers and for users without root
# Where it goes:
#     BIN_DIR        folder of the program, /usr/local/bin; beside it go the links rondo-oci (container runtime) and
#                    containerd-shim-rondo-v2
#     CLUSTER_LINK=1 a link `cluster` too, so that `cluster init` and `cluster join` can be typed
#     DESTDIR        folder that stands for /, to prepare an image; nothing is started
#
# Arguments go to `rondo cluster init` or `rondo cluster join`. Running it again changes only what is different. The
# program is replaced by renaming; a running service is restarted, and its tasks go on meanwhile.
set -eu
umask 022

say() { printf 'install: %s\n' "$*"; }
# What happened and why; then what to do.
fail() {
    printf 'install: %s\n' "$1" >&2
    [ $# -lt 2 ] || printf '         %s\n' "$2" >&2
    exit 1
}
usage() {
    if [ -f "$0" ]; then sed -n '2,/^set -eu/{ /^set -eu/d; s/^# \{0,1\}//; p; }' "$0"; fi
}

# -- what was asked for ------------------------------------------------------------------------------------------------

settings() {
    BIN_DIR=${BIN_DIR:-/usr/local/bin}
    DESTDIR=${DESTDIR:-}
    DESTDIR=${DESTDIR%/}
    RONDO_URL=${RONDO_URL:-} RONDO_FILE=${RONDO_FILE:-} RONDO_SHA256=${RONDO_SHA256:-}
    ROLE=${ROLE:-} JOIN=${JOIN:-} TOKEN=${TOKEN:-}
    SKIP_START=${SKIP_START:-} SKIP_ENABLE=${SKIP_ENABLE:-} SKIP_SERVICE=${SKIP_SERVICE:-}
    CLUSTER_LINK=${CLUSTER_LINK:-}
    # These are for this script; a setting of that name must not reach the program when it is asked something.
    unset RONDO_CONFIG RONDO_TOKEN RONDO_MASTER
    unit=/etc/systemd/system/rondo.service
    folder=/etc/rondo
    environment=$folder/rondo.env
    manifest=$DESTDIR$folder/installed
    purge='' action=install words='' node=''
    case $BIN_DIR in
    /*[!A-Za-z0-9/._-]*) fail "BIN_DIR is '$BIN_DIR', which a service's file cannot hold as it is" \
        "use a folder of letters, digits, dots, dashes and underscores" ;;
    /*) ;;
    *) fail "BIN_DIR is '$BIN_DIR', which is not an absolute path" "name it from / on, such as BIN_DIR=/opt/bin" ;;
    esac
    case $DESTDIR in
    '' | /*) ;;
    *) fail "DESTDIR is '$DESTDIR', which is not an absolute path" "name it from / on" ;;
    esac
}

arguments() {
    for word in "$@"; do
        case $word in
        --uninstall) action=uninstall ;;
        --purge) purge=1 ;;
        --help | -h)
            usage
            exit 0
            ;;
        --token*) fail "--token would be seen by every user of this machine in the list of processes" \
            "give it as TOKEN=… or TOKEN_FILE=… before the script's name" ;;
        --data* | --runtime* | --config*) fail "$word cannot be given: commands on this machine have to find it too" \
            "write it as 'data: DIRECTORY' or 'runtime: DIRECTORY' into $folder/config.yaml" ;;
        '' | *[!]A-Za-z0-9._,:\;/@+=\(\)*[-]*) fail "a service's file cannot hold all characters of '$word'" \
            "write it into $folder/config.yaml; 'rondo config' lists the keys" ;;
        *) words="$words $word" ;;
        esac
    done
    if [ "$action" = uninstall ]; then
        [ -z "$words" ] || fail "--uninstall takes no other argument than --purge, not$words"
        return 0
    fi
    [ -z "$purge" ] || fail "--purge goes with --uninstall only" "sh install.sh --uninstall --purge"
    what_node
}

# The words after `rondo cluster`, into $node; none when nobody has decided yet what this machine is.
what_node() {
    if [ -n "${TOKEN_FILE:-}" ]; then
        TOKEN=$(head -n 1 "$TOKEN_FILE") || fail "TOKEN_FILE=$TOKEN_FILE cannot be read" \
            "put the token there, in one line"
    fi
    case $TOKEN in *[!A-Za-z0-9._-]*) fail "the token has characters that no token has" "paste it again, whole" ;; esac
    if [ -n "$JOIN" ]; then
        case $ROLE in '' | agent) ;; *) fail "a machine joins as agent, not as $ROLE" "leave ROLE out" ;; esac
        case $JOIN in *[!]A-Za-z0-9.:[]*) fail "JOIN=$JOIN is not an address" "JOIN=10.0.0.1:5050, for instance" ;; esac
        node="join $JOIN$words"
        return 0
    fi
    [ -z "$TOKEN" ] || fail "there is a token, but no master to show it to" "add JOIN=ADDRESS:PORT"
    case $ROLE in
    combined | master) node="init --role $ROLE$words" ;;
    agent) fail "an agent needs a master to join" "add JOIN=ADDRESS:PORT and TOKEN=…" ;;
    '') [ -z "$words" ] || fail "there are arguments, but neither ROLE nor JOIN:$words" \
        "say ROLE=combined for the first machine of a cluster, or JOIN=ADDRESS:PORT for another" ;;
    *) fail "ROLE=$ROLE is none that there is" "combined or master; for an agent say JOIN=ADDRESS:PORT" ;;
    esac
    [ -z "$node" ] || [ -z "$SKIP_SERVICE" ] ||
        fail "with SKIP_SERVICE=1 nothing would start the node" "leave ROLE and JOIN out, and type: rondo cluster $node"
}

check_machine() {
    [ "$(uname -s)" = Linux ] || fail "Rondo runs on Linux, and this is $(uname -s)" \
        "install it on a Linux machine; the command line reaches a cluster from there"
    case $(uname -m) in
    x86_64 | amd64) asset=rondo-linux-amd64 ;;
    *) fail "there is no release for $(uname -m); Rondo runs on x86-64 so far" ;;
    esac
    if [ "$(id -u)" -ne 0 ] && [ -z "$DESTDIR" ] && [ -z "$SKIP_SERVICE" ]; then
        fail "a service can be installed by root only" \
            "run this as root; or install the program for yourself: SKIP_SERVICE=1 BIN_DIR=\$HOME/bin"
    fi
}

with_systemd() { [ -z "$DESTDIR" ] && [ -d /run/systemd/system ]; }

# -- making and removing files -----------------------------------------------------------------------------------------

temporary=''
incoming=''
changed='' linked=''
# What was made is written down also when something fails in the middle, so that it can be removed.
cleanup() {
    code=$?
    trap - EXIT INT TERM
    if [ -n "$incoming" ]; then rm -f "$incoming"; fi
    if [ -n "$temporary" ]; then
        if [ -s "$temporary/made" ] && [ -d "${manifest%/*}" ]; then
            cat "$temporary/made" >>"$manifest"
        fi
        rm -rf "$temporary"
    fi
    exit "$code"
}

record() {
    if ! grep -qxF "$1" "$manifest" 2>/dev/null; then printf '%s\n' "$1" >>"$temporary/made"; fi
}

make_directory() {
    [ ! -d "$DESTDIR$1" ] || return 0
    if [ -n "${1%/*}" ]; then make_directory "${1%/*}"; fi
    mkdir "$DESTDIR$1" || fail "$DESTDIR$1 cannot be made" "name a folder that can be with BIN_DIR, or make it first"
    record "$1/"
}

# Puts a file in its place in one step, if it is different from what is there: MODE SOURCE TARGET.
put() {
    if [ -f "$DESTDIR$3" ] && cmp -s "$2" "$DESTDIR$3"; then return 0; fi
    [ ! -d "$DESTDIR$3" ] || fail "$3 is a folder, and a file has to go there" "move it away"
    incoming=$DESTDIR$3.new.$$
    (umask 077 && cp "$2" "$incoming") || fail "$DESTDIR$3 cannot be written" "is there space, and may you write there?"
    chmod "$1" "$incoming"
    if [ "$3" = "$BIN_DIR/rondo" ]; then try_program "$incoming"; fi
    sync "$incoming" 2>/dev/null || sync
    record "$3"
    mv -f "$incoming" "$DESTDIR$3"
    incoming=''
    changed=1
    say "$DESTDIR$3"
}

# A link beside the program. What is there already and not ours stays, which is said.
put_link() {
    if [ "$(readlink "$DESTDIR$BIN_DIR/$1" 2>/dev/null)" = rondo ]; then return 0; fi
    if [ -e "$DESTDIR$BIN_DIR/$1" ] || [ -L "$DESTDIR$BIN_DIR/$1" ]; then
        say "$DESTDIR$BIN_DIR/$1 is there already and is something else; it stays as it is"
        return 0
    fi
    ln -s rondo "$DESTDIR$BIN_DIR/$1"
    record "$BIN_DIR/$1"
    linked=1
    say "$DESTDIR$BIN_DIR/$1 -> rondo"
}

# -- the program -------------------------------------------------------------------------------------------------------

obtain() {
    if [ -n "$RONDO_FILE" ]; then
        [ -z "$RONDO_URL" ] || fail "RONDO_FILE and RONDO_URL are both set" "set one of them"
        [ -f "$RONDO_FILE" ] || fail "RONDO_FILE=$RONDO_FILE is not a file" "name the program's file"
        program=$RONDO_FILE
        sums=$(dirname "$RONDO_FILE")/SHA256SUMS
        asset=$(basename "$RONDO_FILE")
    elif [ -n "$RONDO_URL" ]; then
        download
    else
        fail "where the program comes from is not said" \
            "set RONDO_URL to the address of a release, or RONDO_FILE to a file on this machine"
    fi
    verify
}

download() {
    protocol='https'
    case $RONDO_URL in
    https://*) ;;
    http://*)
        [ -n "$RONDO_SHA256" ] || fail "what comes over plain http may have been changed on its way" \
            "use an https address, or set RONDO_SHA256 to the program's hash"
        protocol=http,https
        ;;
    *) fail "RONDO_URL=$RONDO_URL is not an https address" "for a file on this machine use RONDO_FILE" ;;
    esac
    command -v curl >/dev/null || fail "curl is needed to fetch the program, and is not here" \
        "install curl; or bring the file and SHA256SUMS here yourself and set RONDO_FILE"
    program=$temporary/$asset
    sums=$temporary/SHA256SUMS
    fetch "$asset" "$program"
    [ -n "$RONDO_SHA256" ] || fetch SHA256SUMS "$sums"
}

fetch() {
    say "fetching ${RONDO_URL%/}/$1"
    curl --fail --silent --show-error --location --proto "=$protocol" --tlsv1.2 --retry 3 --connect-timeout 15 \
        --max-time 900 --output "$2" "${RONDO_URL%/}/$1" ||
        fail "${RONDO_URL%/}/$1 could not be fetched" "look at the address; behind a proxy set https_proxy"
}

verify() {
    command -v sha256sum >/dev/null || fail "sha256sum is needed to check the program, and is not here" \
        "install coreutils (or busybox)"
    wanted=$RONDO_SHA256
    if [ -z "$wanted" ]; then
        [ -f "$sums" ] || fail "there is no $sums to check the program with" \
            "bring the release's SHA256SUMS there, or set RONDO_SHA256"
        wanted=$(awk -v name="$asset" '$2 == name || $2 == "*" name { print $1 }' "$sums")
        [ -n "$wanted" ] || fail "$sums has no line for $asset" "use the file that belongs to this release"
    fi
    case $wanted in *[!0-9a-fA-F]*) fail "the hash to check with is not one, or there are several: $wanted" ;; esac
    found=$(sha256sum <"$program")
    found=${found%% *}
    [ "$found" = "$(printf %s "$wanted" | tr A-F a-f)" ] || fail "$asset is not what it should be: its SHA-256 is
         $found, not
         $wanted" "fetch it again; if that does not help, somebody has changed it: do not use it"
}

try_program() {
    "$1" --version >/dev/null 2>&1 || fail "the program does not start on this machine" \
        "it was made for another kind of processor, or $BIN_DIR may not hold programs (noexec)"
}

# -- the service -------------------------------------------------------------------------------------------------------

unit_text() {
    cat <<UNIT
# Runs this machine's node of a Rondo cluster. $environment says which: RONDO_NODE holds the words after
# \`rondo cluster\`; every other RONDO_ variable there is a setting, as \`rondo config\` lists them.
[Unit]
Description=Rondo cluster node
AssertPathExists=$environment
# Not network-online.target: a node needs no network to start, and its peers find it when there is one.
After=network.target nftables.service firewalld.service
# An agent waits for its master for as long as it takes.
StartLimitIntervalSec=0

[Service]
# It says when it is a member of its cluster, and takes commands.
Type=notify
TimeoutStartSec=180
EnvironmentFile=$environment
ExecStart=$BIN_DIR/rondo cluster \$RONDO_NODE
Restart=on-failure
RestartSec=3
# A wrong setting (64) and a refused token (77) do not get better by trying again.
RestartPreventExitStatus=64 77
# It was stopped before it had begun.
SuccessExitStatus=143
# Tasks and their monitors live on when the node stops or is replaced, and the next one takes them over.
KillMode=process
TimeoutStopSec=60
# Control groups below are the node's own, and a task that runs out of memory is the node's affair.
Delegate=yes
OOMPolicy=continue
TasksMax=infinity
LimitNOFILE=1024:1048576
LimitNPROC=infinity
# What no task may do to its machine, root or not. There is no file system, system call or device protection
# here: tasks are made by this process and would inherit it, and what a private mount namespace hides,
# containers could not use.
CapabilityBoundingSet=~CAP_SYS_MODULE CAP_SYS_BOOT CAP_SYS_TIME CAP_WAKE_ALARM CAP_MAC_ADMIN CAP_MAC_OVERRIDE

[Install]
WantedBy=multi-user.target
UNIT
}

install_service() {
    unit_text >"$temporary/unit"
    make_directory "${unit%/*}"
    put 644 "$temporary/unit" "$unit"
    # What cannot start now finds here what it is to become, and a token until it has.
    if [ -n "$node" ] && ! starts_now; then write_environment; fi
}

starts_now() { with_systemd && [ -z "$SKIP_START" ]; }

# What others have written into the file stays; only the owner may read it.
write_environment() {
    {
        echo '# How rondo.service starts the node. Settings may be added as RONDO_KEY=value; data and runtime belong in'
        echo '# config.yaml, where commands find them too.'
        printf 'RONDO_NODE="%s"\n' "$node"
        if [ -n "$TOKEN" ]; then printf 'RONDO_TOKEN=%s\n' "$TOKEN"; fi
        if [ -f "$DESTDIR$environment" ]; then
            grep -vE '^(RONDO_NODE|RONDO_TOKEN)=|^# (How rondo|config.yaml, where)' "$DESTDIR$environment" || true
        fi
    } >"$temporary/environment"
    put 600 "$temporary/environment" "$environment"
}

start_service() {
    with_systemd || return 0
    systemctl daemon-reload
    if [ -n "$node" ] && starts_now; then
        become_node
        return 0
    fi
    if [ ! -f "$environment" ]; then
        next "rondo cluster init            (the first machine), or the line that it printed there"
        return 0
    fi
    [ -n "$SKIP_ENABLE" ] || systemctl --quiet enable rondo.service
    if [ -n "$SKIP_START" ]; then
        next "systemctl restart rondo"
        return 0
    fi
    if [ -z "$changed" ] && systemctl --quiet is-active rondo.service; then
        say "nothing has changed, and the node runs"
        return 0
    fi
    # systemd waits until the node is in its cluster.
    systemctl restart rondo.service || fail "the node does not run" \
        "journalctl -u rondo says why; then: systemctl restart rondo"
    next "rondo cluster status" "rondo cluster token create   (for the line that adds a machine)"
}

# The program makes the node and starts the service, or says why not. The token is a variable of its process alone.
become_node() {
    if [ -n "$changed" ]; then systemctl --quiet try-restart rondo.service || true; fi
    before=$(node_process)
    if [ -n "$TOKEN" ]; then export RONDO_TOKEN="$TOKEN"; fi
    # shellcheck disable=SC2086
    "$BIN_DIR/rondo" cluster $node || fail "the machine is no node; the message above says why" \
        "put that right and run this again"
    unset RONDO_TOKEN
    [ "$before" = "$(node_process)" ] || changed=1
    [ -z "$SKIP_ENABLE" ] || systemctl --quiet disable rondo.service
    next "rondo cluster status" "rondo cluster token create   (for the line that adds a machine)"
}

node_process() { systemctl show --property=MainPID rondo.service; }

# A setting as the program has it.
setting() {
    "$BIN_DIR/rondo" config 2>/dev/null | awk -v key="$1" '$1 == key { print $2 }'
}

next() {
    say "next:"
    for line in "$@"; do printf '             %s\n' "$line"; done
}

# -- the two ways through ----------------------------------------------------------------------------------------------

install() {
    check_machine
    obtain
    make_directory "$folder"
    make_directory "$BIN_DIR"
    put 755 "$program" "$BIN_DIR/rondo"
    put_link rondo-oci
    put_link containerd-shim-rondo-v2
    [ -z "$CLUSTER_LINK" ] || put_link cluster
    if [ -z "$SKIP_SERVICE" ] && { [ -n "$DESTDIR" ] || with_systemd; }; then
        install_service
        start_service
    elif [ -n "$node" ]; then
        next "rondo cluster $node      (in the foreground; systemd does not run here)"
    else
        next "rondo cluster init"
    fi
    [ -n "$changed$linked" ] || say "nothing to do"
}

uninstall() {
    [ -f "$manifest" ] || fail "there is no $manifest, in which this script writes down what it makes" \
        "what was installed in another way is removed in that way"
    [ "$(id -u)" -eq 0 ] || [ -n "$DESTDIR" ] || [ -w "$manifest" ] || fail "only root can remove it" "run this as root"
    program=$(grep '/rondo$' "$manifest" | head -n 1)
    [ -n "$DESTDIR" ] || [ ! -x "$program" ] || leave_cluster
    if with_systemd && [ -f "$unit" ]; then
        systemctl --quiet disable --now rondo.service || true
    fi
    # Last made, first removed.
    sed '1!G;h;$!d' "$manifest" >"$temporary/order"
    rm -f "$manifest"
    while IFS= read -r path; do remove "$path"; done <"$temporary/order"
    if with_systemd; then
        systemctl daemon-reload
        systemctl --quiet reset-failed rondo.service 2>/dev/null || true
    fi
    [ -n "$purge" ] || say "the program is removed"
}

# A node's data belongs to its cluster, not to this script.
leave_cluster() {
    BIN_DIR=${program%/*}
    data=$(setting data)
    [ -f "$data/node.json" ] || return 0
    [ -n "$purge" ] || fail "this machine is a node of a cluster, with data in $data" \
        "rondo cluster leave --purge takes it out first; --uninstall --purge does both"
    "$program" cluster leave --purge || fail "the machine could not leave its cluster, so nothing was removed" \
        "do what the message above says, then try again"
}

remove() {
    case $1 in
    */)
        rmdir "$DESTDIR${1%/}" 2>/dev/null || [ ! -d "$DESTDIR${1%/}" ] ||
            say "$DESTDIR$1 stays: there are files of others in it"
        ;;
    *) rm -f "$DESTDIR$1" ;;
    esac
}

main() {
    settings
    arguments "$@"
    temporary=$(mktemp -d)
    trap cleanup EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    "$action"
}

# All of the script has arrived when this line is read.
main "$@"
