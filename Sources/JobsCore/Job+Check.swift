internal import ClusterModel
internal import Schedules

/// Something wrong with a part of a job.
public struct JobDefect: Hashable, Sendable {
    /// Which part, as in `/run/artifacts(0)/uri`.
    public var path: String
    /// What is wrong.
    public var message: String

    /// Makes a defect.
    public init(_ path: String, _ message: String) {
        self.path = path
        self.message = message
    }
}

/// The limits of what a job may hold; all of it is stored, shown and sent.
public enum JobLimits {
    /// The longest id, in bytes: tasks are named after it.
    public static let idBytes = 127
    /// The most labels, variables, secrets, artifacts, volumes, arguments or constraints.
    public static let items = 512
    /// The most jobs that one may depend on.
    public static let dependencies = 32
    /// The largest number of seconds: a hundred years.
    public static let seconds = 3_153_600_000
}

extension Job {
    /// Says what is wrong with the job by itself; empty when it may be made.
    public func defects() -> [JobDefect] {
        var found: [JobDefect] = []
        if let defect = Self.defect(ofID: id.value) { found.append(JobDefect("/id", defect)) }
        if labels.count > JobLimits.items { found.append(JobDefect("/labels", "has too many entries")) }
        for (index, parent) in dependencies.enumerated() {
            if let defect = Self.defect(ofID: parent.value) {
                found.append(JobDefect("/dependencies(\(index))/id", defect))
            }
        }
        if Set(dependencies).count != dependencies.count {
            found.append(JobDefect("/dependencies", "has double entries"))
        }
        if dependencies.count > JobLimits.dependencies {
            found.append(JobDefect("/dependencies", "has more than \(JobLimits.dependencies) entries"))
        }
        if dependencies.contains(id) { found.append(JobDefect("/dependencies", "has the job itself")) }
        if schedules.count > 1 { found.append(JobDefect("/schedules", "has more than one entry")) }
        if !schedules.isEmpty, !dependencies.isEmpty {
            found.append(JobDefect("/", "Jobs may not have both dependencies and schedules specified"))
        }
        for (index, schedule) in schedules.enumerated() { found += schedule.defects(at: "/schedules(\(index))") }
        return found + run.defects(at: "/run")
    }

    /// Says what is wrong with the id of a job, or nil: names with dots between them, each of lower-case letters, digits
    /// and dashes inside.
    public static func defect(ofID id: String) -> String? {
        if id.isEmpty { return "must not be empty" }
        if id.utf8.count > JobLimits.idBytes { return "is longer than \(JobLimits.idBytes) bytes" }
        for part in id.split(separator: ".", omittingEmptySubsequences: false) {
            if let defect = JobSchedule.defect(ofID: String(part)) { return defect }
        }
        return nil
    }
}

extension JobSchedule {
    /// Says what is wrong with the schedule by itself.
    public func defects(at path: String = "") -> [JobDefect] {
        var found: [JobDefect] = []
        if let defect = Self.defect(ofID: id) { found.append(JobDefect(path + "/id", defect)) }
        if id.utf8.count > JobLimits.idBytes {
            found.append(JobDefect(path + "/id", "is longer than \(JobLimits.idBytes) bytes"))
        }
        if let defect = TimeZoneName.defect(of: zone) { found.append(JobDefect(path + "/timezone", defect)) }
        if !(60...JobLimits.seconds).contains(startingDeadline) {
            found.append(JobDefect(path + "/startingDeadlineSeconds", "must be 60 to \(JobLimits.seconds)"))
        }
        return found
    }

    /// Says what is wrong with a name without dots, or nil.
    static func defect(ofID id: String) -> String? {
        guard let first = id.utf8.first, let last = id.utf8.last else { return "must not have an empty part" }
        let isFit = id.utf8.allSatisfy { byte in
            (0x61...0x7a).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "-")
        }
        if !isFit { return "must have only lower-case letters, digits, dashes and dots between names" }
        let dash = UInt8(ascii: "-")
        return first == dash || last == dash ? "must not have a name that begins or ends with a dash" : nil
    }
}

extension RunPlan {
    fileprivate func defects(at path: String) -> [JobDefect] {
        amountDefects(path) + commandDefects(path) + secretDefects(path) + networkDefects(path) + placeDefects(path)
    }

    private func amountDefects(_ path: String) -> [JobDefect] {
        var found: [JobDefect] = []
        if cpus.value < 0.01 { found.append(JobDefect(path + "/cpus", "must be at least 0.01")) }
        if memory.value < 32 { found.append(JobDefect(path + "/mem", "must be at least 32")) }
        if !(0...10_000).contains(gpus) { found.append(JobDefect(path + "/gpus", "must be 0 to 10000")) }
        if gpus > 0, docker != nil { found.append(JobDefect(path + "/gpus", "GPUs are not supported with Docker")) }
        if !(1...JobLimits.seconds).contains(maxLaunchDelay) {
            found.append(JobDefect(path + "/maxLaunchDelay", "must be 1 to \(JobLimits.seconds)"))
        }
        if let seconds = restart.activeDeadline, !(0...JobLimits.seconds).contains(seconds) {
            found.append(JobDefect(path + "/restart/activeDeadlineSeconds", "must be 0 to \(JobLimits.seconds)"))
        }
        if let seconds = killGrace, !(0...86_400).contains(seconds) {
            found.append(JobDefect(path + "/taskKillGracePeriodSeconds", "must be 0 to 86400"))
        }
        return found
    }

