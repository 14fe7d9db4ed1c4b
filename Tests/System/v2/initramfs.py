"""Makes the initramfs that a kernel needs whose virtio drivers are modules: busybox, those modules, and a script.

    python3 Tests/System/v2/initramfs.py MODULES BUSYBOX TARGET
"""

import gzip
import os
import sys

# In the order in which they can be loaded; what a kernel has built in is not there and not needed.
MODULES = "virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk virtio_console".split()

INIT = """#!/bin/busybox sh
/bin/busybox mkdir -p /dev /proc /root
/bin/busybox mount -t devtmpfs none /dev
for each in %s; do
    [ -e /$each.ko ] && /bin/busybox insmod /$each.ko
done
tries=0
until [ -b /dev/vda ]; do
    tries=$((tries + 1))
    [ $tries -le 200 ] || { echo "the root disk did not appear"; exit 1; }
    /bin/busybox usleep 50000
done
/bin/busybox mount -t ext4 /dev/vda /root || exit 1
/bin/busybox mount --move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
""" % " ".join(MODULES)


class Archive:
    """A cpio archive in the kernel's format ("newc")."""

    def __init__(self):
        self.parts, self.number = [], 0

    def add(self, name, mode, data=b"", device=(0, 0)):
        self.number += 1
        name = name.encode() + b"\0"
        fields = [self.number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(name), 0]
        header = b"070701" + b"".join(b"%08x" % each for each in fields) + name
        self.parts += [header, bytes(-len(header) % 4), data, bytes(-len(data) % 4)]

    def end(self):
        self.add("TRAILER!!!", 0)
        return b"".join(self.parts)


def contents(path):
    with open(path, "rb") as file:
        return file.read()


def main():
    modules, busybox, target = sys.argv[1:]
    archive = Archive()
    archive.add("dev", 0o40755)
    # Without it the script would have no output.
    archive.add("dev/console", 0o20600, device=(5, 1))
    archive.add("bin", 0o40755)
    archive.add("bin/busybox", 0o100755, contents(busybox))
    archive.add("init", 0o100755, INIT.encode())
    for folder, _, names in sorted(os.walk(modules)):
        for name in sorted(names):
            if name.endswith(".ko") and name[:-3].replace("-", "_") in MODULES:
                archive.add(name[:-3].replace("-", "_") + ".ko", 0o100644, contents(os.path.join(folder, name)))
    with open(target, "wb") as file:
        file.write(gzip.compress(archive.end(), mtime=0))


if __name__ == "__main__":
    main()
