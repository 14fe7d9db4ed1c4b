internal import ClusterModel
internal import Glibc
internal import LinuxSystem

// What a container's root is made of, and what its processes may do.
extension ImageTask {
    /// The root.
    ///
    /// - Parameters:
    ///   - network: what it has of networks.
    ///   - credentials: who runs the command, and gets the volumes that are made for it.
    /// - Returns: what goes into the monitor's spec.
    /// - Throws: what of the container cannot be had.
    func root(
        _ network: ContainerNetwork, _ credentials: MonitorSpec.Credentials
    ) throws(TaskError) -> ImageRoot {
        var root = ImageRoot(layers: image.layers, changes: "\(directory)/root")
        root.isReadOnly = flag("read-only")
        root.isPrivileged = container.isPrivileged || flag("privileged")
        // An image can hold what makes anybody root; who may not run tasks as root must not get there by one.
        root.mayGainRights = mayBeRoot
        root.isFiltered = !container.isUnfiltered
        root.network = network.namespace
        root.hostname =
            parameters("hostname").last ?? container.hostname
            ?? (network.namespace == .host ? nil : String(containerID.value.prefix(12)))
        root.capabilities = capabilities(isRoot: credentials.uid == 0)
        root.sharedMemoryBytes = try sharedMemory()
        if let name = parameters("stop-signal").last ?? image.stopSignal {
            guard let signal = SignalNames.number(of: name), signal > 0 else {
                throw TaskError("the signal '\(name.prefix(64))' that should end the container is unknown")
            }
            root.stopSignal = UInt8(clamping: signal)
        }
        for text in parameters("device") { root.devices.append(try device(text)) }
        root.mounts = [ImageRoot.Mount(destination: Self.workPlace, source: .path(workDirectory))] + network.mounts
        let places = VolumePlaces(
            volumeRoot: volumeRoot, workDirectory: workDirectory, groupDirectory: groupDirectory, owner: credentials)
        for volume in container.volumes { root.mounts.append(try mount(volume, places)) }
        for text in parameters("tmpfs") { root.mounts.append(try memory(text)) }
        for text in parameters("volume") { root.mounts.append(try mount(word: text, places)) }
        return root
    }

    /// Whether a word without a value, or with one that means yes, is there.
    private func flag(_ key: String) -> Bool { parameters(key).last.map { $0 != "false" && $0 != "0" } ?? false }

    private func sharedMemory() throws(TaskError) -> UInt64 {
        if let text = parameters("shm-size").last { return try Self.bytes(text, of: "shm-size") }
        return container.sharedMemory.map { UInt64($0) << 20 } ?? 64 << 20
    }

    // MARK: rights

    private func capabilities(isRoot: Bool) -> ImageRoot.Capabilities? {
        func bits(_ numbers: some Sequence<UInt8>) -> UInt64 {
            numbers.reduce(0) { $1 < 64 ? $0 | 1 << UInt64($1) : $0 }
        }
        var bounding = container.boundingCapabilities.map { bits($0) } ?? bits(ContainerInfo.usualCapabilities)
        let effective = container.effectiveCapabilities.map { bits($0) }
        let (added, dropped) = (parameters("cap-add"), parameters("cap-drop"))
        guard container.boundingCapabilities != nil || effective != nil || !(added + dropped).isEmpty else {
            return nil
        }
        for word in dropped { bounding &= ~Self.mask(word) }
        for word in added { bounding |= Self.mask(word) }
        let usual = isRoot ? bounding : 0
        return ImageRoot.Capabilities(bounding: bounding | (effective ?? 0), effective: effective ?? usual)
    }

    private static func mask(_ word: String) -> UInt64 {
        let name = word.uppercased()
        if name == "ALL" { return .max }
        let full = name.hasPrefix("CAP_") ? name : "CAP_" + name
        return Capability.number(of: full).map { 1 << UInt64($0) } ?? 0
    }

    /// What the task asks for, in Mesos' words and in docker's.
    func limits() throws(TaskError) -> [MonitorSpec.ResourceLimit] {
        var limits = container.limits
        for text in parameters("ulimit") {
            let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
            let numbers = parts.count < 2 ? [] : parts[1].split(separator: ":").map { $0 == "-1" ? .max : UInt64($0) }
            guard let soft = numbers.first.flatMap({ $0 }), let hard = numbers.last.flatMap({ $0 }),
                numbers.count <= 2, soft <= hard
            else { throw TaskError("the parameter ulimit is NAME=SOFT:HARD, such as nofile=1024:4096") }
            limits.append(ContainerInfo.ProcessLimit(name: parts[0].uppercased(), soft: soft, hard: hard))
        }
        var found: [MonitorSpec.ResourceLimit] = []
        for limit in limits {
            let limit = try MonitorSpec.ResourceLimit(limit)
            found.removeAll { $0.resource == limit.resource }
            found.append(limit)
        }
        return found
    }

