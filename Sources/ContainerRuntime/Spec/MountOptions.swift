/// The option words of a mount, understood as mount(8) and the runtime specification do.
///
/// Later words win over earlier ones of the same meaning. What is no known word is data for the filesystem.
struct MountOptions: Equatable, Sendable {
    /// `MS_…` bits for mount(2), without propagation.
    var flags: UInt = 0
    /// `MS_…` bits that a word such as `rw` or `exec` took away: a remount of a bind keeps the others.
    var clearedFlags: UInt = 0
    /// Changes of propagation (`MS_SHARED`, `MS_PRIVATE | MS_REC`, …) in the order to make them.
    var propagation: [UInt] = []
    /// `MOUNT_ATTR_…` bits to set on the whole tree with mount_setattr(2).
    var recursiveSet: UInt64 = 0
    /// `MOUNT_ATTR_…` bits to clear on the whole tree with mount_setattr(2).
    var recursiveClear: UInt64 = 0
    /// `idmap` or `ridmap`.
    var isIDMapped = false
    /// `ridmap`: also what is mounted below.
    var isRecursiveIDMapped = false
    /// The maps of `idmap=uids=…;gids=…`; empty for those of the mount, or of the container.
    var uidMappings: [IDMapping] = []
    var gidMappings: [IDMapping] = []
    /// Copy what the image has at the destination into a new tmpfs.
    var tmpcopyup = false
    /// What is left for the filesystem, joined by commas.
    var data = ""

    /// A mount of a file or folder of the host.
    var isBind: Bool { flags & Flag.bind != 0 }
    /// A bind of the mounts below the source as well.
    var isRecursiveBind: Bool { isBind && flags & Flag.recursive != 0 }
    /// A change of a mount that is there already.
    var isRemount: Bool { flags & Flag.remount != 0 }

    init(_ options: [String]) {
        var rest: [String] = []
        for option in options where !apply(option) { rest.append(option) }
        data = rest.joined(separator: ",")
    }

    /// `MS_…` of mount(2).
    enum Flag {
        static let readOnly: UInt = 1
        static let noSuid: UInt = 2
        static let noDev: UInt = 4
        static let noExec: UInt = 8
        static let synchronous: UInt = 16
        static let remount: UInt = 32
        static let mandatoryLocks: UInt = 64
        static let syncDirectories: UInt = 128
        static let noSymlinkFollow: UInt = 256
        static let noAccessTime: UInt = 1024
        static let noDirectoryAccessTime: UInt = 2048
        static let bind: UInt = 4096
        static let recursive: UInt = 16384
        static let silent: UInt = 32768
        static let posixACL: UInt = 1 << 16
        static let unbindable: UInt = 1 << 17
        static let `private`: UInt = 1 << 18
        static let slave: UInt = 1 << 19
        static let shared: UInt = 1 << 20
        static let relativeAccessTime: UInt = 1 << 21
        static let inodeVersion: UInt = 1 << 23
        static let strictAccessTime: UInt = 1 << 24
        static let lazyTime: UInt = 1 << 25
    }

    /// `MOUNT_ATTR_…` of mount_setattr(2).
    enum Attribute {
        static let readOnly: UInt64 = 0x1
        static let noSuid: UInt64 = 0x2
        static let noDev: UInt64 = 0x4
        static let noExec: UInt64 = 0x8
        /// The bits that choose one way of keeping access times; the kernel takes them only together.
        static let accessTimes: UInt64 = 0x70
        static let noAccessTime: UInt64 = 0x10
        static let strictAccessTime: UInt64 = 0x20
        static let noDirectoryAccessTime: UInt64 = 0x80
        static let noSymlinkFollow: UInt64 = 0x20_0000
    }

    /// The propagation a word stands for, such as `rprivate`; nil for another word.
    static func propagation(_ word: String) -> UInt? {
        switch word {
        case "shared": Flag.shared
        case "slave": Flag.slave
        case "private": Flag.private
        case "unbindable": Flag.unbindable
        case "rshared": Flag.shared | Flag.recursive
        case "rslave": Flag.slave | Flag.recursive
        case "rprivate": Flag.private | Flag.recursive
        case "runbindable": Flag.unbindable | Flag.recursive
        default: nil
        }
    }

    /// Words that set or clear bits of ``flags``.
    private static let flagWords: [(word: StaticString, bits: UInt, clear: Bool)] = [
        ("acl", Flag.posixACL, false), ("async", Flag.synchronous, true), ("atime", Flag.noAccessTime, true),
        ("bind", Flag.bind, false), ("defaults", 0, false), ("dev", Flag.noDev, true),
        ("diratime", Flag.noDirectoryAccessTime, true), ("dirsync", Flag.syncDirectories, false),
        ("exec", Flag.noExec, true), ("iversion", Flag.inodeVersion, false), ("lazytime", Flag.lazyTime, false),
        ("loud", Flag.silent, true), ("mand", Flag.mandatoryLocks, false), ("noacl", Flag.posixACL, true),
        ("noatime", Flag.noAccessTime, false), ("nodev", Flag.noDev, false),
        ("nodiratime", Flag.noDirectoryAccessTime, false), ("noexec", Flag.noExec, false),
        ("noiversion", Flag.inodeVersion, true), ("nolazytime", Flag.lazyTime, true),
        ("nomand", Flag.mandatoryLocks, true), ("norelatime", Flag.relativeAccessTime, true),
        ("nostrictatime", Flag.strictAccessTime, true), ("nosuid", Flag.noSuid, false),
        ("nosymfollow", Flag.noSymlinkFollow, false), ("rbind", Flag.bind | Flag.recursive, false),
        ("relatime", Flag.relativeAccessTime, false), ("remount", Flag.remount, false), ("ro", Flag.readOnly, false),
        ("rw", Flag.readOnly, true), ("silent", Flag.silent, false), ("strictatime", Flag.strictAccessTime, false),
        ("suid", Flag.noSuid, true), ("symfollow", Flag.noSymlinkFollow, true), ("sync", Flag.synchronous, false),
    ]

