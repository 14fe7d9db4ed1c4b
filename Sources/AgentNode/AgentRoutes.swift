internal import ClusterModel
internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import NIOCore

/// The agent's own endpoint: state, files, logs, and commands in the containers of tasks.
struct AgentRoutes: Sendable {
    /// The most bytes of a file that one answer carries: Mesos' 16 pages.
    private static let readLimit = 16 * 4_096

    let inbox: AgentInbox
    let files: WorkFiles
    let version: String
    let loop: any EventLoop
    let calls: ContainerCalls

    init(
        inbox: AgentInbox, workRoot: String, logFile: String?, version: String, loop: any EventLoop,
        calls: ContainerCalls
    ) {
        self.inbox = inbox
        files = WorkFiles(root: workRoot, logFile: logFile)
        self.version = version
        self.loop = loop
        self.calls = calls
    }

    func answer(_ request: GatewayRequest) async throws -> GatewayResponse {
        var segments = request.target.segments
        // libprocess serves everything of an agent below its own name too.
        if let first = segments.first, first == "slave(1)" || first == "slave" { segments.removeFirst() }
        let route = segments.joined(separator: "/")
        if route == "api/v1", request.method == .post { return try await calls.answer(request) }
        let name = route.hasSuffix(".json") ? String(route.dropLast(5)) : route
        if segments.starts(with: ["metrics", "v0"]), request.method == .get || request.method == .head {
            return try await metrics(Array(segments.dropFirst(2)))
        }
        guard
            ["state", "containers", "metrics/snapshot", "version", "health"].contains(name) || name.hasPrefix("files/")
                || name == "rondo/v1/logs"
        else { throw GatewayError(.notFound, "the agent has no endpoint '\(request.path.prefix(256))'") }
        guard request.method == .get || request.method == .head else {
            throw GatewayError(.methodNotAllowed, "only GET is allowed here", headers: [.allow: "GET, HEAD"])
        }
        switch name {
        case "health": return .complete(.ok)
        case "version":
            return .json(.object([("version", .text(MesosRelease.version)), ("rondo_version", .text(version))]))
        case "state": return .json(AgentStateText(snapshot: try await snapshot()).json)
        case "containers":
            return .json(AgentStateText(snapshot: try await snapshot()).containers(try? CgroupLayout.detect()))
        case "metrics/snapshot": return .json(AgentStateText(snapshot: try await snapshot()).metrics)
        case "files/read": return try read(request.query)
        case "files/browse": return try browse(request.query)
        case "files/download": return try download(request.query)
        case "rondo/v1/logs": return try logs(request)
        default: throw GatewayError(.notFound, "the agent has no endpoint '\(request.path.prefix(256))'")
        }
    }

    /// What DC/OS' metrics service says of a node: `node`, `containers`, `containers/ID` and `containers/ID/app`. 204 where
    /// nothing is known.
    private func metrics(_ path: [String]) async throws -> GatewayResponse {
        // Load is what happens between two looks.
        let earlier = try HostLoad.processorTime()
        if path == ["node"] { try await Task.sleep(for: .milliseconds(200)) }
        let text = AgentMetricsText(snapshot: try await snapshot(), time: AgentClock.now().wall)
        switch (path.first, path.count) {
        case ("node", 1): return .json(try text.node(since: earlier, work: files.root))
        case ("containers", 1): return .json(text.containers)
        case ("containers", 2):
            return text.container(path[1], try? CgroupLayout.detect()).map(GatewayResponse.json)
                ?? .complete(.noContent)
        // Tasks have no way to hand in figures of their own.
        case ("containers", 3) where path[2] == "app": return .complete(.noContent)
        default:
            throw GatewayError(
                .notFound,
                "the agent's metrics are at metrics/v0/node, metrics/v0/containers and metrics/v0/containers/ID")
        }
    }

    private func snapshot() async throws -> AgentSnapshot {
        guard let snapshot = await inbox.snapshot() else { throw GatewayError.stopping }
        return snapshot
    }

    private func path(_ query: QueryParameters) throws(GatewayError) -> String {
        guard let path = query["path"], !path.isEmpty else {
            throw GatewayError(.badRequest, "expecting 'path=value' in the query")
        }
        return path
    }

    /// A whole number, at least as large as a bound; Mesos allows -1 for "the end".
    private func number(
        _ name: String, _ query: QueryParameters, least: Int64
    ) throws(GatewayError) -> Int64? {
        guard let text = query[name], !text.isEmpty else { return nil }
        guard let number = Int64(text), number >= least else {
            throw GatewayError(.badRequest, "'\(name)' must be a whole number, at least \(least)")
        }
        return number
    }

