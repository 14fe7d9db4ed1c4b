import Glibc
import Testing

@testable import ContainerRuntime

/// Conversations with a manager that is played by a thread on a socket.
struct SystemdConnectionTests {
    private static let manager = "org.freedesktop.systemd1.Manager"

    /// Answers to a call: a good one, then whatever comes before and after it.
    private static func reply(_ call: BusMessage, _ body: [BusValue] = [], sender: String = "") -> [UInt8] {
        BusMessage(kind: 2, serial: 9, [(.sender, sender)], replyTo: call.serial, body: body).bytes
    }

    private static func error(_ call: BusMessage, _ name: String, _ text: String) -> [UInt8] {
        BusMessage(kind: 3, serial: 9, [(.errorName, name)], replyTo: call.serial, body: [.string(text)]).bytes
    }

    private static func ended(_ job: String, _ result: String, sender: String = "", big: Bool = false) -> [UInt8] {
        BusMessage(
            kind: 4, serial: 8,
            [
                (.path, "/org/freedesktop/systemd1"), (.interface, manager), (.member, "JobRemoved"), (.sender, sender),
            ], body: [.uint32(1), .text(UInt8(ascii: "o"), job), .string("u.scope"), .string(result)], isBig: big
        ).bytes
    }

    private static let job = BusValue.text(UInt8(ascii: "o"), "/job/1")