    /// Words for whole trees. A word about access times clears the field and sets its own choice in it, the default
    /// being relative times.
    private static let recursiveWords: [(word: StaticString, bits: UInt64, clear: Bool)] = [
        ("ratime", Attribute.accessTimes, true), ("rdev", Attribute.noDev, true),
        ("rdiratime", Attribute.noDirectoryAccessTime, true), ("rexec", Attribute.noExec, true),
        ("rnoatime", Attribute.noAccessTime, false), ("rnodev", Attribute.noDev, false),
        ("rnodiratime", Attribute.noDirectoryAccessTime, false), ("rnoexec", Attribute.noExec, false),
        ("rnorelatime", Attribute.accessTimes, true), ("rnostrictatime", Attribute.accessTimes, true),
        ("rnosuid", Attribute.noSuid, false), ("rnosymfollow", Attribute.noSymlinkFollow, false),
        ("rrelatime", Attribute.accessTimes, true), ("rro", Attribute.readOnly, false),
        ("rrw", Attribute.readOnly, true), ("rstrictatime", Attribute.strictAccessTime, false),
        ("rsuid", Attribute.noSuid, true), ("rsymfollow", Attribute.noSymlinkFollow, true),
    ]

    /// Every word with a meaning of its own, as `features` lists them, sorted.
    static var knownWords: [String] {
        let propagation = ["private", "rprivate", "rshared", "rslave", "runbindable", "shared", "slave", "unbindable"]
        let words = flagWords.map(\.word.description) + recursiveWords.map(\.word.description)
        return (words + propagation + ["idmap", "ridmap", "tmpcopyup"]).sorted()
    }

    /// Takes over a word; false when it has no meaning here.
    private mutating func apply(_ option: String) -> Bool {
        var option = option
        return option.withUTF8 { bytes in
            if let entry = Self.flagWords.first(where: { Self.equal($0.word, bytes) }) {
                setFlag(entry.bits, clear: entry.clear)
                return true
            }
            if let entry = Self.recursiveWords.first(where: { Self.equal($0.word, bytes) }) {
                setRecursive(entry.bits, clear: entry.clear)
                return true
            }
            return nil
        } ?? applyOther(option)
    }

    private mutating func applyOther(_ option: String) -> Bool {
        if let change = Self.propagation(option) {
            propagation.append(change)
            return true
        }
        switch option {
        case "idmap":
            isIDMapped = true
            isRecursiveIDMapped = false
        case "ridmap":
            isIDMapped = true
            isRecursiveIDMapped = true
        case "tmpcopyup": tmpcopyup = true
        default: return applyMaps(option)
        }
        return true
    }

    /// `idmap=uids=0-1000-10#20-2000-1;gids=0-1000-10`, as podman passes it on: first id on the filesystem, first id
    /// it stands for, how many.
    private mutating func applyMaps(_ option: String) -> Bool {
        let isRecursive = option.hasPrefix("ridmap=")
        guard isRecursive || option.hasPrefix("idmap=") else { return false }
        for list in option.dropFirst(isRecursive ? 7 : 6).split(separator: ";") {
            var mappings: [IDMapping] = []
            for text in list.dropFirst(5).split(separator: "#") {
                let numbers = text.split(separator: "-", omittingEmptySubsequences: false).map { UInt32($0) }
                guard numbers.count == 3, let from = numbers[0], let to = numbers[1], let size = numbers[2] else {
                    return false
                }
                mappings.append(IDMapping(containerID: from, hostID: to, size: size))
            }
            if list.hasPrefix("uids=") {
                uidMappings = mappings
            } else if list.hasPrefix("gids=") {
                gidMappings = mappings
            } else {
                return false
            }
        }
        guard !uidMappings.isEmpty, !gidMappings.isEmpty else { return false }
        isIDMapped = true
        isRecursiveIDMapped = isRecursive
        return true
    }

    private mutating func setFlag(_ bits: UInt, clear: Bool) {
        if clear {
            flags &= ~bits
            clearedFlags |= bits
        } else {
            flags |= bits
            clearedFlags &= ~bits
        }
    }

    private mutating func setRecursive(_ bits: UInt64, clear: Bool) {
        if bits & Attribute.accessTimes != 0 {
            recursiveClear |= Attribute.accessTimes
            recursiveSet &= ~Attribute.accessTimes
            if !clear { recursiveSet |= bits }
        } else if clear {
            recursiveClear |= bits
            recursiveSet &= ~bits
        } else {
            recursiveSet |= bits
            recursiveClear &= ~bits
        }
    }

    private static func equal(_ word: StaticString, _ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
        guard word.utf8CodeUnitCount == bytes.count else { return false }
        for offset in 0..<bytes.count where word.utf8Start[offset] != bytes[offset] { return false }
        return true
    }
}

extension MountConfig {
    /// Whether this is a bind, by option or, as some tools write it, by type alone.
    func isBind(_ options: MountOptions) -> Bool { options.isBind || type == "bind" }
}
