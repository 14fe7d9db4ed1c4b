internal import Appliance
internal import ArgumentParser

/// `rondo service log`.
struct ServiceLog: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "log",
        abstract: "Print what the instances of a service have written.",
        discussion: """
            Of several instances each line has the beginning of the instance's own name in front.

              rondo service log web
              rondo service log -f web
              rondo service log web --stderr 4f1c
            """)

    @Flag(name: .shortAndLong, help: "Go on until the instances have ended.") var follow = false
    @Flag(help: "Standard error instead of standard output.") var stderr = false
    @Argument(help: "The service.") var service: String
    @Argument(help: "One instance, or a part of its name that no other one has. (default: all)") var instance: String?
    @OptionGroup var client: ClientOptions

    func run() async throws {
        try await client.withClient { client in
            let tasks = try await instances(ServiceClient(client))
            let isPrefixed = tasks.count > 1
            try await withThrowingTaskGroup(of: Void.self) { group in
                for task in tasks {
                    let prefix = isPrefixed ? Self.short(task) + " | " : ""
                    let (follow, stderr) = (follow, stderr)
                    group.addTask { try await Self.copy(task, client, prefix, follow: follow, stderr: stderr) }
                    // One after the other, unless they go on.
                    if !follow { try await group.waitForAll() }
                }
                try await group.waitForAll()
            }
        }
    }

    private func instances(_ services: ServiceClient) async throws -> [String] {
        let all = (try await services.service(service).service.tasks ?? [])
            .sorted { ($0.startedAt ?? "~", $0.id) < ($1.startedAt ?? "~", $1.id) }.map(\.id)
        guard let instance else {
            if all.isEmpty { throw ApplianceError(.failure, "service '\(service)' has no instances") }
            return all
        }
        let found = all.contains(instance) ? [instance] : all.filter { $0.contains(instance) }
        guard found.count == 1 else {
            throw ApplianceError(
                .failure,
                "\(found.isEmpty ? "no instance" : "more than one instance") of '\(service)' is named '\(instance)'; "
                    + "`rondo service inspect \(service)` shows them")
        }
        return found
    }

    /// `shop_web.instance-4f1c2d3e-….web.1` as `4f1c2d3e`.
    static func short(_ task: String) -> String {
        let parts = task.split(separator: ".")
        guard let own = parts.first(where: { $0.hasPrefix("instance-") }) else {
            return String((parts.last ?? "").prefix(8))
        }
        return String(own.dropFirst("instance-".count).prefix(8))
    }

    private static func copy(
        _ task: String, _ client: ClusterClient, _ prefix: String, follow: Bool, stderr: Bool
    ) async throws {
        let found = try await client.document(TaskDocument.self, "/rondo/v1/tasks/\(PathText.escaped(task))").0
        guard let directory = found.directory, !directory.isEmpty else { return }
        let log = TaskLog(node: found.node, path: "\(directory)/\(stderr ? "stderr" : "stdout")")
        var lines = PrefixedLines(prefix)
        try await log.copy(client, follow: follow) { bytes in
            if !Console.write(bytes: lines.take(bytes), to: 1) { throw ArgumentParser.ExitCode(141) }
        }
        if !Console.write(bytes: lines.rest(), to: 1) { throw ArgumentParser.ExitCode(141) }
    }
}

/// Puts a word in front of each line; whole lines only, so that those of several instances do not mix.
struct PrefixedLines {
    /// A line that does not end is written in pieces of this size.
    private static let lineMax = 64 << 10
    private let prefix: [UInt8]
    private var open: [UInt8] = []

    init(_ prefix: String) { self.prefix = Array(prefix.utf8) }

    /// The lines that are whole with these bytes.
    mutating func take(_ bytes: [UInt8]) -> [UInt8] {
        if prefix.isEmpty { return bytes }
        var out: [UInt8] = []
        for byte in bytes {
            open.append(byte)
            guard byte == 10 || open.count >= Self.lineMax else { continue }
            out += prefix + open
            if byte != 10 { out.append(10) }
            open = []
        }
        return out
    }

    /// What is left at the end.
    mutating func rest() -> [UInt8] {
        if open.isEmpty { return [] }
        defer { open = [] }
        return prefix + open + [10]
    }
}
