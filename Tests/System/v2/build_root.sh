#!/usr/bin/env bash
# Makes what boot.py starts: Debian's stock cloud kernel, a small initramfs and a Debian root with systemd, as files in
# a folder that is named after this recipe. Does nothing when they are there already.
#
#     Tests/System/v2/build_root.sh FOLDER        prints FOLDER/<hash of the recipe>
#
# Needs root (mmdebstrap makes devices and changes root), mmdebstrap, e2fsprogs, busybox-static and apt. The kernel is
# downloaded and unpacked, never installed.
set -euo pipefail
[ $# -eq 1 ] || { echo "usage: $0 FOLDER" >&2; exit 64; }
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
mkdir -p "$1"
store=$(CDPATH='' cd -- "$1" && pwd)
target=$store/$(cat "$0" "$here/initramfs.py" "$here/guest.service" | sha256sum | cut -c1-16)

release=bookworm
packages=systemd,systemd-sysv,dbus,podman,conmon,crun,runc,catatonit,python3,busybox-static,procps,util-linux
packages+=,iproute2,nftables,kmod
size=1536M

exec 9>"$store/lock"
flock 9
if [ -e "$target/complete" ]; then
    echo "$target"
    exit 0
fi
[ "$(id -u)" -eq 0 ] || { echo "$0: making the guest's root needs root" >&2; exit 1; }
# Of older recipes, and of attempts that were broken off, nothing is needed any more.
find "$store" -mindepth 1 -maxdepth 1 ! -name lock -exec rm -rf {} +
mkdir "$target"
log=$target/build.log
trap 'code=$?; [ $code -eq 0 ] || { echo "making the guest failed; the end of $log:"; tail -n 15 "$log"; } >&2' EXIT

kernel() {
    cd "$target"
    local package
    package=$(apt-cache depends --important linux-image-cloud-amd64 | awk '$1 == "Depends:" { print $2; exit }')
    [ -n "$package" ] || { apt-get update -qq && package=$(apt-cache depends --important linux-image-cloud-amd64 |
        awk '$1 == "Depends:" { print $2; exit }'); }
    apt-get download "$package" || { apt-get update -qq && apt-get download "$package"; }
    dpkg-deb -x linux-image-*.deb kernel
    rm linux-image-*.deb
    mv kernel/boot/vmlinuz-* vmlinuz
    version=$(basename kernel/lib/modules/*)
    python3 "$here/initramfs.py" "kernel/lib/modules/$version" /bin/busybox initramfs.gz
}

# Debian's own sources; documents and translations are left out, they are half of the files.
root() {
    local skip
    skip=$(printf -- '--dpkgopt=path-exclude=/usr/share/%s/* ' doc man info locale)
    # shellcheck disable=SC2086
    mmdebstrap --variant=minbase --include="$packages" $skip "$release" "$target/root"
    mkdir -p "$target/root/lib/modules"
    cp -a "$target/kernel/lib/modules/$version" "$target/root/lib/modules/"
    chroot "$target/root" depmod "$version"
    rm -rf "$target/kernel" "$target"/root/var/lib/apt/lists/* "$target"/root/var/cache/apt/*
    settings "$target/root"
    mke2fs -q -t ext4 -m 0 -E lazy_itable_init=1,nodiscard -O ^has_journal -d "$target/root" "$target/root.ext4" "$size"
    rm -rf "$target/root"
}

# What a machine has that a person has set up, and nothing that runs by itself in the middle of a test.
settings() {
    echo guest >"$1/etc/hostname"
    printf '127.0.0.1 localhost guest\n' >"$1/etc/hosts"
    echo 0123456789abcdef0123456789abcdef >"$1/etc/machine-id"
    : >"$1/etc/fstab"
    local unit
    for unit in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer systemd-tmpfiles-clean.timer getty@.service serial-getty@.service podman.service podman.socket \
        podman-auto-update.timer podman-auto-update.service podman-restart.service modprobe@.service \
        sys-kernel-debug.mount sys-kernel-tracing.mount sys-kernel-config.mount dev-hugepages.mount \
        systemd-pstore.service systemd-sysusers.service systemd-update-utmp.service; do
        ln -sf /dev/null "$1/etc/systemd/system/$unit"
    done
    install -m 644 "$here/guest.service" "$1/etc/systemd/system/guest.service"
    mkdir -p "$1/etc/systemd/system/multi-user.target.wants"
    ln -sf ../guest.service "$1/etc/systemd/system/multi-user.target.wants/guest.service"
}

echo "making the guest's root in $target (about two minutes, once)" >&2
{
    kernel
    root
} >"$log" 2>&1 9>&-
touch "$target/complete"
echo "$target"
