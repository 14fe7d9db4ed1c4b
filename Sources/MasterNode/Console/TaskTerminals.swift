internal import Access
internal import ClusterModel
internal import Console
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import MasterCore
internal import MesosWire
internal import NIOCore
internal import Synchronization

/// `/ui/tasks/FRAMEWORK/TASK/terminal…`: what `rondo task exec -it` does, for a page.
extension ConsoleDesk {
    /// Starts a command. The right is asked for and the audit log told as for the same call of a program.
    func startTerminal(_ task: TaskRecord) async throws -> GatewayResponse {
        let fields = try await form(upTo: 16 << 10)
        let words = CommandWords.split(fields["command"] ?? "")
        guard let words, let program = words.first, !program.isEmpty, words.count <= 100 else {
            throw GatewayError(.badRequest, "enter a command, such as /bin/sh; quotes must come in pairs")
        }
        guard let container = Self.container(of: task), !task.state.isTerminal else {
            throw GatewayError(.conflict, "the task does not run, so nothing can be run in it")
        }
        let (agent, session) = (task.agentID, RandomName.uuid())
        let size = Self.size(fields) ?? ConsoleTerminal.Size(rows: 24, columns: 80)
        let launch = TerminalRecords.launch(words, container: container, session: session, size: size)
        let calls = try TerminalCalls(node: node, agent: agent, container: container, session: session)
        let admitted = try await ContainerAccess(node: node, visitor: visitor).admit(calls.request(launch), to: agent)
        let terminal = ConsoleTerminal(
            id: RandomName.secret(bytes: 16), task: task.key, role: task.launch.role, owner: visitor.caller.name,
            now: node.clock.now().elapsed)
        guard node.console.terminals.add(terminal) else {
            throw GatewayError(
                .serviceUnavailable, "too many terminals are open on this master; close one",
                headers: [.retryAfter: "30"])
        }
        do {
            let response = try await node.relay(admitted, to: agent, TerminalCalls.path)
            guard response.status == .ok else {
                let text = try await TerminalCalls.text(of: response)
                throw GatewayError(response.status, text.isEmpty ? "the command could not be started" : text)
            }
            terminal.hold(Task.detached { await calls.run(terminal, response) })
        } catch {
            node.console.terminals.remove(terminal.id)
            throw error
        }
        watch(terminal)
        return .json { $0.field("session", terminal.id) }
    }

    /// Ends a terminal that nobody looks after, and forgets it a while after its end.
    private func watch(_ terminal: ConsoleTerminal) {
        let (clock, terminals) = (node.clock, node.console.terminals)
        Task.detached {
            while terminal.end == nil {
                guard (try? await clock.sleep(until: clock.now().elapsed + .seconds(2))) != nil else { break }
                if terminal.isForsaken(now: clock.now().elapsed) {
                    terminal.finish("The command was killed, because its page was gone.")
                }
            }
            terminal.finish("The master stops.")
            _ = try? await clock.sleep(until: clock.now().elapsed + .seconds(30))
            terminals.remove(terminal.id)
        }
    }

    /// One terminal of the visitor's own.
    func terminal(_ id: String, _ verb: String?) async throws -> GatewayResponse {
        guard let terminal = node.console.terminals.terminal(id), terminal.owner == visitor.caller.name else {
            throw GatewayError(.notFound, "there is no such terminal, or it ended a while ago")
        }
        try visitor.require(.execute(terminal.role))
        switch (verb, request.method == .post) {
        case (nil, false):
            return .json { json in
                json.field("ended", terminal.end != nil)
                json.field("message", terminal.end ?? "The command runs.")
            }
        case ("output", false): return output(of: terminal)
        case ("input", true): return try await input(to: terminal)
        case ("close", true):
            _ = try await form(upTo: 16 << 10)
            terminal.finish("The command was killed.")
            return .json { _ in }
        default: throw GatewayError(.notFound, "a terminal has no such page")
        }
    }

    private func output(of terminal: ConsoleTerminal) -> GatewayResponse {
        let clock = node.clock
        let (reader, _) = terminal.attach(
            at: request.query["from"].flatMap { Int($0) } ?? 0, now: clock.now().elapsed)
        return .stream(
            headers: [
                .contentType: "application/octet-stream", .cacheControl: "no-store", .xContentTypeOptions: "nosniff",
            ]
        ) { writer in
            defer { terminal.leave(reader, now: clock.now().elapsed) }
            while let bytes = try await terminal.next(reader) { try await writer.write(ByteBuffer(bytes: bytes)) }
        }
    }

