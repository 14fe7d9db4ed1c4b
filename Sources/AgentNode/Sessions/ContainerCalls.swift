internal import AgentCore
internal import ClusterModel
internal import FoundationEssentials
internal import Glibc
internal import HTTPGateway
internal import HTTPTypes
internal import LinuxSystem
internal import Logging
internal import MesosWire
internal import NIOCore
internal import Synchronization
internal import Transport

/// `POST /api/v1` of an agent: the calls with which people run commands in the containers of tasks.
///
/// Who may do this the master has decided before it sends a request here; see ``isTrusted(_:)`` for those that come
/// another way.
struct ContainerCalls: Sendable {
    let inbox: AgentInbox
    let files: AgentFiles
    let sessions: ContainerSessions
    let executable: String
    let logger: Logger

    /// Whether a request may be answered at all: it came from the master, which has asked for the right, or over
    /// loopback to an agent without protection, as `rondo dev` has, and not from a page in a browser.
    private static func isTrusted(_ request: GatewayRequest) -> Bool {
        guard let remote = request.remote else { return true }
        return !request.isProtected && remote.isLoopback && request.headers[.origin] == nil
    }

    func answer(_ request: GatewayRequest) async throws -> GatewayResponse {
        guard Self.isTrusted(request) else {
            throw GatewayError(
                .forbidden, "this agent cannot tell who asks; send the call to the master, at /agent/ID/api/v1")
        }
        let type = (request.headers[.contentType] ?? "").split(separator: ";").first.map { $0.lowercased() } ?? ""
        switch type {
        case "application/json":
            let body = try await request.body.collect(upTo: ContainerCall.lengthLimit)
            let call: ContainerCall
            do throws(WireError) { call = try ContainerCall(json: body.readableBytesView) } catch {
                throw GatewayError(.badRequest, error.message)
            }
            return try await answer(call, request)
        case "application/recordio": return try await input(request)
        default:
            throw GatewayError(
                .unsupportedMediaType,
                "the agent's calls are JSON; send Content-Type application/json, or application/recordio for "
                    + "ATTACH_CONTAINER_INPUT")
        }
    }

    private func answer(_ call: ContainerCall, _ request: GatewayRequest) async throws -> GatewayResponse {
        switch call {
        case .launchSession(let path, let command): return try await launch(path, command)
        case .attachOutput(let path) where path.nested.isEmpty: return try await output(path)
        case .attachOutput(let path):
            let session = try session(path)
            return stream(session, session.output.attach(), isOwner: false)
        case .wait(let path) where path.nested.isEmpty: return try await waitForTask(path, request)
        case .wait(let path): return try await wait(path, request)
        case .kill(let path, let signal):
            try session(path).signal(signal)
            return .complete(.ok)
        case .remove(let path):
            guard try session(path).phase.isOver else {
                throw GatewayError(.conflict, "container '\(path.last)' still runs; kill it first")
            }
            sessions.forget(path)
            return .complete(.ok)
        case .detach(let path):
            // A task goes on whoever looks at it.
            if !path.nested.isEmpty { try session(path).isDetached = true }
            return .complete(.ok)
        case .attachInput, .input:
            throw GatewayError(
                .unsupportedMediaType, "ATTACH_CONTAINER_INPUT is a stream; send Content-Type application/recordio")
        }
    }

    private func session(_ path: ContainerPath) throws(GatewayError) -> ContainerSession {
        if let session = sessions.session(path) { return session }
        throw GatewayError(
            .notFound,
            path.nested.isEmpty
                ? "container '\(path.root)' is a task's own; run a command in it with LAUNCH_NESTED_CONTAINER_SESSION"
                : "there is no container '\(path.last)' in '\(path.root)', or it ended a while ago")
    }

    // MARK: Tasks' own

    /// The task of a container of its own, also one that has ended a while ago.
    private func task(_ path: ContainerPath) async throws -> AgentTaskView {
        let snapshot = await inbox.snapshot()
        let all = (snapshot?.current ?? []) + (snapshot?.completed ?? []).reversed()
        guard let found = all.first(where: { $0.stored.containerID.value == path.root }) else {
            throw GatewayError(.notFound, "there is no task in container '\(path.root)', or it ended a while ago")
        }
        return found
    }

    private func output(_ path: ContainerPath) async throws -> GatewayResponse {
        let task = try await task(path)
        return TaskOutput(
            directory: task.stored.directory, container: task.stored.containerID,
            files: WorkFiles(root: files.workRoot, logFile: nil), inbox: inbox, thread: sessions.thread,
            loop: sessions.loop
        ).response()
    }

