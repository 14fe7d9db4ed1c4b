import Dispatch
import Glibc
import HTTPGateway
import HTTPTypes
import NIOCore
import Synchronization
import Testing
import Transport

/// A server and a caller on loopback, stopped when the test ends.
struct Loopback: Sendable {
    let transport: Transport
    let server: HTTPServer
    let caller: HTTPCaller
    var port: UInt16 { server.endpoint.port ?? 0 }

    static func run(
        on endpoint: Endpoint = .tcp(.loopback, port: 0), settings: HTTPServerSettings = HTTPServerSettings(),
        handler: @escaping HTTPServer.Handler, _ test: @Sendable (Loopback) async throws -> Void
    ) async throws {
        let transport = Transport(threads: 2)
        let server = try await HTTPServer.start(
            on: endpoint, transport: transport, settings: settings, handler: handler)
        let caller = HTTPCaller(transport: transport)
        let result: Result<Void, any Error>
        do {
            try await test(Loopback(transport: transport, server: server, caller: caller))
            result = .success(())
        } catch {
            result = .failure(error)
        }
        await caller.shutDown()
        await server.stop(grace: .milliseconds(10))
        await transport.shutDown()
        try result.get()
    }

    /// The server still answers.
    func expectAlive() async throws {
        let answer = try await get("/ping")
        #expect(answer.status == .ok)
    }

    func get(_ path: String) async throws -> HTTPCaller.Response {
        try await caller.call(.get, server.endpoint, path)
    }
}

/// Something that happens once and can be waited for.
final class Signal<Value: Sendable>: Sendable {
    private let state = Mutex<(value: Value?, waiters: [CheckedContinuation<Value, Never>])>((nil, []))

    func send(_ value: Value) {
        let waiters = state.withLock { state in
            guard state.value == nil else { return [CheckedContinuation<Value, Never>]() }
            state.value = value
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(returning: value) }
    }

    var current: Value? { state.withLock { $0.value } }

    func wait() async -> Value {
        await withCheckedContinuation { continuation in
            let value = state.withLock { state in
                if state.value == nil { state.waiters.append(continuation) }
                return state.value
            }
            if let value { continuation.resume(returning: value) }
        }
    }
}

extension Signal where Value == Bool {
    func send() { send(true) }
}

/// A bare socket that says exactly what it is told to. Blocking calls run on a queue of their own.
final class RawClient: Sendable {
    private let descriptor: Int32
    private let queue = DispatchQueue(label: "raw-client")

    init(port: UInt16, receiveBuffer: Int32? = nil) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        if var size = receiveBuffer {
            setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<Int32>.size))
        }
        var limit = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        try #require(result == 0)
    }

    deinit { Glibc.close(descriptor) }

    func send(_ text: String) async { await send(Array(text.utf8)) }

    func send(_ bytes: [UInt8]) async {
        await onQueue { [descriptor] in
            var sent = 0
            while sent < bytes.count {
                let count = bytes[sent...].withUnsafeBytes {
                    Glibc.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
                guard count > 0 else { return }
                sent += count
            }
        }
    }

    /// Everything until the other side closes; `nil` when that does not happen within 20 seconds.
    func readToEnd() async -> String? { await read { _ in false } }

    /// What has come when `marker` is in it, or when the other side closes.
    func read(until marker: String, times: Int = 1) async -> String? {
        await read { $0.split(separator: marker, omittingEmptySubsequences: false).count > times }
    }

    private func read(_ isEnough: @escaping @Sendable (String) -> Bool) async -> String? {
        await onQueue { [descriptor] in
            var all: [UInt8] = []
            var buffer = [UInt8](repeating: 0, count: 64 << 10)
            while true {
                let count = recv(descriptor, &buffer, buffer.count, 0)
                if count < 0 { return errno == ECONNRESET ? String(decoding: all, as: UTF8.self) : nil }
                if count == 0 { return String(decoding: all, as: UTF8.self) }
                all += buffer[..<count]
                if isEnough(String(decoding: all, as: UTF8.self)) { return String(decoding: all, as: UTF8.self) }
            }
        }
    }

    func endOutput() { shutdown(descriptor, Int32(SHUT_WR)) }

    /// Both directions at once; the descriptor itself stays until the object goes.
    func close() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    private func onQueue<Value: Sendable>(_ work: @escaping @Sendable () -> Value) async -> Value {
        await withCheckedContinuation { continuation in
            queue.async { continuation.resume(returning: work()) }
        }
    }
}

extension ByteBuffer {
    var text: String { String(buffer: self) }
}

/// How far a producer is ahead of its consumer, at most: the bytes that are held somewhere between them.
final class Gap: Sendable {
    private let state = Mutex((produced: 0, consumed: 0, worst: 0))

    func produced(_ count: Int) {
        state.withLock { state in
            state.produced += count
            state.worst = max(state.worst, state.produced - state.consumed)
        }
    }

    func consumed(_ count: Int) { state.withLock { $0.consumed += count } }

    var worst: Int { state.withLock { $0.worst } }
    var total: Int { state.withLock { $0.consumed } }
}