    private func input(to terminal: ConsoleTerminal) async throws -> GatewayResponse {
        let fields = try await form(upTo: 128 << 10)
        guard let number = fields["number"].flatMap({ Int($0) }), number >= 0 else {
            throw GatewayError(.badRequest, "input has a number, counted from 0")
        }
        var records: [ByteBuffer] = []
        if let text = fields["text"], !text.isEmpty { records.append(TerminalRecords.typed(text)) }
        if let size = Self.size(fields) { records.append(TerminalRecords.resized(size)) }
        switch terminal.take(number, records, now: node.clock.now().elapsed) {
        case .taken, .known: return .json { _ in }
        case .early: throw GatewayError(.conflict, "input that comes before this one is missing")
        case .full:
            throw GatewayError(.serviceUnavailable, "the command does not read its input", headers: [.retryAfter: "1"])
        case .ended: throw GatewayError(.gone, "the command has ended")
        }
    }

    private static func size(_ fields: QueryParameters) -> ConsoleTerminal.Size? {
        guard let columns = fields["columns"].flatMap({ Int($0) }), let rows = fields["rows"].flatMap({ Int($0) }),
            (1...1_000).contains(columns), (1...1_000).contains(rows)
        else { return nil }
        return ConsoleTerminal.Size(rows: rows, columns: columns)
    }
}

/// The calls to an agent that one terminal takes.
struct TerminalCalls: Sendable {
    /// Where an agent takes calls.
    static let path = "/api/v1"

    let node: MasterNode
    let agent: AgentID
    let container: String
    let session: String
    private let target: RequestTarget

    init(node: MasterNode, agent: AgentID, container: String, session: String) throws {
        self.node = node
        self.agent = agent
        self.container = container
        self.session = session
        target = try RequestTarget(parsing: Self.path)
    }

    func request(_ json: ByteBuffer) -> GatewayRequest {
        GatewayRequest(
            method: .post, target: target,
            headers: [
                .contentType: "application/json", .accept: "application/recordio", .messageAccept: "application/json",
            ],
            body: GatewayBody(json))
    }

    /// Carries a terminal's output and input until its command has ended or nobody wants it any more.
    func run(_ terminal: ConsoleTerminal, _ response: GatewayResponse) async {
        let input = Task { await send(terminal) }
        defer { input.cancel() }
        let decoder = Mutex(RecordIO.Decoder(maximumLength: ContainerCall.lengthLimit))
        do {
            try await Self.read(response) { piece in
                for record in try decoder.withLock({ try $0.feed(piece) }) {
                    let bytes = TerminalRecords.output(record)
                    if !bytes.isEmpty { try await terminal.wrote(bytes) }
                }
            }
            terminal.finish(await ending())
        } catch {
            terminal.finish("The connection to the node broke, and the command with it.")
        }
    }

    private func send(_ terminal: ConsoleTerminal) async {
        let head = Mutex<ByteBuffer?>(TerminalRecords.head(container: container, session: session))
        let body = GatewayBody {
            if let head = head.withLock({ $0.take() }) { return head }
            return try await terminal.nextInput()
        }
        let request = GatewayRequest(
            method: .post, target: target,
            headers: [.contentType: "application/recordio", .messageContentType: "application/json"], body: body)
        guard let response = try? await node.relay(request, to: agent, Self.path) else { return }
        try? await Self.read(response) { _ in }
    }

    /// How the command ended, in a sentence.
    private func ending() async -> String {
        struct Waited: Decodable {
            struct Status: Decodable { var exit_status: Int32 }
            var wait_container: Status
        }
        let request = request(TerminalRecords.wait(container: container, session: session))
        guard let response = try? await node.relay(request, to: agent, Self.path), response.status == .ok,
            let text = try? await Self.text(of: response),
            let status = try? JSONDecoder().decode(Waited.self, from: Data(text.utf8)).wait_container.exit_status
        else { return "The command has ended." }
        let signal = status & 0x7f
        return signal == 0
            ? "The command ended with exit code \((status >> 8) & 0xff)." : "The command was ended by signal \(signal)."
    }

    /// A short body.
    static func text(of response: GatewayResponse) async throws -> String {
        let bytes = Mutex<[UInt8]>([])
        try await read(response) { piece in
            bytes.withLock { if $0.count < 64 << 10 { $0 += piece } }
        }
        return String(decoding: bytes.withLock { $0 }, as: UTF8.self)
    }

    private static func read(
        _ response: GatewayResponse, _ take: @escaping @Sendable ([UInt8]) async throws -> Void
    ) async throws {
        switch response.content {
        case .bytes(let bytes): try await take(Array(bytes.readableBytesView))
        case .stream(let produce), .duplex(let produce):
            try await produce(ResponseWriter(write: { try await take(Array($0.readableBytesView)) }, finish: {}))
        case .events: break
        }
    }
}

extension HTTPField.Name {
    fileprivate static let messageAccept = Self("Message-Accept") ?? .eTag
    fileprivate static let messageContentType = Self("Message-Content-Type") ?? .eTag
}