    private func terminal(_ path: ContainerPath, _ request: GatewayRequest) async throws -> any ContainerInput {
        let task = try await task(path)
        let id = task.stored.containerID
        guard task.isLive else {
            // What Mesos answers then, and its clients pass over.
            throw GatewayError(.internalServerError, "task '\(task.stored.launch.task.taskID)' has ended")
        }
        guard task.stored.launch.task.container?.hasTerminal == true else {
            throw GatewayError(
                .badRequest,
                "task '\(task.stored.launch.task.taskID)' takes no input: it was started without a terminal; start it "
                    + "with one (tty), or run a command beside it with LAUNCH_NESTED_CONTAINER_SESSION")
        }
        let terminal = TaskTerminal(on: sessions.thread)
        guard await terminal.open(files.monitor(id), sessions.loop, atMost: .seconds(10)) else {
            throw GatewayError(
                .internalServerError, "the terminal of task '\(task.stored.launch.task.taskID)' is closed")
        }
        request.onDisconnect { terminal.release() }
        let (inbox, loop) = (inbox, sessions.loop)
        Task {
            while !terminal.isClosed, await inbox.isLive(id) { await loop.pause(.milliseconds(250)) }
            terminal.release()
        }
        return terminal
    }

    private func waitForTask(_ path: ContainerPath, _ request: GatewayRequest) async throws -> GatewayResponse {
        let isGone = Once()
        request.onDisconnect { _ = isGone.pass() }
        var task = try await task(path)
        while task.isLive {
            guard !isGone.isPassed else { throw GatewayError.clientGone }
            await sessions.loop.pause(.milliseconds(250))
            task = try await self.task(path)
        }
        guard let status = task.waitStatus else {
            throw GatewayError(.notFound, "nobody knows how '\(task.stored.launch.task.taskID)' ended")
        }
        return Self.waited(status)
    }

    // MARK: Launching

    private func launch(_ path: ContainerPath, _ command: ContainerCall.Command) async throws -> GatewayResponse {
        let container = ContainerID(path.root)
        // Known tasks only: the id becomes part of a path.
        guard container.defect == nil, await inbox.isLive(container) else {
            throw GatewayError(.notFound, "no task runs in container '\(path.root)'")
        }
        let isGroup = await inbox.snapshot()?.current.contains { $0.stored.groupContainer == container }
        guard isGroup != true else {
            throw GatewayError(
                .badRequest,
                "container '\(path.root)' is a group's, in which nothing runs; name the container of one of its tasks, "
                    + "'\(path.root).0' for the first")
        }
        if let user = command.user {
            throw GatewayError(.badRequest, "commands run as their task does; leave out the user '\(user.prefix(64))'")
        }
        let directory = files.monitor(container)
        var order = SessionCommand(
            words: command.words, environment: command.environment, directory: workDirectory(directory),
            hasTerminal: command.terminal != nil)
        if order.hasTerminal, !order.environment.contains(where: { $0.hasPrefix("TERM=") }) {
            order.environment.append("TERM=xterm")
        }
        let session = ContainerSession(
            path: path, hasTerminal: order.hasTerminal, size: command.terminal?.size, on: sessions.thread,
            timers: sessions.loop)
        do throws(TaskError) { try sessions.add(session) } catch {
            throw GatewayError(.conflict, error.description)
        }
        let reader = session.output.attach()
        do throws(TaskError) {
            try await session.start(order, directory: directory, executable: executable)
        } catch {
            sessions.forget(path)
            throw GatewayError(.badRequest, "cannot run '\(command.words[0].prefix(256))': \(error.description)")
        }
        logger.notice("a session begins in container \(container)", metadata: ["session": "\(path.last)"])
        session.whenOver { [sessions] in sessions.ended(path) }
        return stream(session, reader, isOwner: true)
    }

    /// Where the task works, in the root that its container has: the directory of the container's first process, or for
    /// one on the host's root, whose process begins at the top, what its environment says.
    private func workDirectory(_ directory: MonitorDirectory) -> String? {
        struct Bundle: Decodable {
            struct Process: Decodable {
                var cwd: String
                var env: [String]?
            }
            var process: Process
        }
        guard let bytes = try? readFile("\(directory.bundlePath)/config.json", limit: 4 << 20),
            let process = try? JSONDecoder().decode(Bundle.self, from: Data(bytes)).process, process.cwd == "/"
        else { return nil }
        return process.env?.last { $0.hasPrefix("PWD=/") }.map { String($0.dropFirst(4)) }
    }

