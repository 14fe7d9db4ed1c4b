internal import CLinux
internal import Glibc
internal import LinuxSystem

/// Tells containerd what happens, in order, without ever waiting for it.
///
/// One event is under way at a time, and the next only goes out when containerd has taken the one before: containerd
/// handles requests of one connection in no particular order. While containerd is away, events wait.
final class EventPublisher {
    private struct Event {
        let topic: String
        let request: [UInt8]
        let content: [UInt8]
        var refusals = 0
    }

    /// Runs containerd's program with a topic and the event on standard input, and tells whether that went well.
    typealias Command = (_ topic: String, _ content: [UInt8], _ done: @escaping (Bool) -> Void) -> Void

    private static let maximumEvents = 1024
    private static let maximumRefusals = 5
    private static let answerMilliseconds: Int64 = 5000
    private static let pauseMilliseconds: Int64 = 1000

    private let namespace: String
    private let address: String?
    private let command: Command?
    private var queue: [Event] = []
    private var socket: Int32 = -1
    private var frames = TTRPCFrames()
    private var output: [UInt8] = []
    private var stream: UInt32 = 1
    private var isUnderWay = false
    /// When the present wait is over: for an answer, or before the next try.
    private(set) var deadline: Int64?

    init(namespace: String, address: String?, command: Command?) {
        self.namespace = namespace
        self.address = address
        self.command = command
    }

    var isEmpty: Bool { queue.isEmpty }

    /// What to wait for; negative for nothing.
    var interest: (descriptor: Int32, events: Int16) { (socket, Int16(output.isEmpty ? POLLIN : POLLIN | POLLOUT)) }

    /// Adds an event.
    func publish(_ topic: String, type: String, _ message: ProtobufWriter) {
        guard address != nil || command != nil else { return }
        var envelope = ProtobufWriter()
        envelope.put(1, ShimTime.now())
        envelope.put(2, namespace)
        envelope.put(3, topic)
        envelope.put(4, type: type, message.bytes[...])
        var request = ProtobufWriter()
        request.put(1, envelope)
        var content = ProtobufWriter()
        content.put(1, type)
        content.put(2, raw: message.bytes[...])
        // The oldest goes: the one under way stays, its answer is to come.
        if queue.count >= Self.maximumEvents { queue.remove(at: isUnderWay ? 1 : 0) }
        queue.append(Event(topic: topic, request: request.bytes, content: content.bytes))
        if deadline == nil { next() }
    }

    private func next() {
        guard !isUnderWay, let event = queue.first else { return }
        guard let address else { return runCommand(event) }
        if socket < 0 {
            socket = clinux_connect_unix(address)
            guard socket >= 0 else { return fail() }
        }
        var request = ProtobufWriter()
        request.put(1, "containerd.services.events.ttrpc.v1.Events")
        request.put(2, "Forward")
        request.put(3, raw: event.request[...])
        request.put(4, UInt64(Self.answerMilliseconds) * 1_000_000)
        output = TTRPCFrames.frame(stream: stream, kind: TTRPCFrames.request, request.bytes)
        isUnderWay = true
        deadline = HostFacts.monotonicMilliseconds() + Self.answerMilliseconds
        flush()
    }

    private func runCommand(_ event: Event) {
        isUnderWay = true
        command?(event.topic, event.content) { [unowned self] isDone in
            isUnderWay = false
            settle(isDone: isDone)
        }
    }

    private func flush() {
        while !output.isEmpty {
            let count = output.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            if count < 0 {
                if errno == EINTR { continue }
                return errno == EAGAIN ? () : fail()
            }
            output.removeFirst(count)
        }
    }

    /// Goes on when the connection is ready.
    func step(_ buffer: UnsafeMutableRawBufferPointer) {
        guard socket >= 0 else { return }
        flush()
        guard socket >= 0 else { return }
        let count = recv(socket, buffer.baseAddress, buffer.count, 0)
        if count < 0 && (errno == EAGAIN || errno == EINTR) { return }
        guard count > 0 else { return fail() }
        frames.append(UnsafeRawBufferPointer(buffer).prefix(count))
        while let frame = frames.next() {
            guard case .message(stream, TTRPCFrames.response, let payload) = frame, isUnderWay else { continue }
            isUnderWay = false
            stream &+= 2
            settle(isDone: Self.isWelcome(payload))
        }
    }

    private static func isWelcome(_ payload: [UInt8]) -> Bool {
        do throws(ShimFailure) {
            return try ProtobufMessage(payload[...]).message(1).number(1) == 0
        } catch { return false }
    }

    /// The event under way was taken or refused.
    private func settle(isDone: Bool) {
        deadline = nil
        guard var event = queue.first else { return }
        event.refusals += 1
        if isDone || event.refusals >= Self.maximumRefusals {
            queue.removeFirst()
            next()
        } else {
            queue[0] = event
            deadline = HostFacts.monotonicMilliseconds() + Self.pauseMilliseconds
        }
    }

    /// The connection is no good any more; what was under way is tried again later.
    private func fail() {
        if socket >= 0 { close(socket) }
        socket = -1
        frames = TTRPCFrames()
        output = []
        stream = 1
        isUnderWay = false
        deadline = queue.isEmpty ? nil : HostFacts.monotonicMilliseconds() + Self.pauseMilliseconds
    }

    /// Goes on when the deadline has passed.
    func passDeadline() {
        deadline = nil
        if isUnderWay { fail() } else { next() }
    }
}
