internal import CLinux
internal import Glibc
internal import LinuxSystem

/// A connection to a systemd manager, directly or over a message bus. One call at a time; nothing waits for ever.
final class BusConnection {
    /// The end of a job, as systemd tells it to everybody.
    private struct JobEnd {
        var job: String
        var result: String
        var sender: String
    }

    private let socket: OpenFile
    private let isBus: Bool
    private var received: [UInt8] = []
    private var lastSerial: UInt32 = 0
    private var ends: [JobEnd] = []
    private var deadline: Int64
    /// As long as other runtimes wait.
    private let patience: Int64

    /// Connects and says who we are; the kernel vouches for that.
    init(_ address: BusAddress, patience: Int64 = 30_000) throws(RuntimeFailure) {
        self.patience = patience
        isBus = address.isBus
        deadline = HostFacts.monotonicMilliseconds() + patience
        socket = try Sockets.connect(address.path, isAbstract: address.isAbstract, milliseconds: patience)
        try authenticate()
        guard isBus else { return }
        _ = try call(Self.bus, "Hello", []).checked("the message bus does not let us in")
        let rule =
            "type='signal',sender='\(Self.systemd)',interface='\(Self.manager)',member='JobRemoved',"
            + "path='\(Self.managerPath)'"
        _ = try call(Self.bus, "AddMatch", [.string(rule)]).checked("cannot listen to systemd")
    }

    static let systemd = "org.freedesktop.systemd1"
    static let manager = "org.freedesktop.systemd1.Manager"
    static let managerPath = "/org/freedesktop/systemd1"
    static let bus = "org.freedesktop.DBus"
    static let properties = "org.freedesktop.DBus.Properties"

    /// Without a name of our own: the other side then takes whom the kernel says that we are, in its own user
    /// namespace's numbers, which we may not know.
    ///
    /// All in one write: systemd would leave a first message alone that it reads together with BEGIN, until more comes.
    private func authenticate() throws(RuntimeFailure) {
        try send(Array("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".utf8))
        // One answer to each of the two first lines: DATA and OK, of older ones OK and whatever.
        let answers = [try line(), try line()]
        guard answers.contains(where: { $0 == "OK" || $0.hasPrefix("OK ") }) else {
            throw RuntimeFailure("access denied (\(answers[0].prefix(100)))")
        }
    }

    private func line() throws(RuntimeFailure) -> String {
        while true {
            if let end = received.firstIndex(of: 10) {
                let line = String(decoding: received[..<end], as: UTF8.self)
                received.removeSubrange(...end)
                return line.hasSuffix("\r") ? String(line.dropLast()) : line
            }
            guard received.count < 4096 else { throw RuntimeFailure("what answers there does not speak D-Bus") }
            try receive()
        }
    }

    /// Calls a method of the manager's object, or of the bus, and waits for the answer.
    func call(_ interface: String, _ member: String, _ body: [BusValue]) throws(RuntimeFailure) -> BusMessage {
        deadline = HostFacts.monotonicMilliseconds() + patience
        lastSerial += 1
        let isForBus = interface == Self.bus
        let message = BusMessage(
            serial: lastSerial,
            [
                (.path, isForBus ? "/org/freedesktop/DBus" : Self.managerPath), (.interface, interface),
                (.member, member), (.destination, !isBus ? "" : isForBus ? Self.bus : Self.systemd),
            ], body: body)
        try send(message.bytes)
        while true {
            let answer = try next()
            if answer.kind == BusMessage.Kind.reply || answer.kind == BusMessage.Kind.error,
                answer.replySerial == lastSerial
            {
                return answer
            }
        }
    }

    /// Waits until a job has ended, which may have been before its call was answered.
    ///
    /// Returns how: `done`, `failed`, `canceled`, `timeout`, `dependency`, `skipped` and the like.
    /// `answer`: of the call that made the job.
    func end(of answer: BusMessage) throws(RuntimeFailure) -> String {
        let job = try answer.values("o").first?.text ?? ""
        while true {
            // On a bus anybody could claim to speak of jobs.
            if let end = ends.first(where: { $0.job == job && $0.sender == answer[.sender] }) { return end.result }
            _ = try next()
        }
    }

    /// The next message, whatever it is; ends of jobs are remembered.
    private func next() throws(RuntimeFailure) -> BusMessage {
        var size = BusMessage.prefix
        while true {
            if received.count >= BusMessage.prefix { size = try BusMessage.size(received) }
            if received.count >= size { break }
            try receive()
        }
        let message = try BusMessage(Array(received[..<size]))
        received.removeSubrange(..<size)
        if message.kind == BusMessage.Kind.signal, message[.member] == "JobRemoved",
            message[.interface] == Self.manager,
            message[.path] == Self.managerPath
        {
            let values = try message.values("uoss")
            ends.append(JobEnd(job: values[1].text ?? "", result: values[3].text ?? "", sender: message[.sender]))
        }
        return message
    }

    private func send(_ bytes: [UInt8]) throws(RuntimeFailure) {
        let noSignal = 0x4000
        var done = 0
        while done < bytes.count {
            let count = bytes.withUnsafeBytes { all in
                Kernel.call(
                    SYS_sendto, Int(socket.raw), Int(bitPattern: all.baseAddress) + done, all.count - done, noSignal)
            }
            if count == -Int(EINTR) { continue }
            try check(count, "cannot send")
            done += count
        }
    }

    private func receive() throws(RuntimeFailure) {
        var chunk = [UInt8](repeating: 0, count: 8_192)
        while true {
            let left = deadline - HostFacts.monotonicMilliseconds()
            guard left > 0 else { throw RuntimeFailure("systemd gives no answer within \(patience / 1000) seconds") }
            var waits = pollfd(fd: socket.raw, events: Int16(POLLIN), revents: 0)
            if poll(&waits, 1, Int32(clamping: left)) < 1 { continue }
            let count = chunk.withUnsafeMutableBytes {
                Kernel.call(SYS_read, Int(socket.raw), Int(bitPattern: $0.baseAddress), $0.count)
            }
            if count == -Int(EINTR) || count == -Int(EAGAIN) { continue }
            try check(count, "cannot receive")
            guard count > 0 else { throw RuntimeFailure("systemd closed the connection; access may be denied") }
            received += chunk[..<count]
            return
        }
    }
}

extension BusMessage {
    /// The name and the words of an error; nil for a good answer.
    var failure: (name: String, text: String)? {
        guard kind == Kind.error else { return nil }
        let text = self[.signature].hasPrefix("s") ? (try? firstText) ?? "" : ""
        return (self[.errorName], text.isEmpty ? self[.errorName] : text)
    }

    private var firstText: String {
        get throws(RuntimeFailure) {
            var decoder = BusDecoder(body, isBig: isBig)
            var index = 0
            return try decoder.value([UInt8(ascii: "s")], &index, 0).text ?? ""
        }
    }

    /// The answer itself, if it is no error.
    func checked(_ doing: @autoclosure () -> String) throws(RuntimeFailure) -> BusMessage {
        if let failure { throw RuntimeFailure("\(doing()): \(failure.text)") }
        return self
    }
}