    /// Sends what a session writes until it is over. A session that its owner leaves is ended, unless it was detached.
    private func stream(_ session: ContainerSession, _ reader: Int, isOwner: Bool) -> GatewayResponse {
        let watch = SessionWatch(session: session, reader: reader, isOwner: isOwner)
        return .stream(headers: [.contentType: "application/recordio"]) { writer in
            defer { watch.leave() }
            while let piece = await session.output.next(reader) {
                try await writer.write(ByteBuffer(bytes: ContainerCall.output(piece.bytes, isError: piece.isError)))
            }
            try Task.checkCancellation()
        }
    }

    private func wait(_ path: ContainerPath, _ request: GatewayRequest) async throws -> GatewayResponse {
        let session = try session(path)
        let gate = Once()
        await withCheckedContinuation { waiting in
            session.whenOver { if gate.pass() { waiting.resume() } }
            request.onDisconnect { if gate.pass() { waiting.resume() } }
        }
        guard case .ended(let status) = session.phase else { throw GatewayError.clientGone }
        return Self.waited(status)
    }

    private static func waited(_ status: Int32) -> GatewayResponse {
        let answer: JSONText = .object([("exit_status", .integer(Int64(status)))])
        // Clients take the field of the call's name; both calls mean the same.
        return .text(
            .ok,
            JSONText.object([
                ("type", .text("WAIT_CONTAINER")), ("wait_container", answer), ("wait_nested_container", answer),
            ]).encoded, type: "application/json")
    }

    // MARK: Input

    private func input(_ request: GatewayRequest) async throws -> GatewayResponse {
        var calls = CallRecords(request.body)
        guard case .attachInput(let path)? = try await calls.next() else {
            throw GatewayError(.badRequest, "the first record must be ATTACH_CONTAINER_INPUT with a CONTAINER_ID")
        }
        let target: any ContainerInput = path.nested.isEmpty ? try await terminal(path, request) : try session(path)
        let first = calls
        // Answered before the input has come, so that both may go on for as long as they like.
        return .duplex { writer in
            var calls = first
            defer { target.release() }
            target.whenOver { [writer] in Task { try? await writer.finish() } }
            var isWanted = true
            while let call = try await calls.next() {
                guard case .input(let input) = call else {
                    throw GatewayError(.badRequest, "records after the first must be PROCESS_IO")
                }
                switch input {
                // What a command does not read that has ended is read here, or its sender would see a broken
                // connection.
                case .bytes(let bytes): if isWanted { isWanted = await target.write(bytes) }
                case .end: await target.endInput()
                case .resize(let size): target.resize(size)
                case .heartbeat: break
                }
            }
        }
    }
}

/// One reader of a session, who leaves once: also when the response is never begun.
private final class SessionWatch: Sendable {
    private let session: ContainerSession
    private let reader: Int
    private let isOwner: Bool

    init(session: ContainerSession, reader: Int, isOwner: Bool) {
        self.session = session
        self.reader = reader
        self.isOwner = isOwner
    }

    deinit {
        session.output.detach(reader)
        if isOwner, !session.isDetached, !session.phase.isOver { session.signal(SIGKILL) }
    }

    /// Does nothing, and so is held until here.
    func leave() {}
}

/// Lets the first pass.
final class Once: Sendable {
    private let passed = Atomic(false)
    func pass() -> Bool { !passed.exchange(true, ordering: .relaxed) }
    var isPassed: Bool { passed.load(ordering: .relaxed) }
}

/// The calls in a body of records.
struct CallRecords: Sendable {
    private let body: GatewayBody
    private var decoder = RecordIO.Decoder(maximumLength: ContainerCall.lengthLimit)
    private var waiting: [[UInt8]] = []

    init(_ body: GatewayBody) { self.body = body }

    /// The next call, nil at the end.
    mutating func next() async throws -> ContainerCall? {
        do {
            var pieces = body.makeAsyncIterator()
            while waiting.isEmpty {
                guard let piece = try await pieces.next() else {
                    try decoder.finish()
                    return nil
                }
                waiting = try decoder.feed(Array(piece.readableBytesView)).reversed()
            }
            return try waiting.popLast().map { record throws(WireError) in try ContainerCall(json: record) }
        } catch let error as WireError {
            throw GatewayError(.badRequest, error.message)
        }
    }
}
