internal import AgentCore
internal import ClusterModel
internal import FoundationEssentials
internal import HTTPGateway
internal import HTTPTypes
internal import MesosWire
internal import NIOCore
internal import Synchronization
internal import Transport

/// One session with a master: the stream of its events, and the calls beside it.
final class AgentSession: Sendable {
    /// Names the header that ties calls to their session.
    static let header = HTTPField.Name("Rondo-Session")
    static let path = "/api/v1/agent"
    /// The longest record from a master.
    private static let recordLimit = 16 << 20

    let number: Int
    let endpoint: Endpoint
    private let caller: HTTPCaller
    private let inbox: AgentInbox
    private let credential: String?
    private let calls = OutgoingCalls()
    private let work = Mutex<Task<Void, Never>?>(nil)
    private let isOpen = Mutex(false)

    private struct Subscribe: Encodable {
        var type = "SUBSCRIBE"
        var subscribe: AgentRegistration
    }

    init(number: Int, endpoint: Endpoint, caller: HTTPCaller, inbox: AgentInbox, credential: String?) {
        self.number = number
        self.endpoint = endpoint
        self.caller = caller
        self.inbox = inbox
        self.credential = credential
    }

    /// Begins; everything that happens goes to the inbox, the end as `.connectionLost`.
    func start(_ registration: AgentRegistration) {
        let task = Task {
            do {
                try await run(registration)
                inbox.post(.connectionLost(session: number, reason: "the master ended the session"))
            } catch is CancellationError {
                // Reading has said why already.
            } catch {
                inbox.post(.connectionLost(session: number, reason: Self.line("\(error)")))
            }
        }
        work.withLock { $0 = task }
    }

    func send(_ call: AgentCall) { calls.add(call) }

    /// Ends at once, whatever is under way.
    func cancel() {
        calls.finish()
        work.withLock { $0 }?.cancel()
    }

    /// Ends when everything that was to be sent has been sent, or could not be.
    func finish() async {
        calls.finish()
        if !isOpen.withLock({ $0 }) { cancel() }
        await work.withLock { $0 }?.value
    }

    /// Header fields that show who calls.
    var authorization: HTTPFields {
        var fields = HTTPFields()
        if let credential { fields[.authorization] = "Bearer \(credential)" }
        return fields
    }

    /// The way to the master for what agents fetch from it.
    var door: MasterDoor {
        let (caller, endpoint, authorization) = (caller, endpoint, authorization)
        return MasterDoor { (method, path, headers) async throws(HTTPCallError) in
            var fields = headers
            for field in authorization { fields.append(field) }
            return try await caller.stream(
                method, endpoint, path, headers: fields, headTimeout: .seconds(30), idleTimeout: .seconds(30))
        }
    }

    private func run(_ registration: AgentRegistration) async throws {
        var headers = authorization
        headers[.contentType] = "application/json"
        headers[.accept] = "application/json"
        let body = try JSONEncoder().encode(Subscribe(subscribe: registration))
        let response = try await caller.stream(
            .post, endpoint, Self.path, headers: headers, body: ByteBuffer(bytes: body))
        guard response.status == .ok else {
            let text = try? await response.body.collect(upTo: 4_096)
            let said = text.map { String(buffer: $0) } ?? ""
            throw TaskError("the master answered \(response.status.code): \(said)")
        }
        guard let header = Self.header, let id = response.headers[header] else {
            throw TaskError("the master named no session")
        }
        isOpen.withLock { $0 = true }
        // The queue of calls outlives the stream only when the agent itself ends the session.
        await withTaskGroup(of: Bool.self) { group in
            group.addTask { await self.read(response.body) }
            group.addTask { await self.post(session: id) }
            if await group.next() != nil { group.cancelAll() }
        }
    }

    /// Reads events until the stream ends. Returns whether it ended well.
    private func read(_ body: GatewayBody) async -> Bool {
        var decoder = RecordIO.Decoder(maximumLength: Self.recordLimit)
        do {
            for try await piece in body {
                for record in try decoder.feed(Array(piece.readableBytesView)) {
                    let event = try JSONDecoder().decode(AgentEvent.self, from: Data(record))
                    inbox.post(.master(event, session: number))
                }
            }
            return true
        } catch is CancellationError {
            return false
        } catch {
            inbox.post(.connectionLost(session: number, reason: Self.line("\(error)")))
            return false
        }
    }

    /// What came from outside, fit for one line of a log.
    private static func line(_ text: String) -> String {
        String(text.prefix(500)).split(whereSeparator: \.isNewline).joined(separator: " ")
    }

    /// One body at a time: what is to be said meanwhile goes together in the next one.
    private func post(session id: String) async -> Bool {
        while let body = await calls.next() {
            do {
                try await post(body, session: id)
            } catch {
                // Calls that may be lost end the session: the next one says everything again.
                inbox.post(.connectionLost(session: number, reason: "\(error)"))
                return false
            }
        }
        return true
    }

    private func post(_ body: ByteBuffer, session id: String) async throws {
        var headers = authorization
        headers[.contentType] = "application/json"
        if let header = Self.header { headers[header] = id }
        let response = try await caller.call(
            .post, endpoint, Self.path, headers: headers, body: body, timeout: .seconds(15), responseLimit: 65_536)
        guard (200..<300).contains(response.status.code) else {
            throw TaskError("the master answered \(response.status.code): \(String(buffer: response.bytes))")
        }
    }
}