    private func commandDefects(_ path: String) -> [JobDefect] {
        var found: [JobDefect] = []
        if command == nil, docker == nil || docker?.image == "", ucr == nil {
            found.append(JobDefect(path, "Cmd, Docker or UCR image must be specified"))
        }
        if command != nil, arguments?.isEmpty == false {
            found.append(JobDefect(path, "Either cmd or args may be specified, but not both"))
        }
        if docker != nil, ucr != nil {
            found.append(JobDefect(path, "Either Docker or UCR should be provided, but not both"))
        }
        if command == "" { found.append(JobDefect(path + "/cmd", "must not be empty")) }
        for (name, count) in [
            ("env", environment.count), ("secrets", secrets.count), ("artifacts", artifacts.count),
            ("volumes", volumes.count), ("args", arguments?.count ?? 0), ("placement/constraints", constraints.count),
            ("networks", networks.count),
        ] where count > JobLimits.items {
            found.append(JobDefect(path + "/" + name, "has more than \(JobLimits.items) entries"))
        }
        for name in environment.keys.sorted() where name.isEmpty || name.utf8.contains(0) || name.contains("=") {
            found.append(JobDefect(path + "/env", "has a name that is empty or has '=' or NUL in it"))
        }
        for (index, artifact) in artifacts.enumerated() where artifact.uri.isEmpty {
            found.append(JobDefect(path + "/artifacts(\(index))/uri", "must not be empty"))
        }
        let texts = [command, user].compactMap { $0 } + (arguments ?? [])
        if texts.contains(where: { $0.utf8.contains(0) }) { found.append(JobDefect(path, "has a text with NUL in it")) }
        return found
    }

    private func secretDefects(_ path: String) -> [JobDefect] {
        var used: Set<String> = []
        var found: [JobDefect] = []
        for case .secret(let name) in environment.values { used.insert(name) }
        for (index, volume) in volumes.enumerated() {
            guard case .secret(let file, let name) = volume else { continue }
            used.insert(name)
            if docker != nil {
                found.append(JobDefect(path + "/volumes", "File based secrets are only supported by UCR"))
            }
            if docker == nil, ucr == nil, let defect = SecretFile.defect(ofPath: file) {
                found.append(JobDefect(path + "/volumes(\(index))/containerPath", defect))
            }
        }
        let undefined = used.subtracting(secrets.keys).sorted()
        let unused = Set(secrets.keys).subtracting(used).sorted()
        if !undefined.isEmpty {
            found.append(
                JobDefect(
                    path,
                    "The following secrets are referenced, but undefined: \(undefined.joined(separator: ", ")). "
                        + "Please add them to the secrets field."))
        }
        if !unused.isEmpty {
            found.append(
                JobDefect(
                    path,
                    "The following secrets are defined, but not referenced: \(unused.joined(separator: ", ")). "
                        + "Please remove them from the secrets field."))
        }
        for (name, source) in secrets.sorted(by: { $0.key < $1.key }) {
            if let defect = SecretPath.defect(of: source) {
                found.append(JobDefect(path + "/secrets/\(name.prefix(64))/source", defect))
            }
        }
        return found
    }

    private func networkDefects(_ path: String) -> [JobDefect] {
        var found: [JobDefect] = []
        let modes = Set(networks.map(\.mode))
        if modes.count > 1 {
            found.append(
                JobDefect(
                    path + "/networks",
                    "You may not mix host, container, or container/bridge networking. Only define one kind of network.")
            )
        }
        if docker == nil, ucr == nil, !modes.subtracting([.host]).isEmpty {
            found.append(JobDefect(path + "/networks", "Only containers may join container or bridge networks"))
        }
        if networks.count > 1, !modes.subtracting([.container]).isEmpty {
            found.append(
                JobDefect(path + "/networks", "Only one host or container/bridge network modes are allowed"))
        }
        let names = networks.compactMap(\.name)
        if Set(names).count != names.count {
            found.append(JobDefect(path + "/networks", "network names must be unique"))
        }
        for (index, network) in networks.enumerated() {
            if network.mode == .container, network.name == nil {
                found.append(JobDefect(path + "/networks(\(index))/name", "is required for the mode container"))
            }
            if network.mode != .container, network.name != nil {
                found.append(JobDefect(path + "/networks(\(index))/name", "belongs to the mode container only"))
            }
        }
        return found
    }

    private func placeDefects(_ path: String) -> [JobDefect] {
        var found: [JobDefect] = []
        for (index, constraint) in constraints.enumerated() {
            let place = path + "/placement/constraints(\(index))"
            if constraint.attribute.isEmpty { found.append(JobDefect(place + "/attribute", "must not be empty")) }
            guard constraint.comparison != .same else { continue }
            do throws(TextPatternError) {
                _ = try TextPattern(constraint.value)
            } catch {
                found.append(JobDefect(place + "/value", error.description))
            }
        }
        return found
    }
}
