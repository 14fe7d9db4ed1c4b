internal import CLinux
internal import Glibc

/// How the runtime and the processes it makes talk while a container comes to life: short messages over a socket pair.
///
/// ```
/// runtime                      first child                     init
///    │ ◀──────────── map ─────────┤ (in a new user namespace)
///    ├───────────── done ────────▶│ makes and joins namespaces
///    │ ◀──────── started(pid) ────┤ forks init, ends
///    ├───────────── go ─────────────────────────────────────────▶│ (limits set) enters its cgroup, builds its root
///    │ ◀─────────────────────────────────── source(n), if any ────┤ may not reach it itself
///    ├───────────── the mount, as a descriptor ─────────────────▶│
///    │ ◀────────────────────────────────────────────── mounted ──┤ (where there are hooks for that)
///    ├───────────── done (hooks have run) ──────────────────────▶│ enters its root, gives up what it may not keep
///    │ ◀──────────────────────────────────────────────── ready ──┤ waits for start
/// ```
/// Where all namespaces are new ones and none is a user or time namespace, init is the first child, and the upper part
/// is left out. Whoever fails says `failed` with words for people and ends.
struct SyncChannel {
    enum Message: Equatable {
        case map
        /// A process waits for `go`; it may have been born in the version 2 control group that it is meant for.
        case started(Int32, inGroup: Bool)
        case go
        /// Init cannot open the source of a bind itself: which of `mounts` it is.
        case bindSource(Int32)
        case mounted
        case ready
        case done
        case warning(String)
        case failed(String)
    }

    let socket: Int32

    private static let longest = 8_192

    static func pair() throws(RuntimeFailure) -> (runtime: SyncChannel, child: SyncChannel) {
        var one: Int32 = -1
        var other: Int32 = -1
        try check(Int(clinux_socketpair(&one, &other)), "cannot make a socket pair")
        return (SyncChannel(socket: one), SyncChannel(socket: other))
    }

    func send(_ message: Message, with descriptor: Int32 = -1) throws(RuntimeFailure) {
        var bytes: [UInt8]
        switch message {
        case .map: bytes = [1]
        case .started(let number, let inGroup):
            bytes = [2, inGroup ? 1 : 0] + Self.bytes(number)
        case .bindSource(let number): bytes = [9] + Self.bytes(number)
        case .go: bytes = [3]
        case .mounted: bytes = [4]
        case .ready: bytes = [5]
        case .done: bytes = [6]
        case .warning(let text): bytes = [7] + text.utf8.prefix(8_000)
        case .failed(let text): bytes = [8] + text.utf8.prefix(8_000)
        }
        let code = bytes.withUnsafeBytes { clinux_send_descriptor(socket, $0.baseAddress, $0.count, descriptor) }
        try check(Int(code), "the runtime or the container's first process has gone")
    }

    /// The next message; nil when the other side has gone.
    func receive() throws(RuntimeFailure) -> Message? { try receiveFile().message }

    /// The next message and the file that came with it.
    func receiveFile() throws(RuntimeFailure) -> (message: Message?, file: OpenFile?) {
        var buffer = [UInt8](repeating: 0, count: Self.longest)
        var descriptor: Int32 = -1
        let count = buffer.withUnsafeMutableBytes {
            clinux_receive_descriptor(socket, $0.baseAddress, $0.count, &descriptor)
        }
        let file = descriptor >= 0 ? OpenFile(descriptor) : nil
        if count == 0 || count == -Int(ECONNRESET) { return (nil, nil) }
        try check(count, "cannot hear from the container's first process")
        return (try Self.message(buffer[0], buffer[1..<max(1, count)]), file)
    }

    private static func message(_ kind: UInt8, _ payload: ArraySlice<UInt8>) throws(RuntimeFailure) -> Message {
        switch kind {
        case 1: return .map
        case 2 where payload.count == 5: return .started(number(payload.dropFirst()), inGroup: payload.first == 1)
        case 9 where payload.count == 4: return .bindSource(number(payload))
        case 3: return .go
        case 4: return .mounted
        case 5: return .ready
        case 6: return .done
        case 7: return .warning(String(decoding: payload, as: UTF8.self))
        case 8: return .failed(String(decoding: payload, as: UTF8.self))
        default: throw RuntimeFailure("the container's first process said something unknown")
        }
    }

    private static func bytes(_ number: Int32) -> [UInt8] {
        stride(from: Int32(0), to: 32, by: 8).map { UInt8(truncatingIfNeeded: number >> $0) }
    }

    private static func number(_ bytes: ArraySlice<UInt8>) -> Int32 {
        Int32(truncatingIfNeeded: bytes.reversed().reduce(0) { $0 << 8 | Int($1) })
    }

    /// Waits for a particular message.
    func expect(_ message: Message) throws(RuntimeFailure) {
        guard try receive() == message else { throw RuntimeFailure("the runtime has ended; the container is given up") }
    }
}