    @Test func `a unit is there when its job is done, told before or after the answer`() throws {
        for early in [true, false] {
            let fake = try FakeManager { call in
                let end = Self.ended("/job/1", "done", big: true)
                let other = Self.ended("/job/2", "failed")
                let reply = Self.reply(call, [Self.job])
                return early ? other + end + reply : reply + other + end
            }
            try SystemdManager(fake.connect()).start("u.scope", [UnitProperty("PIDs", .array("u", [.uint32(7)]))])
            let calls = fake.calls()
            #expect(calls.map { $0[.member] } == ["StartTransientUnit"])
            #expect(calls.first?[.destination] == "", "nobody is named where there is no bus")
            #expect(
                try calls.first?.values("ssa(sv)a(sa(sv))") == [
                    .string("u.scope"), .string("replace"),
                    .array("(sv)", [.structure([.string("PIDs"), .variant(.array("u", [.uint32(7)]))])]),
                    .array("(sa(sv))", []),
                ])
        }
    }

    @Test func `a job that fails is an error, and its unit is forgotten`() throws {
        let fake = try FakeManager { call in
            call[.member] == "StartTransientUnit"
                ? Self.reply(call, [Self.job]) + Self.ended("/job/1", "failed") : Self.reply(call)
        }
        let failure = #expect(throws: RuntimeFailure.self) { try SystemdManager(fake.connect()).start("u.scope", []) }
        #expect(failure?.message.hasPrefix("systemd could not make the unit u.scope: failed") == true)
        #expect(fake.calls().map { $0[.member] } == ["StartTransientUnit", "ResetFailedUnit"])
    }

    @Test func `a unit that has failed before is forgotten and made once more`() throws {
        let fake = try FakeManager { call in
            call[.member] == "StartTransientUnit"
                ? Self.error(call, "org.freedesktop.systemd1.UnitExists", "there already") : Self.reply(call)
        }
        #expect(throws: RuntimeFailure("systemd does not make the unit u.scope: there already")) {
            try SystemdManager(fake.connect()).start("u.scope", [])
        }
        #expect(fake.calls().map { $0[.member] } == ["StartTransientUnit", "ResetFailedUnit", "StartTransientUnit"])
    }

    @Test func `a bus is greeted, and only the manager itself is believed`() throws {
        let fake = try FakeManager(isBus: true) { call in
            switch call[.member] {
            case "Hello": Self.reply(call, [.string(":1.5")])
            case "AddMatch": Self.reply(call)
            default:
                Self.ended("/job/1", "failed", sender: ":1.9") + Self.reply(call, [Self.job], sender: ":1.2")
                    + Self.ended("/job/1", "done", sender: ":1.2")
            }
        }
        try SystemdManager(fake.connect()).start("u.scope", [])
        let calls = fake.calls()
        #expect(calls.map { $0[.member] } == ["Hello", "AddMatch", "StartTransientUnit"])
        #expect(
            calls.map { $0[.destination] } == ["org.freedesktop.DBus", "org.freedesktop.DBus", BusConnection.systemd])
    }

    @Test func `stopping what is not there is fine, and being refused is not`() throws {
        let gone = try FakeManager { Self.error($0, "org.freedesktop.systemd1.NoSuchUnit", "not loaded") }
        try SystemdManager(gone.connect()).stop("u.scope")
        #expect(gone.calls().map { $0[.member] } == ["StopUnit", "ResetFailedUnit"])
        let closed = try FakeManager { Self.error($0, "org.freedesktop.DBus.Error.AccessDenied", "no") }
        #expect(throws: RuntimeFailure("systemd does not stop the unit u.scope: no")) {
            try SystemdManager(closed.connect()).stop("u.scope")
        }
    }

    @Test func `properties are read and changed`() throws {
        let fake = try FakeManager { call in
            call[.member] == "Get" ? Self.reply(call, [.variant(.string("v249.1"))]) : Self.reply(call)
        }
        let manager = SystemdManager(try fake.connect())
        #expect(try manager.version == 249)
        try manager.set("u.scope", [])
        try manager.set("u.scope", [UnitProperty("TasksMax", .uint64(5))])
        try manager.attach(7, to: "u.scope")
        #expect(fake.calls().map { $0[.member] } == ["Get", "SetUnitProperties", "AttachProcessesToUnit"])
        #expect(
            try fake.calls()[1].values("sba(sv)") == [
                .string("u.scope"), .bool(true),
                .array("(sv)", [.structure([.string("TasksMax"), .variant(.uint64(5))])]),
            ])
        #expect(try fake.calls()[2].values("ssau").last == .array("u", [.uint32(7)]))
    }

    @Test(arguments: [
        "REJECTED EXTERNAL\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n\r\n", String(repeating: "x", count: 5_000), "",
    ])
    func `who does not let us in is an error`(greeting: String) throws {
        let fake = try FakeManager(greeting: greeting, closes: true) { _ in [] }
        #expect(throws: RuntimeFailure.self) { try fake.connect() }
    }

    @Test func `an older greeting is understood`() throws {
        let fake = try FakeManager(greeting: "OK 1234\r\nERROR\r\n") { Self.reply($0, [.variant(.string("239"))]) }
        #expect(try SystemdManager(fake.connect()).version == 239)
    }

    @Test func `no answer, half of one, a wrong one and none at all are errors`() throws {
        for part in [0, 1, 15, 16, 40] {
            let fake = try FakeManager { Array(Self.reply($0, [.variant(.string("239"))]).prefix(part)) }
            let failure = #expect(throws: RuntimeFailure.self) {
                try SystemdManager(fake.connect(patience: 200)).version
            }
            #expect(failure?.message.hasPrefix("systemd gives no answer within") == true)
        }
        let wrong: [@Sendable (BusMessage) -> [UInt8]] = [
            { Self.reply($0) }, { Self.reply($0, [.string("239")]) }, { Self.reply($0, [.variant(.uint32(1))]) },
            { _ in Array("HTTP/1.1 400 Bad Request\r\n\r\n".utf8) },
            { Self.error($0, "org.freedesktop.DBus.Error.ServiceUnknown", "nobody") },
            { Array(Self.reply($0)[..<4]) + [0xFF, 0xFF, 0xFF, 0x7F] + [UInt8](repeating: 1, count: 40) },
        ]
        for answer in wrong {
            let fake = try FakeManager(answer)
            #expect(throws: RuntimeFailure.self) { try SystemdManager(fake.connect(patience: 5_000)).version }
        }
    }

    @Test func `an address where nobody listens is an error that names it`() {
        let failure = #expect(throws: RuntimeFailure.self) { try BusConnection(BusAddress(path: "/nowhere/at/all")) }
        #expect(failure?.message.contains("/nowhere/at/all") == true)
        #expect(throws: RuntimeFailure.self) {
            try BusConnection(BusAddress(path: String(repeating: "x", count: 200), isAbstract: true))
        }
    }
}

