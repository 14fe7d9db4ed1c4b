internal import CLinux
internal import Glibc
internal import LinuxSystem

/// A conversation with the kernel over netlink(7), in the network namespace of the thread that opened it.
///
/// One question at a time: whoever holds it takes care of that. The kernel carries a change out before `send` returns,
/// so that answers to changes are never waited for.
final class NetlinkSocket {
    enum Family: Int32 {
        case routing = 0
        case filter = 12
    }

    private let socket: FileDescriptor
    private var sequence: UInt32 = 0
    private var buffer = [UInt8](repeating: 0, count: largestAnswer)

    /// The kernel's answers have at most 32 KiB, except a single message that does not fit.
    private static let largestAnswer = 1 << 17
    /// A table of conntrack has many entries, a routing table of the internet a million; this is more.
    private static let mostMessages = 4_000_000
    private static let mostAttempts = 10
    private static let dontWait: Int32 = 0x40
    private static let truncated: Int32 = 0x20

    init(_ family: Family) throws(NetworkError) {
        let kind = Int32(3)  // SOCK_RAW
        let closeOnExec: Int32 = 0o2_000_000
        let raw = Glibc.socket(AF_NETLINK, kind | closeOnExec, family.rawValue)
        guard raw >= 0 else { throw .last("open a netlink socket") }
        socket = FileDescriptor(owning: raw)
        // The kernel answers at once; without this a fault of ours would hold a thread for ever.
        var patience = timeval(tv_sec: 10, tv_usec: 0)
        setsockopt(raw, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        // A transaction is one message to the socket, and answers to a long one wait there all together.
        var room: Int32 = 8 << 20
        let sendBufferForce: Int32 = 32
        let receiveBufferForce: Int32 = 33
        setsockopt(raw, SOL_SOCKET, sendBufferForce, &room, socklen_t(MemoryLayout<Int32>.size))
        setsockopt(raw, SOL_SOCKET, receiveBufferForce, &room, socklen_t(MemoryLayout<Int32>.size))
    }

    /// Has one thing changed.
    func change(_ message: NetlinkMessage, _ doing: String) throws(NetworkError) {
        _ = try ask(message, doing)
    }

    /// Has one thing changed, or asks for one thing: the answers before the acknowledgement.
    @discardableResult
    func ask(_ message: NetlinkMessage, _ doing: String) throws(NetworkError) -> [NetlinkMessage] {
        var message = message
        message.flags |= NetlinkMessage.acknowledge
        sequence &+= 1
        try send(message.encoded(sequence: sequence), doing)
        var answers: [NetlinkMessage] = []
        while true {
            for (number, answer) in try receive(0, doing) ?? [] where number == sequence {
                if let error = answer.errorNumber {
                    if error != 0 { throw .system(doing, error) }
                    return answers
                }
                answers.append(answer)
                guard answers.count < Self.mostMessages else { throw .system(doing, EOVERFLOW) }
            }
        }
    }

    /// Lists all that the kernel has of a kind. A list that changed while it was made is asked for again.
    func list(_ message: NetlinkMessage, _ doing: String) throws(NetworkError) -> [NetlinkMessage] {
        for _ in 0..<Self.mostAttempts {
            if let answers = try attempt(message, doing) { return answers }
        }
        throw .system(doing, EAGAIN)
    }

    private func attempt(_ message: NetlinkMessage, _ doing: String) throws(NetworkError) -> [NetlinkMessage]? {
        var message = message
        message.flags |= NetlinkMessage.dump
        sequence &+= 1
        try send(message.encoded(sequence: sequence), doing)
        var answers: [NetlinkMessage] = []
        var isWhole = true
        while true {
            for (number, answer) in try receive(0, doing) ?? [] where number == sequence {
                if answer.flags & NetlinkMessage.wasInterrupted != 0 { isWhole = false }
                if let error = answer.errorNumber {
                    if error != 0 { throw .system(doing, error) }
                    return isWhole ? answers : nil
                }
                if answer.kind == NetlinkMessage.doneKind {
                    let code: Int32 = answer.body[...].number() ?? 0
                    if code == -EINTR || code == -EAGAIN { return nil }
                    if code < 0 && code != Int32.min { throw .system(doing, -code) }
                    return isWhole ? answers : nil
                }
                answers.append(answer)
                guard answers.count < Self.mostMessages else { throw .system(doing, EOVERFLOW) }
            }
        }
    }

    /// Has all of these changed or none, in order (nfnetlink's batches). The first error is thrown.
    func transaction(_ messages: [NetlinkMessage], _ doing: String) throws(NetworkError) {
        guard !messages.isEmpty else { return }
        var bytes: [UInt8] = []
        let first = sequence &+ 1
        for (place, message) in FilterMessages.batch(messages).enumerated() {
            sequence &+= 1
            var message = message
            // The kernel reports errors of all messages by itself; one acknowledgement tells that it has read them.
            if place == messages.count { message.flags |= NetlinkMessage.acknowledge }
            bytes += message.encoded(sequence: sequence)
        }
        try send(bytes, doing)
        var isAcknowledged = false
        while let answers = try receive(Self.dontWait, doing) {
            for (number, answer) in answers where number &- first <= sequence &- first {
                guard let error = answer.errorNumber else { continue }
                if error != 0 {
                    while try receive(Self.dontWait, doing) != nil {}
                    throw .system(doing, error)
                }
                isAcknowledged = true
            }
        }
        if !isAcknowledged { throw .system(doing, EPROTO) }
    }

    private func send(_ bytes: [UInt8], _ doing: String) throws(NetworkError) {
        while true {
            let count = bytes.withUnsafeBytes { Glibc.send(socket.raw, $0.baseAddress, $0.count, 0) }
            if count == bytes.count { return }
            guard count < 0 else { throw .system(doing, EMSGSIZE) }
            guard errno == EINTR else { throw .last(doing) }
        }
    }

    /// One answer of the kernel; nil when none is there and none is to be waited for.
    private func receive(
        _ flags: Int32, _ doing: String
    ) throws(NetworkError) -> [(sequence: UInt32, message: NetlinkMessage)]? {
        while true {
            // struct sockaddr_nl: family, padding, port, groups. The kernel's port is 0.
            var sender: (UInt16, UInt16, UInt32, UInt32) = (0, 0, 0, 0)
            var length = socklen_t(12)
            let count = withUnsafeMutableBytes(of: &sender) { from in
                buffer.withUnsafeMutableBytes {
                    Glibc.recvfrom(
                        socket.raw, $0.baseAddress, $0.count, flags | Self.truncated,
                        from.baseAddress?.assumingMemoryBound(to: sockaddr.self), &length)
                }
            }
            if count < 0 {
                let error = errno
                if error == EINTR { continue }
                if error == EAGAIN, flags == Self.dontWait { return nil }
                throw .system(doing, error == EAGAIN ? ETIMEDOUT : error)
            }
            guard count > 0, count <= buffer.count else { throw .system(doing, EMSGSIZE) }
            guard sender.2 == 0 else { continue }
            guard let messages = NetlinkMessage.parse(buffer[..<count]) else { throw .system(doing, EBADMSG) }
            return messages
        }
    }
}