    private func read(_ query: QueryParameters) throws(GatewayError) -> GatewayResponse {
        let file = try files.openFile(try path(query))
        let offset = try number("offset", query, least: -1) ?? -1
        let length = try number("length", query, least: -1) ?? -1
        let size = Int64(WorkFiles.facts(file)?.st_size ?? 0)
        // Mesos: without an offset, how long the file is.
        if offset == -1 { return .json(.object([("data", .text("")), ("offset", .integer(size))])) }
        let wanted = length == -1 ? Self.readLimit : Int(min(length, Int64(Self.readLimit)))
        let bytes = try readChunk(file, at: offset, count: wanted)
        let whole = withoutTornCharacter(bytes)
        return .json(
            .object([("data", .text(String(decoding: whole, as: UTF8.self))), ("offset", .integer(offset))]))
    }

    private func browse(_ query: QueryParameters) throws(GatewayError) -> GatewayResponse {
        let entries = try files.browse(try path(query))
        let accounts = try? AccountDatabase()
        return .json(
            .list(
                entries.map { entry in
                    let facts = entry.facts
                    let user = accounts?.users.first { $0.uid == facts.st_uid }?.name ?? "\(facts.st_uid)"
                    let group = accounts?.groups.first { $0.gid == facts.st_gid }?.name ?? "\(facts.st_gid)"
                    return .object([
                        ("path", .text(entry.path)), ("nlink", .integer(Int64(facts.st_nlink))),
                        ("size", .integer(Int64(facts.st_size))), ("mtime", .integer(Int64(facts.st_mtim.tv_sec))),
                        ("mode", .text(Self.mode(facts.st_mode))), ("uid", .text(user)), ("gid", .text(group)),
                    ])
                }))
    }

    /// As `ls -l` writes it: `-rw-r--r--`.
    private static func mode(_ mode: mode_t) -> String {
        let kind =
            switch mode & S_IFMT {
            case S_IFDIR: "d"
            case S_IFLNK: "l"
            case S_IFIFO: "p"
            case S_IFSOCK: "s"
            case S_IFCHR: "c"
            case S_IFBLK: "b"
            default: "-"
            }
        let letters = Array("rwxrwxrwx")
        return kind + String(letters.enumerated().map { mode & (0o400 >> mode_t($0.offset)) != 0 ? $0.element : "-" })
    }

    private func download(_ query: QueryParameters) throws(GatewayError) -> GatewayResponse {
        let path = try path(query)
        // Opened twice: the first time so that a missing file is an answer and not a broken stream.
        _ = try files.openFile(path)
        let files = files
        let name =
            path.split(separator: "/").last.map { $0.filter { $0.isASCII && $0 != "\"" && $0 != "\\" } } ?? "file"
        return .stream(
            headers: [
                .contentType: "application/octet-stream",
                .contentDisposition: "attachment; filename=\"\(name)\"",
            ]
        ) { writer in
            let file = try files.openFile(path)
            var offset: Int64 = 0
            while true {
                let bytes = try readChunk(file, at: offset, count: Self.readLimit)
                if bytes.isEmpty { return }
                offset += Int64(bytes.count)
                try await writer.write(ByteBuffer(bytes: bytes))
            }
        }
    }

    private func logs(_ request: GatewayRequest) throws(GatewayError) -> GatewayResponse {
        let path = try path(request.query)
        var start = LogReader.Start.offset(try number("offset", request.query, least: 0) ?? 0)
        // -1 for all that is kept.
        if let lines = try number("tail", request.query, least: -1) {
            start = lines < 0 ? .oldest : .lastLines(Int(min(lines, 1 << 40)))
        }
        let follows = ["true", "1"].contains(request.query["follow"] ?? "")
        guard let container = files.container(of: path) else {
            throw GatewayError(.notFound, "'\(path.prefix(1_024))' is no file in a task's work directory")
        }
        if !follows { _ = try files.openFile(path) }
        let log = GrowingLog(
            path: path, container: container, files: files, inbox: inbox, loop: loop, start: start, follows: follows)
        return .stream(headers: [.contentType: "application/octet-stream"]) { writer in
            try await log.send(to: writer)
        }
    }
}

extension GatewayResponse {
    fileprivate static func json(_ value: JSONText) -> GatewayResponse {
        .text(.ok, value.encoded, type: "application/json")
    }
}
