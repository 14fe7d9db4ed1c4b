internal import CLinux
internal import Glibc

/// `events`: a container's use of its resources, and memory running out, as lines of JSON.
enum EventsCommand {
    static let events = RuntimeCommand(
        name: "events", summary: "print a container's statistics and out-of-memory events",
        arguments: "<container-id>", arity: .exactly(1),
        flags: [
            Flag("interval", help: "time between statistics, such as 500ms or 1m30s (default: 5s)"),
            Flag("stats", kind: .switched, help: "print statistics once"),
        ],
        examples: [
            ("events --stats web", "what the container uses now"),
            ("events --interval 1s web", "every second, until it ends"),
        ],
        run: { context throws(RuntimeFailure) in
            let record = try context.state.load(context.id)
            let interval = try milliseconds(context.flags.text("interval") ?? "5s")
            guard interval > 0 else { throw RuntimeFailure("duration interval must be greater than 0") }
            guard context.state.status(of: record) != .stopped else {
                throw RuntimeFailure("container with id \(record.id) is not running")
            }
            if context.flags.flag("stats") { return try emit(record, "stats", record.statistics) }
            try follow(record, every: interval)
            return 0
        })

    /// Until the container's init ends.
    private static func follow(_ record: ContainerRecord, every interval: Int32) throws(RuntimeFailure) {
        guard let process = record.openInit() else { return }
        defer { close(process) }
        let memory = MemoryWatch(record.cgroup)
        var due = MemoryWatch.now() + Int(interval)
        while true {
            var waits = [
                pollfd(fd: process, events: Int16(POLLIN), revents: 0),
                pollfd(fd: memory?.descriptor ?? -1, events: Int16(POLLIN), revents: 0),
            ]
            if poll(&waits, 2, Int32(clamping: max(0, due - MemoryWatch.now()))) < 0 && errno != EINTR {
                throw RuntimeFailure("poll", errno: errno)
            }
            if waits[1].revents != 0, let memory, memory.ranOut() { try emit(record, "oom", nil) }
            if waits[0].revents != 0 { return }
            if MemoryWatch.now() >= due {
                try emit(record, "stats", record.statistics)
                due = MemoryWatch.now() + Int(interval)
            }
        }
    }

    @discardableResult
    private static func emit(
        _ record: ContainerRecord, _ type: String, _ data: JSONValue?
    ) throws(RuntimeFailure) -> Int32 {
        var members = [
            JSONMember(name: "type", value: .string(type)), JSONMember(name: "id", value: .string(record.id)),
        ]
        if let data { members.append(JSONMember(name: "data", value: data)) }
        return try Output.write(JSONValue.object(members).text() + "\n")
    }

    /// A duration as Go writes them: `1h2m3.5s`, `300ms`, `0`. Parts of a millisecond count as one.
    static func milliseconds(_ text: String) throws(RuntimeFailure) -> Int32 {
        let failure = RuntimeFailure("invalid value \"\(text)\" for flag -interval: use a duration such as 5s or 500ms")
        var rest = Array(text.utf8)[...]
        if text == "0" { return 0 }
        if rest.first == UInt8(ascii: "-") { return -1 }
        guard !rest.isEmpty else { throw failure }
        var total = 0.0
        while !rest.isEmpty {
            let digits = rest.prefix { $0 == UInt8(ascii: ".") || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(digits.count)
            let unit = rest.prefix { $0 != UInt8(ascii: ".") && !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            rest = rest.dropFirst(unit.count)
            guard digits.first != UInt8(ascii: "."), let number = Double(String(decoding: digits, as: UTF8.self)) else {
                throw failure
            }
            switch String(decoding: unit, as: UTF8.self) {
            case "ns": total += number / 1_000_000
            case "us", "µs", "μs": total += number / 1000
            case "ms": total += number
            case "s": total += number * 1000
            case "m": total += number * 60_000
            case "h": total += number * 3_600_000
            default: throw failure
            }
        }
        guard total < Double(Int32.max) else { throw failure }
        return Int32(total.rounded(.up))
    }
}

extension ContainerRecord {
    /// What its processes have used.
    fileprivate var statistics: JSONValue {
        guard let caches, case .object(var members) = cgroup.statistics() else { return cgroup.statistics() }
        for index in members.indices where members[index].name == "intel_rdt" {
            members[index].value = caches.statistics()
        }
        return .object(members)
    }
}

/// Tells when the kernel kills for want of memory in a container's cgroup.
final class MemoryWatch {
    let descriptor: Int32
    private let directory: String
    private let isVersion2: Bool
    private var kills: Int

    /// nil where the container has no memory controller.
    init?(_ cgroup: CgroupRecord) {
        if let place = cgroup.version1("memory") {
            directory = place.path
            isVersion2 = false
            descriptor = clinux_event_descriptor()
            kills = 0
            guard descriptor >= 0, Self.register(descriptor, directory) else { return nil }
        } else if let place = cgroup.version2, access(place.path + "/memory.events", F_OK) == 0 {
            directory = place.path
            isVersion2 = true
            descriptor = inotify_init1(Int32(IN_CLOEXEC | IN_NONBLOCK))
            kills = Self.kills(in: directory)
            guard descriptor >= 0,
                inotify_add_watch(descriptor, directory + "/memory.events", UInt32(IN_MODIFY)) >= 0
            else { return nil }
        } else {
            return nil
        }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Whether the kernel has killed since the last call; takes the news off the descriptor.
    func ranOut() -> Bool {
        var buffer = [UInt8](repeating: 0, count: 4096)
        let got = read(descriptor, &buffer, isVersion2 ? buffer.count : 8) > 0
        guard isVersion2 else { return got && access(directory, F_OK) == 0 }
        let before = kills
        kills = Self.kills(in: directory)
        return kills > before
    }

    static func now() -> Int {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    }

    /// `eventfd, control file` to cgroup.event_control (cgroup v1, memory.txt §10). The kernel keeps its own reference.
    private static func register(_ event: Int32, _ directory: String) -> Bool {
        guard let control = try? RuntimeFiles.open(directory + "/memory.oom_control", O_RDONLY) else { return false }
        defer { close(control) }
        guard let target = try? RuntimeFiles.open(directory + "/cgroup.event_control", O_WRONLY) else { return false }
        defer { close(target) }
        return RuntimeFiles.writeAll(target, Array("\(event) \(control)".utf8))
    }

    /// `oom_kill` of memory.events.
    private static func kills(in directory: String) -> Int {
        guard let bytes = try? RuntimeFiles.contents(directory + "/memory.events", limit: 4096) else { return 0 }
        for line in String(decoding: bytes, as: UTF8.self).split(separator: "\n") where line.hasPrefix("oom_kill ") {
            return Int(line.dropFirst(9)) ?? 0
        }
        return 0
    }
}
