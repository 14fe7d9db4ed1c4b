internal import CLinux
internal import Glibc

/// A routing socket of one network namespace (rtnetlink(7)): asks and changes links and addresses.
final class Netlink {
    private let socket: OpenFile
    private var sequence: UInt32 = 0

    private static let largestAnswer = 1 << 16
    /// An interface has some addresses, not this many.
    private static let mostMessages = 100_000

    /// In the namespace of the calling process.
    init() throws(RuntimeFailure) {
        let raw = 3
        socket = try OpenFile(
            Kernel.call(SYS_socket, Int(AF_NETLINK), raw | Int(Kernel.closeOnExec), 0), "cannot open a netlink socket")
    }

    /// In the namespace of another file; this process, which has one thread, is there for the moment only.
    init(in namespace: OpenFile) throws(RuntimeFailure) {
        let home = try OpenFile(Kernel.open("/proc/self/ns/net", O_RDONLY), "cannot open /proc/self/ns/net")
        let kind = Int(NamespaceKind.network.cloneFlag)
        try check(Kernel.call(SYS_setns, Int(namespace.raw), kind), "cannot enter the container's network namespace")
        let raw = 3
        let result = Kernel.call(SYS_socket, Int(AF_NETLINK), raw | Int(Kernel.closeOnExec), 0)
        try check(
            Kernel.call(SYS_setns, Int(home.raw), kind), "cannot come back from the container's network namespace")
        socket = try OpenFile(result, "cannot open a netlink socket")
    }

    /// Asks for one thing, or with `isDump` for all that the kernel has of a kind. Returns the bodies of the answers.
    @discardableResult
    func request(
        _ kind: UInt16, flags: UInt16 = 0, isDump: Bool = false, _ body: [UInt8], _ doing: String
    ) throws(RuntimeFailure) -> [[UInt8]] {
        sequence += 1
        let isRequest: UInt16 = 1
        let acknowledge: UInt16 = 4
        let root: UInt16 = 0x300
        var message: [UInt8] = []
        message.append(number: UInt32(16 + body.count))
        message.append(number: kind)
        message.append(number: isRequest | flags | (isDump ? root : acknowledge))
        message.append(number: sequence)
        message.append(number: UInt32(0))
        message += body
        let sent = message.withUnsafeBytes {
            Kernel.call(SYS_sendto, Int(socket.raw), Int(bitPattern: $0.baseAddress), $0.count)
        }
        try check(sent, doing)
        var answers: [[UInt8]] = []
        var buffer = [UInt8](repeating: 0, count: Self.largestAnswer)
        while answers.count < Self.mostMessages {
            let count = buffer.withUnsafeMutableBytes {
                Kernel.call(SYS_recvfrom, Int(socket.raw), Int(bitPattern: $0.baseAddress), $0.count)
            }
            if count == -Int(EINTR) { continue }
            try check(count, doing)
            if try take(buffer[..<count], into: &answers, doing) { return answers }
        }
        throw RuntimeFailure("\(doing): the kernel's answer has no end")
    }

    /// The messages of one answer; true when it was the last.
    private func take(
        _ bytes: ArraySlice<UInt8>, into answers: inout [[UInt8]], _ doing: String
    ) throws(RuntimeFailure) -> Bool {
        let error: UInt16 = 2
        let done: UInt16 = 3
        var rest = bytes
        while let length: UInt32 = rest.number(at: 0), let kind: UInt16 = rest.number(at: 4),
            let number: UInt32 = rest.number(at: 8), length >= 16, Int(length) <= rest.count
        {
            let body = rest.dropFirst(16).prefix(Int(length) - 16)
            rest = rest.dropFirst((Int(length) + 3) & ~3)
            guard number == sequence else { continue }
            if kind == done { return true }
            if kind == error {
                guard let code: Int32 = body.number(at: 0) else { return true }
                try check(Int(code), doing)
                return true
            }
            answers.append(Array(body))
        }
        return false
    }
}

extension [UInt8] {
    /// In the machine's own order of bytes, as netlink has it.
    mutating func append<Number: FixedWidthInteger>(number: Number) {
        for shift in stride(from: 0, to: Number.bitWidth, by: 8) {
            #if _endian(little)
                append(UInt8(truncatingIfNeeded: number >> Number(shift)))
            #else
                append(UInt8(truncatingIfNeeded: number >> Number(Number.bitWidth - 8 - shift)))
            #endif
        }
    }

    /// A netlink attribute, padded.
    mutating func append(attribute kind: UInt16, _ value: [UInt8]) {
        append(number: UInt16(4 + value.count))
        append(number: kind)
        self += value
        while count % 4 != 0 { append(0) }
    }
}

extension RandomAccessCollection where Element == UInt8, Index == Int {
    /// nil where the bytes end before.
    func number<Number: FixedWidthInteger>(at offset: Int) -> Number? {
        let width = Number.bitWidth / 8
        guard offset >= 0, offset + width <= count else { return nil }
        var number = Number(0)
        for place in 0..<width {
            #if _endian(little)
                number |= Number(truncatingIfNeeded: self[startIndex + offset + place]) << Number(place * 8)
            #else
                number = number << 8 | Number(truncatingIfNeeded: self[startIndex + offset + place])
            #endif
        }
        return number
    }

    /// The attributes that follow `offset` bytes of a fixed header.
    func attributes(from offset: Int) -> [(kind: UInt16, value: [UInt8])] {
        var found: [(kind: UInt16, value: [UInt8])] = []
        var at = offset
        while let length: UInt16 = number(at: at), let kind: UInt16 = number(at: at + 2), length >= 4,
            at + Int(length) <= count
        {
            // The upper two bits say how a value is made.
            let value = self[(startIndex + at + 4)..<(startIndex + at + Int(length))]
            found.append((kind: kind & 0x3fff, value: Array(value)))
            at += (Int(length) + 3) & ~3
        }
        return found
    }
}