    /// `PATH`, `PATH:PLACE` or `PATH:PLACE:ACCESS`.
    private func device(_ text: String) throws(TaskError) -> ImageRoot.Device {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        var place: String?
        var access = "rwm"
        if parts.count > 1, parts[1].hasPrefix("/") { place = parts[1] } else if parts.count == 2 { access = parts[1] }
        if parts.count == 3 { access = parts[2] }
        guard parts.count <= 3, parts[0].hasPrefix("/dev/"), parts.count < 3 || place != nil, !access.isEmpty,
            access.count <= 3, access.allSatisfy({ "rwm".contains($0) })
        else { throw TaskError("the parameter device is PATH, PATH:PLACE or PATH:PLACE:rwm, below /dev") }
        guard let device = HostDevices.device(at: parts[0], as: place, access: access) else {
            throw TaskError("this machine has no device \(parts[0])")
        }
        return device
    }

    // MARK: mounts

    private func mount(_ volume: ContainerVolume, _ places: VolumePlaces) throws(TaskError) -> ImageRoot.Mount {
        let place =
            volume.containerPath.hasPrefix("/") ? volume.containerPath : "\(Self.workPlace)/\(volume.containerPath)"
        return ImageRoot.Mount(
            destination: place, source: try places.source(volume.source), isReadOnly: volume.isReadOnly)
    }

    /// `SOURCE:DESTINATION[:ro]`.
    private func mount(word: String, _ places: VolumePlaces) throws(TaskError) -> ImageRoot.Mount {
        let parts = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
        guard (2...3).contains(parts.count), parts[1].hasPrefix("/"), !parts[0].isEmpty else {
            throw TaskError("the parameter volume must be SOURCE:DESTINATION or SOURCE:DESTINATION:ro")
        }
        let source: ContainerVolume.Source = parts[0].hasPrefix("/") ? .host(parts[0]) : .named(parts[0])
        return try mount(
            ContainerVolume(
                containerPath: parts[1], isReadOnly: parts.count > 2 && parts[2].split(separator: ",").contains("ro"),
                source: source), places)
    }

    /// `DESTINATION` or `DESTINATION:size=BYTES,…`.
    private func memory(_ text: String) throws(TaskError) -> ImageRoot.Mount {
        let parts = text.split(separator: ":", maxSplits: 1).map(String.init)
        guard let place = parts.first, place.hasPrefix("/") else {
            throw TaskError("the parameter tmpfs is an absolute path, and :size=… if need be")
        }
        var bytes: UInt64 = 64 << 20
        for option in parts.count > 1 ? parts[1].split(separator: ",") : [] where option.hasPrefix("size=") {
            bytes = try Self.bytes(String(option.dropFirst(5)), of: "tmpfs")
        }
        return ImageRoot.Mount(destination: place, source: .memory(bytes: bytes))
    }

    /// A number with `b`, `k`, `m` or `g` behind it, as docker writes sizes.
    static func bytes(_ text: String, of what: String) throws(TaskError) -> UInt64 {
        let word = text.lowercased()
        let digits = word.prefix { $0.isASCII && $0.isNumber }
        let factors: [String: UInt64] = [
            "": 1, "b": 1, "k": 1 << 10, "kb": 1 << 10, "m": 1 << 20, "mb": 1 << 20, "g": 1 << 30, "gb": 1 << 30,
        ]
        guard let number = UInt64(digits), let factor = factors[String(word.dropFirst(digits.count))] else {
            throw TaskError("'\(text.prefix(64))' of \(what) is no size; write it such as 64m")
        }
        let (product, overflow) = number.multipliedReportingOverflow(by: factor)
        guard !overflow, product > 0, product < 1 << 50 else { throw TaskError("\(what): \(text) is out of bounds") }
        return product
    }
}

extension MonitorSpec.ResourceLimit {
    /// A limit of a container; none is the highest number.
    init(_ limit: ContainerInfo.ProcessLimit) throws(TaskError) {
        guard let number = Rlimit.number(of: "RLIMIT_" + limit.name) else {
            throw TaskError("there is no limit '\(limit.name.prefix(64))' of processes")
        }
        self.init(resource: Int32(number), soft: limit.soft ?? .max, hard: limit.hard ?? .max)
    }
}
