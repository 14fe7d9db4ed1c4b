extension ResourcesConfig {
    /// Judges limits, mostly so that no text becomes the name of a file it must not be. In messages the text is
    /// called `name`, and the limits lie in it at `path`: nothing for the whole text.
    func check(name: String = "resources.json", path: String = "") throws(RuntimeFailure) {
        let prefix = path.isEmpty ? "" : "\(path)."
        for (place, list) in [("cpus", cpu.cpus), ("mems", cpu.mems)] {
            if let list, !SpecNames.isNumberList(list) {
                throw .invalid(name, "\(prefix)cpu.\(place)", "expected a list such as 0-3,7, found \(list.quoted)")
            }
        }
        var pageSizes: Set<String> = []
        for (index, limit) in hugepageLimits.enumerated() {
            let size = limit.pageSize
            let digits = size.utf8.prefix { UInt8(ascii: "0") <= $0 && $0 <= UInt8(ascii: "9") }
            guard !digits.isEmpty, ["B", "KB", "MB", "GB", "TB"].contains(String(size.dropFirst(digits.count))) else {
                throw .invalid(
                    name, "\(prefix)hugepageLimits[\(index)].pageSize",
                    "expected a size such as 2MB, found \(size.quoted)")
            }
            if !pageSizes.insert(size).inserted {
                throw .invalid(name, "\(prefix)hugepageLimits[\(index)]", "a second limit for pages of \(size)")
            }
        }
        for (index, priority) in network.priorities.enumerated() where !LinuxConfig.isDeviceName(priority.interface) {
            throw .invalid(
                name, "\(prefix)network.priorities[\(index)].name",
                "\(priority.interface.quoted) is no name of a network device")
        }
        for limit in rdma where limit.device.isEmpty || limit.device.utf8.contains(where: { $0 <= 0x20 || $0 == 0x2F })
        {
            throw .invalid(name, "\(prefix)rdma[\(limit.device.quoted)]", "is no name of a device")
        }
        for entry in unified {
            let isFile = entry.file.utf8.contains(UInt8(ascii: ".")) && !entry.file.utf8.contains(UInt8(ascii: "/"))
            guard isFile, entry.file != ".", entry.file != ".." else {
                throw .invalid(
                    name, "\(prefix)unified[\(entry.file.quoted)]", "expected the name of a file such as memory.high")
            }
        }
    }
}