/// A manager of systemd, or a bus with one, for one connection.
private final class FakeManager: @unchecked Sendable {
    typealias Answer = @Sendable (BusMessage) -> [UInt8]

    private let name: String
    private let isBus: Bool
    private let listener: Int32
    private let greeting: String
    private let closes: Bool
    private let answer: Answer
    private var received: [BusMessage] = []
    private let lock: UnsafeMutablePointer<pthread_mutex_t>

    /// Listens, as a bus if `isBus`; answers the first lines with `greeting` and hangs up if `closes`, else it sends
    /// what `answer` has for each call.
    init(
        isBus: Bool = false, greeting: String = "DATA\r\nOK 0123456789abcdef\r\n", closes: Bool = false,
        _ answer: @escaping Answer
    ) throws {
        name = "rondo-test-\(getpid())-\(UInt64.random(in: 0...(.max)))"
        self.isBus = isBus
        self.greeting = greeting
        self.closes = closes
        self.answer = answer
        lock = .allocate(capacity: 1)
        pthread_mutex_init(lock, nil)
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.dropFirst().copyBytes(from: name.utf8) }
        let length = socklen_t(MemoryLayout<sa_family_t>.size + 1 + name.utf8.count)
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(listener, $0, length) }
        }
        try #require(bound == 0 && listen(listener, 1) == 0)
        var thread = pthread_t()
        let this = Unmanaged.passRetained(self).toOpaque()
        let made = pthread_create(
            &thread, nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<FakeManager>.fromOpaque(argument).takeRetainedValue().serve()
                return nil
            }, this)
        try #require(made == 0)
        pthread_detach(thread)
    }

    deinit { lock.deallocate() }

    func connect(patience: Int64 = 10_000) throws -> BusConnection {
        try BusConnection(BusAddress(path: name, isAbstract: true, isBus: isBus), patience: patience)
    }

    /// What was asked until now.
    func calls() -> [BusMessage] {
        pthread_mutex_lock(lock)
        defer { pthread_mutex_unlock(lock) }
        return received
    }

    private func serve() {
        // A test that never connects must not keep the thread.
        var waits = pollfd(fd: listener, events: Int16(POLLIN), revents: 0)
        let ready = poll(&waits, 1, 10_000)
        let client = ready == 1 ? accept(listener, nil, nil) : -1
        close(listener)
        guard client >= 0 else { return }
        defer { close(client) }
        var bytes: [UInt8] = []
        let end = Array("BEGIN\r\n".utf8)
        while bytes.suffix(end.count) != end[...] {
            guard receive(client, &bytes) else { return }
        }
        #expect(bytes == Array("\0AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n".utf8))
        bytes = []
        send(client, Array(greeting.utf8))
        if closes { return }
        while true {
            while bytes.count >= 16, let size = try? BusMessage.size(bytes), bytes.count >= size {
                guard let call = try? BusMessage(Array(bytes[..<size])) else { return }
                bytes.removeFirst(size)
                pthread_mutex_lock(lock)
                received.append(call)
                pthread_mutex_unlock(lock)
                send(client, answer(call))
            }
            guard receive(client, &bytes) else { return }
        }
    }

    private func receive(_ client: Int32, _ bytes: inout [UInt8]) -> Bool {
        var chunk = [UInt8](repeating: 0, count: 4_096)
        let count = read(client, &chunk, chunk.count)
        guard count > 0 else { return false }
        bytes += chunk[..<count]
        return true
    }

    private func send(_ client: Int32, _ bytes: [UInt8]) {
        // In two parts, so that messages do not come whole.
        let half = bytes.count / 2
        for part in [bytes[..<half], bytes[half...]] where !part.isEmpty {
            _ = part.withUnsafeBytes { Glibc.send(client, $0.baseAddress, $0.count, 0x4000) }
        }
    }
}
