internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Where the answer to a request goes.
struct TTRPCReply: Equatable {
    let connection: UInt64
    let stream: UInt32
}

/// A request as it came.
struct TTRPCRequest {
    let reply: TTRPCReply
    let service: String
    let method: String
    let payload: ArraySlice<UInt8>
}

/// The connections of containerd: one for each container of a group, and those of curious people.
final class TTRPCServer {
    private struct Connection {
        let serial: UInt64
        let socket: Int32
        var frames = TTRPCFrames()
        var output: [UInt8] = []
    }

    private static let maximumConnections = 256
    /// Answers that a peer leaves unread; more than it could fairly ask for.
    private static let maximumOutput = 2 * TTRPCFrames.limit

    private let listener: Int32
    private var connections: [Connection] = []
    private var serial: UInt64 = 0
    /// Connections that are gone, until somebody asks.
    private var lost: [UInt64] = []

    init(listener: Int32) { self.listener = listener }

    /// What to wait for: the descriptor, whether also for room to write, and the connection; first the listener.
    func interests(_ each: (Int32, Bool, UInt64?) -> Void) {
        each(listener, false, nil)
        for connection in connections { each(connection.socket, !connection.output.isEmpty, connection.serial) }
    }

    func accept() {
        while true {
            let socket = clinux_accept(listener)
            guard socket >= 0 else { return }
            guard connections.count < Self.maximumConnections, clinux_check_peer(socket, geteuid()) == 0 else {
                close(socket)
                continue
            }
            serial += 1
            connections.append(Connection(serial: serial, socket: socket))
        }
    }

    /// Takes what has arrived on one connection; refuses itself what is no request.
    func receive(_ serial: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> [TTRPCRequest] {
        guard let index = connections.firstIndex(where: { $0.serial == serial }) else { return [] }
        let count = recv(connections[index].socket, buffer.baseAddress, buffer.count, 0)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return [] }
        guard count > 0 else {
            drop(serial)
            return []
        }
        connections[index].frames.append(UnsafeRawBufferPointer(buffer).prefix(count))
        var requests: [TTRPCRequest] = []
        var refusals: [(TTRPCReply, ShimFailure)] = []
        while let frame = connections[index].frames.next() {
            switch frame {
            case .tooLong(let stream):
                let failure = ShimFailure.exhausted("the message is longer than \(TTRPCFrames.limit) bytes")
                refusals.append((TTRPCReply(connection: serial, stream: stream), failure))
            case .message(let stream, let kind, let payload):
                let reply = TTRPCReply(connection: serial, stream: stream)
                // Other kinds belong to streams, which no method here has.
                guard kind == TTRPCFrames.request else { continue }
                do throws(ShimFailure) {
                    guard stream % 2 == 1 else { throw .invalid("a client's stream has an odd number") }
                    requests.append(try Self.request(payload, reply))
                } catch {
                    refusals.append((reply, error))
                }
            }
        }
        for (reply, failure) in refusals { send(reply, failure) }
        return requests
    }

    private static func request(_ payload: [UInt8], _ reply: TTRPCReply) throws(ShimFailure) -> TTRPCRequest {
        let message = try ProtobufMessage(payload[...])
        return TTRPCRequest(
            reply: reply, service: try message.text(1), method: try message.text(2), payload: try message.bytes(3))
    }

    /// Answers a request with a message.
    func send(_ reply: TTRPCReply, _ message: ProtobufWriter = ProtobufWriter()) {
        var response = ProtobufWriter()
        if !message.bytes.isEmpty { response.put(2, message) }
        send(reply, response: response)
    }

    /// Answers a request with a refusal.
    func send(_ reply: TTRPCReply, _ failure: ShimFailure) {
        var status = ProtobufWriter()
        status.put(1, UInt64(failure.code))
        status.put(2, failure.message)
        var response = ProtobufWriter()
        response.put(1, status)
        send(reply, response: response)
    }

    private func send(_ reply: TTRPCReply, response: ProtobufWriter) {
        guard let index = connections.firstIndex(where: { $0.serial == reply.connection }) else { return }
        let frame = TTRPCFrames.frame(stream: reply.stream, kind: TTRPCFrames.response, response.bytes)
        guard connections[index].output.count + frame.count <= Self.maximumOutput else { return drop(reply.connection) }
        connections[index].output += frame
        flush(reply.connection)
    }

    /// Writes what the socket takes.
    func flush(_ serial: UInt64) {
        guard let index = connections.firstIndex(where: { $0.serial == serial }) else { return }
        while !connections[index].output.isEmpty {
            let socket = connections[index].socket
            let count = connections[index].output.withUnsafeBytes {
                Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN ? () : drop(serial)
            }
            if count == connections[index].output.count {
                connections[index].output = []
            } else {
                connections[index].output.removeFirst(count)
            }
        }
    }

    private func drop(_ serial: UInt64) {
        guard let index = connections.firstIndex(where: { $0.serial == serial }) else { return }
        close(connections.remove(at: index).socket)
        lost.append(serial)
    }

    /// The connections that were lost since this was last asked.
    func takeLost() -> [UInt64] {
        defer { lost = [] }
        return lost
    }

    /// Ends all conversations, after what is still to be written.
    func end() {
        close(listener)
        for connection in connections {
            flush(connection.serial)
            drop(connection.serial)
        }
    }
}
