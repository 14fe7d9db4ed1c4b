extension ContainerConfig {
    /// The versions of the specification this runtime follows.
    static let versionMin = "1.0.0"
    static let versionMax = "1.3.0"

    /// Judges what types and ranges cannot say: what the specification demands of fields together.
    ///
    /// Nothing on the host is changed; only the paths of network namespaces are looked at. A configuration without
    /// `process` passes: it can be created, but not started. In messages the text is called `name`.
    func check(name: String = "config.json") throws(RuntimeFailure) {
        try Self.check(version: ociVersion, name)
        try process?.check(name: name, path: "process")
        guard let root else { throw .invalid(name, "root", "missing, but required") }
        if root.path.isEmpty { throw .invalid(name, "root.path", "must not be empty") }
        if hostname != nil, linux.namespace(.uts) == nil {
            throw .invalid(name, "hostname", "can only be set in a uts namespace; add one to linux.namespaces")
        }
        if domainname != nil, linux.namespace(.uts) == nil {
            throw .invalid(name, "domainname", "can only be set in a uts namespace; add one to linux.namespaces")
        }
        try checkLength(hostname, "hostname", name)
        try checkLength(domainname, "domainname", name)
        for (index, mount) in mounts.enumerated() {
            try mount.check(name, "mounts[\(index)]", hasUserNamespace: linux.namespace(.user) != nil)
        }
        try hooks.check(name)
        for annotation in annotations where annotation.name.isEmpty {
            throw .invalid(name, "annotations", "must not hold an empty name")
        }
        try linux.check(name)
    }

    /// The kernel keeps 64 bytes for each.
    private func checkLength(_ text: String?, _ place: String, _ name: String) throws(RuntimeFailure) {
        guard let text, text.utf8.count > 64 else { return }
        throw .invalid(name, place, "\(text.utf8.count) bytes long, at most 64 are possible")
    }

    /// Semantic versions from 1.0 to 1.3, whatever comes after a hyphen or plus.
    private static func check(version: String, _ name: String) throws(RuntimeFailure) {
        let core = version.utf8.prefix { $0 != UInt8(ascii: "-") && $0 != UInt8(ascii: "+") }
        let parts = core.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        let numbers = parts.compactMap { number($0) }
        let suffix = version.utf8.dropFirst(core.count)
        let suffixIsFine =
            suffix.count != 1
            && suffix.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                    UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "."):
                    true
                default: false
                }
            }
        guard parts.count == 3, numbers.count == 3, suffixIsFine else {
            throw .invalid(name, "ociVersion", "expected a version such as 1.2.0, found \(version.quoted)")
        }
        guard numbers[0] == 1, numbers[1] <= 3 else {
            throw .invalid(
                name, "ociVersion",
                "\(version.quoted) is not supported; this runtime follows the versions 1.0 to 1.3")
        }
    }

    /// A number of a version: digits without leading zeros.
    private static func number(_ digits: Substring.UTF8View) -> Int? {
        guard !digits.isEmpty, digits.allSatisfy({ UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }),
            digits.count == 1 || digits.first != UInt8(ascii: "0")
        else { return nil }
        return Int(Substring(digits))
    }
}

extension MountConfig {
    fileprivate func check(_ name: String, _ path: String, hasUserNamespace: Bool) throws(RuntimeFailure) {
        if destination.isEmpty { throw .invalid(name, "\(path).destination", "must not be empty") }
        let read = MountOptions(options)
        let mapped = !uidMappings.isEmpty || !gidMappings.isEmpty
        if isBind(read) {
            if source == nil { throw .invalid(name, "\(path).source", "missing, but required for a bind mount") }
            // Words for a filesystem mean nothing to a bind, to the kernel as to other runtimes; a map would be missed.
            for word in read.data.split(separator: ",") where word.hasPrefix("idmap=") || word.hasPrefix("ridmap=") {
                throw .invalid(
                    name, "\(path).options",
                    "\(String(word).quoted) is no map of ids such as idmap=uids=0-1000-10;gids=0-1000-10")
            }
        } else if mapped || read.isIDMapped {
            throw .invalid(name, path, "only bind mounts can have id mappings")
        }
        if mapped {
            if uidMappings.isEmpty { throw .invalid(name, "\(path).uidMappings", "missing beside gidMappings") }
            if gidMappings.isEmpty { throw .invalid(name, "\(path).gidMappings", "missing beside uidMappings") }
        } else if read.isIDMapped, read.uidMappings.isEmpty, !hasUserNamespace {
            throw .invalid(
                name, "\(path).options",
                "idmap needs uidMappings and gidMappings, or a user namespace to take them from"
            )
        }
        try IDMapping.check(uidMappings, name, "\(path).uidMappings")
        try IDMapping.check(gidMappings, name, "\(path).gidMappings")
        try IDMapping.check(read.uidMappings, name, "\(path).options")
        try IDMapping.check(read.gidMappings, name, "\(path).options")
        if read.tmpcopyup, type != "tmpfs" {
            throw .invalid(name, "\(path).options", "tmpcopyup is for mounts of type tmpfs only")
        }
    }
}

extension HooksConfig {
    fileprivate func check(_ name: String) throws(RuntimeFailure) {
        try check(prestart, name, "hooks.prestart")
        try check(createRuntime, name, "hooks.createRuntime")
        try check(createContainer, name, "hooks.createContainer")
        try check(startContainer, name, "hooks.startContainer")
        try check(poststart, name, "hooks.poststart")
        try check(poststop, name, "hooks.poststop")
    }

    private func check(_ hooks: [HookConfig], _ name: String, _ path: String) throws(RuntimeFailure) {
        for (index, hook) in hooks.enumerated() {
            guard hook.path.isAbsolutePath else {
                throw .invalid(name, "\(path)[\(index)].path", "\(hook.path.quoted) is not an absolute path")
            }
            if let timeout = hook.timeout, timeout <= 0 {
                throw .invalid(name, "\(path)[\(index)].timeout", "must be greater than 0, found \(timeout)")
            }
        }
    }
}

extension IDMapping {
    /// The kernel takes no more ranges than this.
    static let countMax = 340

    /// No range may leave the 32 bits of an id, and no id may be in two ranges of one side.
    static func check(_ mappings: [IDMapping], _ name: String, _ path: String) throws(RuntimeFailure) {
        guard mappings.count <= countMax else {
            throw .invalid(name, path, "\(mappings.count) ranges, the kernel takes at most \(countMax)")
        }
        for (index, mapping) in mappings.enumerated() {
            for (side, first) in [("containerID", mapping.containerID), ("hostID", mapping.hostID)]
            where UInt64(first) + UInt64(mapping.size) > UInt64(UInt32.max) {
                throw .invalid(name, "\(path)[\(index)]", "\(side) and size together exceed \(UInt32.max)")
            }
            for other in mappings[..<index] {
                if overlap(mapping.containerID, other.containerID, mapping.size, other.size) {
                    throw .invalid(name, "\(path)[\(index)]", "overlaps another range inside the container")
                }
                if overlap(mapping.hostID, other.hostID, mapping.size, other.size) {
                    throw .invalid(name, "\(path)[\(index)]", "overlaps another range on the host")
                }
            }
        }
    }

    private static func overlap(_ left: UInt32, _ right: UInt32, _ leftSize: UInt32, _ rightSize: UInt32) -> Bool {
        UInt64(left) < UInt64(right) + UInt64(rightSize) && UInt64(right) < UInt64(left) + UInt64(leftSize)
    }
}
